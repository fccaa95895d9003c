#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests in a PVH guest, grants from dom0; vchans with dom0
# Takes: 300
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

guest_world pvh
finish
