// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "granter.h"
#include "tap.h"
#include "wire.h"
#include "world.h"

static enum {
	SELF,
	SOCKET,
	PEER
} kind;
static unsigned int domid;

/* Calls that wait are asked again and again: no single one takes long. */
#define POLL_MS 10u

static void call(struct wire *wire, int *fd)
{
	int error = 0;

	if (kind == SELF)
		local_serve(wire);
	else if (kind == SOCKET)
		error = socket_call(wire, fd);
	else
		error = peer_call(wire);
	if (error)
		FAIL("the granter does not answer: %s", error_name(error));
}

static void must(struct wire *wire, const char *what)
{
	call(wire, NULL);
	if (wire->error)
		FAIL("the granter cannot %s: %s", what,
		     error_name(wire->error));
}

void granter_init(void)
{
	const char *chosen = getenv("GNTDEV_GRANTER");
	struct wire wire = {.op = WIRE_HELLO};

	domid = world.domid;
	if (!chosen || !strcmp(chosen, "self")) {
		kind = SELF;
		local_init(world.domid);
		return;
	}
	if (!strncmp(chosen, "socket:", 7)) {
		kind = SOCKET;
		socket_connect(chosen + 7);
	} else if (!strcmp(chosen, "peer")) {
		kind = PEER;
		peer_init(0);
	} else if (!strncmp(chosen, "peer:", 5)) {
		kind = PEER;
		peer_init(strtoul(chosen + 5, NULL, 10));
	} else {
		fprintf(stderr,
			"GNTDEV_GRANTER=%s: expected self, socket:PATH, peer or peer:DOMID\n",
			chosen);
		exit(2);
	}
	must(&wire, "say which domain it is in");
	domid = wire.value;
	/* What a program that was killed has left there. */
	granter_finish(0);
}

unsigned int granter_domid(void)
{
	return domid;
}

bool granter_is_self(void)
{
	return kind != PEER;
}

unsigned int granter_channel(void)
{
	return kind == PEER ? peer_port() : 0;
}

void granter_alloc(uint32_t *refs, unsigned int count, bool writable)
{
	while (count) {
		unsigned int part = count < WIRE_REFS ? count : WIRE_REFS;
		struct wire wire = {
			.op = WIRE_ALLOC,
			.args = {part, writable},
		};

		must(&wire, "grant");
		memcpy(refs, wire.refs, part * sizeof(*refs));
		refs += part;
		count -= part;
	}
}

/* Calls with a list of references; adds up the values of the answers. */
static unsigned int with_refs(enum wire_op op, const char *what,
			      const uint32_t *refs, unsigned int count)
{
	unsigned int sum = 0;

	while (count) {
		unsigned int part = count < WIRE_REFS ? count : WIRE_REFS;
		struct wire wire = {.op = op, .length = part * sizeof(*refs)};

		memcpy(wire.refs, refs, wire.length);
		must(&wire, what);
		sum += wire.value;
		refs += part;
		count -= part;
	}
	return sum;
}

void granter_free(const uint32_t *refs, unsigned int count)
{
	with_refs(WIRE_FREE, "end access", refs, count);
}

unsigned int granter_busy(const uint32_t *refs, unsigned int count)
{
	return with_refs(WIRE_BUSY, "tell whether a grant is in use", refs,
			 count);
}

unsigned int granter_wait_idle(const uint32_t *refs, unsigned int count,
			       unsigned int ms)
{
	long long limit = milliseconds() + ms;

	for (;;) {
		unsigned int busy = granter_busy(refs, count);

		if (!busy || milliseconds() >= limit)
			return busy;
		sleep_ms(POLL_MS);
	}
}

void granter_write(uint32_t ref, unsigned int offset, const void *from,
		   size_t length)
{
	const uint8_t *bytes = from;

	while (length) {
		size_t part = length < WIRE_DATA ? length : WIRE_DATA;
		struct wire wire = {
			.op = WIRE_WRITE,
			.args = {ref, offset},
			.length = part,
		};

		memcpy(wire.data, bytes, part);
		must(&wire, "write to its page");
		bytes += part;
		offset += part;
		length -= part;
	}
}

