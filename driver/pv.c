// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * PV domains: the hypervisor owns the page tables. A program's entry for a
 * granted page is a grant mapping of its own, which only the hypervisor may
 * write and which must be ended before the kernel would clear it. So an MMU
 * notifier ends the entries whenever the kernel is about to change them, for
 * whatever reason, and a fault makes them again: mprotect, madvise and soft-
 * dirty tracking work, and meanwhile the grants stay mapped by the kernel.
 */
#include "area.h"

/* A page-table entry that the kernel takes for special is not touched by it. */
#define USER_FLAGS (GNTMAP_application_map | (1U << _GNTMAP_guest_avail0))

u32 pv_entry_flags(const struct window *w)
{
	return GNTMAP_host_map | GNTMAP_contains_pte |
	       (w->kernel ? 0 : USER_FLAGS);
}

static bool handle_is_good(grant_handle_t handle)
{
	return handle != INVALID_GRANT_HANDLE && handle != LOST_HANDLE;
}

/* How many entries are there from the first on, up to a batch. */
static u32 good_handles(const struct window *w, u32 first, u32 last)
{
	u32 most = min(last - first, GNTDEV_BATCH), n = 0;

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
int pv_find_entries(struct vm_area_struct *vma, unsigned long addr, u32 n,
		    u64 *ptes)
{
	struct pte_list list = {.next = ptes};

	return apply_to_page_range(vma->vm_mm, addr,
				   (unsigned long)n << PAGE_SHIFT, record_pte,
				   &list);
}

/*
 * Makes the entries first to first + n - 1, of which none is there. Returns
 * -EAGAIN, which no program may see, if a granter has its page paged out.
 */
static int map_ptes(struct window *w, u32 first, u32 n, bool writable)
{
	const struct ioctl_gntdev_grant_ref *grants =
		w->mapping->grants + w->first + first;
	u32 flags = pv_entry_flags(w) | (writable ? 0 : GNTMAP_readonly);
	struct gnttab_map_grant_ref *ops = w->ops.map;
	int err = 0;
	u32 i;

	lockdep_assert_held(&w->lock);

	for (i = 0; i < n; i++)
		gnttab_set_map_op(&ops[i], w->ptes[first + i], flags,
				  grants[i].ref, grants[i].domid);

	/* As for the kernel's mappings: only the statuses count. */
	(void)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, n);

	for (i = 0; i < n; i++) {
		if (ops[i].status == GNTST_okay)
			w->handles[first + i] = ops[i].handle;
		else if (ops[i].status == GNTST_eagain)
			err = err ?: -EAGAIN;
		else if (!err)
			err = grants_status_errno(ops[i].status);
	}

	return err;
}

static void unmap_pte_batch(struct window *w, u32 first, u32 n)
{
	struct gnttab_unmap_grant_ref *ops = w->ops.unmap;
	u32 i;

	for (i = 0; i < n; i++) {
		gnttab_set_unmap_op(&ops[i], w->ptes[first + i],
				    pv_entry_flags(w), w->handles[first + i]);
		ops[i].status = 1;
	}

	(void)HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, ops, n);

	for (i = 0; i < n; i++) {
		w->handles[first + i] = INVALID_GRANT_HANDLE;
		if (ops[i].status == GNTST_okay)
			continue;
		grants_warn(&ops[i]);
		w->handles[first + i] = LOST_HANDLE;
	}
}

/* Ends those of the entries first to last - 1 that are there. */
void pv_end_entries(struct window *w, u32 first, u32 last, bool may_sleep)
{
	u32 i, n;

	lockdep_assert_held(&w->lock);

	for (i = first; i < last; i += n) {
		n = good_handles(w, i, last);
		if (n)
			unmap_pte_batch(w, i, n);
		else
			n = 1;
		if (may_sleep)
			cond_resched();
	}
}

/*
 * Whether grants must stay mapped when a program's entries go. They come back
 * unless it is the end: a munmap, which takes all of them, or that of the
 * process. And a byte to be cleared is cleared before its page is unmapped.
 */
