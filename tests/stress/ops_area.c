// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Operations on areas: one of a thread's own, of which all is known, and one
 * that all threads of a worker fill and empty at once, while one of them takes
 * it away and puts it back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arena.h"
#include "stress.h"
#include "xen_abi.h"

#include <xen/gntdev_more.h>

#define SLOTS 16u
#define STEPS 12u

struct area {
	int fd;
	u64 index;
	u8 *at;
};

static long area_create(struct area *area, u32 slots)
{
	struct ioctl_gntdev_area_create create = {.slots = slots};
	long rc = raw_ioctl(area->fd, IOCTL_GNTDEV_AREA_CREATE, &create);

	area->index = create.index;
	return rc;
}

static long area_operate(struct ctx *c, const struct area *area, bool map,
			 struct gntdev_area_op *ops, u32 count)
{
	struct ioctl_gntdev_area_op *request, op = {
						      .index = area->index,
						      .ops = (uintptr_t)ops,
						      .count = count,
					      };

	request = request_place(c, &op, sizeof(op));
	return raw_ioctl(area->fd,
			 map ? IOCTL_GNTDEV_AREA_MAP : IOCTL_GNTDEV_AREA_UNMAP,
			 request);
}

/* ---- a thread's own ---- */

struct filled {
	u16 page[SLOTS]; /* of the pool, or NO_PAGE */
};

static void check_slots(struct ctx *c, const struct area *area,
			const struct filled *filled)
{
	u8 seen[64];
	u32 i, page;

	for (i = 0; i < SLOTS; i++) {
		page = filled->page[i];
		if (!safe_read(c, seen, area->at + i * PAGE, sizeof(seen))) {
			if (page != NO_PAGE)
				finding(c, FOUND_DATA, "a filled slot faults");
		} else if (page == NO_PAGE) {
			finding(c, FOUND_DATA, "an empty slot can be read");
		} else if (memcmp(seen, shadow_of(c, page), sizeof(seen))) {
			finding(c, FOUND_DATA,
				"slot %u shows another page than that it holds",
				i);
		}
	}
}

static bool change_slots(struct ctx *c, const struct area *area,
			 struct filled *filled)
{
	struct gntdev_area_op ops[SLOTS];
	u32 i, n = 0, wanted = 1 + rnd(c, SLOTS);
	bool map = chance(c, 60);

	memset(ops, 0, sizeof(ops));
	for (i = 0; i < SLOTS && n < wanted; i++) {
		if ((filled->page[i] == NO_PAGE) != map || chance(c, 30))
			continue;
		ops[n].slot = i;
		ops[n].domid = shm->domid;
		ops[n].status = 1;
		if (map) {
			filled->page[i] =
				(u16)(c->first_page + rnd(c, OWN_PAGES));
			ops[n].ref = shm->ref[filled->page[i]];
		} else {
			filled->page[i] = NO_PAGE;
		}
		n++;
	}
	if (!EXPECT(c, area_operate(c, area, map, ops, n),
		    map ? "AREA_MAP" : "AREA_UNMAP", 0))
		return false;
	for (i = 0; i < n; i++) {
		/* Handles may be short. */
		if (map && (ops[i].status == -13 || ops[i].status == -7))
			filled->page[ops[i].slot] = NO_PAGE;
		else if (ops[i].status)
			finding(c, FOUND_CONTRACT, "slot %u has the status %d",
				ops[i].slot, ops[i].status);
	}
	return !c->trouble;
}

/* Its page is in a pipe while the slot is emptied. */
static void hold_slot(struct ctx *c, const struct area *area,
		      struct filled *filled)
{
	u32 slot = rnd(c, SLOTS), page = filled->page[slot];
	struct iovec part = {area->at + slot * PAGE, PAGE};
	struct gntdev_area_op op = {.slot = slot};
	u8 seen[PAGE];
	int fds[2];

	if (page == NO_PAGE || pipe(fds))
		return;
	if (vmsplice(fds[1], &part, 1, SPLICE_F_NONBLOCK) == (ssize_t)PAGE) {
		EXPECT(c, area_operate(c, area, false, &op, 1),
		       "AREA_UNMAP of a page in a pipe", 0);
		filled->page[slot] = NO_PAGE;
		if (read(fds[0], seen, PAGE) != (ssize_t)PAGE ||
		    memcmp(seen, shadow_of(c, page), PAGE))
			finding(c, FOUND_DATA,
				"a page in a pipe is not what its slot had");
	}
	close(fds[0]);
	close(fds[1]);
}

