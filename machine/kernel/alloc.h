/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Allocations: models. Each is counted, comes filled with garbage unless it is
 * to be zero, and knows how it has to be freed.
 */
#ifndef MACHINE_KERNEL_ALLOC_H
#define MACHINE_KERNEL_ALLOC_H

#include <stdio.h>

#include "base.h"

#define machine_here __FILE__ ":" machine_text(__LINE__)
#define machine_text(x) machine_text_of(x)
#define machine_text_of(x) #x

#define kmalloc(size, flags) machine_kmalloc(size, flags, machine_here)
#define kmalloc_array(n, size, flags) kmalloc(array_size(n, size), flags)
#define kzalloc(size, flags) machine_kzalloc(size, flags, machine_here)
#define __vmalloc(size, flags) machine_vmalloc(size, flags, machine_here)
#define kvmalloc(size, flags) machine_kvmalloc(size, flags, machine_here)
#define kvzalloc(size, flags) kvmalloc(size, (flags) | __GFP_ZERO)
#define kvmalloc_array(n, size, flags) \
	machine_kvmalloc_array(n, size, flags, machine_here)
#define kvcalloc(n, size, flags) machine_kvcalloc(n, size, flags, machine_here)
void *machine_kmalloc(size_t size, gfp_t flags, const char *where);
void *machine_vmalloc(size_t size, gfp_t flags, const char *where);
void *machine_kzalloc(size_t size, gfp_t flags, const char *where);
void *machine_kvmalloc(size_t size, gfp_t flags, const char *where);
void *machine_kvmalloc_array(size_t n, size_t size, gfp_t flags,
			     const char *where);
void *machine_kvcalloc(size_t n, size_t size, gfp_t flags, const char *where);
void kfree(const void *ptr);
void kvfree(const void *ptr);

/*
 * One of each processor's: here one for all, which threads count in at once. The
 * kernel has it in memory of another kind; here it has an allocation's rules.
 */
#define __percpu
#define alloc_percpu_gfp(type, flags) ((type *)kzalloc(sizeof(type), flags))
#define free_percpu(ptr) kfree(ptr)
#define per_cpu_ptr(ptr, cpu) ((void)(cpu), ptr)
#define for_each_possible_cpu(cpu) for (cpu = 0; cpu < 1; cpu++)
#define this_cpu_add(var, n) \
	((void)__atomic_fetch_add(&(var), n, __ATOMIC_RELAXED))

/* For calls of the kernel's own that allocate; kvfree() is for it. */
void *alloc_counted(size_t size, gfp_t flags, const char *where);
/* Prints what was not freed, forgets it, returns how many that were. */
unsigned int alloc_leaks(FILE *out);

#endif /* MACHINE_KERNEL_ALLOC_H */
