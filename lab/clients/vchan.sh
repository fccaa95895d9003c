# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# Megabytes through Debian's vchan-socket-proxy, both ways at once: the server
# grants (gntalloc), the client maps (gntdev). Sourced; TAP.

failed=0

# point STATUS NAME
point() {
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		# shellcheck disable=SC2034 # for whoever sources this
		failed=1
	fi
}

# What each side sends: contents has made it, as that takes long here.
content() {
	cat "/lab/vchan/$1"
}

# arrived ROLE FILE: waits until FILE is as long as what ROLE sends, and is it.
arrived() {
	want=$(wc -c <"/lab/vchan/$1")
	idle=0 before=0
	while [ $idle -lt 30 ]; do
		now=$(wc -c <"$2" 2>/dev/null || echo 0)
		[ "$now" -lt "$want" ] || break
		if [ "$now" = "$before" ]; then idle=$((idle + 1)); else idle=0; fi
		before=$now
		sleep 1
	done
	[ "$now" = "$want" ] || echo "# $now of $want bytes of the $1 came"
	cmp "$2" "/lab/vchan/$1"
}

# proxy ROLE PEER PATH: one end, in the background. Its input stays open, as an
# end of input would end the connection, until the file /tmp/sent is there.
proxy() {
	{
		content "$1"
		until [ -e /tmp/sent ]; do sleep 1; done
	} | vchan-socket-proxy --mode="$1" "$2" "$3" - >"/tmp/from-other.$1" 2>"/tmp/errors.$1" &
}

# Permission for everyone: the peer finds the ends' node in the store.
offer() {
	xenstore-write "$1" '' && xenstore-chmod "$1" b
}
