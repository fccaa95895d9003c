# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# shellcheck disable=SC2054 # commas belong to QEMU's options
# The virtual machines. Software emulation throughout, so that the lab works
# on any host; no network card, and a display only if one is asked for.

# Kernel messages reach the console while booting only when they matter: the
# emulated line is slow. init turns the rest on.
DOM0_OPTIONS="console=hvc0 loglevel=5 oops=panic panic=-1"

# check_pvh: QEMU 9.1 to 10 look at the intercept of CR0 when a nested guest reads
# any control register. Xen 4.17 then answers for CR2, which it does not follow,
# and the guest's first page fault reads a wrong address: it halts before its
# first message. With Xen 4.20 it runs.
check_pvh() {
	local version
	[ "$XEN_VERSION" = 4.17 ] || return 0
	need qemu-system-x86_64 qemu-system-x86
	version=$(qemu-system-x86_64 --version | sed -n '1s/^QEMU emulator version \([0-9.]*\).*/\1/p')
	case $version in
	9.[1-9]* | 10.*)
		say "--guest pvh: QEMU $version misreads a nested guest's CR2, so that with Xen 4.17 it needs another QEMU than 9.1 to 10.x (7.2 works; so does --xen 4.20)"
		exit "$LAB_UNABLE"
		;;
	esac
}

# With 256 frames for its grant table, dom0 can grant the largest buffer twice.
# On arm64 the pages of a mapping are taken from dom0: 384 frames of 256 handles
# are less than it has, so that a test meets the limit, not a lack of memory.
# qemu_command ARCH: sets the array qemu.
qemu_command() {
	local arch=$1 kernel_image initrd=$RUN/initrd translated='' pvh='' iommu=()
	kernel_image=$(kernel_dir "$arch" "$kernel")/image
	case $arch in
	amd64)
		need qemu-system-x86_64 qemu-system-x86
		# A PVH dom0's frames are not the machine's: Xen tells an IOMMU
		# which are, and devices have to ask that.
		if [ "$dom0" = pvh ]; then
			pvh=' dom0=pvh' iommu=(-device amd-iommu)
			translated=,disable-legacy=on,iommu_platform=on
		fi
		# Without SMAP: a PV kernel would die of it. Without RDTSCP: a
		# PVH guest would. Without XSAVE: emulated, it corrupts the
		# registers of user programs when Xen switches domains, whose
		# data then differ and who crash at random. Without x2APIC,
		# which QEMU has from 9.0 on: with it, QEMU 10.0 ends with "Bad
		# icount read" while instructions are counted, as soon as Xen
		# has switched interrupts over. 7.2 takes the flag, too. Without
		# ERMS and FSRM: where a processor copies a line at once, the
		# emulated one takes a byte after the other, and each counts as
		# an instruction. The family and model are those of QEMU 7.2's
		# processor: that of 10.0 is one for which the kernel copies
		# without any such instruction, in 775 more a page.
		qemu=(qemu-system-x86_64 -machine q35
			-cpu "max,family=15,model=107,stepping=1,-smap,-rdtscp,-xsave,-x2apic,-erms,-fsrm"
			-kernel "$(xen_dir amd64 xen)/xen"
			-append "console=com1 com1=115200,8n1 dom0_mem=1024M,max:1024M gnttab_max_frames=256 guest_loglvl=all$pvh"
			-initrd "$kernel_image $DOM0_OPTIONS,$initrd"
			"${iommu[@]}" -device "virtio-serial-pci$translated")
		;;
	arm64)
		need qemu-system-aarch64 qemu-system-arm
		qemu=(qemu-system-aarch64
			-machine virt,virtualization=on,gic-version=2 -cpu cortex-a57
			-kernel "$(xen_dir arm64 xen)/xen"
			-append "dom0_mem=1024M gnttab_max_frames=256 gnttab_max_maptrack_frames=384 console=dtuart"
			-device "guest-loader,addr=0x49000000,kernel=$kernel_image,bootargs=$DOM0_OPTIONS"
			-device "guest-loader,addr=0x4d000000,initrd=$initrd"
			-device virtio-serial-device)
		;;
	esac
	qemu+=(-name gntdev-lab -nodefaults -no-user-config -nic none -display none
		-no-reboot -m 2048 -smp "$cpus"
		-serial "file:$RUN/kernel.log"
		-chardev "file,id=control,path=$RUN/control"
		-device virtserialport,chardev=control,name=lab.control
		-drive "if=none,id=scratch,format=raw,file=$RUN/scratch")
	# The graphics card is there for its driver's buffers; none but a test loads
	# that driver. On arm64 it would not take the card, which is of the old kind.
	case $arch in
	amd64) qemu+=(-device "virtio-blk-pci,drive=scratch$translated" -device "virtio-gpu-pci$translated") ;;
	arm64) qemu+=(-device virtio-blk-device,drive=scratch) ;;
	esac
	if [ "$interactive" = 1 ]; then
		qemu+=(-chardev stdio,id=terminal,signal=off
			-device virtconsole,chardev=terminal)
	else
		qemu+=(-chardev "file,id=output,path=$RUN/output"
			-device virtserialport,chardev=output,name=lab.output)
	fi
	[ -z "$domu" ] || qemu+=(-chardev "file,id=guest,path=$RUN/guest.log"
		-device virtserialport,chardev=guest,name=lab.guest)
	[ -z "$display" ] || display_devices
	[ -z "$plugin" ] || qemu+=(-plugin "$plugin")
	# One nanosecond of the guest's time is one instruction.
	[ "$count" = 0 ] || qemu+=(-icount "shift=0,sleep=off")
}
