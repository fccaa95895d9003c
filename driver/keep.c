// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Kept mappings: what a range leaves, with pages that nothing is behind any
 * more, is kept in the instance for the next range as long. Getting pages that
 * grants can be put behind, and giving them back, costs the kernel as much as the
 * hypervisor takes for mapping a grant; in some domains it costs memory too, so
 * little is kept, and given back when the kernel asks for memory.
 */
#include "gntdev.h"

/* Of an instance; and pages of all of them together, or a few more. */
#define MOST_MAPPINGS 8U
#define MOST_PAGES 1024U
#define MOST_IN_ALL 8192L

static struct {
	spinlock_t lock; /* anybody who looks for memory takes it */
	struct list_head keeps; /* that have a mapping; guarded by lock */
	struct shrinker *shrinker;
} all;

static void add(struct keep *keep, struct mapping *m)
{
	lockdep_assert_held(&all.lock);

	if (list_empty(&keep->list))
		list_add_tail(&keep->node, &all.keeps);
	list_add_tail(&m->retired, &keep->list);
	keep->mappings++;
	keep->pages += m->count;
	atomic_long_add(m->count, &gntdev_counters.kept);
}

static void drop(struct keep *keep, struct mapping *m)
{
	lockdep_assert_held(&all.lock);

	list_del(&m->retired);
	if (list_empty(&keep->list))
		list_del(&keep->node);
	keep->mappings--;
	keep->pages -= m->count;
	atomic_long_sub(m->count, &gntdev_counters.kept);
}

static struct mapping *longest_kept(const struct keep *keep)
{
	return list_first_entry(&keep->list, struct mapping, retired);
}

/**
 * gntdev_keep_take() - a kept mapping of a certain size
 * @keep: of an instance
 * @count: the size
 *
 * Return: a mapping with pages, none of them mapped; or NULL.
 */
struct mapping *gntdev_keep_take(struct keep *keep, u32 count)
{
	struct mapping *m, *found = NULL;

	spin_lock(&all.lock);
	list_for_each_entry(m, &keep->list, retired) {
		if (m->count == count) {
			drop(keep, m);
			m->okay = 0;
			found = m;
			break;
		}
	}
	spin_unlock(&all.lock);

	return found;
}

/**
 * gntdev_keep_put() - keep a mapping, or not
 * @keep: of an instance
 * @m: a mapping of which no page is held; some may be missing
 * @unwanted: a list of the mappings to free when no lock is held: this one, or
 *	those that have been kept longest
 */
void gntdev_keep_put(struct keep *keep, struct mapping *m,
		     struct list_head *unwanted)
{
	spin_lock(&all.lock);
	if (m->missing || m->count > MOST_PAGES ||
	    atomic_long_read(&gntdev_counters.kept) + m->count > MOST_IN_ALL)
		list_add_tail(&m->retired, unwanted);
	else
		add(keep, m);

	while (keep->mappings > MOST_MAPPINGS || keep->pages > MOST_PAGES) {
		m = longest_kept(keep);
		drop(keep, m);
		list_add_tail(&m->retired, unwanted);
	}
	spin_unlock(&all.lock);
}

/**
 * gntdev_keep_free() - free mappings
 * @unwanted: a list of them
 */
void gntdev_keep_free(struct list_head *unwanted)
{
	struct mapping *m, *next;

	list_for_each_entry_safe(m, next, unwanted, retired) {
		list_del(&m->retired);
		gntdev_mapping_free(m);
	}
}

/* The instance goes. */
void gntdev_keep_free_all(struct keep *keep)
{
	LIST_HEAD(unwanted);
	struct mapping *m;

	spin_lock(&all.lock);
	while (!list_empty(&keep->list)) {
		m = longest_kept(keep);
		drop(keep, m);
		list_add_tail(&m->retired, &unwanted);
	}
	spin_unlock(&all.lock);

	gntdev_keep_free(&unwanted);
}

static unsigned long keep_count(struct shrinker *shrinker,
				struct shrink_control *sc)
{
	return atomic_long_read(&gntdev_counters.kept);
}

/*
 * Takes from one instance after the other. The pages are freed by a worker: that
 * takes locks under which the kernel gets memory. It is told with the lock held,
 * under which no instance can go, and so the module stays.
 */
static unsigned long keep_scan(struct shrinker *shrinker,
			       struct shrink_control *sc)
{
	unsigned long pages = 0;
	struct mapping *m;
	struct keep *keep;

	spin_lock(&all.lock);
	while (pages < sc->nr_to_scan && !list_empty(&all.keeps)) {
		keep = list_first_entry(&all.keeps, struct keep, node);
		m = longest_kept(keep);
		list_move_tail(&keep->node, &all.keeps);
		drop(keep, m);
		pages += m->count;
		gntdev_retire_soon(m);
	}
	spin_unlock(&all.lock);
	sc->nr_scanned = pages;

	return pages ?: SHRINK_STOP;
}

int __init gntdev_keep_init(void)
{
	spin_lock_init(&all.lock);
	INIT_LIST_HEAD(&all.keeps);
	all.shrinker = shrink_begin(keep_count, keep_scan);

	return all.shrinker ? 0 : -ENOMEM;
}

void gntdev_keep_exit(void)
{
	shrink_end(all.shrinker);
}
