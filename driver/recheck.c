// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Rechecks: looking again and again at things whose end nobody tells. The kernel
 * does not say when a page is let go of, nor the hypervisor when another domain
 * unmaps a grant.
 *
 * While few things wait, each is looked at so often that nobody notices. The more
 * wait, the longer are the intervals: all looks together take as much time as
 * those at a few things. What has waited for minutes can wait a little longer.
 *
 * The module stays in use for as long as there is one: whoever wants to unload
 * it is told so at once, instead of having to wait for a disk or for a guest.
 */
#include "gntdev.h"

#define SOONEST msecs_to_jiffies(4)
#define OFTEN msecs_to_jiffies(8)
#define LATEST msecs_to_jiffies(1024)

/* A look at a thing takes as long as to see this many pages of it. */
#define LOOK 20L
/* What may all be looked at as often as that. */
#define FEW (100L * LOOK)

/* An interval is this part of the time that the thing has waited, or longer. */
#define PART 1024UL

/*
 * Of the module's own, so that its end can wait for what runs. While the domain is
 * suspended nothing does: see suspend.c.
 */
static struct workqueue_struct *queue;

/* Of all things: what a look at each takes. */
static atomic_long_t load;

/* Those that say what they hold, for the list of holdings. */
static struct {
	struct mutex lock; /* taken last of all, with mmap_lock held */
	struct list_head list; /* guarded by lock; ordered by number */
	u64 last;
} waiting;

static void list_waiting(struct recheck *r)
{
	mutex_lock(&waiting.lock);
	r->number = ++waiting.last;
	list_add_tail(&r->node, &waiting.list);
	mutex_unlock(&waiting.lock);
}

/**
 * gntdev_recheck_over() - a thing does not wait any more, and is about to be freed
 * @r: a part of it
 */
void gntdev_recheck_over(struct recheck *r)
{
	if (!r->number)
		return;
	mutex_lock(&waiting.lock);
	list_del(&r->node);
	mutex_unlock(&waiting.lock);
}

/**
 * gntdev_recheck_each() - tell of things that wait
 * @next: where to begin, at first 0; where to go on
 * @tell: told of one, with a lock held; it returns false if it has no room
 * @arg: for @tell
 *
 * Return: whether that was all.
 */
bool gntdev_recheck_each(u64 *next,
			 bool (*tell)(const struct held *held, void *arg),
			 void *arg)
{
	struct recheck *r;
	bool room = true;

	mutex_lock(&waiting.lock);
	list_for_each_entry(r, &waiting.list, node) {
		if (r->number < *next)
			continue;
		room = tell(&r->held, arg);
		if (!room)
			break;
		*next = r->number + 1;
	}
	mutex_unlock(&waiting.lock);

	return room;
}

static long load_of(const struct recheck *r)
{
	return LOOK + (r->held.kind ? r->held.count : 0);
}

static unsigned long next_interval(const struct recheck *r)
{
	unsigned long shared = OFTEN * atomic_long_read(&load) / FEW;
	unsigned long most = max(shared, (jiffies - r->since) / PART);

	most = min(max(most, OFTEN), LATEST);

	return min(r->interval * 2, most);
}

static void recheck_look(struct work_struct *work)
{
	struct recheck *r =
		container_of(to_delayed_work(work), struct recheck, work);
	long before = load_of(r);

	if (r->is_over(r)) {
		atomic_long_sub(before, &load);
		/* It is freed. What is left to run here, gntdev_recheck_exit() awaits. */
		module_put(THIS_MODULE);
		return;
	}

	atomic_long_add(load_of(r) - before, &load);
	r->interval = next_interval(r);
	queue_delayed_work(queue, &r->work, r->interval);
}

static void begin(struct recheck *r, bool (*is_over)(struct recheck *r),
		  unsigned long delay)
{
	__module_get(THIS_MODULE);
	r->number = 0;
	if (r->held.kind)
		list_waiting(r);
	r->is_over = is_over;
	r->interval = SOONEST;
	r->since = jiffies;
	atomic_long_add(load_of(r), &load);
	INIT_DELAYED_WORK(&r->work, recheck_look);
	queue_delayed_work(queue, &r->work, delay);
}

/**
 * gntdev_recheck_begin() - have a thing looked at until it is over
 * @r: a part of it
 * @is_over: looks, may sleep, and is not called twice at once; if it returns
 *	true, it may have freed @r, after gntdev_recheck_over()
 *
 * Who has filled @held in says for the list of holdings what it is that waits.
 * The caller is somebody for whom the module stays already: an open file, or a
 * dma-buf.
 */
void gntdev_recheck_begin(struct recheck *r, bool (*is_over)(struct recheck *r))
{
	begin(r, is_over, SOONEST);
}

/*
 * The same, for a thing that somebody waits for: the first look is at once. It
 * holds nothing of another domain's, and is not listed.
 */
void gntdev_recheck_at_once(struct recheck *r,
			    bool (*is_over)(struct recheck *r))
{
	r->held.kind = NULL;
	begin(r, is_over, 0);
}

int __init gntdev_recheck_init(void)
{
	mutex_init(&waiting.lock);
	INIT_LIST_HEAD(&waiting.list);
	waiting.last = 0;
	atomic_long_set(&load, 0);
	queue = alloc_workqueue("xen-gntdev", WQ_UNBOUND | WQ_FREEZABLE, 0);

	return queue ? 0 : -ENOMEM;
}

/* Nothing is in the queue any more; the last of it may still be returning. */
void gntdev_recheck_exit(void)
{
	destroy_workqueue(queue);
	WARN_ON_ONCE(!list_empty(&waiting.list));
	WARN_ON_ONCE(atomic_long_read(&load));
	mutex_destroy(&waiting.lock);
}
