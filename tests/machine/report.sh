# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# --report: what is left at the end.

# left NAME PATTERN...: the actor's run has said so.
left() {
	local name=$1 pattern
	cat "$work/$name.err"
	shift
	for pattern; do
		grep -qE "$pattern" "$work/$name.err" || {
			echo "no line with: $pattern"
			return 1
		}
	done
}

start() {
	# The references are words of their own.
	# shellcheck disable=SC2086
	share 2 3 && act mapper --domain 2 "$@" -- map 1 $refs
}

# walk_away NAME STATUS: it ends without unmapping anything.
walk_away() {
	local status=0
	printf 'leave\n' >&"${in[$1]}"
	wait "${pids[$1]}" || status=$?
	unset "pids[$1]"
	is "status $status" "status $2"
}

forgotten() {
	start --report && pid=$(process mapper) && walk_away mapper 123 &&
		left mapper 'still mapped, granted or bound' "domain 2, process $pid \(actor\): .*3 pages" &&
		leave granter 0
}
check 'what was not unmapped is listed, and the status is 123' forgotten

granted() {
	share 2 3 && walk_away granter 123 &&
		left granter 'domain 1, process [0-9]+ \(actor\): .*3 pages, granted to domain 2 from reference 8 on'
}
check 'what is still granted is listed too' granted

killed_run() {
	start --report && kill -9 "$(process mapper)" && leave mapper 137 &&
		left mapper 'domain 2, process .*3 pages' && leave granter 0
}
check 'a program that is killed keeps its status' killed_run

unasked() {
	start && walk_away mapper 0 && is "$(cat "$work/mapper.err")" '' &&
		leave granter 0
}
check 'without --report nothing is said' unasked

clean_program() {
	start --report && leave mapper 0 && is "$(cat "$work/mapper.err")" '' &&
		leave granter 0
}
check 'a program that unmaps all has nothing to report' clean_program

export_buffer() {
	# shellcheck disable=SC2086
	share 2 3 && act mapper --domain 2 --report -- export 1 $refs && is "$line" exported
}

buffer_left() {
	export_buffer && walk_away mapper 123 &&
		left mapper 'domain 2, process [0-9]+ \(actor\): dma-buf: 3 pages, first grant 8 of domain 1' &&
		leave granter 0
}
check 'a dma-buf whose descriptor was not closed is listed' buffer_left

buffer_granted() {
	export_buffer && printf 'grant 3\n' >&"${in[mapper]}" && hear mapper &&
		first=${line//[!0-9]/} && run --machine "$machine" --list >"$work/list" &&
		cat "$work/list" &&
		grep -q '^    dma-buf: 3 pages, first grant 8 of domain 1$' "$work/list" &&
		grep -q "^    dma-buf: 3 pages granted to domain 3, first reference $first$" "$work/list" &&
		walk_away mapper 123 &&
		left mapper 'dma-buf: 3 pages, first grant 8' \
			"dma-buf: 3 pages granted to domain 3, first reference $first" &&
		leave granter 0
}
check 'a dma-buf that is granted on is listed as both, by --list too' buffer_granted

# Inserts ranges, maps and unmaps one of them, and removes none.
forgets_to_remove() {
	cat >"$work/forgets.c" <<-'END'
		#include <fcntl.h>
		#include <sys/ioctl.h>
		#include <sys/mman.h>
		#include <xen/gntdev.h>
		int main(void)
		{
			struct ioctl_gntdev_map_grant_ref map = {
				.count = 1, .refs = {{.domid = 1, .ref = 8}},
			};
			int fd = open("/dev/xen/gntdev", O_RDWR);
			void *at;

			if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &map))
				return 1;
			at = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, map.index);
			if (at == MAP_FAILED || munmap(at, 4096))
				return 2;
			return ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &map) ? 3 : 0;
		}
	END
	gcc -I"$top/include" -o "$work/forgets" "$work/forgets.c" && share 2 1 || return
	local status=0
	run --machine "$machine" --domain 2 --report -- "$work/forgets" 2>"$work/mapper.err" || status=$?
	is "$status" 123 && is "$(wc -l <"$work/mapper.err")" 3 &&
		left mapper 'domain 2, process [0-9]+ \(forgets\): gntdev: range at 0 not removed, 1 grants, first 8 of domain 1' \
			'range at 0x1000 not removed' && leave granter 0
}
check 'ranges that were not removed are listed' forgets_to_remove

bound_port() {
	share 2 1 && act mapper --domain 2 --report -- bind 1 "$port" && walk_away mapper 123 &&
		left mapper 'domain 2, process [0-9]+ \(actor\): evtchn: port [0-9]+ bound and not unbound' &&
		leave granter 0
}
check 'a port that is still bound is listed' bound_port
