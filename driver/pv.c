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

/*
 * The kernel is about to change the program's entries in a part of its address
 * space. It does not say to what; gone is right for all.
 */
static bool pv_invalidate(struct mmu_interval_notifier *notifier,
			  const struct mmu_notifier_range *range,
			  unsigned long seq)
{
	struct window *w = container_of(notifier, struct window, notifier);
	bool may_sleep = mmu_notifier_range_blockable(range);
	/*
	 * Entries come back, and until then the kernel maps what they did, but
	 * at the end: a munmap, which takes all of them, or that of the process.
	 */
	bool end_of_all = range->event == MMU_NOTIFY_UNMAP ||
			  range->event == MMU_NOTIFY_RELEASE;
	bool done = true;
	u32 first, last;

	if (!gntdev_pv_stop(w, range, &first, &last))
		return false;

	mmu_interval_set_seq(notifier, seq);
	if (end_of_all) {
		w->ending = true;
		gntdev_pv_end_entries(w, first, last, may_sleep);
	} else {
		done = gntdev_pv_keep_entries(w, first, last, may_sleep);
	}
	mutex_unlock(&w->lock);

	return done;
}

static const struct mmu_interval_notifier_ops pv_notifier_ops = {
	.invalidate = pv_invalidate,
};

static void pv_detach(struct window *w)
{
	gntdev_suspend_remove(w);
	mmu_interval_notifier_remove(&w->notifier);
	/* The notifier had them all, unless mmap itself failed half-way. */
	gntdev_pv_unmap_entries(w);
	gntdev_reserve_look_after();
}

/* mmap holds mmap_lock for writing: nobody else looks at this VMA's entries. */
static int populate(struct window *w, struct vm_area_struct *vma)
{
	int err;

	err = gntdev_pv_find_entries(vma, vma->vm_start, w->count, w->ptes);
	if (err)
		return err;

	/*
	 * While the kernel changes entries anywhere in this address space, as
	 * compaction does without mmap_lock, a new notifier is not told of
	 * anything: not even of a munmap. Wait for the end of that.
	 */
	mmu_interval_read_begin(&w->notifier);

	return gntdev_pv_map_entries(w);
}

/*
 * A page with a byte to be cleared is mapped by the kernel from the arming on:
 * at its end there may be no handle, and no time. w->lock is held. Returns
 * -EBUSY if the page is just being unmapped.
 */
static int pv_arm(struct window *w, u32 i)
{
	lockdep_assert_held(&w->lock);

	if (handle_is_good(w->mapping->handles[w->first + i]))
		return 0;
	if (handle_is_good(w->handles[i]))
		return gntdev_grants_ensure(w, i, 1);

	return w->ending ? -EBUSY : -EIO;
}

/* The pages that were armed before mmap; while it lasts, no more come. */
static int arm_all(struct window *w)
{
	const struct notify *notify = w->mapping->range->notify;
	int err = 0;
	u32 i;

	mutex_lock(&w->lock);
	for (i = 0; i < w->count && !err; i++) {
		if (notify[i].action & UNMAP_NOTIFY_CLEAR_BYTE)
			err = pv_arm(w, i);
	}
	mutex_unlock(&w->lock);

	return err;
}

static int pv_attach(struct window *w, struct vm_area_struct *vma)
{
	struct grant_range *range = w->mapping->range;
	int err;

	w->ending = false;
	err = mmu_interval_notifier_insert_locked(&w->notifier, vma->vm_mm,
						  vma->vm_start,
						  vma->vm_end - vma->vm_start,
						  &pv_notifier_ops);
	/* A signal is pending: mmap is to be done over, unseen. */
	if (err == -EINTR)
		return -ERESTARTNOINTR;
	if (err)
		return err;

	gntdev_suspend_add(w);
	/* Without any access (PROT_NONE), no entry may be there. */
	if (vma->vm_flags & VM_ACCESS_FLAGS)
		err = populate(w, vma);
	if (!err && range && range->clears)
		err = arm_all(w);
	if (err)
		pv_detach(w);

	return err;
}

/* At the address of its page-table entry; it may be there, or lost. */
static int make_entry(struct window *w, u32 i, u64 pte, bool writable)
{
	if (w->handles[i] == LOST_HANDLE)
		return -EIO;
	if (w->handles[i] != INVALID_GRANT_HANDLE)
		return 0;

	w->ptes[i] = pte;

	return gntdev_pv_map_entry(w, i, writable);
}

/*
 * Makes an entry again, unless it has come back, or is lost. Where the hypervisor
 * has no handle, or the page is the granter's to get first, the access is made
 * again and again, until that has changed or the program is killed.
 */
