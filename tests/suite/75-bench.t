#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: instructions on real Xen, PV and arm64, against the committed ones
# Takes: 75
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

follow bench/lab/check
[ "$last_status" = 0 ]
point $? "nothing takes more than 3 % more instructions than it did"
finish
