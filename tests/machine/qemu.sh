# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# Debian's QEMU, unchanged, as the backend of disks and folders; Debian 13's
# xen-9pfsd as that of folders; frontends as programs (tests/clients).

clients=$top/tests/clients
# The frontends, which the suite has built.
fronts=${FRONTS:-$top/build/amd64/tests/clients}
qemu=${QEMU:-/usr/libexec/xen-qemu-system-i386}
export QEMU=$qemu
check 'the tests have a QEMU and the frontends' \
	test -x "$qemu" -a -x "$fronts/blkfront" -a -x "$fronts/9pfront"

# Both sides' scripts: what the frontend says is TAP.
both_sides() {
	local back
	rm -rf "$machine"
	run --machine "$machine" --mode "$mode" -- sh "$clients/qemu-back.sh" 1 >"$work/back" 2>"$work/back.err" &
	back=$!
	PROGRAMS=$fronts run --machine "$machine" --mode "$mode" --domain 1 -- \
		sh "$clients/qemu-front.sh" | sed "s/QEMU: /QEMU, $mode: /"
	wait "$back"
	sed 's/^\(# \)*/# /' "$work/back"
}

is_clean() {
	deserted && cat "$machine/log" && ! grep -qE 'hard failure|not modelled' "$machine/log"
}

for mode in pv xlat; do
	follow both_sides
	check "QEMU, $mode: the machine has nothing to complain of" is_clean
done

# toolstack COMMAND...: of toolstack.sh, in domain 0.
toolstack() {
	# shellcheck disable=SC2016
	run --machine "$machine" --mode "$mode" -- \
		sh -c '. "$1"; shift; "$@"' sh "$clients/toolstack.sh" "$@"
}

# serve PROGRAM...: it in domain 0, with its report. The machine lives as long.
serve() {
	# Not by run(), so that a signal gets there.
	timeout -k 5 60 "$gntdev" run --machine "$machine" --mode "$mode" --report -- "$@" \
		2>"$work/served" &
	pids[served]=$!
	in[served]=/dev/null
}

qemu_command=("$qemu" -M xenpv -m 32 -xen-domid 1 -xen-attach -name guest -nodefaults
	-no-user-config -display none -monitor none)

# serve_disk: a QEMU with a disk for domain 1, on a machine of its own.
serve_disk() {
	truncate -s 1M "$work/disk"
	serve "${qemu_command[@]}"
	soon test -S "$machine/socket" && toolstack attach_disk 1 51712 "$work/disk"
}

# served: the backend's own process: timeout's child's child.
served() {
	pgrep -nP "$(pgrep -P "${pids[served]}")"
}

# ends_well: the backend is told to go, gives back all that it has, and says so.
ends_well() {
	local status=0
	kill "${pids[served]}"
	wait "${pids[served]}" || status=$?
	unset "pids[served]"
	cat "$work/served"
	is "the backend's status $status" "the backend's status 0"
}

# front PROGRAM ARGUMENT...: in domain 1; what is left by it is a status of 123.
front() {
	local program=$1
	shift
	run --machine "$machine" --domain 1 --report -- "$fronts/$program" -p 4000 "$@" 2>&1
}

mode=pv
nothing_left() {
	serve_disk && front blkfront 51712 check && front blkfront -e -o 4 -d 64 51712 check &&
		toolstack detach 1 vbd 51712 qdisk && ends_well
}
check 'QEMU: a disk is used and taken away, and nothing is left on either side' nothing_left

# fail SPEC: calls fail from now on.
fail() {
	run --machine "$machine" --fail "$1" -- true
}

failing_copies() {
	serve_disk && front blkfront 51712 check >/dev/null && fail copy:2=-3 &&
		is "$(front blkfront 51712 one 2)" "$(printf '%s\n' '1: write: good' '1: read: error' \
			'2: write: good' '2: read: good' closed)" &&
		toolstack detach 1 vbd 51712 qdisk && ends_well && cat "$work/served" &&
		grep -q 'failed to copy data' "$work/served"
}
check 'QEMU: a copy that fails is an error to that request, and no other' failing_copies

# It stays in the state in which it waits for a frontend, and takes the next one.
# failing_map SPEC WORDS: QEMU's.
failing_map() {
	serve_disk && front blkfront 51712 check >/dev/null && fail "$1" &&
		ends 3 front blkfront 51712 offers >"$work/stdout" && cat "$work/stdout" &&
		grep -q 'the backend does not connect: state 2' "$work/stdout" &&
		front blkfront 51712 check && toolstack detach 1 vbd 51712 qdisk && ends_well &&
		grep -q "frontend change error: $2" "$work/served"
}
refs=xengnttab_map_domain_grant_refs
check 'QEMU: a ring that cannot be mapped (map:1=-3) is refused, the next one is served' \
	failing_map map:1=-3 "$refs failed: Invalid argument"
