#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: gntdev run on arm64, by the loader: what has nothing to do with devices, contract tests
# Takes: 120
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi arm64
out=$top/build/arm64/machine
tests=$out/tests
files=()
for file in "$out"/{gntdev,gntdev-server,gntdev-loader,libgntdev-preload.so} \
	"$tests"/{plain,plain-static}; do
	files+=("$file")
done
cross=(CC=aarch64-linux-gnu-gcc)
{ alone make -s -f machine/build.mk "${cross[@]}" O="$out" &&
	alone make -s -C tests/machine "${cross[@]}" O="$tests" "${files[@]:4}"; } >&2 || {
	point 1 'the machine and its tests build for arm64'
	finish
}
options=()
for file in "${files[@]}" build/arm64/tests/abi tests/machine/arm64-guest.sh; do
	options+=(--file "$file")
done
lab 'gntdev run on arm64' --arch arm64 --timeout 300 "${options[@]}" -- sh ./arm64-guest.sh
finish
