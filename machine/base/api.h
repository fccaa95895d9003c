/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the users of a machine have of its ground: the log, and what happened. A
 * part of machine.h, which they include.
 */
#ifndef MACHINE_BASE_API_H
#define MACHINE_BASE_API_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define MACHINE_PAGE 4096UL

/* The kernel log: the last lines, for a test. */
const char *machine_log(void);
void machine_log_clear(void);
/* Kernel log lines go to @out as well; NULL for nowhere, which it starts as. */
void machine_log_to(FILE *out);

/* ---- what happened, in order ---- */

enum machine_event_kind {
	MACHINE_EVENT_MAP, /* domain, ref, handle, status, address */
	MACHINE_EVENT_UNMAP, /* domain, ref, handle, status, address */
	MACHINE_EVENT_COPY, /* domain, ref, status */
	MACHINE_EVENT_STORE, /* domain, ref, address: the kernel wrote a byte */
	MACHINE_EVENT_SEND, /* domain, port */
	/* address: user memory is about to be read or written, which may sleep */
	MACHINE_EVENT_USER,
};
struct machine_event {
	enum machine_event_kind kind;
	bool user; /* a program's entry, not the kernel's mapping */
	uint16_t domain; /* the granter; of a port, its owner */
	uint32_t ref;
	uint32_t handle;
	uint32_t port;
	int16_t status;
	uint64_t address; /* offset in the page for a store */
};
/*
 * Called in the thread where it happens. It must not call the machine, except
 * in MACHINE_EVENT_USER: then as if another thread did.
 */
void machine_watch(void (*watch)(const struct machine_event *, void *arg),
		   void *arg);

#endif /* MACHINE_BASE_API_H */
