# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# The command: statuses, options, programs that it cannot serve.

statuses() {
	ends 0 run -- true && ends 7 run -- sh -c 'exit 7' &&
		ends 137 run -- sh -c 'kill -9 $$'
}
check 'the status is the program'\''s' statuses

arguments() {
	is "$(echo input | run -- sh -c 'cat; printf "<%s>" "$@"' -- --list '' 'a b')" \
		"$(printf 'input\n<--list><><a b>')"
}
check 'arguments, input and output are the program'\''s' arguments

check 'no program of that name: 127' \
	said 127 'nosuchprogram: no such program' run -- nosuchprogram
check 'a file that cannot be run: 126' \
	said 126 'Permission denied' run -- "$here/lib.sh"

bad_options() {
	said 125 '--domain x: expected a number' run --domain x -- true &&
		said 125 '--domain 32752: expected .* to 32751' run --domain 32752 -- true &&
		said 125 '--mode hvm: expected pv, xlat or pvh' run --mode hvm -- true &&
		said 125 '--how x: expected preload or loader' run --how x -- true &&
		said 125 'no program to run' run &&
		said 125 'Give --machine' run --list &&
		said 125 'true is too much' run --list --machine "$work" -- true &&
		said 125 'expected what is to fail' run --fail '' -- true &&
		said 125 'given before' run --fail map:1=-1 --fail map:2=-1 -- true
}
check 'bad options: one line each, and 125' bad_options

# A number is its digits: what else strto*() take, or cut off, would be another.
odd_numbers() {
	local text
	for text in ' 1' +1 0x1 1.0 1e1 '' ' -18446744073709551615' 18446744073709551617; do
		said 125 '^gntdev: --domain .*: expected a number from 0 to 32751' run --domain "$text" -- true || return
	done
	said 125 '^gntdev: --trace-domain x: expected' run --trace "$work/t" --trace-domain x -- true &&
		said 125 '--count 0.5: expected a number from 1 to' timeout 10 "$gntdev" top --count 0.5 &&
		said 125 '--count 1.5: expected a number from 1 to' timeout 10 "$gntdev" top --count 1.5 &&
		said 125 '--process 1.5: expected a number from 1 to' timeout 10 "$gntdev" trace -p 1.5 &&
		said 125 '--interval  1: expected' timeout 10 "$gntdev" top --interval ' 1' &&
		said 125 '--interval inf: expected' timeout 10 "$gntdev" top --interval inf
}
check 'numbers that are none, or more than one thing' odd_numbers

# What is wrong stands behind a name, however long or short that is.
odd_names() {
	local long
	printf -v long '/tmp/%5000s' x
	said 125 'File name too long$' run --machine "${long// /x}" -- true &&
		said 125 '--trace: expected a file' run --trace '' -- true &&
		said 125 '--output: expected a file' "$gntdev" trace --output '' -- true &&
		said 127 "'': no such program" run -- '' &&
		said 125 '^gntdev: --version: x is too much' "$gntdev" --version x || return
	is "$("$gntdev" nonsense 2>&1 | head -n 1)" \
		'gntdev: nonsense: expected list, top, trace, run, --help or --version' &&
		is "$("$gntdev" '' 2>&1 | head -n 1)" \
			"gntdev: '': expected list, top, trace, run, --help or --version"
}
check 'names that are empty, long or unknown are named, with what was expected' odd_names

# Each that prints, onto a full disk and with standard output closed.
unwritten() {
	local command
	act holder -- share 0 1 || return
	for command in --help --version 'run --help' 'list --help' 'top --help' 'trace --help' \
		"run --machine $machine --list" "list --machine $machine" \
		"list --json --machine $machine" "top --count 1 --interval 0.1 --machine $machine"; do
		# shellcheck disable=SC2086 # a command and its options
		said_elsewhere 125 'cannot write' "$gntdev" $command || return
	done
	leave holder 0
}
said_elsewhere() {
	local wanted=$1 pattern=$2 status=0
	shift 2
	"$@" >/dev/full 2>"$work/error" || status=$?
	is "$*: status $status" "$*: status $wanted" && grep -q "$pattern" "$work/error" || return
	status=0
	"$@" >&- 2>"$work/error" || status=$?
	is "$* >&-: status $status" "$* >&-: status $wanted" && grep -q "$pattern" "$work/error"
}
check 'output that is lost is a failure, whichever command has it' unwritten

