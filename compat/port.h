/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Whose is an event channel port: a question the kernel has no call for. */
#ifndef GNTDEV_COMPAT_PORT_H
#define GNTDEV_COMPAT_PORT_H

#include <linux/types.h>
#include <xen/interface/event_channel.h>

bool gntdev_port_is_callers(evtchn_port_t port);

#endif /* GNTDEV_COMPAT_PORT_H */
