/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Where in a worker's address space things are mapped. Everything that is
 * mapped and unmapped at random has an address that nothing else can get:
 * far below those that the kernel picks itself, one piece a thread. A hole
 * there stays a hole, and an unmap too much hits no stack and no heap.
 */
#ifndef STRESS_ARENA_H
#define STRESS_ARENA_H

#include "stress.h"

#if UINTPTR_MAX > 0xffffffffu
#define ARENA_BASE 0x1000000000ull
#else
#define ARENA_BASE 0x18000000u
#endif

/* The windows: places that all threads of a worker map and unmap at once. */
#define WINDOWS 16u
#define WINDOW_PAGES 64u
#define WINDOW_BYTES (2 * WINDOW_PAGES * PAGE)
#define WINDOW_BASE ((u8 *)(uintptr_t)ARENA_BASE)

/* A range has a place at home and one to be moved to. */
#define PLACE_BYTES (RANGE_PAGES * PAGE)
#define THREAD_BYTES ((RANGES + 1) * 2 * PLACE_BYTES)
#define THREAD_BASE ((u8 *)(uintptr_t)(ARENA_BASE + 0x8000000u))

static inline u8 *window(u32 n)
{
	return WINDOW_BASE + (uintptr_t)n * WINDOW_BYTES;
}

static inline u8 *arena_of(u32 thread)
{
	return THREAD_BASE + (uintptr_t)thread * THREAD_BYTES;
}

static inline u8 *arena_place(struct ctx *c, const struct range *r, bool moved)
{
	return c->arena + (uintptr_t)(r - c->range) * 2 * PLACE_BYTES +
	       (moved ? PLACE_BYTES : 0);
}

static inline u8 *arena_request(struct ctx *c)
{
	return c->arena + (uintptr_t)RANGES * 2 * PLACE_BYTES;
}

#endif
