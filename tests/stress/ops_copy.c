// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Operations on GRANT_COPY. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arena.h"
#include "stress.h"
#include "xen_abi.h"

#define FROM_GRANT GNTCOPY_source_gref
#define TO_GRANT GNTCOPY_dest_gref
#define SEGMENTS 12u

typedef struct gntdev_grant_copy_segment segment;

/* What a segment is to do, to compare with what it did. */
struct plan {
	const u8 *source;
	u8 *to; /* local destination, or */
	u32 page; /* the own page that is the destination */
	u32 offset;
	u32 bytes;
	bool must_fail;
};

struct batch {
	u32 count;
	segment segment[SEGMENTS];
	struct plan plan[SEGMENTS];
};

/* Each segment has two pages of ordinary memory at either end. */
static u8 *local_source(struct ctx *c, u32 i)
{
	return c->local + (size_t)2 * i * PAGE;
}

static u8 *local_dest(struct ctx *c, u32 i)
{
	return c->local + (LOCAL_PAGES / 2 + (size_t)2 * i) * PAGE;
}

static void fill_source(struct ctx *c, segment *s, struct plan *p, u32 i,
			u32 page)
{
	u32 offset;

	if (s->flags & FROM_GRANT) {
		offset = rnd(c, PAGE - p->bytes + 1);
		s->source.foreign.ref = shm->ref[page];
		s->source.foreign.offset = (u16)offset;
		s->source.foreign.domid = (u16)shm->domid;
		p->source = shadow_of(c, page) + offset;
		return;
	}
	offset = rnd(c, 2 * PAGE - p->bytes + 1);
	s->source.virt = local_source(c, i) + offset;
	p->source = s->source.virt;
	fill_random(c, s->source.virt, p->bytes);
}

static void fill_dest(struct ctx *c, segment *s, struct plan *p, u32 i,
		      u32 page)
{
	if (s->flags & TO_GRANT) {
		p->page = page;
		p->offset = rnd(c, PAGE - p->bytes + 1);
		s->dest.foreign.ref = shm->ref[page];
		s->dest.foreign.offset = (u16)p->offset;
		s->dest.foreign.domid = (u16)shm->domid;
		return;
	}
	p->to = local_dest(c, i) + rnd(c, 2 * PAGE - p->bytes + 1);
	s->dest.virt = p->to;
}

/*
 * Segments that are all good. No two have the same destination, and none
 * reads what another writes, as no order among them is promised: the first
 * own pages are written, the others are read.
 */
static void plan_batch(struct ctx *c, struct batch *b, u32 count)
{
	u32 sources = OWN_PAGES - SEGMENTS, i;
	segment *s;
	struct plan *p;

	memset(b, 0, sizeof(*b));
	b->count = count;
	for (i = 0; i < count; i++) {
		s = &b->segment[i];
		p = &b->plan[i];
		p->page = NO_PAGE;
		p->bytes = chance(c, 30)   ? PAGE
			   : chance(c, 20) ? 0
					   : 1 + rnd(c, PAGE);
		s->len = (u16)p->bytes;
		s->flags = (u16)(1 + rnd(c, 3));
		s->status = 77;
		fill_source(c, s, p, i,
			    c->first_page + SEGMENTS + rnd(c, sources));
		fill_dest(c, s, p, i, c->first_page + i);
	}
}

/* Compares with the plan what segments say that they did. */
static bool check_batch(struct ctx *c, struct batch *b)
{
	struct plan *p;
	int status;
	u32 i;

	for (i = 0; i < b->count && !c->trouble; i++) {
		p = &b->plan[i];
		status = b->segment[i].status;
		if ((status != 0) != p->must_fail)
			finding(c, FOUND_CONTRACT,
				"segment %u of %u (flags %u, %u bytes) has status %d",
				i, b->count, b->segment[i].flags, p->bytes,
				status);
		if (status || p->must_fail)
			continue;
		if (p->to && memcmp(p->to, p->source, p->bytes))
			finding(c, FOUND_DATA,
				"segment %u of %u: its local destination differs",
				i, b->count);
		if (p->page == NO_PAGE)
			continue;
		page_wrote(c, p->page, p->offset, p->source, p->bytes);
		if (memcmp(granter_view(c, p->page), shadow_of(c, p->page),
			   PAGE))
			finding(c, FOUND_DATA,
				"segment %u of %u: the page of its destination differs",
				i, b->count);
	}
	return !c->trouble;
}

