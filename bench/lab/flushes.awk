# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What bench/lab/flushes counted of both drivers, as a table of one run each, with
# what is aimed at: awk -f flushes.awk OURS DISTRIBUTION. The end of a process takes
# some flushes itself; they are those of one that has mapped nothing.

BEGIN { FS = "\t"; RUNS = 10 }

FNR == 1 { who = who == "" ? "ours" : "distribution" }

{
	row = $1 SUBSEP $2
	if (who == "ours")
		rows[++count] = row
	hypervisor[who, row] = $3 / RUNS
	kernel[who, row] = $4 / RUNS
	seen[who, row] = 1
}

function of(who, row,   part, base) {
	if (!((who, row) in seen))
		return "-"
	split(row, part, SUBSEP)
	base = part[1] == "exit" && part[2] ? hypervisor[who, "exit" SUBSEP 0] : 0
	return hypervisor[who, row] - base
}

function aim(good, text) {
	aims++
	met += good
	return "  " text (good ? "" : ": MISSED")
}

# From 512 pages on page tables are made and freed with the mapping, for which the
# kernel has it done four times each, whatever the driver.
function tables(name, size) {
	return size < 512 ? 0 : name == "cycle" ? 8 : 4
}

# A tenth of a flush may be somebody else's. In how many tables a mapping is depends
# on where it begins.
function judge(name, size, ours, theirs,   text, batches, slack) {
	slack = size < 512 ? 0.1 : 1.1
	batches = int((size + 31) / 32)
	ours -= tables(name, size)
	if (theirs != "-")
		theirs -= tables(name, size)
	if (name ~ /^(cycle|munmap|exit|mprotect)$/ && size)
		text = text aim(ours <= batches + slack, "one for 32 pages")
	if (name ~ /^area-unmap/ && size <= 32)
		text = text aim(ours <= 1.1, "one")
	if (name ~ /^copy/)
		text = text aim(ours <= 0.1, "none")
	if (name ~ /^(cycle|munmap|exit)$/ && size >= 16 && theirs != "-")
		text = text aim(ours <= theirs / 2 + slack, "half of the distribution's")
	return text
}

END {
	printf "%-20s %5s %8s %8s %8s %8s\n", "flushes", "size", "ours", "kernel's", "distr.", "kernel's"
	for (i = 1; i <= count; i++) {
		row = rows[i]
		split(row, part, SUBSEP)
		ours = of("ours", row)
		theirs = of("distribution", row)
		printf "%-20s %5d %8s %8s %8s %8s%s\n", part[1], part[2], ours, \
			kernel["ours", row], theirs, theirs == "-" ? "-" : kernel["distribution", row], \
			judge(part[1], part[2], ours, theirs)
	}
	printf "%d of %d aims met\n", met, aims
}
