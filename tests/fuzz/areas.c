// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Areas: made, and their slots filled and emptied. */
#define _GNU_SOURCE
#include <string.h>

#include "../../include/xen/gntdev_more.h"
#include "fuzz.h"

/* It is mmapped as ranges are. */
void op_area(void)
{
	struct ioctl_gntdev_area_create *op = (void *)buffer;
	struct range *r = &f.ranges[f.nranges++ % 8];

	*r = (struct range){
		.file = below(FILES),
		.count = below(9),
		.area = true,
	};
	op->slots = r->count;
	op->flags = byte() == 7;
	if (request(some_task(NULL), f.files[r->file], IOCTL_GNTDEV_AREA_CREATE,
		    op))
		r->count = 0;
	r->index = op->index;
}

static void check_filled(const struct range *r, const struct gntdev_area_op *op,
			 unsigned int grant)
{
	unsigned char seen;
	unsigned int i;

	if (op->status || grant >= GRANTS)
		return;
	for (i = 0; i < SLOTS; i++) {
		if (!f.slots[i].used || f.slots[i].area != r->index + 1 ||
		    f.slots[i].file != r->file ||
		    task_load(f.tasks[f.slots[i].task], AT(i) + op->slot * PAGE,
			      &seen, 1))
			continue;
		EXPECT(seen == domain_memory(f.granter)[f.pfns[grant] * PAGE]);
	}
}

void op_operate(void)
{
	struct ioctl_gntdev_area_op *op = (void *)buffer;
	struct gntdev_area_op *ops = (void *)(buffer + 64);
	struct range *r = &f.ranges[below(8)];
	unsigned int i, grants[4], how = byte();
	struct task *task = some_task(NULL);

	memset(ops, 0, 4 * sizeof(*ops));
	op->index = r->index + (how == 9 ? PAGE : 0);
	op->ops = (unsigned long)ops;
	op->count = below(5);
	op->done = 0;
	for (i = 0; i < 4; i++) {
		grants[i] = below(GRANTS);
		ops[i].slot = below(9);
		ops[i].domid = how == 8 ? 0x8000 : 1;
		ops[i].ref = f.refs[grants[i]];
		ops[i].flags = how % 4 == 3;
		ops[i].status = 1;
	}
	/* At the end of what can be read. */
	if (how == 7)
		op->ops = (unsigned long)(buffer + BUFFER - 24);
	if (how & 1)
		request(task, f.files[r->file], IOCTL_GNTDEV_AREA_UNMAP, op);
	else
		request(task, f.files[r->file], IOCTL_GNTDEV_AREA_MAP, op);
	EXPECT(op->done <= op->count);
	for (i = 0; i < op->done && !(how & 1); i++)
		check_filled(r, &ops[i], grants[i]);
}
