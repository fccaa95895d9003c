// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The floor: the same work as bare hypercalls. Copies from grant to grant are
 * this program's own hypercalls, through /dev/xen/privcmd; what needs the
 * kernel's frames is done by the module in kernel/.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/types.h>

#include "bench.h"
#include "floor.h"

/* Numbers and layouts of the hypervisor's public interface. */
#define HYPERVISOR_GRANT_TABLE_OP 20
#define GNTTABOP_COPY 5
#define COPY_BOTH 3 /* source and destination are grants */

struct copy_side {
	uint64_t ref;
	uint16_t domid;
	uint16_t offset;
};

struct copy_op {
	struct copy_side source, dest;
	uint16_t len;
	uint16_t flags;
	int16_t status;
};

/* What /dev/xen/privcmd takes: request 'P' 0. */
struct privcmd_hypercall {
	__u64 op;
	__u64 arg[5];
};
#define PRIVCMD_HYPERCALL \
	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

/* So many pages of this program's, with nothing behind them. */
static struct floor_map bare_pages(unsigned int pages)
{
	static uint8_t *area;

	if (!area)
		area = mmap(NULL, MOST * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED, floor_device(), 0);
	if (area == MAP_FAILED)
		die("mmap of the module's device");
	return (struct floor_map){
		.count = pages,
		.refs = (uintptr_t)refs,
		.addr = (uintptr_t)area,
	};
}

static uint64_t floor_maps(unsigned int pages, uint64_t *unmap)
{
	struct floor_map request = bare_pages(pages);

	if (ioctl(floor_device(), FLOOR_MAP, &request))
		die("FLOOR_MAP of %u pages", pages);
	*unmap = request.unmap;
	return request.map;
}

static uint64_t floor_cycle(unsigned int pages)
{
	uint64_t unmap, map = floor_maps(pages, &unmap);

	return map + unmap;
}

static uint64_t bare_call(void)
{
	uint64_t begun = meter();

	if (ioctl(floor_device(), FLOOR_CALL))
		die("FLOOR_CALL");
	return metered(begun);
}

/*
 * Of a slot there is one mapping. The two hypercalls as a program can have them,
 * which is by a request each, as that of copies from grant to grant is.
 */
static uint64_t floor_area(unsigned int slots)
{
	struct floor_map request = bare_pages(slots);
	uint64_t spent;

	if (ioctl(floor_device(), FLOOR_READY, &request))
		die("FLOOR_READY of %u pages", slots);
	spent = bare_call();
	if (ioctl(floor_device(), FLOOR_TURN))
		die("FLOOR_TURN of %u pages", slots);
	spent += bare_call();
	if (ioctl(floor_device(), FLOOR_DROP))
		die("FLOOR_DROP of %u pages", slots);
	return spent;
}

static uint64_t floor_mmap(unsigned int pages)
{
	uint64_t unmap;

	return floor_maps(pages, &unmap);
}

static uint64_t floor_munmap(unsigned int pages)
{
	uint64_t unmap;

	floor_maps(pages, &unmap);
	return unmap;
}

/*
 * Local sides are neighbours, wherever the program's are: that costs the
 * hypervisor least.
 */
static uint64_t floor_copies(unsigned int count, unsigned int bytes,
			     bool to_grant)
{
	struct floor_copy request = {
		.count = count,
		.bytes = bytes,
		.to_grant = to_grant,
		.refs = (uintptr_t)refs,
	};

	if (ioctl(floor_device(), FLOOR_COPY, &request))
		die("FLOOR_COPY of %u", count);
	return request.copy;
}

static uint64_t floor_in_64(unsigned int count)
{
	return floor_copies(count, 64, false);
}

static uint64_t floor_in_4096(unsigned int count)
{
	return floor_copies(count, 4096, false);
}

static uint64_t floor_out_64(unsigned int count)
{
	return floor_copies(count, 64, true);
}

static uint64_t floor_out_4096(unsigned int count)
{
	return floor_copies(count, 4096, true);
}

