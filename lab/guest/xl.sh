# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# dom0's part in running a command in a guest: xenstored and xenconsoled, which
# map the guest's pages through /dev/xen/gntdev, and xl. Descriptor 3 is the
# control channel, 4 the output.

domu=domu
domu_console=/var/log/xen/console/guest-$domu.log

# start_xen_services: C xenstored by hand; Debian's own script would prefer
# another one, which has no use for the grant device.
start_xen_services() {
	mkdir -p /run/xen /run/xenstored /var/lib/xen /var/lib/xenstored \
		/var/log/xen/console /var/lock /etc/xen
	echo 'autoballoon="off"' >/etc/xen/xl.conf
	xenstored --pid-file /run/xen/xenstored.pid || return
	tries=0
	until xenstore-exists / 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 50 ] || return
		usleep 100000
	done
	xen-init-dom0 >/dev/null || return
	xenconsoled --log=guest --pid-file=/run/xen/xenconsoled.pid
}

# configure_guest TYPE NAME: an xl configuration with the guest's memory disk.
configure_guest() {
	local vcpus=${LAB_CPUS:-2}
	# With more, QEMU's emulation of nested page tables mixes up the states
	# of guest and hypervisor: under any load the guest dies of it.
	[ "$1" != pvh ] || vcpus=1
	cat <<-EOT
		name = "$2"
		type = "$1"
		kernel = "/lib/lab/domu/image"
		ramdisk = "/lib/lab/domu/initrd"
		extra = "console=hvc0 loglevel=1 oops=panic panic=-1"
		memory = 512
		vcpus = $vcpus
		on_poweroff = "destroy"
		on_reboot = "destroy"
		on_crash = "destroy"
	EOT
}

# Splits the guest's console: the command's output, the lab's own lines, and
# after the command's end the kernel log. All of it goes to the log's channel.
split_console() {
	# A port of the machine can be opened once: the control channel is cat.
	tail -f -n +1 "$domu_console" 2>/dev/null | awk -v mark="$(printf '\036')lab " \
		-v log_port="$1" -v control="cat >&3" -v verdict=/run/lab.verdict '
		{ sub(/\r$/, ""); print >log_port; fflush(log_port) }
		index($0, mark) == 1 {
			words = substr($0, length(mark) + 1)
			if (words ~ /^ended/) { ended = 1; blank = 0 }
			if (words ~ /^(running|ended)/) { print words | control; fflush(control) }
			else { print words >verdict; fflush(verdict) }
			next
		}
		ended { next }
		# The blank line before a mark is the lab'"'"'s as well.
		blank { print ""; blank = 0 }
		$0 == "" { blank = 1; next }
		{ print; fflush() }
	' >&4
}

# beside GUEST: the companion in dom0, its output told apart.
start_beside() {
	[ -n "$LAB_BESIDE" ] || return 0
	cd /lab || return
	mkfifo /run/lab.beside
	awk '{ print "dom0: " $0; fflush() }' </run/lab.beside >&4 &
	GUEST_DOMID=$1 LAB_GUEST=dom0 LAB_DOMID=0 LAB_ARCH=$LAB_ARCH LAB_DRIVER=$LAB_DRIVER LAB_KERNEL=$LAB_KERNEL \
		setsid sh -c "$LAB_BESIDE" </dev/null >/run/lab.beside 2>&1 3>&- 4>&- &
	beside=$!
}

stop_beside() {
	[ -n "${beside:-}" ] || return 0
	kill -TERM -- "-$beside" 2>/dev/null
	usleep 300000
	kill -KILL -- "-$beside" 2>/dev/null
	wait "$beside"
}

# A destroyed domain goes when nobody maps its pages any more; one that stays
# means that a driver has kept some.
destroy_guest() {
	xl destroy "$1" || return
	tries=0
	while xl list "$1" >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ $tries -gt 30 ]; then
			echo "<4>WARNING: lab: domain $1 stays: its pages are still mapped" >/dev/kmsg
			return
		fi
		usleep 500000
	done
}

# run_in_guest TYPE: sets status, or ends the run when the guest is lost.
run_in_guest() {
	start_xen_services || finish "unready xenstored or xenconsoled does not start in dom0"
	configure_guest "$1" $domu >/run/$domu.cfg
	if ! xl create -p /run/$domu.cfg >/run/xl.out 2>&1; then
		cat /run/xl.out >/dev/kmsg
		finish "unready xl cannot create the $1 guest: $(tail -n 1 /run/xl.out)"
	fi
	id=$(xl domid $domu)
	touch $domu_console
	split_console "$(wait_port lab.guest)" &
	start_beside "$id"
	xl unpause $domu
	while [ ! -s /run/lab.verdict ] && xenstore-exists "/local/domain/$id"; do
		sleep 1
	done
	# What the guest said last may still be on its way.
	[ -s /run/lab.verdict ] || sleep 2
	stop_beside
	[ ! -s /run/lab.verdict ] || read -r word rest </run/lab.verdict
	case ${word:-} in
	verdict)
		status=$rest
		destroy_guest "$id"
		;;
	unready) finish "unready the $1 guest: $rest" ;;
	*) finish "lost the $1 guest went down: $(grep -h 'reason code' /var/log/xen/xl-$domu.log | tail -n 1)" ;;
	esac
}
