#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests and stress in a PVH dom0 of Xen 4.20, grants from a PV guest
# Takes: 300
# After: the build
# Only: with --all
# shellcheck disable=SC2317 # functions are called by follow
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# A grant of such a dom0 to itself cannot be mapped: a guest is the granter. The node
# by which it is asked is dom0's, and to be read by that guest.
# in_dom0 COMMAND...
in_dom0() {
	# shellcheck disable=SC2016 # dom0 and the guest expand it
	lab/run --kernel 7.3 --xen 4.20 --dom0 pvh --guest pv --timeout 900 \
		--file build/amd64/tests/abi --file build/amd64/tests/stress/stress --beside '
			node=/local/domain/0/data/gntdev-abi
			xenstore-write $node none && xenstore-chmod $node n0 r$GUEST_DOMID
			GNTDEV_GRANTER=peer:$GUEST_DOMID '"$*"'
			xenstore-write /local/domain/$GUEST_DOMID/data/over $?' -- \
		sh -c './abi/granter --peer 0 &
			until status=$(xenstore-read data/over 2>/dev/null); do sleep 1; done
			exit $status' 2>&1 | sed -u 's/^dom0: //'
	return "${PIPESTATUS[0]}"
}

# in_pvh_dom0 DESCRIPTION COMMAND...: its TAP, then a point for the lab's own verdict.
in_pvh_dom0() {
	record "$1"
	follow in_dom0 "${@:2}"
	record
	[ "${last_status:-}" = 0 ]
	point $? "$1: all ran, and the kernel log is clean"
}

abi amd64 7.3
alone make -s -C tests/stress >&2
check 'a PVH dom0 of Xen 4.20 has the driver, auto-translated' \
	lab/run --kernel 7.3 --xen 4.20 --dom0 pvh --timeout 90 -- \
	grep 'mode=auto-translated' /proc/driver/xen-gntdev
in_pvh_dom0 'contract tests, PVH dom0' ./abi/run-abi
in_pvh_dom0 'stress, PVH dom0' ./stress --seconds 20 --disk /dev/vda
finish
