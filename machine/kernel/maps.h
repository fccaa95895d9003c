/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A program's address space, as the real kernel tells of it. */
#ifndef MACHINE_KERNEL_MAPS_H
#define MACHINE_KERNEL_MAPS_H

#include "base.h"

struct task;

struct stretch {
	unsigned long start, end;
	bool read, write;
	bool plain; /* the program's own: nothing but its rights is in the way */
};

/*
 * The stretch that an address lies in, or NULL. What a call has learned it does
 * not ask again; valid until the next call of this.
 */
const struct stretch *maps_find(struct task *task, unsigned long addr);

#endif /* MACHINE_KERNEL_MAPS_H */
