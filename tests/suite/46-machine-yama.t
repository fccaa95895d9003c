#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: gntdev run for a user without rights, on a kernel with Yama's ptrace_scope 1
# Takes: 50
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi amd64
alone make -s -f machine/build.mk >&2 || {
	point 1 "the machine builds"
	finish
}
lab "gntdev run under Yama" --timeout 200 \
	--file build/machine/gntdev --file build/machine/gntdev-server \
	--file build/machine/libgntdev-preload.so --file build/amd64/tests/abi \
	--file tests/machine/yama-guest.sh -- sh ./yama-guest.sh
finish
