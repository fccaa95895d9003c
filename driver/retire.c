// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Retirement: where mappings wait, when no program sees them any more, for the
 * last user of each of their pages. The kernel does not tell when a page is let
 * go of, so they are looked at again and again, at growing intervals.
 */
#include "gntdev.h"
#include "trace.h"

#define SOONEST msecs_to_jiffies(4)
#define LATEST msecs_to_jiffies(256)

static struct {
	struct mutex lock; /* taken alone */
	struct list_head mappings; /* guarded by lock */
	unsigned long interval; /* jiffies; guarded by lock */
	struct delayed_work work;
	wait_queue_head_t empty;
} retirement;

/* Gives back what can be; frees the mapping if that was all of it. */
static bool retire_some(struct mapping *m)
{
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

static void retire_look(struct work_struct *work)
{
	struct mapping *m, *next;
	LIST_HEAD(mine);

	/* New ones may come while these are looked at. */
	mutex_lock(&retirement.lock);
	list_splice_init(&retirement.mappings, &mine);
	mutex_unlock(&retirement.lock);

	list_for_each_entry_safe(m, next, &mine, retired) {
		list_del(&m->retired);
		if (retire_some(m))
			continue;

		mutex_lock(&retirement.lock);
		list_add_tail(&m->retired, &retirement.mappings);
		mutex_unlock(&retirement.lock);
	}

	mutex_lock(&retirement.lock);
	if (list_empty(&retirement.mappings)) {
		wake_up_all(&retirement.empty);
	} else {
		retirement.interval = min(retirement.interval * 2, LATEST);
		schedule_delayed_work(&retirement.work, retirement.interval);
	}
	mutex_unlock(&retirement.lock);
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
	trace_gntdev_defer(m->count, m->grants, held);
	atomic_long_add(held, &counters.deferred);
	/* Its range or its dma-buf may go before it. */
	m->range = NULL;
	m->grants = NULL;

	mutex_lock(&retirement.lock);
	list_add_tail(&m->retired, &retirement.mappings);
	retirement.interval = SOONEST;
	mod_delayed_work(system_wq, &retirement.work, SOONEST);
	mutex_unlock(&retirement.lock);

	return NULL;
}

/* The same for a mapping that is not to be used again. */
void retire_mapping(struct mapping *m)
{
	m = retire_idle(m);
	if (m)
		mapping_free(m);
}

void retire_init(void)
{
	mutex_init(&retirement.lock);
	INIT_LIST_HEAD(&retirement.mappings);
	INIT_DELAYED_WORK(&retirement.work, retire_look);
	init_waitqueue_head(&retirement.empty);
}

/*
 * The module goes: waits for pages that are still in use. No more can come, and
 * the work that gave the last one back has ended when it is cancelled.
 */
void retire_exit(void)
{
	while (!wait_event_timeout(retirement.empty,
				   !atomic_long_read(&counters.deferred),
				   10 * HZ))
		pr_info("unloading waits for %ld pages that I/O still uses\n",
			atomic_long_read(&counters.deferred));
	cancel_delayed_work_sync(&retirement.work);
}
