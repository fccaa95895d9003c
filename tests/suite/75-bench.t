#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: instructions (with --all: flushes, too) on real Xen, PV and arm64, against the committed ones
# Takes: 120
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# Four processors take an emulator long, where others run beside it.
options=(--one-boot)
[ -z "${TEST_ALL:-}" ] || options=()
follow bench/lab/check "${options[@]}"
[ "$last_status" = 0 ]
point $? 'nothing takes more than 3 % more instructions than it did, or another flush'
finish
