#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash disable=SC2317,SC2086 # called by check; no spaces in names
# gntdev list, top and trace on real Xen. Run in the lab; TAP.

cd /lab/host || exit
work=/tmp/host
mkdir -p $work
failed=0
tracing=/sys/kernel/tracing
[ -d $tracing/instances ] || mount -t tracefs tracefs $tracing

point() {
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		failed=1
	fi
}

# check DESCRIPTION COMMAND...: one point; the output is shown if it fails.
check() {
	description=$1
	shift
	"$@" >$work/output 2>&1
	status=$?
	[ $status = 0 ] || sed 's/^/# /' $work/output
	point $status "$description"
}

# has FILE PATTERN...: it has a line that matches each.
has() {
	file=$1
	shift
	for pattern; do
		grep -qE -e "$pattern" "$file" || {
			echo "no line matches '$pattern' in:"
			cat "$file"
			return 1
		}
	done
}

mkfifo $work/hold
begin() {
	./holder <$work/hold >$work/holder.out 2>&1 &
	holder=$!
	exec 5>$work/hold
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		grep -q holds $work/holder.out && break
		sleep 0.2
	done
	ref=$(sed -n 's/holds //p' $work/holder.out)
	[ -n "$ref" ] || cat $work/holder.out
}
end() {
	# Others may have the pipe open too.
	echo >&5
	exec 5>&-
	wait $holder
}

list_tells_each_thing() {
	./gntdev list >$work/list || return
	has $work/list \
		"^ +$LAB_DOMID range +4 +$ref mapped +[0-9]+s +$holder [^ ]+ +holder\$" \
		"^ +7 range +3 +$ref inserted " "^ +8 range +1 +[0-9]+ inserted " \
		"^ +$LAB_DOMID export +1 +$ref mapped " \
		'^handles: [1-9][0-9,]* in use' '^grant frames: [1-9][0-9]* of [0-9]+ in use'
}

list_one_domain() {
	./gntdev list --domain 7 >$work/list && has $work/list '^ +7 range +3 ' || return
	! grep -E '^ +8 ' $work/list || return
	./gntdev list --domain 9 >$work/list && has $work/list '^nothing of domain 9'
}

list_json() {
	./gntdev list --json >$work/list && has $work/list '"kind": "range", "domain": 7, ' \
		"\"process\": $holder, \"command\": \"holder\"" '"max_grant_frames": [1-9]'
}

top_lists_it() {
	./gntdev top --count 2 --interval 0.3 >$work/top &&
		has $work/top "^ +$holder [^ ]+ +several +[0-9]+ .* holder\$" '^handles: [1-9]'
}

top_tells_rates() {
	./holder busy &
	busy=$!
	./gntdev top --count 2 --interval 2 |
		awk '/instances,/ { table = "" } { table = table $0 "\n" } END { printf "%s", table }' >$work/top
	kill -9 $busy
	wait $busy
	# The last table is of a time in which it ran.
	cat $work/top
	has $work/top "^ +$busy [^ ]+ +[^ ]+ +4 +[0-9.]+[kM]? +[0-9.]+[kM]? +[0-9.]+[kM]? +[0-9.]+[kMG] holder\$" &&
		! grep -E "^ +$busy [^ ]+ +[^ ]+ +4 +0 " $work/top
}

counters_are_there() {
	handles=$(cat '/sys/class/misc/xen!gntdev/handles')
	frames=$(cat '/sys/class/misc/xen!gntdev/grant_frames')
	most=$(cat '/sys/class/misc/xen!gntdev/max_grant_frames')
	echo "handles $handles, grant frames $frames of $most"
	[ "$handles" -ge 4 ] && [ "$frames" -ge 1 ] && [ "$frames" -le "$most" ]
}

only_root_reads_it() {
	[ "$(stat -c %a /proc/driver/xen-gntdev)" = 400 ] || return
	command -v setuidgid >/dev/null || return 0
	echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
	! setuidgid nobody ./gntdev list 2>$work/list || return
	has $work/list 'Permission denied: only root'
}

ended_holders_are_gone() {
	./gntdev list >$work/list || return
	! grep holder $work/list
}

trace_a_program() {
	./gntdev trace -- ./holder </dev/null >$work/out 2>$work/trace || return
	cat $work/trace
	has $work/trace \
		"holder\\[[0-9]+\\] MAP_GRANT_REF\\(count=4, refs=\\{\\{domid=$LAB_DOMID, ref=[0-9]+\\}, \\.\\.\\.\\}\\) = 0 index=0 <0\\.[0-9]{6}>" \
		"mmap\\(index=0, pages=4, writable\\) = 0 \\[domain $LAB_DOMID, reference [0-9]+\\] <" \
		'GRANT_COPY\(count=4, segments=\{\{source=\{domid=[0-9]+, ref=[0-9]+, offset=0\}, dest=0x[0-9a-f]+, len=1000, status=GNTST_okay\}, \.\.\.\}\) = 0' \
		'UNMAP_GRANT_REF\(index=1073741824, count=1\) = -1 ENOENT' \
		"mmap\\(index=[0-9]+, pages=2, writable\\) = -1 EINVAL .*: reference 16000 of domain $LAB_DOMID: GNTST_" \
		"GRANT_COPY\\(count=2, .*\\) = 0: reference 16000 of domain $LAB_DOMID: GNTST_" \
		"munmap\\(index=0, pages=4\\) \\[domain $LAB_DOMID"
}

