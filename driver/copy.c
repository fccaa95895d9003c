// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies between grants and a program's memory, done by the hypervisor. The
 * segments are taken in chunks. The pages of a chunk's local buffers are
 * pinned, neighbours together and each once; then one hypercall does it all.
 * Mostly they are not worth a pin, and some are none that the hypervisor would
 * take: see bounce.c. Statuses are told after that, so a status that a program
 * sees is true.
 *
 * No lock is held anywhere here: calls on one instance run side by side.
 */
#include "gntdev.h"
#include "copy.h"
#include "tally.h"
#include "trace.h"

/* Patience with a granter whose page is paged out, in all. */
#define PATIENCE (32 * HZ)

/* Some are kept in the instance, so that mostly none is allocated. */
static struct copy_batch *batch_get(struct instance *inst)
{
	struct copy_batch *batch;
	u32 i;

	for (i = 0; i < COPY_SPARES; i++) {
		batch = xchg(&inst->spares[i], NULL);
		if (batch)
			return batch;
	}
	if (gntdev_tally_prepare(inst))
		return NULL;
	batch = kvmalloc(sizeof(*batch), GFP_KERNEL_ACCOUNT);
	if (batch)
		batch->slot_pages = 0;

	return batch;
}

static void batch_free(struct copy_batch *batch)
{
	if (!batch)
		return;
	gntdev_bounce_free(batch);
	kvfree(batch);
}

static void batch_put(struct instance *inst, struct copy_batch *batch)
{
	u32 i;

	for (i = 0; batch && i < COPY_SPARES; i++)
		batch = xchg(&inst->spares[i], batch);
	batch_free(batch);
}

/* Nobody copies any more. */
void gntdev_copy_free_spares(struct instance *inst)
{
	u32 i;

	for (i = 0; i < COPY_SPARES; i++)
		batch_free(inst->spares[i]);
}

/* The place of the page at a local address; it is pinned later. */
static __always_inline u32 want_page(struct copy_batch *batch,
				     unsigned long start, bool write)
{
	struct run *run = &batch->runs[batch->runs_used];
	unsigned long beside;

	if (batch->runs_used && run[-1].write == write) {
		beside = run[-1].start +
			 ((unsigned long)run[-1].count << PAGE_SHIFT);
		if (start == beside - PAGE_SIZE)
			return batch->pages_used - 1;
		if (start == beside && start) {
			run[-1].count++;
			return batch->pages_used++;
		}
	}

	run->start = start;
	run->first = batch->pages_used;
	run->count = 1;
	run->write = write;
	batch->runs_used++;

	return batch->pages_used++;
}

/* From grant to grant, so that there is no local buffer. */
static bool is_between(const struct gntdev_grant_copy_segment *seg)
{
	return seg->flags == (GNTCOPY_source_gref | GNTCOPY_dest_gref);
}

/* A segment between grants is one operation. */
static int add_between(struct copy_batch *batch,
		       const struct gntdev_grant_copy_segment *seg)
{
	struct gnttab_copy *op = &batch->ops[batch->ops_used];

	if (crosses(seg->source.foreign.offset, seg->len) ||
	    crosses(seg->dest.foreign.offset, seg->len))
		return -EINVAL;

	set_foreign(&op->source, seg->source.foreign.ref,
		    seg->source.foreign.offset, seg->source.foreign.domid);
	set_foreign(&op->dest, seg->dest.foreign.ref, seg->dest.foreign.offset,
		    seg->dest.foreign.domid);
	op->len = seg->len;
	op->flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
	op->status = 1;
	batch->ops_used += seg->len != 0;

	return 0;
}

/*
 * A segment between a grant and local memory is an operation for each page of that.
 * Until the page is pinned, its place stands for its frame.
 */
