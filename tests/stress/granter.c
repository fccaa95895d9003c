// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The pages as their granter sees them: by gntalloc's own mapping where this
 * domain grants, by the hypervisor's copy where another one does.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"
#include "xen_abi.h"

static u8 *pool;

bool granter_attach(void)
{
	pool = mmap64(NULL, (size_t)shm->pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED, pool_fd, (off64_t)shm->pool_index);
	return pool != MAP_FAILED;
}

void granter_detach(void)
{
	munmap(pool, (size_t)shm->pages * PAGE);
}

/* 0, -errno, or what the hypervisor says (a status below -1000). */
static long copy(int fd, u32 page, u32 offset, void *local, u32 bytes,
		 bool to_grant)
{
	struct gntdev_grant_copy_segment s = {.len = (u16)bytes};
	struct ioctl_gntdev_grant_copy call = {.count = 1, .segments = &s};
	long rc;

	if (to_grant) {
		s.flags = GNTCOPY_dest_gref;
		s.source.virt = local;
		s.dest.foreign.ref = shm->ref[page];
		s.dest.foreign.domid = (u16)shm->domid;
		s.dest.foreign.offset = (u16)offset;
	} else {
		s.flags = GNTCOPY_source_gref;
		s.dest.virt = local;
		s.source.foreign.ref = shm->ref[page];
		s.source.foreign.domid = (u16)shm->domid;
		s.source.foreign.offset = (u16)offset;
	}
	rc = raw_ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, &call);
	return rc ? rc : s.status ? s.status - 1000 : 0;
}

/* Valid until the next call. */
const u8 *granter_view(struct ctx *c, u32 page)
{
	long rc;

	if (!shm->remote)
		return pool + (size_t)page * PAGE;
	rc = copy(c->copy_fd, page, 0, c->seen, PAGE, false);
	if (rc)
		finding(c, FOUND_CONTRACT, "page %u cannot be copied: %ld",
			page, rc);
	return c->seen;
}

void granter_write(struct ctx *c, u32 page, u32 offset, const void *from,
		   u32 bytes)
{
	long rc;

	if (!shm->remote) {
		memcpy(pool + (size_t)page * PAGE + offset, from, bytes);
		return;
	}
	rc = copy(c->copy_fd, page, offset, (void *)(uintptr_t)from, bytes,
		  true);
	if (rc)
		finding(c, FOUND_CONTRACT, "page %u cannot be copied to: %ld",
			page, rc);
}

bool granter_tag_pages(void)
{
	u64 tag[2] = {TAG_MAGIC ^ shm->seed, 0};
	long fd = device_open();
	bool ok = fd >= 0;
	u32 i;

	for (i = 0; i < COMMON_PAGES && ok; i++) {
		tag[1] = i;
		if (shm->remote)
			ok = !copy((int)fd, i, 0, tag, sizeof(tag), true);
		else
			memcpy(pool + (size_t)i * PAGE, tag, sizeof(tag));
	}
	if (fd >= 0)
		close((int)fd);
	return ok;
}
