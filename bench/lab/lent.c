// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory that is granted: of the program's own by GRANT_MEMORY, and what there is
 * without that, new pages of gntalloc's that are mmapped. Each is given back
 * outside of what is measured, and measured on its own.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>
#include <xen/gntdev_more.h>

#include "bench.h"

/* Of both; 0 where the driver has no such request. */
struct spent {
	uint64_t granted, taken_back;
};

static struct spent lend(unsigned int count)
{
	static union {
		struct ioctl_gntdev_grant_memory op;
		uint8_t space[sizeof(struct ioctl_gntdev_grant_memory) +
			      MOST * sizeof(uint32_t)];
	} request;
	static int device = -1;
	static void *at;
	struct ioctl_gntdev_ungrant_memory back = {.count = count};
	struct spent spent = {0};
	uint64_t begun;

	if (device < 0) {
		device = open_device("/dev/xen/gntdev");
		/* It is there already, as a program's frames are. */
		at = mmap(NULL, MOST * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (at == MAP_FAILED)
			die("mmap of memory");
	}
	request.op = (struct ioctl_gntdev_grant_memory){
		.addr = (uintptr_t)at,
		.count = count,
		.flags = GNTDEV_GRANT_WRITABLE,
	};
	begun = meter();
	if (ioctl(device, IOCTL_GNTDEV_GRANT_MEMORY, &request))
		return spent;
	spent.granted = metered(begun);
	back.index = request.op.index;
	begun = meter();
	if (ioctl(device, IOCTL_GNTDEV_UNGRANT_MEMORY, &back))
		die("UNGRANT_MEMORY of %u", count);
	spent.taken_back = metered(begun);
	return spent;
}

/* This program has as many as the module allows at first already. */
static int open_gntalloc(void)
{
	FILE *limit = fopen("/sys/module/xen_gntalloc/parameters/limit", "w");

	if (!limit || fprintf(limit, "%u", 4 * MOST) < 0 || fclose(limit))
		die("gntalloc's limit");
	return open_device("/dev/xen/gntalloc");
}

static struct spent alloc(unsigned int count)
{
	static union {
		struct ioctl_gntalloc_alloc_gref op;
		uint8_t space[sizeof(struct ioctl_gntalloc_alloc_gref) +
			      MOST * sizeof(uint32_t)];
	} request;
	static int device = -1;
	struct ioctl_gntalloc_dealloc_gref back = {.count = count};
	struct spent spent;
	uint64_t begun;
	void *at;

	if (device < 0)
		device = open_gntalloc();
	request.op = (struct ioctl_gntalloc_alloc_gref){
		.flags = GNTALLOC_FLAG_WRITABLE,
		.count = count,
	};
	begun = meter();
	if (ioctl(device, IOCTL_GNTALLOC_ALLOC_GREF, &request))
		die("ALLOC_GREF of %u", count);
	at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		  device, request.op.index);
	if (at == MAP_FAILED)
		die("mmap of gntalloc's %u", count);
	spent.granted = metered(begun);
	back.index = request.op.index;
	begun = meter();
	munmap(at, count * PAGE);
	if (ioctl(device, IOCTL_GNTALLOC_DEALLOC_GREF, &back))
		die("DEALLOC_GREF of %u", count);
	spent.taken_back = metered(begun);
	return spent;
}

static uint64_t lend_there(unsigned int count)
{
	return lend(count).granted;
}

static uint64_t lend_back(unsigned int count)
{
	return lend(count).taken_back;
}

static uint64_t alloc_there(unsigned int count)
{
	return alloc(count).granted;
}

static uint64_t alloc_back(unsigned int count)
{
	return alloc(count).taken_back;
}

static const unsigned int sizes[] = {1, 32, 1024, 0};

const struct workload lent_workloads[] = {
	{"grant-memory", lend_there, NULL, sizes},
	{"ungrant-memory", lend_back, NULL, sizes},
	{"alloc-memory", alloc_there, NULL, sizes},
	{"dealloc-memory", alloc_back, NULL, sizes},
	{0},
};
