#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the examples of docs/testing.md: a shell script, pytest, CTest; checkers
# Takes: 20
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

ci=$top/build/ci
export GNTDEV=$top/build/machine/gntdev PROGRAMS=$ci/programs
# CMake finds it as an installed one is found.
export PATH=$top/build/machine:$PATH

check 'what they need is installed' packaging/need ci
check 'the machine is built' alone make -s -f machine/build.mk

# programs FOLDER FLAG...
programs() {
	local folder=$1 program
	shift
	mkdir -p "$folder"
	for program in front back; do
		gcc -std=gnu11 -O1 -g -Wall -Wextra -Werror "$@" -o "$folder/$program" \
			"examples/ci/$program.c" -lxengnttab -lxenevtchn -lxenstore || return
	done
}
check 'the programs are built' programs "$PROGRAMS"

check 'a shell script' timeout 60 sh examples/ci/test.sh
check 'pytest' timeout 60 /usr/bin/python3 -B -m pytest -q -p no:cacheprovider examples/ci/test_backend.py

ctests() {
	rm -rf "$ci/cmake"
	cmake -S examples/ci -B "$ci/cmake" && cmake --build "$ci/cmake" &&
		timeout 100 ctest --test-dir "$ci/cmake" --output-on-failure
}
check 'CTest' ctests

# both COMMAND...: both sides, the backend as the command's last argument.
both() {
	local machine front status=0
	machine=$(mktemp -d)
	"$GNTDEV" run --machine "$machine" --domain 1 --report -- "$built/front" hello HELLO &
	front=$!
	timeout 60 "$GNTDEV" run --machine "$machine" --report \
		--wait-for xenstore:/local/domain/1/data/ready=1 -- "$@" "$built/back" 1 || status=$?
	wait "$front" && rm -rf "$machine" && [ "$status" = 0 ]
}

built=$PROGRAMS
check 'the backend under valgrind' both valgrind -q --error-exitcode=9 --leak-check=no
check 'the backend under strace' both strace -f -o "$ci/strace"
in_gdb() {
	both gdb -q -batch -ex 'break offered' -ex run -ex bt -ex delete -ex continue --args >"$ci/gdb" 2>&1
	cat "$ci/gdb"
	grep -q 'Breakpoint 1, offered' "$ci/gdb" && grep -q 'exited normally' "$ci/gdb"
}
check 'the backend under gdb stops at a breakpoint' in_gdb
for sanitizer in address,undefined thread; do
	built=$ci/$sanitizer
	sanitized() {
		programs "$built" "-fsanitize=$sanitizer" && ASAN_OPTIONS=detect_leaks=0 both
	}
	check "both sides with -fsanitize=$sanitizer" sanitized
done
finish
