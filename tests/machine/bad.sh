# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What may go wrong with a machine: one line each and a status, and no hang.

lost() {
	share 2 1 || return
	kill -9 "$(server)"
	# An event that will never come: the descriptor has ended, and the wait.
	printf 'wait\n' >&"${in[granter]}"
	local status=0
	wait "${pids[granter]}" || status=$?
	unset "pids[granter]"
	cat "$work/granter.err"
	is "$status" 125 &&
		is "$(grep -c '^gntdev: ' "$work/granter.err")" 1 &&
		grep -q 'the machine is lost: its server' "$work/granter.err"
}
check 'a lost server' lost

lost_private() {
	mkdir "$work/private"
	said 125 'the machine is lost: its server was ended by signal 9' \
		env XDG_RUNTIME_DIR= TMPDIR="$work/private" timeout 60 "$gntdev" run -- sh -c 'kill -9 $(cat $GNTDEV_MACHINE/lock); exec sleep 0.3' &&
		is "$(ls -A "$work/private")" ''
}
check 'a lost server of a machine of its own' lost_private

# After a crash its directory is good for another machine.
again() {
	run --machine "$machine" -- sh -c 'kill -9 $(cat $GNTDEV_MACHINE/lock)' 2>/dev/null
	ends 0 run --machine "$machine" -- true
}
check 'the directory of a lost machine is used again' again

hung() {
	share 2 1 || return
	local pid
	pid=$(server)
	kill -STOP "$pid"
	said 125 'its server has not answered' timeout 60 "$gntdev" run --machine "$machine" -- true
	local status=$?
	kill -CONT "$pid"
	[ $status = 0 ] && leave granter 0
}
check 'a server that hangs' hung

second() {
	share 2 1 || return
	is "$("$O/gntdev-server" "$machine" pv 1)" busy && leave granter 0
}
check 'a second server on a directory' second

# Many at once: one of them starts it, the others join. Each stays until all
# are there.
race() {
	local i all=()
	rm -rf "$work/there"
	mkdir "$work/there"
	for i in 1 2 3 4 5 6 7 8; do
		run --machine "$machine" --domain "$i" -- sh -c '
			touch "$1/$2"
			until [ -e "$1/8" ] && [ "$(ls "$1" | wc -l)" = 8 ]; do sleep 0.02; done
			cat "$GNTDEV_MACHINE/lock"' sh "$work/there" "$i" >"$work/race.$i" 2>&1 &
		all+=($!)
	done
	for i in "${all[@]}"; do
		wait "$i" || return
	done
	cat "$work"/race.*
	is "$(sort -u "$work"/race.* | wc -l)" 1
}
check 'many runs that start one machine' race

other_mode() {
	mode=pv share 2 1 || return
	said 125 'is in mode pv, not xlat' run --machine "$machine" --mode xlat -- true &&
		leave granter 0
}
check 'another mode than the machine'\''s' other_mode

other_version() {
	local version
	version=$(sed -n 's/^#define PROTOCOL_VERSION \([0-9]*\)u$/\1/p' "$top/machine/protocol.h")
	share 2 1 || return
	said 125 "speaks version $version of the protocol, this program 99" \
		timeout 20 "$programs/other-version" run --machine "$machine" -- true &&
		said 125 "cannot join the machine: .*speaks version $version" \
			env GNTDEV_MACHINE="$machine" LD_PRELOAD="$programs/other-version.so" true &&
		leave granter 0
}
check 'a client of another version' other_version

# One message that means nothing ends one connection, and nobody else's.
bad_message() {
	share 2 1 || return
	is "$("$programs/speak" "$machine/socket" "$1" "$2")" "$3" &&
		ask granter check good && leave granter 0
}
check 'a process of a domain that cannot be' bad_message 99999 1 'hello: -22'
check 'a process of the first number that is no domain'\''s' bad_message 32752 1 'hello: -22'
check 'an open of no file' bad_message 1 0 'open: -22'
check 'an open of a file that only requests make' bad_message 1 7 'open: -22'
check 'an open of a file that there is not' bad_message 1 4000000000 'open: -2'

# What breaks the rules does itself no good, and nobody else harm.
descriptors_of() {
	find "/proc/$1/fd" -mindepth 1 | wc -l
}
few_descriptors() {
	[ "$(descriptors_of "$1")" -lt "$2" ]
}
misled() {
	local before pid
	share 2 1 || return
	before=$(descriptors_of "$(server)")
	"$programs/mislead" "$machine/socket" "$1" <"$work/never" &
	pid=$!
	sleep 0.5
	ask granter check good && act other --domain 2 -- attempts &&
		is "$line" nnnnnnnnnn && run --machine "$machine" --list >/dev/null &&
		{ [ "$1" != descriptors ] || soon few_descriptors "$(server)" $((before + 30)); }
	local status=$?
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	[ "$status" = 0 ] && leave granter 0
}
rm -f "$work/never"
mkfifo "$work/never"
exec {never}<>"$work/never"
check 'many descriptors beside a message' misled descriptors
check 'a connection that is sent again and again, and not read' misled answers
check 'a process that speaks for the first time again and again' misled adopt
check 'a process that ends in a call, with a connection that is somebody else'\''s too' misled call
exec {never}>&-

