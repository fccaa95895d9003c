#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
# Real clients in dom0: C xenstored and xenconsoled, programs that use
# libxengnttab, and vchan from dom0 to itself. Run in the lab; TAP.

cd /lab || exit
# shellcheck source=lab/guest/xl.sh
. /lib/lab/xl.sh
# shellcheck source=lab/clients/vchan.sh
. ./vchan.sh

./share >/tmp/share.out 2>&1
point $? 'two processes share, copy and notice a kill through libxengnttab'
sed 's/^/# /' /tmp/share.out
./library
point $? 'libxengnttab: all of it'

start_xen_services
point $? 'C xenstored and xenconsoled start'
xenstore-write /tool/test "$(seq 1 300 | tr '\n' ' ')" &&
	[ "$(xenstore-read /tool/test)" = "$(seq 1 300 | tr '\n' ' ')" ]
point $? 'xenstored keeps what it is given'

node=/local/domain/0/data/vchan
offer $node
proxy server 0 $node
sleep 1
proxy client 0 $node
arrived server /tmp/from-other.client
point $? 'vchan in dom0: 2.7 MB from server to client are whole'
arrived client /tmp/from-other.server
point $? 'vchan in dom0: 2.6 MB from client to server are whole'
cat /tmp/errors.* | sed 's/^/# /'
touch /tmp/sent
exit "$failed"
