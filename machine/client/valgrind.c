// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * valgrind knows what a program's system calls write, but not that a server
 * writes there from outside. It is told by a system call that it knows: the
 * program reads its own memory, to where that is. So its header is not wanted.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>

#include "../../include/xen/gntdev.h"
#include "../../include/xen/gntdev_more.h"
#include "client.h"

/* From the hypervisor's grant_table.h: the destination is no memory of ours. */
#ifndef GNTCOPY_dest_gref
#define GNTCOPY_dest_gref 2
#endif

/* By the library that it puts before all others. */
bool valgrind_is_here(void)
{
	static atomic_int here; /* 1: no, 2: yes */
	const char *preload;

	if (!here) {
		preload = getenv("LD_PRELOAD");
		here = preload && strstr(preload, "/vgpreload_") ? 2 : 1;
	}

	return here == 2;
}

static void defined(void *address, size_t size)
{
	struct iovec part = {address, size};

	if (size)
		raw(SYS_process_vm_readv, getpid(), &part, 1, &part, 1, 0);
}

static void tell_of_copies(struct ioctl_gntdev_grant_copy *copy)
{
	struct gntdev_grant_copy_segment *segment = copy->segments;

	for (; segment < copy->segments + copy->count; segment++) {
		defined(&segment->status, sizeof(segment->status));
		if (!(segment->flags & GNTCOPY_dest_gref) && !segment->status)
			defined(segment->dest.virt, segment->len);
	}
}

void valgrind_tell(unsigned long number, void *argument)
{
	struct ioctl_gntalloc_alloc_gref *alloc = argument;
	struct ioctl_gntdev_dmabuf_imp_to_refs *import = argument;
	struct ioctl_gntdev_area_op *area = argument;

	if (!valgrind_is_here())
		return;
	if (argument)
		defined(argument, _IOC_SIZE(number));
	if (number == IOCTL_GNTALLOC_ALLOC_GREF)
		defined(alloc->gref_ids, alloc->count * sizeof(uint32_t));
	if (number == IOCTL_GNTDEV_DMABUF_IMP_TO_REFS)
		defined(import->refs, import->count * sizeof(uint32_t));
	if (number == IOCTL_GNTDEV_GRANT_COPY)
		tell_of_copies(argument);
	if (number == IOCTL_GNTDEV_AREA_MAP ||
	    number == IOCTL_GNTDEV_AREA_UNMAP)
		defined((void *)(uintptr_t)area->ops,
			area->done * sizeof(struct gntdev_area_op));
}
