// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies to and from a program's memory where it lies. An entry of a page table
 * has what the hypervisor asks for, and stays as it is while the table's lock is
 * held. So buffers are neither pinned, which takes several times as long, nor
 * copied once more: their entries are read, and the hypervisor called, with the
 * lock. As that is one of one table, buffers of different ones are called for one
 * after the other.
 *
 * That is for memory as it mostly is: there, the program's to use so, and written
 * to before if it is to be written. All other is done in another way, and so is
 * what the hypervisor refuses for its page's sake; what was done is not done again,
 * as somebody may see it by then.
 */
#include "copy.h"

/* Segments that are worth it however short they are. */
#define MANY 8U

/* Segments that are worth a table of their own. */
#define WORTH_A_TABLE 16U
/* And those, however short they are, of which one needs not be beside the next. */
#define WORTH_A_GAP 8U

/* Operations that are done together, on pages of one table. */
struct group {
	struct gnttab_copy *ops, *end;
	unsigned long *frame;
	bool write;
	bool failed; /* one of them, or of a group before */
	int err;
};

/*
 * Whether it is worth it to look for entries. Short ones that are apart are not: a
 * hypercall of another way has more of them.
 */
static bool suits(const struct copy_batch *batch, u32 n, bool compat)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	const bool comes = seg->flags == GNTCOPY_source_gref;

	if (!comes && seg->flags != GNTCOPY_dest_gref)
		return false;
	if (n == 1)
		return seg->len >= bytes_worth_an_entry();
	if (seg[0].len < bytes_worth_an_entry_each() &&
	    local_of(&seg[1], compat, comes) !=
		    local_of(&seg[0], compat, comes) + seg[0].len)
		return false;

	return n >= MANY || seg[0].len + seg[1].len >= bytes_worth_an_entry();
}

/*
 * Prepares the operation of a segment; false if it is of another kind than the ones
 * before, or its buffer is in two pages. The page stands for its frame.
 */
static __always_inline bool add(struct gnttab_copy *op,
				const struct gntdev_grant_copy_segment *seg,
				unsigned long local, bool write)
{
	const u16 flags = write ? GNTCOPY_source_gref : GNTCOPY_dest_gref;
	const typeof(seg->source) *grant = write ? &seg->source : &seg->dest;
	struct gnttab_copy_ptr *there = write ? &op->source : &op->dest;
	struct gnttab_copy_ptr *here = write ? &op->dest : &op->source;

	if (seg->flags != flags || !seg->len ||
	    crosses(grant->foreign.offset, seg->len) ||
	    (local & ~PAGE_MASK) + seg->len > PAGE_SIZE)
		return false;

	set_foreign(there, grant->foreign.ref, grant->foreign.offset,
		    grant->foreign.domid);
	here->u.gmfn = local & PAGE_MASK;
	here->domid = DOMID_SELF;
	here->offset = local & ~PAGE_MASK;
	op->len = seg->len;
	op->flags = flags;
	op->status = 1;

	return true;
}

static __always_inline bool in_one_table(unsigned long a, unsigned long b)
{
	return a / PAGE_SIZE / PTRS_PER_PTE == b / PAGE_SIZE / PTRS_PER_PTE;
}

/* All segments; false too if they are in too many tables, or short and apart. */
static __always_inline bool add_all(struct copy_batch *batch, u32 n,
				    bool compat, bool write)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	unsigned long local, next = local_of(seg, compat, write);
	u32 i, gaps = 0, jumps = 0;

	for (i = 0; i < n; i++, seg++) {
		local = local_of(seg, compat, write);
		if (!add(&batch->ops[i], seg, local, write))
			return false;
		if (local != next) {
			gaps++;
			jumps += !in_one_table(local, next);
		}
		next = local + seg->len;
	}

	return jumps * WORTH_A_TABLE <= n &&
	       (gaps * WORTH_A_GAP <= n ||
		batch->segments[0].len >= bytes_worth_an_entry_each());
}

/*
 * Those of one table, from where the group before ends: their pages, each once if
 * its operations follow each other, and its place where it stood. Returns how many.
 */
static __always_inline u32 gather(struct group *g,
				  const struct gnttab_copy *end, bool write)
{
	unsigned long page, last = ~0UL;
	struct gnttab_copy_ptr *side;
	u32 n = 0;

	for (g->ops = g->end; g->end < end; g->end++) {
		side = write ? &g->end->dest : &g->end->source;
		page = side->u.gmfn;
		if (page != last) {
			if (n == MOST_FRAMES ||
			    (n && !in_one_table(page, g->frame[0])))
				break;
			g->frame[n++] = page;
			last = page;
		}
		side->u.gmfn = n - 1;
	}

	return n;
}

static __always_inline void set_frames(const struct group *g, bool write)
{
	struct gnttab_copy_ptr *side;
	struct gnttab_copy *op;

	for (op = g->ops; op < g->end; op++) {
		side = write ? &op->dest : &op->source;
		side->u.gmfn = g->frame[side->u.gmfn];
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
 * Returns how many of the first segments were done, each by an operation that has a
 * status; or -EIO if the hypervisor fails as a whole.
 */
static __always_inline int copy_groups(struct copy_batch *batch, u32 n,
				       bool compat, bool write)
{
	struct group g = {
		.write = write,
		.frame = batch->frames,
		.end = batch->ops,
	};
	const struct gnttab_copy *end = &batch->ops[n];
	u32 frames;

	batch->ops_used = 0;
	if (!add_all(batch, n, compat, write))
		return 0;

	while (g.end < end) {
		frames = gather(&g, end, write);
		g.err = -EFAULT;
		with_frames(g.frame, frames, write, execute, &g);
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
 * Whether a segment writes to bytes of a grant to which one of the first @n does.
 * If it comes after that one, its bytes are to be there in the end.
 */
static bool writes_over(const struct gntdev_grant_copy_segment *seg, u32 n,
			const struct gntdev_grant_copy_segment *by)
{
	if (by->flags != GNTCOPY_dest_gref)
		return false;

	for (; n; n--, seg++) {
		if (seg->dest.foreign.ref == by->dest.foreign.ref &&
		    seg->dest.foreign.domid == by->dest.foreign.domid &&
		    seg->dest.foreign.offset <
			    by->dest.foreign.offset + by->len &&
		    by->dest.foreign.offset <
			    seg->dest.foreign.offset + seg->len)
			return true;
	}

	return false;
}

/*
 * Does those of the first segments in another way that were refused, perhaps, for
 * their local pages, and what is to be written over them; each had one operation.
 * They come first for that, and go back to where they were.
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
		if (!may_be_of_the_way(statuses[i]) &&
		    !writes_over(seg, refused, &seg[i]))
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

	if (!suits(batch, n, compat))
		return 0;

	if (batch->segments[0].flags == GNTCOPY_source_gref)
		done = copy_groups(batch, n, compat, true);
	else
		done = copy_groups(batch, n, compat, false);
	if (done > 0 && batch->failed)
		err = copy_refused(batch, done, compat);

	return err ?: done;
}
