#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: QEMU and xen-9pfsd as backends on the machine
# Takes: 40
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

check 'QEMU is installed' packaging/need qemu
built() {
	alone make -s -f machine/build.mk && alone make -s -C tests/machine &&
		alone make -s -C tests/clients
}
check 'the machine, its tests and the frontends are built' built
follow tests/machine/run-machine qemu
[ "$last_status" = 0 ]
point $? 'tests/machine/run-machine qemu ends well'
finish
