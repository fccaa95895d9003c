/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* How a test asks its granter: one request, one answer, whatever is between. */
#ifndef ABI_WIRE_H
#define ABI_WIRE_H

#include <stdint.h>

/* So that a message fits a page. */
#define WIRE_DATA 2048u
#define WIRE_REFS (WIRE_DATA / sizeof(uint32_t))

enum wire_op {
	WIRE_HELLO, /* value: the granter's domain id */
	WIRE_ALLOC, /* args: count, writable; data: references */
	WIRE_FREE, /* data: references */
	WIRE_WRITE, /* args: reference, offset; data: bytes */
	WIRE_READ, /* args: reference, offset, length; data: bytes */
	WIRE_BUSY, /* data: references; value: how many are in use */
	WIRE_SWAP, /* args: two references */
	WIRE_PORT, /* value: port */
	WIRE_WAIT_EVENT, /* args: port, reference, offset, ms; value: event */
	/* came; data: struct wire_seen */
	WIRE_BIND, /* args: port; value: local port; passes its file */
	WIRE_FINISH, /* args: ms; value: how many are in use */
	WIRE_MAP, /* args: granting domain; data: references; value: number */
	WIRE_MAP_READ, /* args: number, offset, length; data: bytes */
	WIRE_MAP_WRITE, /* args: number, offset; data: bytes */
	WIRE_UNMAP, /* args: number */
	WIRE_EXPORT, /* as WIRE_MAP */
};

struct wire_seen {
	uint32_t byte;
	uint32_t busy;
};

struct wire {
	uint32_t op;
	uint32_t args[4];
	/* In an answer: 0 or -errno, and what was asked for. */
	int32_t error;
	uint32_t value;
	/* Bytes used of data. */
	uint32_t length;
	union {
		uint8_t data[WIRE_DATA];
		uint32_t refs[WIRE_REFS];
		struct wire_seen seen;
	};
};

/* Do what a request says and turn it into the answer. */
void local_serve(struct wire *wire);
/* Grants are for that domain from here on. */
void local_init(unsigned int mapper_domid);

/* Of that, what is about pages of the other domain's. */
void mapper_serve(struct wire *wire);
void mapper_finish(void);

/* Ask a server through a socket. @fd gets the file passed, or -1. */
int socket_call(struct wire *wire, int *fd);
void socket_connect(const char *path);

/* Ask the server of that other domain. */
int peer_call(struct wire *wire);
void peer_init(unsigned int domid);
/* The event channel's port in this domain. */
unsigned int peer_port(void);

#endif