void granter_read(uint32_t ref, unsigned int offset, void *to, size_t length)
{
	uint8_t *bytes = to;

	while (length) {
		size_t part = length < WIRE_DATA ? length : WIRE_DATA;
		struct wire wire = {
			.op = WIRE_READ,
			.args = {ref, offset, part},
		};

		must(&wire, "read its page");
		memcpy(bytes, wire.data, part);
		bytes += part;
		offset += part;
		length -= part;
	}
}

uint8_t granter_byte(uint32_t ref, unsigned int offset)
{
	uint8_t byte;

	granter_read(ref, offset, &byte, 1);
	return byte;
}

bool granter_swap(uint32_t one, uint32_t other)
{
	struct wire wire = {.op = WIRE_SWAP, .args = {one, other}};

	call(&wire, NULL);
	return !wire.error;
}

static int map_by(enum wire_op op, const uint32_t *refs, unsigned int count)
{
	struct wire wire = {
		.op = op,
		.args = {world.domid},
		.length = count * sizeof(*refs),
	};

	CHECK(count <= WIRE_REFS, "%u pages are too many", count);
	memcpy(wire.refs, refs, wire.length);
	call(&wire, NULL);
	return wire.error ? wire.error : (int)wire.value;
}

int granter_map(const uint32_t *refs, unsigned int count)
{
	return map_by(WIRE_MAP, refs, count);
}

int granter_export(const uint32_t *refs, unsigned int count)
{
	return map_by(WIRE_EXPORT, refs, count);
}

void granter_map_read(int map, unsigned int offset, void *to, size_t length)
{
	while (length) {
		size_t part = length < WIRE_DATA ? length : WIRE_DATA;
		struct wire wire = {
			.op = WIRE_MAP_READ,
			.args = {map, offset, part},
		};

		must(&wire, "read what it has mapped");
		memcpy(to, wire.data, part);
		to = (uint8_t *)to + part;
		offset += part;
		length -= part;
	}
}

void granter_map_write(int map, unsigned int offset, const void *from,
		       size_t length)
{
	while (length) {
		size_t part = length < WIRE_DATA ? length : WIRE_DATA;
		struct wire wire = {
			.op = WIRE_MAP_WRITE,
			.args = {map, offset},
			.length = part,
		};

		memcpy(wire.data, from, part);
		must(&wire, "write to what it has mapped");
		from = (const uint8_t *)from + part;
		offset += part;
		length -= part;
	}
}

void granter_unmap(int map)
{
	struct wire wire = {.op = WIRE_UNMAP, .args = {map}};

	must(&wire, "unmap");
}

unsigned int granter_port(void)
{
	struct wire wire = {.op = WIRE_PORT};

	must(&wire, "make an event channel");
	return wire.value;
}

struct seen granter_wait_event(unsigned int port, uint32_t ref,
			       unsigned int offset, unsigned int ms)
{
	struct wire wire = {
		.op = WIRE_WAIT_EVENT,
		.args = {port, ref, offset, ms},
	};

	must(&wire, "wait for an event");
	return (struct seen){
		.event = wire.value,
		.byte = wire.seen.byte,
		.busy = wire.seen.busy,
	};
}

unsigned int bind_port(unsigned int granters_port, int *fd)
{
	struct wire wire = {.op = WIRE_BIND, .args = {granters_port}};
	int port;

	*fd = events_open();
	CHECK(*fd >= 0, "/dev/xen/evtchn: %s", error_name(*fd));
	port = events_bind(*fd, domid, granters_port);
	if (port == -ENOTTY && kind == SOCKET) {
		close(*fd);
		call(&wire, fd);
		port = wire.error ? wire.error : (int)wire.value;
	}
	CHECK(port >= 0, "cannot bind to port %u of domain %u: %s",
	      granters_port, domid, error_name(port));
	return port;
}

unsigned int granter_finish(unsigned int ms)
{
	struct wire wire = {.op = WIRE_FINISH, .args = {ms}};

	must(&wire, "take back its grants");
	return wire.value;
}
