#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Domain 0's part of what qemu-front.sh does in domain $1: it gives that a disk and
# a folder, QEMU to serve them, and takes both away. The same script runs in the
# lab's dom0 and on a machine.
guest=$1
here=$(dirname "$0")
. "$here/toolstack.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/qemu.XXXXXX")

# await N: the other side has come so far.
await() {
	until [ "$(xenstore-read "/local/domain/$guest/data/at" 2>/dev/null)" = "$1" ]; do
		sleep 0.1 2>/dev/null || sleep 1
	done
}

# tell N WORDS: so has this one, with what has come of it.
tell() {
	xenstore-write /local/domain/0/data/at "$*" && xenstore-chmod /local/domain/0/data/at b
}

# QEMU, and what it says, marked.
serve() {
	start_qemu "$guest" 2>>"$work/said"
}

disk() {
	attach_disk "$guest" 51712 "$work/disk"
}

folder() {
	mkdir "$work/$1"
	attach_folder "$guest" "$1" "$work/$1" 9pfs
}

# again: a new QEMU, in the place of the one that is killed; the folders that are
# given come before it. A device that was connected it does not look at.
again() {
	kill -9 "$qemu"
	wait "$qemu"
	# One that has ended by itself has taken the disk's nodes along.
	xenstore-exists "/local/domain/$guest/device/vbd/51712/state" || disk
	for each; do
		folder "$each"
	done
	for back in qdisk/$guest/51712 9pfs/$guest/1 9pfs/$guest/2; do
		xenstore-write "/local/domain/0/backend/$back/state" 1
	done
	serve
}

# judge: what has become of QEMU, in $fate.
judge() {
	fate='lives'
	# A process that has ended is there until it is waited for.
	grep -q '^State:[[:space:]]*[^[:space:]ZX]' "/proc/$qemu/status" 2>/dev/null && return
	wait "$qemu"
	fate="has ended with $?"
}

await 0
dd if=/dev/zero of="$work/disk" bs=65536 count=64 2>/dev/null
disk && folder 0 || exit
serve
tell 1 QEMU

await 2
again 1 2 2>/dev/null
tell 2 "QEMU is killed"

await 3
detach "$guest" vbd 51712 qdisk
let_go=$?
disk
judge
tell 3 "let go: $let_go; QEMU $fate"

# What becomes of QEMU then is its own race: requests of 9pfs in flight may take it
# down, and 10.0 may end of a "Duplicate device ID" of the folder that goes.
await 4
detach "$guest" 9pfs 2 9pfs
sleep 1
judge
echo "# 9pfs, with requests in flight: QEMU $fate"
again 2>/dev/null
judge
tell 4 "QEMU $fate"

await 5
uniq -c "$work/said" | sed "s/^/# QEMU: /"
if [ -n "${LAB_GUEST:-}" ]; then
	# The guest is destroyed with requests in flight; what a toolstack does
	# for a domain that has gone, this does then.
	# shellcheck disable=SC2016 # for the other shell
	setsid sh -c '
		. "$1/toolstack.sh"
		while xenstore-exists "/local/domain/$2/domid"; do sleep 1; done
		detach "$2" vbd 51712 qdisk' sh "$here" "$guest" >/dev/null 2>&1 &
	sleep 1000
fi
detach "$guest" vbd 51712 qdisk
let_go=$?
judge
tell 5 "let go: $let_go; QEMU $fate"
await 6
kill "$qemu"
wait "$qemu"
rm -rf "$work"