static int add_local(struct copy_batch *batch,
		     const struct gntdev_grant_copy_segment *seg, bool compat)
{
	const bool comes = seg->flags == GNTCOPY_source_gref;
	const typeof(seg->source) *grant = comes ? &seg->source : &seg->dest;
	const typeof(seg->source) *memory = comes ? &seg->dest : &seg->source;
	unsigned long at = local_address(memory->virt, compat);
	struct gnttab_copy_ptr *foreign, *local;
	struct gnttab_copy *op;
	u32 done, len;

	if ((!comes && seg->flags != GNTCOPY_dest_gref) ||
	    crosses(grant->foreign.offset, seg->len))
		return -EINVAL;

	for (done = 0; done < seg->len; done += len, at += len) {
		op = &batch->ops[batch->ops_used++];
		foreign = comes ? &op->source : &op->dest;
		local = comes ? &op->dest : &op->source;
		len = min(seg->len - done,
			  (u32)(PAGE_SIZE - (at & ~PAGE_MASK)));
		set_foreign(foreign, grant->foreign.ref,
			    grant->foreign.offset + done, grant->foreign.domid);
		local->u.gmfn = want_page(batch, at & PAGE_MASK, comes);
		local->domid = DOMID_SELF;
		local->offset = at & ~PAGE_MASK;
		op->len = len;
		op->flags = seg->flags;
		op->status = 1;
	}

	return 0;
}

static inline int add_segment(struct copy_batch *batch, u32 i, bool compat)
{
	const struct gntdev_grant_copy_segment *seg = &batch->segments[i];
	int err;

	if (is_between(seg))
		err = add_between(batch, seg);
	else
		err = add_local(batch, seg, compat);
	batch->end[i] = batch->ops_used;

	return err;
}

/* Pins a run's pages; on failure the run has those that are pinned. */
static int pin_run(struct copy_batch *batch, struct run *run)
{
	struct page **pages = batch->pages + run->first;
	unsigned int flags = run->write ? FOLL_WRITE : 0;
	unsigned long addr = run->start;
	u32 left = run->count;
	int got;

	run->count = 0;
	while (left) {
		got = pin_user_pages_fast(addr, left, flags,
					  pages + run->count);
		if (got == -ENOMEM || got == -EINTR)
			return got;
		if (got <= 0)
			return -EFAULT;
		run->count += got;
		left -= got;
		addr += (unsigned long)got << PAGE_SHIFT;
	}

	return 0;
}

static int pin_pages(struct copy_batch *batch)
{
	u32 i;
	int err;

	for (i = 0; i < batch->runs_used; i++) {
		err = pin_run(batch, &batch->runs[i]);
		if (err) {
			batch->runs_used = i + 1;
			return err;
		}
	}

	return 0;
}

static void unpin_pages(struct copy_batch *batch, bool dirty)
{
	struct run *run;
	u32 i;

	for (i = 0; i < batch->runs_used; i++) {
		run = &batch->runs[i];
		unpin_user_pages_dirty_lock(batch->pages + run->first,
					    run->count, dirty && run->write);
	}
}

/* Puts the frame of a local page where its place stood. */
static void set_frame(struct copy_batch *batch, struct gnttab_copy_ptr *side)
{
	side->u.gmfn = xen_page_to_gfn(batch->pages[side->u.gmfn]);
}

static void set_frames(struct copy_batch *batch)
{
	struct gnttab_copy *op;
	u32 i;

	for (i = 0; i < batch->ops_used; i++) {
		op = &batch->ops[i];
		if (!(op->flags & GNTCOPY_source_gref))
			set_frame(batch, &op->source);
		if (!(op->flags & GNTCOPY_dest_gref))
			set_frame(batch, &op->dest);
	}
}

/* Anything but 0 means that some operations were not reached. */
static int hypercall(struct gnttab_copy *ops, u32 count)
{
	return HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, count) ? -EIO : 0;
}

/*
 * Tries the operations from the @i-th on again whose granter has the page paged
 * out, for some time; after that GNTST_eagain is what the program is told.
 * Killable. Not inlined, as it is seldom needed.
 */
static noinline int try_again(struct copy_batch *batch, u32 i)
{
	unsigned long end = jiffies + PATIENCE;
	unsigned long delay = 1;
	int err;

	while (i < batch->ops_used) {
		if (batch->ops[i].status != GNTST_eagain ||
		    time_after(jiffies, end)) {
			i++;
			continue;
		}
		if (schedule_timeout_killable(delay) &&
		    fatal_signal_pending(current))
			return -EINTR;
		delay = min(delay * 2, (unsigned long)HZ / 4 + 1);
		err = hypercall(&batch->ops[i], 1);
		if (err)
			return err;
	}

	return 0;
}

