#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the module on a host: which kernel, installed, taken away, swapped
# Takes: 60
# After: the build
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/gntdev-host.XXXXXX")
trap 'rm -rf "$work"' EXIT
cache=${GNTDEV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gntdev}
headers=$cache/amd64/headers/build
ko=build/amd64/module/driver/xen-gntdev.ko
PATH=$PATH:/usr/sbin:/sbin

# fake RELEASE OPTION...: headers of a kernel that has those options.
fake() {
	local folder=$work/fake
	rm -rf "$folder"
	mkdir -p "$folder/include/generated" "$folder/include/config"
	printf '#define UTS_RELEASE "%s"\n' "$1" >"$folder/include/generated/utsrelease.h"
	shift
	printf 'CONFIG_%s\n' "$@" >"$folder/include/config/auto.conf"
}

GOOD=(MODULES=y X86_64=y XEN=y MMU_NOTIFIER=y XEN_GNTDEV=m)

# refuses WORDS: in one line that has them, and nothing on standard output.
refuses() {
	local said status=0
	said=$(compat/check "$work/fake" 2>&1 >"$work/out") || status=$?
	printf '%s\n' "$said"
	[ "$status" = 1 ] && [ "$(wc -l <<<"$said")" = 1 ] && [ ! -s "$work/out" ] &&
		grep -qF -- "$1" <<<"$said"
}

bad_kernels() {
	local option
	rm -rf "$work/fake"
	refuses 'no kernel headers' || return
	fake 5.19.0-1-amd64 "${GOOD[@]}"
	refuses 'too old: 6.1' || return
	for option in XEN MMU_NOTIFIER MODULES; do
		fake 6.1.0 "${GOOD[@]/#$option=y/$option=n}"
		refuses "(CONFIG_$option)" || return
	done
	fake 6.1.0 MODULES=y RISCV=y XEN=y MMU_NOTIFIER=y
	refuses 'another architecture' || return
	fake 6.1.0 "${GOOD[@]/%=m/=y}"
	refuses 'built in' || return
	fake 6.1.0 MODULES=y ARM64=y ARM64_64K_PAGES=y XEN=y MMU_NOTIFIER=y
	refuses 'pages of another size'
}

good_kernels() {
	local release
	for release in 6.1.0-56-amd64 6.12.9 7.3.4+deb13-rt-amd64; do
		fake "$release" "${GOOD[@]}"
		[ "$(compat/check "$work/fake" 2>&1)" = "$release" ] || return
	done
	for release in 7.30.1 10.0.0-rc1; do
		fake "$release" "${GOOD[@]}"
		[ "$(compat/check "$work/fake" 2>"$work/err")" = "$release" ] &&
			grep -q untested "$work/err" || return
	done
}

# chosen: the headers that make takes, with those modules' folders in $work/modules.
chosen() {
	make -n module MODULES="$work/modules" | sed -n "s/^make -C '\([^']*\)'.*/\1/p"
}

takes_the_running_kernels() {
	local release
	rm -rf "$work/modules"
	for release in 6.1.0-9-amd64 6.1.0-10-amd64 6.1.0-11-rt-amd64 6.1.0-12-cloud-amd64; do
		mkdir -p "$work/modules/$release/build"
	done
	chosen
	[ "$(chosen)" = "$work/modules/6.1.0-10-amd64/build" ] || return
	# Never another one's where the running one's are to be had.
	mkdir -p "$work/modules/$(uname -r)"
	[ "$(chosen)" = "$work/modules/$(uname -r)/build" ]
}

