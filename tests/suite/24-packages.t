#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the Debian packages, in bare systems of Debian 12 and 13
# Takes: 600
# Only: with --all
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail

# Package scripts run as root. Mounts and processes are this script's own from here
# on: none of the system's can be unmounted or killed, and all end with it.
[ "${1:-}" = apart ] ||
	exec unshare --mount --propagation private --pid --fork --kill-child=TERM --mount-proc "$0" apart
. "$(dirname "$0")/tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/gntdev-packages.XXXXXX") || exit
# The bare system, one at a time.
root=$work/root
clear_root() {
	! mountpoint -q "${work:?}/root/proc" || umount "${work:?}/root/proc" || return
	rm -rf --one-file-system "${work:?}/root"
}
leave() {
	clear_root && rm -rf --one-file-system "${work:?}"
}
trap leave EXIT
# The first process of a namespace hears only what it has asked for.
trap 'exit 143' TERM INT
version=$(sed -n 's/^#define GNTDEV_VERSION "\(.*\)"/\1/p' include/gntdev_version.h)
ours=build/deb/gntdev-dkms_${version}_all.deb
host_release=$(. /etc/os-release && echo "$VERSION_ID")

# The same with a higher version, as an upgrade finds it.
later_version() {
	rm -rf "$work/later"
	dpkg-deb -R "$ours" "$work/later" || return
	mv "$work/later/usr/src/gntdev-$version" "$work/later/usr/src/gntdev-$version.1"
	sed -i "s/^Version: .*/Version: $version.1/" "$work/later/DEBIAN/control"
	sed -i "s/\b$version\b/$version.1/" "$work/later/usr/src/gntdev-$version.1/dkms.conf" \
		"$work/later/usr/src/gntdev-$version.1/include/gntdev_version.h" \
		"$work/later"/DEBIAN/{postinst,prerm}
	dpkg-deb --root-owner-group -b "$work/later" "$work/later.deb"
}

# Nothing boots there: no kernel needs an initial file system, which takes minutes.
export INITRD=No

# inside COMMAND...: in the bare system, which has packages of its own.
inside() {
	DEBIAN_FRONTEND=noninteractive nice chroot "$root" "$@"
}

apt_install() {
	inside apt-get install -y --no-install-recommends "$@"
}

# mirror_of NAME: where this system gets Debian's packages from, as the lab does.
mirror_of() {
	# shellcheck source=/dev/null
	(. lab/lib/common.sh && . lab/lib/fetch.sh && mirror "$1")
}

# begin RELEASE: root is a system with that release's kernel for any machine, and apt.
# DKMS signs where openssl is.
begin() {
	clear_root && rm -rf "$dom0" || return
	nice mmdebstrap --quiet --mode=root --variant=apt --dpkgopt=force-unsafe-io \
		--include=linux-image-amd64,linux-headers-amd64,openssl "$1" "$root" \
		"deb $(mirror_of debian) $1 main" "deb $(mirror_of debian) $1-updates main" \
		"deb $(mirror_of debian) $1-backports main" \
		"deb $(mirror_of debian-security) $1-security main" &&
		mount -t proc proc "$root/proc" && cp "$ours" "$root/ours.deb" &&
		cp "build/deb/gntdev_${version}_amd64.deb" "$root/command.deb" &&
		cp "build/deb/gntdev-dev_${version}_amd64.deb" "$root/dev.deb" &&
		cp "$work/later.deb" "build/gntdev-$version.tar.gz" "$root/" &&
		inside apt-get -qq update &&
		runs "$(basename "$root"/boot/vmlinuz-* | sed 's/^vmlinuz-//')"
}

# runs RELEASE: as if the system had been booted with that kernel. Of all kernels that
# are there, DKMS attends to that one and the newest one.
runs() {
	mv "$root/usr/bin/uname" "$root/usr/bin/uname.real" &&
		printf '#!/bin/sh\n[ "$*" != -r ] || exec echo %s\nexec uname.real "$@"\n' "$1" \
			>"$root/usr/bin/uname" && chmod 755 "$root/usr/bin/uname"
}

# The release of the kernel that runs.
kernel() {
	inside uname -r
}

# Those that came later. Of some only the headers are there, and no list of modules.
others() {
	(cd "$root/lib/modules" && printf '%s\n' */build) | sed 's,/build$,,' |
		grep -vFx "$(kernel)"
}

