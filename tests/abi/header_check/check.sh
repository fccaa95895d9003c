#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Compare the project's <xen/gntdev.h> with the one that Linux publishes, number
# by number, as each compiler given sees them. Any difference fails.
#
# usage: check.sh COMPILER...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
include=$(cd "$here/../../../include" && pwd)
flags=(-std=gnu11 -O1 -Wall -Wextra -Werror)

if [ $# -eq 0 ]; then
	echo "usage: check.sh COMPILER..." >&2
	exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# facts COMPILER FLAG...: one "name value" a line
facts() {
	"$@" "${flags[@]}" -S -o - "$here/facts.c" |
		sed -n 's/^.*\.ascii "fact \(.*\)"$/\1/p' | sort
}

# macros COMPILER FLAG...: the names that the header itself defines
macros() {
	"$@" "${flags[@]}" -E -dD "$here/facts.c" | awk '
		/^# [0-9]+ "/ { inside = ($3 ~ /xen\/gntdev\.h"$/) }
		inside && $1 == "#define" { sub(/\(.*/, "", $2); print $2 }
	' | grep -v '^__' | sort
}

# fields COMPILER FLAG...: every "type name;" of the header, as the compiler's
# preprocessor leaves it, without the types (the facts compare those)
fields() {
	"$@" "${flags[@]}" -E "$here/facts.c" | awk '
		/^# [0-9]+ "/ { inside = ($3 ~ /xen\/gntdev\.h"$/); next }
		inside
	' | tr '\n' ' ' | grep -oE '[A-Za-z_][A-Za-z0-9_]*(\[[0-9]*\])? *[;{]' |
		tr -d ' ' | sort
}

compare() { # WHAT COMPILER
	if ! diff -u --label "published, $2" --label "project, $2" \
		"$work/published.$1" "$work/project.$1"; then
		echo "header-check: $2: include/xen/gntdev.h: $1 differ" >&2
		return 1
	fi
}

failed=0
for compiler; do
	if ! command -v "$compiler" >/dev/null; then
		echo "header-check: $compiler: compiler not found" >&2
		exit 1
	fi
	facts "$compiler" -DPUBLISHED >"$work/published.facts"
	facts "$compiler" -I"$include" >"$work/project.facts"
	macros "$compiler" -DPUBLISHED >"$work/published.macros"
	macros "$compiler" -I"$include" >"$work/project.macros"
	fields "$compiler" -DPUBLISHED >"$work/published.fields"
	fields "$compiler" -I"$include" >"$work/project.fields"
	for what in facts macros fields; do
		compare "$what" "$compiler" || failed=1
	done
	# A header that was not read at all would compare equal to itself.
	listed=$(grep -cvE '^(sizeof|alignof|offset|width|signed) ' \
		"$work/project.facts")
	known=$(grep -c . "$work/project.macros")
	if [ "$listed" -ne "$known" ] || [ "$known" -eq 0 ]; then
		echo "header-check: $compiler: facts.c lists $listed numbers," \
			"the header defines $known" >&2
		failed=1
	fi
	echo "header-check: $compiler: $(wc -l <"$work/project.facts") facts"
done
exit "$failed"
