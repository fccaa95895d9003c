#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: layout, scripts, seam, manual page
# Takes: 25
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# Every file of the project, be it committed yet or not. A tree without git
# has them all in its folders.
files() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard
	else
		find . \( -path ./build -o -path ./.git \) -prune -o -type f -print | sed 's,^\./,,'
	fi
}

c_files() {
	files | grep -E '\.[ch]$'
}

driver_files() {
	c_files | grep '^driver/'
}

scripts() {
	local file
	files | while IFS= read -r file; do
		[ -f "$file" ] || continue
		if head -n 1 "$file" | grep -qE '^#!.*\b(ba)?sh\b'; then
			printf '%s\n' "$file"
		fi
	done
}

# By one version's rules, which both releases have: another lays some of it out differently.
layout() {
	c_files | xargs clang-format-19 --dry-run --Werror
}

shell_is_clean() {
	scripts | xargs shellcheck -x -P SCRIPTDIR
}

seam() {
	! driver_files | xargs grep -nE '__KERNEL__|LINUX_VERSION_CODE|KERNEL_VERSION'
}

one_include() {
	! driver_files | grep -v '/trace.h$' | xargs grep -nE '#include <'
}

short_files() {
	local long
	long=$(c_files | xargs wc -l | awk '$1 > 600 && $2 != "total"')
	[ -z "$long" ] || { printf '%s\n' "$long"; false; }
}

short_functions() {
	# A function's body runs from a brace in the first column to the next.
	c_files | xargs awk '
		FNR == 1 { start = 0 }
		/^\{/ { start = FNR }
		/^\}/ && start {
			if (FNR - start > 61) {
				print FILENAME ":" start ": " FNR - start " lines"
				bad = 1
			}
			start = 0
		}
		END { exit bad }'
}

layers() {
	silent machine/layers
}

# What that finds, in a tree with an arrow of each kind in it.
layers_are_told() {
	local work said
	work=$(mktemp -d) || return
	mkdir -p "$work/machine/xen" "$work/machine/kernel" "$work/tool"
	touch "$work/machine/kernel/pages.h"
	printf '#include "../kernel/pages.h"\n\nstruct page *page;\n' >"$work/machine/xen/copy.c"
	said=$(machine/layers --root "$work")
	local status=$?
	rm -r "$work"
	printf '%s\n' "$said"
	[ "$status" = 1 ] &&
		grep -qF 'machine/xen/copy.c:1: includes machine/kernel/pages.h: xen may include base, xen, and not kernel' <<<"$said" &&
		grep -qF 'machine/xen/copy.c:3: knows struct page' <<<"$said"
}

# Each file of the machine says at its head what lives there.
heads() {
	local file bad=0
	while IFS= read -r file; do
		sed -n 2p "$file" | grep -q '^/\*' || { printf '%s\n' "$file"; bad=1; }
	done < <(c_files | grep '^machine/')
	return "$bad"
}

checkpatch() {
	local tool
	tool=$(lab/checkpatch) || return 1
	driver_files | xargs perl "$tool" --no-tree --terse --no-summary -f \
		include/xen/gntdev.h &&
		perl "$tool" --no-tree --terse --no-summary \
			--ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON -f compat/*.[ch]
}

manual() {
	silent mandoc -T lint -W warning man/*.[1-9]
}

# The module, the command, the packages and DKMS have one version.
one_version() {
	local version
	version=$(sed -n 's/^#define GNTDEV_VERSION "\(.*\)"/\1/p' include/gntdev_version.h)
	[ -n "$version" ] && grep -qx "PACKAGE_VERSION=\"$version\"" dkms.conf &&
		head -n 1 debian/changelog | grep -qF "gntdev ($version)" &&
		head -n 1 NEWS | grep -qx "gntdev $version"
}

check 'C files have the layout of .clang-format' layout
check 'scripts are clean under shellcheck' shell_is_clean
check 'driver files test for no version and no __KERNEL__' seam
check 'driver files include one header of the outside world' one_include
check 'no C file is over 600 lines' short_files
check 'no function is over 60 lines' short_functions
check 'each layer of the machine includes what is below it alone' layers
check 'an include that runs upwards is told by file, line and layer' layers_are_told
check 'each file of the machine says at its head what lives there' heads
check 'driver, header and compat are clean under checkpatch' checkpatch
check 'there is one version' one_version
check 'the manual page is clean under mandoc' manual
finish
