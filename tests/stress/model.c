// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What one thread knows about its own instances, ranges and pages. All of it
 * is the thread's alone, so that every answer of the device is predicted.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"
#include "stress.h"

bool index_checked, mapped_again;

bool is_own(struct ctx *c, u32 page)
{
	return page >= c->first_page && page < c->first_page + OWN_PAGES;
}

u8 *shadow_of(struct ctx *c, u32 page)
{
	return c->shadow + (size_t)(page - c->first_page) * PAGE;
}

u32 ref_of(struct ctx *c, u32 page)
{
	return page == NO_PAGE ? NO_GRANT + rnd(c, 4096) : shm->ref[page];
}

void own_pages_reset(struct ctx *c)
{
	u32 i;

	fill_random(c, c->shadow, OWN_PAGES * PAGE);
	for (i = 0; i < OWN_PAGES; i++)
		granter_write(c, c->first_page + i, 0,
			      c->shadow + (size_t)i * PAGE, PAGE);
}

/* Something wrote to a page; own ones are known to the byte. */
void page_wrote(struct ctx *c, u32 page, u32 offset, const void *from,
		u32 bytes)
{
	if (is_own(c, page))
		memcpy(shadow_of(c, page) + offset, from, bytes);
}

bool instance_open(struct ctx *c, u32 n)
{
	struct instance *in = &c->instance[n];
	long fd = device_open();

	memset(in, 0, sizeof(*in));
	in->fd = -1;
	if (!EXPECT(c, fd < 0 ? fd : 0, "open", 0))
		return false;
	in->fd = (int)fd;
	in->max = shm->limit;
	in->fresh = true;
	return true;
}

/* Ranges that are mapped live on without their instance. */
void instance_close(struct ctx *c, u32 n)
{
	bool event = false;
	struct range *r;

	for (r = c->range; r < c->range + RANGES; r++) {
		if (!r->live || r->instance != n)
			continue;
		if (!r->prot) {
			event |= range_armed(r, 2) > 0;
			r->live = false;
		}
		r->instance = NO_INSTANCE;
	}
	if (event)
		evtchn_drain(c->evtchn);
	close(c->instance[n].fd);
	c->instance[n].fd = -1;
	if (event && !c->trouble && !evtchn_wait(c->evtchn, c->far_port, 10000))
		finding(c, FOUND_CONTRACT,
			"no event came when an instance with an armed, unmapped range was closed");
}

bool table_has(struct ctx *c, u32 instance, u64 index, u32 count)
{
	struct range *r;

	for (r = c->range; r < c->range + RANGES; r++)
		if (r->live && r->instance == instance && r->index == index &&
		    r->count == count)
			return true;
	return false;
}

/* After a finding: forget everything, start with nothing. */
void abandon(struct ctx *c)
{
	struct range *r;
	u32 i;

	for (r = c->range; r < c->range + RANGES; r++) {
		if (r->live && r->prot)
			munmap(r->addr, (size_t)r->count * PAGE);
		memset(r, 0, sizeof(*r));
		/* A place may hold what the model has lost sight of. */
		munmap(arena_place(c, r, false), (size_t)2 * PLACE_BYTES);
	}
	for (i = 0; i < INSTANCES; i++) {
		if (c->instance[i].fd >= 0)
			close(c->instance[i].fd);
		instance_open(c, i);
	}
	/* A child may have kept a mapping, with a byte to clear in it. */
	family_quiet(family_epoch() - 1);
	own_pages_reset(c);
	c->trouble = false;
}

static struct range *free_slot(struct ctx *c)
{
	struct range *r;
	u32 i;

	for (r = c->range; r < c->range + RANGES; r++)
		if (!r->live)
			return r;
	for (i = 0; i < RANGES && !c->trouble; i++) {
		r = &c->range[rnd(c, RANGES)];
		if (r->prot && !range_munmap(c, r))
			return NULL;
		if (!r->live || range_remove(c, r))
			return r;
	}
	return NULL;
}

static bool index_is_new(struct ctx *c, u32 n, u64 index, u32 count)
{
	struct instance *in = &c->instance[n];
	struct range *r;
	u32 i;

	if (index % PAGE || (in->fresh && index)) {
		finding(c, FOUND_CONTRACT, "MAP gave index 0x%llx%s",
			(unsigned long long)index,
			in->fresh ? " as its first" : "");
		return false;
	}
	in->fresh = false;
	if (!index_checked)
		return true;
	for (i = 0; i < STALE; i++)
		if (in->stale[i].count && in->stale[i].index == index)
			break;
	for (r = c->range; r < c->range + RANGES; r++)
		if (r->live && r->instance == n &&
		    index < r->index + (u64)r->count * PAGE &&
		    r->index < index + (u64)count * PAGE)
			break;
	if (i == STALE && r == c->range + RANGES)
		return true;
	finding(c, FOUND_CONTRACT, "MAP gave index 0x%llx a second time",
		(unsigned long long)index);
	return false;
}

