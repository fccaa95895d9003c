# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# How a run begins and ends: what it was given, and signals.

# In each of the eight ways: the program works, and finds them as they were.
closed_descriptors() {
	local how
	for how in '' '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		rm -f "$work/standard"
		eval "run --mode xlat -- sh -c 'ls /proc/\$\$/fd | grep \"^[012]\$\" >\"\$1\"
			\"\$2\" attempts >\"\$1.what\"' sh '$work/standard' '$programs/actor' $how" || {
			echo "$how: status $?"
			return 1
		}
		echo "$how: $(xargs <"$work/standard")"
		is "$(cat "$work/standard.what")" yyyyyyyyyy || return
		[[ $how = *'<'* ]] || grep -q 0 "$work/standard" || return
		[[ $how = *'2>'* ]] || grep -q 2 "$work/standard" || return
		[[ $how != *'2>'* ]] || ! grep -q 2 "$work/standard" || return
	done
}
check 'standard descriptors that are closed at the start' closed_descriptors

# ignoring ARGUMENT...: gntdev run where SIGCHLD is ignored.
ignoring() {
	timeout -k 5 60 env --ignore-signal=CHLD "$gntdev" run "$@"
}

ignored_child() {
	ends 7 ignoring -- sh -c 'exit 7' || return
	# SIGCHLD is 17: bit 16. The program is to find it as gntdev did.
	ignoring -- grep SigIgn /proc/self/status >"$work/ignored" || return
	cat "$work/ignored"
	[ $((0x$(awk '{ print $2 }' "$work/ignored") >> 16 & 1)) = 1 ]
}
check 'SIGCHLD that the parent ignores' ignored_child

ignored_with_xenstore() {
	is "$(ignoring -- sh -c 'trap - CHLD; xenstore-write /a b; xenstore-read /a')" b
}
check 'the same with a xenstore' ignored_with_xenstore

masked() {
	run -- grep SigBlk /proc/self/status >"$work/mask" &&
		is "$(awk '{ print $2 }' "$work/mask")" "$(awk '/SigBlk/ { print $2 }' /proc/self/status)"
}
check 'the program finds the signals blocked that were blocked' masked

killed_command() {
	share 2 1 || return
	local program server
	program=$(process granter) && server=$(server) || return
	kill -9 "$(command_of granter)" || return
	soon gone "$program" && soon gone "$server"
	local status=$?
	wait "${pids[granter]}"
	unset "pids[granter]"
	return $status
}
check 'kill -9 of gntdev ends the program and the machine' killed_command

# told SIGNAL: sent to gntdev, it is the program's.
told() {
	local pid status=0
	rm -f "$work/ready"
	env --default-signal="$1" "$gntdev" run -- sh -c '
		trap "exit 3" "$1"
		touch "$2"
		while :; do sleep 0.02; done' sh "$1" "$work/ready" &
	pid=$!
	soon test -e "$work/ready" && kill -s "$1" "$pid"
	soon gone "$pid" || kill -9 "$pid"
	wait "$pid" || status=$?
	is "$1: $status" "$1: 3"
}

all_told() {
	local signal
	for signal in INT QUIT TERM HUP USR1 USR2 ALRM WINCH XCPU IO RTMIN RTMAX; do
		told "$signal" || return
	done
}
check 'signals that are sent to gntdev are passed on, SIGINT too' all_told

# The terminal tells both: the program is not to have it twice.
key() {
	cat >"$work/counts" <<-'END'
		n=0
		trap 'n=$((n + 1))' INT
		touch "$1"
		while [ $n = 0 ]; do sleep 0.02; done
		sleep 0.3
		exit $((10 + n))
	END
	rm -f "$work/ready"
	local status=0
	# script starts a shell of its own, which the key is not to reach first.
	(soon test -e "$work/ready" && printf '\003' && sleep 1) |
		SHELL=/bin/sh timeout 30 script -qec \
			"exec $gntdev run -- sh $work/counts $work/ready" /dev/null || status=$?
	is "$status" 11
}
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
	check 'a key of the terminal reaches the program once' key
else
	echo '# script(1) makes no terminal: its keys are not tried'
fi
