#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: modules for kernels of the real-time flavour
# Takes: 300
# After: the build
# Only: with --all
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# module ARCH KERNEL: from scratch, with W=1; no warning may appear.
module() {
	local output
	rm -rf "build/$1/module-$2"
	output=$(lab/module "$1" "$2" 2>&1) || {
		printf '%s\n' "$output"
		return 1
	}
	! grep -iE 'warning|error' <<<"$output"
}

is_real_time() {
	modinfo -F vermagic "build/$1/module-$2/driver/xen-gntdev.ko" | grep -E '^[^ ]+-rt-'
}

for arch in amd64 arm64; do
	for kernel in 6.1-rt 6.12-rt 7.3-rt; do
		check "the module builds for $arch, $kernel without a warning (W=1)" \
			module "$arch" "$kernel"
		check "that $arch module is for $kernel" is_real_time "$arch" "$kernel"
	done
done
finish
