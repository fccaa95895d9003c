#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the machine's kernel interfaces against the kernel's own headers
# Takes: 6
# After: the build
# shellcheck disable=SC2317 # functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# The headers are those that the module is built with.
agree() {
	alone lab/module amd64 >/dev/null &&
		machine/kernel/check/headers "$(
			. lab/lib/common.sh
			printf '%s' "$LAB_CACHE/amd64/headers/build"
		)"
}
check 'constants, layouts and prototypes agree with the kernel that is in the lab' agree
finish
