#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: instructions and flushes on real Xen, PV and arm64, against the committed ones
# Takes: 200
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

follow bench/lab/check
[ "$last_status" = 0 ]
point $? "nothing takes more than 3 % more instructions than it did, or another flush"
finish
