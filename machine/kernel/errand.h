/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the caller itself does of a call, see machine.h: of the machine alone. */
#ifndef MACHINE_KERNEL_ERRAND_H
#define MACHINE_KERNEL_ERRAND_H

#include "base.h"

struct domain;
struct task;

/* Each is false where there is no errand, or it is not for that. */
bool errand_read(struct task *task, void *to, u64 from, size_t size);
bool errand_put(struct task *task, u64 to, const void *value, size_t size);

/* Between a grant, which is in use, and a program's pinned memory. */
struct errand_order {
	struct task *task;
	u64 addr;
	size_t size;
	bool in; /* into the program's memory */
	struct domain *granter;
	u32 ref;
	u64 offset; /* in the granter's memory */
};
/*
 * If true, the grant is released when it is done. With the hypervisor's lock,
 * which may be let go meanwhile.
 */
bool errand_take(const struct errand_order *order);

/*
 * A hypercall's copies are known: if they are worth it, the caller begins while
 * this call goes on. With the hypervisor's lock, which is let go meanwhile.
 */
void errand_begin(void);

/* All is done that was taken, and this call takes no more. */
void errand_stop(void);
/* The same with the hypervisor's lock, which may be let go meanwhile. */
void errand_stop_locked(void);
/* The call ends, and leaves the rest to its caller. */
void errand_leave(void);

#endif /* MACHINE_KERNEL_ERRAND_H */
