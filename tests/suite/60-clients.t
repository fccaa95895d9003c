#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: real clients in dom0: libxengnttab, xenstored, vchan
# Takes: 110
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# Those between dom0 and guests run with the contract tests there.
relay < <(lab/clients/run-clients dom0 arm64 newer 2>&1)
finish