static bool must_stay(struct window *w, const struct mmu_notifier_range *range)
{
	struct mapping *m = w->mapping;

	if (range->event != MMU_NOTIFY_UNMAP &&
	    range->event != MMU_NOTIFY_RELEASE)
		return true;
	if (!m->range || !READ_ONCE(m->range->clears))
		return false;

	return range->event != MMU_NOTIFY_UNMAP ||
	       !mmu_notifier_range_blockable(range) ||
	       current->mm != w->notifier.mm || !notify_clear_at(m, w->start);
}

/* The same, and the kernel maps what they map. */
void pv_keep_entries(struct window *w, u32 first, u32 last, bool may_sleep)
{
	u32 i, n;

	lockdep_assert_held(&w->lock);

	for (i = first; i < last; i += max(n, 1U)) {
		n = good_handles(w, i, last);
		if (n)
			(void)grants_ensure(w->mapping, w->first + i, n);
	}
	pv_end_entries(w, first, last, may_sleep);
}

/*
 * The kernel is about to change the program's entries in a part of its address
 * space. It does not say to what; gone is right for all.
 */
static bool pv_invalidate(struct mmu_interval_notifier *notifier,
			  const struct mmu_notifier_range *range,
			  unsigned long seq)
{
	struct window *w = container_of(notifier, struct window, notifier);
	unsigned long end = w->start + ((unsigned long)w->count << PAGE_SHIFT);
	unsigned long from = max(range->start, w->start);
	unsigned long to = min(range->end, end);
	bool may_sleep = mmu_notifier_range_blockable(range);
	u32 first = (from - w->start) >> PAGE_SHIFT;
	u32 last = DIV_ROUND_UP(to - w->start, PAGE_SIZE);
	bool stay = must_stay(w, range);

	/* The out-of-memory reaper may not sleep, and comes again. */
	if (may_sleep)
		mutex_lock(&w->lock);
	else if (!mutex_trylock(&w->lock))
		return false;

	mmu_interval_set_seq(notifier, seq);
	if (stay)
		pv_keep_entries(w, first, last, may_sleep);
	else
		pv_end_entries(w, first, last, may_sleep);
	mutex_unlock(&w->lock);

	return true;
}

static const struct mmu_interval_notifier_ops pv_notifier_ops = {
	.invalidate = pv_invalidate,
};

/**
 * pv_map_entries() - make all entries of a window
 * @w: a window with the addresses of its entries, of which none is there
 *
 * Return: 0 or a negative errno; what was made until a failure is found in @w.
 */
