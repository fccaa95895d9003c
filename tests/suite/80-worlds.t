#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: each contract test in each world: no difference without its reason
# Takes: 1
# After: all others
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

mkdir -p build
table() {
	tests/abi/worlds ${TEST_ALL:+--all} >build/worlds.table 2>build/worlds.err
	local status=$?
	cat build/worlds.err
	grep -E 'FAIL|^worlds: ' build/worlds.table
	return "$status"
}
check 'every contract test has passed in every world, or says why not (build/worlds.table)' table
while IFS= read -r line; do
	skip "every contract test in the world ${line%%: *}" "${line#*: }"
done < <(sed -n 's/^worlds: skipped: //p' build/worlds.err)
sed -n '/^$/,$p' build/worlds.table | sed 's/^/# /'
finish
