// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Lent memory: pages of a program's own, granted to another domain. They are
 * pinned for as long as they are granted, which is until the program takes them
 * back and the other domain has unmapped them. In the table they are a range that
 * cannot be mmapped.
 */
#include "gntdev.h"

/* Pages between two looks at the clock and at signals. */
#define STRIDE 512U

struct lent {
	struct recheck recheck; /* while the other domain has pages mapped */
	struct mm_struct *mm; /* whose locked memory they count for */
	u32 count;
	u32 pinned; /* of @pages, the first */
	u32 granted; /* of @refs, the first; those of the same pages */
	bool writable;
	bool dirty; /* or may be */
	grant_ref_t *refs;
	struct page *pages[];
};

static struct lent *lent_alloc(u32 count)
{
	size_t page = sizeof(struct page *) + sizeof(grant_ref_t);
	struct lent *lent =
		gntdev_memory_for_program(sizeof(*lent) + count * page);

	if (!lent)
		return NULL;

	memset(lent, 0, sizeof(*lent));
	lent->count = count;
	lent->refs = (void *)(lent->pages + count);

	return lent;
}

static void lent_free(struct lent *lent)
{
	if (lent->mm)
		mmdrop(lent->mm);
	kvfree(lent);
}

/* Lets go of pages that are not granted any more. */
static void unpin(struct lent *lent, struct page **pages, u32 n)
{
	unpin_user_pages_dirty_lock(pages, n, lent->dirty);
	account_locked_vm(lent->mm, n, false);
	cond_resched();
}

/*
 * Gives back what the other domain does not have mapped; what is left comes first
 * after that. Returns whether that was all.
 */
static bool lent_look(struct recheck *r)
{
	struct lent *lent = container_of(r, struct lent, recheck);
	struct page *done[64];
	u32 i, kept = 0, n = 0;

	for (i = 0; i < lent->granted; i++) {
		if (!gnttab_try_end_foreign_access(lent->refs[i])) {
			lent->refs[kept] = lent->refs[i];
			lent->pages[kept++] = lent->pages[i];
			continue;
		}
		done[n++] = lent->pages[i];
		if (n == ARRAY_SIZE(done)) {
			unpin(lent, done, n);
			n = 0;
		}
	}
	if (n)
		unpin(lent, done, n);
	atomic_long_sub(lent->granted - kept, &gntdev_counters.departed);
	lent->granted = kept;
	WRITE_ONCE(r->held.count, kept);
	if (kept)
		return false;

	gntdev_recheck_over(r);
	lent_free(lent);
	return true;
}

/* Of what could not be granted as a whole, and of what is taken back. */
static void lent_release(struct lent *lent)
{
	if (lent->pinned > lent->granted)
		unpin(lent, lent->pages + lent->granted,
		      lent->pinned - lent->granted);
	lent->pinned = lent->granted;
	atomic_long_add(lent->granted, &gntdev_counters.departed);
	if (!lent_look(&lent->recheck))
		gntdev_recheck_begin(&lent->recheck, lent_look);
}

/* The bytes that are to be cleared, in pages that nobody needs to have mapped. */
static void clear_bytes(const struct grant_range *range)
{
	u32 i;

	for (i = 0; range->notify && i < range->count; i++) {
		if (range->notify[i].action & UNMAP_NOTIFY_CLEAR_BYTE)
			range->lent->dirty = true;
		notify_clear(&range->notify[i], range->lent->pages[i]);
	}
	/* Before any event. */
	wmb();
}

/**
 * gntdev_lent_end() - take lent memory back
 * @range: the range of it, which is out of the table; its events are the caller's
 */
void gntdev_lent_end(struct grant_range *range)
{
	clear_bytes(range);
	range->lent->recheck.held = (struct held){
		.kind = "departed",
		.first = range->grants[0],
		.holder = range->holder,
	};
	range->lent->recheck.held.holder.since = ktime_get_seconds();
	lent_release(range->lent);
	range->lent = NULL;
}

/* Pins the caller's pages, for long; charged to the caller. */
static int lent_pin(struct lent *lent, unsigned long addr)
{
	u32 left;
	int got, err;

	err = account_locked_vm(current->mm, lent->count, true);
	if (err)
		return err;
	lent->mm = current->mm;
	mmgrab(lent->mm);

	while (lent->pinned < lent->count) {
		left = min(lent->count - lent->pinned, STRIDE);
		got = pin_user_pages_fast(addr + ((unsigned long)lent->pinned
						  << PAGE_SHIFT),
					  left, FOLL_WRITE | FOLL_LONGTERM,
					  lent->pages + lent->pinned);
		if (got > 0)
			lent->pinned += got;
		else
			err = got == -ENOMEM || got == -EINTR ? got : -EFAULT;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		cond_resched();
	}
	/* unpin() gives back what was pinned alone. */
	if (err)
		account_locked_vm(lent->mm, lent->count - lent->pinned, false);

	return err;
}

