// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_COPY: between grants and local buffers, and from grant to grant. */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "bench.h"

/* Flags of a segment, from the hypervisor's interface. */
#define SOURCE_GRANT 1
#define DEST_GRANT 2

static uint8_t *local; /* 2 * MOST pages */
static struct gntdev_grant_copy_segment segments[MOST];

static int instance(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open_device("/dev/xen/gntdev");
	return fd;
}

static void make_local(void)
{
	size_t size = 2 * MOST * PAGE;

	if (local)
		return;
	local = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (local == MAP_FAILED)
		die("mmap of %zu bytes", size);
	/* Whether there are large pages depends on what ran before. */
	madvise(local, size, MADV_NOHUGEPAGE);
	memset(local, 1, size);
}

/* A side of a segment, whose type has no name. */
#define SET_FOREIGN(side, number)                   \
	do {                                        \
		(side)->foreign.ref = refs[number]; \
		(side)->foreign.offset = 0;         \
		(side)->foreign.domid = 0;          \
	} while (0)

static uint64_t copy(unsigned int count, unsigned int bytes, size_t step,
		     unsigned int flags)
{
	struct ioctl_gntdev_grant_copy request = {.count = count,
						  .segments = segments};
	uint64_t begun, spent;
	int device = instance();

	make_local();
	for (unsigned int i = 0; i < count; i++) {
		struct gntdev_grant_copy_segment *segment = &segments[i];

		segment->flags = flags;
		segment->len = bytes;
		segment->status = 1;
		segment->source.virt = local + i * step;
		segment->dest.virt = local + i * step;
		if (flags & SOURCE_GRANT)
			SET_FOREIGN(&segment->source, i);
		/* Of a grant to another one, where both are. */
		if (flags & DEST_GRANT)
			SET_FOREIGN(&segment->dest,
				    flags & SOURCE_GRANT ? MOST - 1 - i : i);
	}
	begun = meter();
	if (ioctl(device, IOCTL_GNTDEV_GRANT_COPY, &request))
		die("GRANT_COPY of %u", count);
	spent = metered(begun);
	for (unsigned int i = 0; i < count; i++)
		if (segments[i].status)
			die("segment %u of %u: status %d", i, count,
			    segments[i].status);
	return spent;
}

static uint64_t in_64(unsigned int count)
{
	return copy(count, 64, 64, SOURCE_GRANT);
}

static uint64_t in_4096(unsigned int count)
{
	return copy(count, 4096, 4096, SOURCE_GRANT);
}

static uint64_t out_64(unsigned int count)
{
	return copy(count, 64, 64, DEST_GRANT);
}

static uint64_t out_4096(unsigned int count)
{
	return copy(count, 4096, 4096, DEST_GRANT);
}

static uint64_t scattered_64(unsigned int count)
{
	return copy(count, 64, 2 * PAGE, SOURCE_GRANT);
}

static uint64_t scattered_4096(unsigned int count)
{
	return copy(count, 4096, 2 * PAGE, SOURCE_GRANT);
}

static uint64_t between_64(unsigned int count)
{
	return copy(count, 64, 0, SOURCE_GRANT | DEST_GRANT);
}

static uint64_t between_4096(unsigned int count)
{
	return copy(count, 4096, 0, SOURCE_GRANT | DEST_GRANT);
}

/*
 * What QEMU asks of the driver for a request of so many pages of a guest's: it
 * gets 11 pages at a time, and copies all of them by one call.
 */
static uint64_t replay(unsigned int pages, unsigned int flags)
{
	const unsigned int most = 11;
	uint64_t sum = 0;

	for (unsigned int done = 0; done < pages; done += most)
		sum += copy(pages - done < most ? pages - done : most, 4096,
			    4096, flags);
	return sum;
}

static uint64_t replay_read(unsigned int pages)
{
	return replay(pages, DEST_GRANT);
}

static uint64_t replay_write(unsigned int pages)
{
	return replay(pages, SOURCE_GRANT);
}

static const unsigned int request_sizes[] = {1, 16, 256, 0};
static const unsigned int sizes[] = {1,	 2,   4,   8,	16,   32,
				     64, 128, 256, 512, 1024, 0};
static const unsigned int few_sizes[] = {1, 16, 256, 1024, 0};

const struct workload copy_workloads[] = {
	{"copy-in-64", in_64, NULL, sizes},
	{"copy-in-4096", in_4096, NULL, sizes},
	{"copy-out-64", out_64, NULL, few_sizes},
	{"copy-out-4096", out_4096, NULL, few_sizes},
	{"copy-scattered-64", scattered_64, NULL, few_sizes},
	{"copy-scattered-4096", scattered_4096, NULL, few_sizes},
	{"copy-between-64", between_64, NULL, few_sizes},
	{"copy-between-4096", between_4096, NULL, few_sizes},
	{"qdisk-asks-read", replay_read, NULL, request_sizes},
	{"qdisk-asks-write", replay_write, NULL, request_sizes},
	{0},
};
