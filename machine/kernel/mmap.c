// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What programs do to their mappings: the kernel's protocol with a driver. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "calls.h"
#include "files.h"
#include "pages.h"
#include "../xen/xen.h"

/* Flags that fork and mremap treat as special, as linux/mm.h has them. */
#define VM_SPECIAL (VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP)
#define VM_ACCESS (VM_READ | VM_WRITE | VM_EXEC)

/* Signals that come one after the other before a program counts as killed. */
#define MAX_RESTARTS 10

static unsigned long prot_flags(int prot)
{
	return (prot & PROT_READ ? VM_READ : 0) |
	       (prot & PROT_WRITE ? VM_WRITE : 0) |
	       (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* ---- what a program sees ---- */

static int view_fill(struct vm_area_struct *vma, struct view *view)
{
	struct domain *owner;
	unsigned long pfn;
	int fds[2];
	size_t i;

	view->addr = vma->vm_start;
	view->count = vma_pages(vma);
	view->no_fork = vma->vm_flags & VM_DONTCOPY;
	view->pages = calloc(view->count, sizeof(*view->pages));
	if (!view->pages)
		return -ENOMEM;
	for (i = 0; i < view->count; i++) {
		struct view_page *page = &view->pages[i];

		page->present =
			vma_frame(vma, i, &page->writable, &owner, &pfn) &&
			vma->vm_flags & VM_ACCESS;
		if (!page->present)
			continue;
		page->writable = vma->vm_flags & VM_WRITE && page->writable;
		domain_page_where(owner, pfn, fds, &page->offset);
		page->fd = fds[0];
		page->reader = fds[1];
	}

	return 0;
}

void view_free(struct view *view)
{
	free(view->pages);
	view->pages = NULL;
	view->count = 0;
}

int view_show(const struct view *view)
{
	size_t i;

	for (i = 0; i < view->count; i++) {
		const struct view_page *page = &view->pages[i];
		char *addr = (char *)view->addr + i * PAGE_SIZE;
		int prot = PROT_READ | (page->writable ? PROT_WRITE : 0);
		void *at;

		if (page->present)
			at = mmap(addr, PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED,
				  page->fd, page->offset);
		else
			at = mmap(addr, PAGE_SIZE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0);
		if (at == MAP_FAILED)
			return -errno;
	}

	return 0;
}

void fault_in(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma;
	unsigned long addr;

	down_read(&mm->mmap_lock);
	for (vma = find_vma(mm, start); vma && vma->vm_start < end;
	     vma = vma_next(vma)) {
		for (addr = max(start, vma->vm_start);
		     addr < min(end, vma->vm_end); addr += PAGE_SIZE) {
			/* What cannot be written may be there to be read. */
			if (!(vma->vm_flags & VM_WRITE) ||
			    vma_fault(vma, addr, true))
				vma_fault(vma, addr, false);
		}
	}
	up_read(&mm->mmap_lock);
}

void task_touch(struct task *task)
{
	struct context c;

	call_begin(&c, task, NULL);
	fault_in(task->mm, 0, ULONG_MAX);
	call_end(&c);
}

int task_view(struct task *task, unsigned long addr, struct view *view)
{
	struct vm_area_struct *vma;
	struct context c;
	int err = -ENOENT;

	memset(view, 0, sizeof(*view));
	call_begin(&c, task, NULL);
	down_read(&task->mm->mmap_lock);
	vma = find_vma(task->mm, addr);
	if (vma)
		err = view_fill(vma, view);
	up_read(&task->mm->mmap_lock);
	call_end(&c);

	return err;
}

/* ---- munmap ---- */

/* Parts a VMA at @addr; its upper part is a VMA of its own after that. */
static int split(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long i, below = (addr - vma->vm_start) >> PAGE_SHIFT;
	struct vm_area_struct *upper;
	int err = 0;

	if (vma->vm_ops && vma->vm_ops->may_split)
		err = vma->vm_ops->may_split(vma, addr);
	if (err)
		return err;

	upper = vma_new(vma->vm_mm, addr, vma->vm_end, vma->vm_flags);
	if (!upper)
		return -ENOMEM;
	upper->vm_pgoff = vma->vm_pgoff + below;
	upper->vm_private_data = vma->vm_private_data;
	upper->vm_ops = vma->vm_ops;
	upper->vm_file = vma->vm_file;
	get_file(upper->vm_file);

	hypervisor_lock();
	for (i = 0; i < vma_pages(upper); i++) {
		if (vma->ptes[below + i].kind == PTE_GRANT)
			machine_fatal(
				"a VMA is parted that the hypervisor made entries in: not modelled");
		upper->ptes[i] = vma->ptes[below + i];
	}
	vma->vm_end = addr;
	hypervisor_unlock();
	vma_insert(upper);
	if (upper->vm_ops && upper->vm_ops->open)
		upper->vm_ops->open(upper);

	return 0;
}

/* Parts the VMAs that the ends of a range lie in. */
static int split_ends(struct mm_struct *mm, unsigned long start,
		      unsigned long end)
{
	struct vm_area_struct *vma = find_vma(mm, start);
	int err = 0;

	if (vma && vma->vm_start < start)
		err = split(vma, start);
	if (err)
		return err;
	vma = find_vma(mm, end);
	if (vma && vma->vm_start < end)
		err = split(vma, end);

	return err;
}

static void close_vma(struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(vma);
	vma_free(vma);
	fput(file);
}

int unmap_part(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma, *next;
	struct rb_root gone = RB_ROOT;
	struct rb_node *last = NULL;
	int err = split_ends(mm, start, end);

	if (err)
		return err;

	for (vma = find_vma(mm, start); vma && vma->vm_start < end;
	     vma = next) {
		next = vma_next(vma);
		vma_take_out(vma);
		rb_link_node(&vma->node, last,
			     last ? &last->rb_right : &gone.rb_node);
		rb_insert_color(&vma->node, &gone);
		last = &vma->node;
	}
	if (RB_EMPTY_ROOT(&gone))
		return 0;

	notify_begin(mm, start, end, MMU_NOTIFY_UNMAP, true);
	rbtree_postorder_for_each_entry_safe(vma, next, &gone, node)
		zap(vma, vma->vm_start, vma->vm_end);
	notify_end(mm);
	rbtree_postorder_for_each_entry_safe(vma, next, &gone, node)
		free_page_tables(vma);
	rbtree_postorder_for_each_entry_safe(vma, next, &gone, node)
		close_vma(vma);

	return 0;
}

static bool bad_range(unsigned long addr, size_t len)
{
	return addr & ~PAGE_MASK || !len || addr + len < addr;
}

int task_munmap(struct task *task, unsigned long addr, size_t len)
{
	struct context c;
	int err;

	len = (len + PAGE_SIZE - 1) & PAGE_MASK;
	if (bad_range(addr, len))
		return -EINVAL;
	call_begin(&c, task, NULL);
	down_write(&task->mm->mmap_lock);
	err = unmap_part(task->mm, addr, addr + len);
	up_write(&task->mm->mmap_lock);
	call_end(&c);

	return err;
}

/* ---- mmap ---- */

static int mmap_flags(const struct file *file, int prot, int flags,
		      unsigned long *vm_flags)
{
	int type = flags & MAP_TYPE, access = file->f_flags & O_ACCMODE;

	*vm_flags = prot_flags(prot) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
	if (access == O_WRONLY)
		return -EACCES;
	if (type == MAP_PRIVATE)
		return 0;
	if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
		return -EINVAL;

	*vm_flags |= VM_SHARED | VM_MAYSHARE;
	if (access == O_RDONLY) {
		if (prot & PROT_WRITE)
			return -EACCES;
		*vm_flags &= ~(VM_MAYWRITE | VM_SHARED);
	}

	return 0;
}

/* A driver's mmap, and what the kernel does if it fails. */
static int call_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	int err;

	mm->pending = vma;
	err = file->f_op->mmap(file, vma);
	mm->pending = NULL;
	if (!err)
		return 0;

	notify_begin(mm, vma->vm_start, vma->vm_end, MMU_NOTIFY_UNMAP, true);
	zap(vma, vma->vm_start, vma->vm_end);
	notify_end(mm);

	return err;
}

static int mmap_locked(struct mm_struct *mm, struct file *file,
		       unsigned long addr, size_t len, unsigned long vm_flags,
		       int flags, unsigned long pgoff, struct view *view)
{
	struct vm_area_struct *vma;
	unsigned long at = addr;
	int err;

	if (file->f_op->get_unmapped_area)
		at = file->f_op->get_unmapped_area(file, addr, len, pgoff,
						   flags);
	if (IS_ERR((void *)at))
		return (int)at;
	if (at != addr)
		machine_fatal("get_unmapped_area chose %#lx instead of %#lx",
			      at, addr);
	if (unmap_part(mm, addr, addr + len))
		return -ENOMEM;

	vma = vma_new(mm, addr, addr + len, vm_flags);
	if (!vma)
		return -ENOMEM;
	vma->vm_pgoff = pgoff;
	vma->vm_file = file;
	get_file(file);
	err = call_mmap(file, vma);
	if (err) {
		file = vma->vm_file;
		vma_free(vma);
		fput(file);
		return err;
	}
	vma_insert(vma);

	return view ? view_fill(vma, view) : 0;
}

int task_mmap(struct task *task, struct file *file, unsigned long addr,
	      size_t len, int prot, int flags, uint64_t offset,
	      struct view *view)
{
	unsigned long vm_flags;
	struct context c;
	int err, restarts = MAX_RESTARTS;

	if (view)
		memset(view, 0, sizeof(*view));
	if (!len || offset & ~PAGE_MASK)
		return -EINVAL;
	len = (len + PAGE_SIZE - 1) & PAGE_MASK;
	if (bad_range(addr, len))
		return len ? -EINVAL : -ENOMEM;
	err = mmap_flags(file, prot, flags, &vm_flags);
	if (err)
		return err;
	if (!file->f_op->mmap)
		return -ENODEV;

	do {
		call_begin(&c, task, NULL);
		down_write(&task->mm->mmap_lock);
		err = mmap_locked(task->mm, file, addr, len, vm_flags, flags,
				  offset >> PAGE_SHIFT, view);
		up_write(&task->mm->mmap_lock);
		call_end(&c);
		/* A signal: its handler has run, the call is made again. */
	} while (err == -ERESTARTNOINTR && !task_is_killed(task) && --restarts);

	return err == -ERESTARTNOINTR ? -EINTR : err;
}

/* ---- mprotect ---- */

/* Entries of a VMA whose protection is another now. */
static void protect_entries(struct vm_area_struct *vma)
{
	unsigned long i;

	hypervisor_lock();
	for (i = 0; i < vma_pages(vma); i++) {
		pte_changes(&vma->ptes[i], "protects");
		if (vma->ptes[i].kind != PTE_NONE)
			vma->ptes[i].writable = vma->vm_flags & VM_WRITE;
	}
	hypervisor_unlock();
}

static int protect(struct vm_area_struct *vma, unsigned long start,
		   unsigned long end, unsigned long access)
{
	struct mm_struct *mm = vma->vm_mm;
	int err;

	/* Each right has a bit four places above that says it may be had. */
	if (access & ~(vma->vm_flags >> 4))
		return -EACCES;
	if ((vma->vm_flags & VM_ACCESS) == access)
		return 0;
	err = split_ends(mm, max(start, vma->vm_start), min(end, vma->vm_end));
	if (err)
		return err;

	vma = find_vma(mm, max(start, vma->vm_start));
	vma->vm_flags = (vma->vm_flags & ~VM_ACCESS) | access;
	notify_begin(mm, vma->vm_start, vma->vm_end, MMU_NOTIFY_PROTECTION_VMA,
		     true);
	protect_entries(vma);
	notify_end(mm);

	return 0;
}

int task_mprotect(struct task *task, unsigned long addr, size_t len, int prot)
{
	unsigned long start = addr, end;
	struct vm_area_struct *vma;
	struct context c;
	int err = 0;

	len = (len + PAGE_SIZE - 1) & PAGE_MASK;
	if (bad_range(addr, len))
		return len ? -EINVAL : 0;
	end = addr + len;

	call_begin(&c, task, NULL);
	down_write(&task->mm->mmap_lock);
	while (!err && (vma = find_vma(task->mm, addr)) &&
	       vma->vm_start < end) {
		addr = vma->vm_end;
		err = protect(vma, start, end, prot_flags(prot));
	}
	up_write(&task->mm->mmap_lock);
	fault_in(task->mm, start, end);
	call_end(&c);

	return err;
}
