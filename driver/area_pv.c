// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Areas in PV domains. A slot's grant is mapped by the program's entry for it,
 * whose machine address is looked up once, and again when the MMU notifier was
 * called for it: page tables may be others then.
 */
#include "area.h"

static struct area *area_of(const struct window *w)
{
	return w->mapping->range->area;
}

/* Whether the address of a slot's entry is known; 0 is none. */
bool gntdev_area_pv_knows(const struct mapping *m, u32 slot)
{
	return m->window.ptes[slot];
}

/* Notifications with a byte need the page to be there until the end. */
static bool must_stay(const struct window *w,
		      const struct mmu_notifier_range *range)
{
	return (range->event != MMU_NOTIFY_UNMAP &&
		range->event != MMU_NOTIFY_RELEASE) ||
	       READ_ONCE(w->mapping->range->clears);
}

/* Keeps everybody away from the entries; false if that would take a while. */
static bool area_stop(struct window *w, unsigned long seq, bool may_sleep)
{
	struct area *area = area_of(w);
	bool busy;

	spin_lock(&area->lock);
	busy = area->in_flight;
	if (may_sleep || !busy) {
		mmu_interval_set_seq(&w->notifier, seq);
		area->valid = false;
	}
	spin_unlock(&area->lock);

	if (busy && may_sleep)
		gntdev_area_wait(area, &area->in_flight);

	return may_sleep || !busy;
}

/*
 * Where entries are no more, their page table may go. Of one that was left it is
 * where it was, and has to be known when the notifier comes again to end it.
 */
static void forget_ended(struct window *w, u32 first, u32 last)
{
	struct area *area = area_of(w);

	spin_lock(&area->lock);
	for (; first < last; first++) {
		if (!handle_is_good(w->handles[first]))
			w->ptes[first] = 0;
	}
	spin_unlock(&area->lock);
}

/* The kernel is about to change entries, or page tables. */
static bool area_invalidate(struct mmu_interval_notifier *notifier,
			    const struct mmu_notifier_range *range,
			    unsigned long seq)
{
	struct window *w = container_of(notifier, struct window, notifier);
	bool may_sleep = mmu_notifier_range_blockable(range);
	bool done = true;
	u32 first, last;

	if (!gntdev_pv_stop(w, range, &first, &last))
		return false;

	if (!area_stop(w, seq, may_sleep)) {
		mutex_unlock(&w->lock);
		return false;
	}
	if (must_stay(w, range))
		done = gntdev_pv_keep_entries(w, first, last, may_sleep);
	else
		gntdev_pv_end_entries(w, first, last, may_sleep);
	forget_ended(w, first, last);
	mutex_unlock(&w->lock);

	return done;
}

static const struct mmu_interval_notifier_ops area_notifier_ops = {
	.invalidate = area_invalidate,
};

/* mmap: no entry is made, but the page tables are. */
int gntdev_area_pv_attach(struct window *w, struct vm_area_struct *vma)
{
	int err;

	err = mmu_interval_notifier_insert_locked(&w->notifier, vma->vm_mm,
						  vma->vm_start,
						  vma->vm_end - vma->vm_start,
						  &area_notifier_ops);
	if (err)
		return err == -EINTR ? -ERESTARTNOINTR : err;

	err = gntdev_pv_find_entries(vma, vma->vm_start, w->count, w->ptes);
	if (err) {
		mmu_interval_notifier_remove(&w->notifier);
		return err;
	}
	/* A new notifier is not told of what is under way; see populate(). */
	mmu_interval_read_begin(&w->notifier);
	gntdev_suspend_add(w);

	return 0;
}

/* The domain is suspended: page tables may be elsewhere when it goes on. */
void gntdev_area_pv_forget(struct window *w)
{
	struct area *area = area_of(w);

	spin_lock(&area->lock);
	memset(w->ptes, 0, w->count * sizeof(w->ptes[0]));
	area->valid = false;
	spin_unlock(&area->lock);
}

/* Which of the slots have entries that are not known: a 1 in @b. */
static void mark_unknown(struct area *area, const struct window *w,
			 struct area_batch *b, u32 n)
{
	u32 i, slot;

	spin_lock(&area->lock);
	for (i = 0; i < n; i++) {
		slot = b->ops[i].slot;
		b->ptes[i] = slot < w->count && !w->ptes[slot];
	}
	spin_unlock(&area->lock);
}

