// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Kept mappings: what a range leaves, with pages that nothing is behind any
 * more, is kept in the instance for the next range as long. Getting pages that
 * grants can be put behind, and giving them back, costs the kernel as much as the
 * hypervisor takes for mapping a grant; in some domains it costs memory too, so
 * little is kept.
 */
#include "gntdev.h"

/* Of an instance; and pages of all of them together, or a few more. */
#define MOST_MAPPINGS 8U
#define MOST_PAGES 1024U
#define MOST_IN_ALL 8192L

static void drop(struct keep *keep, struct mapping *m)
{
	list_del(&m->retired);
	keep->mappings--;
	keep->pages -= m->count;
	atomic_long_sub(m->count, &counters.kept);
}

/**
 * keep_take() - a kept mapping of a certain size
 * @keep: of an instance, whose lock the caller holds
 * @count: the size
 *
 * Return: a mapping with pages, none of them mapped; or NULL.
 */
struct mapping *keep_take(struct keep *keep, u32 count)
{
	struct mapping *m;

	list_for_each_entry(m, &keep->list, retired) {
		if (m->count == count) {
			drop(keep, m);
			m->okay = 0;
			return m;
		}
	}

	return NULL;
}

/**
 * keep_put() - keep a mapping, or not
 * @keep: of an instance, whose lock the caller holds
 * @m: a mapping of which no page is held; some may be missing
 * @unwanted: a list of the mappings to free when the lock is no longer held:
 *	this one, or those that have been kept longest
 */
void keep_put(struct keep *keep, struct mapping *m, struct list_head *unwanted)
{
	if (m->missing || m->count > MOST_PAGES ||
	    atomic_long_read(&counters.kept) + m->count > MOST_IN_ALL) {
		list_add_tail(&m->retired, unwanted);
		return;
	}

	list_add_tail(&m->retired, &keep->list);
	keep->mappings++;
	keep->pages += m->count;
	atomic_long_add(m->count, &counters.kept);

	while (keep->mappings > MOST_MAPPINGS || keep->pages > MOST_PAGES) {
		m = list_first_entry(&keep->list, struct mapping, retired);
		drop(keep, m);
		list_add_tail(&m->retired, unwanted);
	}
}

/**
 * keep_free() - free mappings
 * @unwanted: a list of them
 */
void keep_free(struct list_head *unwanted)
{
	struct mapping *m, *next;

	list_for_each_entry_safe(m, next, unwanted, retired) {
		list_del(&m->retired);
		mapping_free(m);
	}
}

/* The instance goes. */
void keep_free_all(struct keep *keep)
{
	atomic_long_sub(keep->pages, &counters.kept);
	keep_free(&keep->list);
}