# loads WORDS: whose is the module that modprobe would load there.
loads() {
	modinfo -b "$root" -k "$(kernel)" -F filename xen-gntdev | grep "$1"
}

# is_built VERSION RELEASE: signed, where DKMS puts it.
is_built() {
	local module
	module=$(ls "$root/lib/modules/$2"/updates/dkms/xen-gntdev.ko*) || return
	[ "$(modinfo -F version "$module")" = "$1" ] && modinfo -F signer "$module" | grep . &&
		return
	echo "not signed for $2, or not version $1"
	return 1
}

# add_kernel RELEASE OPTION...: one that cannot have the driver: its headers, in so
# far as that is to be seen in them.
add_kernel() {
	local folder=$root/lib/modules/$1
	mkdir -p "$folder/build/include"/{config,generated} && touch "$folder/modules.builtin" &&
		printf '#define UTS_RELEASE "%s"\n' "$1" >"$folder/build/include/generated/utsrelease.h"
	shift
	printf 'CONFIG_%s=y\n' "$@" | tee "$folder/build/.config" >"$folder/build/include/config/auto.conf"
}

# What cannot have the driver does not fail, but is named, with what is missing.
installs() {
	local status=0 words
	local all=(MODULES X86_64 XEN MMU_NOTIFIER)
	add_kernel 6.1.0-1-none && rm -r "$root/lib/modules/6.1.0-1-none/build" &&
		add_kernel 5.10.0-2-none "${all[@]}" && add_kernel 6.1.0-3-none "${all[@]/XEN/NET}" &&
		add_kernel 6.1.0-4-none "${all[@]/MMU_NOTIFIER/NET}" || return
	apt_install /ours.deb 2>&1 | tee "$work/said" || status=1
	rm -r "$root"/lib/modules/*-none
	if [ "$status" != 0 ] || ! loads /updates/dkms/ || ! is_built "$version" "$(kernel)"; then
		tail -n 20 "$root/var/lib/dkms/gntdev/$version/build/make.log"
		return 1
	fi
	keep installed && cp "$root/usr/sbin/gntdev-reload" "$dom0/" || return
	for words in 'no headers of kernel 6.1.0-1-none' 'kernel 5.10.0-2-none is too old' \
		'kernel 6.1.0-3-none does not run on Xen (CONFIG_XEN)' \
		'kernel 6.1.0-4-none has no MMU notifiers (CONFIG_MMU_NOTIFIER)'; do
		[ "$(grep -cF "$words" "$work/said")" = 1 ] || {
			echo "not said once: $words"
			return 1
		}
	done
}

# The lab's cache, with a kernel of the release that the bare system has. Debian may
# have a newer one than when the cache was filled.
cache_of_that_kernel() {
	local cache=${GNTDEV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gntdev} name
	lab/fetch amd64 kernel >/dev/null || return
	if [ "$(cat "$cache/amd64/kernel/release")" != "$(kernel)" ]; then
		mkdir -p "$work/cache/amd64"
		for name in xen busybox tools; do
			lab/fetch amd64 "$name" >/dev/null &&
				ln -sfn "$cache/amd64/$name" "$work/cache/amd64/$name" || return
		done
		cache=$work/cache
		GNTDEV_CACHE=$cache lab/fetch amd64 kernel >/dev/null || return
	fi
	printf '%s\n' "$cache"
}

# What a dom0 sees of the bare system, in this folder of the lab.
dom0=$work/dom0

# keep STATE: the modules of the kernel that runs, in so far as the lab uses them, with
# their lists, what is preferred to them, and what DKMS put aside.
keep() {
	local modules aside=$root/var/lib/dkms/gntdev/original_module to=$dom0/$1 name file
	modules=$root/lib/modules/$(kernel)
	mkdir -p "$to"/{modules,dkms} && cp -r "$modules"/modules.* "$to/modules/" || return
	[ ! -d "$modules/updates" ] || cp -r "$modules/updates" "$to/modules/" || return
	[ ! -d "$aside" ] || cp -r "$aside" "$to/dkms/" || return
	# shellcheck source=/dev/null
	for name in $(. lab/lib/image.sh && echo "${OTHER_MODULES[@]}"); do
		modprobe -d "$root" -S "$(kernel)" -D "$name" 2>/dev/null
	done | awk '$1 == "insmod" { print $2 }' | sort -u |
		(cat && find "$modules/kernel/drivers/xen/" -name 'xen-gntdev.ko*') |
		while read -r file; do
			install -D -m 644 "$file" "$to/modules/kernel/${file##*/kernel/}" || return
		done
}

