/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A domain's connection to xenstored, as its kernel would have it: two rings
 * in a page that is granted to domain 0, and an event channel. All programs of
 * the domain share it.
 */
#ifndef BUS_H
#define BUS_H

#include <semaphore.h>

#include "server.h"

/* The wire protocol of xenstore: facts of the hypervisor's public headers. */
struct wire_header {
	uint32_t type;
	uint32_t request;
	uint32_t transaction;
	uint32_t length;
};

#define WIRE_PAYLOAD 4096

enum wire_type {
	WIRE_WATCH = 4,
	WIRE_UNWATCH = 5,
	WIRE_TRANSACTION_START = 6,
	WIRE_TRANSACTION_END = 7,
	WIRE_INTRODUCE = 8,
	WIRE_WRITE = 11,
	WIRE_MKDIR = 12,
	WIRE_SET_PERMS = 14,
	WIRE_WATCH_EVENT = 15,
	WIRE_ERROR = 16,
};

struct wire_message {
	struct wire_header header;
	char payload[WIRE_PAYLOAD + 1];
};

/* What a program's request was, until it is answered. */
struct pending {
	TAILQ_ENTRY(pending) entry;
	uint32_t request; /* on the ring */
	uint32_t theirs; /* as the program numbered it */
	uint32_t type;
	struct bus_user *user; /* NULL: nobody wants the answer */
};

/* A watch or a transaction that has to be ended with its user. */
struct belonging {
	TAILQ_ENTRY(belonging) entry;
	uint32_t transaction; /* 0: a watch */
	char *watch; /* path and token, each with its end */
	uint32_t length;
};

/* A request that has to wait, see bus_user.c. */
struct held {
	TAILQ_ENTRY(held) entry;
	struct wire_message message;
};

/* A program's descriptor. */
struct bus_user {
	TAILQ_ENTRY(bus_user) entry;
	struct bus *bus;
	struct device *device; /* NULL: the server itself */
	uint32_t number;
	TAILQ_HEAD(, belonging) belongings;
	TAILQ_HEAD(, held) helds;
	/* The request that is being put together. */
	size_t got;
	struct wire_message in;
	/* The server's own: the answer to its last request. */
	bool answered;
	int result; /* a negative errno if it was refused */
};

struct bus {
	LIST_ENTRY(bus) entry;
	unsigned int refs; /* guarded by state */
	struct domain *domain;
	struct rings *rings;
	long pfn; /* of the page; -1: not of the domain's memory */
	long port;
	sem_t work; /* an event came, or there is something to send */
	/* Guards all below; the library is not called under it. */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool up, broken;
	char *out; /* on its way to the ring */
	size_t out_size, out_sent;
	struct wire_message in; /* on its way from the ring */
	size_t in_got;
	uint32_t numbers, requests;
	TAILQ_HEAD(, pending) pendings;
	TAILQ_HEAD(, bus_user) users;
};

/* bus.c */
/* With rings in a page of its own memory that domain 0 may map. */
int bus_make(struct domain *domain, struct bus **bus);
/* With rings in a given page, for domain 0. */
int bus_make_at(struct domain *domain, void *page, struct bus **bus);
/* Its thread begins: the other end is there. */
int bus_start(struct bus *bus);
/* xenstored is gone: everybody is told the end. */
void bus_break(struct bus *bus);
void bus_put(struct bus *bus);
/* Call with the bus's lock. */
void bus_send(struct bus *bus, const struct wire_message *message);

/* bus_user.c */
void bus_user_message(struct bus *bus, struct wire_message *message);
struct bus_user *bus_user_make(struct bus *bus, struct device *device);
void bus_user_end(struct bus_user *user);
/* Bytes that a program writes. */
void bus_user_write(struct bus_user *user, const char *bytes, size_t size);
/* A request of the server's own, and its answer. */
int bus_user_ask(struct bus_user *user, enum wire_type type,
		 const char *payload, size_t length);
void bus_user_forget_all(struct bus *bus);

#endif /* BUS_H */
