#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: header, modules, test programs
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# module ARCH: from scratch, with W=1 and sparse; no warning may appear.
module() {
	local output
	rm -rf "build/$1/module"
	output=$(SPARSE=1 lab/module "$1" 2>&1) || {
		printf '%s\n' "$output"
		return 1
	}
	! grep -iE 'warning|error' <<<"$output"
}

is_drop_in() {
	local ko=build/$1/module/driver/xen-gntdev.ko
	modinfo -F name "$ko" | grep -qx xen_gntdev &&
		modinfo -F parm "$ko" | grep -q '^limit:' &&
		modinfo -F alias "$ko" | grep -qx 'devname:xen/gntdev' &&
		modinfo -F license "$ko" | grep -qx 'Dual MIT/GPL'
}

check 'the header agrees with the published one, for 64- and 32-bit callers' \
	make -s -C tests/abi header-check
for arch in amd64 arm64; do
	check "the module builds for $arch without a warning (W=1, sparse)" module "$arch"
	check "the $arch module has the distribution's name, parameter and an alias" \
		is_drop_in "$arch"
done
for arch in amd64 arm64 i386 armhf; do
	check "tests/abi builds for $arch" make -s -C tests/abi ARCH="$arch"
	[ $arch = armhf ] ||
		check "tests/stress builds for $arch" make -s -C tests/stress ARCH="$arch"
done
check 'tests/clients builds' make -s -C tests/clients
finish
