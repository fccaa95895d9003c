# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# The distribution's xenstored, xenstore commands and vchan-socket-proxy.

# Where they are installed, or where their packages have been unpacked.
xen=
for place in /usr/lib/xen-*/bin; do
	[ ! -x "$place/xenstored" ] || xen=$place
done
if [ -z "$xen" ] || [ ! -x /usr/bin/xenstore-read ]; then
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/gntdev/machine
	mkdir -p "$cache"
	[ -x "$cache/usr/bin/xenstore-read" ] || (
		cd "$cache" && apt-get download xen-utils-4.17 xenstore-utils &&
			for package in *.deb; do dpkg-deb -x "$package" . || exit; done
	) >"$work/fetch" 2>&1 || sed 's/^/# /' "$work/fetch"
	xen=$(echo "$cache"/usr/lib/xen-*/bin)
	export GNTDEV_XENSTORED=$xen/xenstored PATH=$cache/usr/bin:$PATH
	export LD_LIBRARY_PATH=$cache/usr/lib/x86_64-linux-gnu
fi
check 'the tests have a xenstored' test -x "$xen/xenstored"

store() {
	is "$(run --mode "$mode" -- sh -c 'xenstore-write /a/b c && xenstore-read a/b /a/b domid 2>/dev/null; xenstore-read /a/b domid')" "$(printf 'c\n0')" &&
		is "$(run --mode "$mode" --report --domain 9 -- sh -c 'xenstore-write data/x y && xenstore-read /local/domain/9/data/x domid')" "$(printf 'y\n9')"
}

protected() {
	said 1 'Permission denied|EACCES' run --domain 9 -- xenstore-ls / &&
		said 1 "couldn't read path /secret" run --machine "$machine" -- sh -c \
			"xenstore-write /secret 1 && exec $gntdev run --machine $machine --domain 9 -- xenstore-read /secret"
}

# A watch of one domain sees what another one writes.
watched() {
	run --machine "$machine" --domain 3 -- sh -c \
		'xenstore-write data/w 1 && xenstore-chmod data/w n3 b4 && echo ready && exec timeout 10 xenstore-watch -n 2 data/w' \
		>"$work/watch" 2>&1 &
	local watcher=$!
	soon grep -q ready "$work/watch" && soon grep -q data/w "$work/watch" &&
		run --machine "$machine" --domain 4 -- xenstore-write /local/domain/3/data/w 2 &&
		wait "$watcher" && cat "$work/watch" &&
		is "$(grep -c data/w "$work/watch")" 2
}

# Programs of one domain share its connection.
together() {
	run --domain 7 --report -- sh -c '
		for i in 1 2 3 4 5 6 7 8; do
			(for j in 1 2 3 4 5 6 7 8 9 10; do
				xenstore-write data/$i/$j $i.$j
				[ $(xenstore-read data/$i/$j) = $i.$j ] || echo bad
			done) &
		done
		wait
		xenstore-list data | wc -l' >"$work/together" 2>&1
	is "$(cat "$work/together")" 8
}

vchan() {
	local size=$((8 * 1048576)) server client
	head -c $size /dev/urandom >"$work/sent"
	head -c $size /dev/urandom >"$work/back"
	mkfifo "$work/hold1" "$work/hold2" 2>/dev/null
	run --machine "$machine" --mode "$mode" --domain 1 --report -- \
		"$xen/vchan-socket-proxy" -m server 2 data/vchan - \
		< <(cat "$work/sent" && read -r <"$work/hold1") >"$work/came-back" 2>"$work/server.err" &
	server=$!
	soon test -e "$machine/xenstored/socket" && soon is_offered &&
		run --machine "$machine" --domain 2 --report -- \
			"$xen/vchan-socket-proxy" -m client 1 /local/domain/1/data/vchan - \
			< <(cat "$work/back" && read -r <"$work/hold2") >"$work/came" 2>"$work/client.err" &
	client=$!
	soon arrived $size; soon arrived $size; soon arrived $size
	arrived $size
	local status=$?
	case $1 in
	end) echo >"$work/hold2" ;;
	kill-client) kill -9 "$(pgrep -nf 'vchan-socket-proxy -m client')" ;;
	kill-server) kill -9 "$(pgrep -nf 'vchan-socket-proxy -m server')" ;;
	esac
	wait $server
	echo "server $?" >"$work/ended"
	wait $client
	echo "client $?" >>"$work/ended"
	# Readers that nobody woke.
	timeout 1 sh -c "echo >'$work/hold1'; echo >'$work/hold2'" 2>/dev/null
	cat "$work/ended" "$work/server.err" "$work/client.err"
	is "$status" 0 && cmp "$work/sent" "$work/came" && cmp "$work/back" "$work/came-back"
}

is_offered() {
	[ -n "$(run --machine "$machine" --domain 1 -- xenstore-read data/vchan/event-channel 2>/dev/null)" ]
}

