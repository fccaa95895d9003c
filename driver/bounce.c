// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies without a pin. To pin a page takes longer than to copy some bytes, most
 * of all in a PV domain, where each look at a page table translates what it says.
 * So the hypervisor copies between the grant and a slot in a page of our own.
 *
 * Segments are done in parts. Those of a part have the same direction: none reads
 * local memory that another one writes, and the slots are delivered in order. For
 * short ones to be worth it, a whole chunk has to be one part, or as many as the
 * slots have no room for. What cannot be pinned is done so whatever that takes.
 *
 * Where segments follow each other in a program's memory, their slots mostly do so
 * too, and the kernel copies them together.
 */
#include "copy.h"

/* Slots do not share what the processor's cache moves at once. */
#define SLOT_ALIGN 64U

static bool have_slot_page(struct copy_batch *batch, u32 i)
{
	struct page *page;

	if (i < batch->slot_pages)
		return true;
	if (i == SLOT_PAGES)
		return false;
	page = alloc_page(GFP_PROGRAM | __GFP_ZERO);
	if (!page)
		return false;
	batch->slots[batch->slot_pages++] = page;

	return true;
}

void gntdev_bounce_free(struct copy_batch *batch)
{
	while (batch->slot_pages)
		__free_page(batch->slots[--batch->slot_pages]);
}

static bool suits(const struct gntdev_grant_copy_segment *seg, u16 flags,
		  u16 most)
{
	if (seg->flags != flags || !seg->len || seg->len > most)
		return false;
	if (flags == GNTCOPY_source_gref)
		return !crosses(seg->source.foreign.offset, seg->len);

	return !crosses(seg->dest.foreign.offset, seg->len);
}

/* Whether all of the batch's @n segments may be, and there is memory for it. */
bool gntdev_bounce_suits(struct copy_batch *batch, u32 n)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	const u16 flags = seg->flags;
	const u16 most = bytes_not_worth_a_pin();
	u32 i;

	if (flags != GNTCOPY_source_gref && flags != GNTCOPY_dest_gref)
		return false;
	for (i = 0; i < n; i++) {
		if (!suits(&seg[i], flags, most))
			return false;
	}

	return have_slot_page(batch, 0);
}

/* Finds room for @len bytes in one of the pages; false if there is none left. */
static bool take_slot(struct copy_batch *batch, u32 i, u16 len)
{
	u32 at = batch->slots_used;

	if (at % XEN_PAGE_SIZE + len > XEN_PAGE_SIZE)
		at = round_up(at, XEN_PAGE_SIZE);
	if (!have_slot_page(batch, at / XEN_PAGE_SIZE))
		return false;
	batch->slot[i] = at;
	batch->slots_used = round_up(at + len, SLOT_ALIGN);

	return true;
}

/* Of a segment with a length, after its operation. */
static bool has_failed(const struct copy_batch *batch, u32 i)
{
	return batch->failed &&
	       batch->ops[batch->end[i] - 1].status != GNTST_okay;
}

/*
 * Which segment is the first one after @i that cannot be copied to or from the
 * program together with it, and how many bytes they have until there.
 */
static __always_inline u32 together(const struct copy_batch *batch, u32 i,
				    u32 end, bool compat, bool comes, u32 *len)
{
	const struct gntdev_grant_copy_segment *seg = &batch->segments[i];
	unsigned long local = local_of(seg, compat, comes) + seg->len;
	u32 at = batch->slot[i], next = at + seg->len;

	for (i++, seg++; i < end && local_of(seg, compat, comes) == local;
	     i++, seg++) {
		/* Without a length it has no slot. */
		if (!seg->len || batch->slot[i] != next ||
		    !(next % XEN_PAGE_SIZE))
			break;
		if (comes && has_failed(batch, i))
			break;
		local += seg->len;
		next += seg->len;
	}
	*len = next - at;

	return i;
}

static void *slot_of(struct copy_batch *batch, u32 i)
{
	u32 at = batch->slot[i];

	return page_address(batch->slots[at / XEN_PAGE_SIZE]) +
	       at % XEN_PAGE_SIZE;
}

