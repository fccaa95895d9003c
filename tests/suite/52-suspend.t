#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: a PV guest that holds grants is checkpointed, and restored, by xl
# Takes: 120
# After: the build
# Only: with --all
set -uo pipefail
. "$(dirname "$0")/tap.sh"

for kernel in 6.1 7.3; do
	abi amd64 $kernel
	# shellcheck disable=SC2016 # dom0 expands it
	lab "checkpoints of a $kernel PV guest" --guest pv --kernel $kernel --timeout 400 \
		--file build/amd64/tests/abi --file tests/clients/suspend.sh \
		--beside './abi/granter --peer $GUEST_DOMID & sh suspend.sh $GUEST_DOMID' -- \
		env GNTDEV_GRANTER=peer ABI_CHECKPOINTS=1 ./abi/run-abi suspend
done
finish
