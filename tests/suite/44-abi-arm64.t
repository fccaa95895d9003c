#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests on an arm64 dom0
# Takes: 90
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi arm64
lab "contract tests, arm64 dom0" --arch arm64 --timeout 500 \
	--file build/arm64/tests/abi -- ./abi/run-abi
finish
