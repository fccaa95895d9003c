#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
# dom0's ends of the two vchans with a guest; see guest.sh.

cd /lab || exit
# shellcheck source=lab/clients/vchan.sh
. ./vchan.sh

# tell NODE VALUE: something that the guest reads.
tell() {
	xenstore-write "/local/domain/0/data/$1" "$2"
	xenstore-chmod "/local/domain/0/data/$1" b
}

theirs=/local/domain/$GUEST_DOMID/data
# Other tests may come first.
until xenstore-exists "$theirs/serving" 2>/dev/null; do sleep 3; done
proxy client "$GUEST_DOMID" "$theirs/vchan"
arrived server /tmp/from-other.client
tell arrived $?
# The guest ends that connection when it has what we sent.
sleep 3
offer /local/domain/0/data/vchan
proxy server "$GUEST_DOMID" /local/domain/0/data/vchan
sleep 1
tell serving 1
arrived client /tmp/from-other.server
tell arrived2 $?
cat /tmp/errors.*
sleep 1000
