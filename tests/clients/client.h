/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the client programs share. */
#ifndef CLIENT_H
#define CLIENT_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096

/* The domain that this program runs in, as the lab tells; it grants to itself. */
static inline unsigned int own_domain(void)
{
	const char *domid = getenv("LAB_DOMID");

	return domid ? (unsigned int)atoi(domid) : 0;
}

/* Waits for an event on the handle: its port, or -1 after so many seconds. */
static inline int wait_event(xenevtchn_handle *events, int seconds)
{
	struct pollfd poller = {.fd = xenevtchn_fd(events), .events = POLLIN};
	int port;

	if (poll(&poller, 1, seconds * 1000) != 1)
		return -1;
	port = xenevtchn_pending(events);
	if (port >= 0)
		xenevtchn_unmask(events, port);
	return port;
}

/* Bytes that tell where they belong: no two pages look alike. */
static inline unsigned char pattern(size_t at, unsigned int seed)
{
	return (unsigned char)(at * 31 + (at >> 8) * 17 + (at >> 16) + seed);
}

static inline void fill(void *memory, size_t length, unsigned int seed)
{
	unsigned char *byte = memory;

	for (size_t i = 0; i < length; i++)
		byte[i] = pattern(i, seed);
}

static inline bool filled(const void *memory, size_t length, unsigned int seed)
{
	const unsigned char *byte = memory;

	for (size_t i = 0; i < length; i++)
		if (byte[i] != pattern(i, seed))
			return false;
	return true;
}

#endif
