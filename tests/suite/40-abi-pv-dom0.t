#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests on real Xen, PV dom0
# Takes: 95
# After: the build
# Alone: yes
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi amd64
lab "contract tests, PV dom0" --timeout 400 --cpus 2 \
	--file build/amd64/tests/abi -- ./abi/run-abi
finish
