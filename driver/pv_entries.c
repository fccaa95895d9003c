// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * PV domains: entries of page tables that are grant mappings, which only the
 * hypervisor may write. They are made and ended here, and what they map is kept
 * mapped meanwhile, also when the hypervisor has no handle left.
 */
#include "gntdev.h"
#include "backoff.h"

/* A page-table entry that the kernel takes for special is not touched by it. */
#define USER_FLAGS (GNTMAP_application_map | (1U << _GNTMAP_guest_avail0))

/*
 * Entries that are ended together, so many handles must be there for a moment. The
 * hypervisor makes other processors forget translations once for as many.
 */
#define KEEP_BATCH 32U

u32 gntdev_pv_entry_flags(const struct window *w)
{
	return GNTMAP_host_map | GNTMAP_contains_pte |
	       (w->kernel ? 0 : USER_FLAGS);
}

/* How many entries are there from the first on, up to @most. */
static u32 good_handles(const struct window *w, u32 first, u32 last, u32 most)
{
	u32 n = 0;

	most = min(last - first, most);
	while (n < most && handle_is_good(w->handles[first + n]))
		n++;

	return n;
}

/* Where addresses of entries go; the entry that would be beside the last one. */
struct pte_list {
	u64 *next;
	unsigned long beside;
};

/* A page of a page table is one page of the machine. */
static int record_pte(pte_t *pte, unsigned long addr, void *data)
{
	struct pte_list *list = data;
	unsigned long at = (unsigned long)pte;

	if (at == list->beside && at & ~PAGE_MASK)
		*list->next = list->next[-1] + sizeof(*pte);
	else
		*list->next = arbitrary_virt_to_machine(pte).maddr;
	list->beside = at + sizeof(*pte);
	list->next++;

	return 0;
}

/* Machine addresses of the entries of n pages; may allocate page tables. */
int gntdev_pv_find_entries(struct vm_area_struct *vma, unsigned long addr,
			   u32 n, u64 *ptes)
{
	struct pte_list list = {.next = ptes};

	return apply_to_page_range(vma->vm_mm, addr,
				   (unsigned long)n << PAGE_SHIFT, record_pte,
				   &list);
}

/* Takes what the hypervisor answered; the first error, -EAGAIN before others. */
static int take_handles(struct window *w, u32 first, u32 n)
{
	const struct gnttab_map_grant_ref *ops = w->ops.map;
	u32 i, mapped = 0;
	int err = 0;

	lockdep_assert_held(&w->mapping->lock);

	for (i = 0; i < n; i++) {
		if (ops[i].status == GNTST_okay) {
			w->handles[first + i] = ops[i].handle;
			mapped++;
		} else if (ops[i].status != GNTST_eagain) {
			err = err ?: gntdev_grants_status_errno(ops[i].status);
		}
	}
	atomic_long_add(mapped, &gntdev_counters.handles);

	for (i = 0; i < n && !err; i++) {
		if (ops[i].status == GNTST_eagain)
			err = -EAGAIN;
	}

	return err;
}

/*
 * Makes the entries first to first + n - 1, of which none is there. Returns
 * -EAGAIN, which no program may see, if a granter has its page paged out, and
 * nothing else is wrong. gntdev_handle_lock is held.
 */
static int map_locked(struct window *w, u32 first, u32 n, bool writable)
{
	const struct ioctl_gntdev_grant_ref *grants =
		w->mapping->grants + w->first + first;
	u32 flags = gntdev_pv_entry_flags(w) | (writable ? 0 : GNTMAP_readonly);
	struct gnttab_map_grant_ref *ops = w->ops.map;
	int err;
	u32 i;

	lockdep_assert_held(&w->lock);

	for (i = 0; i < n; i++)
		gnttab_set_map_op(&ops[i], w->ptes[first + i], flags,
				  grants[i].ref, grants[i].domid);

	/*
	 * Who finds an entry waits for the lock until its handle is known; while
	 * mmap makes many, nobody comes for their pages. As for the kernel's
	 * mappings, only the statuses count.
	 */
	if (n <= GNTDEV_ATOMIC_BATCH) {
		spin_lock(&w->mapping->lock);
		(void)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, n);
	} else {
		(void)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, n);
		spin_lock(&w->mapping->lock);
	}
	err = take_handles(w, first, n);
	spin_unlock(&w->mapping->lock);

	return err;
}

