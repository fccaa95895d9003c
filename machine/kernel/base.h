/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's vocabulary: what base/types.h has, with what only a kernel knows of:
 * its numbers, marks for its checkers and its linker, stores to pages.
 */
#ifndef MACHINE_KERNEL_BASE_H
#define MACHINE_KERNEL_BASE_H

#include "../base/types.h"
#include "../xen/constants.h"
#include "constants.h"

/* Stubs: for the kernel's checkers and its linker. */
#define __user
#define __force
#define __acquire(lock) ((void)0)
#define __release(lock) ((void)0)
#define __init
#define __exit
#define __must_check __attribute__((warn_unused_result))

/*
 * A store through WRITE_ONCE may aim at a
 * page of a grant: those lie where no memory is, and the model writes to the
 * granter's page, if it may (pages.h).
 */
bool page_store(volatile void *addr, const void *value, size_t size);

#define WRITE_ONCE(x, value)                                             \
	do {                                                             \
		__typeof__(x) once_ = (value);                           \
		if (!page_store(&(x), &once_, sizeof(once_)))            \
			__atomic_store_n(&(x), once_, __ATOMIC_RELAXED); \
	} while (0)

#endif /* MACHINE_KERNEL_BASE_H */
