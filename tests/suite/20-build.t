#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: header, modules, test programs
# Takes: 900 (no, but most of the others wait for it)
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# Little else runs meanwhile.
MAKEFLAGS=-j$(nproc)
export MAKEFLAGS

# module SPARSE FOLDER ARCH KERNEL...: from scratch, with W=1, and with sparse if
# that is not empty; no warning may appear.
module() {
	local sparse=$1 folder=build/$3/$2 output
	shift 2
	rm -rf "$folder"
	output=$(SPARSE=$sparse lab/module "$@" 2>&1) || {
		printf '%s\n' "$output"
		return 1
	}
	! grep -iE 'warning|error' <<<"$output"
}

# depmod has nothing to say of it.
is_indexed_in_silence() {
	local folder status=0
	folder=$(mktemp -d)
	install -D "$1" "$folder/lib/modules/6.1/xen-gntdev.ko"
	touch "$folder/lib/modules/6.1/modules."{order,builtin,builtin.modinfo}
	silent depmod -b "$folder" 6.1 || status=$?
	rm -rf "$folder"
	return "$status"
}

is_drop_in() {
	local ko=build/$1/$2/driver/xen-gntdev.ko
	modinfo -F name "$ko" | grep -qx xen_gntdev &&
		modinfo -F parm "$ko" | grep -q '^limit:' &&
		is_indexed_in_silence "$ko" &&
		modinfo -F license "$ko" | grep -qx 'Dual MIT/GPL'
}

asks_for_no_dma_buf() {
	local wanted
	wanted=$(nm -u build/amd64/module-without-dma-buf/driver/xen-gntdev.ko) || return
	grep -q gnttab_map_refs <<<"$wanted" && ! grep dma_buf <<<"$wanted"
}

# Where pages are of the right size, the compiler leaves the line out.
refuses_large_pages() {
	grep -q 'pages have %lu bytes' build/arm64/module-large-pages/driver/xen-gntdev.ko &&
		! grep -q 'pages have %lu bytes' build/arm64/module/driver/xen-gntdev.ko
}

check 'the header agrees with the published one, for 64- and 32-bit callers' \
	make -s -C tests/abi header-check
for arch in amd64 arm64; do
	for kernel in 6.1 6.12 7.3; do
		folder=module sparse=yes with='W=1, sparse'
		[ "$kernel" = 6.1 ] || folder=module-$kernel sparse='' with='W=1'
		check "the module builds for $arch, $kernel without a warning ($with)" \
			module "$sparse" "$folder" "$arch" "$kernel"
		check "that $arch module has the distribution's name and parameter, and depmod is silent" \
			is_drop_in "$arch" "$folder"
	done
done
check 'the module builds for a kernel without dma-bufs without a warning (W=1)' \
	module '' module-without-dma-buf amd64 6.1 without-dma-buf
check 'that module needs nothing of dma-bufs' asks_for_no_dma_buf
check 'the module builds for a kernel with pages of 64 KiB without a warning (W=1)' \
	module '' module-large-pages arm64 6.1 large-pages
check 'that module refuses to be loaded, and says why' refuses_large_pages
for arch in amd64 arm64 i386 armhf; do
	check "tests/abi builds for $arch" alone make -s -C tests/abi ARCH="$arch"
	[ $arch = armhf ] ||
		check "tests/stress builds for $arch" alone make -s -C tests/stress ARCH="$arch"
done
check 'tests/clients builds' make -s -C tests/clients
finish