static int map_entries(struct window *w, u32 first, u32 n, bool writable)
{
	int err;

	down_read(&gntdev_handle_lock);
	err = map_locked(w, first, n, writable);
	up_read(&gntdev_handle_lock);

	return err;
}

/* Nobody takes a page by an entry any more from before it is ended. */
static void unmap_batch(struct window *w, u32 first, u32 n)
{
	struct gnttab_unmap_grant_ref *ops = w->ops.unmap;
	u32 i, unmapped = 0;

	spin_lock(&w->mapping->lock);
	for (i = 0; i < n; i++) {
		gnttab_set_unmap_op(&ops[i], w->ptes[first + i],
				    gntdev_pv_entry_flags(w),
				    w->handles[first + i]);
		ops[i].status = 1;
		w->handles[first + i] = INVALID_GRANT_HANDLE;
	}
	spin_unlock(&w->mapping->lock);

	(void)HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, ops, n);

	for (i = 0; i < n; i++) {
		if (ops[i].status == GNTST_okay) {
			unmapped++;
			continue;
		}
		gntdev_grants_warn(&ops[i]);
		spin_lock(&w->mapping->lock);
		w->handles[first + i] = LOST_HANDLE;
		spin_unlock(&w->mapping->lock);
	}
	atomic_long_sub(unmapped, &gntdev_counters.handles);
}

/* Ends those of the entries first to last - 1 that are there. */
void gntdev_pv_end_entries(struct window *w, u32 first, u32 last,
			   bool may_sleep)
{
	u32 i, n;

	lockdep_assert_held(&w->lock);

	for (i = first; i < last; i += n) {
		n = good_handles(w, i, last, GNTDEV_BATCH);
		if (n)
			unmap_batch(w, i, n);
		else
			n = 1;
		if (may_sleep)
			cond_resched();
	}
}

/* How many entries from one on are in the same page of a page table. */
static u32 neighbours(const struct window *w, u32 i)
{
	return PTRS_PER_PTE - ((w->start >> PAGE_SHIFT) + i) % PTRS_PER_PTE;
}

/*
 * Ends entries that are there and may come back, while others look at them: who
 * has read an entry under the page table's lock, and goes on to take its page or
 * to write the entry again, finds it as it was for as long as he has the lock.
 */
static void end_under_lock(struct window *w, u32 first, u32 last)
{
	spinlock_t *lock; /* the page table's */
	u32 n;

	for (; first < last; first += n) {
		n = min(last - first, neighbours(w, first));
		lock = entry_lock(w->notifier.mm, w->ptes[first]);
		spin_lock(lock);
		unmap_batch(w, first, n);
		spin_unlock(lock);
	}
}

/*
 * Has the kernel map what an entry maps, and ends the entry, when there may be
 * no handle for both: with one of the reserve, or else after the entry, which
 * then was the only mapping for some microseconds.
 */
static void keep_one(struct window *w, u32 i)
{
	const struct ioctl_gntdev_grant_ref *grant =
		&w->mapping->grants[w->first + i];
	int err;

	down_write(&gntdev_handle_lock);
	do {
		err = gntdev_grants_ensure(w, i, 1);
	} while (err == -ENOMEM && gntdev_reserve_give());
	end_under_lock(w, i, i + 1);
	if (err)
		err = gntdev_grants_map_one(w->mapping, w->first + i);
	gntdev_reserve_refill();
	up_write(&gntdev_handle_lock);

	if (err)
		pr_warn_ratelimited(
			"reference %u of domain %u is not mapped any more: error %d when the program's entry was changed\n",
			grant->ref, domid_of(grant), err);
}

