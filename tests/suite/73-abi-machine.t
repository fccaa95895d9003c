#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests and stress on the machine, PV and auto-translated, under sanitizers
# Takes: 240
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

mkdir -p build
work=$(mktemp -d "${TMPDIR:-/tmp}/gntdev-abi.XXXXXX")
disk=$top/build/machine-disk
trap 'rm -rf "$work" "$disk"' EXIT
# The very binaries that run on real Xen.
abi=$top/build/amd64/tests/abi
stress=$top/build/amd64/tests/stress

# server SANITIZERS FOLDER: a machine built so.
server() {
	make -s -f machine/build.mk O="$top/$2" SAN="$1"
}

programs_are_built() {
	alone make -s -C tests/abi && alone make -s -C tests/stress
}

# The server ends when nobody is there; then what its sanitizer said is there.
is_clean() {
	flock --timeout 60 "$1/lock" true || return
	cat "$1/log"
	! grep -qE 'Sanitizer|runtime error:|hard failure' "$1/log"
}

# machine DESCRIPTION FOLDER MODE COMMAND...: its TAP, and the machine's end. The
# command is run as $how says, if anything.
how=
machine() {
	local description=$1 folder=$2 mode=$3
	shift 3
	rm -rf "$work/m"
	record "$description"
	follow timeout -k 5 300 "$folder/gntdev" run --mode "$mode" \
		${how:+--how "$how"} --machine "$work/m" -- "$@"
	record
	[ "$last_status" = 0 ]
	point $? "$description: all ran"
	check "$description: the machine has nothing to complain of" is_clean "$work/m"
}

check 'the contract tests and stress are built' programs_are_built
check 'a machine is built with AddressSanitizer and UndefinedBehaviorSanitizer' \
	server address,undefined build/asan/server
check 'a machine is built with ThreadSanitizer' server thread build/tsan/server

# A file stands for a disk: direct I/O into and out of a mapping.
head -c 16777216 /dev/zero >"$disk"
export GNTDEV_DISK=$disk
for mode in pv xlat; do
	machine "contract tests, machine $mode" build/asan/server "$mode" "$abi/run-abi"
done
how=loader machine 'contract tests, machine pv, loader' build/asan/server pv "$abi/run-abi"
# There grants have to be another domain's, but for these tests.
machine "own grants, machine pvh" build/asan/server pvh "$abi/run-abi" own
for mode in pv xlat; do
	machine "stress, machine $mode, AddressSanitizer" build/asan/server "$mode" \
		"$stress/stress" --seconds 8 --disk "$disk"
	machine "stress, machine $mode, ThreadSanitizer" build/tsan/server "$mode" \
		"$stress/stress" --seconds 8 --disk "$disk"
done
finish