arrived() {
	[ "$(stat -c %s "$work/came" 2>/dev/null)" = "$1" ] &&
		[ "$(stat -c %s "$work/came-back")" = "$1" ]
}

vchan_ends() {
	vchan end && grep -q 'server 0' "$work/ended" && grep -q 'client 0' "$work/ended"
}

# What is left is the killed one's, and reported.
notices() {
	vchan "kill-$1" && grep -q "$1 137" "$work/ended" && grep -q "$2 0" "$work/ended"
}

for mode in pv xlat; do
	check "$mode: programs of domain 0 and another one use the store" store
	check "$mode: vchan-socket-proxy moves megabytes both ways" vchan_ends
	check "$mode: the server notices kill -9 of the client" notices client server
	check "$mode: the client notices kill -9 of the server" notices server client
done
check 'a domain reads only what it may' protected
check 'a watch sees what another domain writes' watched
check 'many programs of a domain use the store at once' together

# Programs that come just then have it started by their threads, with which it ended.
lives_on() {
	local other
	for _ in {1..12}; do
		rm -rf "$machine"
		run --machine "$machine" --wait-for xenstore:/local/domain/0/domid -- sleep 0.3 2>"$work/err1" &
		other=$!
		run --machine "$machine" --domain 1 -- sh -c 'for i in 1 2 3 4 5 6 7 8 9; do
			/bin/true & /bin/true & /bin/true & /bin/true; done; sleep 0.1' 2>"$work/err2"
		wait "$other"
		cat "$work/err1" "$work/err2"
		[ ! -s "$work/err1" ] && [ ! -s "$work/err2" ] || return
	done
}
check 'xenstored lives on, whoever comes while it is started' lives_on

not_installed() {
	GNTDEV_XENSTORED=$work/none said 1 'xenstored is not installed' run -- sh -c 'exec xenstore-read domid 2>/dev/null'
}
check 'where xenstored is not installed, a line says so' not_installed

broken() {
	GNTDEV_XENSTORED=$(type -P false) said 1 'xenstored .*ended with status 1' \
		run -- sh -c 'exec xenstore-read domid 2>/dev/null'
}
check 'where it does not start, a line says so' broken

dies() {
	run --machine "$machine" -- sh -c '
		xenstore-write /a 1
		kill -9 $(pgrep -P $(cat $GNTDEV_MACHINE/lock))
		sleep 0.2
		timeout 5 xenstore-read /a; echo status $?' >"$work/stdout" 2>"$work/dies"
	cat "$work/stdout" "$work/dies"
	grep -q 'status 1' "$work/stdout" && grep -q 'ended by signal 9' "$work/dies"
}
check 'where it dies, a line says so and nothing hangs' dies

# A backend that is started first, and a frontend that says where it is.
waits_for_key() {
	local other status=0
	rm -f "$work/started"
	(
		sleep 0.7
		run --machine "$machine" --domain 1 -- sh -c '
			xenstore-write data/ref 8
			xenstore-write data/state 4
			n=0
			until [ -e "$1" ] || [ $n = 400 ]; do sleep 0.05; n=$((n + 1)); done' sh "$work/started"
	) &
	other=$!
	is "$(run --machine "$machine" --wait-for xenstore:/local/domain/1/data/ref \
		--wait-for xenstore:/local/domain/1/data/state=4 -- \
		xenstore-read /local/domain/1/data/ref)" 8 || status=$?
	touch "$work/started"
	wait "$other"
	return $status
}
check '--wait-for a node of xenstore: a program starts when the other domain is ready' waits_for_key

waits_for_file() {
	rm -f "$work/waited"
	(
		sleep 0.5
		echo yes >"$work/waited"
	) &
	is "$(run --wait-for "$work/waited" -- cat "$work/waited")" yes
}
check '--wait-for a file' waits_for_file

bad_waits() {
	said 125 '--wait-for x: expected a path with a slash' run --wait-for x -- true &&
		said 125 'expected a path' run --wait-for xenstore:x -- true &&
		said 125 'expected a path' run --wait-for '' -- true
}
check '--wait-for what cannot come is refused' bad_waits

# The command that waits has a socket.
is_connected() {
	local pid
	for pid in $(pgrep -f -- "gntdev run .*--wait-for $work/never"); do
		[ "$(readlink "/proc/$pid/exe")" != "$(readlink -f "$gntdev")" ] ||
			! find "/proc/$pid/fd" -lname 'socket:*' | grep -q . || return 0
	done
	return 1
}

lost_while_waiting() {
	share 2 1 || return
	local other status=0
	said 125 'the machine is lost' run --machine "$machine" --wait-for "$work/never" -- true &
	other=$!
	soon is_connected
	sleep 0.5
	kill -9 "$(server)"
	wait "$other" || status=$?
	wait "${pids[granter]}"
	unset "pids[granter]"
	return $status
}
check '--wait-for where the machine is lost meanwhile' lost_while_waiting