/* Has the hypervisor do the operations from @first on. */
int gntdev_copy_execute(struct copy_batch *batch, u32 first)
{
	struct gnttab_copy *op = &batch->ops[first];
	struct gnttab_copy *end = &batch->ops[batch->ops_used];
	int err = hypercall(op, batch->ops_used - first);

	for (; !err && op < end; op++) {
		if (op->status == GNTST_okay)
			continue;
		batch->failed = true;
		if (op->status == GNTST_eagain)
			return try_again(batch, op - batch->ops);
	}

	return err;
}

/*
 * Whether each page pinned is this domain's: the hypervisor takes no frame of
 * another one, as there is behind a mapped grant.
 */
static bool pages_are_own(const struct copy_batch *batch)
{
	u32 i;

	for (i = 0; i < batch->pages_used; i++) {
		if (is_foreign(batch->pages[i]))
			return false;
	}

	return true;
}

/* Copies to and from a program's own pages. */
static int copy_pinned(struct copy_batch *batch)
{
	int err;

	if (batch->pages_used)
		set_frames(batch);
	err = gntdev_copy_execute(batch, 0);
	unpin_pages(batch, true);

	return err;
}

static int add_segments(struct copy_batch *batch, u32 n, bool compat)
{
	u32 i;
	int err;

	batch->ops_used = 0;
	batch->pages_used = 0;
	batch->runs_used = 0;
	for (i = 0; i < n; i++) {
		err = add_segment(batch, i, compat);
		if (err)
			return err;
	}

	return 0;
}

/*
 * Where a page cannot be pinned, or is not the domain's, the program may still
 * be able to use it, and then it can be copied from or to.
 */
static int pin_and_copy(struct copy_batch *batch, u32 n, bool compat)
{
	int err = add_segments(batch, n, compat);

	if (err || !batch->ops_used)
		return err;

	err = pin_pages(batch);
	if (!err && pages_are_own(batch))
		return copy_pinned(batch);

	unpin_pages(batch, false);
	if (err && err != -EFAULT)
		return err;

	return gntdev_bounce(batch, n, compat);
}

/* Tells of the first segment that failed, by its foreign side. */
static void trace_refused(const struct copy_batch *batch)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	const typeof(seg->source) *side;
	struct ioctl_gntdev_grant_ref grant;

	while (seg->status == GNTST_okay)
		seg++;
	side = seg->flags & GNTCOPY_source_gref ? &seg->source : &seg->dest;
	grant.domid = side->foreign.domid;
	grant.ref = side->foreign.ref;
	trace_gntdev_refused(&grant, seg->status);
}

static void set_all_okay(struct copy_batch *batch, u32 n)
{
	u32 i, bytes = 0;

	for (i = 0; i < n; i++) {
		batch->segments[i].status = GNTST_okay;
		bytes += batch->segments[i].len;
	}
	batch->copied += n;
	batch->bytes += bytes;
}

/* The first failed status of a segment's operations. */
s16 gntdev_copy_status(const struct copy_batch *batch, u32 i)
{
	const struct gnttab_copy *op = &batch->ops[i ? batch->end[i - 1] : 0];
	const struct gnttab_copy *end = &batch->ops[batch->end[i]];

	while (op < end && op->status == GNTST_okay)
		op++;

	return op < end ? op->status : GNTST_okay;
}

static void set_statuses(struct copy_batch *batch, u32 n)
{
	u32 i, bytes = 0, failed = 0;
	s16 status;

	for (i = 0; i < n; i++) {
		status = gntdev_copy_status(batch, i);
		batch->segments[i].status = status;
		if (status == GNTST_okay)
			bytes += batch->segments[i].len;
		else
			failed++;
	}
	batch->copied += n - failed;
	batch->bytes += bytes;
	if (failed && trace_gntdev_refused_enabled())
		trace_refused(batch);
}

/* Nothing but stores while user memory may be written. */
static int tell(struct copy_batch *batch,
		struct gntdev_grant_copy_segment __user *user, u32 n)
{
	const struct gntdev_grant_copy_segment *seg = batch->segments;
	const struct gntdev_grant_copy_segment *end = seg + n;