/**
 * gntdev_pv_keep_entries() - end entries, and have the kernel map what they map
 * @w: the window; its lock is held
 * @first: the first of them
 * @last: the one after the last
 * @may_sleep: if not, some may be left
 *
 * Return: whether none is left.
 */
bool gntdev_pv_keep_entries(struct window *w, u32 first, u32 last,
			    bool may_sleep)
{
	u32 i, n, end;
	int err;

	lockdep_assert_held(&w->lock);

	for (i = first; i < last; i = end) {
		n = good_handles(w, i, last, KEEP_BATCH);
		end = i + max(n, 1U);
		if (!n)
			continue;
		err = gntdev_grants_ensure(w, i, n);
		if (err && !may_sleep)
			return false;
		if (!err)
			end_under_lock(w, i, end);
		for (; err && i < end; i++)
			keep_one(w, i);
		if (may_sleep)
			cond_resched();
	}

	return true;
}

/**
 * gntdev_pv_stop() - a notifier's beginning: which entries it is about, and their lock
 * @w: a program's window, whose lock is taken
 * @range: what the kernel is about to change
 * @first: where the first entry of it goes
 * @last: and the one after the last
 *
 * Return: false if the lock would be waited for where nobody may sleep: the
 * out-of-memory reaper, who comes again.
 */
bool gntdev_pv_stop(struct window *w, const struct mmu_notifier_range *range,
		    u32 *first, u32 *last)
{
	unsigned long end = w->start + ((unsigned long)w->count << PAGE_SHIFT);
	unsigned long from = max(range->start, w->start);
	unsigned long to = min(range->end, end);

	*first = (from - w->start) >> PAGE_SHIFT;
	*last = DIV_ROUND_UP(to - w->start, PAGE_SIZE);
	if (!mmu_notifier_range_blockable(range))
		return mutex_trylock(&w->lock);

	mutex_lock(&w->lock);
	return true;
}

/* Tells of the first failure among operations. */
static void note_failure(const struct window *w, u32 first, u32 n)
{
	const struct gnttab_map_grant_ref *op = w->ops.map;
	u32 i;

	for (i = 0; i < n; i++, op++) {
		if (op->status == GNTST_okay || op->status == GNTST_eagain)
			continue;
		gntdev_grants_note(&w->mapping->grants[w->first + first + i],
				   op->status);
		return;
	}
}

static int map_and_note(struct window *w, u32 first, u32 n)
{
	int err;

	mutex_lock(&w->lock);
	err = map_entries(w, first, n, w->writable);
	if (err) {
		note_failure(w, first, n);
		gntdev_status_note(w->mapping, w->first + first, w->ops.map, n);
	}
	mutex_unlock(&w->lock);

	return err;
}

/* The entries of a batch that are not there yet, when their pages are. */
static int map_late(struct window *w, u32 first, u32 n, struct backoff *p)
{
	int err = -EAGAIN;
	u32 i;

	for (i = first; i < first + n; i++, err = -EAGAIN) {
		while (err == -EAGAIN &&
		       w->handles[i] == INVALID_GRANT_HANDLE) {
			err = gntdev_backoff_wait(
				p, &w->mapping->grants[w->first + i]);
			if (!err)
				err = map_and_note(w, i, 1);
		}
		if (err && err != -EAGAIN)
			return err;
	}

	return 0;
}

/**
 * gntdev_pv_map_entries() - make all entries of a window
 * @w: a window with the addresses of its entries, of which none is there
 *
 * Waits for pages that their granters have paged out.
 *
 * Return: 0 or a negative errno; what was made until a failure is found in @w.
 */
