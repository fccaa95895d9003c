#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: a minute of fuzzing
# Takes: 85
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
check 'the fuzzer is built' built
check 'a minute of it finds nothing' minute
grep -E '^stat::|^Done' build/fuzz.log | sed 's/^/# /'
finish
