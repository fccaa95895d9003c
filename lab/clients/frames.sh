#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Domains' memory by frame: what dom0 is answered of a guest's that is made for it
# and never runs, and what a guest is, compared with frames.expected.
# usage: frames.sh back|front	in dom0; in a guest, which says what came of both: TAP
set -u

# compare PART COMMAND...: what the command says is that part of frames.expected; says
# how it differs.
compare() {
	part=$1
	shift
	awk -v part="$part" '/^== / { on = substr($0, 4) == part; next } on && NF' \
		frames.expected >/run/frames.wanted
	"$@" >/run/frames.got 2>&1
	diff /run/frames.wanted /run/frames.got
}

back() {
	cat >/run/frames.cfg <<-'END'
		name = "frames"
		type = "pvh"
		kernel = "/lib/lab/domu/image"
		memory = 128
	END
	differs=$(xl create -p /run/frames.cfg 2>&1 >/dev/null) &&
		differs=$(compare 'domain 0' ./frames "$(xl domid frames)" 0x1800 0x7fffff)
	xenstore-write /local/domain/0/data/frames "done. $(printf %s "$differs" | tr '\n' '|')"
	xenstore-chmod /local/domain/0/data/frames b
	xl destroy frames
}

# say WHAT DIFFERENCES
say() {
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		echo "$2" | tr '|' '\n' | sed 's/^/# /'
	fi
}

front() {
	# As a guest has it that is not the lab's, which has it unrestricted.
	umount /proc/xen && modprobe -r xenfs && modprobe -r xen-privcmd && modprobe xen-privcmd ||
		echo "not ok - xen-privcmd is loaded again"
	say 'a guest may not map frames, and is told so' "$(compare 'another domain' ./frames 0 0x1800)"
	until differs=$(xenstore-read /local/domain/0/data/frames 2>/dev/null); do
		sleep 1
	done
	say "dom0 maps a guest's frames" "${differs#done. }"
}

"$1"