static int find_marked(struct vm_area_struct *vma, struct area_batch *b, u32 n)
{
	unsigned long at;
	int err = 0;
	u32 i;

	for (i = 0; i < n && !err; i++) {
		at = vma->vm_start +
		     ((unsigned long)b->ops[i].slot << PAGE_SHIFT);
		if (b->ptes[i])
			err = gntdev_pv_find_entries(vma, at, 1, &b->ptes[i]);
	}

	return err;
}

/* In sight of the VMA, with mmap_lock. */
static int look_up_slots(struct area *area, struct vm_area_struct *vma,
			 struct area_batch *b, u32 n)
{
	struct window *w = vma->vm_private_data;
	unsigned long seq;
	bool again;
	int err;
	u32 i;

	do {
		seq = mmu_interval_read_begin(&w->notifier);
		mark_unknown(area, w, b, n);
		/* A table that goes meanwhile is no lack of memory. */
		err = find_marked(vma, b, n);

		spin_lock(&area->lock);
		again = mmu_interval_read_retry(&w->notifier, seq);
		for (i = 0; i < n && !again && !err; i++) {
			/* Another thread may have been quicker. */
			if (b->ptes[i] && !w->ptes[b->ops[i].slot])
				w->ptes[b->ops[i].slot] = b->ptes[i];
		}
		if (!again && !err) {
			area->access = vma->vm_flags & VM_ACCESS_FLAGS;
			area->valid = true;
		}
		spin_unlock(&area->lock);
	} while (again);

	return err;
}

/* The address space of an area, with a reference; NULL if it is going. */
static struct mm_struct *area_mm(struct area *area, unsigned long *start)
{
	struct mm_struct *mm = NULL;

	spin_lock(&area->lock);
	if (area->mapping) {
		mm = area->mapping->window.notifier.mm;
		*start = area->mapping->window.start;
		if (!mmget_not_zero(mm))
			mm = NULL;
	}
	spin_unlock(&area->lock);

	return mm;
}

/**
 * gntdev_area_pv_look_up() - find the entries of slots, and what access a program has
 * @area: the area; the caller has claimed nothing
 * @b: a batch
 * @n: of the first so many operations of it, bad ones may be among them
 *
 * Return: 0, and it may be tried again; -EINVAL if the area is not mmapped any
 * more; -ENOMEM.
 */
int gntdev_area_pv_look_up(struct area *area, struct area_batch *b, u32 n)
{
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	unsigned long start;
	struct window *w;
	int err = -EINVAL;

	mm = area_mm(area, &start);
	if (!mm)
		return -EINVAL;

	mmap_read_lock(mm);
	vma = find_vma(mm, start);
	if (vma && vma->vm_start == start &&
	    vma->vm_ops == &gntdev_area_pv_vm_ops) {
		w = vma->vm_private_data;
		if (w && area_of(w) == area)
			err = look_up_slots(area, vma, b, n);
	}
	mmap_read_unlock(mm);
	mmput(mm);

	return err;
}

/* Slots are claimed, and their entries stay where they are. */
void gntdev_area_pv_map(struct area *area, struct mapping *m,
			struct area_batch *b)
{
	struct window *w = &m->window;
	const struct gntdev_area_op *op;
	u32 i, flags, mapped = 0;

	for (i = 0; i < b->n; i++) {
		op = &b->ops[i];
		flags = gntdev_pv_entry_flags(w);
		if (entry_is_readonly(op) || !(b->access & VM_WRITE))
			flags |= GNTMAP_readonly;
		gnttab_set_map_op(&b->map[i], w->ptes[op->slot], flags, op->ref,
				  op->domid);
		b->map[i].status = 1;
	}

	(void)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, b->map, b->n);

	for (i = 0; i < b->n; i++) {
		if (b->map[i].status != GNTST_okay)
			continue;
		w->handles[b->ops[i].slot] = b->map[i].handle;
		mapped++;
	}
	atomic_long_add(mapped, &gntdev_counters.handles);
}

/*
 * Claims a slot for a fault. Returns 0; -EAGAIN if the entry is there or another
 * fault makes it; or -EFAULT if there is nothing to be seen.
 */
