#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests by 32-bit callers, arm64 dom0
# Takes: 60
# After: the build
# Only: with --all
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# Those of the requests, whose structures the driver translates.
pack arm64 armhf
lab "contract tests by 32-bit callers, arm64 dom0" --arch arm64 --timeout 400 \
	--file build/armhf/tests/pack/abi32 --file build/armhf/tests/pack/abi64 -- \
	env GRANTER64=/lab/abi64 ./abi32/run-abi requests map mmap notify copy copies \
	dmabuf_export compat
finish