domain_of_environment() {
	share 2 1 || return
	said 125 'cannot join the machine: there is no such domain: .* 0 to 32751' \
		run --machine "$machine" -- env GNTDEV_DOMAIN=99999 true &&
		ask granter check good && leave granter 0
}
check 'GNTDEV_DOMAIN above the last domain: a line, and others go on' domain_of_environment

damaged() {
	local folder=$work/damaged
	touch "$work/file"
	said 125 'file: is not a directory' run --machine "$work/file" -- true &&
		said 125 'No such file or directory' run --machine "$work/none/m" -- true || return
	mkdir -p "$folder/lock"
	said 125 'damaged/lock: Is a directory' run --machine "$folder" -- true || return
	rmdir "$folder/lock"
	touch "$folder/socket"
	said 125 'damaged/socket: is there and is not a socket' run --machine "$folder" -- true || return
	rm "$folder/socket"
	rm -f "$folder/log"
	mkdir "$folder/log"
	said 125 'damaged/log: Is a directory' run --machine "$folder" -- true || return
	rmdir "$folder/log"
	ends 0 run --machine "$folder" -- true
}
check 'a damaged directory' damaged

unwritable() {
	mkdir -p "$work/locked"
	chmod 500 "$work/locked"
	if [ "$(id -u)" = 0 ]; then
		chown 65534 "$work/locked"
		said 125 'Permission denied' setpriv --reuid 65534 --regid 65534 --clear-groups \
			--bounding-set=-all "$copy/gntdev" run --machine "$work/locked" -- true
	else
		said 125 'Permission denied' run --machine "$work/locked" -- true
	fi
}
copy=$work/copy2
mkdir -p "$copy"
cp "$O/gntdev" "$O/gntdev-server" "$O/gntdev-loader" "$O/libgntdev-preload.so" "$copy/"
check 'a directory that may not be written' unwritable

long_path() {
	local folder
	folder=$work/$(printf 'a%.0s' {1..90})
	said 125 'the path has [0-9]+ bytes' run --machine "$folder" -- true
}
check 'a path that no socket can have' long_path

removed() {
	share 2 1 || return
	rm -rf "$machine"
	# Who is there stays there.
	ask granter check good && leave granter 0
}
check 'a directory that is removed meanwhile' removed

full_disk() {
	# A file system of two pages, filled.
	unshare --user --map-root-user --mount sh -c '
		mount -t tmpfs -o size=8k none "$1" || exit 99
		head -c 100000 /dev/zero >"$1/filler" 2>/dev/null
		mkdir "$1/m" 2>/dev/null
		"$2" run --machine "$1/m" -- true' sh "$work/disk" "$gntdev"
}
mkdir -p "$work/disk"
if unshare --user --map-root-user --mount true 2>/dev/null; then
	check 'a full disk' said 125 'No space left on device' timeout 60 bash -c "$(declare -f full_disk); work='$work' gntdev='$gntdev' full_disk"
else
	echo '# no file system can be mounted here: a full disk is not tried'
fi

no_memory() {
	said 125 'annot allocate memory|no memory|no address space' \
		timeout 60 sh -c "ulimit -v \$1; exec $gntdev run -- true" sh "$1"
}
check 'no memory to start with' no_memory 60000
# The server is up then, and has none left for a domain.
check 'no memory for a domain' no_memory 4300000

# However few there are: a line and a status, or it works.
few_descriptors() {
	local n status refused=0
	for n in {8..20}; do
		status=0
		timeout 60 sh -c "ulimit -n $n; exec $gntdev run -- true" >"$work/few" 2>&1 || status=$?
		echo "$n descriptors: status $status: $(cat "$work/few")"
		[ "$status" != 0 ] || continue
		is "$status $(wc -l <"$work/few")" '125 1' || return
		refused=$((refused + 1))
	done
	[ "$refused" != 0 ] && is "$status" 0
}
check 'too few descriptors' few_descriptors

# Those that the library and the loader keep for later are not for then.
hardly_any() {
	local way
	for way in preload loader; do
		is "$(run --how $way -- sh -c 'ulimit -n 6; exec /bin/echo said')" said || {
			echo "$way"
			return 1
		}
	done
}
check 'a program that may have hardly any descriptors' hardly_any

