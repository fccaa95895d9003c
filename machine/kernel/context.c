// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The thread that is in the kernel: for whom, and what it has in hand. */
#include "context.h"
#include "faults.h"
#include "user.h"

struct lock_class class_mmap = {"mmap_lock", "the kernel", 0, 0};
/* An allocation may reclaim memory, and that may call MMU notifiers. */
struct lock_class class_reclaim = {"memory reclaim", "the kernel", 0, 0};
struct lock_class class_notifier = {"an MMU notifier", "the kernel", 0, 0};
/* Pages for grants may be memory that is added just then. */
struct lock_class class_hotplug = {"memory hotplug", "the kernel", 0, 0};
struct lock_class class_tables = {"a page table's lock", "the kernel", 0, 0};

/* Of a thread that is not in the kernel. */
static _Thread_local struct context outside;

struct context *context(void)
{
	struct lock_scope *scope = lock_scope();

	return scope->outer ? container_of(scope, struct context, locks)
			    : &outside;
}

void context_enter(struct context *c, struct task *task, struct domain *domain)
{
	/* Only a thread that sleeps lets another context run in it. */
	user_settle();
	memset(c, 0, sizeof(*c));
	c->task = task;
	c->domain = domain;
	lock_scope_enter(&c->locks);
}

void context_leave(struct context *c)
{
	lock_scope_leave(&c->locks);
	user_maps_free(c->maps);
	faults_passed(c->sites);
}

void context_start(void)
{
	lock_order(&class_reclaim, &class_notifier);
	lock_order(&class_hotplug, &class_mmap);
}
