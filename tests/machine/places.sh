# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# Where it runs: without rights, in containers, and how little it takes.

# What others may read, too.
copy=$work/copy
mkdir -p "$copy"
cp "$O/gntdev" "$O/gntdev-server" "$O/gntdev-loader" "$O/libgntdev-preload.so" "$programs/behave" "$copy/"

# Somebody without rights; who runs this, if that is so already.
nobody=()
if [ "$(id -u)" = 0 ]; then
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all)
fi

unprivileged() {
	TMPDIR=/tmp XDG_RUNTIME_DIR='' ends 0 timeout 60 "${nobody[@]}" "$@" \
		"$copy/gntdev" run -- "$copy/behave" 'process'
}
check 'it needs no rights' unprivileged
# A user, a process, a mount and a network namespace of its own.
container=(unshare --user --map-root-user --pid --fork --mount-proc --net)
if "${nobody[@]}" "${container[@]}" true 2>/dev/null; then
	check 'it works in an unprivileged container' unprivileged "${container[@]}"
else
	echo '# this system allows no unprivileged container'
fi

permits() {
	run --machine "$machine" -- sh -c 'cat "$GNTDEV_MACHINE/lock"; LD_PRELOAD=$LD_PRELOAD:'"$programs/spy.so"' exec env true' \
		>"$work/stdout" 2>"$work/stderr"
	cat "$work/stdout" "$work/stderr"
	grep -qx "permits $(cat "$work/stdout")" "$work/stderr"
}
check 'a process permits the server to reach its memory (Yama)' permits

# What the loader complains of for everybody keeps no server from coming up,
# which has nothing of it.
preloads_nothing() {
	ends 0 env LD_PRELOAD=/nowhere/none.so "$gntdev" run --machine "$machine" -- sh -c '
		! tr "\0" "\n" <"/proc/$(cat "$GNTDEV_MACHINE/lock")/environ" | grep "^LD_PRELOAD="'
}
check 'an LD_PRELOAD of which there is no library' preloads_nothing

# Libraries of the program may begin before the machine's.
early() {
	is "$(run -- sh -c 'LD_PRELOAD=$LD_PRELOAD:'"$programs/early.so"' exec true')" 'early: well'
}
check 'a device is there for a library'\''s constructor' early

yama() {
	local before status=0
	before=$(cat /proc/sys/kernel/yama/ptrace_scope)
	echo 1 >/proc/sys/kernel/yama/ptrace_scope || return
	unprivileged || status=$?
	echo "$before" >/proc/sys/kernel/yama/ptrace_scope
	return $status
}
if [ -w /proc/sys/kernel/yama/ptrace_scope ]; then
	check 'it works where ptrace_scope is 1' yama
else
	echo '# this kernel has no Yama, or ptrace_scope cannot be written: only what it wants is checked'
fi

forbidden() {
	said 125 'may not read this process.s memory.*process_vm_readv' \
		timeout 60 "$programs/forbid" "$gntdev" run -- true
}
check 'where memory cannot be reached, a line says why' forbidden

# A server without rights may not, then; who has all of them may.
undumpable() {
	cp "$programs/starter" "$copy/"
	TMPDIR=/tmp XDG_RUNTIME_DIR='' said 0 'is not dumpable, by PR_SET_DUMPABLE' \
		timeout 60 "${nobody[@]}" "$copy/gntdev" run -- "$copy/starter" undumpable true
}
check 'where PR_SET_DUMPABLE takes memory away, a line says why' undumpable

# After execve() there is no connection yet, and here no way to one.
no_way() {
	local why='no way to the machine: Permission denied' text
	cp "$programs/hooks" "$copy/"
	text=$(TMPDIR=/tmp XDG_RUNTIME_DIR='' timeout 60 "$copy/gntdev" run -- \
		setpriv --reuid 65534 --clear-groups "$copy/hooks" 2>&1)
	printf '%s\n' "$text"
	is "$(grep -c "$why" <<<"$text")" 1 && grep -q 'open: Input/output error' <<<"$text" &&
		is "$(TMPDIR=/tmp XDG_RUNTIME_DIR='' timeout 60 "$copy/gntdev" run -- \
			setpriv --reuid 65534 --clear-groups echo well 2>&1)" well
}
[ "$(id -u)" != 0 ] || check 'where no way leads to the machine, a line says why to who wants it' no_way

