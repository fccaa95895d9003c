// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Areas: unrelated grants mapped by one call and unmapped by another. Where the
 * driver has no areas, each by a cycle of its own: MAP, mmap, munmap, UNMAP.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xen/gntdev_more.h>

#include "bench.h"

struct area make_area(unsigned int slots)
{
	struct ioctl_gntdev_area_create create = {.slots = slots};
	struct area area = {.device = open_device("/dev/xen/gntdev")};

	if (ioctl(area.device, IOCTL_GNTDEV_AREA_CREATE, &create))
		return (struct area){.device = -1};
	area.index = create.index;
	area.at = mmap(NULL, slots * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       area.device, create.index);
	if (area.at == MAP_FAILED)
		die("mmap of an area of %u slots", slots);
	return area;
}

void operate(const struct area *area, struct gntdev_area_op *ops,
	     unsigned int count, bool map)
{
	struct ioctl_gntdev_area_op request = {
		.index = area->index,
		.ops = (uintptr_t)ops,
		.count = count,
	};

	if (ioctl(area->device,
		  map ? IOCTL_GNTDEV_AREA_MAP : IOCTL_GNTDEV_AREA_UNMAP,
		  &request))
		die("%s of %u", map ? "AREA_MAP" : "AREA_UNMAP", count);
	for (unsigned int i = 0; i < count; i++)
		if (ops[i].status)
			die("%s of slot %u: status %d",
			    map ? "AREA_MAP" : "AREA_UNMAP", ops[i].slot,
			    ops[i].status);
}

/* Neither references nor slots are neighbours. */
static uint64_t area_cycle(unsigned int count)
{
	static struct area area = {.device = -2};
	static struct gntdev_area_op ops[MOST];
	uint64_t begun, spent = 0;

	if (area.device == -2)
		area = make_area(MOST);
	if (area.device < 0) {
		while (count--)
			spent += cycle(1);
		return spent;
	}
	for (unsigned int i = 0; i < count; i++)
		ops[i] = (struct gntdev_area_op){
			.slot = i * 389 % MOST,
			.ref = refs[i * 661 % MOST],
		};
	begun = meter();
	operate(&area, ops, count, true);
	operate(&area, ops, count, false);
	return metered(begun);
}

static const unsigned int sizes[] = {1, 8, 32, 128, 1024, 0};

const struct workload area_workloads[] = {
	{"area", area_cycle, NULL, sizes},
	{0},
};
