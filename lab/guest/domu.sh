# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# A guest that dom0 made. It has one console for everything: the kernel keeps
# quiet there while the command runs (an oops or a panic speaks up by itself),
# and its log follows the command's output. A line that starts with the mark
# is the lab's own.

mark="$(printf '\036')lab"

stty raw -echo
load_devices
modprobe -q brd rd_nr=1 rd_size=16384
if ! load_driver; then
	echo "$mark unready the driver $LAB_MODULE cannot be loaded"
else
	cd /lab || exit
	LAB_DOMID=$(xenstore-read domid)
	export LAB_GUEST LAB_ARCH LAB_DRIVER LAB_KERNEL LAB_DOMID
	echo "$mark running"
	{ sleep "$LAB_LIMIT" && echo 8 >/proc/sys/kernel/printk && echo w >/proc/sysrq-trigger; } &
	# shellcheck source=/dev/null
	(. /lab.run/command </dev/null 2>&1)
	status=$?
	scan_for_leaks
	# The command may have ended in the middle of a line.
	printf '\n%s ended %s\n' "$mark" "$status"
	dmesg
	echo "$mark verdict $status"
fi
# dom0 destroys us.
sleep 1000
poweroff -f
