/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the model knows of the thread that is in the kernel just now. Of the
 * machine alone: driver files do not see this.
 */
#ifndef MACHINE_KERNEL_CONTEXT_H
#define MACHINE_KERNEL_CONTEXT_H

#include "../base/locks.h"

struct task;
struct domain;
struct file;

struct context {
	struct lock_scope locks; /* what it holds, and what it is inside of */
	struct task *task; /* NULL: a thread of the kernel's own */
	struct domain *domain; /* whose hypercalls; NULL likewise */
	bool invalidating; /* in an MMU notifier */
	bool dying; /* a fatal signal came on purpose, for this call */
	bool lost; /* memory of the task's that was pinned has gone */
	struct file *released; /* files to be released when it ends */
	struct user_maps *maps; /* of the task, as of this call; or NULL */
	unsigned int sites; /* passed while none was to fail, see fault() */
	struct delegated_copies
		*delegated; /* the caller does a part of it; or NULL */
};

struct context *context(void);
/* Enters the kernel as @task or, if that is NULL, for @domain or nobody. */
void context_enter(struct context *c, struct task *task, struct domain *domain);
/* Leaves it: no lock is held, nothing is left undone. */
void context_leave(struct context *c);

/* Says what nests by the kernel's own doing. */
void context_start(void);
/* What is not a lock, but can wait. */
extern struct lock_class class_mmap, class_reclaim, class_notifier;
extern struct lock_class class_hotplug, class_tables;

#endif /* MACHINE_KERNEL_CONTEXT_H */
