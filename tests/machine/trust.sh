# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# A machine's directory may lie where others write: nothing of theirs is taken
# for a machine's, followed or written to.

# A directory of nobody else's, with a file outside that must stay as it is.
trusted=$work/trusted
fresh() {
	rm -rf "$trusted"
	mkdir -m 700 "$trusted"
	echo precious >"$work/precious"
}

# kept PATTERN: a run in it ends with a line, and the file is as it was.
kept() {
	said 125 "$1" run --machine "$trusted" -- true &&
		is "$(cat "$work/precious")" precious
}

writable_by_others() {
	local mode
	for mode in 777 1777 770; do
		fresh
		chmod "$mode" "$trusted"
		kept "trusted: can be written by others \(mode $mode\)" || return
		said 125 'can be written by others' run --machine "$trusted" --list || return
		is "$(ls -A "$trusted")" '' || return
	done
}
check 'a directory that others may write to is refused' writable_by_others

linked_folder() {
	fresh
	ln -sfn "$trusted" "$work/link"
	local path
	for path in link link/ link/.; do
		said 125 'link: is a symbolic link' run --machine "$work/$path" -- true || return
	done
	is "$(ls -A "$trusted")" ''
}
check 'a directory that is a symbolic link is refused' linked_folder

linked_file() {
	local name
	for name in lock log socket xenstore; do
		fresh
		ln -s "$work/precious" "$trusted/$name"
		kept "trusted/$name: is (a symbolic link|there and is not a socket)" || return
	done
}
check 'lock, log and sockets that are symbolic links: a line, and nothing is emptied' linked_file

hard_link() {
	local name
	for name in lock log; do
		fresh
		ln "$work/precious" "$trusted/$name"
		kept "trusted/$name: has 2 names" || return
	done
}
check 'so are a lock and a log with a second name' hard_link

fifo() {
	local name
	for name in lock log socket xenstore; do
		fresh
		mkfifo "$trusted/$name"
		kept "trusted/$name: is there and is not a (regular file|socket)" || return
	done
}
check 'a FIFO in the place of each: a line, and no wait' fifo

somebodys() {
	fresh
	echo precious >"$trusted/log"
	kept 'trusted/log: is there, but no lock' &&
		is "$(cat "$trusted/log")" precious || return
	fresh
	echo precious >"$trusted/lock"
	kept "trusted/lock: is there and is no machine's" &&
		is "$(cat "$trusted/lock")" precious
}
check 'a lock and a log that are no machine'\''s are left alone' somebodys

# foreign MODE OPTION...: listens in the directory.
foreign() {
	local mode=$1
	shift
	rm -f "$work/foreign.in" "$work/foreign.out"
	mkfifo "$work/foreign.in" "$work/foreign.out"
	exec {to}<>"$work/foreign.in" {from}<>"$work/foreign.out"
	"$@" "$programs/foreign" "$trusted/socket" "$mode" <"$work/foreign.in" >"$work/foreign.out" 2>&1 &
	in[foreign]=$to out[foreign]=$from pids[foreign]=$!
	hear foreign && is "$line" listening
}

# both PATTERN: --list and a run end with a line; at once, as both wait.
both() {
	local other status=0
	said 125 "$1" run --machine "$trusted" --list >"$work/list" 2>&1 &
	other=$!
	said 125 "$1" run --machine "$trusted" -- true || status=$?
	wait "$other" || status=$?
	cat "$work/list"
	return $status
}

silent_server() {
	fresh
	foreign silent && both 'its server has not answered for 20 seconds'
}
check '--list and a run where somebody listens and says nothing' silent_server

deaf_server() {
	fresh
	foreign deaf && both 'its server has taken no connection for 20 seconds'
}
check '--list and a run where somebody takes no connection' deaf_server

# What needs two users.
other=(setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all)
preload=$work/copy3/libgntdev-preload.so
mkdir -p "${preload%/*}"
cp "$O/libgntdev-preload.so" "$programs/foreign" "${preload%/*}/"

others_folder() {
	fresh
	chown 65534 "$trusted"
	kept 'trusted: belongs to user 65534, not to user 0' &&
		said 125 'belongs to user 65534' run --machine "$trusted" --list
}

others_file() {
	local name
	for name in lock log; do
		fresh
		touch "$trusted/$name"
		chown 65534 "$trusted/$name"
		kept "trusted/$name: belongs to user 65534" || return
	done
}

# One that was there before the directory became the user's own.
others_server() {
	fresh
	chmod 777 "$trusted"
	programs=${preload%/*} foreign silent "${other[@]}" || return
	chmod 700 "$trusted"
	kept 'trusted/socket: belongs to user 65534' || return
	chown 0 "$trusted/socket"
	kept 'trusted/socket: the other end is of user 65534' &&
		said 125 'the other end is of user 65534' run --machine "$trusted" --list &&
		said 125 "cannot join the machine: its server is another user's" \
			env GNTDEV_MACHINE="$trusted" LD_PRELOAD="$preload" true
}

others_client() {
	share 2 1 || return
	chmod 711 "$machine"
	chmod 666 "$machine/socket"
	said 125 'cannot join the machine: the other end is of user 65534' \
		"${other[@]}" env GNTDEV_MACHINE="$machine" LD_PRELOAD="$preload" true &&
		grep -q 'process [0-9]* is refused: the other end is of user 65534' "$machine/log" &&
		leave granter 0
}
if [ "$(id -u)" = 0 ]; then
	check 'another user'\''s directory is refused' others_folder
	check 'so are another user'\''s files in it' others_file
	check 'so is another user'\''s server, by the command and by a program' others_server
	check 'a server refuses another user'\''s program' others_client
else
	echo '# two users are wanted: another user'\''s directories are not tried'
fi
