#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests by 32-bit callers, PV dom0
set -uo pipefail
. "$(dirname "$0")/tap.sh"

abi amd64
abi i386
mkdir -p build/i386/tests/pack
rm -rf build/i386/tests/pack/*
cp -r build/i386/tests/abi build/i386/tests/pack/abi32
cp -r build/amd64/tests/abi build/i386/tests/pack/abi64
lab "contract tests by 32-bit callers" --timeout 400 \
	--file build/i386/tests/pack/abi32 --file build/i386/tests/pack/abi64 -- \
	env GRANTER64=/lab/abi64 ./abi32/run-abi
finish
