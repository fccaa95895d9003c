#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: which lines of driver/ the unit, fault and contract tests reach
# Takes: 160
# Only: with --all
set -uo pipefail
. "$(dirname "$0")/tap.sh"

mkdir -p build
tests/fault/coverage >build/coverage.summary 2>&1
point $? 'every line of the driver is reached, or has its reason in unreached.txt'
sed 's/^/# /' build/coverage.summary
finish
