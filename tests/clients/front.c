// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "front.h"

void front_end(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(status);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- xenstore ---- */

static char *read_node(struct front *f, const char *folder, const char *node)
{
	unsigned int length;
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", folder, node);

	return xs_read(f->xs, XBT_NULL, path, &length);
}

char *front_offer(struct front *f, const char *node)
{
	return read_node(f, f->backend, node);
}

unsigned long front_number(struct front *f, const char *node,
			   unsigned long otherwise)
{
	char *text = front_offer(f, node);

	if (text)
		otherwise = strtoul(text, NULL, 10);
	free(text);

	return otherwise;
}

void front_write(struct front *f, const char *node, const char *format, ...)
{
	char path[160], value[128];
	va_list arguments;

	snprintf(path, sizeof(path), "%s/%s", f->path, node);
	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	if (!xs_write(f->xs, XBT_NULL, path, value, strlen(value)))
		front_end(STATUS_WRONG, "cannot write %s: %s", path,
			  strerror(errno));
}

void front_remove(struct front *f, const char *node)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", f->path, node);
	xs_rm(f->xs, XBT_NULL, path);
}

void front_say(struct front *f, enum front_state state)
{
	front_write(f, "state", "%d", state);
}

enum front_state front_backend(struct front *f)
{
	return front_number(f, "state", STATE_NONE);
}

enum front_state front_await(struct front *f, unsigned int states, int ms)
{
	long end = now_ms() + ms;
	enum front_state state;

	for (;;) {
		state = front_backend(f);
		if (states & 1u << state)
			return state;
		if (now_ms() >= end)
			return STATE_NONE;
		front_listen(f, end - now_ms());
	}
}

void front_open(struct front *f, const char *kind, const char *device)
{
	char path[160], *domain;

	setvbuf(stdout, NULL, _IOLBF, 0);
	memset(f, 0, sizeof(*f));
	f->port = -1;
	f->xs = xs_open(0);
	f->shares = xengntshr_open(NULL, 0);
	f->events = xenevtchn_open(NULL, 0);
	if (!f->xs || !f->shares || !f->events)
		front_end(STATUS_WRONG, "no xenstore, gntalloc or evtchn: %s",
			  strerror(errno));

	snprintf(f->path, sizeof(f->path), "device/%s/%s", kind, device);
	f->backend = read_node(f, f->path, "backend");
	domain = read_node(f, f->path, "backend-id");
	if (!f->backend || !domain)
		front_end(STATUS_WRONG, "there is no device %s", f->path);
	f->backend_domain = strtoul(domain, NULL, 10);
	free(domain);

	snprintf(path, sizeof(path), "%s/state", f->backend);
	if (!xs_watch(f->xs, path, "backend"))
		front_end(STATUS_WRONG, "cannot watch %s: %s", path,
			  strerror(errno));
}

/* ---- events ---- */

static bool take_watches(struct front *f)
{
	bool any = false;
	char **event;

	while ((event = xs_check_watch(f->xs))) {
		free(event);
		any = true;
	}

	return any;
}

enum heard front_listen(struct front *f, int ms)
{
	struct pollfd pollers[] = {
		{.fd = xs_fileno(f->xs), .events = POLLIN},
		{.fd = xenevtchn_fd(f->events), .events = POLLIN},
	};
	int port;

	/* What libxenstore has read already is not there for poll. */
	if (take_watches(f))
		return HEARD_STATE;
	if (poll(pollers, 2, ms < 0 ? 0 : ms) <= 0)
		return HEARD_NOTHING;
	if (pollers[1].revents) {
		port = xenevtchn_pending(f->events);
		if (port >= 0)
			xenevtchn_unmask(f->events, port);
	}

	return take_watches(f) ? HEARD_STATE : HEARD_EVENT;
}

void front_notify(struct front *f)
{
	xenevtchn_notify(f->events, f->port);
}

void front_drop_port(struct front *f)
{
	if (f->port >= 0)
		xenevtchn_unbind(f->events, f->port);
	f->port = -1;
}

void front_offer_port(struct front *f)
{
	front_drop_port(f);
	f->port = xenevtchn_bind_unbound_port(f->events, f->backend_domain);
	if (f->port < 0)
		front_end(STATUS_WRONG, "no event channel to domain %u: %s",
			  f->backend_domain, strerror(errno));
}

/* ---- pages ---- */

struct shared front_share(struct front *f, unsigned int pages)
{
	struct shared shared = {.count = pages};

	shared.refs = calloc(pages, sizeof(*shared.refs));
	if (shared.refs)
		shared.memory = xengntshr_share_pages(f->shares,
						      f->backend_domain, pages,
						      shared.refs, 1);
	if (!shared.memory)
		front_end(STATUS_WRONG, "cannot share %u pages: %s", pages,
			  strerror(errno));
	memset(shared.memory, 0, (size_t)pages * PAGE);

	return shared;
}

void front_unshare(struct front *f, struct shared *shared)
{
	if (!shared->memory)
		return;
	xengntshr_unshare(f->shares, shared->memory, shared->count);
	free(shared->refs);
	memset(shared, 0, sizeof(*shared));
}

/* ---- both ends ---- */

bool front_meet(struct front *f, int ms)
{
	front_say(f, STATE_INITIALISED);
	if (front_await(f,
			1u << STATE_CONNECTED | 1u << STATE_CLOSING |
				1u << STATE_CLOSED,
			ms) != STATE_CONNECTED)
		return false;
	front_say(f, STATE_CONNECTED);

	return true;
}

bool front_leave(struct front *f, int ms)
{
	front_say(f, STATE_CLOSING);
	if (!front_await(f, 1u << STATE_CLOSING | 1u << STATE_CLOSED, ms))
		return false;
	front_say(f, STATE_CLOSED);
	if (!front_await(f, 1u << STATE_CLOSED | 1u << STATE_INIT_WAIT, ms))
		return false;
	front_drop_port(f);

	return true;
}
