#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Part: kernel 7.3: a PV dom0, a PVH guest, an arm64 dom0, clients; and Xen 4.20
# Takes: 700
# After: the build
# Only: with --all
set -uo pipefail
. "$(dirname "$0")/tap.sh"

dmabuf='dmabuf_export dmabuf_life dmabuf_wait dmabuf_import dmabuf_foreign'

abi amd64 7.3
lab "contract tests, 7.3 PV dom0" --kernel 7.3 --timeout 600 \
	--file build/amd64/tests/abi -- ./abi/run-abi
lab "contract tests, 7.3 PV dom0, Xen 4.20" --kernel 7.3 --xen 4.20 --timeout 300 \
	--file build/amd64/tests/abi -- \
	./abi/run-abi requests map mmap unmap notify event copy flight vma tables watched
# shellcheck disable=SC2086 # a list of words
abi_in_guest "contract tests, 7.3 pvh guest" pvh 7.3 map mmap notify copy vma $dmabuf

abi arm64 7.3
# shellcheck disable=SC2086
lab "contract tests, 7.3 arm64 dom0" --arch arm64 --kernel 7.3 --timeout 400 \
	--file build/arm64/tests/abi -- ./abi/run-abi requests map mmap notify copy vma $dmabuf

for arch in amd64 arm64; do
	alone make -s -C tests/stress ARCH=$arch >&2
	lab "stress, 7.3 $arch dom0" --arch $arch --kernel 7.3 --cpus 2 --timeout 200 \
		--file build/$arch/tests/stress/stress -- ./stress --seconds 20 --disk /dev/vda
done
relay < <(lab/clients/run-clients 7.3 arm64-7.3 pv-7.3 4.20 pv-4.20 2>&1)
finish