# Each of the header's and of the driver's own: named, with its arguments and result.
trace_every_request() {
	./gntdev trace -- ./every 2>$work/trace
	status=$?
	cat $work/trace
	[ $status = 0 ] || return
	for request in MAP_GRANT_REF UNMAP_GRANT_REF GET_OFFSET_FOR_VADDR SET_MAX_GRANTS SET_UNMAP_NOTIFY \
		GRANT_COPY DMABUF_EXP_FROM_REFS DMABUF_EXP_WAIT_RELEASED DMABUF_IMP_TO_REFS DMABUF_IMP_RELEASE \
		DMABUF_EXP_FROM_REFS_V2 DMABUF_IMP_TO_REFS_V2 RESTRICT MAP_STATUS GRANT_MEMORY UNGRANT_MEMORY \
		AREA_CREATE AREA_MAP AREA_UNMAP; do
		has $work/trace "every\\[[0-9]+\\] $request\\([a-z_]+=.*\\) = .* <[0-9]+\\.[0-9]{6}>\$" || return
	done
	has $work/trace \
		"AREA_MAP\\(index=8192, count=2, ops=\\{\\{slot=3, domid=$LAB_DOMID, ref=[0-9]+, status=GNTST_okay\\}, \\.\\.\\.\\}\\) = 0 done=2: reference 16000 of domain $LAB_DOMID: GNTST_" \
		'AREA_MAP\(.*\) = -1 EEXIST \(.*\) done=0 <' 'AREA_UNMAP\(index=8192, count=2, ops=\{\{slot=3, status=GNTST_okay\}, ' \
		'mmap\(index=8192, pages=4, writable\) = 0 <' 'munmap\(index=8192, pages=4\)$' \
		"GRANT_MEMORY\\(addr=0x[0-9a-f]+, count=1, domid=$LAB_DOMID, flags=WRITABLE\\) = 0 index=[0-9]+ refs=" \
		'UNGRANT_MEMORY\(index=[0-9]+, count=1\) = 0 '
}

trace_only_mappings() {
	./gntdev trace --only mapping -- ./every 2>$work/trace || return
	has $work/trace ' mmap\(' ' munmap\(' && ! grep RESTRICT $work/trace
}

trace_has_the_programs_status() {
	./gntdev trace -- sh -c 'exit 7' 2>/dev/null
	[ $? = 7 ] || return
	./gntdev trace -- nosuchprogram 2>$work/trace
	[ $? = 127 ] && has $work/trace 'nosuchprogram: No such file'
}

trace_one_domain() {
	./gntdev trace --domain 7 -- ./holder </dev/null >/dev/null 2>$work/trace || return
	has $work/trace 'MAP_GRANT_REF\(count=4, refs=\{\{domid=7' || return
	! grep "domid=$LAB_DOMID," $work/trace
}

# Nothing of it is left; the keeper may need a moment.
nothing_is_left() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		[ -z "$(ls $tracing/instances)" ] && return
		sleep 0.2
	done
	ls $tracing/instances
	return 1
}

trace_a_process() {
	./gntdev trace -p $holder >$work/trace 2>&1 &
	tracer=$!
	sleep 1
	[ -n "$(ls $tracing/instances)" ] || return
	end
	wait $tracer || return
	has $work/trace 'UNMAP_GRANT_REF\(index=1073741824, count=1\) = -1 ENOENT'
}

# killed SIGNAL: a tracer that is ended so leaves nothing.
killed() {
	./gntdev trace >$work/trace 2>&1 &
	tracer=$!
	sleep 1
	ls $tracing/instances
	[ -n "$(ls $tracing/instances)" ] || return
	kill "-$1" $tracer
	wait $tracer
	nothing_is_left
}

# As by Ctrl-C: with a status of 0.
interrupted() {
	./gntdev trace >$work/trace 2>&1 &
	tracer=$!
	sleep 1
	kill -INT $tracer
	wait $tracer || return
	nothing_is_left
}

handles_run_out() {
	# More than an instance's share.
	echo 1000000 >/sys/module/xen_gntdev/parameters/handles
	./holder fill || return
	dmesg | grep 'no handle left' | tail -n 1
	dmesg | grep -q 'no handle left for a grant: this driver uses [0-9]*, .*gnttab_max_maptrack_frames='
}

no_module() {
	rmmod xen_gntdev || return
	! ./gntdev list 2>$work/list && has $work/list 'xen-gntdev is not loaded: modprobe' || return
	! ./gntdev trace 2>$work/list && has $work/list 'xen-gntdev is not loaded: modprobe' || return
	insmod "$LAB_MODULE"
}

begin
check 'list tells each thing that a program holds' list_tells_each_thing
check 'list --domain answers for one domain' list_one_domain
check 'list --json says the same' list_json
check 'top lists it' top_lists_it
check 'top tells rates' top_tells_rates
sed 's/^/# /' $work/top
check 'counters of handles and grant frames' counters_are_there
check 'only root reads it' only_root_reads_it
check 'trace -p follows a process to its end' trace_a_process
check 'list does not have what is gone' ended_holders_are_gone
check 'trace names arguments, results and what was refused' trace_a_program
sed 's/^/# /' $work/trace
check 'trace tells every request, of areas and granted memory too' trace_every_request
check 'trace --only chooses kinds' trace_only_mappings
check 'trace has the status of its program' trace_has_the_programs_status
check 'trace --domain tells of one domain' trace_one_domain
check 'traces leave nothing behind' nothing_is_left
check 'a trace that Ctrl-C ends leaves nothing, and has succeeded' interrupted
check 'a trace that is ended leaves nothing' killed TERM
check 'a trace that is killed leaves nothing' killed KILL
case ${1:-} in
fill) check 'a map that fails for lack of handles says so in the log' handles_run_out ;;
esac
check 'without the module: one line that says so' no_module
exit $failed
