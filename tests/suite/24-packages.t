#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the Debian packages, in bare systems of Debian 12 and 13
# Takes: 600
# Only: with --all
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/gntdev-packages.XXXXXX")
# The bare system. What is mounted there is no more when it goes.
root=$work/none
clear_root() {
	! mountpoint -q "$root/proc" || umount "$root/proc" || exit
	rm -rf "$root"
}
leave() {
	clear_root
	rm -rf "$work"
}
trap leave EXIT
version=$(sed -n 's/^#define GNTDEV_VERSION "\(.*\)"/\1/p' include/gntdev_version.h)
deb=build/deb/gntdev-dkms_${version}_all.deb

lintian_has_no_complaint() {
	silent lintian --allow-root --fail-on error,warning "build/deb/gntdev_${version}_amd64.changes"
}

# The same with a higher version, as an upgrade finds it.
later_version() {
	rm -rf "$work/later"
	dpkg-deb -R "$deb" "$work/later" || return
	mv "$work/later/usr/src/gntdev-$version" "$work/later/usr/src/gntdev-$version.1"
	sed -i "s/^Version: .*/Version: $version.1/" "$work/later/DEBIAN/control"
	sed -i "s/\b$version\b/$version.1/" "$work/later/usr/src/gntdev-$version.1/dkms.conf" \
		"$work/later/usr/src/gntdev-$version.1/include/gntdev_version.h" \
		"$work/later"/DEBIAN/{postinst,prerm}
	dpkg-deb --root-owner-group -b "$work/later" "$work/later.deb"
}

# inside COMMAND...: in the bare system, which has packages of its own.
inside() {
	DEBIAN_FRONTEND=noninteractive nice chroot "$root" "$@"
}

apt_install() {
	inside apt-get install -y --no-install-recommends "$@"
}

# begin RELEASE: root is a system with that release's kernel for any machine, and apt.
begin() {
	local mirror=http://deb.debian.org
	mmdebstrap --quiet --variant=apt --include=linux-image-amd64,linux-headers-amd64 \
		"$1" "$root" "deb $mirror/debian $1 main" "deb $mirror/debian $1-updates main" \
		"deb $mirror/debian-security $1-security main" &&
		mount -t proc proc "$root/proc" && cp "$deb" "$root/ours.deb" &&
		cp "$work/later.deb" "$root/" && inside apt-get -qq update
}

# The release of the kernel that is installed; with -rt, of that flavour's.
kernel() {
	(cd "$root/lib/modules" && printf '%s\n' *) | grep -E "[0-9]${1:-}-amd64\$" |
		sort -V | tail -n 1
}

# loads RELEASE WORDS: whose is the module that modprobe would load there.
loads() {
	modinfo -b "$root" -k "$1" -F filename xen-gntdev | grep "$2"
}

# Of the other kernel only the headers are there, and no list of modules.
is_built() {
	ls "$root/lib/modules/$1"/updates/dkms/xen-gntdev.ko*
}

version_is() {
	[ "$(modinfo -b "$root" -k "$1" -F version xen-gntdev)" = "$2" ]
}

is_signed() {
	modinfo -b "$root" -k "$1" -F signer xen-gntdev | grep -q .
}

installs() {
	apt_install /ours.deb && loads "$(kernel)" /updates/dkms/ &&
		version_is "$(kernel)" "$version" && is_signed "$(kernel)"
}

serves_a_kernel_that_comes_later() {
	apt_install linux-headers-rt-amd64 && is_built "$(kernel -rt)"
}

upgrades() {
	apt_install /later.deb && version_is "$(kernel)" "$version.1" &&
		is_built "$(kernel -rt)" &&
		! inside dkms status | grep -F "$version,"
}

goes() {
	inside apt-get remove -y gntdev-dkms && loads "$(kernel)" /kernel/drivers/xen/ &&
		! is_built "$(kernel -rt)" &&
		silent inside dkms status
}

leaves_nothing() {
	inside dpkg --purge gntdev-dkms && [ ! -e "$root/var/lib/dkms/gntdev" ] &&
		[ -z "$(find "$root/usr/src" "$root/usr/sbin" -name 'gntdev*')" ]
}

check 'the packages are built' alone make -s deb
check 'lintian has no complaint' lintian_has_no_complaint
check 'a later version is made' later_version
for release in ${RELEASES:-bookworm trixie}; do
	root=$work/$release
	check "$release: a bare system is made" begin "$release"
	check "$release: the package builds the module, signed and preferred" installs
	check "$release: a kernel that comes later gets it" serves_a_kernel_that_comes_later
	check "$release: an upgrade replaces it on each kernel" upgrades
	check "$release: without the package the kernel's own is back" goes
	check "$release: purged, it leaves nothing" leaves_nothing
	clear_root
done
finish
