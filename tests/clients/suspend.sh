#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
# dom0's part in tests/abi/suspend.c: xl suspends the guest when it asks for it, and
# restores a second one from what it wrote.
# usage: suspend.sh DOMID

home=/local/domain/$1/data
saved=/tmp/saved
console=/var/log/xen/console/guest-restored.log

checkpoint() {
	xl save -c domu /dev/null
}

# The disk of dom0 is its memory: the guest has less first. Of the restored one's
# console, what the test says there.
restore() {
	xl mem-set domu 160 && sleep 2 && xl save -c domu $saved || return
	sed 's/"domu"/"restored"/' /run/domu.cfg >/run/restored.cfg
	xl restore /run/restored.cfg $saved || return
	rm -f $saved
	tries=0
	until grep -qE '^restored (ok: all|not ok)' $console 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 60 ] || break
		sleep 1
	done
	grep '^restored ' $console
	grep -q '^restored ok: all' $console || tail -n 40 $console
	status=0
	grep -q '^restored ok: all' $console || status=1
	xl destroy restored || status=1
	return $status
}

last=
while usleep 100000; do
	asked=$(xenstore-read "$home/suspend" 2>/dev/null)
	[ "$asked" != "$last" ] || continue
	last=$asked
	if "${asked%-*}" >/tmp/suspend.out 2>&1; then
		grep '^restored ' /tmp/suspend.out
		xenstore-write "$home/suspended" "$asked"
	else
		cat /tmp/suspend.out
		xl dmesg | tail -n 20
		xenstore-write "$home/suspended" failed
	fi
done
