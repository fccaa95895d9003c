// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Operations with bad input, from this program and from the granter. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "arena.h"
#include "stress.h"
#include "xen_abi.h"

/* One bad reference, and the mmap of the whole range fails. */
bool op_bad_ref(struct ctx *c)
{
	struct range *r = range_insert(c, 1 + rnd(c, 24), chance(c, 50), true);

	if (!r)
		return false;
	range_map(c, r, chance(c, 50) ? PROT_READ : PROT_READ | PROT_WRITE);
	return !c->trouble && range_remove(c, r);
}

/* Reference 0 is as good as any; nobody has granted it to this domain. */
bool op_ref_zero(struct ctx *c)
{
	const u32 refs[3] = {0, rnd(c, 8), ~0u - rnd(c, 3)};
	u32 count = 1 + rnd(c, 3), n = rnd(c, INSTANCES);
	u64 index;
	u8 *addr;
	long rc;

	rc = device_map(c, c->instance[n].fd, count, refs, &index);
	if (rc == -ENOMEM || (rc == -EINVAL && count > c->instance[n].max))
		return false;
	if (!EXPECT(c, rc, "MAP of reference 0", 0))
		return false;
	c->instance[n].fresh = false;
	rc = device_mmap(&addr, NULL, count, PROT_READ, MAP_SHARED,
			 c->instance[n].fd, index);
	if (!rc)
		device_munmap(addr, count);
	if (!EXPECT(c, rc, "mmap of reference 0", EINVAL, 0))
		return false;
	return EXPECT(c, unmap_patiently(c, c->instance[n].fd, index, count),
		      "UNMAP_GRANT_REF of reference 0", 0);
}

/* A domain number is never cut to 16 bits. */
bool op_big_domid(struct ctx *c)
{
	u32 domid = shm->domid | 0x10000u << rnd(c, 16);
	u64 index;

	return EXPECT(c,
		      device_map_from(c, c->instance[rnd(c, INSTANCES)].fd,
				      domid, 1, &shm->ref[rnd(c, COMMON_PAGES)],
				      &index),
		      "MAP with a domain above 65535", EINVAL);
}

bool op_bad_count(struct ctx *c)
{
	static const u32 counts[] = {0, ~0u, 0x80000000u, 0x20000000u,
				     0x10000001u};
	struct ioctl_gntdev_map_grant_ref map = {
		.count = counts[rnd(c, 5)],
		.refs[0] = {shm->domid, shm->ref[0]},
	};

	if (chance(c, 30))
		map.count = shm->limit + 1 + rnd(c, 100);
	return EXPECT(c,
		      raw_ioctl(c->instance[rnd(c, INSTANCES)].fd,
				IOCTL_GNTDEV_MAP_GRANT_REF,
				request_place(c, &map, sizeof(map))),
		      "MAP of no or too many grants", EINVAL);
}

static const unsigned long requests[] = {
	IOCTL_GNTDEV_MAP_GRANT_REF,	   IOCTL_GNTDEV_UNMAP_GRANT_REF,
	IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, IOCTL_GNTDEV_SET_MAX_GRANTS,
	IOCTL_GNTDEV_SET_UNMAP_NOTIFY,	   IOCTL_GNTDEV_GRANT_COPY,
};

bool op_bad_pointer(struct ctx *c)
{
	unsigned long request = requests[rnd(c, 6)];
	void *at;

	switch (rnd(c, 4)) {
	case 0:
		at = NULL;
		break;
	case 1: /* the last byte of a page that nothing follows */
		at = arena_request(c) + (size_t)5 * PAGE - 1;
		break;
	case 2:
		at = (void *)(uintptr_t)(~0ull - 2);
		break;
	default:
		at = (void *)(uintptr_t)(1ull << 63);
		if (sizeof(long) == 4)
			at = (void *)(uintptr_t)0xfffff000u;
	}
	return EXPECT(c,
		      raw_ioctl(c->instance[rnd(c, INSTANCES)].fd, request, at),
		      "a request at a bad address", EFAULT);
}

/*
 * Memory that the driver can read and not write: the answer of MAP cannot be
 * handed over, so nothing may have been inserted.
 */
bool op_read_only_request(struct ctx *c)
{
	struct ioctl_gntdev_map_grant_ref map = {
		.count = 1,
		.refs[0] = {shm->domid, shm->ref[rnd(c, COMMON_PAGES)]},
	};
	struct instance *in = &c->instance[rnd(c, INSTANCES)];
	u8 *at = arena_request(c);
	long rc;

	if (in->in_table >= in->max)
		return false;
	if (pwrite(c->request_fd, &map, sizeof(map), 0) != sizeof(map) ||
	    mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, c->request_fd,
		 0) != at)
		return false;
	rc = raw_ioctl(in->fd, IOCTL_GNTDEV_MAP_GRANT_REF, at);
	munmap(at, PAGE);
	if (rc == -ENOMEM)
		return false;
	return EXPECT(c, rc, "MAP with a read-only request", EFAULT);
}

