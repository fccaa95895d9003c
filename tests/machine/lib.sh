# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What the parts of run-machine share.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/suite/tap.sh
. "$here/../suite/tap.sh"
set -uo pipefail
# Whatever the caller's is, also if it is closed.
exec </dev/null

O=${O:-$top/build/machine}
gntdev=$O/gntdev
programs=${PROGRAMS:-$top/build/machine/tests}
work=$(mktemp -d "${TMPDIR:-/tmp}/gntdev-test.XXXXXX")
machine=$work/m
chmod 755 "$work"

cleanup() {
	local pid
	for pid in "${pids[@]}"; do
		kill -9 "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$work"
}
declare -A in=() out=() pids=()
trap cleanup EXIT

# One point; in this shell, because actors are known to it. Those that a test
# leaves are ended, and their machine with them.
check() {
	local description=$1 status=0 name
	shift
	"$@" >"$work/output" 2>&1 || status=$?
	[ "$status" = 0 ] || tail -n 40 "$work/output" | cut -c 1-300 | sed 's/^/# /'
	point "$status" "$description"
	for name in "${!pids[@]}"; do
		kill "${pids[$name]}" 2>/dev/null
		printf 'leave\n' >&"${in[$name]}"
		wait "${pids[$name]}" 2>/dev/null
	done
	pids=()
	deserted >/dev/null
}

# run ARGUMENT...: gntdev run; nothing takes long here, and nothing may hang.
run() {
	timeout -k 5 60 "$gntdev" run "$@"
}

# said STATUS PATTERN COMMAND...: it ends with the status and has said, on
# standard error, one line, which matches.
said() {
	local status=0 wanted=$1 pattern=$2 text
	shift 2
	text=$("$@" 2>&1 >"$work/stdout") || status=$?
	printf '%s\n' "$text"
	[ "$status" = "$wanted" ] || {
		echo "status $status, expected $wanted"
		return 1
	}
	[ "$(printf '%s\n' "$text" | wc -l)" = 1 ] || {
		echo "more than one line"
		return 1
	}
	[[ $text =~ $pattern ]] || {
		echo "expected a line with: $pattern"
		return 1
	}
}

# ends STATUS COMMAND...
ends() {
	local status=0 wanted=$1
	shift
	"$@" || status=$?
	[ "$status" = "$wanted" ] || {
		echo "status $status, expected $wanted"
		return 1
	}
}

# is GOT WANTED
is() {
	[ "$1" = "$2" ] || {
		echo "got '$1', expected '$2'"
		return 1
	}
}

# act NAME OPTION... -- ROLE ARGUMENT...: an actor on the machine; its first
# line is left in $line.
act() {
	local name=$1 to from options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rm -f "$work/$name.in" "$work/$name.out"
	mkfifo "$work/$name.in" "$work/$name.out"
	exec {to}<>"$work/$name.in" {from}<>"$work/$name.out"
	in[$name]=$to
	out[$name]=$from
	run --machine "$machine" "${options[@]}" -- "$programs/actor" "$@" \
		<"$work/$name.in" >"$work/$name.out" 2>"$work/$name.err" &
	pids[$name]=$!
	hear "$name"
}

# share DOMID PAGES: an actor "granter" in domain 1 of a machine in mode $mode.
# Leaves the references in $refs and the port in $port.
share() {
	act granter --domain 1 --mode "${mode:-pv}" --report -- share "$1" "$2" || return
	refs=${line#shared }
	port=${refs##* }
	refs=${refs% port*}
}

# hear NAME: the actor's next line, in $line.
hear() {
	line=
	read -r -t 30 -u "${out[$1]}" line || {
		echo "$1 says nothing"
		cat "$work/$1.err"
		return 1
	}
}

# ask NAME LINE ANSWER
ask() {
	printf '%s\n' "$2" >&"${in[$1]}"
	hear "$1" && is "$1: $line" "$1: $3"
}

# leave NAME STATUS: it quits, or has been killed; the run ends so.
leave() {
	local status=0
	printf 'quit\n' >&"${in[$1]}"
	wait "${pids[$1]}" || status=$?
	unset "pids[$1]"
	is "$1: status $status" "$1: status $2"
}

# process NAME: of the actor's program, which is a child of gntdev's, which is
# one of timeout's.
process() {
	local pid=${pids[$1]}
	while pid=$(pgrep -P "$pid" -d ' '); do
		for each in $pid; do
			[ "$(cat "/proc/$each/comm")" != actor ] || {
				echo "$each"
				return
			}
		done
		pid=${pid%% *}
	done
	echo "no process of $1" >&2
	return 1
}

# command_of NAME: the process of gntdev itself.
command_of() {
	sed -n 's/^PPid:[[:space:]]*//p' "/proc/$(process "$1")/status"
}

# server: the pid of the machine's.
server() {
	cat "$machine/lock"
}

# soon COMMAND...: it succeeds within twenty seconds; others may be busy.
soon() {
	for _ in {1..2000}; do
		"$@" && return
		sleep 0.01
	done
	echo "not within twenty seconds: $*"
	return 1
}

# gone PID: it has ended, be it that nobody has asked for its status yet.
gone() {
	! grep -qs '^State:[[:space:]]*[^[:space:]ZX]' "/proc/$1/status"
}

# The machine's directory is nobody's any more.
deserted() {
	[ ! -e "$machine/lock" ] || soon gone "$(server)"
}
