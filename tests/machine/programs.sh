# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What a program finds: tests/machine/behave, in both modes.

for mode in pv xlat; do
	relay < <(
		run --mode "$mode" -- "$programs/behave" 2>&1 |
			sed -E "s/^((not )?ok [0-9]+ - )/\1$mode: /"
		echo "behave-status ${PIPESTATUS[0]}"
	) >"$work/behave"
	grep -v '^# behave-status' "$work/behave"
	# 1 is for a failure that has its own point above.
	grep -q '^# behave-status [01]$' "$work/behave"
	point $? "$mode: behave ran to its end"
done
