// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies to and from a program's memory where it lies, in a PV domain. An entry of
 * a page table has there what the hypervisor asks for, the machine's frame number,
 * and stays as it is while the table's lock is held. So buffers that are neighbours
 * are neither pinned, for which the kernel would translate what each entry says,
 * nor copied once more: their entries are read, and the hypervisor called, with
 * the lock.
 *
 * That is for memory as it mostly is: there, the program's to use so, and written
 * to before if it is to be written. All other is done in another way, and so is
 * what the hypervisor refuses for its page's sake; what was done is not done again,
 * as somebody may see it by then.
 */
#include "copy.h"

/* Bytes of the first two segments that are worth it to look for entries. */
#define LEAST_BYTES 4096U

/* Operations that are done together, on neighbours. */
struct group {
	struct gnttab_copy *ops, *end;
	bool write;
	bool failed; /* one of them, or of a group before */
	int err;
};

/* One operation's, and beside the one that ends at @local. */
static bool is_next(const struct gntdev_grant_copy_segment *seg, u16 flags,
		    unsigned long local, bool compat)
{
	const bool comes = flags == GNTCOPY_source_gref;
	u16 offset = comes ? seg->source.foreign.offset
			   : seg->dest.foreign.offset;

	return seg->flags == flags && seg->len && !crosses(offset, seg->len) &&
	       local_of(seg, compat, comes) == local &&
	       (local & ~PAGE_MASK) + seg->len <= PAGE_SIZE;
}

/* Whether a batch's segments, two at least, may be copied where they lie. */
static bool suits(const struct copy_batch *batch, u32 n, bool compat)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	const u16 flags = seg->flags;
	unsigned long local;
	u32 i;

	if ((flags != GNTCOPY_source_gref && flags != GNTCOPY_dest_gref) ||
	    seg[0].len + seg[1].len < LEAST_BYTES)
		return false;

	local = local_of(seg, compat, flags == GNTCOPY_source_gref);
	for (i = 0; i < n; i++, seg++) {
		if (!is_next(seg, flags, local, compat))
			return false;
		local += seg->len;
	}

	return true;
}

/*
 * Nothing goes away meanwhile, and nobody may sleep. Of neighbours the one that
 * begins a page is the first in it.
 */
static void execute(void *data, const unsigned long *frame)
{
	struct group *g = data;
	struct gnttab_copy_ptr *side;
	struct gnttab_copy *op;

	for (op = g->ops; op < g->end; op++) {
		side = g->write ? &op->dest : &op->source;
		frame += op > g->ops && !side->offset;
		side->u.gmfn = *frame;
	}
	g->err = HYPERVISOR_grant_table_op(GNTTABOP_copy, g->ops,
					   g->end - g->ops)
			 ? -EIO
			 : 0;
	for (op = g->ops; op < g->end && !g->failed; op++)
		g->failed = op->status != GNTST_okay;
}

static void set_op(struct gnttab_copy *op,
		   const struct gntdev_grant_copy_segment *seg,
		   unsigned long local, bool write)
{
	struct gnttab_copy_ptr *here = write ? &op->dest : &op->source;

	if (write)
		set_foreign(&op->source, seg->source.foreign.ref,
			    seg->source.foreign.offset,
			    seg->source.foreign.domid);
	else
		set_foreign(&op->dest, seg->dest.foreign.ref,
			    seg->dest.foreign.offset, seg->dest.foreign.domid);
	here->domid = DOMID_SELF;
	here->offset = local & ~PAGE_MASK;
	op->len = seg->len;
	op->flags = seg->flags;
	op->status = 1;
}

/*
 * Prepares what is in one table, from segment @i on; @local: where the last ends.
 * The room ends with a page, and so does a segment.
 */
static u32 gather(struct copy_batch *batch, struct group *g, u32 i, u32 n,
		  unsigned long *local)
{
	const unsigned long table = PTRS_PER_PTE * PAGE_SIZE;
	unsigned long room = min(table - *local % table,
				 MOST_FRAMES * PAGE_SIZE - *local % PAGE_SIZE);

	g->ops = &batch->ops[i];
	for (; i < n && room; i++) {
		set_op(&batch->ops[i], &batch->segments[i], *local, g->write);
		batch->end[i] = i + 1;
		*local += batch->segments[i].len;
		room -= batch->segments[i].len;
	}
	g->end = &batch->ops[i];

	return i;
}

/*
 * Returns how many of the first segments were done, each by an operation that has a
 * status; or -EIO if the hypervisor fails as a whole.
 */
static int copy_groups(struct copy_batch *batch, u32 n, bool compat)
{
	struct group g = {
		.write = batch->segments[0].flags == GNTCOPY_source_gref,
	};
	unsigned long start, local = local_of(batch->segments, compat, g.write);
	u32 next, done = 0;

	while (done < n) {
		g.err = -EFAULT;
		start = local & PAGE_MASK;
		next = gather(batch, &g, done, n, &local);
		with_frames(start, PAGE_ALIGN(local) - start, g.write, execute,
			    &g);
		if (g.err)
			break;
		done = next;
	}
	batch->ops_used = done;
	batch->failed = g.failed;

	return done < n && g.err != -EFAULT ? g.err : (int)done;
}

/*
 * Statuses that may be of a local page, which is another domain's for instance, or
 * that are to be waited for.
 */
static bool may_be_of_the_way(s16 status)
{
	return status == GNTST_eagain || status == GNTST_bad_page ||
	       status == GNTST_general_error;
}

/*
 * Does those of the first segments in another way that were refused, perhaps, for
 * their local pages; each had one operation. They come first for that, and go
 * back to where they were.
 */
static int copy_refused(struct copy_batch *batch, u32 n, bool compat)
{
	struct gntdev_grant_copy_segment *seg = batch->segments;
	s16 statuses[CHUNK];
	u8 which[CHUNK];
	u32 i, refused = 0;
	int err = 0;

	for (i = 0; i < n; i++) {
		statuses[i] = batch->ops[i].status;
		if (!may_be_of_the_way(statuses[i]))
			continue;
		swap(seg[refused], seg[i]);
		which[refused++] = i;
	}
	if (refused)
		err = gntdev_copy_otherwise(batch, refused, compat);
	for (i = 0; i < refused && !err; i++)
		statuses[which[i]] = gntdev_copy_status(batch, i);
	for (; refused; refused--)
		swap(seg[refused - 1], seg[which[refused - 1]]);

	for (i = 0; i < n; i++) {
		batch->ops[i].status = statuses[i];
		batch->end[i] = i + 1;
	}
	batch->failed = true;

	return err;
}

/**
 * gntdev_direct() - copy to or from pages where they are
 * @batch: with its segments
 * @n: how many of them
 * @compat: whether the caller is a 32-bit one
 *
 * Return: how many of the first segments were done, each with a status; the others,
 * be it all, have to be done in another way. A negative errno if that fails.
 */
int gntdev_direct(struct copy_batch *batch, u32 n, bool compat)
{
	int done, err = 0;

	/* For a lone one the way to its entry is longer than a copy. */
	if (!entries_have_frames() || n < 2 || !suits(batch, n, compat))
		return 0;

	done = copy_groups(batch, n, compat);
	if (done > 0 && batch->failed)
		err = copy_refused(batch, done, compat);

	return err ?: done;
}
