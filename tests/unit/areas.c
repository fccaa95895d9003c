// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "areas.h"

static long request(struct file *file, unsigned int cmd, void *arg)
{
	return file_ioctl(world.task, file, cmd, (unsigned long)arg, false);
}

long req_area_create(struct file *file, uint32_t slots, uint64_t *index)
{
	struct ioctl_gntdev_area_create op = {.slots = slots};
	long ret = request(file, IOCTL_GNTDEV_AREA_CREATE, &op);

	*index = op.index;

	return ret;
}

static long operate(struct file *file, unsigned int cmd, uint64_t index,
		    struct gntdev_area_op *ops, uint32_t count, uint32_t *done)
{
	struct ioctl_gntdev_area_op op = {
		.index = index,
		.ops = (unsigned long)ops,
		.count = count,
	};
	long ret = request(file, cmd, &op);

	if (done)
		*done = op.done;

	return ret;
}

long req_area_map(struct file *file, uint64_t index, struct gntdev_area_op *ops,
		  uint32_t count, uint32_t *done)
{
	return operate(file, IOCTL_GNTDEV_AREA_MAP, index, ops, count, done);
}

long req_area_unmap(struct file *file, uint64_t index,
		    struct gntdev_area_op *ops, uint32_t count, uint32_t *done)
{
	return operate(file, IOCTL_GNTDEV_AREA_UNMAP, index, ops, count, done);
}

long area_at(unsigned long addr, uint32_t slots, int prot, uint64_t *index)
{
	long ret = req_area_create(world.file, slots, index);

	return ret ? ret : map_index(addr, *index, slots, prot);
}

struct gntdev_area_op op_of(uint32_t slot, unsigned int grant)
{
	return (struct gntdev_area_op){
		.slot = slot,
		.domid = domain_id(world.granter),
		.ref = (uint32_t)world.refs[grant],
		.status = 99,
	};
}

long fill(uint64_t index, uint32_t slot, unsigned int grant)
{
	struct gntdev_area_op op = op_of(slot, grant);
	long ret = req_area_map(world.file, index, &op, 1, NULL);

	return ret ? ret : op.status;
}

long empty(uint64_t index, uint32_t slot)
{
	struct gntdev_area_op op = {.slot = slot};
	long ret = req_area_unmap(world.file, index, &op, 1, NULL);

	return ret ? ret : op.status;
}
