#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: kernel 6.12: dma-bufs in each kind of domain, some of the rest; no dma-bufs
# Takes: 200
# After: the build
# Only: with --all
set -uo pipefail
. "$(dirname "$0")/tap.sh"

dmabuf='dmabuf_export dmabuf_life dmabuf_wait dmabuf_import dmabuf_bounds dmabuf_foreign
	dmabuf_peer dmabuf_kernel'

abi amd64 6.12
# shellcheck disable=SC2086 # a list of words
lab "contract tests, 6.12 PV dom0" --kernel 6.12 --timeout 400 \
	--file build/amd64/tests/abi -- \
	./abi/run-abi requests mmap notify copy io vma module $dmabuf
# shellcheck disable=SC2086
abi_in_guest "contract tests, 6.12 pvh guest" pvh 6.12 $dmabuf

abi arm64 6.12
# shellcheck disable=SC2086
lab "contract tests, 6.12 arm64 dom0" --arch arm64 --kernel 6.12 --timeout 400 \
	--file build/arm64/tests/abi -- ./abi/run-abi requests notify vma $dmabuf

# The driver as a kernel without dma-bufs gets it.
lab "contract tests, without dma-bufs" --driver without-dma-buf \
	--file build/amd64/tests/abi -- ./abi/run-abi requests map copy lifetime
finish