# A server that may have 100: its limit is that of the run that starts it.
small_server() {
	rm -f "$work/small.in" "$work/small.out"
	mkfifo "$work/small.in" "$work/small.out"
	exec {small}<>"$work/small.in" {from}<>"$work/small.out"
	sh -c "ulimit -n 100; exec $gntdev run --machine $machine -- $programs/actor share 2 1" \
		<"$work/small.in" >"$work/small.out" 2>"$work/small.err" &
	in[small]=$small out[small]=$from pids[small]=$!
	hear small
}

# Opens the device as often as it can, lets go of all and opens it again.
hoard() {
	cat >"$work/hoard" <<-'END'
		n=0 fds=()
		while { exec {fd}<>/dev/xen/gntdev; } 2>"$1" && [ $n -lt 200 ]; do
			fds+=("$fd")
			n=$((n + 1))
		done
		# No other program can join meanwhile.
		read -r why <"$1"
		echo "$n: ${why##*: }"
		for fd in "${fds[@]}"; do
			exec {fd}>&-
		done
		exec {fd}<>/dev/xen/gntdev && echo again
	END
	run --machine "$machine" -- bash "$work/hoard" "$work/why"
}

server_full_of_devices() {
	small_server || return
	local said
	said=$(hoard) || return
	echo "$said"
	cat "$machine/log"
	[[ $said =~ ^[3-9][0-9]:\ Too\ many\ open\ files\ in\ system.*again$ ]] &&
		is "$(grep -c 'is out of descriptors' "$machine/log")" 1 &&
		ask small check good && leave small 0
}
check 'a server out of descriptors: ENFILE, a line in the log, and it lives on' server_full_of_devices

# all_have_come N: they run, or have been refused.
all_have_come() {
	[ "$(find "$work" -name 'full.*.runs' -o -name 'full.*.said' -size +0 | wc -l)" = "$1" ]
}

server_full_of_processes() {
	small_server || return
	local i hold refused all=()
	rm -f "$work"/full.* "$work/hold"
	mkfifo "$work/hold"
	exec {hold}<>"$work/hold"
	# shellcheck disable=SC2016 # it expands that
	for i in {1..60}; do
		run --machine "$machine" -- sh -c ': >"$1.runs" && exec cat "$2"' sh \
			"$work/full.$i" "$work/hold" 2>"$work/full.$i.said" {hold}>&- &
		all+=($!)
	done
	# All of them stay until the last one has come.
	soon all_have_come 60
	exec {hold}>&-
	wait "${all[@]}"
	refused=$(cat "$work"/full.*.said | grep -c 'Too many open files in system')
	cat "$work"/full.*.said | sort | uniq -c
	# None for another reason, and none hangs.
	[ "$refused" -gt 5 ] && is "$(cat "$work"/full.*.said | wc -l)" "$refused" &&
		ends 0 run --machine "$machine" -- true &&
		ask small check good && leave small 0
}
check 'the same with more processes than it can have' server_full_of_processes

check 'a limit of files'\'' sizes' said 125 'domain 0: File too large' \
	timeout 60 sh -c "ulimit -f 1000; exec $gntdev run -- true"

check 'the same from the first file on' said 125 'lock: File too large' \
	timeout 60 sh -c "ulimit -f 0; exec $gntdev run --machine '$work/small' -- true"

# The library does without what does not fit into the program.
little_space() {
	is "$(run -- sh -c "ulimit -v 50000; exec $programs/behave exact" | grep -c '^ok')" 1
}
check 'copies in a program with little address space' little_space

no_descriptor() {
	is "$(run -- sh -c "ulimit -n 12; exec $programs/behave exact" | grep -c '^ok')" 1
}
check 'copies in a program with few descriptors' no_descriptor

# The program goes on, and the machine's log tells of it.
used_up() {
	is "$(run --machine "$machine" -- "$programs/behave" 'so it is by threads' | grep -c '^ok')" 1 &&
		cat "$machine/log" &&
		grep -qE 'process [0-9]+ \(behave\) cannot have another connection: Too many open files' \
			"$machine/log"
}
check 'a program without descriptors, and a line in the log' used_up

lost_while_copying() {
	share 2 1 && act mapper --domain 2 -- copies 1 "$refs" || return
	kill -9 "$(server)"
	hear mapper && is "$line" 'failed: Input/output error' || return
	local status=0
	wait "${pids[mapper]}" || status=$?
	unset "pids[mapper]"
	cat "$work/mapper.err"
	is "$status $(grep -c '^gntdev: ' "$work/mapper.err")" '125 1'
}
check 'a server that is lost while a program copies' lost_while_copying
