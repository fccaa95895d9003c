// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* madvise, mremap, clear_refs, the reaper, fork's copy, a program's accesses. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "calls.h"
#include "files.h"
#include "pages.h"
#include "../xen/xen.h"

/* ---- madvise ---- */

/* Clears a part's entries, for @event; false if a notifier could not. */
static bool clear_entries(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, bool blockable)
{
	bool told;

	start = max(start, vma->vm_start);
	end = min(end, vma->vm_end);
	told = notify_begin(vma->vm_mm, start, end, MMU_NOTIFY_CLEAR,
			    blockable);
	if (told)
		zap(vma, start, end);
	notify_end(vma->vm_mm);

	return told;
}

/* Advice that changes a VMA's flags: whole VMAs, or they are parted. */
static int advise_flags(struct vm_area_struct *vma, unsigned long start,
			unsigned long end, int advice)
{
	unsigned long flags = vma->vm_flags;
	int err = 0;

	switch (advice) {
	case MADV_DONTFORK:
		flags |= VM_DONTCOPY;
		break;
	case MADV_DOFORK:
		if (flags & VM_IO)
			return -EINVAL;
		flags &= ~VM_DONTCOPY;
		break;
	case MADV_DONTDUMP:
		flags |= VM_DONTDUMP;
		break;
	case MADV_DODUMP:
		return -EINVAL;
	}
	if (flags == vma->vm_flags)
		return 0;
	/* No part of a driver's VMA has flags of its own in this model. */
	if (start > vma->vm_start || end < vma->vm_end) {
		if (vma->vm_ops && vma->vm_ops->may_split)
			err = vma->vm_ops->may_split(vma,
						     max(start, vma->vm_start));
		return err ? err : -EINVAL;
	}
	vma->vm_flags = flags;

	return 0;
}

/* Pages that may not be reached so cannot be fetched for it. */
static int populate(const struct vm_area_struct *vma, bool write)
{
	if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return -EINVAL;

	return vma->vm_flags & (write ? VM_WRITE : VM_READ) ? 0 : -EINVAL;
}

static int advise(struct vm_area_struct *vma, unsigned long start,
		  unsigned long end, int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_KEEPONFORK:
		return 0;
	case MADV_POPULATE_READ:
		return populate(vma, false);
	case MADV_POPULATE_WRITE:
		return populate(vma, true);
	case MADV_DONTNEED:
		if (vma->vm_flags & VM_LOCKED)
			return -EINVAL;
		/* fallthrough */
	case MADV_DONTNEED_LOCKED:
		if (vma->vm_flags & VM_PFNMAP)
			return -EINVAL;
		clear_entries(vma, start, end, true);
		return 0;
	case MADV_REMOVE:
		return vma->vm_flags & VM_WRITE ? -ENODEV : -EACCES;
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return advise_flags(vma, start, end, advice);
	default:
		return -EINVAL;
	}
}

/* Others may fault pages in while entries are cleared, as in the kernel. */
static bool advice_shares_lock(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_REMOVE:
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_FREE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return true;
	default:
		return false;
	}
}

int task_madvise(struct task *task, unsigned long addr, size_t len, int advice)
{
	bool shared = advice_shares_lock(advice);
	struct vm_area_struct *vma;
	struct context c;
	int err = 0;

	len = (len + PAGE_SIZE - 1) & PAGE_MASK;
	if (addr & ~PAGE_MASK || addr + len < addr)
		return -EINVAL;

	call_begin(&c, task, NULL);
	if (shared)
		down_read(&task->mm->mmap_lock);
	else
		down_write(&task->mm->mmap_lock);
	for (vma = find_vma(task->mm, addr);
	     vma && vma->vm_start < addr + len && !err; vma = vma_next(vma))
		err = advise(vma, addr, addr + len, advice);
	if (shared)
		up_read(&task->mm->mmap_lock);
	else
		up_write(&task->mm->mmap_lock);
	fault_in(task->mm, addr, addr + len);
	call_end(&c);

	return err;
}

/* ---- mremap ---- */

