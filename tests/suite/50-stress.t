#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the stress program, on PV and auto-translated dom0
set -uo pipefail
. "$(dirname "$0")/tap.sh"

for arch in amd64 arm64; do
	make -s -C tests/stress ARCH=$arch >&2
	lab "stress, $arch dom0" --arch $arch --timeout 200 \
		--file build/$arch/tests/stress/stress -- \
		./stress --seconds 20 --disk /dev/vda
done
finish
