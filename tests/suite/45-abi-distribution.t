#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests against the distribution's driver, as an oracle
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi amd64
lab "contract tests, the distribution's driver" --driver distribution --timeout 500 \
	--file build/amd64/tests/abi -- ./abi/run-abi

# Two of the tests above are not run there, as they end the machine: seen here,
# so that it is known what they are worth. Ours passes both (40-abi-pv-dom0).
row_9a=map_from_an_absent_page_against_mmap
row_19=range_with_a_byte_to_clear_cannot_be_mapped_read_only
goes_down "the distribution's driver goes down: $row_9a" \
	--driver distribution --timeout 40 --file build/amd64/tests/abi/deadlock -- \
	./deadlock $row_9a
goes_down "the distribution's driver goes down: $row_19" \
	--driver distribution --timeout 40 --file build/amd64/tests/abi/notify -- \
	./notify $row_19
finish
