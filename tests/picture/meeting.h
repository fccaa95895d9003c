/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How the painter in a guest and the lender in dom0 meet: a page that the
 * painter grants, by what its node in xenstore says.
 */
#ifndef MEETING_H
#define MEETING_H

#include "picture.h"

/* Below the guest's home. */
#define MEETING_NODE "data/gntdev-picture"

enum ending {
	UNDECIDED,
	WELL,
	BADLY
};

struct meeting {
	/* The lender's: which picture it wants, and how it ended. */
	uint32_t wanted;
	uint32_t ended;
	/* The painter's: which picture is there, and in which pages. */
	uint32_t drawn;
	uint32_t refs[PAGES];
};

_Static_assert(sizeof(struct meeting) <= PAGE, "a meeting fits in a page");

/* What one side writes, the other waits for. */
static inline void put(uint32_t *where, uint32_t value)
{
	__atomic_store_n(where, value, __ATOMIC_RELEASE);
}

static inline uint32_t get(const uint32_t *where)
{
	return __atomic_load_n(where, __ATOMIC_ACQUIRE);
}

#endif
