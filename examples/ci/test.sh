#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A frontend and a backend in two domains, as a shell script tests them: data, a
# forced failure, and what a run leaves behind. docs/testing.md explains it.
set -eu

gntdev=${GNTDEV:-gntdev}
programs=${PROGRAMS:-.}
machine=$(mktemp -d)
# It holds the machine, whoever of the two comes and goes.
"$gntdev" run --machine "$machine" -- sleep infinity &
keeper=$!
trap 'kill $keeper; wait $keeper || true; rm -rf "$machine"' EXIT

# front DOMAIN and back DOMAIN: each returns 123 if it leaves something behind.
front() {
	"$gntdev" run --machine "$machine" --domain "$1" --report -- "$programs/front" hello HELLO
}

back() {
	domain=$1
	shift
	"$gntdev" run --machine "$machine" --report "$@" \
		--wait-for "xenstore:/local/domain/$domain/data/ready=1" -- "$programs/back" "$domain"
}

echo 'both do their part, and leave nothing'
front 1 &
back 1
wait $!

echo 'a backend that cannot map says so, and gives up'
front 2 &
status=0
back 2 --fail map:1=-1 2>"$machine/said" || status=$?
[ "$status" = 2 ]
grep -q 'cannot map the page of domain 2' "$machine/said"
# The failure was for one map: the next backend is served.
back 2
wait $!

echo 'a backend that forgets a mapping is found out'
front 3 &
status=0
BACK_FORGETS=1 back 3 2>"$machine/said" || status=$?
[ "$status" = 123 ]
grep -q 'domain 0.*(back)' "$machine/said"
wait $! || true
echo good
