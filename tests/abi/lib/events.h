/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Event channels, through /dev/xen/evtchn. Errors are -errno. */
#ifndef ABI_EVENTS_H
#define ABI_EVENTS_H

int events_open(void);
/* A new port for that domain to bind to. */
int events_unbound(int fd, unsigned int domid);
/* A new port, bound to that domain's. */
int events_bind(int fd, unsigned int domid, unsigned int port);
int events_unbind(int fd, unsigned int port);
int events_notify(int fd, unsigned int port);
/* After an event was read: the port is open for the next one. */
void events_unmask(int fd, unsigned int port);
/* The port that an event came on, -ETIMEDOUT if none did. */
int events_wait(int fd, unsigned int ms);

#endif
