/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Areas, as a program asks for them: 0 or a negative errno. */
#ifndef UNIT_AREAS_H
#define UNIT_AREAS_H

#include "world.h"
#include "../../include/xen/gntdev_more.h"

long req_area_create(struct file *file, uint32_t slots, uint64_t *index);
long req_area_map(struct file *file, uint64_t index, struct gntdev_area_op *ops,
		  uint32_t count, uint32_t *done);
long req_area_unmap(struct file *file, uint64_t index,
		    struct gntdev_area_op *ops, uint32_t count, uint32_t *done);

/* An area at AT(0) in the world's task; -errno. */
long area_at(unsigned long addr, uint32_t slots, int prot, uint64_t *index);
/* Grant @grant of the world's into a slot; the operation's status, or -errno. */
long fill(uint64_t index, uint32_t slot, unsigned int grant);
long empty(uint64_t index, uint32_t slot);
struct gntdev_area_op op_of(uint32_t slot, unsigned int grant);

#endif /* UNIT_AREAS_H */