check 'QEMU: nor one that is no program'"'"'s (umap:1=-1)' \
	failing_map umap:1=-1 "$refs failed: Invalid argument"
check 'QEMU: nor one for which there is no memory (alloc:1)' \
	failing_map alloc:1 "$refs failed: Cannot allocate memory"
check 'QEMU: nor one of a device whose maximum it cannot set (copy_from_user:1)' \
	failing_map copy_from_user:1 'xengnttab_set_max_grants failed: Bad address'

# The grant is out of use for ever, QEMU goes on.
failing_unmap() {
	serve_disk && fail unmap:1=-1 && front blkfront 51712 check
	local status=$?
	toolstack detach 1 vbd 51712 qdisk
	is "$status" 0 && kill "${pids[served]}"
}
check 'QEMU: an unmap that the hypervisor refuses does not trouble it' failing_unmap

# ---- folders ----

# The folder is there before QEMU starts, and the frontend may read where it is.
serve_folder() {
	mkdir -p "$work/shared"
	rm -f "$work/shared"/*
	# shellcheck disable=SC2016
	serve sh -c '. "$0"
		attach_folder 1 0 "$1" 9pfs && xenstore-write /attached "" && shift && exec "$@"' \
		"$clients/toolstack.sh" "$work/shared" "${qemu_command[@]}"
	soon test -S "$machine/socket" && soon toolstack xenstore-exists /attached
}

folder_is_whole() {
	serve_folder && front 9pfront 0 check && is "$(stat -c %s "$work/shared/file")" 1048576
}
check 'QEMU: a file in a folder is what the frontend has written' folder_is_whole

failing_folder_map() {
	serve_folder && fail "$1" && ends 3 front 9pfront 0 check && cat "$work/served"
}
check 'QEMU: a folder whose ring cannot be mapped does not connect' failing_folder_map map:1=-3

# ---- Debian 13's xen-9pfsd ----

# daemon: the installed one, or that of the lab's packages with its C library.
daemon() {
	local found libraries cache=${GNTDEV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gntdev}
	for found in /usr/lib/xen-*/bin/xen-9pfsd; do
		[ ! -x "$found" ] || { echo "$found"; return; }
	done
	libraries=$cache/amd64/tools-4.20/usr/lib/x86_64-linux-gnu
	[ -e "$libraries" ] || libraries=$("$top/lab/fetch" amd64 tools-4.20) || return
	echo "$libraries/ld-linux-x86-64.so.2 --library-path $libraries ${libraries%/lib/*}/lib/xen-4.20/bin/xen-9pfsd"
}
read -ra xen_9pfsd < <(daemon)
check 'the tests have a xen-9pfsd' test -x "${xen_9pfsd[0]:-}"

serve_9pfsd() {
	mkdir -p "$work/shared"
	rm -f "$work/shared"/*
	serve "${xen_9pfsd[@]}"
	soon test -S "$machine/socket" && attach_to_9pfsd 0 && attach_to_9pfsd 1
}

# One frontend is all that it takes for a device.
attach_to_9pfsd() {
	toolstack attach_folder 1 "$1" "$work/shared" xen_9pfs
}

daemons_folder() {
	serve_9pfsd && front 9pfront 0 check && is "$(stat -c %s "$work/shared/file")" 1048576 &&
		rm "$work/shared/file" && front 9pfront 1 check
}
for mode in pv xlat; do
	check "xen-9pfsd, $mode: a file is written and read, by one frontend and another" daemons_folder
done

# flood: the frontend ends in the middle; then another one is served.
daemon_goes_on() {
	serve_9pfsd && run --machine "$machine" --domain 1 -- "$fronts/9pfront" 0 flood 200 &&
		toolstack detach 1 9pfs 0 xen_9pfs && front 9pfront 1 check
}
check 'xen-9pfsd: the frontend ends in the middle, and the next one is served' daemon_goes_on

daemon_is_killed() {
	serve_9pfsd || return
	cat "$work/served"
	run --machine "$machine" --domain 1 -- "$fronts/9pfront" -p 1000 0 flood 1000000 >"$work/flood" &
	local flood=$! status=0
	soon grep -q 'create: good' "$work/flood" && sleep 0.2
	kill -9 "$(served)"
	wait "$flood" || status=$?
	cat "$work/flood"
	is "$status" 4
}
check 'xen-9pfsd is killed in the middle: the frontend waits in vain, nothing else' daemon_is_killed

daemon_cannot_map() {
	serve_9pfsd && sleep 0.3 && fail map:1=-3 && ends 3 front 9pfront 0 check && front 9pfront 1 check
}
check 'xen-9pfsd: a ring that cannot be mapped is refused, the next one is served' daemon_cannot_map