# refuses PATTERN SPEC...: each of them, and nothing of it is armed.
refuses() {
	local pattern=$1 spec
	shift
	for spec; do
		said 125 "$pattern" run --machine "$machine" --fail "$spec" -- true || return
	done
}

bad_failures() {
	share 2 1 || return
	refuses 'is no failure: expected OP:N=STATUS' map:x map:1=5 map:1=-14 map:0=-1 map:1=-1x map:1 map:-1=-1 \
		'map: 1=-1' map:99999999999999999999=-1 kvmalloc:0 kvmalloc:-1 kvmalloc:1x kvmalloc:1=-1 \
		kvmalloc:18446744073709551616 kvmalloc%101 kvmalloc%0 kvmalloc%-1 kvmalloc%nan kvmalloc%0.00001 \
		kvmalloc any seed= seed=-1 seed=x,any%1 , map:1=-1, ,map:1=-1 map:1=-1,,map:2=-1 map%5 &&
		refuses "there is no call nothing; those that can fail are alloc, any, .*kzalloc, .*copy_status" \
			nothing:1 nothing%1 map:1=-1,nothing:1 nothing=3 &&
		refuses 'seed=5 is of no probability' seed=5 kvmalloc:1,seed=5 &&
		refuses 'would never come: the driver calls it when it is loaded' misc_register:1 &&
		refuses 'would never come' root_device_register:1+ || return
	# The good half of a bad one is not armed.
	is "$(run --machine "$machine" -- "$programs/actor" attempts)" yyyyyyyyyy && leave granter 0
}
check '--fail with what means nothing is refused, and nothing of it is armed' bad_failures

never_there() {
	said 125 'would never come: an auto-translated machine' run --mode xlat --fail umap:1=-1 -- true &&
		ends 0 run --mode pv --fail umap:1=-1 -- true
}
check '--fail of what the machine'\''s mode has not is refused' never_there

static_program() {
	said 126 'static is statically linked: ' run --how preload -- "$programs/static"
}
check '--how preload: a statically linked program is refused with a reason' static_program

static_script() {
	printf '#!%s\n' "$programs/static" >"$work/script"
	chmod +x "$work/script"
	said 126 'script: its interpreter .*static is statically linked' \
		run --how preload -- "$work/script"
}
check 'so is a script with such an interpreter' static_script

static_child() {
	said 0 'static is statically linked' run --how preload -- sh -c "$programs/static; exit 0"
}
check '--how preload: a statically linked child runs, with a word said' static_child

# Whichever way it is started.
every_exec() {
	local way
	for way in execve execv execl execlp execle fexecve execveat execveat-fd \
		syscall-execve syscall-execveat spawn; do
		said 0 'static is statically linked' run --how preload -- \
			"$programs/starter" "$way" "$programs/static" || return
	done
}
check 'the word is said for each exec function' every_exec

# The devices are there all the same.
empty_environment() {
	local way
	for way in empty-execve empty-execle empty-null empty-fexecve empty-spawn; do
		ends 0 run -- "$programs/starter" "$way" "$programs/hooks" || return
	done
	is "$(run -- env -i cat /proc/xen/capabilities)" control_d
}
check 'a child with an empty environment has the devices' empty_environment

no_devices() {
	run -- "$programs/starter" no-preload "$(type -P true)" 2>"$work/stderr" &&
		grep -q 'with an LD_PRELOAD without gntdev.s library' "$work/stderr" &&
		run -- "$programs/starter" no-machine "$(type -P true)" 2>"$work/stderr" &&
		grep -q 'started without GNTDEV_MACHINE' "$work/stderr" &&
		said 0 '/bin/sh is started without LD_PRELOAD' run -- "$programs/starter" system : &&
		said 0 '/bin/sh is started without LD_PRELOAD' run -- "$programs/starter" popen :
}
check 'a child that is told to have none is told of' no_devices

