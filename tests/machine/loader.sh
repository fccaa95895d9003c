# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# The loader: programs that no library can be given, and what they find.

built=$work/built
mkdir "$built"

# shares NAME OPTION... -- COMMAND...: the command builds $built/NAME, which then
# grants and maps a page; a point of its own.
shares() {
	local name=$1 options=() line
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	"$@" || return
	line=$(run "${options[@]}" -- "$built/$name") || {
		echo "$line"
		return 1
	}
	is "${line##*$'\n'}" shared
}

# kind DESCRIPTION COMPILER ARGUMENT...: one kind of program.
kind() {
	local description=$1
	shift
	if type -P "$1" >/dev/null; then
		check "$description" shares share -- "$@" -o "$built/share" "$here/share.c"
	else
		echo "# there is no $1: not tried: $description"
	fi
}

kind 'a statically linked program' gcc -static
kind 'a static-pie' gcc -static-pie
kind 'a statically linked program of musl' musl-gcc -static
kind 'a dynamic program of musl' musl-gcc
kind 'a statically linked C++ program' g++ -static -x c++
check 'a program that is not position-independent' \
	shares share --how loader -- gcc -no-pie -o "$built/share" "$here/share.c"
for by_hand in '' '-static' '-static-pie'; do
	# shellcheck disable=SC2086 # one option, or none
	check "a program that makes system calls by hand ${by_hand:-(dynamic)}" \
		shares share --how loader -- gcc -DBY_HAND $by_hand -o "$built/share" "$here/share.c"
done
for sanitizer in address undefined thread; do
	check "a program with -fsanitize=$sanitizer" shares share --how loader -- \
		gcc -fsanitize="$sanitizer" -o "$built/share" "$here/share.c"
done

# A number and the call, one after the other, is seen in a program's text.
seen_by_hand() {
	cat >"$built/seen.c" <<-'END'
		static const char path[] = "/dev/xen/gntdev";
		int main(void)
		{
		#ifdef __x86_64__
			long result;

			__asm__ volatile("mov $257, %%eax\n\tsyscall"
					 : "=&a"(result) : "D"(-100L), "S"(path), "d"(2L) : "rcx", "r11", "memory");
		#else
			register long result __asm__("x0") = -100;
			register const char *at __asm__("x1") = path;
			register long flags __asm__("x2") = 2;

			__asm__ volatile("mov x8, #56\n\tsvc #0" : "+r"(result) : "r"(at), "r"(flags) : "x8", "memory");
		#endif
			return result < 0;
		}
	END
	gcc -O2 -o "$built/seen" "$built/seen.c" && ends 0 run -- "$built/seen" &&
		ends 0 run -- sh -c "$built/seen" && ends 1 run --how preload -- "$built/seen"
}
check 'a dynamic program in whose text such a call is seen' seen_by_hand

go_build() {
	(cd "$here" && HOME=$work GOCACHE=$work/go-cache GOFLAGS=-mod=mod go build "$@" -o "$built/go" share.go)
}
with_c() {
	sed 's/^package main$/&\n\nimport "C"/' "$here/share.go" >"$built/cgo.go" &&
		(cd "$built" && HOME=$work GOCACHE=$work/go-cache GOFLAGS=-mod=mod CGO_ENABLED=1 go build -o cgo cgo.go)
}
if type -P go >/dev/null; then
	check 'a Go program' shares go -- env CGO_ENABLED=0 bash -c "$(declare -f go_build); here='$here' work='$work' built='$built' go_build"
	check 'a Go program that is position-independent' shares go -- go_build -buildmode=pie
	check 'a Go program that uses C' shares cgo -- with_c
else
	echo '# there is no go: no Go program is tried'
fi

rust_build() {
	rustc -O "$@" -o "$built/rust" "$here/share.rs"
}
if type -P rustc >/dev/null; then
	check 'a Rust program' shares rust --how loader -- rust_build
	check 'a statically linked Rust program' shares rust -- rust_build -C target-feature=+crt-static
else
	echo '# there is no rustc: no Rust program is tried'
fi

if [ "$(busybox 2>/dev/null | head -c 7)" = BusyBox ]; then
	busybox_sees() {
		is "$(run -- busybox sh -c 'cd /dev && cat /proc/xen/capabilities && test -c xen/gntdev && ls -l //dev/./xen/evtchn | cut -c 1')" \
			$'control_d\nc'
	}
	check 'busybox' busybox_sees
	all_without_environment() {
		is "$(run -- busybox env -i busybox env -i cat /proc/xen/capabilities)" control_d &&
			is "$(run -- env -i busybox env -i cat /proc/xen/capabilities)" control_d &&
			is "$(run -- busybox env -i busybox env | sed 's/=.*//' | sort | xargs)" \
				'GNTDEV_DOMAIN GNTDEV_MACHINE GNTDEV_RUN XENSTORED_PATH XENSTORED_ROOTDIR XENSTORED_RUNDIR'
	}
	check 'children with an empty environment, of either kind' all_without_environment
	# Where the loader's path leads nowhere; the machine's neither.
	in_chroot() {
		mkdir -p "$work/root/bin" && cp "$(type -P busybox)" "$work/root/bin/" &&
			is "$(run -- busybox chroot "$work/root" /bin/busybox sh -c \
				'exec /bin/busybox sh -c "busybox echo from there"')" 'from there'
	}
	[ "$(id -u)" != 0 ] || check 'programs are started after chroot()' in_chroot
else
	echo '# there is no busybox: it is not tried'
