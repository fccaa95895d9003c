# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What the parts of the suite share: TAP from commands, and from the lab.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
export top
# Where the lab keeps the kernel logs of a run that went wrong.
LAB_LOGS=$top/build/lab/$(basename "$0" .t)
export LAB_LOGS
# One emulated processor a boot keeps one real one busy: parts run side by side.
export LAB_CPUS=1
tap_count=0
tap_failed=0
last_status=0
# What a relayed program said is kept there, if anywhere: see record().
record=

# emit LINE: a line of TAP; at once also to $TAP_LIVE, as prove holds it back.
emit() {
	printf '%s\n' "$1"
	[ -z "${TAP_LIVE:-}" ] || printf '%s\n' "$1" >>"$TAP_LIVE"
}

# point STATUS DESCRIPTION
point() {
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		emit "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		emit "not ok $tap_count - $2"
	fi
}

# skip DESCRIPTION REASON: one point that cannot be had here.
skip() {
	tap_count=$((tap_count + 1))
	emit "ok $tap_count - $1 # SKIP $2"
}

# check DESCRIPTION COMMAND...: one point; the output is shown if it fails.
check() {
	local description=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	[ "$status" = 0 ] || printf '%s\n' "$output" | tail -n 60 | cut -c 1-200 | sed 's/^/# /'
	point "$status" "$description"
}

# silent COMMAND...: succeeds if the command does and prints nothing.
silent() {
	local output status=0
	output=$("$@" 2>&1) || status=$?
	printf '%s' "$output"
	[ "$status" = 0 ] && [ -z "$output" ]
}

# record DESCRIPTION: what is relayed from now on is kept in build/worlds, for
# tests/abi/worlds, by the description's words; without one, nothing is.
record() {
	record=
	[ -n "${1:-}" ] || return 0
	mkdir -p build/worlds
	record=build/worlds/${1//[^A-Za-z0-9]/-}
	: >"$record"
}

# relay: TAP of another program from standard input, numbered anew.
relay() {
	local line
	while IFS= read -r line; do
		[ -z "$record" ] || printf '%s\n' "$line" >>"$record"
		case $line in
		'ok '* | 'not ok '*)
			tap_count=$((tap_count + 1))
			[[ $line = ok* ]] || tap_failed=$((tap_failed + 1))
			emit "$(sed -E "s/^(not )?ok( [0-9]+)?/\1ok $tap_count/" <<<"$line")"
			;;
		1..* | '') ;;
		'status-was '*) last_status=${line#status-was } ;;
		'#'*) printf '%s\n' "$line" ;;
		*) printf '# %s\n' "$line" ;;
		esac
	done
}

# follow COMMAND...: relays what it says; last_status is its status.
follow() {
	relay < <(
		status=0
		"$@" 2>&1 || status=$?
		printf '\nstatus-was %s\n' "$status"
	)
}

# lost_by_emulator: whether the last run's PVH guest went down without a word of
# its kernel. QEMU's emulation of nested page tables does that now and then, to
# guests without our driver too: see lab/README.md.
lost_by_emulator() {
	[ "$last_status" = 200 ] &&
		grep -q 'Triple fault - invoking' "$LAB_LOGS/kernel.log" &&
		! grep -qE 'BUG:|Oops|RIP:|Kernel panic' "$LAB_LOGS/guest.log"
}

# unable OPTION...: why lab/run gave 203 at once, which it does again.
unable() {
	lab/run "$@" 2>&1 | sed -n 's/^lab: //p' | tail -n 1
}

# boot DESCRIPTION OPTION...: a run of the lab, its output taken for TAP.
boot() {
	record "$1"
	shift
	follow lab/run "$@"
	# For tests/abi/worlds: not a world without results, but none of this system's.
	[ "$last_status" != 203 ] || printf 'world skipped: %s\n' "$(unable "$@")" >"$record"
	record
}

# lab DESCRIPTION OPTION... -- COMMAND...: a boot whose output is TAP. The last
# point is the lab's verdict: the machine lived and its kernel log is clean.
lab() {
	local description=$1 before=$tap_count tries=1
	shift
	boot "$description" "$@"
	while lost_by_emulator && [ "$tries" -lt 3 ]; do
		tries=$((tries + 1))
		printf '# the emulator lost its guest: try %d, from the beginning\n' "$tries"
		boot "$description" "$@"
	done
	if [ "$last_status" = 203 ]; then
		skip "$description" "$(unable "$@")"
		return
	fi
	[ "$tap_count" -gt "$before" ] || last_status='0, but no test ran'
	[ "$last_status" = 0 ] || printf '# lab/run: status %s\n' "$last_status"
	[ "$last_status" = 0 ]
	point $? "$description: all ran, and the kernel log is clean"
}