# A machine without Xen, with nothing but busybox and the module.
says_why_it_cannot_work() {
	local root=$work/plain
	mkdir -p "$root/bin"
	cp "$cache/amd64/busybox/bin/busybox" "$root/bin/"
	cp "$ko" "$root/"
	printf '%s\n' '#!/bin/busybox sh' 'busybox insmod /xen-gntdev.ko' 'echo "status $?"' \
		'busybox poweroff -f' >"$root/init"
	chmod 755 "$root/init"
	(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/plain.cpio" &&
		timeout 120 qemu-system-x86_64 -machine q35 -cpu max -m 256 -display none -nodefaults \
			-serial stdio -no-reboot -kernel "$cache/amd64/kernel/image" \
			-append 'console=ttyS0 loglevel=4 panic=-1' -initrd "$work/plain.cpio" \
			</dev/null >"$work/plain.log" 2>&1
	tail -n 20 "$work/plain.log"
	grep -q 'xen-gntdev: this kernel does not run on Xen' "$work/plain.log" &&
		grep -q '^status 1' "$work/plain.log"
}

# A tree with the kernel's own modules, of which ours is to be preferred.
installs() {
	local release to=$work/root
	release=$(cat "$cache/amd64/kernel/release")
	rm -rf "$to"
	mkdir -p "$to/lib/modules/$release/updates"
	touch "$to/lib/modules/$release/updates/xen-gntdev.ko.xz"
	cp -r "$cache/amd64/kernel/lib/modules/$release/kernel" "$to/lib/modules/$release/"
	cp "$cache/amd64/kernel/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} \
		"$to/lib/modules/$release/"
	# Neither xz nor perl is needed, nor anything of the tree written but the module.
	# shellcheck disable=SC2046 # one word or none
	make -s module-install KDIR="$headers" DESTDIR="$to" $(compiler "$headers") &&
		[ -e "$to/usr/local/share/man/man4/gntdev.4" ] &&
		[ -e "$to/usr/local/share/man/man8/gntdev-reload.8" ] &&
		[ "$(cd "$to/lib/modules/$release/updates" && ls)" = xen-gntdev.ko ] &&
		silent depmod -b "$to" "$release" &&
		modinfo -b "$to" -k "$release" -F filename xen-gntdev | grep -q updates/
}

uninstalls() {
	local release to=$work/root
	release=$(cat "$cache/amd64/kernel/release")
	make -s module-uninstall KDIR="$headers" DESTDIR="$to" &&
		depmod -b "$to" "$release" &&
		modinfo -b "$to" -k "$release" -F filename xen-gntdev | grep -q kernel/drivers/xen/ &&
		[ -z "$(find "$to/usr/local" -type f)" ]
}

# No perl, python, xz or zstd is in reach.
# shellcheck disable=SC2046 # one word or none
builds_with_little() {
	local name tools=$work/bin:/usr/sbin:/sbin
	mkdir -p "$work/bin"
	for name in /usr/bin/*; do
		case ${name##*/} in
		perl* | python* | xz* | zstd* | unxz*) ;;
		*) ln -sf "$name" "$work/bin/" ;;
		esac
	done
	rm -rf "$work/little"
	mkdir "$work/little"
	cp -r Makefile driver compat include man packaging "$work/little/"
	(cd "$work/little" && rm -f driver/*.o driver/*.ko &&
		env PATH="$tools" nice make module-install KDIR="$headers" DESTDIR="$work/little/to" \
			$(compiler "$headers")) &&
		[ -n "$(find "$work/little/to" -name xen-gntdev.ko)" ]
}

version_is_told() {
	[ "$(modinfo -F version "$ko")" = "$(sed -n 's/^#define GNTDEV_VERSION "\(.*\)"/\1/p' include/gntdev_version.h)" ]
}

# A release may differ from the one before in headers and its version alone.
later_version() {
	local version
	version=$(modinfo -F version "$ko")
	LC_ALL=C sed "s/\x00version=$version\x00/\x00version=${version%?}9\x00/" "$ko" >"$work/later.ko"
	[ "$(modinfo -F version "$work/later.ko")" = "${version%?}9" ] &&
		[ "$(modinfo -F srcversion "$work/later.ko")" = "$(modinfo -F srcversion "$ko")" ]
}

# Not by busybox, whose shell takes its own modprobe whatever PATH says. In a dom0
# with the distribution's module; of each that runs a program has the device open.
# shellcheck disable=SC2016 # the guest expands
swaps() {
	carry "$work/bin-of-host" dash modprobe insmod modinfo depmod && later_version || return
	lab/run --driver distribution --file "$ko" --file "$work/later.ko" \
		--file "$work/bin-of-host" --file packaging/gntdev-reload -- bin-of-host/dash -c '
		export PATH=/lab/bin-of-host:$PATH
		modules=/lib/modules/$(uname -r)
		updates=$modules/updates
		mkdir -p $updates $modules/kernel/drivers/xen
		cp /lib/lab/distribution/xen-gntdev.ko* $modules/kernel/drivers/xen/
		step() {
			echo "= $1"
			dash gntdev-reload
			echo "status $?"
		}
		held() {
			sleep 1000 </dev/xen/gntdev &
			step "$1"
			kill $!
			wait
		}
		cp xen-gntdev.ko $updates/
		depmod
		held "the distribution runs"
		step "ours is installed"
		held "it runs"
		cp later.ko $updates/xen-gntdev.ko
		held "ours runs, a later one is installed"
		step "a later one is installed"
		rm $updates/xen-gntdev.ko
		depmod
		held "the later one runs, ours is gone"
		step "ours is gone"
		cp xen-gntdev.ko $updates/
		depmod
		echo 1 >/sys/module/module/parameters/sig_enforce
		step "unsigned, with Secure Boot"
		[ -c /dev/xen/gntdev ] && dmesg | grep -o "Loading of .* is rejected"
		' >"$work/swap" 2>&1
	local status=$?
	cat "$work/swap"
	[ "$status" = 0 ] &&
		said 'the distribution runs' 1 'held by process [0-9]* (sleep)' 'the old module stays' &&
		said 'ours is installed' 0 '/updates/xen-gntdev.ko runs, version 1.0$' &&
		said 'it runs' 0 '/updates/xen-gntdev.ko runs already, and is in use' &&
		said 'ours runs, a later one is installed' 1 'held by process [0-9]* (sleep)' \
			'the old module stays' &&
		said 'a later one is installed' 0 '/updates/xen-gntdev.ko runs, version 1.9$' &&
		said 'the later one runs, ours is gone' 1 'the old module stays' &&
		said 'ours is gone' 0 '/kernel/drivers/xen/xen-gntdev.ko[.xz]* runs$' &&
		said 'unsigned, with Secure Boot' 2 '/updates/xen-gntdev.ko cannot be loaded: .*rejected' \
			'/kernel/drivers/xen/xen-gntdev.ko[.xz]* runs now' &&
		grep 'Loading of unsigned module is rejected' "$work/swap"
}

# said STEP STATUS WORDS...: what gntdev-reload said in that step of the swap.
said() {
	local step=$1 status=$2 words text
	shift 2
	text=$(sed -n "/^= $step\$/,/^status /p" "$work/swap")
	grep -qx "status $status" <<<"$text" || return
	for words; do
		grep -q "^gntdev-reload: .*$words" <<<"$text" || return
	done
}

alone lab/module amd64 >/dev/null
check 'a kernel that the driver cannot serve is refused in one line' bad_kernels
check 'a kernel that it can is taken; of one that is newer it says so' good_kernels
check 'where the module cannot work it refuses to be loaded, and says why' \
	says_why_it_cannot_work
check "the running kernel's headers are taken, or else the newest for any machine" \
	takes_the_running_kernels
check 'module-install installs under DESTDIR, and depmod prefers that' installs
check 'module-uninstall takes all of it away again' uninstalls
check 'to build and install the module takes neither perl nor python nor xz' builds_with_little
check 'the module tells its version' version_is_told
check 'a swap that fails names who holds the device or what was refused; one that does not, what runs' swaps
finish
