// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Operations that map, unmap and use ranges. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arena.h"
#include "stress.h"

bool op_mmap(struct ctx *c)
{
	struct range *r = range_want(c, WANT_INSERTED);

	return r &&
	       range_map(c, r,
			 chance(c, 60) ? PROT_READ | PROT_WRITE : PROT_READ);
}

bool op_munmap(struct ctx *c)
{
	struct range *r = range_want(c, WANT_MAPPED);

	return r && range_munmap(c, r);
}

bool op_access(struct ctx *c)
{
	struct range *r = range_want(c, WANT_WRITABLE);
	u32 i, page;

	for (i = 0; r && i < 4; i++) {
		page = rnd(c, r->count);
		if (!range_write_page(c, r, page) ||
		    !range_check_page(c, r, page))
			return false;
	}
	return r != NULL;
}

/* The call must fail; what it mapped against the rule is unmapped again. */
static bool mmap_must_fail(struct ctx *c, struct range *r, u32 count, u64 index,
			   int prot, int flags, const char *what)
{
	u8 *addr;
	long rc = device_mmap(&addr, NULL, count, prot, flags,
			      c->instance[r->instance].fd, index);

	if (!rc)
		munmap(addr, (size_t)count * PAGE);
	return EXPECT(c, rc, what, EINVAL);
}

bool op_mmap_wrong(struct ctx *c)
{
	struct range *r = range_want(c, WANT_INSERTED);
	u32 count, high = sizeof(long) == 8 ? 44 : 40;
	u64 index;

	if (!r)
		return false;
	index = r->index;
	count = r->count;
	switch (rnd(c, 5)) {
	case 0:
		count++;
		break;
	case 1:
		count = count > 1 ? count - 1 : 2;
		break;
	case 2:
		index += PAGE;
		break;
	case 3:
		index += 1ull << (32 + rnd(c, high - 31));
		break;
	default:
		index = c->instance[r->instance].stale[rnd(c, STALE)].index;
	}
	if (table_has(c, r->instance, index, count))
		return false;
	return mmap_must_fail(c, r, count, index, PROT_READ, MAP_SHARED,
			      "mmap of no range");
}

bool op_mmap_private(struct ctx *c)
{
	struct range *r = range_want(c, WANT_INSERTED);

	return r && mmap_must_fail(c, r, r->count, r->index,
				   chance(c, 50) ? PROT_READ
						 : PROT_READ | PROT_WRITE,
				   MAP_PRIVATE, "private mmap");
}

bool op_mmap_twice(struct ctx *c)
{
	struct range *r = range_want(c, WANT_MAPPED);

	if (!r || r->instance == NO_INSTANCE)
		return false;
	return mmap_must_fail(c, r, r->count, r->index, PROT_READ, MAP_SHARED,
			      "second mmap of a mapped range") &&
	       range_check(c, r);
}

/*
 * mmap at the place of the very mapping: refused as any second mmap is, with
 * the mapping whole.
 */
bool op_mmap_over(struct ctx *c)
{
	struct range *r = range_want(c, WANT_WRITABLE);
	u8 *addr;

	if (!r || r->instance == NO_INSTANCE)
		return false;
	range_note(c, r);
	return EXPECT(c,
		      device_mmap(&addr, r->addr, r->count,
				  PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED,
				  c->instance[r->instance].fd, r->index),
		      "mmap over its own mapping", EINVAL) &&
	       range_check(c, r);
}

bool op_munmap_part(struct ctx *c)
{
	struct range *r = range_want(c, WANT_MAPPED);
	u32 first, n;
	void *got;

	if (!r || r->count < 2)
		return false;
	first = rnd(c, r->count);
	n = 1 + rnd(c, r->count - first);
	if (n == r->count)
		n--;
	range_note(c, r);
	if (chance(c, 70)) {
		if (!EXPECT(c, device_munmap(range_page(r, first), n),
			    "munmap of a part", EINVAL))
			return false;
		return range_check(c, r);
	}
	/* Something else mapped over a part would unmap that part. */
	got = mmap(range_page(r, first), (size_t)n * PAGE, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (!EXPECT(c, got == MAP_FAILED ? -errno : 0,
		    "mmap of other memory over a part", EINVAL, ENOMEM))
		return false;
	return range_check(c, r);
}

bool op_get_offset(struct ctx *c)
{
	struct range *r = range_want(c, WANT_MAPPED);
	u64 offset;
	u32 count;

	if (!r || r->instance == NO_INSTANCE)
		return false;
	if (!EXPECT(c,
		    device_offset(c, c->instance[r->instance].fd, r->addr,
				  &offset, &count),
		    "GET_OFFSET_FOR_VADDR", 0))
		return false;
	if (offset != r->index || count != r->count)
		finding(c, FOUND_CONTRACT,
			"GET_OFFSET_FOR_VADDR gave 0x%llx, %u, expected 0x%llx, %u",
			(unsigned long long)offset, count,
			(unsigned long long)r->index, r->count);
	return !c->trouble;
}

bool op_get_offset_wrong(struct ctx *c)
{
	struct range *r = range_want(c, WANT_MAPPED);
	const void *at;
	u32 n, count;
	u64 offset;

	if (!r)
		return false;
	n = r->instance == NO_INSTANCE ? 0 : r->instance;
	switch (rnd(c, 7)) {
	case 0: /* inside */
		at = r->addr + (r->count > 1 ? PAGE : 1);
		break;
	case 1: /* just behind */
		at = r->addr + (size_t)r->count * PAGE;
		break;
	case 2: /* just below */
		at = r->addr - PAGE;
		break;
	case 3: /* the right place of another instance */
		at = r->addr;
		n = (n + 1) % INSTANCES;
		if (r->instance == NO_INSTANCE)
			n = 0;
		break;
	case 4:
		at = c->local;
		break;
	case 5:
		at = c->shadow;
		break;
	default:
		at = (void *)(uintptr_t)(~0ull << rnd(c, 48));
	}
	return EXPECT(c,
		      device_offset(c, c->instance[n].fd, at, &offset, &count),
		      "GET_OFFSET_FOR_VADDR of no mapping's start", EINVAL);
}
