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
		said 125 'no program to run' run &&
		said 125 'Give --machine' run --list &&
		said 125 'true is too much' run --list --machine "$work" -- true &&
		said 125 'map:x' run --fail map:x -- true &&
		said 125 "'map:1=5' is no failure: .*STATUS -1 to -13" run --fail map:1=5 -- true &&
		said 125 "'kvmalloc%101' is no failure" run --fail kvmalloc%101 -- true &&
		said 125 "'kmalloc:1' is no failure" run --fail map:1=-1,kmalloc:1 -- true &&
		said 125 'expected what is to fail' run --fail '' -- true &&
		said 125 'given before' run --fail map:1=-1 --fail map:2=-1 -- true
}
check 'bad options: one line each, and 125' bad_options

static_program() {
	said 126 'static is statically linked: .*link it dynamically' run -- "$programs/static"
}
check 'a statically linked program is refused with a reason' static_program

static_script() {
	printf '#!%s\n' "$programs/static" >"$work/script"
	chmod +x "$work/script"
	said 126 'script: its interpreter .*static is statically linked' run -- "$work/script"
}
check 'so is a script with such an interpreter' static_script

static_child() {
	said 0 'static is statically linked' run -- sh -c "$programs/static; exit 0"
}
check 'a statically linked child runs, with a word said' static_child

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
	said 126 'does not use the loader' run -- "$work/other"
}
check 'a program of another C library too' other_loader

go_program() {
	cat >"$work/go.s" <<-'END'
		.section .note.go.buildid, "a", @note
		.long 4, 4, 4
		.ascii "Go\0\0"
		.long 0
	END
	printf 'int main(void){return 0;}\n' >"$work/go.c"
	gcc -o "$work/go" "$work/go.c" "$work/go.s" 2>/dev/null &&
		said 126 'is a Go program' run -- "$work/go"
}
check 'a Go program too' go_program

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
