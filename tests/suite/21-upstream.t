#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the driver as a series of patches for the kernel's own tree
# Takes: 130
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/gntdev-upstream-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
kernel=$work/kernel
export GIT_AUTHOR_NAME=Tester GIT_AUTHOR_EMAIL=tester@example.org
export GIT_COMMITTER_NAME=Tester GIT_COMMITTER_EMAIL=tester@example.org

# Of Debian's newest kernel source, what it takes to configure a kernel for either
# architecture and to build drivers/xen.
unpack() {
	local folder
	folder=$(lab/fetch amd64 source-7.3) && mkdir "$kernel" &&
		tar -C "$kernel" --strip-components=1 --wildcards --exclude='*/drivers/gpu/*.h' \
			-xf "$folder"/source.tar.xz \
			'*/Kconfig*' '*/Makefile*' '*/Kbuild*' '*/scripts/*' '*/include/*' '*/tools/*' \
			'*/arch/x86/*' '*/arch/arm64/*' '*/arch/arm/*' '*/drivers/xen/*' \
			'*/drivers/*.h' \
			'*/kernel/*' '*/lib/*' '*/init/*' '*/security/*' '*/LICENSES/*' \
			'*/Documentation/userspace-api/ioctl/*' \
			'*/COPYING' '*/CREDITS' '*/MAINTAINERS' '*/README'
}

is_laid_in() {
	[ -e "$kernel/drivers/xen/gntdev/main.c" ] && [ -e "$kernel/include/uapi/xen/gntdev_more.h" ] &&
		[ ! -e "$kernel/drivers/xen/gntdev.c" ] &&
		! grep -rnE 'LINUX_VERSION_CODE|KERNEL_VERSION|compat/' "$kernel/drivers/xen/gntdev"
}

# MAINTAINERS has drivers/xen and include/uapi/xen as wholes.
checkpatch_is_silent() {
	(cd "$kernel" && perl scripts/checkpatch.pl --strict --show-types --quiet \
		--ignore FILE_PATH_CHANGES "$top"/build/upstream/*.patch)
}

# in_tree ARCH ARGUMENT...: make, for that architecture, with objects of its own.
in_tree() {
	local options=(-s -C "$kernel" O="$work/$1" W=1)
	[ "$1" = x86 ] || options+=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-)
	make "${options[@]}" "${@:2}"
}

# configure ARCH m|y: and all that a file is built with.
configure() {
	local arch=$1
	mkdir -p "$work/$arch"
	{
		cat tests/upstream.config
		printf 'CONFIG_%s\n' XEN_DEV_EVTCHN="$2" XEN_GNTDEV="$2" XEN_GNTDEV_DMABUF=y
	} >"$work/config"
	in_tree "$arch" KCONFIG_ALLCONFIG="$work/config" allnoconfig >/dev/null &&
		grep -qx "CONFIG_XEN_GNTDEV=$2" "$work/$arch/.config" &&
		in_tree "$arch" modules_prepare >/dev/null
}

# The kernel's other files have warnings of their own.
builds() {
	local output
	output=$(in_tree "$1" drivers/xen/ 2>&1) || {
		printf '%s\n' "$output"
		return 1
	}
	! grep -E 'xen/(gntdev|evtchn|events|xen-ops).*warning:' <<<"$output"
}

is_built() {
	local symbols
	symbols=$(nm "$work/$1/drivers/xen/gntdev/xen-gntdev.o") &&
		grep -q ' U xen_evtchn_is_callers' <<<"$symbols" &&
		grep -q ' U dma_buf_export' <<<"$symbols"
}

# The last patch is taken back first: what is left of the series builds each time.
each_builds() {
	local patch
	while read -r patch; do
		if ! { patch -s -R -d "$kernel" -p1 <"$patch" && builds x86; }; then
			echo "without $patch"
			return 1
		fi
	done < <(printf '%s\n' "$top"/build/upstream/*.patch | sort -r)
}

# For programs, without what is the kernel's alone.
headers_are_for_programs() {
	local name
	mkdir -p "$work/include/xen"
	gcc -o "$work/unifdef" "$kernel/scripts/unifdef.c" || return
	for name in gntdev gntdev_more; do
		(cd "$work" && mkdir -p scripts && cp unifdef scripts/ &&
			sh "$kernel/scripts/headers_install.sh" \
				"$kernel/include/uapi/xen/$name.h" "include/xen/$name.h") &&
			! grep -n __user "$work/include/xen/$name.h" || return
	done
	printf '#include <xen/%s.h>\n' gntdev gntdev_more |
		gcc -Wall -Wextra -Werror -I "$work/include" -fsyntax-only -x c -
}

# refuses WORDS ARGUMENT...: one line that has them.
refuses() {
	local output
	! output=$(upstream/lay-in "${@:2}" 2>&1) && printf '%s\n' "$output" &&
		[ "$(wc -l <<<"$output")" = 1 ] && grep -qF "$1" <<<"$output"
}

knows_who_signs() {
	GIT_AUTHOR_NAME='' GIT_AUTHOR_EMAIL='' GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null \
		refuses 'git does not know who you are' "$kernel"
}

too_old() {
	mkdir -p "$work/old/drivers/xen" && : >"$work/old/drivers/xen/Kconfig" &&
		printf 'VERSION = 6\nPATCHLEVEL = 12\n' >"$work/old/Makefile" &&
		refuses 'kernel 6.12 is too old' "$work/old"
}

check 'without a kernel it says what it needs' refuses 'make upstream KERNEL='
check 'a folder that is no kernel is refused' refuses 'is not a kernel' tests
check 'a kernel that is too old is refused' too_old
check "Debian's newest kernel source is there" unpack
check 'without a name to sign with nothing is laid in' knows_who_signs
check 'the series is laid in' make -s upstream KERNEL="$kernel"
check 'the driver is in drivers/xen, the other one gone, and no difference between kernels is left' \
	is_laid_in
check 'checkpatch --strict has nothing to say' checkpatch_is_silent
check 'it is not laid in twice' refuses 'has the driver already' "$kernel"
check 'its headers are for programs, too' headers_are_for_programs
check 'a kernel with it as a module is configured' configure x86 m
check 'it builds as a module without a warning (W=1)' builds x86
check 'the module asks evtchn whose a port is, and has dma-bufs' is_built x86
if [ -n "${TEST_ALL:-}" ]; then
	check 'a kernel with it built in is configured' configure x86 y
	check 'it builds built in without a warning (W=1)' builds x86
	check 'the same has dma-bufs' is_built x86
	check 'an arm64 kernel with it is configured' configure arm64 y
	check 'it builds for arm64 without a warning (W=1)' builds arm64
	check 'each patch of the series builds' each_builds
fi
finish