int gntdev_pv_map_entries(struct window *w)
{
	struct backoff backoff;
	u32 first, n;
	int err = 0;

	gntdev_backoff_begin(&backoff);
	for (first = 0; first < w->count && !err; first += n) {
		n = min(w->count - first, GNTDEV_BATCH);
		err = map_and_note(w, first, n);
		if (err == -EAGAIN)
			err = map_late(w, first, n, &backoff);
		/* The kernel's own windows are nobody's who could be killed. */
		if (!err && first + n < w->count && !w->kernel &&
		    fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}

	return err;
}

/*
 * A page's byte goes before its last mapping that can be written through; after
 * that it is not known any more that there was one.
 */
static void lose(struct window *w, u32 i)
{
	struct mapping *m = w->mapping;
	u32 page = w->first + i;

	if (m->notify && handle_is_good(m->handles[page]))
		notify_clear(&m->notify[page], m->pages[page]);
	m->handles[page] = LOST_HANDLE;
}

/**
 * gntdev_pv_unmap_entries() - end all entries of a window that are there
 * @w: the window
 *
 * Return: whether all are ended. A page with an entry that is not is marked, so
 * that the kernel's mapping never ends either.
 */
bool gntdev_pv_unmap_entries(struct window *w)
{
	bool all = true;
	u32 i;

	mutex_lock(&w->lock);
	gntdev_pv_end_entries(w, 0, w->count, true);
	mutex_unlock(&w->lock);

	for (i = 0; i < w->count; i++) {
		if (w->handles[i] != LOST_HANDLE)
			continue;
		lose(w, i);
		all = false;
	}

	return all;
}

/* The kernel needs the page only to keep it, and it is the program's again. */
static bool may_give_up(const struct window *w, u32 i)
{
	const struct mapping *m = w->mapping;
	const struct notify *notify = m->range ? m->range->notify : NULL;
	u32 page = w->first + i;

	lockdep_assert_held(&w->lock);

	/* Of a dma-buf, all are mapped by the kernel as long as it lives. */
	return m->range && handle_is_good(m->handles[page]) &&
	       page_count(m->pages[page]) == 1 &&
	       !(notify && notify[page].action & UNMAP_NOTIFY_CLEAR_BYTE);
}

static void give_up(struct window *w, u32 i)
{
	spin_lock(&w->mapping->lock);
	if (may_give_up(w, i))
		gntdev_grants_unmap_one(w->mapping, w->first + i);
	spin_unlock(&w->mapping->lock);
}

/*
 * Makes an entry again though the hypervisor may have no handle: with one of the
 * reserve, which the kernel's own mapping then gives back; or, if there is none,
 * the kernel's own mapping first. Whoever else takes the page does so under the
 * page table's lock.
 */
static int map_tightly(struct window *w, u32 i, bool writable)
{
	spinlock_t *lock = entry_lock(w->notifier.mm, w->ptes[i]);
	int err;

	down_write(&gntdev_handle_lock);
	do {
		err = map_locked(w, i, 1, writable);
	} while (err == -ENOMEM && gntdev_reserve_give());
	if (err == -ENOMEM) {
		/* Without an entry nobody comes to take the page. */
		give_up(w, i);
		err = map_locked(w, i, 1, writable);
	} else if (!err) {
		spin_lock(lock);
		give_up(w, i);
		spin_unlock(lock);
	}
	gntdev_reserve_refill();
	up_write(&gntdev_handle_lock);

	return err;
}

/**
 * gntdev_pv_map_entry() - make one entry again
 * @w: the window; its lock is held
 * @i: which, it is not there
 * @writable: how
 *
 * Return: 0; -EAGAIN or -ENOMEM if it may succeed later; or another errno.
 */
int gntdev_pv_map_entry(struct window *w, u32 i, bool writable)
{
	int err = map_entries(w, i, 1, writable);

	if (err == -ENOMEM)
		err = map_tightly(w, i, writable);
	if (err && err != -EAGAIN && err != -ENOMEM)
		note_failure(w, i, 1);

	return err;
}
