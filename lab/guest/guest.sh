# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# What dom0 and the guests that it makes do alike.

# Loads what the lab needs; a kernel may have any of it built in.
load_devices() {
	# A granter in a guest asks the hypervisor about its grants, which the kernel
	# does not let a guest do otherwise.
	modprobe -q xen-privcmd unrestricted=1 2>/dev/null
	# shellcheck disable=SC2153 # from the job
	for module in $LAB_MODULES; do
		modprobe -q "$module" 2>/dev/null
	done
	modprobe -q xen-gntalloc limit=16384 2>/dev/null
	mount -t xenfs xenfs /proc/xen
}

# The driver that was asked for. LAB_MODULE tells programs where it lies, so
# that they can take it out and put it in again.
load_driver() {
	LAB_MODULE=/lib/lab/$LAB_DRIVER/xen-gntdev.ko
	export LAB_MODULE
	insmod "$LAB_MODULE" && [ -c /dev/xen/gntdev ]
}

# At the time limit, before the host takes the machine down: who is blocked,
# and where.
report_blocked() {
	sleep "$LAB_LIMIT"
	echo w >/proc/sysrq-trigger
}

# Reports what the kernel has lost track of, when it can tell. Two scans, as
# kmemleak reports only what is unreachable for a while.
scan_for_leaks() {
	leaks=/sys/kernel/debug/kmemleak
	[ -w $leaks ] || return 0
	echo scan >$leaks
	sleep 6
	echo scan >$leaks
	[ -n "$(head -c 1 $leaks)" ] || return 0
	echo "lab: kmemleak: unreferenced objects follow" >/dev/kmsg
	# The console is slow: the first reports are enough to act on.
	head -n 200 $leaks | while IFS= read -r line; do
		echo "lab: kmemleak: $line" >/dev/kmsg
	done
}