/* The request itself lies in a mapped grant. */
bool op_request_in_grant(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_WRITABLE);
	struct ioctl_gntdev_get_offset_for_vaddr get = {0};
	u32 offset = 8 * rnd(c, (PAGE - sizeof(get)) / 8);
	u8 *at;

	if (!r || r->instance == NO_INSTANCE)
		return false;
	get.vaddr = (uintptr_t)r->addr;
	at = range_page(r, rnd(c, r->count)) + offset;
	range_note(c, r);
	if (!safe_write(c, at, &get, sizeof(get)))
		return range_check(c, r);
	if (!EXPECT(c,
		    raw_ioctl(c->instance[r->instance].fd,
			      IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, at),
		    "GET_OFFSET_FOR_VADDR with its request in a grant", 0))
		return false;
	if (safe_read(c, &get, at, sizeof(get)) &&
	    (get.offset != r->index || get.count != r->count))
		finding(c, FOUND_DATA, "an answer did not arrive in a grant");
	page_wrote(c, r->page[(at - r->addr) / PAGE], offset, &get,
		   sizeof(get));
	return !c->trouble && range_check(c, r);
}

/* Numbers, sizes and types that are nobody's. */
bool op_wild_ioctl(struct ctx *c)
{
	static const u8 numbers[] = {4, 5, 6, 18, 19, 20, 25, 31, 200, 255};
	unsigned long request = requests[rnd(c, 6)];

	switch (rnd(c, 3)) {
	case 0: /* a known number with another size or direction */
		request ^= chance(c, 50) ? 8ul << 16 : 1ul << 30;
		break;
	case 1: /* another type */
		request ^= (unsigned long)('G' ^ "EPHg"[rnd(c, 4)]) << 8;
		break;
	default:
		request = (unsigned long)_IOC(_IOC_NONE, 'G',
					      numbers[rnd(c, 10)],
					      8 * (1 + rnd(c, 4)));
	}
	memset(c->request, 0xff, 256);
	return EXPECT(c,
		      raw_ioctl(c->instance[rnd(c, INSTANCES)].fd, request,
				c->request),
		      "an unknown request", ENOTTY);
}

/* Pages that this thread alone grants, to take them back at a bad moment. */
static bool grant_some(struct ctx *c, u32 count, u64 *index, u32 *refs)
{
	struct ioctl_gntalloc_alloc_gref *alloc = (void *)c->request;
	long rc;

	alloc->domid = (u16)shm->own_domid;
	alloc->flags = GNTALLOC_FLAG_WRITABLE;
	alloc->count = count;
	rc = raw_ioctl(c->gntalloc, IOCTL_GNTALLOC_ALLOC_GREF, alloc);
	if (rc)
		return false;
	*index = alloc->index;
	memcpy(refs, alloc->gref_ids, count * sizeof(*refs));
	return true;
}

static void take_back(struct ctx *c, u64 index, u32 count)
{
	struct ioctl_gntalloc_dealloc_gref dealloc = {
		.index = index,
		.count = count,
	};

	raw_ioctl(c->gntalloc, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc);
}

/*
 * Inserted, revoked, mmapped: refused, with nothing left mapped. Another
 * thread may have been given the same reference meanwhile; then it works.
 */
bool op_revoke(struct ctx *c)
{
	u32 refs[8], count = 1 + rnd(c, 8), first, some;
	long rc, fd;
	u64 index, handle;
	u8 *addr;

	if (c->gntalloc < 0 || !grant_some(c, count, &handle, refs))
		return false;
	fd = device_open();
	if (!EXPECT(c, fd < 0 ? fd : 0, "open", 0))
		return false;
	rc = device_map_from(c, (int)fd, shm->own_domid, count, refs, &index);
	first = rnd(c, count);
	some = 1 + rnd(c, count - first);
	take_back(c, handle + (u64)first * PAGE, some);
	if (EXPECT(c, rc, "MAP", 0, ENOMEM) && !rc) {
		rc = device_mmap(&addr, NULL, count, PROT_READ, MAP_SHARED,
				 (int)fd, index);
		if (!rc)
			device_munmap(addr, count);
		EXPECT(c, rc, "mmap of revoked grants", EINVAL, 0, ENOMEM);
	}
	close((int)fd);
	if (first)
		take_back(c, handle, first);
	if (first + some < count)
		take_back(c, handle + (u64)(first + some) * PAGE,
			  count - first - some);
	return !c->trouble;
}

/*
 * Revoked while mapped: the granter's kernel keeps the page until we let go.
 * It takes back few a second, so this is done seldom.
 */
bool op_revoke_mapped(struct ctx *c)
{
	u32 refs[2], count = 1 + rnd(c, 2);
	u64 index, handle, last = shm->last_revoke_ns, now = now_ns();
	u8 *addr, byte = 1;
	long rc, fd;

	if (c->gntalloc < 0 || now - last < 500000000u ||
	    !__atomic_compare_exchange_n(&shm->last_revoke_ns, &last, now,
					 false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED) ||
	    !grant_some(c, count, &handle, refs))
		return false;
	fd = device_open();
	if (!EXPECT(c, fd < 0 ? fd : 0, "open", 0))
		return false;
	rc = device_map_from(c, (int)fd, shm->own_domid, count, refs, &index);
	if (!rc)
		rc = device_mmap(&addr, NULL, count, PROT_READ | PROT_WRITE,
				 MAP_SHARED, (int)fd, index);
	EXPECT(c, rc, "mmap", 0, ENOMEM);
	take_back(c, handle, count);
	if (chance(c, 50)) {
		close((int)fd);
		fd = -1;
	}
	if (!rc) {
		if (!safe_write(c, addr, &byte, 1))
			finding(c, FOUND_DATA,
				"a mapping faults when its granter revokes it");
		EXPECT(c, device_munmap(addr, count), "munmap", 0);
	}
	if (fd >= 0)
		close((int)fd);
	return !c->trouble;
}
