#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests in a PV guest, grants from dom0
# Takes: 125
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi_in_guest "contract tests, pv guest" pv 6.1
finish
