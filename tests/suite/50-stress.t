#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the stress program, on PV and auto-translated dom0
# Takes: 80
# After: the build
# Alone: yes
set -uo pipefail
. "$(dirname "$0")/tap.sh"
export LAB_CPUS=2

abi amd64
for arch in amd64 arm64; do
	alone make -s -C tests/stress ARCH=$arch >&2
	lab "stress, $arch dom0" --arch $arch --timeout 200 \
		--file build/$arch/tests/stress/stress -- \
		./stress --seconds 20 --disk /dev/vda
done
finish
