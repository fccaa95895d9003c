#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the lab itself
# Takes: 150
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

relay < <(tests/lab/run-lab 2>&1)
finish
