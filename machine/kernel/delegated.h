/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Delegated copies: what the caller itself does of a call, see api.h. Of the machine
 * alone.
 */
#ifndef MACHINE_KERNEL_DELEGATED_H
#define MACHINE_KERNEL_DELEGATED_H

#include "base.h"

struct domain;
struct task;

/* Each is false where the caller does nothing itself, or not that. */
bool delegated_read(struct task *task, void *to, u64 from, size_t size);
bool delegated_put(struct task *task, u64 to, const void *value, size_t size);

/* Between a grant, which is in use, and a program's pinned memory. */
struct delegated_order {
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
bool delegate_copy(const struct delegated_order *order);

/*
 * A hypercall's copies are known: if they are worth it, the caller begins while
 * this call goes on. With the hypervisor's lock, which is let go meanwhile.
 */
void delegated_begin(void);

/* All is done that was taken, and this call takes no more. */
void delegated_stop(void);
/* The same with the hypervisor's lock, which may be let go meanwhile. */
void delegated_stop_locked(void);
/* The call ends, and leaves the rest to its caller. */
void delegated_leave(void);

#endif /* MACHINE_KERNEL_DELEGATED_H */
