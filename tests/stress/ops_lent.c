// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Operations on what an instance may do beside the public header: memory of a
 * thread's own that is granted, restrictions, statuses. Where the granter is this
 * domain too, a worker maps what it has granted, and sees whether it is that.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"
#include "xen_abi.h"

#include <xen/gntdev_more.h>

#define MOST 16u

struct lent {
	u8 *at;
	u32 count;
	u64 index;
	u32 refs[MOST];
};

static long lend(struct ctx *c, int fd, struct lent *l, u32 flags)
{
	struct ioctl_gntdev_grant_memory *op = (void *)c->request;
	u32 bytes = offsetof(struct ioctl_gntdev_grant_memory, refs) +
		    l->count * (u32)sizeof(u32);
	long rc;

	memset(op, 0, bytes);
	op->addr = (uintptr_t)l->at;
	op->count = l->count;
	op->domid = (u16)shm->domid;
	op->flags = (u16)flags;
	op = request_place(c, op, bytes);
	rc = raw_ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, op);
	l->index = op->index;
	memcpy(l->refs, op->refs, l->count * sizeof(u32));
	return rc;
}

static long unlend(struct ctx *c, int fd, const struct lent *l)
{
	struct ioctl_gntdev_ungrant_memory op = {l->index, l->count, 0};

	return raw_ioctl(fd, IOCTL_GNTDEV_UNGRANT_MEMORY,
			 request_place(c, &op, sizeof(op)));
}

/* What is granted is what was written, seen through a map of the grants. */
static void look_at_lent(struct ctx *c, int fd, const struct lent *l)
{
	u8 seen[64], *at;
	u64 index;
	u32 i;

	if (device_map(c, fd, l->count, l->refs, &index))
		return;
	/* Handles may be short; own grants may be refused. */
	if (device_mmap(&at, NULL, l->count, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, index)) {
		unmap_patiently(c, fd, index, l->count);
		return;
	}
	for (i = 0; i < l->count; i++) {
		if (!safe_read(c, seen, at + i * PAGE, sizeof(seen)) ||
		    memcmp(seen, l->at + i * PAGE, sizeof(seen)))
			finding(c, FOUND_DATA,
				"granted memory is not what its grant shows");
	}
	/* Half of the time it is taken back while it is mapped. */
	if (chance(c, 50))
		EXPECT(c, unlend(c, fd, l), "UNGRANT_MEMORY", 0);
	device_munmap(at, l->count);
	unmap_patiently(c, fd, index, l->count);
}

static u8 *some_memory(struct ctx *c, u32 count, int *memfd)
{
	int fd = chance(c, 40) ? memfd_create("lent", MFD_CLOEXEC) : -1;
	void *at;
	u32 i;

	if (fd >= 0 && ftruncate(fd, count * PAGE)) {
		close(fd);
		return NULL;
	}
	at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
		  fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	for (i = 0; at != MAP_FAILED && i < count; i++)
		fill_random(c, (u8 *)at + i * PAGE, 64);
	if (at == MAP_FAILED)
		return NULL;
	*memfd = fd;
	return at;
}

bool op_lend(struct ctx *c)
{
	struct lent l = {.count = 1 + rnd(c, MOST)};
	long fd = device_open(), rc;
	int memfd = -1;

	if (fd < 0)
		return false;
	l.at = some_memory(c, l.count, &memfd);
	rc = l.at ? lend(c, (int)fd, &l, GNTDEV_GRANT_WRITABLE) : -ENOMEM;
	/* The machine looks for it. */
	if (memfd >= 0)
		close(memfd);
	/* Not every driver has it; references and locked memory may be short. */
	if (!rc && chance(c, 30))
		device_notify(c, (int)fd, l.index + 8, 1, 0);
	if (!rc && !shm->remote)
		look_at_lent(c, (int)fd, &l);
	if (!rc && chance(c, 30)) {
		munmap(l.at, l.count * PAGE);
		l.at = NULL;
	}
	if (!rc && chance(c, 50))
		unlend(c, (int)fd, &l);
	close((int)fd);
	if (l.at)
		munmap(l.at, l.count * PAGE);
	if (rc == -ENOTTY || rc == -ENOSPC || rc == -ENOMEM || rc == -EINVAL)
		return false;
	return EXPECT(c, rc, "GRANT_MEMORY", 0);
}

bool op_lend_wrong(struct ctx *c)
{
	struct lent l = {.count = 1 + rnd(c, MOST)};
	long fd = device_open(), rc;
	bool done;

	if (fd < 0)
		return false;
	l.at = (u8 *)(uintptr_t)(chance(c, 50) ? PAGE : 12);
	rc = lend(c, (int)fd, &l, chance(c, 50) ? 2 : 0);
	done = rc != -ENOTTY &&
	       EXPECT(c, rc, "GRANT_MEMORY of no memory", EFAULT, EINVAL);
	l.index = 0;
	if (done)
		done = EXPECT(c, unlend(c, (int)fd, &l),
			      "UNGRANT_MEMORY of nothing", ENOENT);
	close((int)fd);
	return done;
}

bool op_restrict(struct ctx *c)
{
	struct ioctl_gntdev_restrict op = {shm->domid, 0};
	u32 refs[1] = {shm->ref[rnd(c, COMMON_PAGES)]};
	long fd = device_open(), rc;
	bool done = false;
	u64 index;

	if (fd < 0)
		return false;
	rc = raw_ioctl((int)fd, IOCTL_GNTDEV_RESTRICT,
		       request_place(c, &op, sizeof(op)));
	if (rc != -ENOTTY)
		done = EXPECT(c, rc, "RESTRICT", 0) &&
		       EXPECT(c,
			      device_map_from(c, (int)fd, shm->domid + 1, 1,
					      refs, &index),
			      "MAP of a domain that is not allowed", EACCES) &&
		       EXPECT(c, device_map(c, (int)fd, 1, refs, &index),
			      "MAP of the domain that is", 0);
	close((int)fd);
	return done;
}

bool op_map_status(struct ctx *c)
{
	struct range *r = range_want(c, WANT_INSERTED);
	int16_t told[RANGE_PAGES];
	struct ioctl_gntdev_map_status op;
	long rc;

	if (!r || r->instance == NO_INSTANCE)
		return false;
	op = (struct ioctl_gntdev_map_status){
		.index = r->index,
		.statuses = (uintptr_t)told,
		.count = r->count,
	};
	rc = raw_ioctl(c->instance[r->instance].fd, IOCTL_GNTDEV_MAP_STATUS,
		       request_place(c, &op, sizeof(op)));
	return rc != -ENOTTY && EXPECT(c, rc, "MAP_STATUS", 0);
}
