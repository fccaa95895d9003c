#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests against the distribution's driver, as an oracle
# Takes: 110
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi amd64
lab "contract tests, the distribution's driver" --driver distribution --timeout 500 \
	--file build/amd64/tests/abi -- ./abi/run-abi

# A test that is not run there, as it ends the machine: seen here, so that it is
# known what it is worth. Ours passes it (40-abi-pv-dom0). Row 9a is among those
# above: it hangs its program for ever.
row_19=range_with_a_byte_to_clear_cannot_be_mapped_read_only
goes_down "the distribution's driver goes down: $row_19" \
	--driver distribution --timeout 40 --file build/amd64/tests/abi/notify -- \
	./notify $row_19
finish
