// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Ranges in memory: mapped, unmapped, and their content compared. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arena.h"
#include "stress.h"

u8 *range_page(struct range *r, u32 i)
{
	return r->addr + (size_t)i * PAGE;
}

void range_note(struct ctx *c, struct range *r)
{
	r->before = operations[c->operation].name;
}

/* How many pages have a notification with that action. */
u32 range_armed(const struct range *r, u32 action)
{
	u32 i, n = 0;

	for (i = 0; i < NOTIFIES; i++)
		n += (r->notify[i].action & action) != 0;
	return n;
}

/* True when it is mapped; false without a finding where it may not be. */
bool range_map(struct ctx *c, struct range *r, int prot)
{
	struct instance *in = &c->instance[r->instance];
	bool refused = r->bad || (!(prot & PROT_WRITE) && range_armed(r, 1));
	u32 epoch = family_epoch();
	u8 *at = arena_place(c, r, false);
	long rc;

	if (r->used && !mapped_again)
		return range_remove(c, r) && false;
	do {
		rc = device_mmap(&r->addr, at, r->count, prot,
				 MAP_SHARED | MAP_FIXED, in->fd, r->index);
	} while (rc == -EINVAL && !refused && !family_quiet(epoch) &&
		 (epoch = family_epoch(), true));
	if (rc == -ENOMEM) {
		__atomic_fetch_add(&shm->no_memory, 1, __ATOMIC_RELAXED);
		return false;
	}
	if (refused) {
		EXPECT(c, rc,
		       r->bad ? "mmap of a bad reference"
			      : "mmap read-only with CLEAR_BYTE armed",
		       EINVAL);
		return false;
	}
	if (!EXPECT(c, rc, "mmap", 0)) {
		say("# it has %u pages, %s first, index 0x%llx, protection %d, instance holds %u",
		    r->count, is_own(c, r->page[0]) ? "own" : "common",
		    (unsigned long long)r->index, prot, in->in_table);
		return false;
	}
	if (r->addr != at) {
		finding(c, FOUND_CONTRACT, "mmap MAP_FIXED at %p gave %p",
			(void *)at, (void *)r->addr);
		return false;
	}
	r->prot = prot;
	r->reach = prot;
	r->before = "mmap";
	return true;
}

static bool tag_is_whole(struct ctx *c, const u8 *page, u32 id)
{
	u64 tag[2];

	memcpy(tag, page, sizeof(tag));
	if (tag[0] == (TAG_MAGIC ^ shm->seed) && tag[1] == id)
		return true;
	finding(c, FOUND_DATA,
		"common page %u shows the tag 0x%llx and number %llu", id,
		(unsigned long long)tag[0], (unsigned long long)tag[1]);
	return false;
}

static bool same(struct ctx *c, const u8 *got, u32 page, const char *where)
{
	const u8 *want = shadow_of(c, page);
	u32 i;

	if (!memcmp(got, want, PAGE))
		return true;
	for (i = 0; i < PAGE && got[i] == want[i]; i++)
		;
	finding(c, FOUND_DATA,
		"own page %u (grant %u), %s: byte %u is 0x%02x, expected 0x%02x",
		page, shm->ref[page], where, i, got[i], want[i]);
	return false;
}

static bool check_granter(struct ctx *c, u32 page)
{
	return !is_own(c, page) ||
	       same(c, granter_view(c, page), page, "as the granter sees it");
}

bool range_check_page(struct ctx *c, struct range *r, u32 i)
{
	u8 seen[PAGE];
	u32 page = r->page[i];

	if (!safe_read(c, seen, range_page(r, i), PAGE)) {
		finding(c, FOUND_DATA,
			"page %u of %u of a mapping faults (last touched by %s)",
			i, r->count, r->before);
		return false;
	}
	if (!is_own(c, page))
		return tag_is_whole(c, seen, page);
	return same(c, seen, page, "through the mapping") &&
	       check_granter(c, page);
}

/* Some of a large range, all of a small one. */
bool range_check(struct ctx *c, struct range *r)
{
	u32 n = r->count < 4 ? r->count : 4, i;

	if (!(r->prot & PROT_READ))
		return true;
	for (i = 0; i < n; i++)
		if (!range_check_page(c, r,
				      r->count <= 4 ? i : rnd(c, r->count)))
			return false;
	return true;
}

/* Through the mapping, or by the granter for the mapping to show. */
bool range_write_page(struct ctx *c, struct range *r, u32 i)
{
	u32 page = r->page[i], offset, bytes;
	u8 data[256];

	offset = TAG_BYTES + rnd(c, PAGE - TAG_BYTES - sizeof(data));
	bytes = 1 + rnd(c, sizeof(data));
	fill_random(c, data, bytes);
	if (chance(c, 30)) {
		granter_write(c, page, offset, data, bytes);
	} else if (!safe_write(c, range_page(r, i) + offset, data, bytes)) {
		finding(c, FOUND_DATA,
			"a write to page %u of %u of a mapping faults (last touched by %s)",
			i, r->count, r->before);
		return false;
	}
	page_wrote(c, page, offset, data, bytes);
	return true;
}

static bool check_cleared(struct ctx *c, struct range *r)
{
	const u8 zero = 0;
	struct notify *n;
	u32 page;
	u8 left;

	for (n = r->notify; n < r->notify + NOTIFIES; n++) {
		if (!(n->action & 1))
			continue;
		page = r->page[n->page];
		if (!is_own(c, page))
			continue;
		left = granter_view(c, page)[n->offset];
		if (left) {
			finding(c, FOUND_CONTRACT,
				"CLEAR_BYTE left byte %u of own page %u 0x%02x",
				n->offset, page, left);
			show_holders(r->index);
			return false;
		}
		page_wrote(c, page, n->offset, &zero, 1);
	}
	return true;
}

/* Unmaps it, and looks at what that does for the granter. */
bool range_munmap(struct ctx *c, struct range *r)
{
	bool event = range_armed(r, 2) > 0;
	u32 epoch = family_epoch(), i, n;

	if (!range_check(c, r))
		return false;
	if (event)
		evtchn_drain(c->evtchn);
	if (!EXPECT(c, device_munmap(r->addr, r->count), "munmap", 0))
		return false;
	/* A child that inherited the mapping may be the last to let go. */
	family_quiet(epoch);
	r->prot = 0;
	r->used = true;
	if (!check_cleared(c, r))
		return false;
	if (event && !evtchn_wait(c->evtchn, c->far_port, 10000)) {
		finding(c, FOUND_CONTRACT, "no event came at munmap");
		return false;
	}
	memset(r->notify, 0, sizeof(r->notify));
	n = r->count < 4 ? r->count : 4;
	for (i = 0; i < n; i++)
		if (!check_granter(c, r->page[i]))
			return false;
	if (r->instance == NO_INSTANCE)
		r->live = false;
	return true;
}