# goes_down DESCRIPTION OPTION... -- COMMAND...: a boot that the machine must not
# survive. It may hang, so --timeout is among the options; --file is, too.
goes_down() {
	local description=$1 output status=0
	shift
	output=$(lab/run "$@" 2>&1) || status=$?
	[ "$status" = 200 ] || printf '%s\n' "$output" | tail -n 20 | cut -c 1-200 | sed 's/^/# /'
	[ "$status" = 200 ]
	point $? "$description"
}

# alone COMMAND...: while no other part does so. Parts that run side by side build
# the same things.
alone() {
	mkdir -p build
	flock build/alone.lock "$@"
}

# compiler HEADERS: what make is to be told where the compiler that these headers of
# a kernel name is not here.
compiler() {
	local wanted
	wanted=$(sed -n 's/^CC = .*\(gcc-[0-9]*\)$/\1/p' "$1/.kernelvariables" 2>/dev/null) || return 0
	[ -z "$wanted" ] || command -v "$wanted" >/dev/null || echo CC=gcc
}

# carry FOLDER PROGRAM...: these programs of this system into the folder, with their
# libraries, to be run where there are none or others, as in the lab.
carry() {
	local folder=$1 name file
	shift
	mkdir -p "$folder/lib"
	for name; do
		file=$(PATH=$PATH:/usr/sbin:/sbin command -v "$name") || return
		cp -L "$file" "$folder/lib/$name"
		ldd "$file" | grep -oE '/[^ ]+\.so[^ ]*' | xargs -I{} cp -L {} "$folder/lib/" || return
		# Some look at the name by which they are called.
		# shellcheck disable=SC2016 # expanded there
		printf '%s\n' '#!/bin/sh' 'here=${0%/*}/lib name=${0##*/}' \
			'exec "$here"/ld-linux-*.so.* --argv0 "$name" --library-path "$here" "$here/$name" "$@"' \
			>"$folder/$name"
		chmod 755 "$folder/$name"
	done
}

# abi ARCH [KERNEL]: the contract tests' programs, and the module that one loads
# into that kernel, built.
abi() {
	alone make -s -C tests/abi ARCH="$1" >&2 || {
		point 1 "tests/abi builds for $1"
		finish
	}
	case $1 in i386 | armhf) return 0 ;; esac
	# Which fetches what a module is built with.
	alone lab/module "$1" "${2:-6.1}" >/dev/null
	alone make -s -C tests/kernel ARCH="$1" KERNEL="${2:-6.1}" >&2 || {
		point 1 "tests/kernel builds for $1"
		finish
	}
}

# pack WIDE NARROW: contract tests of both word sizes, in build/NARROW/tests/pack.
pack() {
	local to=build/$2/tests/pack
	abi "$1"
	abi "$2"
	mkdir -p "$to"
	rm -rf "${to:?}"/*
	cp -r "build/$2/tests/abi" "$to/abi32"
	cp -r "build/$1/tests/abi" "$to/abi64"
}

# abi_in_guest DESCRIPTION TYPE KERNEL [PROGRAM...]: the contract tests in a guest;
# a granter in dom0 serves them.
abi_in_guest() {
	local description=$1 guest=$2 kernel=$3
	shift 3
	abi amd64 "$kernel"
	lab "$description" --guest "$guest" --kernel "$kernel" --timeout 500 \
		--file build/amd64/tests/abi --beside "./abi/granter --peer \$GUEST_DOMID" -- \
		env GNTDEV_GRANTER=peer ./abi/run-abi "$@"
}

# guest_world TYPE [TEST]: all that is run in a guest of kernel 6.1, in one boot:
# the contract tests, that test, and vchans with dom0.
guest_world() {
	local tests=build/amd64/tests file files=()
	abi amd64
	alone make -s -C tests/stress >&2
	lab/clients/contents
	for file in "$tests/abi" "$tests/stress/stress" build/vchan lab/clients/*.sh; do
		files+=(--file "$file")
	done
	# shellcheck disable=SC2016 # dom0 expands it
	lab "contract tests, $1 guest" --guest "$1" --timeout 700 "${files[@]}" \
		--beside 'sh beside.sh & ./abi/granter --peer "$GUEST_DOMID"' -- \
		sh -c 'export GNTDEV_GRANTER=peer
			status=0
			for test in ./abi/run-abi "$@" "sh guest.sh"; do
				$test || status=1
			done
			exit $status' sh "${@:2}"
}

# programs FOLDER OUT SETTING...: builds a folder of test programs and runs each.
programs() {
	local folder=$1 out=$2 program
	shift 2
	make -s -j"$(nproc)" -C "$folder" O="$top/$out" "$@" >&2 || {
		point 1 "$folder builds"
		return
	}
	for program in $(make -s -C "$folder" list); do
		printf '# %s\n' "$folder/$program"
		follow "$out/$program"
		[ "$last_status" = 0 ]
		point $? "$folder/$program ends well"
	done
}

finish() {
	printf '1..%d\n' "$tap_count"
	[ "$tap_failed" = 0 ]
	exit
}
