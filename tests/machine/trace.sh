# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# gntdev trace on a machine, and gntdev run --trace.

# has FILE PATTERN...: it has a line that matches each.
has() {
	local file=$1 pattern
	shift
	for pattern; do
		grep -qE -e "$pattern" "$file" || {
			echo "no line matches '$pattern' in:"
			cat "$file"
			return 1
		}
	done
}

has_each_request() {
	has "$1" \
		'MAP_GRANT_REF\(count=1, refs=\{\{domid=0, ref=8\}\}\) = 0 index=0 <0\.[0-9]{6}>' \
		'mmap\(index=0, pages=1, writable\) = 0 \[domain 0, reference 8\] <' \
		'UNMAP_GRANT_REF\(index=0, count=1\) = -1 EBUSY \(.*\) \[domain 0, reference 8\] <' \
		'GET_OFFSET_FOR_VADDR\(vaddr=0x[0-9a-f]+\) = 0 offset=0 count=1 ' \
		'SET_MAX_GRANTS\(count=1000\) = 0 <' \
		'SET_UNMAP_NOTIFY\(index=5, action=CLEAR_BYTE\|SEND_EVENT, event_channel_port=[0-9]+\) = 0 ' \
		'mmap\(index=4096, pages=1, read-only\) = -1 EINVAL .*: reference 16000 of domain 0: GNTST_general_error \(-1\) ' \
		'MAP_STATUS\(index=4096, statuses=0x[0-9a-f]+, first=0, count=1\) = 0 ' \
		'GRANT_COPY\(count=2, segments=\{\{source=\{domid=0, ref=8, offset=0\}, dest=0x[0-9a-f]+, len=100, status=GNTST_okay\}, \.\.\.\}\) = 0: reference 16000 of domain 0: GNTST_general_error \(-1\) <' \
		'AREA_CREATE\(slots=4, flags=0\) = 0 index=8192 <' \
		'mmap\(index=8192, pages=4, writable\) = 0 <' \
		'AREA_MAP\(index=8192, count=2, ops=\{\{slot=3, domid=0, ref=9, status=GNTST_okay\}, \.\.\.\}\) = 0 done=2: reference 16000 of domain 0: GNTST_general_error \(-1\) <' \
		'AREA_MAP\(index=8192, count=2, ops=.*\) = -1 EEXIST \(.*\) done=0 <' \
		'AREA_UNMAP\(index=8192, count=2, ops=\{\{slot=3, status=GNTST_okay\}, \.\.\.\}\) = 0 done=2 <' \
		'munmap\(index=8192, pages=4\)$' \
		'GRANT_MEMORY\(addr=0x[0-9a-f]+, count=1, domid=0, flags=WRITABLE\) = 0 index=[0-9]+ refs=\{[0-9]+\} ' \
		'UNGRANT_MEMORY\(index=[0-9]+, count=1\) = 0 ' \
		'DMABUF_EXP_FROM_REFS\(flags=0, count=1, domid=0, refs=\{9\}\) = 0 fd=[0-9]+ ' \
		'DMABUF_EXP_WAIT_RELEASED\(fd=[0-9]+, wait_to_ms=1\) = -1 ETIMEDOUT ' \
		'DMABUF_EXP_FROM_REFS_V2\(flags=0, count=1, data_ofs=100, domid=0, refs=\{9\}\) = 0 fd=' \
		'DMABUF_IMP_TO_REFS\(fd=0, count=1, domid=0\) = -1 ' 'DMABUF_IMP_TO_REFS_V2\(fd=0, count=1, domid=0\) = -1 ' \
		'DMABUF_IMP_RELEASE\(fd=0\) = -1 ENOENT ' 'RESTRICT\(domid=0, flags=0\) = 0 <'
}

every_request() {
	ends 0 run --trace "$work/trace" -- "$programs/every" && has_each_request "$work/trace" &&
		has "$work/trace" '^[0-9.]+ domain 0 every\[[0-9]+\] ALLOC_GREF\(domid=0, flags=WRITABLE, count=2\) = 0 index=0 refs=\{8, ' \
			' BIND_UNBOUND_PORT\(remote_domain=0\) = [0-9]+ <'
}
check 'run --trace tells every request by its arguments, result and time' every_request

hypercalls_and_events() {
	ends 0 run --trace "$work/trace" -- "$programs/every" &&
		has "$work/trace" ' xen map\(domid=0, ref=8, program\) = GNTST_okay handle=' \
			' xen map\(domid=0, ref=16000, program\) = GNTST_general_error$' \
			' xen unmap\(handle=[0-9]+\) = GNTST_okay \[domain 0, reference 8\]' \
			' xen copy\(domid=0, ref=8\) = GNTST_okay' ' \.\.\. byte 5 is cleared \[domain 0, reference 8\]' \
			' \.\.\. event on port [0-9]+ of domain 0'
}
check 'run --trace tells hypercalls and events' hypercalls_and_events

