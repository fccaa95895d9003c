#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests by 32-bit callers, PV dom0, and the most of them on arm64
# Takes: 150
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

# pack WIDE NARROW: programs of both word sizes, in build/NARROW/tests/pack.
pack() {
	local to=build/$2/tests/pack
	abi "$1"
	abi "$2"
	mkdir -p "$to"
	rm -rf "${to:?}"/*
	cp -r "build/$2/tests/abi" "$to/abi32"
	cp -r "build/$1/tests/abi" "$to/abi64"
}

pack amd64 i386
lab "contract tests by 32-bit callers" --timeout 400 \
	--file build/i386/tests/pack/abi32 --file build/i386/tests/pack/abi64 -- \
	env GRANTER64=/lab/abi64 ./abi32/run-abi requests map mmap readonly unmap \
	notify event copy copies io vma mremap lifetime limits wide dmabuf_export \
	dmabuf_import dmabuf_foreign dmabuf_peer compat
# Those of the requests, whose structures the driver translates.
pack arm64 armhf
lab "contract tests by 32-bit callers, arm64 dom0" --arch arm64 --timeout 400 \
	--file build/armhf/tests/pack/abi32 --file build/armhf/tests/pack/abi64 -- \
	env GRANTER64=/lab/abi64 ./abi32/run-abi requests map mmap notify copy \
	dmabuf_export compat
finish
