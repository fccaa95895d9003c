#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: which lines of driver/ the unit, fault and contract tests reach
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

summary() {
	tests/fault/coverage >build/coverage.summary 2>&1
	local status=$?
	cat build/coverage.summary
	return "$status"
}
mkdir -p build
check 'every line of the driver is reached, or has its reason in unreached.txt' summary
sed 's/^/# /' build/coverage.summary
finish