fi

# What is linked to the C library, past the names of others.
past_names() {
	cat >"$built/past.c" <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		int main(void)
		{
			void *library = dlopen("libc.so.6", RTLD_NOW | RTLD_DEEPBIND);
			int (*open)(const char *, int) = dlsym(library, "open");

			return open("/dev/xen/gntdev", 2) < 0;
		}
	END
	gcc -o "$built/past" "$built/past.c" && ends 0 run --how loader -- "$built/past" &&
		ends 1 run --how preload -- "$built/past"
}
check 'a program that asks the C library itself for open()' past_names

# relayed DESCRIPTION COMMAND...: its points, each with the description before.
relayed() {
	local description=$1
	shift
	relay < <(
		"$@" 2>&1 | sed -E "s/^((not )?ok [0-9]+ - )/\1$description: /"
		echo "behave-status ${PIPESTATUS[0]}"
	) >"$work/behave"
	grep -v '^# behave-status' "$work/behave"
	grep -q '^# behave-status [01]$' "$work/behave"
	point $? "$description: ran to its end"
}
relayed 'plain, on no machine' "$programs/plain"
relayed 'plain, loaded' run --how loader -- "$programs/plain"
relayed 'plain, static' run -- "$programs/plain-static"
relayed 'behave, loaded' run --how loader -- "$programs/behave"
relayed 'behave, static, xlat' run --mode xlat -- "$programs/behave-static"

# Whichever way it is started, by a program that has the library.
started() {
	local way
	for way in execve execv execl execlp execle fexecve execveat execveat-fd \
		syscall-execve syscall-execveat spawn empty-execve empty-execle empty-null \
		empty-fexecve empty-spawn; do
		is "$(run -- "$programs/starter" "$way" "$programs/share-static")" shared || {
			echo "by $way"
			return 1
		}
		is "$(run --how loader -- "$programs/starter" "$way" "$programs/share-static")" shared || {
			echo "by $way, loaded"
			return 1
		}
	done
}
check 'each exec function starts a statically linked program with the devices' started

# As a test program does it that has a frontend in another domain.
starts_runs() {
	local way
	for way in preload loader; do
		is "$(run --how $way -- sh -c "'$gntdev' run -- '$programs/share-static' &&
			'$gntdev' run --machine \"\$GNTDEV_MACHINE\" --how loader -- \
				sh -c '$programs/share-static'")" $'shared\nshared' || {
			echo "$way"
			return 1
		}
	done
}
check 'a program on a machine runs others on machines' starts_runs

scripts() {
	printf '#!%s\n' "$programs/share-static" >"$work/shared"
	chmod +x "$work/shared"
	printf 'exec %s\n' "$programs/share-static" >"$work/bare"
	chmod +x "$work/bare"
	is "$(run --how loader -- "$work/bare")" shared &&
		is "$(run -- "$work/shared")" shared && is "$(run -- sh -c "$work/shared")" shared &&
		is "$(run --how loader -- sh -c "$work/shared")" shared
}
check 'a script with such an interpreter' scripts

without_rights() {
	TMPDIR=/tmp XDG_RUNTIME_DIR='' ends 0 timeout 60 "${nobody[@]}" "$@" \
		"$copy/gntdev" run -- "$copy/plain-static" 'program'
}
# Once: a server that still ends cannot be written over.
copy=$work/copy4
mkdir "$copy"
cp "$programs/plain-static" "$O"/gntdev* "$copy/"
nobody=()
[ "$(id -u)" != 0 ] ||
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all)
check 'it needs no rights' without_rights
container=(unshare --user --map-root-user --pid --fork --mount-proc --net)
if "${nobody[@]}" "${container[@]}" true 2>/dev/null; then
	check 'it works in an unprivileged container' without_rights "${container[@]}"
else
	echo '# this system allows no unprivileged container'
fi

addresses() {
	ends 0 setarch -R timeout 60 "$gntdev" run -- "$programs/share-static" &&
		ends 0 bash -c "ulimit -s unlimited; exec timeout 60 '$gntdev' run --how loader -- '$programs/plain' heap" &&
		ends 0 setarch -R timeout 60 "$gntdev" run --how loader -- "$programs/plain" vector
}
check 'without randomness, and with a stack without a limit' addresses

# What cannot be served either way runs without devices, but for a word.
unreadable() {
	cp "$(type -P true)" "$work/unreadable" && chmod 711 "$work/unreadable" &&
		TMPDIR=/tmp XDG_RUNTIME_DIR='' ends 126 timeout 60 "${nobody[@]}" \
			"$copy/gntdev" run --how loader -- sh -c "$work/unreadable" 2>"$work/stderr"
	cat "$work/stderr"
	grep -q 'unreadable may be run, but not read' "$work/stderr"
}
[ "$(id -u)" != 0 ] || check 'a child that may not be read: a line says why' unreadable

other_words() {
	cp "$(type -P true)" "$work/words"
	printf '\001' | dd of="$work/words" bs=1 seek=4 conv=notrunc status=none
	said 126 'another processor or word size' run --how loader -- "$work/words"
}
check 'a 32-bit program: a line says why' other_words

killed() {
	act granter --domain 1 --how loader -- share 2 1 || return
	refs=${line#shared } && refs=${refs% port*}
	act mapper --domain 2 --how loader -- map 1 "$refs" || return
	kill -9 "$(process mapper)"
	leave mapper 137
	ask granter check good && leave granter 0
}
check 'kill -9 of a loaded program' killed
