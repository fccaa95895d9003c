#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests in a PVH guest, grants from dom0
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi amd64
lab "contract tests, PVH guest" --guest pvh --cpus 1 --timeout 400 \
	--file build/amd64/tests/abi --beside "./abi/granter --peer \$GUEST_DOMID" -- \
	env GNTDEV_GRANTER=peer ./abi/run-abi requests map mmap readonly unmap event
finish
