#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: contract tests by 32-bit callers, PV dom0
# Takes: 100
# After: the build
set -uo pipefail
. "$(dirname "$0")/tap.sh"

pack amd64 i386
lab "contract tests by 32-bit callers" --timeout 400 \
	--file build/i386/tests/pack/abi32 --file build/i386/tests/pack/abi64 -- \
	env GRANTER64=/lab/abi64 ./abi32/run-abi requests map mmap readonly unmap \
	notify event copy copies io vma mremap lifetime limits wide dmabuf_export \
	dmabuf_import dmabuf_foreign dmabuf_peer compat \
	memory restrict status dmabuf_offset
finish