/* Makes room in the table, so that an insert must succeed. */
static bool make_room(struct ctx *c, u32 n, u32 count)
{
	struct range *r;

	for (r = c->range; r < c->range + RANGES; r++) {
		if (c->instance[n].in_table + count <= c->instance[n].max)
			return true;
		if (!r->live || r->instance != n)
			continue;
		if (r->prot && !range_munmap(c, r))
			return false;
		if (!range_remove(c, r))
			return false;
	}
	return c->instance[n].in_table + count <= c->instance[n].max;
}

struct range *range_insert(struct ctx *c, u32 count, bool own, bool bad)
{
	u32 n = rnd(c, INSTANCES), refs[RANGE_PAGES], i;
	struct instance *in = &c->instance[n];
	struct range *r = free_slot(c);
	u64 index;
	long rc;

	if (count > in->max)
		count = in->max;
	if (!r || !make_room(c, n, count))
		return NULL;
	memset(r, 0, sizeof(*r));
	for (i = 0; i < count; i++)
		r->page[i] = (u16)(own ? c->first_page + rnd(c, OWN_PAGES)
				       : rnd(c, COMMON_PAGES));
	for (i = 0; bad && i < 1 + count / 8; i++)
		r->page[rnd(c, count)] = NO_PAGE;
	for (i = 0; i < count; i++)
		refs[i] = ref_of(c, r->page[i]);
	rc = device_map(c, in->fd, count, refs, &index);
	if (rc == -ENOMEM) {
		__atomic_fetch_add(&shm->no_memory, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	if (!EXPECT(c, rc, "MAP_GRANT_REF", 0) ||
	    !index_is_new(c, n, index, count))
		return NULL;
	r->live = true;
	r->bad = bad;
	r->instance = n;
	r->index = index;
	r->count = count;
	in->in_table += count;
	return r;
}

struct range *range_new(struct ctx *c)
{
	u32 dice = rnd(c, 100);
	u32 count = dice < 50	? 1
		    : dice < 80 ? 2 + rnd(c, 7)
		    : dice < 95 ? 9 + rnd(c, 24)
				: 33 + rnd(c, RANGE_PAGES - 32);

	return range_insert(c, count, chance(c, 70), false);
}

/* Children may have the mapping that the caller has let go. */
long unmap_patiently(struct ctx *c, int fd, u64 index, u32 count)
{
	u32 epoch;
	long rc;

	do {
		epoch = family_epoch();
		rc = device_unmap(c, fd, index, count);
	} while (rc == -EBUSY && !family_quiet(epoch));
	return rc;
}

bool range_remove(struct ctx *c, struct range *r)
{
	struct instance *in = &c->instance[r->instance];
	bool event = range_armed(r, 2) > 0;

	if (r->instance == NO_INSTANCE) {
		r->live = false;
		return true;
	}
	if (event)
		evtchn_drain(c->evtchn);
	if (!EXPECT(c, unmap_patiently(c, in->fd, r->index, r->count),
		    "UNMAP_GRANT_REF", 0)) {
		show_holders(r->index);
		return false;
	}
	in->in_table -= r->count;
	in->stale[in->next_stale].index = r->index;
	in->stale[in->next_stale].count = r->count;
	in->next_stale = (in->next_stale + 1) % STALE;
	r->live = false;
	if (event && !evtchn_wait(c->evtchn, c->far_port, 10000)) {
		finding(c, FOUND_CONTRACT,
			"no event came when an armed, unmapped range was removed");
		return false;
	}
	return true;
}

/* A range in the wanted state: one that there is, or one made so. */
static struct range *want(struct ctx *c, enum want want, bool own)
{
	u32 start = rnd(c, RANGES), i;
	struct range *r;

	for (i = 0; i < RANGES; i++) {
		r = &c->range[(start + i) % RANGES];
		if (!r->live || r->bad || (own && !is_own(c, r->page[0])))
			continue;
		if (want == WANT_INSERTED   ? !r->prot
		    : want == WANT_WRITABLE ? r->prot & PROT_WRITE
					    : r->prot)
			return r;
	}
	r = own ? range_insert(c, 1 + rnd(c, 8), true, false) : range_new(c);
	if (!r || want == WANT_INSERTED)
		return r;
	if (!range_map(c, r,
		       want == WANT_WRITABLE || chance(c, 60)
			       ? PROT_READ | PROT_WRITE
			       : PROT_READ))
		return NULL;
	return r;
}

struct range *range_want(struct ctx *c, enum want state)
{
	return want(c, state, false);
}

struct range *range_want_own(struct ctx *c, enum want state)
{
	return want(c, state, true);
}
