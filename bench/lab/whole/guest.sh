#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
# A guest with a disk that QEMU in dom0 serves; host.sh is the other side.
cd /lab || exit
tries=0
until [ -b /dev/xvda ]; do
	tries=$((tries + 1))
	[ $tries -lt 300 ] || {
		echo "guest: no disk" >&2
		exit 1
	}
	usleep 100000
done
exec ./disk /dev/xvda "${1:-9}"
