# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# --fail: a backend's own error handling can be tested.

# A letter for each of ten attempts to map: y or n.
attempts() {
	run "$@" -- "$programs/actor" attempts
}

third_map() {
	is "$(attempts --mode xlat --fail map:3=-1)" yynyyyyyyy
}
check 'map:3=-1 fails the third map, and no other' third_map

# The second segment of the fifth round, whose bytes the program itself copies.
copied() {
	share 2 1 && act mapper --domain 2 --fail copy:14=-8 -- copy 1 "$refs" &&
		is "$line" 'copied 0 -8 -3' && leave mapper 0 && leave granter 0
}
check 'copy:14=-8 fails the fourteenth copy, and no other' copied

# It stays mapped, is out of use and not the program's fault.
refused() {
	run --machine "$machine" --mode xlat --fail unmap:3=-1 -- sh -c \
		'"$1" attempts; cat "/sys/class/misc/xen!gntdev/leaked"' sh "$programs/actor" >"$work/stdout" || return
	is "$(cat "$work/stdout")" "$(printf 'yyyyyyyyyy\n1')"
}
check 'unmap:3=-1 has the third unmap refused: a page is leaked' refused

allocation() {
	# One for each, the range's, and the mapping's of the first, which is kept.
	is "$(attempts --mode xlat --fail kmalloc:4)" yynyyyyyyy &&
		is "$(attempts --mode xlat --fail kmalloc:7+)" yyyyynnnnn
}
check 'an allocation fails by count, once or from then on' allocation

random() {
	local one two three
	one=$(attempts --fail 'seed=5,kmalloc%30') && two=$(attempts --fail 'seed=5,kmalloc%30') &&
		three=$(attempts --fail 'seed=6,kmalloc%30') || return
	echo "$one $two $three"
	[[ $one = *n* ]] && is "$two" "$one" && [ "$three" != "$one" ]
}
check 'calls fail by a probability, alike for a seed' random

joined() {
	share 2 1 || return
	is "$(attempts --machine "$machine" --fail map:1=-1)" nyyyyyyyyy &&
		is "$(attempts --machine "$machine")" yyyyyyyyyy &&
		leave granter 0
}
check 'a run that joins a machine makes calls fail from then on' joined

overflow() {
	is "$(run --how "$1" --fail evtchn-overflow:2 -- "$programs/overflow")" overflown
}
check 'evtchn-overflow:2 has reading fail from the second event to a reset' overflow preload
check 'so it is by the loader' overflow loader
no_overflow() {
	ends 1 run --fail evtchn-overflow:9 -- "$programs/overflow" &&
		ends 1 run --fail 'any%100' -- "$programs/overflow"
}
check 'and only if it is asked for' no_overflow

# A domain's xenstore is a page that xenstored maps.
spared() {
	is "$(run --domain 4 --fail map:1=-1 -- xenstore-read domid)" 4
}
check 'what fails is the program'"'"'s, not what xenstored does for it' spared

# What is done before the other side is ready does not fail.
after_the_wait() {
	local other
	(
		sleep 0.3
		attempts --machine "$machine" >"$work/first"
		echo yes >"$work/ready"
		sleep 0.3
	) &
	other=$!
	rm -f "$work/ready"
	is "$(attempts --machine "$machine" --fail map:1=-1 --wait-for "$work/ready")" nyyyyyyyyy &&
		wait "$other" && is "$(cat "$work/first")" yyyyyyyyyy
}
check 'with --wait-for, calls fail when what is waited for is there' after_the_wait