int pv_map_entries(struct window *w)
{
	u32 first, n;
	int err = 0;

	for (first = 0; first < w->count && !err; first += n) {
		n = min(w->count - first, GNTDEV_BATCH);
		mutex_lock(&w->lock);
		err = map_ptes(w, first, n, w->writable);
		mutex_unlock(&w->lock);
		/* The kernel's own windows are nobody's who could be killed. */
		if (!err && first + n < w->count && !w->kernel &&
		    fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}

	return err;
}

/**
 * pv_unmap_entries() - end all entries of a window that are there
 * @w: the window
 *
 * Return: whether all are ended. A page with an entry that is not is marked, so
 * that the kernel's mapping never ends either.
 */
bool pv_unmap_entries(struct window *w)
{
	bool all = true;
	u32 i;

	mutex_lock(&w->lock);
	pv_end_entries(w, 0, w->count, true);
	mutex_unlock(&w->lock);

	for (i = 0; i < w->count; i++) {
		if (w->handles[i] != LOST_HANDLE)
			continue;
		w->mapping->handles[w->first + i] = LOST_HANDLE;
		all = false;
	}

	return all;
}

static void pv_detach(struct window *w)
{
	mmu_interval_notifier_remove(&w->notifier);
	/* The notifier had them all, unless mmap itself failed half-way. */
	pv_unmap_entries(w);
}

/* mmap holds mmap_lock for writing: nobody else looks at this VMA's entries. */
static int populate(struct window *w, struct vm_area_struct *vma)
{
	int err;

	err = pv_find_entries(vma, vma->vm_start, w->count, w->ptes);
	if (err)
		return err;

	/*
	 * While the kernel changes entries anywhere in this address space, as
	 * compaction does without mmap_lock, a new notifier is not told of
	 * anything: not even of a munmap. Wait for the end of that.
	 */
	mmu_interval_read_begin(&w->notifier);

	return pv_map_entries(w);
}

/* The granter has to get its pages first: that is the kernel's to wait for. */
static int populate_patiently(struct window *w, struct vm_area_struct *vma)
{
	int err;

	if (!pv_unmap_entries(w))
		return -EIO;
	/* Of a dma-buf, all are mapped by the kernel. */
	err = w->mapping->range ? grants_map(w->mapping) : 0;
	if (!err)
		err = populate(w, vma);

	return err == -EAGAIN ? -EINVAL : err;
}

static int pv_attach(struct window *w, struct vm_area_struct *vma)
{
	int err;

	err = mmu_interval_notifier_insert_locked(&w->notifier, vma->vm_mm,
						  vma->vm_start,
						  vma->vm_end - vma->vm_start,
						  &pv_notifier_ops);
	/* A signal is pending: mmap is to be done over, unseen. */
	if (err == -EINTR)
		return -ERESTARTNOINTR;
	if (err)
		return err;

	/* Without any access (PROT_NONE), no entry may be there. */
	if (vma->vm_flags & VM_ACCESS_FLAGS)
		err = populate(w, vma);
	if (err == -EAGAIN)
		err = populate_patiently(w, vma);
	if (err)
		pv_detach(w);

	return err;
}

/* Makes an entry again; mmap_lock is held for reading. */
static vm_fault_t pv_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct window *w = vma->vm_private_data;
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long seq;
	u32 i = (addr - vma->vm_start) >> PAGE_SHIFT;
	bool again;
	int err;
	u64 pte;

	if (!w)
		return VM_FAULT_SIGBUS;

	err = pv_find_entries(vma, addr, 1, &pte);
	if (err)
		return vmf_error(err);

	do {
		/* Waits while the kernel changes entries of this VMA. */
		seq = mmu_interval_read_begin(&w->notifier);
		mutex_lock(&w->lock);
		again = mmu_interval_read_retry(&w->notifier, seq);
		if (!again && w->handles[i] == INVALID_GRANT_HANDLE) {
			w->ptes[i] = pte;
			err = map_ptes(w, i, 1, vma->vm_flags & VM_WRITE);
		} else if (!again && w->handles[i] == LOST_HANDLE) {
			err = -EIO;
		}
		mutex_unlock(&w->lock);
	} while (again);

	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/*
 * The page behind an entry, for those who read or pin it; they hold mmap_lock
 * for reading, and the page table's lock. A writer is after the entry: clear_refs
 * takes the accessed bit from it by a plain write, of which no notifier is told.
 * The hypervisor refuses that where the page is another domain's, and the kernel
 * would die of it.
 */
static struct page *pv_special_page(struct vm_area_struct *vma,
				    unsigned long addr)
{
	struct window *w = vma->vm_private_data;
	u32 i;

	if (!w || mmap_is_write_locked(vma->vm_mm))
		return NULL;

	i = w->first + ((addr - vma->vm_start) >> PAGE_SHIFT);
	return grants_ensure(w->mapping, i, 1) ? NULL : w->mapping->pages[i];
}

static const struct vm_operations_struct pv_vm_ops = {
	.open = mapping_open,
	.close = mapping_close,
	.may_split = mapping_may_split,
	.fault = pv_fault,
	.find_special_page = pv_special_page,
};

/*
 * The hypervisor's entries do not move. They are gone by now, as the notifier
 * was called, and come back by faults where they were. (Of a range, mremap is
 * refused earlier, by mapping_area().)
 */
static int pv_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct pv_buffer_vm_ops = {
	.open = window_open,
	.close = window_close,
	.may_split = mapping_may_split,
	.mremap = pv_mremap,
	.fault = pv_fault,
	.find_special_page = pv_special_page,
};

const struct mode pv_mode = {
	.name = "pv",
	.user_grants = true,
	.vm_flags = VM_DONTCOPY,
	.vm_ops = &pv_vm_ops,
	.buffer_vm_ops = &pv_buffer_vm_ops,
	.area_vm_ops = &area_pv_vm_ops,
	.attach = pv_attach,
	.area_attach = area_pv_attach,
	.detach = pv_detach,
};
