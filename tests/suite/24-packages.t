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
	exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" apart
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
version=$(sed -n 's/^#define GNTDEV_VERSION "\(.*\)"/\1/p' include/gntdev_version.h)
ours=build/deb/gntdev-dkms_${version}_all.deb

lintian_has_no_complaint() {
	silent lintian --allow-root --fail-on error,warning "build/deb/gntdev_${version}_amd64.changes"
}

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

# inside COMMAND...: in the bare system, which has packages of its own.
inside() {
	DEBIAN_FRONTEND=noninteractive nice chroot "$root" "$@"
}

apt_install() {
	inside apt-get install -y --no-install-recommends "$@"
}

# mirror_of NAME: where this system gets Debian's packages from, as the lab does.
mirror_of() {
	(. lab/lib/common.sh && . lab/lib/fetch.sh && mirror "$1")
}

# begin RELEASE: root is a system with that release's kernel for any machine, and apt.
# DKMS signs where openssl is.
begin() {
	clear_root || return
	nice mmdebstrap --quiet --mode=root --variant=apt \
		--include=linux-image-amd64,linux-headers-amd64,openssl "$1" "$root" \
		"deb $(mirror_of debian) $1 main" "deb $(mirror_of debian) $1-updates main" \
		"deb $(mirror_of debian) $1-backports main" \
		"deb $(mirror_of debian-security) $1-security main" &&
		mount -t proc proc "$root/proc" && cp "$ours" "$root/ours.deb" &&
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

installs() {
	apt_install /ours.deb && loads /updates/dkms/ && is_built "$version" "$(kernel)"
}

# serves_kernels_that_come PACKAGE...: their headers.
serves_kernels_that_come() {
	local release
	apt_install "$@" && others && [ "$(others | wc -l)" = 2 ] || return
	for release in $(others); do
		is_built "$version" "$release" || return
	done
}

# Each of them: the newest is neither the one that runs nor the only one left.
upgrades() {
	local release
	apt_install /later.deb || return
	for release in $(kernel) $(others); do
		is_built "$version.1" "$release" || return
	done
	! inside dkms status | grep -F "$version,"
}

goes() {
	inside apt-get remove -y gntdev-dkms && loads /kernel/drivers/xen/ &&
		! ls "$root"/lib/modules/*/updates/dkms/xen-gntdev.ko* &&
		silent inside dkms status
}

leaves_nothing() {
	inside dpkg --purge gntdev-dkms && [ ! -e "$root/var/lib/dkms/gntdev" ] &&
		[ -z "$(find "$root/usr/src" "$root/usr/sbin" -name 'gntdev*')" ]
}

# As on a system that has DKMS but other packages than Debian's.
tarball_installs() {
	inside tar -C /root -xf "/gntdev-$version.tar.gz" &&
		inside sh -c "cd /root/gntdev-$version && dkms install ." &&
		loads /updates/dkms/ && is_built "$version" "$(kernel)" &&
		inside dkms remove "gntdev/$version" --all && loads /kernel/drivers/xen/
}

# Debian 12 has 6.12 too; what comes to 13 by its backports is the newest that there is.
later_kernels() {
	case $1 in
	bookworm) echo linux-headers-rt-amd64 linux-headers-6.12-amd64 ;;
	*) echo linux-headers-rt-amd64 "linux-headers-amd64/$1-backports" ;;
	esac
}

check 'the packages are built' alone make -s deb
check 'lintian has no complaint' lintian_has_no_complaint
check 'a later version is made' later_version
for release in ${RELEASES:-bookworm trixie}; do
	check "$release: a bare system is made" begin "$release"
	check "$release: the package builds the module, signed and preferred" installs
	# shellcheck disable=SC2046 # a list of words
	check "$release: kernels that come later get it" \
		serves_kernels_that_come $(later_kernels "$release")
	check "$release: an upgrade replaces it for each kernel" upgrades
	check "$release: without the package the kernel's own is back" goes
	check "$release: purged, it leaves nothing" leaves_nothing
	check "$release: dkms install in the unpacked tarball, and back" tarball_installs
done
finish
