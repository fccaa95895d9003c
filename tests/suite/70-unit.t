#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: the driver in a process, under AddressSanitizer and UndefinedBehaviorSanitizer
# Takes: 60
set -uo pipefail
. "$(dirname "$0")/tap.sh"

programs tests/unit build/asan/unit SAN=address,undefined
check 'no layer of the machine calls one above it' machine/layers --objects build/asan/unit/machine
finish
