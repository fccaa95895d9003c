// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Retirement: where pages wait, when no program sees them any more, for the last
 * user of each of them.
 */
#include "gntdev.h"
#include "trace.h"

static bool retire_look(struct recheck *r);

/* What waits, and the first grant of it, for the list of holdings. */
static struct held held_of(const struct mapping *m,
			   const struct ioctl_gntdev_grant_ref *first)
{
	struct held held = {
		.kind = "deferred",
		.count = m->held,
		.first = {.domid = domid_of(first), .ref = first->ref},
	};

	if (m->holder)
		held.holder = *m->holder;
	held.holder.since = ktime_get_seconds();

	return held;
}

/* Looked at from now on, by somebody who may free pages. */
static void retire(struct mapping *m)
{
	/* Its range or its dma-buf may go before it. */
	m->range = NULL;
	m->grants = NULL;
	m->holder = NULL;

	gntdev_recheck_begin(&m->recheck, retire_look);
}

/*
 * What waits is to cost by the pages that are held, however many there were: a
 * mapping of these alone takes the place of @m. Returns whether it did.
 */
static bool reduce(struct mapping *m)
{
	struct mapping *rest;

	if (m->held > m->count / 2)
		return false;
	rest = gntdev_mapping_split(m);
	if (!rest)
		return false;

	rest->recheck.held = m->recheck.held;
	rest->recheck.held.count = rest->held;
	gntdev_recheck_over(&m->recheck);
	gntdev_mapping_free(m);
	retire(rest);

	return true;
}

/* Gives back what can be; returns whether that was all of it. */
static bool retire_look(struct recheck *r)
{
	struct mapping *m = container_of(r, struct mapping, recheck);
	u32 before = m->held;
	u32 held;

	/* What was unmapped before is not to be counted again. */
	gntdev_grants_free_pages(m);
	held = gntdev_grants_unmap(m);
	atomic_long_sub(before - held, &gntdev_counters.deferred);
	WRITE_ONCE(m->recheck.held.count, held);
	if (held)
		return reduce(m);

	gntdev_recheck_over(&m->recheck);
	gntdev_mapping_free(m);
	return true;
}

/**
 * gntdev_retire_pages() - end a mapping that no program sees
 * @m: the mapping
 *
 * Never waits for a page: pages with I/O under way are given back later. The
 * events in @m, if any, are sent when their pages have been unmapped.
 *
 * Return: @m, for the caller to free or to use again; pages with I/O under way
 * are missing. NULL if it is not the caller's any more, for lack of memory.
 */
struct mapping *gntdev_retire_pages(struct mapping *m)
{
	u32 held = gntdev_grants_unmap(m), i = 0;
	struct mapping *rest;
	struct held what;

	if (!held)
		return m;
	while (!gntdev_mapping_holds(m, i))
		i++;
	what = held_of(m, &m->grants[i]);

	trace_gntdev_defer(m->count, m->grants, held);
	atomic_long_add(held, &gntdev_counters.deferred);
	rest = gntdev_mapping_split(m);
	(rest ?: m)->recheck.held = what;
	retire(rest ?: m);

	return rest ? m : NULL;
}

/**
 * gntdev_retire_part() - part the pages that are still used from a mapping
 * @m: a mapping after gntdev_grants_unmap(), with pages that are held
 * @first: the grant of the first of them
 *
 * Return: whether there was memory for that; if not, nothing has changed.
 */
bool gntdev_retire_part(struct mapping *m,
			const struct ioctl_gntdev_grant_ref *first)
{
	const struct held what = held_of(m, first);
	struct mapping *rest;
	u32 held = m->held;

	rest = gntdev_mapping_split(m);
	if (!rest)
		return false;

	trace_gntdev_defer(m->count, &what.first, held);
	atomic_long_add(held, &gntdev_counters.deferred);
	rest->recheck.held = what;
	retire(rest);

	return true;
}

/* As gntdev_retire_pages(), for a mapping that is not to be used again. */
void gntdev_retire_mapping(struct mapping *m)
{
	m = gntdev_retire_pages(m);
	if (m)
		gntdev_mapping_free(m);
}

/*
 * Frees a mapping of which no page is held, for a caller with mmap_lock: to free
 * pages may wait for those who get some, and they for mmap_lock.
 */
void gntdev_retire_soon(struct mapping *m)
{
	retire(m);
}