static int claim_fault(struct area *area, struct window *w, u32 slot)
{
	u8 *state = &area->states[slot];

	if (*state == SLOT_FAULTING)
		return -EAGAIN;
	if (!slot_is_mapped(*state) || w->handles[slot] == LOST_HANDLE)
		return -EFAULT;
	if (w->handles[slot] != INVALID_GRANT_HANDLE)
		return -EAGAIN;

	*state = SLOT_FAULTING;
	area->in_flight++;

	return 0;
}

static int map_one(struct window *w, u32 slot, u64 pte, bool writable)
{
	struct ioctl_gntdev_grant_ref *grant = &w->mapping->range->grants[slot];
	struct gnttab_map_grant_ref op;
	u32 flags = gntdev_pv_entry_flags(w);

	if (!writable || grant->domid & GRANT_READONLY)
		flags |= GNTMAP_readonly;
	gnttab_set_map_op(&op, pte, flags, grant->ref, domid_of(grant));
	op.status = 1;
	/* Who finds the entry waits until its handle is known. */
	spin_lock(&w->mapping->lock);
	(void)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
	if (op.status == GNTST_okay) {
		w->handles[slot] = op.handle;
		atomic_long_inc(&gntdev_counters.handles);
	}
	spin_unlock(&w->mapping->lock);

	return gntdev_grants_status_errno(op.status);
}

/* Makes an entry again that the notifier has ended. */
static vm_fault_t area_pv_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct window *w = vma->vm_private_data;
	unsigned long seq, addr = vmf->address & PAGE_MASK;
	u32 slot = (addr - vma->vm_start) >> PAGE_SHIFT;
	struct area *area;
	int err, lack;
	bool again;
	u64 pte;

	/* Without any access, it is a debugger's look, and no entry may be. */
	if (!w || !(vma->vm_flags & VM_ACCESS_FLAGS))
		return VM_FAULT_SIGBUS;
	area = area_of(w);

	do {
		seq = mmu_interval_read_begin(&w->notifier);
		lack = gntdev_pv_find_entries(vma, addr, 1, &pte);
		err = lack;
		spin_lock(&area->lock);
		again = mmu_interval_read_retry(&w->notifier, seq);
		if (!again && !err)
			err = claim_fault(area, w, slot);
		if (!again && !err)
			w->ptes[slot] = pte;
		spin_unlock(&area->lock);
	} while (again);

	if (lack)
		return vmf_error(lack);

	if (!err) {
		err = map_one(w, slot, pte, vma->vm_flags & VM_WRITE);
		spin_lock(&area->lock);
		area->states[slot] = SLOT_MAPPED;
		area->in_flight--;
		gntdev_area_wake(area);
		spin_unlock(&area->lock);
	} else if (err == -EAGAIN) {
		/* If it is killed, it need not see anything. */
		(void)gntdev_area_wait_slot(area, slot);
		err = 0;
	}

	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/*
 * An entry that is there but not writable, where the program may write: the grant
 * was mapped read-only. The hypervisor's entry is not the kernel's to change.
 */
static vm_fault_t area_pv_write(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

/* The page behind an entry: see pv_special_page(). */
static struct page *area_pv_special_page(struct vm_area_struct *vma,
					 unsigned long addr)
{
	u32 slot = (addr - vma->vm_start) >> PAGE_SHIFT;
	struct window *w = vma->vm_private_data;
	struct page *page = NULL;
	struct area *area;

	if (!w || mmap_is_write_locked(vma->vm_mm))
		return NULL;

	area = area_of(w);
	spin_lock(&area->lock);
	area->looked_at = true;
	if (slot_is_mapped(area->states[slot]) ||
	    area->states[slot] == SLOT_FAULTING)
		page = handle_is_good(w->mapping->handles[slot]) ||
				       !gntdev_grants_ensure(w, slot, 1)
			       ? w->mapping->pages[slot]
			       : NULL;
	spin_unlock(&area->lock);

	return page;
}

const struct vm_operations_struct gntdev_area_pv_vm_ops = {
	.open = gntdev_mapping_open,
	.close = gntdev_mapping_close,
	.may_split = gntdev_mapping_may_split,
	.fault = area_pv_fault,
	.page_mkwrite = area_pv_write,
	.pfn_mkwrite = area_pv_write,
	.find_special_page = area_pv_special_page,
};
