#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Frontends of QEMU's disk and folder, in a domain of their own; qemu-back.sh in
# domain 0 is the other side. What they meet is compared with qemu.expected, in
# the lab and on a machine alike: TAP.
# shellcheck disable=SC2317 # functions are called by met
here=$(cd "$(dirname "$0")" && pwd)
programs=${PROGRAMS:-$here}
work=$(mktemp -d "${TMPDIR:-/tmp}/front.XXXXXX")
failed=0 count=0

await() {
	until [ "$(xenstore-read /local/domain/0/data/at 2>/dev/null | cut -d ' ' -f 1)" = "$1" ]; do
		sleep 0.1 2>/dev/null || sleep 1
	done
	xenstore-read /local/domain/0/data/at | cut -d ' ' -f 2-
}

tell() {
	xenstore-write data/at "$1"
}

# met NAME COMMAND...: it says what that part of qemu.expected says.
met() {
	name=$1
	count=$((count + 1))
	shift
	"$@" >"$work/got" 2>&1
	echo "status $?" >>"$work/got"
	awk -v name="$name" '/^== / { on = substr($0, 4) == name; next } on && NF' \
		"$here/qemu.expected" >"$work/wanted"
	if cmp -s "$work/got" "$work/wanted"; then
		echo "ok $count - QEMU: $name"
	else
		echo "not ok $count - QEMU: $name"
		diff "$work/wanted" "$work/got" | sed 's/^/# /'
		failed=1
	fi
}

# until_busy FILE COMMAND...: it runs in the background, and is at it.
until_busy() {
	file=$1
	shift
	"$@" >"$file" 2>&1 &
	pid=$!
	until grep -qs busy "$file" || ! kill -0 "$pid" 2>/dev/null; do
		sleep 0.1 2>/dev/null || sleep 1
	done
}

# In another shell: its end is not told then.
killed_in_the_middle() {
	(
		until_busy "$work/killed" "$programs/blkfront" 51712 busy 1
		kill -9 "$pid"
		wait "$pid"
		tail -n 1 "$work/killed"
	) 2>/dev/null
}

survived() {
	until_busy "$work/survivor" "$programs/blkfront" -p 5000 51712 busy 2
	tell 2
	await 2
	wait "$pid"
	status=$?
	cat "$work/survivor"
	return "$status"
}

# The kernel's own frontend would take the disk.
[ -z "${LAB_GUEST:-}" ] || rmmod xen-blkfront
tell 0
await 1 >"$work/begun"
disk() {
	"$programs/blkfront" -p "${PATIENCE:-20000}" "$@"
}

met 'a disk: what is offered' disk 51712 offers
met 'a disk: written, flushed, read' disk 51712 check
met 'a disk: a ring of four pages, grants for each request' disk -o 2 -d 64 -e 51712 check
met 'a disk: what a later frontend finds' disk 51712 verify
met 'a disk: requests that cannot be served' disk 51712 bad
met 'a folder: written and read' "$programs/9pfront" 0 check
met 'a disk: QEMU is killed in the middle, and there is another' survived
met 'a disk: the frontend is killed in the middle' killed_in_the_middle
tell 3
met 'and QEMU lets go, and lives' await 3
met 'a disk after that' disk 51712 check
met 'a folder: the frontend ends in the middle' "$programs/9pfront" 2 flood 100
tell 4
met 'and there is another QEMU' await 4
met 'a disk of that' disk 51712 check
met 'a folder of that' "$programs/9pfront" 1 check
until_busy "$work/last" "$programs/blkfront" 51712 busy 1
tell 5
if [ -z "${LAB_GUEST:-}" ]; then
	kill -9 "$pid"
	met 'the domain is gone, and QEMU lets go' await 5
	tell 6
	rm -rf "$work"
fi
# In the lab it is destroyed as it is.
exit $failed
