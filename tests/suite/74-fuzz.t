#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: a minute of fuzzing, and beside it which lines of driver/ the tests reach
# Takes: 170
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

mkdir -p build
built() {
	make -s -C tests/fuzz
}
minute() {
	make -s -C tests/fuzz run SECONDS="${SECONDS_OF_FUZZING:-60}" >build/fuzz.log 2>&1
	local status=$?
	tail -n 40 build/fuzz.log
	return "$status"
}
reached() {
	wait "$coverage"
	local status=$?
	cat build/coverage.summary
	return "$status"
}
check 'the fuzzer is built' built
# The fuzzer has one processor; the unit, fault and contract tests the other.
tests/fault/coverage >build/coverage.summary 2>&1 &
coverage=$!
check 'a minute of it finds nothing' minute
grep -E '^stat::|^Done' build/fuzz.log | sed 's/^/# /'
reached >build/coverage.shown
point $? 'every line of the driver is reached, or has its reason in unreached.txt'
sed 's/^/# /' build/coverage.shown
finish
