# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What programs see that look: the devices by coreutils, shells and interpreters.
# tests/abi/look.c has what it is call by call.

names='evtchn gntalloc gntdev privcmd xenbus'

# both DESCRIPTION FUNCTION: a point each for the library and for the loader; $how
# is how.
both() {
	for how in preload loader; do
		check "$1, $how" "$2"
	done
}

# prints WANTED COMMAND...: on the machine, on both outputs.
prints() {
	local wanted=$1
	shift
	is "$(run --how "$how" -- "$@" 2>&1)" "$wanted"
}

long_listing() {
	prints "$(printf 'crw------- %s\n' $names)" \
		bash -c 'ls -l /dev/xen | sed 1d | while read -r mode _ _ _ _ _ _ _ _ name; do echo "$mode $name"; done' &&
		prints '10,' sh -c "ls -l /dev/xen/gntdev | awk '{print \$5}'"
}
both 'ls -l shows character devices' long_listing

all_listed() {
	prints "$(printf '/dev/xen/%s c\n' $names)" \
		bash -c "find /dev/xen -type c -printf '%p %y\n' | sort" &&
		prints "$(printf '%s\n' capabilities privcmd xenbus xsd_kva xsd_port)" ls /proc/xen &&
		prints "$(printf '%s\n' /sys/hypervisor/guest_type /sys/hypervisor/properties/features /sys/hypervisor/type)" \
			bash -c 'find /sys/hypervisor -type f | sort' &&
		prints 'kept' sh -c 'ls "/sys/class/misc/xen!gntdev" | grep kept'
}
both 'find and ls list all files' all_listed

above() {
	prints xen sh -c 'ls /dev | grep -x xen' &&
		prints xen sh -c 'ls /proc | grep -x xen' &&
		prints 'xen!gntdev' sh -c 'ls /sys/class/misc | grep xen' &&
		prints "$(printf '%s\n' xen_gntalloc xen_gntdev)" sh -c 'ls /sys/module | grep xen_gnt' &&
		prints /dev/xen/gntdev sh -c 'find /dev -name gntdev 2>/dev/null'
}
both 'the folders above have them' above

entered() {
	prints "$(printf '%s\n' /dev/xen /dev/xen $names null /dev)" sh -c \
		'cd /dev/xen && pwd && /bin/pwd && ls && ls ../null | sed s,^../,, && cd .. && pwd'
}
both 'a shell goes there and back' entered

patterns() {
	local shell
	for shell in bash dash; do
		type -P "$shell" >/dev/null || continue
		prints '/dev/xen/gntalloc /dev/xen/gntdev xen/evtchn gntdev' "$shell" -c \
			'cd /dev; a="$(echo /d*v/xen/gnt*) $(echo x*/evt*)"; cd xen; echo "$a" g*v' || return
	done
}
both 'patterns of shells' patterns

links() {
	rm -f "$work/link" "$work/folder"
	ln -s /dev/xen/gntdev "$work/link"
	ln -s /dev/xen "$work/folder"
	prints "$(printf '%s\n' /dev/xen/gntdev /dev/xen/evtchn 'character special file' yes)" bash -c \
		"readlink -f $work/link; realpath $work/folder/evtchn; stat -L -c %F $work/link; [ -c $work/folder/gntdev ] && echo yes"
}
both 'symbolic links lead there' links

descriptors() {
	prints "$(printf '%s\n' /dev/xen/gntdev 'character special file' yes)" bash -c \
		'exec 9<>/dev/xen/gntdev; readlink /proc/self/fd/9; stat -L -c %F /dev/fd/9; [ /dev/fd/9 -ef /dev/xen/gntdev ] && echo yes'
}
both 'a descriptor has its name' descriptors

python() {
	prints "$(printf '%s\n' "$names" 'True True True' '/dev/xen/gntdev /dev/xen' 'True True')" python3 -c '
import glob, os, pathlib, stat
folder = os.open("/dev/xen", os.O_RDONLY)
device = os.open("gntdev", os.O_RDWR, dir_fd=folder)
print(*sorted(os.listdir("/dev/xen")))
print("xen" in os.listdir("/dev"), stat.S_ISCHR(os.fstat(device).st_mode), pathlib.Path("/dev/xen/evtchn").is_char_device())
os.chdir(folder)
print(os.path.realpath(f"/proc/self/fd/{device}"), os.getcwd())
print(glob.glob("/dev/*/gntdev") == ["/dev/xen/gntdev"], os.path.samefile(device, "gntdev"))'
}
if type -P python3 >/dev/null; then
	both 'Python' python
else
	echo '# there is no python3: it is not tried'
