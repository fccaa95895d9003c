// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <sys/ioctl.h>

#include "area.h"
#include "dev.h"
#include "granter.h"
#include "tap.h"

int dev_area_create(int fd, unsigned int slots, unsigned int flags,
		    uint64_t *index)
{
	struct ioctl_gntdev_area_create create = {
		.slots = slots,
		.flags = flags,
	};
	int error = ioctl(fd, IOCTL_GNTDEV_AREA_CREATE, &create) < 0 ? -errno
								     : 0;

	*index = create.index;
	return error;
}

static int operate(int fd, unsigned long request, uint64_t index,
		   struct gntdev_area_op *ops, unsigned int count,
		   uint32_t *done)
{
	struct ioctl_gntdev_area_op op = {
		.index = index,
		.ops = (uintptr_t)ops,
		.count = count,
		.done = 0,
	};
	int error = ioctl(fd, request, &op) < 0 ? -errno : 0;

	*done = op.done;
	return error;
}

int dev_area_map(int fd, uint64_t index, struct gntdev_area_op *ops,
		 unsigned int count, uint32_t *done)
{
	return operate(fd, IOCTL_GNTDEV_AREA_MAP, index, ops, count, done);
}

int dev_area_unmap(int fd, uint64_t index, struct gntdev_area_op *ops,
		   unsigned int count, uint32_t *done)
{
	return operate(fd, IOCTL_GNTDEV_AREA_UNMAP, index, ops, count, done);
}

struct area area_make(int fd, unsigned int slots, int prot)
{
	struct area area = {.fd = fd, .slots = slots};

	EXPECT(dev_area_create(fd, slots, 0, &area.index), 0);
	area.at = must_mmap(fd, area.index, slots, prot);
	return area;
}

static void check_statuses(const struct gntdev_area_op *ops, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		CHECK(ops[i].status == GNTST_okay,
		      "slot %u, reference %u: status %d, expected 0",
		      ops[i].slot, ops[i].ref, ops[i].status);
}

void area_must_map(const struct area *area, struct gntdev_area_op *ops,
		   unsigned int count)
{
	uint32_t done;

	EXPECT(dev_area_map(area->fd, area->index, ops, count, &done), 0);
	EQUAL(done, count);
	check_statuses(ops, count);
}

void area_must_unmap(const struct area *area, struct gntdev_area_op *ops,
		     unsigned int count)
{
	uint32_t done;

	EXPECT(dev_area_unmap(area->fd, area->index, ops, count, &done), 0);
	EQUAL(done, count);
	check_statuses(ops, count);
}

void area_end(const struct area *area)
{
	must_munmap(area->at, area->slots);
	EXPECT(dev_remove(area->fd, area->index, area->slots), 0);
}

struct gntdev_area_op area_op(unsigned int slot, uint32_t ref)
{
	/* A status that the driver has to change. */
	return (struct gntdev_area_op){
		.slot = slot,
		.domid = granter_domid(),
		.ref = ref,
		.status = 99,
	};
}

void grants_with_contents(uint32_t *refs, unsigned int count)
{
	granter_alloc(refs, count, true);
	granter_fill(refs, count, 0);
}