static int lent_grant(struct lent *lent, domid_t domid)
{
	u32 i;
	int err;

	/* What another domain owns is not this one's to grant. */
	for (i = 0; i < lent->count; i++) {
		if (is_foreign(lent->pages[i]))
			return -EINVAL;
	}

	err = gntdev_refs_take(lent->refs, lent->count);
	if (err)
		return err;

	for (i = 0; i < lent->count; i++) {
		gnttab_grant_foreign_access_ref(lent->refs[i], domid,
						xen_page_to_gfn(lent->pages[i]),
						!lent->writable);
		if (i % STRIDE == STRIDE - 1)
			cond_resched();
	}
	lent->granted = lent->count;

	return 0;
}

/* A range of lent memory, in no table; or an ERR_PTR. */
static struct grant_range *
lent_create(const struct ioctl_gntdev_grant_memory *op)
{
	struct grant_range *range;
	struct lent *lent;
	int err;

	range = gntdev_range_alloc(1);
	if (!range)
		return ERR_PTR(-ENOMEM);
	lent = lent_alloc(op->count);
	if (!lent) {
		gntdev_range_free(range);
		return ERR_PTR(-ENOMEM);
	}
	lent->writable = op->flags & GNTDEV_GRANT_WRITABLE;
	lent->dirty = lent->writable;

	err = lent_pin(lent, op->addr);
	if (!err)
		err = lent_grant(lent, op->domid);
	if (err) {
		lent_release(lent);
		gntdev_range_free(range);
		return ERR_PTR(err);
	}

	holder_set(&range->holder);
	range->lent = lent;
	range->count = op->count;
	range->domid = op->domid;
	range->writable = true;
	range->grants[0].domid = op->domid;
	range->grants[0].ref = lent->refs[0];

	return range;
}

static int lent_check(struct instance *inst,
		      const struct ioctl_gntdev_grant_memory *op)
{
	if (op->flags & ~GNTDEV_GRANT_WRITABLE || op->domid > DOMID_IDLE ||
	    op->addr & ~PAGE_MASK)
		return -EINVAL;
	if (!gntdev_restrict_allows(inst, op->domid))
		return -EACCES;

	return gntdev_instance_takes(inst, op->count) &&
			       !gntdev_xlat_refuses(op->domid)
		       ? 0
		       : -EINVAL;
}

/**
 * gntdev_lent_grant_request() - IOCTL_GNTDEV_GRANT_MEMORY
 * @inst: the instance
 * @arg: struct ioctl_gntdev_grant_memory with room for its references
 *
 * Return: 0; -EINVAL for a count of 0, above the parameter limit or the
 * instance's maximum, an address that is not a page's, a domid above 0x7fff or
 * one's own where that would lose the pages, flags, and memory of another domain;
 * -EACCES for a domain that the instance is not restricted to; -EFAULT if not all
 * of the memory is there and writable; -ENOMEM above RLIMIT_MEMLOCK, and above
 * the maximum with what is there; -ENOSPC if the domain has no such number of
 * references to spare; -EINTR if killed.
 */
long gntdev_lent_grant_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_grant_memory __user *user = arg;
	struct ioctl_gntdev_grant_memory op;
	struct grant_range *range;
	u64 index;
	bool told;
	int err;

	if (copy_from_user(&op, user, offsetof(typeof(op), refs)))
		return -EFAULT;
	err = lent_check(inst, &op);
	if (err)
		return err;

	range = lent_create(&op);
	if (IS_ERR(range))
		return PTR_ERR(range);
	err = gntdev_range_insert(inst, range);
	if (err) {
		gntdev_range_free(range);
		return err;
	}

	/* Once it is published, another thread may remove and free it. */
	index = range->index;
	told = !copy_to_user(user->refs, range->lent->refs,
			     array_size(op.count, sizeof(user->refs[0]))) &&
	       !copy_to_user(&user->index, &index, sizeof(index));
	gntdev_range_publish(inst, range, told);

	return told ? 0 : -EFAULT;
}

/**
 * gntdev_lent_ungrant_request() - IOCTL_GNTDEV_UNGRANT_MEMORY
 * @inst: the instance
 * @arg: struct ioctl_gntdev_ungrant_memory
 *
 * Does not wait for the other domain: pages that it has mapped stay granted until
 * it unmaps them.
 *
 * Return: 0; -ENOENT if index and count are not those of one GRANT_MEMORY;
 * -EINVAL if reserved is not 0; -EFAULT.
 */
long gntdev_lent_ungrant_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_ungrant_memory op;
	struct grant_range *range;
	int err = 0;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.reserved)
		return -EINVAL;

	mutex_lock(&inst->lock);
	range = gntdev_range_find(inst, op.index);
	if (!range || range->index != op.index || range->count != op.count ||
	    !range->lent)
		err = -ENOENT;
	else
		gntdev_range_enter(inst, range, RANGE_GONE);
	mutex_unlock(&inst->lock);

	if (!err)
		gntdev_range_free(range);

	return err;
}