/* Entries go to another VMA; none may be the hypervisor's. */
static void move_entries(struct vm_area_struct *from, struct vm_area_struct *to)
{
	unsigned long i;

	notify_begin(from->vm_mm, from->vm_start, from->vm_end,
		     MMU_NOTIFY_UNMAP, true);
	hypervisor_lock();
	for (i = 0; i < vma_pages(from); i++) {
		pte_changes(&from->ptes[i], "moves");
		to->ptes[i] = from->ptes[i];
		from->ptes[i] = (pte_t){.kind = PTE_NONE};
	}
	hypervisor_unlock();
	notify_end(from->vm_mm);
}

/* To a new VMA; what the driver says to that. */
static int move_vma(struct vm_area_struct *vma, unsigned long new_addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm_area_struct *new;
	int err = 0;

	new = vma_new(mm, new_addr, new_addr + vma->vm_end - vma->vm_start,
		      vma->vm_flags);
	if (!new)
		return -ENOMEM;
	new->vm_pgoff = vma->vm_pgoff;
	new->vm_file = vma->vm_file;
	new->vm_ops = vma->vm_ops;
	new->vm_private_data = vma->vm_private_data;
	get_file(new->vm_file);
	if (new->vm_ops &&new->vm_ops->open)
		new->vm_ops->open(new);

	move_entries(vma, new);
	vma_insert(new);
	if (new->vm_ops &&new->vm_ops->mremap)
		err = new->vm_ops->mremap(new);
	if (err)
		move_entries(new, vma);

	return err;
}

/* What a program may ask for all the same. */
static int not_modelled(const char *what)
{
	pr_err("%s is not modelled\n", what);

	return -EINVAL;
}

/* To another place: what a driver has a say in. */
static long remap_to(struct vm_area_struct *vma, unsigned long addr, size_t len,
		     int flags, unsigned long new_addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct file *file = vma->vm_file;
	unsigned long at = new_addr;
	int err = 0;

	if (file->f_op->get_unmapped_area)
		at = file->f_op->get_unmapped_area(file, new_addr, len,
						   vma->vm_pgoff,
						   flags & MREMAP_FIXED
							   ? MAP_FIXED
							   : 0);
	if (IS_ERR((void *)at))
		return (long)at;
	if (addr != vma->vm_start || addr + len != vma->vm_end) {
		if (vma->vm_ops && vma->vm_ops->may_split)
			err = vma->vm_ops->may_split(vma, addr);
		if (err)
			return err;
		return not_modelled("mremap of a part of a device's VMA");
	}
	if (!at)
		return not_modelled("mremap that chooses the address");
	if (unmap_part(mm, at, at + len))
		return -ENOMEM;
	err = move_vma(vma, at);
	/* What the driver refuses goes back, and the new VMA goes. */
	if (err) {
		unmap_part(mm, at, at + len);
		return err;
	}
	err = unmap_part(mm, addr, addr + len);

	return err ? err : (long)at;
}

static long remap(struct vm_area_struct *vma, unsigned long addr,
		  size_t old_len, size_t new_len, int flags,
		  unsigned long new_addr)
{
	int err = 0;

	/* Shared VMAs of a device know no DONTUNMAP. */
	if (flags & MREMAP_DONTUNMAP)
		return -EINVAL;
	if (addr + old_len > vma->vm_end)
		return -EFAULT;
	if (new_len > old_len && vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP))
		return -EFAULT;
	if (new_len > old_len)
		return not_modelled("mremap that lets a device's VMA grow");
	if (old_len > new_len)
		err = unmap_part(vma->vm_mm, addr + new_len, addr + old_len);
	if (err)
		return err;
	if (!(flags & MREMAP_FIXED))
		return (long)addr;

	return remap_to(vma, addr, new_len, flags, new_addr);
}

