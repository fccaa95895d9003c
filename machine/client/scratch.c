// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Room for paths and the like. A program's system call takes hardly any of its
 * stack, and a thread or a signal handler may have no more than that: so what is
 * larger is here, and on the stack only where all rooms are taken.
 *
 * A signal's handler that leaves by longjmp() takes a room with it.
 */
#include "client.h"

#define ROOMS 64

static struct {
	_Alignas(16) char bytes[SCRATCH_BYTES];
} rooms[ROOMS];

static atomic_int busy[ROOMS];

void *scratch_take(void)
{
	int unused;

	for (int i = 0; i < ROOMS; i++) {
		unused = 0;
		if (!atomic_load_explicit(&busy[i], memory_order_relaxed) &&
		    atomic_compare_exchange_strong(&busy[i], &unused, 1))
			return rooms[i].bytes;
	}

	return NULL;
}

void scratch_give(const void *room)
{
	uintptr_t offset = (uintptr_t)room - (uintptr_t)rooms;

	if (offset < sizeof(rooms))
		busy[offset / sizeof(*rooms)] = 0;
}

/* Those of other threads are nobody's in a child. */
void scratch_after_fork(void)
{
	for (int i = 0; i < ROOMS; i++)
		busy[i] = 0;
}
