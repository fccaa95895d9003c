#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: real clients: libxengnttab, xenstored, xenconsoled, xl, vchan
# Takes: 225
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

relay < <(lab/clients/run-clients 2>&1)
finish
