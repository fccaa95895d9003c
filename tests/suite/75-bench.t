#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: instructions on real Xen, against the committed ones
# Takes: 35
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

follow bench/lab/check amd64
[ "$last_status" = 0 ]
point $? "nothing takes more than 3 % more instructions than it did"
finish