static void set_slot(struct copy_batch *batch, struct gnttab_copy_ptr *side,
		     u32 i)
{
	u32 at = batch->slot[i];

	side->u.gmfn = xen_page_to_gfn(batch->slots[at / XEN_PAGE_SIZE]);
	side->domid = DOMID_SELF;
	side->offset = at % XEN_PAGE_SIZE;
}

/* A segment is one operation. */
static void add(struct copy_batch *batch, u32 i)
{
	const struct gntdev_grant_copy_segment *seg = &batch->segments[i];
	struct gnttab_copy *op = &batch->ops[batch->ops_used++];

	if (seg->flags & GNTCOPY_source_gref)
		set_foreign(&op->source, seg->source.foreign.ref,
			    seg->source.foreign.offset,
			    seg->source.foreign.domid);
	else
		set_slot(batch, &op->source, i);
	if (seg->flags & GNTCOPY_dest_gref)
		set_foreign(&op->dest, seg->dest.foreign.ref,
			    seg->dest.foreign.offset, seg->dest.foreign.domid);
	else
		set_slot(batch, &op->dest, i);
	op->len = seg->len;
	op->flags = seg->flags;
	op->status = 1;
}

/* What goes to grants is put into the slots of a part. */
static int collect(struct copy_batch *batch, u32 first, u32 end, bool compat)
{
	const struct gntdev_grant_copy_segment *seg;
	u32 i, next, len;
	void __user *from;

	for (i = first; i < end; i = next) {
		seg = &batch->segments[i];
		next = i + 1;
		if (!seg->len)
			continue;
		from = (void __user *)local_of(seg, compat, false);
		next = together(batch, i, end, compat, false, &len);
		if (copy_from_user(slot_of(batch, i), from, len))
			return -EFAULT;
	}

	return 0;
}

/*
 * A buffer where the program may not write is an error of the whole call, be it
 * that nothing came.
 */
static int deliver(struct copy_batch *batch, u32 first, u32 end, bool compat)
{
	const struct gntdev_grant_copy_segment *seg;
	unsigned long missing = 0;
	u32 i, next, len;
	void __user *to;

	for (i = first; i < end && !missing; i = next) {
		seg = &batch->segments[i];
		next = i + 1;
		if (!seg->len)
			continue;
		to = (void __user *)local_of(seg, compat, true);
		if (has_failed(batch, i)) {
			missing = fault_in_safe_writeable(to, seg->len);
			continue;
		}
		next = together(batch, i, end, compat, true, &len);
		missing = copy_to_user(to, slot_of(batch, i), len);
	}

	return missing ? -EFAULT : 0;
}

/* Prepares a part that starts with segment @first; returns where it ends. */
static u32 add_part(struct copy_batch *batch, u32 first, u32 n)
{
	const u16 flags = batch->segments[first].flags;
	u32 i;

	batch->slots_used = 0;
	for (i = first; i < n && batch->segments[i].flags == flags; i++) {
		if (batch->segments[i].len) {
			if (!take_slot(batch, i, batch->segments[i].len))
				break;
			add(batch, i);
		}
		batch->end[i] = batch->ops_used;
	}

	return i;
}

/* Copies that part; returns where the next one starts. */
static int copy_part(struct copy_batch *batch, u32 first, u32 n, bool compat)
{
	const u16 flags = batch->segments[first].flags;
	const u32 first_op = batch->ops_used;
	u32 end = add_part(batch, first, n);
	int err = 0;

	if (batch->ops_used == first_op)
		return end;

	if (flags == GNTCOPY_dest_gref)
		err = collect(batch, first, end, compat);
	if (!err)
		err = gntdev_copy_execute(batch, first_op);
	if (!err && flags == GNTCOPY_source_gref)
		err = deliver(batch, first, end, compat);

	return err ?: end;
}

/**
 * gntdev_bounce() - copy without a pin
 * @batch: with its segments, that have been checked
 * @n: how many of them
 * @compat: whether the caller is a 32-bit one
 *
 * Return: 0, and a status for each operation; or a negative errno.
 */
int gntdev_bounce(struct copy_batch *batch, u32 n, bool compat)
{
	int next = 0;

	if (!have_slot_page(batch, 0))
		return -ENOMEM;

	batch->ops_used = 0;
	while (next >= 0 && next < (int)n)
		next = copy_part(batch, next, n, compat);

	return min(next, 0);
}