static vm_fault_t fault_in(struct window *w, struct vm_area_struct *vma, u32 i)
{
	unsigned long addr = vma->vm_start + ((unsigned long)i << PAGE_SHIFT);
	unsigned long seq;
	bool again, found;
	int err = 0;
	u64 pte;

	do {
		/*
		 * Waits while the kernel changes entries of this VMA. It may free
		 * an empty table then, so only from here on the table is ours; one
		 * that goes while it is looked for is no lack of memory.
		 */
		seq = mmu_interval_read_begin(&w->notifier);
		found = !gntdev_pv_find_entries(vma, addr, 1, &pte);
		mutex_lock(&w->lock);
		again = mmu_interval_read_retry(&w->notifier, seq);
		if (!again && found)
			err = make_entry(w, i, pte, vma->vm_flags & VM_WRITE);
		mutex_unlock(&w->lock);
	} while (again);

	if (!found)
		return VM_FAULT_OOM;
	if (err == -EAGAIN || err == -ENOMEM) {
		schedule_timeout_killable(1);
		err = 0;
	}

	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/* mmap_lock is held for reading. */
static vm_fault_t pv_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct window *w = vma->vm_private_data;
	unsigned long addr = vmf->address & PAGE_MASK;

	/* Without any access, it is a debugger's look: see pv_access(). */
	if (!w || !(vma->vm_flags & VM_ACCESS_FLAGS))
		return VM_FAULT_SIGBUS;

	return fault_in(w, vma, (addr - vma->vm_start) >> PAGE_SHIFT);
}

/*
 * A debugger's look at what the program itself has no access to, so that there
 * is no entry: by the kernel's mapping. Returns how many bytes, or an errno.
 */
static int pv_access(struct vm_area_struct *vma, unsigned long addr, void *buf,
		     int len, int write)
{
	struct window *w = vma->vm_private_data;
	u32 offset = addr & ~PAGE_MASK;
	struct mapping *m;
	u32 i;

	if (!w || vma->vm_flags & VM_ACCESS_FLAGS)
		return -EFAULT;
	/* What the program could not write, nobody can for it. */
	if (write)
		return -EACCES;

	m = w->mapping;
	i = w->first + ((addr - vma->vm_start) >> PAGE_SHIFT);
	len = min_t(u32, len, PAGE_SIZE - offset);
	spin_lock(&m->lock);
	if (handle_is_good(m->handles[i]))
		memcpy_from_page(buf, m->pages[i], offset, len);
	else
		len = -EFAULT;
	spin_unlock(&m->lock);

	return len;
}

/*
 * The page behind an entry, for those who read or pin it; they hold mmap_lock
 * for reading, and the page table's lock. Of an entry that is lost nobody may
 * take the page, nor give up what he never took.
 *
 * A writer is after the entry: clear_refs takes the accessed bit from it by a
 * plain write, of which no notifier is told. The hypervisor refuses that where
 * the page is another domain's, and the kernel would die of it. Callers do not
 * say who they are, and clear_refs leaves alone only VMAs of frames (VM_PFNMAP),
 * of which nobody could pin a page. In the kernel's own tree it would have to
 * learn to leave special entries alone; from here, how mmap_lock is held is the
 * one thing that tells it from all others.
 *
 * That the kernel's mapping is made here, for smaps too and whoever else reads,
 * is the price of not making it for each page of each mmap, which would double
 * what those cost: who pins a page finds an entry, which is no fault, and has no
 * other call into a driver than this one. It is done once a page.
 */
static struct page *pv_special_page(struct vm_area_struct *vma,
				    unsigned long addr)
{
	struct window *w = vma->vm_private_data;
	u32 i;

	if (!w || mmap_is_write_locked(vma->vm_mm))
		return NULL;

	i = (addr - vma->vm_start) >> PAGE_SHIFT;
	return gntdev_grants_ensure(w, i, 1) ? NULL
					     : w->mapping->pages[w->first + i];
}

static const struct vm_operations_struct pv_vm_ops = {
	.open = gntdev_mapping_open,
	.close = gntdev_mapping_close,
	.may_split = gntdev_mapping_may_split,
	.fault = pv_fault,
	.access = pv_access,
	.find_special_page = pv_special_page,
};

/*
 * The hypervisor's entries do not move. They are gone by now, as the notifier
 * was called, and come back by faults where they were. (Of a range, mremap is
 * refused earlier, by gntdev_mapping_area().)
 */
static int pv_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct pv_buffer_vm_ops = {
	.open = gntdev_window_open,
	.close = gntdev_window_close,
	.may_split = gntdev_mapping_may_split,
	.mremap = pv_mremap,
	.fault = pv_fault,
	.access = pv_access,
	.find_special_page = pv_special_page,
};

const struct mode gntdev_pv_mode = {
	.name = "pv",
	.user_grants = true,
	.vm_flags = VM_DONTCOPY,
	.vm_ops = &pv_vm_ops,
	.buffer_vm_ops = &pv_buffer_vm_ops,
	.area_vm_ops = &gntdev_area_pv_vm_ops,
	.attach = pv_attach,
	.area_attach = gntdev_area_pv_attach,
	.detach = pv_detach,
	.arm = pv_arm,
};
