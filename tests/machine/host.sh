# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# gntdev list and top of a machine; and what all three say where they cannot.


# matches TEXT PATTERN: a line of the text does.
matches() {
	grep -qE "$2" <<<"$1" || {
		printf 'no line matches %s in:\n%s\n' "$2" "$1"
		return 1
	}
}

list_tells_who_holds_what() {
	local mode text pid first
	for mode in pv xlat; do
		share 0 4 || return
		# shellcheck disable=SC2086 # references are words
		act mapper --mode "$mode" -- map 1 $refs || return
		pid=$(process mapper) first=${refs%% *}
		text=$("$gntdev" list --machine "$machine") &&
			matches "$text" "^ +1 range +4 +$first mapped +[0-9]+s +$pid +[^ ]+ +actor\$" &&
			matches "$text" '^4 pages of other domains held, 0 granted to them$' &&
			matches "$text" '^handles: 4 in use by this driver' &&
			matches "$text" '^grant frames: [0-9]+ of [0-9]+ in use$' || return
		leave mapper 0 && leave granter 0 && deserted || return
	done
}
check 'list tells who holds what, in both modes' list_tells_who_holds_what

only_one_domain() {
	local text
	share 0 4 || return
	# shellcheck disable=SC2086 # references are words
	act mapper -- map 1 $refs || return
	text=$("$gntdev" list --machine "$machine" --domain 1) &&
		matches "$text" ' actor$' || return
	text=$("$gntdev" list --machine "$machine" --domain 7) &&
		matches "$text" '^nothing of domain 7 is held'
}
check 'list --domain answers for one domain' only_one_domain

json() {
	local text
	share 0 4 || return
	# shellcheck disable=SC2086 # references are words
	act mapper -- map 1 $refs || return
	text=$("$gntdev" list --machine "$machine" --json) || return
	perl -MJSON::PP -e '
		my $list = decode_json(join "", <STDIN>);
		my ($one) = @{$list->{holdings}};
		die "the list is another" unless @{$list->{holdings}} == 1
			&& $one->{kind} eq "range" && $one->{domain} == 1
			&& $one->{pages} == 4 && $one->{state} eq "mapped"
			&& $one->{process} == $ARGV[0] && $one->{command} eq "actor"
			&& $list->{host}{mapped} == 4 && $list->{instances}[0]{maps} == 4;
		' "$(process mapper)" <<<"$text" || {
		printf '%s\n' "$text"
		return 1
	}
}
check 'list --json is JSON, and says the same' json

no_colours() {
	local text
	share 0 1 || return
	text=$("$gntdev" list --machine "$machine"; "$gntdev" top --count 1 --machine "$machine") || return
	case $text in *$'\033'*)
		echo 'there are escape sequences'
		return 1
		;;
	esac
}
check 'colours are for terminals alone' no_colours

top_tells_rates() {
	local text
	share 0 4 || return
	act copier -- copies 1 "${refs%% *}" || return
	text=$("$gntdev" top --machine "$machine" --count 2 --interval 0.5) &&
		matches "$text" '^[0-9]+ instances, 0 pages mapped' &&
		matches "$text" '^ +[0-9]+ [^ ]+ +- +0 +0 +0 +[0-9.]+[kM]? +[0-9.]+[kMG] actor$'
}
check 'top tells rates' top_tells_rates

# What the driver tells a host it tells programs on the machine, so the commands
# work there as they do on one.
within() {
	local how name
	share 0 4 || return
	# shellcheck disable=SC2086 # references are words
	act mapper -- map 1 $refs || return
	for how in preload loader; do
		is "$(run --machine "$machine" --how "$how" -- "$gntdev" list --json | sed 's/"age": [0-9]*//g')" \
			"$("$gntdev" list --machine "$machine" --json | sed 's/"age": [0-9]*//g')" &&
			is "$(run --machine "$machine" --how "$how" -- stat -c '%A %F' /proc/driver/xen-gntdev)" \
				'-r-------- regular file' || return
	done
	is "$(run --machine "$machine" -- ls /proc/driver | grep xen)" xen-gntdev &&
		is "$(run --machine "$machine" -- sh -c 'cd "/sys/class/misc/xen!gntdev" && grep . [a-z]*')" \
			"$(printf '%s\n' deferred:0 departed:0 grant_frames:64 handles:4 kept:0 leaked:0 mapped:4 max_grant_frames:64)" &&
		is "gntdev $(run --machine "$machine" -- cat /sys/module/xen_gntdev/version)" "$("$gntdev" --version)" &&
		said 125 "trace: this is a machine of gntdev run: give --machine $machine" \
			run --machine "$machine" -- "$gntdev" trace
}
check 'on a machine the commands find what they find on a host' within