kinds() {
	ends 0 run --trace "$work/trace" --trace-only hypercall,event -- "$programs/every" &&
		has "$work/trace" ' xen map' ' event on port' || return
	! grep -E 'GRANT_REF|mmap' "$work/trace" || return
	ends 0 run --trace "$work/trace" --trace-only mapping -- "$programs/every" &&
		has "$work/trace" ' mmap\(index=0' ' munmap\(index=0' || return
	! grep -E 'GRANT_REF|xen' "$work/trace" &&
		said 125 "--trace-only nothing: expected request, mapping, hypercall or event" \
			run --trace "$work/trace" --trace-only nothing -- true &&
		said 125 'Give --trace FILE' run --trace-only event -- true &&
		said 125 "$work/none/trace: No such file" run --trace "$work/none/trace" -- true
}
check '--trace-only chooses kinds' kinds

# The programs of two domains; in domain 1 is nothing but what it grants.
domains() {
	share 2 1 || return
	ends 0 run --machine "$machine" --domain 2 --trace "$work/trace" -- "$programs/actor" map 1 "$refs" </dev/null &&
		has "$work/trace" "^[0-9.]+ domain 2 actor\[[0-9]+\] MAP_GRANT_REF\(count=1, refs=\{\{domid=1, ref=$refs\}\}\)" &&
		ends 0 run --machine "$machine" --domain 3 --trace "$work/trace" --trace-domain 4 -- "$programs/actor" map 1 "$refs" \
			</dev/null >/dev/null 2>&1
	[ ! -s "$work/trace" ]
}
check 'a trace tells whose domain it is, and --trace-domain chooses one' domains

# It ends with its program, of which nothing is missing: thousands of lines.
whole() {
	ends 0 run --trace "$work/trace" --trace-only request -- sh -c "for i in 1 2 3 4 5 6 7 8 9 10; do \"$programs/every\"; done" || return
	is "$(grep -c ' RESTRICT(' "$work/trace")" 10 && is "$(grep -c ' ALLOC_GREF(' "$work/trace")" 10
}
check 'a trace has all that its program and what that started asked for' whole

a_machine() {
	local tracer
	share 0 1 || return
	"$gntdev" trace --machine "$machine" >"$work/trace" &
	tracer=$!
	sleep 0.5
	ends 0 run --machine "$machine" -- "$programs/every" || return
	kill -INT $tracer
	wait $tracer || return
	has_each_request "$work/trace" || return
	# What asks for more gets it.
	! grep ' xen ' "$work/trace"
}
# The first references of domain 0 are the program's own.
check 'trace --machine DIR tells the same, until Ctrl-C' a_machine

a_process() {
	local tracer
	share 2 1 && act mapper --domain 2 -- map 1 "$refs" || return
	"$gntdev" trace --machine "$machine" -p "$(pgrep -n -x actor -P "${pids[mapper]}" || pgrep -n -x actor)" >"$work/trace" &
	tracer=$!
	sleep 0.5
	ends 0 run --machine "$machine" -- "$programs/every" || return
	leave mapper 0
	wait $tracer || return
	has "$work/trace" ' munmap\(index=0, pages=1\) ' || return
	! grep ' every' "$work/trace"
}
check 'trace -p follows one process of it to its end' a_process

a_program() {
	share 2 1 || return
	ends 7 timeout 60 "$gntdev" trace --machine "$machine" --only request,hypercall --output "$work/trace" -- \
		sh -c "\"$programs/every\"; exit 7" &&
		has "$work/trace" ' RESTRICT\(' ' xen map' && ! grep ' mmap(' "$work/trace"
}
check 'trace --machine DIR -- PROGRAM runs it there, and has its status' a_program

nobody_there() {
	mkdir -p "$work/empty"
	said 125 'no machine is there' timeout 60 "$gntdev" trace --machine "$work/empty" &&
		said 125 '-p 999999: there is none|process 999999: there is none' timeout 60 "$gntdev" trace --machine "$machine" -p 999999
}
check 'trace --machine without a machine: one line' nobody_there

# A reader that is stopped keeps nobody waiting, nor one that is killed.
reader_that_reads_nothing() {
	local tracer begun=$SECONDS
	share 0 1 || return
	"$gntdev" trace --machine "$machine" --only hypercall >/dev/null &
	tracer=$!
	sleep 0.3
	kill -STOP $tracer
	for _ in 1 2 3; do
		ends 0 run --machine "$machine" -- "$programs/every" || return
	done
	kill -KILL $tracer
	wait $tracer
	ends 0 run --machine "$machine" -- "$programs/every" && leave granter 0 && deserted && [ $((SECONDS - begun)) -lt 20 ]
}
check 'who reads no trace keeps nobody waiting' reader_that_reads_nothing

# A program's name is what it says; a terminal is not to believe it.
hostile_name() {
	local name
	name=$(printf '\033[2J\n: xen_map')
	cp "$programs/every" "$work/$name" || return
	ends 0 run --trace "$work/trace" -- "$work/$name" || return
	has "$work/trace" ' \?\[2J\?: xen_map\[[0-9]+\] RESTRICT\(' && ! grep -q "$(printf '\033')" "$work/trace"
}
check 'a name with control characters is told without them' hostile_name
