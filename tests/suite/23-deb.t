#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the Debian packages: built, and enough to build with
# Takes: 50
# After: the build
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/gntdev-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^#define GNTDEV_VERSION "\(.*\)"/\1/p' include/gntdev_version.h)

lintian_has_no_complaint() {
	silent lintian --allow-root --fail-on error,warning "build/deb/gntdev_${version}_amd64.changes"
}

unpacked() {
	local package
	for package in build/deb/gntdev{,-dev,-dkms}_"$version"_*.deb; do
		dpkg-deb -x "$package" "$work/root" || return
	done
}

# By the line of dkms.conf, for the lab's kernel.
module_builds() {
	local headers source=$work/root/usr/src/gntdev-$version make
	headers=$(lab/fetch amd64 headers)/build || return
	make=$(sed -n 's/^MAKE\[0\]="\(.*\) modules"$/\1/p' "$source/dkms.conf" |
		sed "s,\$kernel_source_dir,$headers,; s,\$dkms_tree.*/build,$source,")
	# shellcheck disable=SC2046 # one word or none
	$make $(compiler "$headers") modules && [ "$(modinfo -F version "$source/driver/xen-gntdev.ko")" = "$version" ]
}

dkms_is_told_the_same() {
	local conf=$work/root/usr/src/gntdev-$version/dkms.conf
	cmp dkms.conf "$conf" && [ -x "$work/root/usr/src/gntdev-$version/compat/check" ]
}

command_runs() {
	"$work/root/usr/bin/gntdev" --version | grep -x "gntdev $version" &&
		"$work/root/usr/bin/gntdev" run --report -- true
}

# With nothing of the tree, by what the file for pkg-config says.
unit_test_builds() {
	local usr=$work/root/usr flags
	flags=$(sed -n 's/^Cflags: //p; s/^Libs: //p' "$usr"/lib/*/pkgconfig/gntdev-machine.pc |
		sed "s,\${includedir},$usr/include/gntdev,; s,\${libdir},$(echo "$usr"/lib/*/gntdev),")
	cp tests/packages/unit-test.c "$work/"
	# shellcheck disable=SC2086 # words
	gcc -Wall -Werror -o "$work/unit-test" "$work/unit-test.c" $flags && "$work/unit-test"
}

clients_build() {
	local source
	for source in examples/*.c; do
		cp "$source" "$work/client.c"
		gcc -D_GNU_SOURCE -Wall -Werror -I"$work/root/usr/include/gntdev" -o "$work/client" \
			"$work/client.c" &&
			timeout 60 "$work/root/usr/bin/gntdev" run -- "$work/client" || return
	done
}

# What is made from an unpacked tarball, even after a build in it, is that tarball.
tarball_makes_itself() {
	local folder=$work/gntdev-$version
	tar -C "$work" -xf "build/gntdev-$version.tar.gz" &&
		(cd build && sha256sum -c "gntdev-$version.tar.gz.sha256") &&
		touch "$folder/driver/main.o" "$folder/driver/.main.o.cmd" "$folder/driver/xen-gntdev.ko" &&
		make -s -C "$folder" dist && cmp "build/gntdev-$version.tar.gz" "$folder/build/gntdev-$version.tar.gz"
}

check 'the packages are built' alone make -s deb
check 'lintian has no complaint' lintian_has_no_complaint
check 'they can be unpacked' unpacked
check 'what DKMS gets builds the module' module_builds
check "DKMS is told what the tree's dkms.conf says, and can say what a kernel lacks" dkms_is_told_the_same
check 'the command runs' command_runs
check 'a unit test is built with the library and runs' unit_test_builds
check 'clients of all requests are built with the headers and run' clients_build
check 'the tarball makes the same tarball' tarball_makes_itself
finish