little() {
	local kib
	kib=$(run --machine "$machine" -- sh -c \
		'sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$(cat "$GNTDEV_MACHINE/lock")/status"')
	echo "$kib KiB at most"
	[ "$kib" -lt 10240 ]
}
check 'an idle machine takes less than 10 MiB' little

ends_by_itself() {
	run --machine "$machine" -- true && soon gone "$(server)"
}
check 'a machine that nobody uses ends' ends_by_itself

# A daemon holds the machine that its run has left.
outlived() {
	run --machine "$machine" -- sh -c "setsid $programs/actor share 0 1 <$work/daemon.in >$work/daemon.out 2>&1 &" || return
	local pid
	pid=$(server)
	soon grep -q shared "$work/daemon.out" &&
		run --machine "$machine" --list | grep -q 'domain 0' &&
		is "$(server)" "$pid" || return
	echo quit >"$work/daemon.in"
	soon gone "$pid"
}
mkfifo "$work/daemon.in"
exec {daemon}<>"$work/daemon.in"
check 'a process that stays behind keeps its machine' outlived
exec {daemon}<&-

# Programs under sanitizers of their own.
sanitized() {
	gcc "-fsanitize=$1" -g -o "$work/sanitized" "$here/actor.c" \
		-lxengnttab -lxenevtchn -lxentoollog &&
		is "$(run --mode xlat -- "$work/sanitized" attempts)" yyyyyyyyyy &&
		share 2 1 && is "$(echo quit | run --machine "$machine" --domain 2 -- \
		"$work/sanitized" copy 1 "$refs" | head -n 1)" 'copied 0 0 -3' && leave granter 0
}
check 'a program built with AddressSanitizer runs' sanitized address
check 'a program built with ThreadSanitizer runs' sanitized thread

under_valgrind() {
	is "$(run --mode xlat -- valgrind -q --error-exitcode=9 "$programs/actor" attempts 2>&1)" yyyyyyyyyy &&
		share 2 1 && is "$(echo quit | run --machine "$machine" --domain 2 -- \
		valgrind -q --error-exitcode=9 "$programs/actor" copy 1 "$refs" 2>&1 | head -n 1)" 'copied 0 0 -3' &&
		leave granter 0
}
check 'a program runs under valgrind, which finds nothing' under_valgrind

# The library is built of its own sources and of nothing of valgrind's.
without_valgrinds_header() {
	! grep -rlE 'include <valgrind|__has_include' "$top/machine"
}
check 'which it does not owe to a header that may be missing' without_valgrinds_header

# Data that a copy has brought is read and decided upon.
copied_under_valgrind() {
	cat >"$work/decides.c" <<-'END'
		#include <err.h>
		#include <fcntl.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <sys/ioctl.h>
		#include <xen/gntdev.h>
		int main(int argc, char **argv)
		{
			unsigned char *to = malloc(4096);
			struct gntdev_grant_copy_segment segment = {
				.flags = 1, .len = 4096, .dest.virt = to,
				.source.foreign = {.ref = atoi(argv[argc - 1]), .domid = 1},
			};
			struct ioctl_gntdev_grant_copy copy = {.count = 1, .segments = &segment};
			int n = 0;

			if (ioctl(open("/dev/xen/gntdev", O_RDWR), IOCTL_GNTDEV_GRANT_COPY, &copy) || segment.status)
				errx(1, "copy: %d", segment.status);
			for (int i = 0; i < 4096; i++)
				n += to[i] > 7;
			printf("read %d\n", n > 0);
			return 0;
		}
	END
	gcc -g -I"$top/include" -o "$work/decides" "$work/decides.c" && share 2 1 || return
	is "$(run --machine "$machine" --domain 2 -- valgrind -q --error-exitcode=9 \
		"$work/decides" "$refs" 2>&1)" 'read 1' && leave granter 0
}
check 'nor in data that a copy has brought' copied_under_valgrind
