// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Areas in PV domains: how AREA_UNMAP ends a program's entries. */
#include "area.h"

/* Operations to end the entries that are there; returns how many. */
static u32 prepare_unmap(const struct window *w, struct area_batch *b)
{
	u32 i, slot, n = 0;

	for (i = 0; i < b->n; i++) {
		slot = b->ops[i].slot;
		if (!b->claimed[i] || w->handles[slot] == INVALID_GRANT_HANDLE)
			continue;
		/* The notifier could not end it. */
		if (w->handles[slot] == LOST_HANDLE) {
			b->claimed[i] = SLOT_LOST;
			b->ops[i].status = GNTST_general_error;
			continue;
		}
		gnttab_set_unmap_op(&b->unmap[n], w->ptes[slot],
				    gntdev_pv_entry_flags(w), w->handles[slot]);
		b->unmap[n].status = 1;
		b->which[n++] = i;
	}

	return n;
}

/* Puts those of the operations from @first on together that are in its table. */
static u32 gather_table(struct area_batch *b, u32 first, u32 n)
{
	u64 table = b->unmap[first].host_addr & PAGE_MASK;
	u32 k, end = first + 1;

	for (k = end; k < n; k++) {
		if ((b->unmap[k].host_addr & PAGE_MASK) != table)
			continue;
		if (k != end) {
			swap(b->which[k], b->which[end]);
			swap(b->unmap[k], b->unmap[end]);
		}
		end++;
	}

	return end - first;
}

/* Page tables' locks that are held together. */
struct table_locks {
	spinlock_t *held[32]; /* in the order in which they were taken */
	u32 n;
};

/* Sparse, which counts locks by where they are taken, is told of none in an array. */
static bool take_lock(struct table_locks *locks, spinlock_t *lock)
{
	if (!locks->n)
		spin_lock(lock);
	else if (!spin_trylock(lock))
		return false;
	__release(lock);
	locks->held[locks->n++] = lock;

	return true;
}

/*
 * Locks the tables of operations from @first on, so that one hypercall ends entries in
 * all of them: for 32 operations of a call, the hypervisor makes other processors
 * forget translations once. Of the locks the first alone is waited for: others hold
 * two at once (mremap), in any order. Returns for how many operations the locks are
 * held, at least one; they have been put together.
 */
static u32 lock_tables(struct table_locks *locks, const struct window *w,
		       struct area_batch *b, u32 first, u32 n)
{
	spinlock_t *lock; /* the page table's */
	u32 end = first;

	locks->n = 0;
	while (end < n && locks->n < ARRAY_SIZE(locks->held)) {
		lock = entry_lock(w->notifier.mm, b->unmap[end].host_addr);
		/* There are kernels with one lock for all tables. */
		if ((!locks->n || lock != locks->held[0]) &&
		    !take_lock(locks, lock))
			break;
		end += gather_table(b, end, n);
	}

	return end - first;
}

static void unlock_tables(struct table_locks *locks)
{
	while (locks->n) {
		__acquire(locks->held[locks->n - 1]);
		spin_unlock(locks->held[--locks->n]);
	}
}

/* Whether one of the grants is this domain's own, as all may be if it is not known. */
static bool has_own(const struct mapping *m, const struct area_batch *b, u32 n)
{
	u32 own = gntdev_own_domid(), k;

	if (own == DOMID_INVALID)
		return true;

	for (k = 0; k < n; k++) {
		if (domid_of(&m->range->grants[b->ops[b->which[k]].slot]) ==
		    own)
			return true;
	}

	return false;
}

/* Of entries in one table, whose lock is held; see end_entries(). */
static bool clear_strays(const struct window *w, const struct area_batch *b,
			 u32 first, u32 n)
{
	bool found = false;
	pte_t *pte;
	u32 k;

	for (k = first; k < first + n; k++) {
		pte = entry_at(b->unmap[k].host_addr);
		if (b->unmap[k].status != GNTST_okay || pte_none(ptep_get(pte)))
			continue;
		/* Which address it is for, x86 does not ask. */
		pte_clear(w->notifier.mm, w->start, pte);
		found = true;
	}

	return found;
}

static void end_with_locks(const struct window *w, struct area_batch *b, u32 n)
{
	struct table_locks locks;
	u32 first, count;

	for (first = 0; first < n; first += count) {
		count = lock_tables(&locks, w, b, first, n);
		(void)HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref,
						&b->unmap[first], count);
		unlock_tables(&locks);
	}
}

static void end_without_locks(const struct window *w, struct area_batch *b,
			      u32 n)
{
	spinlock_t *lock; /* the page table's */
	bool strays = false;
	u32 first, count;

	(void)HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, b->unmap, n);
	for (first = 0; first < n; first += count) {
		count = gather_table(b, first, n);
		lock = entry_lock(w->notifier.mm, b->unmap[first].host_addr);
		spin_lock(lock);
		strays |= clear_strays(w, b, first, count);
		spin_unlock(lock);
	}
	if (strays)
		flush_domain_tlb();
}

/*
 * Ends entries; nobody makes them again, and of a slot that is left nobody gets a
 * page. But who has read an entry before, under its page table's lock, goes on
 * with what he has read as long as he has that lock: he takes a reference on the
 * page, or writes the entry again with a bit more.
 *
 * Of another domain's grants the hypervisor refuses that: no entry is made of
 * another domain's frame but by a grant, and the kernel does without. So they are
 * ended without any lock. Then the lock is taken once, for a moment: whoever has
 * read one is through by then, so that references count, and if he has made one
 * that was empty already into one that still maps nothing (MADV_POPULATE_WRITE
 * marks what it finds as written to), it is emptied.
 *
 * Until then a fault takes that for an entry of a swap file, and the kernel tells
 * of a bad one. So once somebody has come for a page of the area by its entry, as
 * for most programs nobody does, all are ended with the locks: what is left are
 * those few that were just being ended when the first one came.
 *
 * Of this domain's own frames any entry may be made, and one would be that no
 * grant is behind: they are ended with the locks.
 */
static void end_entries(const struct window *w, struct area_batch *b, u32 n)
{
	if (!n)
		return;
	if (b->looked_at || has_own(w->mapping, b, n))
		end_with_locks(w, b, n);
	else
		end_without_locks(w, b, n);
}

/* Ends the entries of a batch that are there; the kernel's own mappings stay. */
void gntdev_area_pv_unmap(struct area *area, struct mapping *m,
			  struct area_batch *b)
{
	struct window *w = &m->window;
	u32 i, k, slot, unmapped = 0, n = prepare_unmap(w, b);

	end_entries(w, b, n);
	for (k = 0; k < n; k++) {
		i = b->which[k];
		slot = b->ops[i].slot;
		w->handles[slot] = INVALID_GRANT_HANDLE;
		if (b->unmap[k].status == GNTST_okay) {
			unmapped++;
			continue;
		}
		gntdev_grants_warn(&b->unmap[k]);
		w->handles[slot] = LOST_HANDLE;
		b->claimed[i] = SLOT_LOST;
		b->ops[i].status = b->unmap[k].status;
	}
	atomic_long_sub(unmapped, &gntdev_counters.handles);
}
