#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The names in COVERAGE.md and in lib/differences.c are those of tests, and
# COVERAGE.md has every test of this folder. Those of rows that begin with row_
# are tests/fault's, of which it has the ones about dma-bufs.
set -euo pipefail
cd "$(dirname "$0")"

failed=0
complain() { # FILE WHAT, names on the standard input
	while read -r name; do
		echo "$1: $name: $2" >&2
		failed=1
	done
}

tests=$(sed -n 's/^TEST(\([a-z0-9_]*\).*/\1/p' ./*.c | sort)
# shellcheck disable=SC2016 # these are not for the shell to expand
covered=$(grep -oE '`[a-z0-9]+(_[a-z0-9]+)+`' COVERAGE.md | tr -d '`' | sort -u)
different=$(sed -n 's/^\t\t\t"\([a-z0-9_]*\)",$/\1/p' lib/differences*.c | sort)

complain tests/abi "two tests of this name" < <(uniq -d <<<"$tests")
rows=$(sed -nE 's/^\tTEST(_IN\([A-Z_]*, |\()(row_[a-z0-9_]*).*/\2/p' ../fault/*.c | sort)

complain COVERAGE.md "no such test" \
	< <(comm -13 <(sort <<<"$tests"$'\n'"$rows") <(echo "$covered"))
complain COVERAGE.md "this test is missing" < <(comm -23 <(echo "$tests") <(echo "$covered"))
complain lib/differences.c "no such test" \
	< <(comm -13 <(echo "$tests") <(uniq <<<"$different"))
if [ -z "$tests" ]; then
	echo "coverage: found no tests at all" >&2
	failed=1
fi
[ "$failed" -ne 0 ] || echo "coverage: $(wc -l <<<"$tests") tests"
exit "$failed"