# One boot: the distribution's driver runs, then the package's, an upgrade of it, and
# after its removal the distribution's. What modprobe and the package's gntdev-reload
# see is what the package's installation, upgrade and removal made of the bare system.
# shellcheck disable=SC2016 # the guest expands
serves_a_dom0() {
	local cache said status=0
	cache=$(cache_of_that_kernel) && abi amd64 && cp -r build/amd64/tests/abi "$dom0/" &&
		carry "$dom0/bin" dash modprobe insmod modinfo || return
	# It has modules that are built for the kernel of the lab's own cache.
	[ "$cache" != "$work/cache" ] || rm -f "$dom0/abi/dmabuf_kernel"
	said=$(GNTDEV_CACHE=$cache lab/run --driver distribution --timeout 500 --cpus 2 \
		--file "$dom0" -- sh -c '
		export PATH=/lab/dom0/bin:$PATH
		mkdir -p /var/lib/dkms/gntdev
		now() {
			mount -o bind "dom0/$1/modules" "/lib/modules/$(uname -r)"
			mount -o bind "dom0/$1/dkms" /var/lib/dkms/gntdev
			echo "= $1, $2"
			dash dom0/gntdev-reload 2>&1
			echo "status $?, runs $(cat /sys/module/xen_gntdev/version 2>/dev/null || echo none)"
		}
		held() {
			sleep 1000 </dev/xen/gntdev &
			now "$1" held
			kill $!
			wait
		}
		held installed
		now installed free
		status=0
		# One test takes the module out, and loads it again from there.
		LAB_MODULE=$(modinfo -F filename xen-gntdev)
		export LAB_MODULE LAB_DRIVER=ours
		./dom0/abi/run-abi || status=1
		held upgraded
		now upgraded free
		held removed
		now removed free
		now installed free
		now removed free
		echo 1 >/sys/module/module/parameters/sig_enforce
		now installed unknown
		dmesg | grep -o "Loading of .* is rejected"
		exit $status
		' 2>&1) || status=$?
	printf '%s\n' "$said"
	[ "$status" = 0 ] && [ "$(grep -c '^ok ' <<<"$said")" -gt 400 ] &&
		after installed held 'status 1, runs none' &&
		after installed free "status 0, runs $version" &&
		after upgraded held "status 1, runs $version" &&
		after upgraded free "status 0, runs $version.1" &&
		after removed held "status 1, runs $version.1" &&
		after removed free 'status 0, runs none' &&
		after installed unknown 'status 2, runs none' &&
		grep 'Loading of module with unavailable key is rejected' <<<"$said"
}

# after STATE WHILE RESULT: each time, by what serves_a_dom0 read.
after() {
	# shellcheck disable=SC2154 # its caller's
	[ "$(sed -n "/^= $1, $2\$/,/^status /s/^status /status /p" <<<"$said" | sort -u)" = "$3" ]
}

# The command, its server and library, with the C library of this system or a newer
# one; and what a unit test is built with, from the package alone.
command_runs() {
	apt_install /command.deb && inside gntdev --version | grep -x "gntdev $version" &&
		inside gntdev run --report -- true &&
		[ -e "$root/usr/share/man/man1/gntdev.1.gz" ] &&
		[ -e "$root/usr/share/man/man4/gntdev.4.gz" ]
}

# shellcheck disable=SC2016 # the system expands
unit_test_builds() {
	cp examples/frames.c tests/packages/unit-test.c "$root/root/" &&
		apt_install /dev.deb gcc pkg-config &&
		inside sh -c 'cd /root && flags=$(pkg-config --cflags --libs gntdev-machine) &&
			gcc -Wall -Werror -o unit-test unit-test.c $flags && ./unit-test &&
			gcc -D_GNU_SOURCE -o frames frames.c $flags && gntdev run -- ./frames' &&
		inside apt-get purge -y gntdev gntdev-dev
}

# serves_kernels_that_come PACKAGE...: their headers.
serves_kernels_that_come() {
	local release
	apt_install "$@" && others && [ "$(others | wc -l)" = $# ] || return
	for release in $(others); do
		is_built "$version" "$release" || return
	done
}

# Each of them: of Debian 12's, one is neither the newest nor the one that runs.
upgrades() {
	local release
	apt_install /later.deb || return
	for release in $(kernel) $(others); do
		is_built "$version.1" "$release" || return
	done
	keep upgraded || return
	! inside dkms status | grep -F "$version,"
}

goes() {
	inside apt-get remove -y gntdev-dkms && loads /kernel/drivers/xen/ &&
		! ls "$root"/lib/modules/*/updates/dkms/xen-gntdev.ko* &&
		silent inside dkms status && keep removed
}

# One that goes by a purge at once, of one kernel, which is enough. Others have the public header, and its driver.
leaves_nothing() {
	local left release
	for release in $(others); do
		rm "$root/lib/modules/$release/build" || return
	done
	apt_install /ours.deb && inside apt-get purge -y gntdev-dkms &&
		loads /kernel/drivers/xen/ || return
	left=$(find "$root"/{etc,usr,var,lib/modules} -name '*gntdev*' ! -path "$root/usr/include/xen/*" \
		! -path '*/kernel/drivers/xen/*' ! -path '*/linux-headers-*' ! -path '*/var/cache/*' \
		! -name 'xen-gntdev.ko*' -o -path '*/updates/*' -type f)
	printf '%s\n' "left: $left"
	[ -z "$left" ]
}

# As on a system that has DKMS but other packages than Debian's.
# shellcheck disable=SC2031 # it is set once, above
tarball_installs() {
	inside tar -C /root -xf "/gntdev-$version.tar.gz" &&
		inside sh -c "cd /root/gntdev-$version && dkms install ." &&
		loads /updates/dkms/ && is_built "$version" "$(kernel)" &&
		inside dkms remove "gntdev/$version" --all && loads /kernel/drivers/xen/
}

# packaging/need, while another apt has one of its locks for some seconds.
# shellcheck disable=SC2016 # perl and the system expand
waits_for_another_apt() {
	local lock _
	mkdir -p "$root/need" && cp packaging/need "$root/need/" &&
		printf 'test bc x\n' >"$root/need/debian-packages" || return
	for lock in lib/apt/lists/lock lib/dpkg/lock-frontend cache/apt/archives/lock; do
		inside dpkg --purge bc || return
		rm -f "$root/held"
		inside perl -e 'use Fcntl;
			open(F, ">>", $ARGV[0]) && fcntl(F, F_SETLK, pack("s s l! l! i x64", F_WRLCK)) or die;
			open(G, ">", "/held") and sleep 7' "/var/$lock" &
		for _ in {1..100}; do [ ! -e "$root/held" ] || break; sleep 0.1; done
		inside /need/need test && inside which bc && ! kill -0 $! || return
	done
}

# Debian 12 has 6.12 too; what comes to 13 by its backports is the newest that there is.
later_kernels() {
	case $1 in
	bookworm) echo linux-headers-rt-amd64 linux-headers-6.12-amd64 ;;
	*) echo "linux-headers-amd64/$1-backports" ;;
	esac
}

check 'the packages are built' alone make -s deb
check 'a later version is made' later_version
for release in ${RELEASES:-bookworm trixie}; do
	check "$release: a bare system is made" begin "$release"
	check "$release: packages are installed while another apt has a lock" waits_for_another_apt
	check "$release: the package builds the module, signed and preferred" installs
	# They need the C library of the system that they were built on.
	if [ "$release" != bookworm ] || [ "$host_release" = 12 ]; then
		check "$release: the command runs" command_runs
		check "$release: a unit test is built and runs" unit_test_builds
	fi
	# shellcheck disable=SC2046 # a list of words
	check "$release: kernels that come later get it" \
		serves_kernels_that_come $(later_kernels "$release")
	check "$release: an upgrade replaces it for each kernel" upgrades
	check "$release: without the package the kernel's own is back" goes
	[ "$release" != bookworm ] ||
		check "$release: in a dom0 the package's module serves the contract tests, and goes" serves_a_dom0
	check "$release: purged, it leaves nothing" leaves_nothing
	check "$release: dkms install in the unpacked tarball, and back" tarball_installs
done
finish
