#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
# In dom0: QEMU serves a raw image in memory to the guest that guest.sh runs in;
# what that costs is printed.
cd /lab || exit
# shellcheck source=tests/clients/toolstack.sh
. ./toolstack.sh

dd if=/dev/zero of=/tmp/disk bs=1048576 count=64 2>/dev/null
xenstore-write /local/domain/0/data/bench 0
xenstore-chmod /local/domain/0/data/bench b
cat >/tmp/qemu <<-'EOT'
	#!/bin/sh
	LD_PRELOAD=/lab/asked.so exec /usr/libexec/xen-qemu-system-i386 "$@"
EOT
chmod 755 /tmp/qemu
# shellcheck disable=SC2034 # for start_qemu
QEMU=/tmp/qemu
attach_disk "$GUEST_DOMID" 51712 /tmp/disk || exit
start_qemu "$GUEST_DOMID"
until [ -e /run/asked.xen-qemu-system-i386 ]; do usleep 100000; done
./served "$GUEST_DOMID" xen-qemu-system-i386
sleep 1000
