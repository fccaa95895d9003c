# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What two boots measured, as a table and as JSON: awk -v arch=... -v json=FILE
# -f table.awk AIMS OURS DISTRIBUTION. A row for each workload and size.

FNR == 1 { file++ }

file == 1 && (NF == 4 || (NF == 5 && $5 == arch)) && !/^#/ {
	aims++
	aim_row[aims] = $1 ":" $2
	aim_factor[aims] = $3
	aim_other[aims] = $4
}

/^# instructions/ { unit = "instructions" }
/^# hypercalls/ { unit = "hypercalls" }
/^# memory/ { unit = "instructions" }

file > 1 && NF == 4 && $3 ~ /^[0-9]+$/ {
	who = file == 2 ? "ours" : "distribution"
	name = $1
	if (sub(/^floor:/, "", name)) {
		# In the same boot as ours; the other boot's is the same.
		if (who == "distribution")
			next
		who = "floor"
	} else if (sub(/^kernel:/, "", name)) {
		if (who == "distribution")
			next
		who = "kernel"
	}
	row = name ":" $2
	if (!(row in seen)) {
		seen[row] = 1
		rows[++count] = row
	}
	value[who, row, unit] = $3
	if (unit == "instructions")
		spread[who, row] = $4
}

function number(who, row, unit) {
	return (who, row, unit) in value ? value[who, row, unit] : "-"
}

function ratio(above, below) {
	return above == "-" || below == "-" || below == 0 ? "-" : \
		sprintf("%.2f", above / below)
}

# The greatest part that a row of ours reaches of what it is measured by.
function judge(row,   i, base, part, verdict, text) {
	text = ""
	for (i = 1; i <= aims; i++) {
		if (aim_row[i] != row)
			continue
		if (aim_other[i] ~ /:/)
			base = number("ours", aim_other[i], "instructions")
		else
			base = number(aim_other[i], row, "instructions")
		part = number("ours", row, "instructions")
		if (part == "-" || base == "-")
			continue
		asked++
		verdict = part / base <= aim_factor[i] ? "" : "  MISSED"
		if (verdict == "")
			met++
		text = text sprintf("  %.3f of %s, aim %s%s", part / base, \
				    aim_other[i], aim_factor[i], verdict)
	}
	return text
}

function json_part(who, row,   i, text, units) {
	split("instructions hypercalls", units, " ")
	for (i = 1; i <= 2; i++)
		if ((who, row, units[i]) in value)
			text = text sprintf("%s\"%s\": %d", text == "" ? "" : ", ", \
					    units[i], value[who, row, units[i]])
	return sprintf("\"%s\": {%s}", who, text)
}

END {
	printf "{\n  \"arch\": \"%s\",\n  \"rows\": [\n", arch >json
	printf "%-20s %5s %10s %6s %10s %6s %6s %10s %6s %6s %8s\n", "workload", "size", \
		"ours", "calls", "distr.", "calls", "ratio", "floor", "calls", "ratio", \
		"kernel"
	for (i = 1; i <= count; i++) {
		row = rows[i]
		split(row, part, ":")
		ours = number("ours", row, "instructions")
		theirs = number("distribution", row, "instructions")
		least = number("floor", row, "instructions")
		printf "%-20s %5d %10s %6s %10s %6s %6s %10s %6s %6s %8s%s\n", part[1], \
			part[2], ours, number("ours", row, "hypercalls"), theirs, \
			number("distribution", row, "hypercalls"), \
			ratio(ours, theirs), least, \
			number("floor", row, "hypercalls"), \
			ratio(ours, least), \
			number("kernel", row, "instructions"), judge(row)
		printf "    {\"workload\": \"%s\", \"size\": %d, %s, %s, %s, %s, \"ratio\": %s, \"floor_ratio\": %s}%s\n", \
			part[1], part[2], json_part("ours", row), \
			json_part("distribution", row), json_part("floor", row), \
			json_part("kernel", row), \
			ratio(ours, theirs) == "-" ? "null" : ratio(ours, theirs), \
			ratio(ours, least) == "-" ? "null" : ratio(ours, least), \
			i < count ? "," : "" >json
	}
	printf "  ],\n  \"aims\": %d,\n  \"met\": %d\n}\n", asked, met >json
	printf "%d of %d aims met\n", met, asked
	for (key in spread)
		if (spread[key] > 1) {
			split(key, part, SUBSEP)
			wide++
			printf "rounds differ by %s %%: %s, %s\n", spread[key], \
				part[1], part[2]
		}
	if (!wide)
		print "rounds agree to 1 % in every row"
}
