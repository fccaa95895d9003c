# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# Two domains, with the distribution's libxengnttab and libxenevtchn.

shares() {
	# The references are words of their own.
	# shellcheck disable=SC2086
	share 2 5 && act mapper --domain 2 --report -- map 1 $refs &&
		is "$line" mapped &&
		ask mapper check good &&
		ask mapper change 'done' &&
		ask granter changed good &&
		leave mapper 0 && leave granter 0 && deserted
}

events() {
	share 2 1 && act mapper --domain 2 --report -- bind 1 "$port" || return
	# A new channel tells the end that was bound to the other.
	ask mapper wait 'event mine' &&
		ask mapper send sent && ask granter wait 'event mine' &&
		ask granter send sent && ask mapper wait 'event mine' &&
		leave mapper 0 && leave granter 0
}

copies() {
	share 2 1 && act mapper --domain 2 --report -- copy 1 "$refs" &&
		is "$line" 'copied 0 0 -3' &&
		leave mapper 0 && leave granter 0
}

notified() {
	local end=$1
	share 2 1 && act mapper --domain 2 -- notify 1 "$refs" "$port" || return
	ask granter 'byte 0' 1 || return
	if [ "$end" = kill ]; then
		kill -9 "$(process mapper)" && leave mapper 137
	else
		leave mapper 0
	fi
	ask granter wait 'event mine' && ask granter 'byte 0' 0 &&
		leave granter 0
}

for_others() {
	share 2 1 && said 1 'xengnttab_map_grant_refs: Invalid argument' \
		quiet_map 3 && leave granter 0
}

# A mapper that is expected to fail, without the library's own complaints.
quiet_map() {
	run --machine "$machine" --domain "$1" -- "$programs/actor" map 1 "$refs" \
		</dev/null 2>"$work/quiet"
	local status=$?
	grep '^actor' "$work/quiet" >&2
	return $status
}

once() {
	share 2 1 && act mapper --domain 2 -- bind 1 "$port" &&
		said 1 'bind_interdomain: ' \
			run --machine "$machine" --domain 2 -- "$programs/actor" bind 1 "$port" &&
		leave mapper 0 && leave granter 0
}

lists() {
	share 2 2 && act mapper --domain 2 -- notify 1 "${refs%% *}" "$port" || return
	run --machine "$machine" --list >"$work/list" || return
	cat "$work/list"
	grep -q '^domain 1' "$work/list" && grep -q '^domain 2' "$work/list" &&
		grep -q 'instance' "$work/list" && grep -q 'range at 0' "$work/list" &&
		grep -q 'clears byte' "$work/list" && grep -q 'sends on port' "$work/list" &&
		leave mapper 0 && leave granter 0
}

# Whether domain 1 still grants a page of that number; asking frees none.
is_granted() {
	run --machine "$machine" --list |
		awk -v ref="$1:" '/^domain/ { id = $2 } id == "1:" && $1 == "grant" && $2 == ref { found = 1 } END { exit !found }'
}

# A killed granter's page that is mapped: once it is not, nobody has to look.
killed_granter() {
	share 2 1 && act mapper --domain 2 -- map 1 "$refs" &&
		kill -9 "$(process granter)" && leave granter 137 &&
		is_granted "$refs" && ask mapper quit quit || return
	wait "${pids[mapper]}"
	unset "pids[mapper]"
}

is_not_granted() {
	! is_granted "$refs"
}

# Or soon, where others keep the processors busy.
dies_within_a_second() {
	act keeper --domain 3 --mode "$mode" -- share 0 1 && killed_granter || return
	sleep 1.2
	soon is_not_granted || return
	said 1 'xengnttab_map_grant_refs: Invalid argument' quiet_map 2 && leave keeper 0
}

for mode in pv xlat; do
	check "$mode: two domains share pages" shares
	check "$mode: two domains send events" events
	check "$mode: one copies from and to a grant of the other" copies
	check "$mode: an unmap clears the byte and sends the event" notified unmap
	check "$mode: kill -9 of the mapper does" notified kill
	check "$mode: a grant is for one domain only" for_others
	check "$mode: a port is bound once" once
	check "$mode: a killed granter's page dies within a second when it is not mapped" dies_within_a_second
	check "$mode: the live state is listed" lists
done

# ---- libxenctrl ----

# Word for word what the lab's dom0 is answered.
asked_in_domain_0() {
	is "$(run --mode "$mode" -- "$programs/control" 0)" "offered: unbound, for domain 0
bound, one end: of domain 0
bound, the other: of domain 0
the other is closed: unbound, for domain 0
both are: state 0
a port that cannot be: Invalid argument
of a domain that is not there: No such process
domain 0 is there
domain 12345: No such process
version 4"
}

asked_in_another() {
	is "$(run --machine "$machine" --mode "$mode" --domain 3 -- "$programs/control" 3)" \
		"offered: unbound, for domain 3
bound, one end: of domain 3
bound, the other: of domain 3
the other is closed: unbound, for domain 3
both are: state 0
a port that cannot be: Invalid argument
of a domain that is not there: No such process
of another domain: Operation not permitted
domain 0: Operation not permitted
domain 12345: Operation not permitted
version 4
destroy: Operation not permitted" && deserted && cat "$machine/log" &&
		grep -q 'privcmd: hypercall 36, 2 is not modelled: refused' "$machine/log" &&
		! grep -q 'request' "$machine/log"
}

for mode in pv xlat; do
	check "$mode: libxenctrl tells domain 0 how ports and domains are" asked_in_domain_0
	check "$mode: another domain is told of its ports, and the rest is refused with a line" asked_in_another
done

# ---- memory by frame ----

# The frontends' folder has it, and what Xen answers it (lab/clients/frames.sh).
frames=$top/tests/clients/frames
expected() {
	awk -v part="$1" '/^== / { on = substr($0, 4) == part; next } on && NF' "$frames.expected"
}

shows_frames() {
	act granter --domain 1 --mode "$mode" -- share 0 1 || return
	diff <(expected 'domain 0') \
		<(run --machine "$machine" "$@" -- "$built_frames" 1 0x1800 0x7fffff 2>&1) &&
		diff <(expected 'another domain') \
			<(run --machine "$machine" --domain 1 "$@" -- "$built_frames" 0 0x1800 2>&1) &&
		grep -q "request 4 is domain 0's alone: refused" "$machine/log" &&
		! grep -q 'request 4 is not modelled' "$machine/log" &&
		run --machine "$machine" --list | grep 'grant 8: frame 0 for domain 0,'
	local status=$?
	leave granter 0 && return "$status"
}

built_frames=$work/frames
gcc -O2 -std=gnu11 -D_GNU_SOURCE -o "$built_frames" "$frames.c"
for mode in pv xlat; do
	for how in preload loader; do
		check "$mode, $how: domain 0 maps another domain's memory by frame, another one may not" \
			shows_frames --how "$how"
	done
done