static long run_batch(struct ctx *c, struct batch *b)
{
	return device_copy(c, c->instance[rnd(c, INSTANCES)].fd, b->count,
			   b->segment);
}

bool op_copy(struct ctx *c)
{
	struct batch b;

	plan_batch(c, &b, 1 + rnd(c, SEGMENTS));
	return EXPECT(c, run_batch(c, &b), "GRANT_COPY", 0) &&
	       check_batch(c, &b);
}

/* Hundreds of small ones, which share pages at both ends. */
bool op_copy_many(struct ctx *c)
{
	static __thread segment many[600];
	u32 count = 100 + rnd(c, 500), i, page;
	u64 want[2] = {TAG_MAGIC ^ shm->seed, 0};
	u8 *to;

	memset(many, 0, sizeof(many));
	for (i = 0; i < count; i++) {
		many[i].source.foreign.ref = shm->ref[i % COMMON_PAGES];
		many[i].source.foreign.domid = (u16)shm->domid;
		many[i].dest.virt = c->local + (size_t)i * 16;
		many[i].len = 16;
		many[i].flags = FROM_GRANT;
		many[i].status = 77;
	}
	if (!EXPECT(c, device_copy(c, c->instance[0].fd, count, many),
		    "GRANT_COPY of hundreds", 0))
		return false;
	for (i = 0; i < count && !c->trouble; i++) {
		page = i % COMMON_PAGES;
		want[1] = page;
		to = c->local + (size_t)i * 16;
		if (many[i].status || memcmp(to, want, 16))
			finding(c, FOUND_DATA,
				"segment %u of %u has status %d and a wrong destination",
				i, count, many[i].status);
	}
	return !c->trouble;
}

/* After a refusal earlier segments may be done: the pages are unknown. */
static bool refused(struct ctx *c, struct batch *b, const char *what, int want)
{
	if (!EXPECT(c, run_batch(c, b), what, want))
		return false;
	own_pages_reset(c);
	return true;
}

bool op_copy_refused(struct ctx *c)
{
	struct batch b;
	segment *s;
	u32 bytes;

	plan_batch(c, &b, 1 + rnd(c, SEGMENTS));
	s = &b.segment[rnd(c, b.count)];
	switch (rnd(c, 3)) {
	case 0:
		s->flags |= (u16)(4u << rnd(c, 14));
		return refused(c, &b, "GRANT_COPY with unknown flags", EINVAL);
	case 1:
		s->flags = 0;
		s->source.virt = c->local;
		s->dest.virt = c->local + PAGE;
		return refused(c, &b, "GRANT_COPY from local to local", EINVAL);
	default:
		bytes = 1 + rnd(c, 65535);
		s->len = (u16)bytes;
		/* One byte too many, or as far out as the fields allow. */
		if (bytes <= PAGE)
			s->dest.foreign.offset = (u16)(PAGE - bytes + 1);
		else
			s->dest.foreign.offset = (u16)rnd(c, 65536);
		s->dest.foreign.ref = shm->ref[c->first_page];
		s->dest.foreign.domid = (u16)shm->domid;
		s->source.virt = c->local;
		s->flags = TO_GRANT;
		return refused(c, &b, "GRANT_COPY over the end of a grant",
			       EINVAL);
	}
}

static void *bad_address(struct ctx *c)
{
	static const char constant[] = "no program writes here";

	switch (rnd(c, 4)) {
	case 0:
		return NULL;
	case 1: /* a hole between the places of ranges and the request's */
		return c->arena + THREAD_BYTES - PAGE;
	case 2:
		return (void *)(uintptr_t)(~0ull - 2 * PAGE + 1);
	default:
		return (void *)(uintptr_t)constant;
	}
}

