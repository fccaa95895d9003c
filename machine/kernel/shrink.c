// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Shrinkers, and the memory pressure that asks them. */
#include "alloc.h"
#include "calls.h"
#include "constants.h"
#include "context.h"
#include "faults.h"
#include "../base/lists.h"
#include "shrink.h"

/* What one call asks for at most, as the kernel does. */
#define SHRINK_BATCH 128UL

struct shrinker {
	struct list_head node;
	shrink_fn *count, *scan;
};

static struct list_head shrinkers = {&shrinkers, &shrinkers};

/* Held by who asks, and whoever comes or goes. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct shrinker *shrink_begin(shrink_fn *count, shrink_fn *scan)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->count = count;
	s->scan = scan;
	pthread_mutex_lock(&lock);
	list_add_tail(&s->node, &shrinkers);
	pthread_mutex_unlock(&lock);

	return s;
}

void shrink_end(struct shrinker *s)
{
	might_sleep();
	pthread_mutex_lock(&lock);
	list_del(&s->node);
	pthread_mutex_unlock(&lock);
	kfree(s);
}

static unsigned long shrink_one(struct shrinker *s, unsigned long pages)
{
	struct shrink_control sc = {.gfp_mask = GFP_KERNEL};
	unsigned long have = s->count(s, &sc), freed = 0, got;

	for (pages = min(pages, have); freed < pages; freed += got) {
		sc.nr_to_scan = min(pages - freed, SHRINK_BATCH);
		sc.nr_scanned = sc.nr_to_scan;
		got = s->scan(s, &sc);
		if (got == SHRINK_STOP || !got)
			break;
	}

	return freed;
}

unsigned long machine_shrink(unsigned long pages)
{
	unsigned long freed = 0;
	struct shrinker *s;
	struct context c;

	call_begin(&c, NULL, NULL);
	pthread_mutex_lock(&lock);
	lock_acquired(&class_reclaim, &class_reclaim, true);
	list_for_each_entry(s, &shrinkers, node)
		freed += shrink_one(s, pages);
	lock_released(&class_reclaim);
	pthread_mutex_unlock(&lock);
	call_end(&c);

	return freed;
}
