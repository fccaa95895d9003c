/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a frontend needs of Xen, whatever its device: the states of both ends in
 * xenstore, pages that the backend may use, and an event channel to it. All of it
 * by Debian's libraries, with /dev/xen/gntalloc and /dev/xen/evtchn behind them.
 */
#ifndef FRONT_H
#define FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#define PAGE 4096

/* Ends of a device go through these. */
enum front_state {
	STATE_NONE, /* its node is not there */
	STATE_INITIALISING,
	STATE_INIT_WAIT,
	STATE_INITIALISED,
	STATE_CONNECTED,
	STATE_CLOSING,
	STATE_CLOSED,
};

struct front {
	struct xs_handle *xs;
	xengntshr_handle *shares;
	xenevtchn_handle *events;
	char path[64]; /* of its nodes, below the domain's own */
	char *backend; /* of the other end's */
	unsigned int backend_domain;
	int port;
};

/* Pages that the backend may use. */
struct shared {
	void *memory;
	uint32_t *refs;
	unsigned int count;
};

/* Says what is wrong, and ends the program with this status. */
#define STATUS_WRONG 1
#define STATUS_REFUSED 3 /* the backend did not connect */
#define STATUS_LOST 4 /* it went away, or does not answer */
__attribute__((format(printf, 2, 3), noreturn)) void
front_end(int status, const char *format, ...);

/* The device of that kind ("vbd", "9pfs") and number, which a toolstack made. */
void front_open(struct front *f, const char *kind, const char *device);
/* A node of the backend's, which is the caller's to free; or NULL. */
char *front_offer(struct front *f, const char *node);
unsigned long front_number(struct front *f, const char *node,
			   unsigned long otherwise);
/* A node of its own. */
__attribute__((format(printf, 3, 4))) void
front_write(struct front *f, const char *node, const char *format, ...);
/* Not there, be it from a connection before. */
void front_remove(struct front *f, const char *node);
void front_say(struct front *f, enum front_state state);
enum front_state front_backend(struct front *f);
/* Waits for one of these states, bits of 1 << state: it, or STATE_NONE. */
enum front_state front_await(struct front *f, unsigned int states, int ms);
/* Waits for the backend to say something, so many milliseconds. */
enum heard {
	HEARD_NOTHING,
	HEARD_EVENT,
	HEARD_STATE, /* its state has changed, or may have */
};
enum heard front_listen(struct front *f, int ms);
void front_notify(struct front *f);

struct shared front_share(struct front *f, unsigned int pages);
void front_unshare(struct front *f, struct shared *shared);
/* A new port, in the place of the one before. */
void front_offer_port(struct front *f);
void front_drop_port(struct front *f);

/*
 * Says that the nodes are written, and waits for the backend; front_leave() parts
 * in the order that both ends expect. False if it does not come along.
 */
bool front_meet(struct front *f, int ms);
bool front_leave(struct front *f, int ms);

#endif
