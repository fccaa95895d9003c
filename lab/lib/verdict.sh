# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# Reads the kernel log for reports of trouble.

# patterns FILE: its lines without comments and blanks.
patterns() {
	sed -E '/^[[:space:]]*(#|$)/d' "$1"
}

# kernel_lines: what kernels have said, of both logs. A guest's console has the
# command's output as well, without a time at the line's start.
kernel_lines() {
	tr -d '\r' <"$RUN/kernel.log"
	[ -z "$domu" ] || tr -d '\r' <"$RUN/guest.log" |
		sed -n 's/^\[ *[0-9]*\.[0-9]*\] /(guest) &/p'
}

# Prints the lines that no good run has; fails when there are none.
find_trouble() {
	kernel_lines |
		grep -avE -f <(patterns "$LAB_DIR/lib/harmless.txt") |
		grep -aE -f <(patterns "$LAB_DIR/lib/trouble.txt")
}

# part_to_show LOG: from shortly before the first trouble, or else the end.
part_to_show() {
	local first
	first=$(tr -d '\r' <"$1" |
		grep -anE -f <(patterns "$LAB_DIR/lib/trouble.txt") | sed -n 1p | cut -d : -f 1) || true
	if [ -n "$first" ]; then
		tail -n "+$((first > 5 ? first - 5 : 1))" "$1" | sed -n 1,80p
	else
		tail -n 40 "$1"
	fi | tr -d '\r' | cut -c 1-200 | sed 's/^/    /'
}

# show_logs WHY: the last messages of each kernel, and keeps all of them where
# they outlive the run.
show_logs() {
	local log kept=${LAB_LOGS:-$LAB_TOP/build/lab}
	for log in kernel guest; do
		[ -s "$RUN/$log.log" ] || continue
		say "the messages of $log.log:"
		part_to_show "$RUN/$log.log" >&2
		mkdir -p "$kept" && cp "$RUN/$log.log" "$kept/" && say "all of it: $kept/$log.log"
	done
	say "$1"
}