long task_mremap(struct task *task, unsigned long addr, size_t old_len,
		 size_t new_len, int flags, unsigned long new_addr)
{
	struct vm_area_struct *vma;
	struct context c;
	long ret = -EFAULT;

	old_len = (old_len + PAGE_SIZE - 1) & PAGE_MASK;
	new_len = (new_len + PAGE_SIZE - 1) & PAGE_MASK;
	if (addr & ~PAGE_MASK || !new_len ||
	    flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) ||
	    (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) &&
	     !(flags & MREMAP_MAYMOVE)) ||
	    (flags & MREMAP_FIXED && new_addr & ~PAGE_MASK))
		return -EINVAL;

	call_begin(&c, task, NULL);
	down_write(&task->mm->mmap_lock);
	vma = find_vma(task->mm, addr);
	if (vma && vma->vm_start <= addr)
		ret = remap(vma, addr, old_len, new_len, flags, new_addr);
	up_write(&task->mm->mmap_lock);
	call_end(&c);

	return ret;
}

/* ---- page-table walks of the kernel's own ---- */

/*
 * A plain write to each entry whose page the driver tells: the hypervisor
 * refuses it for another domain's page, and a real kernel dies.
 */
static void clear_accessed(struct vm_area_struct *vma)
{
	unsigned long i;

	atomic_begin("a page table's lock is held");
	for (i = 0; i < vma_pages(vma); i++) {
		if (vma->ptes[i].kind == PTE_GRANT &&
		    vma->vm_ops->find_special_page(vma,
						   vma->vm_start +
							   (i << PAGE_SHIFT)))
			machine_fatal("clear_refs writes to a grant's entry");
	}
	atomic_end();
}

int task_clear_refs(struct task *task, int what)
{
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma;
	struct context c;
	unsigned long i;

	if (what < 1 || what > 5)
		return -EINVAL;

	call_begin(&c, task, NULL);
	down_write(&mm->mmap_lock);
	/* Only for soft-dirty bits are entries taken away from writers. */
	if (what == 4)
		notify_begin(mm, 0, ULONG_MAX, MMU_NOTIFY_SOFT_DIRTY, true);
	hypervisor_lock();
	for (vma = find_vma(mm, 0); vma && what == 4; vma = vma_next(vma)) {
		for (i = 0; i < vma_pages(vma); i++) {
			pte_changes(&vma->ptes[i], "write-protects");
			vma->ptes[i].writable = false;
		}
	}
	hypervisor_unlock();
	for (vma = find_vma(mm, 0); vma && what < 4; vma = vma_next(vma))
		clear_accessed(vma);
	if (what == 4)
		notify_end(mm);
	up_write(&mm->mmap_lock);
	fault_in(mm, 0, ULONG_MAX);
	call_end(&c);

	return 0;
}

/*
 * Today's kernels spare shared VMAs when they reap; that a notifier may not
 * sleep is in the contract all the same.
 */
int task_reap(struct task *task)
{
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma;
	struct context c;
	bool all = true;

	call_begin(&c, task, NULL);
	down_read(&mm->mmap_lock);
	for (vma = find_vma(mm, 0); vma; vma = vma_next(vma))
		all &= clear_entries(vma, vma->vm_start, vma->vm_end, false);
	up_read(&mm->mmap_lock);
	call_end(&c);

	return all ? 0 : -EAGAIN;
}

void task_invalidate_during(struct task *task, unsigned long addr, size_t len,
			    void (*meanwhile)(void *arg), void *arg)
{
	struct context c;

	call_begin(&c, task, NULL);
	notify_begin(task->mm, addr, addr + len, MMU_NOTIFY_CLEAR, true);
	if (meanwhile)
		meanwhile(arg);
	notify_end(task->mm);
	call_end(&c);
}

void task_invalidate(struct task *task, unsigned long addr, size_t len)
{
	task_invalidate_during(task, addr, len, NULL, NULL);
}

/* ---- fork ---- */

