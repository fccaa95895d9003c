#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: gntdev run: domains, programs, reports, failures, real clients, bad input
# Takes: 170
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

built() {
	alone make -s -f machine/build.mk && make -s -C tests/machine
}
check 'the command, the server, the library and the tests are built' built
follow tests/machine/run-machine
[ "$last_status" = 0 ]
point $? 'tests/machine/run-machine ends well'
installs() {
	rm -rf build/installed
	make -s machine-install PREFIX="$top/build/installed" &&
		build/installed/bin/gntdev run -- build/machine/tests/actor attempts
}
check 'it runs where it is installed' installs
installed_loader() {
	build/installed/bin/gntdev run --how loader -- build/machine/tests/actor attempts
}
check 'so does the loader' installed_loader
check './run shows it all in two domains' ./run
finish
