#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests in a PVH guest, grants from dom0
# Takes: 215
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi_in_guest "contract tests, pvh guest" pvh 6.1
finish