static bool area_steps(struct ctx *c, const struct area *area)
{
	struct filled filled;
	u32 i;

	for (i = 0; i < SLOTS; i++)
		filled.page[i] = NO_PAGE;
	for (i = 0; i < STEPS && !c->trouble; i++) {
		if (!change_slots(c, area, &filled))
			return false;
		if (chance(c, 20))
			mprotect(area->at, SLOTS * PAGE, PROT_READ);
		if (chance(c, 20))
			madvise(area->at, SLOTS * PAGE, MADV_DONTNEED);
		mprotect(area->at, SLOTS * PAGE, PROT_READ | PROT_WRITE);
		if (chance(c, 20))
			hold_slot(c, area, &filled);
		check_slots(c, area, &filled);
	}
	return !c->trouble;
}

bool op_area(struct ctx *c)
{
	struct area area = {.fd = (int)device_open()};
	bool closed, done = true;
	long rc;

	if (!EXPECT(c, area.fd < 0 ? area.fd : 0, "open", 0))
		return false;
	rc = area_create(&area, SLOTS);
	if (!rc)
		rc = device_mmap(&area.at, NULL, SLOTS, PROT_READ | PROT_WRITE,
				 MAP_SHARED, area.fd, area.index);
	if (EXPECT(c, rc, "an area", 0, ENOMEM, EINVAL) && !rc) {
		done = area_steps(c, &area);
		closed = chance(c, 50);
		if (closed)
			close(area.fd);
		EXPECT(c, device_munmap(area.at, SLOTS), "munmap of an area",
		       0);
		if (closed)
			return done && !c->trouble;
	}
	close(area.fd);
	return done && !c->trouble;
}

/* ---- all threads' ---- */

static pthread_mutex_t common_lock = PTHREAD_MUTEX_INITIALIZER;
static struct area common_area = {.fd = -1};

static bool common_is_there(struct ctx *c)
{
	struct area area = {.fd = -1};
	bool there;
	long rc;

	pthread_mutex_lock(&common_lock);
	there = common_area.fd >= 0;
	if (!there)
		area.fd = (int)device_open();
	if (area.fd >= 0) {
		rc = area_create(&area, SLOTS);
		if (!rc)
			rc = device_mmap(&area.at, NULL, SLOTS,
					 PROT_READ | PROT_WRITE, MAP_SHARED,
					 area.fd, area.index);
		there = !rc;
		EXPECT(c, rc, "an area for all threads", 0, ENOMEM, EINVAL);
		if (there)
			common_area = area;
		else
			close(area.fd);
	}
	pthread_mutex_unlock(&common_lock);
	return there;
}

/* The place stays taken, so that nothing else comes there. */
static void take_away(struct ctx *c)
{
	u8 *at;
	long rc;

	if (pthread_mutex_trylock(&common_lock))
		return;
	if (mmap(common_area.at, SLOTS * PAGE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		finding(c, FOUND_CONTRACT,
			"nothing can be mapped over an area");
	do {
		rc = device_mmap(&at, common_area.at, SLOTS,
				 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				 common_area.fd, common_area.index);
		/* A child may have it still, in an auto-translated domain. */
		if (rc == -EINVAL)
			pause_ms(10);
	} while (rc == -ENOMEM || rc == -EINVAL);
	EXPECT(c, rc, "mmap of an area again", 0);
	pthread_mutex_unlock(&common_lock);
}

bool op_area_common(struct ctx *c)
{
	struct gntdev_area_op ops[4];
	u32 i, n = 1 + rnd(c, 4);
	u64 tag[2];
	long rc;

	if (!common_is_there(c))
		return false;
	memset(ops, 0, sizeof(ops));
	for (i = 0; i < n; i++) {
		ops[i].slot = rnd(c, SLOTS);
		ops[i].domid = shm->domid;
		ops[i].ref = shm->ref[rnd(c, COMMON_PAGES)];
	}
	if (chance(c, 10)) {
		take_away(c);
	} else if (chance(c, 50)) {
		rc = area_operate(c, &common_area, true, ops, n);
		EXPECT(c, rc, "AREA_MAP of all threads", 0, EEXIST, EINVAL);
	} else {
		rc = area_operate(c, &common_area, false, ops, n);
		EXPECT(c, rc, "AREA_UNMAP of all threads", 0, EINVAL);
	}
	if (chance(c, 10))
		madvise(common_area.at, SLOTS * PAGE, MADV_DONTNEED);
	if (safe_read(c, tag, common_area.at + ops[0].slot * PAGE,
		      sizeof(tag)) &&
	    (tag[0] != (TAG_MAGIC ^ shm->seed) || tag[1] >= COMMON_PAGES))
		finding(c, FOUND_DATA, "a slot of an area shows no tag");
	return !c->trouble;
}