/* The hypervisor reads its arguments where they are: in pages that stay. */
static struct copy_op *hypercall_buffer(void)
{
	static struct copy_op *buffer;
	size_t size = (MOST * sizeof(*buffer) + PAGE - 1) & -PAGE;

	if (buffer)
		return buffer;
	buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      open_device("/dev/xen/hypercall"), 0);
	if (buffer == MAP_FAILED)
		die("mmap of /dev/xen/hypercall");
	return buffer;
}

static uint64_t between(unsigned int count, unsigned int bytes)
{
	static int privcmd = -1;
	struct copy_op *ops = hypercall_buffer();
	struct privcmd_hypercall call = {
		.op = HYPERVISOR_GRANT_TABLE_OP,
		.arg = {GNTTABOP_COPY, (uintptr_t)ops, count},
	};
	uint64_t begun, spent;

	if (privcmd < 0)
		privcmd = open_device("/dev/xen/privcmd");
	for (unsigned int i = 0; i < count; i++)
		ops[i] = (struct copy_op){
			.source.ref = refs[i],
			.dest.ref = refs[MOST - 1 - i],
			.len = bytes,
			.flags = COPY_BOTH,
			.status = 1,
		};
	begun = meter();
	if (ioctl(privcmd, PRIVCMD_HYPERCALL, &call))
		die("GNTTABOP_copy of %u", count);
	spent = metered(begun);
	for (unsigned int i = 0; i < count; i++)
		if (ops[i].status)
			die("operation %u of %u: status %d", i, count,
			    ops[i].status);
	return spent;
}

static uint64_t floor_between_64(unsigned int count)
{
	return between(count, 64);
}

static uint64_t floor_between_4096(unsigned int count)
{
	return between(count, 4096);
}

/*
 * What the kernel alone takes for a cycle: two requests and a mapping of a
 * device that does nothing.
 */
static uint64_t idle_cycle(unsigned int pages)
{
	int device = floor_device();
	uint64_t begun = meter();
	void *address;

	ioctl(device, FLOOR_NOTHING);
	address = mmap(map_place(pages), pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED, device, 0);
	if (address == MAP_FAILED)
		die("mmap of %u pages of the module's device", pages);
	munmap(address, pages * PAGE);
	ioctl(device, FLOOR_NOTHING);
	return metered(begun);
}

/* What the kernel alone takes for two requests. */
static uint64_t idle_requests(unsigned int slots)
{
	uint64_t begun = meter();

	(void)slots;
	ioctl(floor_device(), FLOOR_NOTHING);
	ioctl(floor_device(), FLOOR_NOTHING);
	return metered(begun);
}

static const unsigned int sizes[] = {1,	 2,   4,   8,	16,   32,
				     64, 128, 256, 512, 1024, 0};
static const unsigned int area_sizes[] = {1, 8, 32, 128, 1024, 0};
static const unsigned int few_sizes[] = {1, 16, 256, 1024, 0};
static const unsigned int step_sizes[] = {1, 256, 1024, 0};

const struct workload floor_workloads[] = {
	{"floor:cycle", floor_cycle, NULL, sizes},
	{"kernel:cycle", idle_cycle, NULL, sizes},
	{"floor:area", floor_area, NULL, area_sizes},
	{"kernel:area", idle_requests, NULL, area_sizes},
	{"floor:step-mmap", floor_mmap, NULL, step_sizes},
	{"floor:step-munmap", floor_munmap, NULL, step_sizes},
	{"floor:copy-in-64", floor_in_64, NULL, sizes},
	{"floor:copy-in-4096", floor_in_4096, NULL, sizes},
	{"floor:copy-out-64", floor_out_64, NULL, few_sizes},
	{"floor:copy-out-4096", floor_out_4096, NULL, few_sizes},
	{"floor:copy-scattered-64", floor_in_64, NULL, few_sizes},
	{"floor:copy-scattered-4096", floor_in_4096, NULL, few_sizes},
	{"floor:copy-between-64", floor_between_64, NULL, few_sizes},
	{"floor:copy-between-4096", floor_between_4096, NULL, few_sizes},
	{0},
};
