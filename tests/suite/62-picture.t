#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: a guest's picture on dom0's display, pixel by pixel
# Takes: 30
# After: the build
# shellcheck disable=SC2016,SC2317 # dom0 expands; functions are called by check
set -uo pipefail
. "$(dirname "$0")/tap.sh"

programs=build/amd64/tests/picture
shown=build/picture

# shows FILE NUMBER: whether that screendump is that picture.
shows() {
	"$programs/compare" "$shown/$1" "$2"
}

# differs FILE NUMBER: whether it is a picture, but not that one.
differs() {
	[ -e "$shown/$1" ] && ! shows "$@"
}

# No console there, which would only cost the emulated machine time.
load='modprobe drm_kms_helper fbdev_emulation=0 && modprobe cirrus'

# Which fetches what describes the kernel's graphics devices.
alone lab/module amd64 >/dev/null
alone make -s -C tests/picture O="$top/$programs" >&2 || {
	point 1 'tests/picture builds'
	finish
}
rm -rf "$shown"
lab 'picture, PV guest' --guest pv --cpus 1 --timeout 200 --display "$shown" --file "$programs" \
	--beside "$load"' && ./picture/lender "$GUEST_DOMID" ./picture/show' -- \
	./picture/painter
check "the display shows the guest's picture, pixel by pixel" shows first.ppm 1
check 'it shows what the guest has made of it since, pixel by pixel' shows second.ppm 2
check 'neither is taken for the other' differs first.ppm 2
finish
