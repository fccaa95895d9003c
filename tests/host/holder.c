// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * holder [fill|busy]: a program that holds something of each kind, for the tests of
 * `gntdev list`, `top` and `trace`. The pages are its own domain's, $LAB_DOMID's.
 *
 * It prints "holds REFERENCE" when it does, waits for a line or the end of its
 * input, makes requests that fail, and ends. With "fill" it maps grants until the
 * hypervisor has no handle left, and prints how many it mapped; with "busy" it
 * copies, maps and unmaps until it is killed.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>

#include "../../include/xen/gntdev.h"

#define PAGE 4096ul
#define PAGES 4
#define NOBODYS_REF 16000
/* So many that the hypervisor, which counts each, has mapped each some 110 times. */
#define FILLERS 2400
#define MOST_HANDLES 300000

#define GNTCOPY_source_gref 1

static uint32_t domid;
static int device;

static void grant(uint32_t *refs, uint16_t count)
{
	struct ioctl_gntalloc_alloc_gref *op =
		calloc(1, sizeof(*op) + count * sizeof(uint32_t));
	int fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);

	op->domid = domid;
	op->flags = GNTALLOC_FLAG_WRITABLE;
	op->count = count;
	if (fd < 0 || ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, op))
		err(1, "gntalloc");
	memcpy(refs, op->gref_ids, count * sizeof(*refs));
	free(op);
}

static uint64_t insert(const uint32_t *refs, uint32_t count,
		       const uint32_t *domids)
{
	struct ioctl_gntdev_map_grant_ref *op =
		calloc(1, sizeof(*op) + count * sizeof(op->refs[0]));
	uint64_t index;

	op->count = count;
	for (uint32_t i = 0; i < count; i++) {
		op->refs[i].domid = domids ? domids[i] : domid;
		op->refs[i].ref = refs[i];
	}
	if (ioctl(device, IOCTL_GNTDEV_MAP_GRANT_REF, op))
		err(1, "MAP_GRANT_REF");
	index = op->index;
	free(op);

	return index;
}

static char *map(uint64_t index, uint32_t count)
{
	return mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    device, index);
}

static void export(uint32_t ref)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs op = {
		.count = 1,
		.domid = domid,
		.refs = {ref},
	};

	/* Not every kernel has dma-bufs. */
	if (ioctl(device, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, &op) &&
	    errno != ENOTTY)
		err(1, "DMABUF_EXP_FROM_REFS");
}

static void copy(const uint32_t *refs, uint32_t count)
{
	static char local[PAGES][PAGE];
	struct gntdev_grant_copy_segment segments[PAGES] = {0};
	struct ioctl_gntdev_grant_copy op = {count, segments};

	for (uint32_t i = 0; i < count; i++) {
		segments[i].source.foreign.ref = refs[i];
		segments[i].source.foreign.domid = domid;
		segments[i].dest.virt = local[i];
		segments[i].len = 1000;
		segments[i].flags = GNTCOPY_source_gref;
	}
	if (ioctl(device, IOCTL_GNTDEV_GRANT_COPY, &op))
		err(1, "GRANT_COPY");
}

static void fail(const uint32_t *refs)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = {.index = 1 << 30,
						     .count = 1};
	const uint32_t wrong[] = {refs[0], NOBODYS_REF};

	if (!ioctl(device, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap) ||
	    errno != ENOENT)
		err(1, "UNMAP_GRANT_REF of nothing");
	if (map(insert(wrong, 2, NULL), 2) != MAP_FAILED || errno != EINVAL)
		err(1, "mmap of a reference that is not granted");
	copy(wrong, 2);
}

static int fill(void)
{
	static uint32_t refs[FILLERS];
	unsigned long mapped = 0;

	grant(refs, FILLERS);
	while (mapped < MOST_HANDLES &&
	       map(insert(refs, FILLERS, NULL), FILLERS) != MAP_FAILED)
		mapped += FILLERS;
	printf("mapped %lu: %s\n", mapped, strerror(errno));

	return mapped < MOST_HANDLES && errno == ENOMEM ? 0 : 1;
}

static void be_busy(void)
{
	uint32_t refs[PAGES];
	uint64_t index;

	grant(refs, PAGES);
	index = insert(refs, PAGES, NULL);
	for (;;) {
		munmap(map(index, PAGES), PAGES * PAGE);
		for (int i = 0; i < 10; i++)
			copy(refs, PAGES);
	}
}

int main(int argc, char **argv)
{
	const uint32_t domids[PAGES] = {7, 7, 7, 8};
	const char *own = getenv("LAB_DOMID");
	uint32_t refs[PAGES];
	uint64_t index;
	char *at, byte;

	domid = own ? atoi(own) : 0;
	device = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/xen/gntdev");
	if (argc > 1 && !strcmp(argv[1], "busy"))
		be_busy();
	if (argc > 1)
		return fill();

	grant(refs, PAGES);
	index = insert(refs, PAGES, NULL);
	at = map(index, PAGES);
	if (at == MAP_FAILED)
		err(1, "mmap");
	insert(refs, PAGES, domids);
	export(refs[0]);
	copy(refs, PAGES);
	printf("holds %u\n", refs[0]);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n')
		;

	fail(refs);
	munmap(at, PAGES * PAGE);

	return 0;
}