# As a kernel takes it, or not at all.
settings() {
	local file text
	for file in gntdev/parameters/limit gntdev/parameters/handles gntalloc/parameters/limit; do
		file=/sys/module/xen_$file
		for text in abc '' -1 ' 7' '7 x' 99999999999 $'7\n8\n' 0x; do
			is "$(run -- sh -c 'echo 77 >$1; printf "%s" "$2" >$1; cat $1' sh "$file" "$text")" 77 || return
		done
		is "$(run -- sh -c 'for n in 8 +9 0x10 010; do echo $n >$1; cat $1; done' sh "$file")" \
			"$(printf '%s\n' 8 9 16 8)" || return
	done
	run -- "$programs/actor" attempts >/dev/null &&
		is "$(run -- sh -c 'echo 0 >/sys/module/xen_gntalloc/parameters/limit; "$1" attempts 2>&1 | tail -n 1' \
			sh "$programs/actor")" 'actor: xengntshr_share_pages: No space left on device'
}
check 'a parameter takes numbers alone' settings

# Root may write where a mode says otherwise, but not there.
read_only() {
	local file
	for file in '/sys/class/misc/xen!gntdev/leaked' /sys/hypervisor/type /sys/hypervisor/properties/features \
		/sys/module/xen_gntdev/version /proc/xen/capabilities /proc/driver/xen-gntdev; do
		run -- sh -c '! (echo 5 >"$1") 2>&1 && case $(stat -c %a "$1") in 4[04][04]) ;; *) false ;; esac' \
			sh "$file" >"$work/said" && grep -q 'Permission denied' "$work/said" || {
			echo "$file"
			return 1
		}
	done
}
check 'files that only tell cannot be written' read_only

# Keys and the screen's end need a terminal: script(1) makes one.
on_a_terminal() {
	local text
	share 0 4 || return
	# shellcheck disable=SC2086 # references are words
	act mapper -- map 1 $refs || return
	text=$(TERM=xterm timeout 20 script -qec \
		"$gntdev list --machine $machine; $gntdev top --count 2 --interval 0.3 --machine $machine" /dev/null </dev/null)
	matches "$text" $'\033\\[1mDOMAIN' &&
		matches "$text" $'\033\\[\\?1049h' && matches "$text" $'\033\\[\\?1049l' || return
	text=$(TERM=xterm NO_COLOR=1 timeout 20 script -qec "$gntdev list --machine $machine" /dev/null </dev/null)
	matches "$text" '^ *DOMAIN KIND'
}
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
	check 'a terminal gets colours and its screen back' on_a_terminal
else
	echo '# script(1) makes no terminal: it is not tried'
fi

ctrl_c() {
	local pid status=0
	share 0 1 || return
	"$gntdev" top --machine "$machine" >/dev/null &
	pid=$!
	sleep 1
	kill -TERM "$pid"
	wait "$pid" || status=$?
	is "status $status" 'status 143'
}
check 'top ends by a signal, with its status' ctrl_c

bad_commands() {
	local command
	for command in list top trace; do
		said 125 'see gntdev '"$command"' --help' quiet "$command" --nonsense &&
			said 125 '--domain x: expected a number' "$gntdev" "$command" --domain x &&
			"$gntdev" "$command" --help | grep -q "^usage: gntdev $command" || return
	done
	said 125 'list: more is too much' "$gntdev" list more &&
		said 125 'top: more is too much' "$gntdev" top more &&
		said 125 '--interval 0: expected' "$gntdev" top --interval 0 &&
		said 125 '--process 0: expected' "$gntdev" trace -p 0 &&
		said 125 'true is too much' "$gntdev" trace -p 1 true &&
		said 125 'No such file or directory' "$gntdev" list --machine "$work/nowhere" &&
		said 125 'no machine is there' "$gntdev" list --machine "$work" || return
	ends 125 "$gntdev" nonsense 2>"$work/usage" &&
		grep -q '^usage: gntdev list' "$work/usage" &&
		"$gntdev" --help | grep -q '^usage: gntdev list'
}
# getopt says a line of its own before ours.
quiet() {
	"$gntdev" "$@" 2>&1 | tail -n 1 >&2
	return "${PIPESTATUS[0]}"
}
check 'bad options: one line each, and 125; help for each command' bad_commands

no_xen() {
	[ ! -e /sys/hypervisor/type ] || return 0
	said 125 'does not run on Xen; --machine DIR' "$gntdev" list &&
		said 125 'does not run on Xen; --machine DIR' "$gntdev" top &&
		said 125 'does not run on Xen; --machine DIR' "$gntdev" trace -- true
}
check 'without Xen: one line that says so' no_xen

pipe_that_ends() {
	share 0 1 || return
	# Nobody reads: no complaint but a status, as for others.
	"$gntdev" list --machine "$machine" >/dev/full 2>"$work/error"
	is "status $?" 'status 125' && grep -q 'cannot write' "$work/error"
}
check 'a list that cannot be written is a failure' pipe_that_ends
