/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the model knows of the thread that is in the kernel just now. Of the
 * machine alone: driver files do not see this.
 */
#ifndef MACHINE_KERNEL_CONTEXT_H
#define MACHINE_KERNEL_CONTEXT_H

#include "locks.h"

struct task;
struct domain;
struct file;

#define MAX_HELD 8

struct held_lock {
	const void *lock;
	struct lock_class *class;
};

struct context {
	struct context *outer; /* of the same thread */
	struct task *task; /* NULL: a thread of the kernel's own */
	struct domain *domain; /* whose hypercalls; NULL likewise */
	struct held_lock held[MAX_HELD];
	unsigned int nheld;
	unsigned int atomic; /* > 0: nothing may sleep */
	const char *atomic_why;
	bool invalidating; /* in an MMU notifier */
	bool dying; /* a fatal signal came on purpose, for this call */
	bool lost; /* memory of the task's that was pinned has gone */
	struct file *released; /* files to be released when it ends */
	struct user_maps *maps; /* of the task, as of this call; or NULL */
	unsigned int sites; /* passed while none was to fail, see fault() */
	struct errand *errand; /* the caller does a part of it; or NULL */
};

struct context *context(void);
/* Enters the kernel as @task or, if that is NULL, for @domain or nobody. */
void context_enter(struct context *c, struct task *task, struct domain *domain);
/* Leaves it: no lock is held, nothing is left undone. */
void context_leave(struct context *c);

/* Says what nests by the kernel's own doing. */
void locks_start(bool stir);
/* Lock order. Pseudo-locks stand for what is not a lock but can wait. */
extern struct lock_class class_mmap, class_reclaim, class_notifier;
extern struct lock_class class_hotplug;
void lock_acquired(const void *lock, struct lock_class *class, bool waits);
void lock_released(const void *lock);
/* The kernel itself nests one in the other somewhere. */
void lock_order(struct lock_class *outer, struct lock_class *inner);
/* As if it were taken and released at once. */
void lock_might(struct lock_class *class);
bool lock_is_held(const void *lock);
/* The first lock that is held, or NULL. */
const struct lock_class *lock_any_held(void);
/* Memory is freed: no lock in it may be held. */
void lock_check_freed(const void *start, size_t size);

#endif /* MACHINE_KERNEL_CONTEXT_H */
