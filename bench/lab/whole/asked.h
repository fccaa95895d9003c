/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What asked.so writes down of a program: each call that the grant device, or
 * gntalloc, had to do with. It is in the file /run/asked.PROGRAM, or by the name
 * that the environment's ASKED_NAME has.
 */
#ifndef ASKED_H
#define ASKED_H

#include <stdint.h>

#define ASKED_FILE "/run/asked."
#define ASKED_MOST 65536u

/* The kinds of calls that are no requests; those have the number of theirs. */
enum asked_kind {
	ASKED_MMAP = 1000,
	ASKED_MUNMAP,
	ASKED_CLOSE
};

struct asked_call {
	uint32_t kind, size; /* pages, or segments */
	uint64_t spent; /* nanoseconds */
};

struct asked {
	/* Set by whoever looks: calls are counted, and timed. */
	uint32_t on;
	uint32_t count; /* of calls; the first so many are kept */
	struct asked_call calls[ASKED_MOST];
};

#endif /* ASKED_H */
