#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: gntdev list, top and trace in dom0, PV and auto-translated
# Takes: 70
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

for arch in amd64 arm64; do
	alone make -s -C tests/host ARCH="$arch" >&2 || {
		point 1 "tests/host builds for $arch"
		finish
	}
done
lab "gntdev list, top and trace, PV dom0" --timeout 300 --file build/amd64/tests/host -- \
	sh host/dom0.sh fill
lab "gntdev list, top and trace, arm64 dom0" --arch arm64 --timeout 200 \
	--file build/arm64/tests/host -- sh host/dom0.sh
finish
