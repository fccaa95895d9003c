# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What whole programs cost with both drivers, as a table, with what is aimed at:
# awk -f table.awk OURS DISTRIBUTION. Of that, how much they spend in calls of the
# grant device (device:NAME), and how many these are (calls:NAME).

BEGIN { FS = "\t" }

FNR == 1 { who = who == "" ? "ours" : "distribution" }

NF == 4 && $3 ~ /^[0-9]+$/ && $1 !~ /^(waiting|nothing)/ {
	name = $1
	kind = "all"
	if (name ~ /:/) {
		kind = substr(name, 1, index(name, ":") - 1)
		name = substr(name, index(name, ":") + 1)
	}
	row = name SUBSEP $2
	if (kind == "all" && !(row in seen)) {
		seen[row] = 1
		rows[++count] = row
	}
	value[who, row, kind] = $3
	if (kind == "all")
		spread[who, row] = $4
}

function of(who, row, kind) {
	return (who, row, kind) in value ? value[who, row, kind] : "-"
}

function ratio(above, below) {
	return above == "-" || below == "-" || below == 0 ? "-" : sprintf("%.3f", above / below)
}

# The device's part in what it costs with the distribution's driver.
function part(row) {
	if (of("distribution", row, "calls") == 0)
		return 0
	return ratio(of("distribution", row, "device"), of("distribution", row, "all"))
}

function judge(row,   share, reached) {
	share = part(row)
	reached = ratio(of("ours", row, "all"), of("distribution", row, "all"))
	if (share == "-" || reached == "-")
		return ""
	if (share < 0.25)
		return sprintf("  the device has %.1f %%: no aim", 100 * share)
	aims++
	met += reached <= 0.85
	return "  aim 0.85" (reached <= 0.85 ? "" : ": MISSED")
}

END {
	printf "%-20s %8s %10s %10s %6s %10s %10s %6s %5s %6s\n", "whole programs", "size", "ours", \
		"distr.", "ratio", "device", "distr.", "part", "calls", "spread"
	for (i = 1; i <= count; i++) {
		row = rows[i]
		split(row, field, SUBSEP)
		wide = spread["ours", row] + 0
		if (spread["distribution", row] + 0 > wide)
			wide = spread["distribution", row] + 0
		printf "%-20s %8d %10s %10s %6s %10s %10s %6s %5s %6s%s\n", field[1], field[2], \
			of("ours", row, "all"), of("distribution", row, "all"), \
			ratio(of("ours", row, "all"), of("distribution", row, "all")), \
			of("ours", row, "device"), of("distribution", row, "device"), part(row), \
			of("ours", row, "calls"), wide, judge(row)
	}
	printf "%d of %d aims met\n", met, aims
}
