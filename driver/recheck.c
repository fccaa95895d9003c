// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Rechecks: looking again, at growing intervals, at things whose end nobody
 * tells. The kernel does not say when a page is let go of, nor the hypervisor
 * when another domain unmaps a grant.
 *
 * The module stays in use for as long as there is one: whoever wants to unload
 * it is told so at once, instead of having to wait for a disk or for a guest.
 */
#include "gntdev.h"

#define SOONEST msecs_to_jiffies(4)
#define LATEST msecs_to_jiffies(256)

/*
 * Of the module's own, so that its end can wait for what runs. While the domain is
 * suspended nothing does: see suspend.c.
 */
static struct workqueue_struct *queue;

static void recheck_look(struct work_struct *work)
{
	struct recheck *r =
		container_of(to_delayed_work(work), struct recheck, work);

	if (r->is_over(r)) {
		/* It is freed. What is left to run here, recheck_exit() awaits. */
		module_put(THIS_MODULE);
		return;
	}

	r->interval = min(r->interval * 2, LATEST);
	queue_delayed_work(queue, &r->work, r->interval);
}

static void begin(struct recheck *r, bool (*is_over)(struct recheck *r),
		  unsigned long delay)
{
	__module_get(THIS_MODULE);
	r->is_over = is_over;
	r->interval = SOONEST;
	INIT_DELAYED_WORK(&r->work, recheck_look);
	queue_delayed_work(queue, &r->work, delay);
}

/**
 * recheck_begin() - have a thing looked at until it is over
 * @r: a part of it
 * @is_over: looks, may sleep, and is not called twice at once; if it returns
 *	true, it may have freed @r
 *
 * The caller is somebody for whom the module stays already: an open file, or a
 * dma-buf.
 */
void recheck_begin(struct recheck *r, bool (*is_over)(struct recheck *r))
{
	begin(r, is_over, SOONEST);
}

/* The same, for a thing that somebody waits for: the first look is at once. */
void recheck_at_once(struct recheck *r, bool (*is_over)(struct recheck *r))
{
	begin(r, is_over, 0);
}

int __init recheck_init(void)
{
	queue = alloc_workqueue("xen-gntdev", WQ_UNBOUND | WQ_FREEZABLE, 0);

	return queue ? 0 : -ENOMEM;
}

/* Nothing is in the queue any more; the last of it may still be returning. */
void recheck_exit(void)
{
	destroy_workqueue(queue);
}
