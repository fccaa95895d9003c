# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# dom0: runs the command here, or makes a guest that runs it.

# The port of the virtual machine with this name.
port() {
	for entry in /sys/class/virtio-ports/*; do
		[ "$(cat "$entry/name" 2>/dev/null)" = "$1" ] || continue
		echo "/dev/${entry##*/}"
		return
	done
}

# wait_port NAME: its device, once the driver has found it.
wait_port() {
	tries=0
	while device=$(port "$1") && [ -z "$device" ] && [ $tries -lt 50 ]; do
		usleep 100000
		tries=$((tries + 1))
	done
	echo "$device"
}

tell() {
	echo "$*" >&3
}

finish() {
	tell "$*"
	sync
	poweroff -f
	sleep 1000
}

run_here() {
	cd /lab || exit
	export LAB_GUEST LAB_ARCH LAB_DRIVER LAB_KERNEL LAB_DOMID=0
	# shellcheck source=/dev/null
	. /lab.run/command </dev/null >&4 2>&1 4>&- 3>&-
}

load_devices
exec 3>"$(wait_port lab.control)"
tell booted
# From here on the log has everything; while booting the console only costs.
echo 8 >/proc/sys/kernel/printk
if ! load_driver 2>/dev/kmsg; then
	finish "unready the driver $LAB_MODULE cannot be loaded"
fi

if [ "$LAB_INTERACTIVE" = 1 ]; then
	cd /lab || exit
	export LAB_GUEST LAB_ARCH LAB_DRIVER LAB_KERNEL LAB_DOMID=0
	stty -F /dev/hvc1 rows "${LAB_ROWS:-24}" cols "${LAB_COLUMNS:-80}" 2>/dev/null
	setsid sh -c 'exec sh -i </dev/hvc1 >/dev/hvc1 2>&1 3>&-'
	status=0
else
	exec 4>"$(wait_port lab.output)"
	# shellcheck disable=SC2153 # both come from the job
	case $LAB_DOMU in
	"")
		tell running
		report_blocked 3>&- 4>&- &
		(run_here)
		status=$?
		tell "ended $status"
		;;
	*)
		# shellcheck source=lab/guest/xl.sh
		. /lib/lab/xl.sh
		run_in_guest "$LAB_DOMU"
		;;
	esac
fi
scan_for_leaks
finish "verdict $status"