fi

busybox_looks() {
	prints "$(printf '%s\n' $names /dev/xen 'character special file' 1)" busybox sh -c \
		'cd /dev/xen; busybox ls; pwd; busybox stat -c %F ../xen/gntdev; busybox find /dev -name evtchn -type c | busybox wc -l'
}
if type -P busybox >/dev/null; then
	how=loader check 'busybox, loader' busybox_looks
else
	echo '# there is no busybox: it is not tried'
fi

go_looks() {
	mkdir -p "$work/look-go" && cat >"$work/look-go/look.go" <<-'END' || return
		package main

		import (
			"fmt"
			"os"
			"path/filepath"
		)

		func main() {
			entries, err := os.ReadDir("/dev/xen")
			for _, entry := range entries {
				fmt.Print(entry.Name(), " ", entry.Type()&os.ModeCharDevice != 0, " ")
			}
			status, _ := os.Stat("/dev/xen/gntdev")
			fmt.Println(err, status.Mode())
			os.Chdir("/dev/xen")
			folder, _ := os.Getwd()
			found, _ := filepath.Glob("/dev/x*/gnt*v")
			real, _ := filepath.EvalSymlinks("/dev/../dev/xen/gntdev")
			fmt.Println(folder, found, real)
		}
	END
	(cd "$work/look-go" && HOME=$work GOCACHE=$work/go-cache CGO_ENABLED=0 go build -o look look.go) || return
	prints "$(printf '%s true ' $names)<nil> Dcrw-------
/dev/xen [/dev/xen/gntdev] /dev/xen/gntdev" "$work/look-go/look"
}
if type -P go >/dev/null; then
	how=loader check 'Go, loader' go_looks
else
	echo '# there is no go: it is not tried'
fi

# A link at a path's end: the kernel is asked first, and finds nothing behind it.
by_links() {
	ln -sfn /dev/xen/gntdev "$work/device" && ln -sfn /dev/xen "$work/folder" &&
		prints 'character special file' stat -L -c %F "$work/device" &&
		prints 'symbolic link' stat -c %F "$work/device" &&
		prints control_d sh -c "ln -sfn /proc/xen/capabilities '$work/text'; cat '$work/text'" &&
		prints '/dev/xen 5' bash -c "cd '$work/folder' && echo \$(pwd -P) \$(ls '$work/folder' | wc -l)" &&
		prints /dev/xen/gntdev realpath "$work/device" &&
		prints opened bash -c "test -r '$work/device' && exec 5<>'$work/device' && cat /proc/self/fdinfo/5 >/dev/null && echo opened" &&
		prints opened bash -c "exec 5<'$work/device' 6</dev/fd/5 && echo opened" &&
		prints 'No such file or directory' bash -c "ln -sfn nowhere '$work/lost'; cat '$work/lost' 2>&1 | sed 's/.*: //'"
}
both 'a link to a device leads there' by_links

# What is none of the machine's costs no call more.
costs_nothing() {
	run --how preload -- strace -f -o "$work/calls" sh -c 'test -r /etc/passwd; cat /etc/passwd' >"$work/stdout" &&
		grep -q 'openat.*/etc/passwd' "$work/calls" && is "$(grep -c 'readlink.*/etc/passwd' "$work/calls")" 0
}
if type -P strace >/dev/null; then
	check 'a path that leads elsewhere costs no call more, preload' costs_nothing
else
	echo '# there is no strace: it is not tried'
fi

# Where the machine's directory is nobody's to see, it is a device all the same.
unseen() {
	is "$(run --how "$how" -- setpriv --reuid 65534 --clear-groups stat -c %F /dev/xen/gntdev)" \
		'character special file'
}
if [ "$(id -u)" != 0 ]; then
	echo '# there is no other user: it is not tried'
elif setpriv --reuid 65534 --clear-groups test -r "$(dirname "$gntdev")/libgntdev-preload.so"; then
	both 'for another user' unseen
else
	echo '# the other user may not read the library where it was built: it is not tried'
fi

# A private machine's directory goes with all that is in it.
put_there() {
	local folder
	folder=$(run -- sh -c 'touch /dev/xen/new && ls /dev/xen/new >&2 && echo "$GNTDEV_MACHINE"') &&
		soon test ! -e "$folder"
}
check 'what programs put there goes with a machine of their own' put_there

nothing_left() {
	run --machine "$machine" -- true && soon gone "$(server)" && ! [ -e "$machine/files" ] &&
		is "$(ls "$machine")" "$(printf '%s\n' lock log)"
}
check 'nothing of it is left in the machine'\''s directory' nothing_left
