#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: QEMU in dom0 as the backend of the same frontends in a guest
# Takes: 90
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

relay < <(lab/clients/run-clients qemu 2>&1)
finish
