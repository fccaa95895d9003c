#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: every failure forced: the sweep, and the rows that need a failure
# Takes: 90
set -uo pipefail
. "$(dirname "$0")/tap.sh"

programs tests/fault build/asan/fault SAN=address,undefined
finish
