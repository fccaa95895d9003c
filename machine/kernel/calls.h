/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Calls that programs make into the kernel: of the machine alone. */
#ifndef MACHINE_KERNEL_CALLS_H
#define MACHINE_KERNEL_CALLS_H

#include "context.h"
#include "vm.h"

/* For a task, which stays until the call ends; or, with NULL, for a domain. */
void call_begin(struct context *c, struct task *task, struct domain *domain);
void call_end(struct context *c);

/* mmap_lock is held for writing. */
int unmap_part(struct mm_struct *mm, unsigned long start, unsigned long end);
int copy_mm(struct mm_struct *from, struct mm_struct *to);
/* Makes all entries of the part present that may be. */
void fault_in(struct mm_struct *mm, unsigned long start, unsigned long end);

void tasks_each(void (*fn)(struct task *task, void *arg), void *arg);
unsigned int tasks_leaks(FILE *out);
/* Descriptors that a task opened or inherited. */
void holders_fork(struct task *parent, struct task *child);
void holders_exit(struct task *task);

#endif /* MACHINE_KERNEL_CALLS_H */
