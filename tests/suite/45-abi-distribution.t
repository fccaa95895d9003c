#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests against the distribution's driver, as an oracle
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi amd64
lab "contract tests, the distribution's driver" --driver distribution --timeout 500 \
	--file build/amd64/tests/abi -- ./abi/run-abi
finish