bool op_copy_bad_pointer(struct ctx *c)
{
	struct ioctl_gntdev_grant_copy copy = {0};
	struct batch b;
	segment *s;

	if (chance(c, 30)) {
		copy.count = 1 + rnd(c, 1000);
		copy.segments =
			chance(c, 50)
				? NULL
				: (segment *)(c->arena + THREAD_BYTES - PAGE);
		return EXPECT(c,
			      raw_ioctl(c->instance[0].fd,
					IOCTL_GNTDEV_GRANT_COPY, &copy),
			      "GRANT_COPY of segments nowhere", EFAULT);
	}
	plan_batch(c, &b, 1 + rnd(c, SEGMENTS));
	s = &b.segment[rnd(c, b.count)];
	s->len = (u16)(1 + rnd(c, PAGE));
	s->flags = FROM_GRANT;
	s->source.foreign.ref = shm->ref[c->first_page];
	s->source.foreign.offset = 0;
	s->source.foreign.domid = (u16)shm->domid;
	s->dest.virt = bad_address(c);
	return refused(c, &b, "GRANT_COPY to a bad address", EFAULT);
}

/* Segments fail one by one; what the others say is so. */
bool op_copy_bad_ref(struct ctx *c)
{
	struct batch b;
	struct plan *p;
	segment *s;
	u32 i;

	plan_batch(c, &b, 1 + rnd(c, SEGMENTS));
	for (i = 0; i < b.count; i++) {
		if (!chance(c, 40))
			continue;
		s = &b.segment[i];
		p = &b.plan[i];
		p->must_fail = p->bytes > 0;
		if (s->flags & TO_GRANT)
			s->dest.foreign.ref = NO_GRANT + rnd(c, 4096);
		else if (chance(c, 50))
			s->source.foreign.ref = ~0u - rnd(c, 16);
		else
			s->source.foreign.domid = (u16)(0x7000 + rnd(c, 200));
		p->page = NO_PAGE;
		p->to = NULL;
	}
	return EXPECT(c, run_batch(c, &b), "GRANT_COPY with bad references",
		      0) &&
	       check_batch(c, &b);
}

/* The local side lies in a mapping of a grant: done, or failed, no more. */
bool op_copy_in_grant(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);
	u32 i, bytes = 1 + rnd(c, PAGE), page;
	segment s = {.len = (u16)bytes, .flags = FROM_GRANT, .status = 77};
	u64 want[2] = {TAG_MAGIC ^ shm->seed, 0};
	long rc;

	if (!r)
		return false;
	i = rnd(c, r->count);
	page = rnd(c, COMMON_PAGES);
	if (bytes > 16)
		s.len = (u16)(bytes = 16);
	s.source.foreign.ref = shm->ref[page];
	s.source.foreign.domid = (u16)shm->domid;
	s.dest.virt = range_page(r, i) + rnd(c, PAGE - 16);
	rc = device_copy(c, c->instance[0].fd, 1, &s);
	if (!(r->prot & PROT_WRITE))
		return EXPECT(c, rc, "GRANT_COPY into a read-only mapping",
			      EFAULT);
	if (!EXPECT(c, rc, "GRANT_COPY into a mapping", 0))
		return false;
	range_note(c, r);
	want[1] = page;
	if (!s.status)
		page_wrote(c, r->page[i],
			   (u32)((u8 *)s.dest.virt - range_page(r, i)), want,
			   bytes);
	return range_check_page(c, r, i);
}

/* Nothing to copy succeeds, wherever the segments are said to be. */
bool op_copy_nothing(struct ctx *c)
{
	struct ioctl_gntdev_grant_copy copy = {0};

	copy.segments = bad_address(c);
	return EXPECT(c,
		      raw_ioctl(c->instance[0].fd, IOCTL_GNTDEV_GRANT_COPY,
				&copy),
		      "GRANT_COPY of nothing", 0);
}