own_functions() {
	ends 0 run -- "$programs/hooks-program" 10 &&
		ends 0 run -- env LD_PRELOAD="$programs/hooks.so:$O/libgntdev-preload.so" "$programs/hooks" 10 &&
		ends 0 env LD_PRELOAD="$programs/hooks.so" timeout 60 "$gntdev" run -- "$programs/hooks"
}
check 'functions of a program'\''s or a library'\''s own that call syscall()' own_functions

# Otherwise what stands before it is called by it, and may end in it.
own_names() {
	readelf --wide --dyn-syms "$O/libgntdev-preload.so" |
		awk '$5 == "GLOBAL" && $7 != "UND" { print $8 }' | sort -u >"$work/exported"
	readelf --wide --relocs "$O/libgntdev-preload.so" |
		awk '{ sub("@.*", "", $5); print $5 }' | sort -u >"$work/called"
	[ -s "$work/exported" ] && grep -qx dlsym "$work/called" &&
		is "$(comm -12 "$work/exported" "$work/called")" ''
}
check 'the library calls none of the names that it exports' own_names

# An ELF header with another class, another processor, another loader.
other_program() {
	cp "$(type -P true)" "$work/other"
	printf "$1" | dd of="$work/other" bs=1 seek="$2" conv=notrunc status=none
	said 126 "$3" run -- "$work/other"
}
check 'a 32-bit program is refused with a reason' \
	other_program '\001' 4 'another processor or word size'
check 'a program for another processor too' \
	other_program '\267' 18 'another processor or word size'

other_loader() {
	sed 's,/lib64/ld-linux-x86-64.so.2,/lib/ld-musl-x86_64.so.1\x00,' \
		"$(type -P true)" >"$work/other"
	chmod +x "$work/other"
	said 126 'does not use the loader' run --how preload -- "$work/other"
}
check '--how preload: a program of another C library too' other_loader

# A file with the note of the Go toolchain's; the rest is as gcc was told.
go_program() {
	cat >"$work/go.s" <<-'END'
		.section .note.go.buildid, "a", @note
		.long 4, 4, 4
		.ascii "Go\0\0"
		.long 0
	END
	gcc "$@" -o "$work/go" "$work/go.c" "$work/go.s" 2>/dev/null
}

# Without a library, with the loader all the same: as -buildmode=pie makes it.
go_alone() {
	printf 'void _start(void){__builtin_trap();}\n' >"$work/go.c"
	go_program -nostdlib -pie -fPIE && readelf -l "$work/go" | grep -q INTERP &&
		said 126 'is a Go program' run --how preload -- "$work/go" &&
		go_program -nostdlib -static &&
		said 126 'is a Go program' run --how preload -- "$work/go"
}
check '--how preload: a Go program too' go_alone

cgo_program() {
	printf '#include <fcntl.h>\nint main(void){return open("/dev/xen/gntdev",O_RDWR)<0;}\n' >"$work/go.c"
	go_program && ends 0 run --how preload -- "$work/go"
}
check '--how preload: but not one that uses the C library, as cgo makes it' cgo_program

set_uid() {
	cp "$(type -P true)" "$work/suid" && chown 65534 "$work/suid" &&
		chmod 4755 "$work/suid" && said 126 'set-uid' run -- "$work/suid"
}
[ "$(id -u)" != 0 ] || check 'a set-uid program too' set_uid

leaves_nothing() {
	local place=$work/place
	mkdir "$place"
	XDG_RUNTIME_DIR='' TMPDIR=$place run -- sh -c 'echo "$GNTDEV_MACHINE"' >"$work/where" || return
	[[ $(cat "$work/where") = "$place"/* ]] || return
	is "$(ls -A "$place")" ''
}
check 'a machine of its own leaves nothing behind' leaves_nothing
