// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The grant device's calls, bare: each answers 0 (or a count) or -errno. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"
#include "stress.h"
#include "xen_abi.h"

#define PLACED_MAX (4 * PAGE)

bool fault_in_request;

/*
 * Puts a request where the driver will read it. Often that is memory that is
 * there; sometimes it is a private file page that was never touched, across
 * a page boundary: the driver's reads and writes of it then fault, and the
 * fault takes the lock that mmap and munmap hold.
 */
void *request_place(struct ctx *c, const void *content, u32 bytes)
{
	u8 *at = arena_request(c);
	u32 start = PAGE - (bytes / 2 & ~7u);

	if (bytes > PAGE)
		start = PAGE / 2;
	if (bytes + start > PLACED_MAX || !chance(c, 25) || !fault_in_request)
		goto plain;
	if (pwrite(c->request_fd, content, bytes, start) != (ssize_t)bytes)
		goto plain;
	if (mmap(at, PLACED_MAX, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED, c->request_fd, 0) != at)
		goto plain;
	return at + start;
plain:
	if (content != c->request)
		memmove(c->request, content, bytes);
	return c->request;
}

long raw_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

long device_open(void)
{
	int fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

long device_map_from(struct ctx *c, int fd, u32 domid, u32 count,
		     const u32 *refs, u64 *index)
{
	struct ioctl_gntdev_map_grant_ref *map;
	u32 bytes = (u32)offsetof(struct ioctl_gntdev_map_grant_ref, refs) +
		    count * (u32)sizeof(map->refs[0]);
	long rc;
	u32 i;

	map = (void *)c->request;
	map->count = count;
	map->pad = rnd(c, 2) ? 0xdeadbeef : 0; /* ignored */
	map->index = ~0ull;
	for (i = 0; i < count; i++) {
		map->refs[i].domid = domid;
		map->refs[i].ref = refs[i];
	}
	map = request_place(c, map, bytes);
	rc = raw_ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map);
	*index = map->index;
	return rc;
}

long device_map(struct ctx *c, int fd, u32 count, const u32 *refs, u64 *index)
{
	return device_map_from(c, fd, shm->domid, count, refs, index);
}

long device_unmap(struct ctx *c, int fd, u64 index, u32 count)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = {
		.index = index,
		.count = count,
		.pad = 0x5a5a5a5a,
	};

	return raw_ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF,
			 request_place(c, &unmap, sizeof(unmap)));
}

long device_offset(struct ctx *c, int fd, const void *addr, u64 *offset,
		   u32 *count)
{
	struct ioctl_gntdev_get_offset_for_vaddr get = {
		.vaddr = (uintptr_t)addr,
		.offset = ~0ull,
	};
	struct ioctl_gntdev_get_offset_for_vaddr *placed;
	long rc;

	placed = request_place(c, &get, sizeof(get));
	rc = raw_ioctl(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, placed);
	*offset = placed->offset;
	*count = placed->count;
	return rc;
}

long device_set_max(struct ctx *c, int fd, u32 count)
{
	struct ioctl_gntdev_set_max_grants set = {.count = count};

	return raw_ioctl(fd, IOCTL_GNTDEV_SET_MAX_GRANTS,
			 request_place(c, &set, sizeof(set)));
}

long device_notify(struct ctx *c, int fd, u64 index, u32 action, u32 port)
{
	struct ioctl_gntdev_unmap_notify notify = {
		.index = index,
		.action = action,
		.event_channel_port = port,
	};

	return raw_ioctl(fd, IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
			 request_place(c, &notify, sizeof(notify)));
}

/* The statuses come back in segments. */
long device_copy(struct ctx *c, int fd, u32 count,
		 struct gntdev_grant_copy_segment *segments)
{
	struct gntdev_grant_copy_segment *placed;
	struct ioctl_gntdev_grant_copy copy = {.count = count};
	u32 bytes = count * (u32)sizeof(*segments);
	long rc;

	placed = request_place(c, segments, bytes);
	copy.segments = placed;
	rc = raw_ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, &copy);
	memcpy(segments, placed, bytes);
	return rc;
}

long device_mmap(u8 **addr, void *at, u32 count, int prot, int flags, int fd,
		 u64 index)
{
	void *got = mmap64(at, (size_t)count * PAGE, prot, flags, fd,
			   (off64_t)index);

	if (got == MAP_FAILED)
		return -errno;
	__atomic_fetch_add(&shm->mapped, 1, __ATOMIC_RELAXED);
	*addr = got;
	return 0;
}

long device_munmap(void *addr, u32 count)
{
	return munmap(addr, (size_t)count * PAGE) < 0 ? -errno : 0;
}

/* A fault on either side makes these answer false instead of dying. */
bool safe_read(struct ctx *c, void *to, const void *from, u32 bytes)
{
	return safe_write(c, to, from, bytes);
}

bool safe_write(struct ctx *c, void *to, const void *from, u32 bytes)
{
	if (sigsetjmp(c->fault, 0)) {
		c->guarded = 0;
		return false;
	}
	c->guarded = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(to, from, bytes);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	c->guarded = 0;
	return true;
}
