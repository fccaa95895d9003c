#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
# The guest's end of two vchans: one that it serves and dom0 maps, one that
# dom0 serves and it maps. Run in the lab with beside.sh in dom0; TAP.

cd /lab || exit
# shellcheck source=lab/clients/vchan.sh
. ./vchan.sh

mine=/local/domain/$LAB_DOMID/data/vchan
echo "# a $LAB_GUEST guest, domain $LAB_DOMID"
proxy server 0 "$mine"
xenstore-write "/local/domain/$LAB_DOMID/data/serving" 1
arrived client /tmp/from-other.server
point $? "vchan, $LAB_GUEST guest serves, dom0 maps: 2.6 MB from dom0 are whole"
touch /tmp/sent
# dom0 says when it has all, and serves in its turn.
until xenstore-exists /local/domain/0/data/serving 2>/dev/null; do sleep 1; done
point "$(xenstore-read /local/domain/0/data/arrived)" "vchan, $LAB_GUEST guest serves, dom0 maps: 2.7 MB to dom0 are whole"
sleep 2
rm /tmp/sent
proxy client 0 /local/domain/0/data/vchan
arrived server /tmp/from-other.client
point $? "vchan, dom0 serves, $LAB_GUEST guest maps: 2.7 MB from dom0 are whole"
until xenstore-exists /local/domain/0/data/arrived2 2>/dev/null; do sleep 1; done
point "$(xenstore-read /local/domain/0/data/arrived2)" "vchan, dom0 serves, $LAB_GUEST guest maps: 2.6 MB to dom0 are whole"
touch /tmp/sent
exit $failed