static int copy_vma(struct vm_area_struct *old, struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	unsigned long i;

	vma = vma_new(mm, old->vm_start, old->vm_end, old->vm_flags);
	if (!vma)
		return -ENOMEM;
	vma->vm_pgoff = old->vm_pgoff;
	vma->vm_file = old->vm_file;
	vma->vm_ops = old->vm_ops;
	vma->vm_private_data = old->vm_private_data;
	get_file(vma->vm_file);
	if (vma->vm_ops && vma->vm_ops->open)
		vma->vm_ops->open(vma);
	vma_insert(vma);

	/* Others are left to be faulted in. */
	if (!(old->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)))
		return 0;
	hypervisor_lock();
	for (i = 0; i < vma_pages(old); i++) {
		vma->ptes[i] = old->ptes[i];
		if (old->ptes[i].kind == PTE_PAGE) {
			get_page(old->ptes[i].page);
			old->ptes[i].page->maps++;
		}
		if (old->ptes[i].kind == PTE_GRANT)
			machine_fatal(
				"fork copies a grant mapping of the hypervisor's");
	}
	hypervisor_unlock();

	return 0;
}

int copy_mm(struct mm_struct *from, struct mm_struct *to)
{
	struct vm_area_struct *vma;
	int err = 0;

	down_write(&from->mmap_lock);
	for (vma = find_vma(from, 0); vma && !err; vma = vma_next(vma)) {
		if (!(vma->vm_flags & VM_DONTCOPY))
			err = copy_vma(vma, to);
	}
	up_write(&from->mmap_lock);

	return err;
}

/* ---- the program's own accesses ---- */

static int access_page(struct mm_struct *mm, unsigned long addr, void *buf,
		       size_t size, bool write)
{
	struct vm_area_struct *vma = find_vma(mm, addr);
	struct domain *owner;
	unsigned long pfn;
	unsigned char *at;
	bool writable;
	int err;

	if (!vma || vma->vm_start > addr)
		return -EFAULT;
	/* An entry that a notifier takes away meanwhile is faulted in again. */
	do {
		err = vma_fault(vma, addr, write);
		if (err)
			return err;
	} while (!vma_frame(vma, (addr - vma->vm_start) >> PAGE_SHIFT,
			    &writable, &owner, &pfn));
	at = domain_memory(owner) + (pfn << PAGE_SHIFT) + (addr & ~PAGE_MASK);
	if (write)
		memcpy(at, buf, size);
	else
		memcpy(buf, at, size);

	return 0;
}

static int access_pages(struct mm_struct *mm, unsigned long addr, void *buf,
			size_t size, bool write)
{
	size_t done, n;
	int err = 0;

	down_read(&mm->mmap_lock);
	for (done = 0; done < size && !err; done += n) {
		n = min(size - done, PAGE_SIZE - ((addr + done) & ~PAGE_MASK));
		err = access_page(mm, addr + done, (char *)buf + done, n,
				  write);
	}
	up_read(&mm->mmap_lock);

	return err;
}

bool vm_access(struct mm_struct *mm, unsigned long addr, void *buf, size_t size,
	       bool write)
{
	return !access_pages(mm, addr, buf, size, write);
}

static int access_memory(struct task *task, unsigned long addr, void *buf,
			 size_t size, bool write)
{
	struct context c;
	int err;

	call_begin(&c, task, NULL);
	err = access_pages(task->mm, addr, buf, size, write);
	call_end(&c);

	return err;
}

int task_load(struct task *task, unsigned long addr, void *buf, size_t size)
{
	return access_memory(task, addr, buf, size, false);
}

int task_store(struct task *task, unsigned long addr, const void *buf,
	       size_t size)
{
	return access_memory(task, addr, (void *)buf, size, true);
}

int task_look(struct task *task, unsigned long addr, void *buf, size_t size)
{
	struct context c;
	int err;

	call_begin(&c, task, NULL);
	err = vm_look(task->mm, addr, buf, size);
	call_end(&c);

	return err;
}

int page_hold(struct task *task, unsigned long addr, bool write,
	      struct page **page)
{
	struct context c;
	int err;

	call_begin(&c, task, NULL);
	err = vm_pin(task->mm, addr, write, page) == VM_PIN_DONE ? 0 : -EFAULT;
	call_end(&c);

	return err;
}

void page_release(struct page *page)
{
	put_page(page);
}
