// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies to and from a program's memory where it lies. An entry of a page table
 * has what the hypervisor asks for, and stays as it is while the table's lock is
 * held. So buffers that are neighbours are neither pinned, which takes several
 * times as long, nor copied once more: their entries are read, and the hypervisor
 * called, with the lock.
 *
 * That is for memory as it mostly is: there, the program's to use so, and written
 * to before if it is to be written. All other is done in another way, and so is
 * what the hypervisor refuses for its page's sake; what was done is not done again,
 * as somebody may see it by then.
 */
#include "copy.h"

/* Segments that are worth it however short they are. */
#define MANY 8U

/* Operations that are done together, on neighbours. */
struct group {
	struct gnttab_copy *ops, *end;
	unsigned long *frame;
	bool write;
	bool failed; /* one of them, or of a group before */
	int err;
};

/* Whether it is worth it to look for entries. */
static bool suits(const struct copy_batch *batch, u32 n)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;

	if (seg->flags != GNTCOPY_source_gref &&
	    seg->flags != GNTCOPY_dest_gref)
		return false;
	if (n >= MANY)
		return true;

	return seg[0].len + (n > 1 ? seg[1].len : 0) >= bytes_worth_an_entry();
}

/*
 * Prepares the operation of a segment; false if it is of another kind than the
 * ones before, or not beside them: those end at @local.
 */
static __always_inline bool add(struct gnttab_copy *op,
				const struct gntdev_grant_copy_segment *seg,
				unsigned long local, bool compat, bool write)
{
	const u16 flags = write ? GNTCOPY_source_gref : GNTCOPY_dest_gref;
	const typeof(seg->source) *grant = write ? &seg->source : &seg->dest;
	struct gnttab_copy_ptr *there = write ? &op->source : &op->dest;
	struct gnttab_copy_ptr *here = write ? &op->dest : &op->source;

	if (seg->flags != flags || !seg->len ||
	    crosses(grant->foreign.offset, seg->len) ||
	    local_of(seg, compat, write) != local ||
	    (local & ~PAGE_MASK) + seg->len > PAGE_SIZE)
		return false;

	set_foreign(there, grant->foreign.ref, grant->foreign.offset,
		    grant->foreign.domid);
	here->domid = DOMID_SELF;
	here->offset = local & ~PAGE_MASK;
	op->len = seg->len;
	op->flags = flags;
	op->status = 1;

	return true;
}

/* All segments; returns where the last ends, or @local. */
static __always_inline unsigned long add_all(struct copy_batch *batch, u32 n,
					     unsigned long local, bool compat,
					     bool write)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	const unsigned long start = local;
	u32 i;

	for (i = 0; i < n; i++, seg++) {
		if (!add(&batch->ops[i], seg, local, compat, write))
			return start;
		local += seg->len;
	}

	return local;
}

/* Of neighbours the one that begins a page is the first in it. */
static __always_inline void set_frames(struct group *g, bool write)
{
	const unsigned long *frame = g->frame;
	struct gnttab_copy_ptr *side;
	struct gnttab_copy *op;

	for (op = g->ops; op < g->end; op++) {
		side = write ? &op->dest : &op->source;
		frame += op > g->ops && !side->offset;
		side->u.gmfn = *frame;
	}
}

/* Nothing goes away meanwhile, and nobody may sleep. */
static __always_inline void execute(void *data)
{
	struct group *g = data;
	struct gnttab_copy *op;

	if (g->write)
		set_frames(g, true);
	else
		set_frames(g, false);
	g->err = HYPERVISOR_grant_table_op(GNTTABOP_copy, g->ops,
					   g->end - g->ops)
			 ? -EIO
			 : 0;
	for (op = g->ops; op < g->end && !g->failed; op++)
		g->failed = op->status != GNTST_okay;
}

/*
 * Those of one table, from @local on; returns where they end. The room ends with a
 * page, and so does an operation.
 */
static unsigned long gather(struct group *g, unsigned long local,
			    unsigned long end)
{
	const unsigned long table = PTRS_PER_PTE * PAGE_SIZE;
	const unsigned long room =
		min(table - local % table,
		    MOST_FRAMES * PAGE_SIZE - local % PAGE_SIZE);
	const unsigned long limit = local + min(room, end - local);

	for (g->end = g->ops; local < limit; g->end++)
		local += g->end->len;

	return local;
}

/*
 * Returns how many of the first segments were done, each by an operation that has a
 * status; or -EIO if the hypervisor fails as a whole.
 */
static int copy_groups(struct copy_batch *batch, u32 n, bool compat)
{
	const bool write = batch->segments[0].flags == GNTCOPY_source_gref;
	struct group g = {
		.write = write,
		.frame = batch->frames,
		.end = batch->ops,
	};
	unsigned long start, local = local_of(batch->segments, compat, write);
	unsigned long end = write ? add_all(batch, n, local, compat, true)
				  : add_all(batch, n, local, compat, false);

	batch->ops_used = 0;
	while (local < end) {
		start = local & PAGE_MASK;
		g.ops = g.end;
		g.err = -EFAULT;
		local = gather(&g, local, end);
		with_frames(start, PAGE_ALIGN(local) - start, write, g.frame,
			    execute, &g);
		if (g.err)
			break;
		batch->ops_used = g.end - batch->ops;
	}
	batch->failed = g.failed;

	return g.err == -EIO ? -EIO : (int)batch->ops_used;
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

	if (!suits(batch, n))
		return 0;

	done = copy_groups(batch, n, compat);
	if (done > 0 && batch->failed)
		err = copy_refused(batch, done, compat);

	return err ?: done;
}
