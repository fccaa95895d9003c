#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the examples, on the machine in both modes and in dom0
# Takes: 20
# After: the build
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

examples=$top/build/amd64/examples

is_short() {
	[ "$(wc -l <"$1")" -lt 150 ] || { wc -l "$1"; return 1; }
}

check 'the examples are built' alone make -s -C examples
check 'the machine is built' alone make -s -f machine/build.mk
for source in examples/*.c; do
	name=$(basename "$source" .c)
	check "$name has less than 150 lines" is_short "$source"
	for mode in pv xlat; do
		check "$name, machine $mode" timeout 60 build/machine/gntdev run \
			--mode "$mode" -- "$examples/$name"
	done
	check "$name, dom0" lab/run --timeout 60 --file "$examples/$name" -- "./$name"
done
finish
