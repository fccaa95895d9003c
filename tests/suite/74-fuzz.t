#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: a minute of fuzzing the driver, half a minute of what is said to a server
# Takes: 120
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

# A server under sanitizers, and programs that say anything to it.
protocol_is_built() {
	alone make -s -f machine/build.mk O="$top/build/asan/server" SAN=address,undefined &&
		make -s -C tests/fuzz O="$top/build/fuzz" "$top/build/fuzz/protocol"
}

# The server ends when nobody is there; then its log has all that it has to say.
survives() {
	local folder=build/fuzz/machine-$1 status=0
	rm -rf "$folder"
	timeout -k 5 120 build/asan/server/gntdev run --mode "$1" --machine "$folder" -- \
		build/fuzz/protocol --seconds "${SECONDS_OF_PROTOCOL:-15}" >"$folder.said" || status=$?
	cat "$folder.said"
	flock --timeout 60 "$folder/lock" true || return
	cat "$folder/log"
	[ "$status" = 0 ] && ! grep -qE 'Sanitizer|runtime error:|hard failure|^machine: ' "$folder/log"
}
check 'what speaks at random to a server is built' protocol_is_built
for mode in pv xlat; do
	check "a server in mode $mode outlives all that is said to it, and loses nothing" survives "$mode"
	grep '^protocol' "build/fuzz/machine-$mode.said" | sed 's/^/# /'
done
finish
