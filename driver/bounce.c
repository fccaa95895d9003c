// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies of a few bytes. To pin a page takes longer than to copy those, most of
 * all in a PV domain, where each look at a page table translates what it says.
 * So the hypervisor copies between the grant and a slot in a page of our own.
 *
 * All segments of a chunk have the same direction then: none reads local memory
 * that another one writes, and the slots are delivered in order.
 */
#include "copy.h"

/* As many pages of slots as @n segments need. */
static bool have_slots(struct copy_batch *batch, u32 n)
{
	struct page *page;

	while (batch->slot_pages * PAGE_SLOTS < n) {
		page = alloc_page(GFP_PROGRAM | __GFP_ZERO);
		if (!page)
			return false;
		batch->slots[batch->slot_pages++] = page;
	}

	return true;
}

void bounce_free(struct copy_batch *batch)
{
	while (batch->slot_pages)
		__free_page(batch->slots[--batch->slot_pages]);
}

static void *slot_of(struct copy_batch *batch, u32 i)
{
	return page_address(batch->slots[i / PAGE_SLOTS]) +
	       i % PAGE_SLOTS * SLOT;
}

/* Whether all of the batch's @n segments may be, and there is memory for it. */
bool bounce_suits(struct copy_batch *batch, u32 n)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	const u16 flags = seg->flags;
	u32 i;

	if (flags != GNTCOPY_source_gref && flags != GNTCOPY_dest_gref)
		return false;
	for (i = 0; i < n; i++, seg++) {
		if (seg->flags != flags || !seg->len || seg->len > SLOT)
			return false;
	}

	return have_slots(batch, n);
}

static void set_slot(struct copy_batch *batch, struct gnttab_copy_ptr *side,
		     u32 i)
{
	side->u.gmfn = xen_page_to_gfn(batch->slots[i / PAGE_SLOTS]);
	side->domid = DOMID_SELF;
	side->offset = i % PAGE_SLOTS * SLOT;
}

static int add_in(struct copy_batch *batch, u32 i)
{
	const struct gntdev_grant_copy_segment *seg = &batch->segments[i];
	struct gnttab_copy *op = &batch->ops[i];

	if (crosses(seg->source.foreign.offset, seg->len))
		return -EINVAL;
	set_foreign(&op->source, seg->source.foreign.ref,
		    seg->source.foreign.offset, seg->source.foreign.domid);
	set_slot(batch, &op->dest, i);

	return 0;
}

static int add_out(struct copy_batch *batch, u32 i, bool compat)
{
	const struct gntdev_grant_copy_segment *seg = &batch->segments[i];
	unsigned long from = local_address(seg->source.virt, compat);
	struct gnttab_copy *op = &batch->ops[i];

	if (crosses(seg->dest.foreign.offset, seg->len))
		return -EINVAL;
	if (copy_short_from_user(slot_of(batch, i), (void __user *)from,
				 seg->len))
		return -EFAULT;
	set_slot(batch, &op->source, i);
	set_foreign(&op->dest, seg->dest.foreign.ref, seg->dest.foreign.offset,
		    seg->dest.foreign.domid);

	return 0;
}

/* Each segment is one operation; what goes to a grant is in its slot now. */
int bounce_add(struct copy_batch *batch, u32 n, bool compat)
{
	const bool in = batch->segments[0].flags == GNTCOPY_source_gref;
	struct gnttab_copy *op = batch->ops;
	u32 i;
	int err;

	for (i = 0; i < n; i++, op++) {
		err = in ? add_in(batch, i) : add_out(batch, i, compat);
		if (err)
			return err;
		op->len = batch->segments[i].len;
		op->flags = batch->segments[i].flags;
		op->status = 1;
		batch->end[i] = i + 1;
	}
	batch->ops_used = n;

	return 0;
}

/*
 * A buffer where the program may not write is an error of the whole call, be it
 * that nothing came.
 */
static int deliver(struct copy_batch *batch, u32 i, void __user *to, u16 len)
{
	unsigned long missing;

	if (batch->ops[i].status == GNTST_okay)
		missing = copy_short_to_user(to, slot_of(batch, i), len);
	else
		missing = fault_in_safe_writeable(to, len);

	return missing ? -EFAULT : 0;
}

/* What came from grants goes from its slots to the program. */
int bounce_deliver(struct copy_batch *batch, u32 n, bool compat)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	unsigned long to;
	u32 i;
	int err;

	if (seg->flags != GNTCOPY_source_gref)
		return 0;
	for (i = 0; i < n; i++, seg++) {
		to = local_address(seg->dest.virt, compat);
		err = deliver(batch, i, (void __user *)to, seg->len);
		if (err)
			return err;
	}

	return 0;
}
