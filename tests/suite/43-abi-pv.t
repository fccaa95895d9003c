#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests and stress in a PV guest, grants from dom0; vchans with dom0
# Takes: 200
# After: the build
# Only: with --all
set -uo pipefail
. "$(dirname "$0")/tap.sh"

guest_world pv './stress --seconds 20 --disk /dev/ram0'
finish
