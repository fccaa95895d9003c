// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Retirement: where mappings wait, when no program sees them any more, for the
 * last user of each of their pages.
 */
#include "gntdev.h"
#include "trace.h"

/* Gives back what can be; frees the mapping if that was all of it. */
static bool retire_some(struct recheck *r)
{
	struct mapping *m = container_of(r, struct mapping, recheck);
	u32 before = m->held;
	u32 held = grants_unmap(m);

	atomic_long_sub(before - held, &counters.deferred);
	if (held) {
		grants_free_pages(m);
		return false;
	}

	mapping_free(m);
	return true;
}

/**
 * retire_idle() - end a mapping that no program sees
 * @m: the mapping
 *
 * Never waits for a page: pages with I/O under way are given back later. The
 * events in @m, if any, are sent when their pages have been unmapped.
 *
 * Return: @m, of which no page is held, for the caller to free or to use again;
 * or NULL, when it is not the caller's any more.
 */
struct mapping *retire_idle(struct mapping *m)
{
	u32 held = grants_unmap(m);

	if (!held)
		return m;

	grants_free_pages(m);
	trace_gntdev_defer(m->count, held);
	atomic_long_add(held, &counters.deferred);
	/* Its range or its dma-buf may go before it. */
	m->range = NULL;
	m->grants = NULL;

	recheck_begin(&m->recheck, retire_some);

	return NULL;
}

/* The same for a mapping that is not to be used again. */
void retire_mapping(struct mapping *m)
{
	m = retire_idle(m);
	if (m)
		mapping_free(m);
}