	if (batch->failed)
		set_statuses(batch, n);
	else
		set_all_okay(batch, n);
	if (!user_write_access_begin(user, n * sizeof(*user)))
		return -EFAULT;
	for (; seg < end; seg++, user++)
		unsafe_put_user(seg->status, &user->status, fault);
	user_write_access_end();

	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

/* Whether the instance is restricted to another domain than one of these. */
static bool names_others(const struct instance *inst,
			 const struct gntdev_grant_copy_segment *seg, u32 n)
{
	for (; n; n--, seg++) {
		if (seg->flags & GNTCOPY_source_gref &&
		    !gntdev_restrict_allows(inst, seg->source.foreign.domid))
			return true;
		if (seg->flags & GNTCOPY_dest_gref &&
		    !gntdev_restrict_allows(inst, seg->dest.foreign.domid))
			return true;
	}

	return false;
}

/* Of what has a constant size the kernel does not ask where it lies. */
static unsigned long get_segments(struct copy_batch *batch,
				  struct gntdev_grant_copy_segment __user *user,
				  u32 n)
{
	if (n == 1)
		return copy_from_user(batch->segments, user, sizeof(*user));

	return copy_from_user(batch->segments, user, n * sizeof(*user));
}

/* In the one or the other way that reaches any memory. */
int gntdev_copy_otherwise(struct copy_batch *batch, u32 n, bool compat)
{
	batch->failed = false;
	if (!is_between(batch->segments) && gntdev_bounce_suits(batch, n))
		return gntdev_bounce(batch, n, compat);

	return pin_and_copy(batch, n, compat);
}

/* Up to *n segments; *n of them were done, or tried in vain. */
static int copy_chunk(struct instance *inst, struct copy_batch *batch,
		      struct gntdev_grant_copy_segment __user *user, u32 *n,
		      bool compat)
{
	int err;

	if (get_segments(batch, user, *n))
		return -EFAULT;
	if (READ_ONCE(inst->only) != ANY_DOMAIN &&
	    names_others(inst, batch->segments, *n))
		return -EACCES;

	err = gntdev_direct(batch, *n, compat);
	if (err > 0) {
		*n = err;
		err = 0;
	} else if (!err) {
		err = gntdev_copy_otherwise(batch, *n, compat);
	}

	return err ?: tell(batch, user, *n);
}

/* Between two chunks: others may want the processor, or that the program ends. */
static int resched_or_killed(void)
{
	cond_resched();

	return fatal_signal_pending(current) ? -EINTR : 0;
}

static long copy_segments(struct instance *inst,
			  struct gntdev_grant_copy_segment __user *user,
			  u32 count, bool compat)
{
	struct copy_batch *batch;
	u32 n, done = 0;
	int err = 0;

	if (!count)
		return 0;

	batch = batch_get(inst);
	if (!batch)
		return -ENOMEM;
	batch->copied = 0;
	batch->bytes = 0;

	while (!err && done < count) {
		n = min(count - done, CHUNK);
		err = copy_chunk(inst, batch, user + done, &n, compat);
		done += n;
		if (!err && done < count)
			err = resched_or_killed();
	}

	tally_add(inst, copies, batch->copied);
	tally_add(inst, bytes, batch->bytes);
	batch_put(inst, batch);
	trace_gntdev_copy(count, done, err);

	return err;
}

/**
 * gntdev_copy_request() - IOCTL_GNTDEV_GRANT_COPY
 * @inst: the instance
 * @arg: struct ioctl_gntdev_grant_copy
 *
 * Segments are done in order; but of memory that it reaches both by its address
 * and by a grant, a segment need not see what an earlier one of the same call
 * wrote. A count of 0 succeeds whatever the pointer.
 *
 * Return: 0 with a GNTST_* in each segment's status; -EINVAL for unknown
 * flags, for a segment with two local buffers or one that crosses the end of
 * a foreign page; -EFAULT; -ENOMEM; -EIO if the hypervisor fails as a whole;
 * -EINTR if killed; -EACCES for a domain that the instance is not restricted to.
 */
long gntdev_copy_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_grant_copy op;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;

	return copy_segments(inst, op.segments, op.count, false);
}

/* The same for 32-bit callers on a 64-bit kernel. */
struct grant_copy_compat {
	u32 count;
	compat_uptr_t segments;
};

long gntdev_copy_request_compat(struct instance *inst, void __user *arg)
{
	struct grant_copy_compat op;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;

	return copy_segments(inst, compat_ptr(op.segments), op.count, true);
}
