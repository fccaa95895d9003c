// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* VMAs, their entries, and what a driver or a processor does with them. */
#include <stdlib.h>

#include "context.h"
#include "faults.h"
#include "files.h"
#include "pages.h"
#include "vm.h"
#include "xen_calls.h"
#include "../xen/xen.h"

/* All page tables by their address, so that a stray one is recognised. */
static struct rb_root tables; /* under the hypervisor's lock */

struct vm_area_struct *tables_first(void)
{
	return rb_entry_safe(rb_first(&tables), struct vm_area_struct,
			     tables_node);
}

struct vm_area_struct *tables_next(struct vm_area_struct *vma)
{
	return rb_entry_safe(rb_next(&vma->tables_node), struct vm_area_struct,
			     tables_node);
}

void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	if (!rwsem_is_mine(&vma->vm_mm->mmap_lock))
		machine_fatal("vm_flags are changed without mmap_lock");
	vma->vm_flags |= flags;
}

void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	if (!rwsem_is_mine(&vma->vm_mm->mmap_lock))
		machine_fatal("vm_flags are changed without mmap_lock");
	vma->vm_flags &= ~flags;
}

void mmap_read_lock(struct mm_struct *mm)
{
	down_read(&mm->mmap_lock);
}

void mmap_read_unlock(struct mm_struct *mm)
{
	up_read(&mm->mmap_lock);
}

bool mmap_is_write_locked(struct mm_struct *mm)
{
	return __atomic_load_n(&mm->mmap_lock.writer, __ATOMIC_RELAXED);
}

static struct vm_area_struct *find_in(const struct rb_root *vmas,
				      unsigned long addr)
{
	struct rb_node *node = vmas->rb_node;
	struct vm_area_struct *vma, *found = NULL;

	while (node) {
		vma = rb_entry(node, struct vm_area_struct, node);
		if (addr < vma->vm_end) {
			found = vma;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}

	return found;
}

struct vm_area_struct *vma_next(struct vm_area_struct *vma)
{
	return rb_entry_safe(rb_next(&vma->node), struct vm_area_struct, node);
}

unsigned long mm_get_unmapped_area(struct mm_struct *mm, struct file *file,
				   unsigned long addr, unsigned long len,
				   unsigned long pgoff, unsigned long flags)
{
	(void)mm, (void)file, (void)len, (void)pgoff, (void)flags;
	return addr;
}

/* ---- making and ending ---- */

struct mm_struct *mm_new(struct task *task)
{
	struct mm_struct *mm = calloc(1, sizeof(*mm));

	if (!mm)
		machine_fatal("no memory for an address space");
	machine_rwsem_init(&mm->mmap_lock, &class_mmap);
	machine_mutex_init(&mm->tables_lock, &class_tables);
	INIT_LIST_HEAD(&mm->notifiers);
	mm->task = task;
	mm->users = 1;
	mm->pid = task->pid;
	mm->active = 1;

	return mm;
}

void mm_free(struct mm_struct *mm)
{
	if (!RB_EMPTY_ROOT(&mm->vmas))
		machine_fatal("an address space is freed with VMAs in it");
	if (!list_empty(&mm->notifiers))
		machine_fatal(
			"an address space is freed with an MMU notifier on it");
	mmdrop(mm);
}

void tables_insert(struct vm_area_struct *vma)
{
	struct rb_node **link = &tables.rb_node, *parent = NULL;

	hypervisor_lock();
	while (*link) {
		parent = *link;
		link = rb_entry(parent, struct vm_area_struct, tables_node)
					       ->ptes > vma->ptes
			       ? &parent->rb_left
			       : &parent->rb_right;
	}
	rb_link_node(&vma->tables_node, parent, link);
	rb_insert_color(&vma->tables_node, &tables);
	hypervisor_unlock();
}

struct vm_area_struct *vma_new(struct mm_struct *mm, unsigned long start,
			       unsigned long end, unsigned long flags)
{
	struct vm_area_struct *vma = calloc(1, sizeof(*vma));

	if (!vma)
		return NULL;
	vma->vm_mm = mm;
	vma->vm_start = start;
	vma->vm_end = end;
	vma->vm_flags = flags;
	vma->ptes = calloc(vma_pages(vma), sizeof(pte_t));
	if (!vma->ptes) {
		free(vma);
		return NULL;
	}
	tables_insert(vma);

	return vma;
}

void free_page_tables(struct vm_area_struct *vma)
{
	hypervisor_lock();
	rb_erase(&vma->tables_node, &tables);
	hypervisor_unlock();
	free(vma->ptes);
	vma->ptes = NULL;
}

void vma_free(struct vm_area_struct *vma)
{
	if (vma->ptes)
		free_page_tables(vma);
	free(vma);
}

void vma_insert(struct vm_area_struct *vma)
{
	struct rb_node **link = &vma->vm_mm->vmas.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = rb_entry(parent, struct vm_area_struct, node)->vm_start >
				       vma->vm_start
			       ? &parent->rb_left
			       : &parent->rb_right;
	}
	rb_link_node(&vma->node, parent, link);
	rb_insert_color(&vma->node, &vma->vm_mm->vmas);
	hypervisor_lock();
	vma->linked = true;
	hypervisor_unlock();
}

void vma_take_out(struct vm_area_struct *vma)
{
	rb_erase(&vma->node, &vma->vm_mm->vmas);
}

/* ---- entries ---- */

pte_t *pte_at(u64 maddr, struct vm_area_struct **vma)
{
	struct rb_node *node = tables.rb_node;

	while (node) {
		struct vm_area_struct *v =
			rb_entry(node, struct vm_area_struct, tables_node);
		pte_t *pte = (pte_t *)(uintptr_t)maddr;

		if (pte < v->ptes) {
			node = node->rb_left;
		} else if (pte >= v->ptes + vma_pages(v)) {
			node = node->rb_right;
		} else {
			*vma = v;
			return (maddr - (uintptr_t)v->ptes) % sizeof(*pte)
				       ? NULL
				       : pte;
		}
	}

	return NULL;
}

xmaddr_t arbitrary_virt_to_machine(void *vaddr)
{
	if (machine_mode() != MACHINE_PV)
		machine_fatal(
			"arbitrary_virt_to_machine in an auto-translated domain");
	return (xmaddr_t){(uintptr_t)vaddr};
}

/* The VMA whose page tables cover @addr. */
static struct vm_area_struct *tables_of(struct mm_struct *mm,
					unsigned long addr, unsigned long end)
{
	struct vm_area_struct *vma = mm->pending;

	if (!vma || addr < vma->vm_start || addr >= vma->vm_end)
		vma = find_vma(mm, addr);
	if (!vma || addr < vma->vm_start || end > vma->vm_end)
		machine_fatal("page tables outside of any VMA are touched");
	return vma;
}

int apply_to_page_range(struct mm_struct *mm, unsigned long address,
			unsigned long size, pte_fn_t fn, void *data)
{
	struct vm_area_struct *vma;
	unsigned long i, n = size >> PAGE_SHIFT, stop = n;
	unsigned int variant;
	int err = 0;

	might_sleep();
	lock_might(&class_reclaim);
	if (!lock_is_held(&mm->mmap_lock))
		machine_fatal("apply_to_page_range without mmap_lock");
	if (!size || (address | size) & ~PAGE_MASK)
		machine_fatal("apply_to_page_range: %lu bytes at %#lx", size,
			      address);
	if (fault(SITE_PAGE_TABLES, &variant))
		stop = variant ? n / 2 : 0;

	vma = tables_of(mm, address, address + size);
	spin_lock(&mm->tables_lock);
	for (i = 0; i < stop && !err; i++)
		err = fn(vma->ptes + ((address - vma->vm_start) >> PAGE_SHIFT) +
				 i,
			 address + (i << PAGE_SHIFT), data);
	spin_unlock(&mm->tables_lock);

	return err ? err : (stop < n ? -ENOMEM : 0);
}

int vm_insert_pages(struct vm_area_struct *vma, unsigned long addr,
		    struct page **pages, unsigned long *num)
{
	unsigned long i = (addr - vma->vm_start) >> PAGE_SHIFT;
	unsigned long done, stop = *num;
	unsigned int variant;
	pte_t *pte;

	might_sleep();
	lock_might(&class_reclaim);
	if (!rwsem_is_mine(&vma->vm_mm->mmap_lock))
		machine_fatal("vm_insert_pages without mmap_lock");
	if (!(vma->vm_flags & VM_MIXEDMAP))
		machine_fatal("vm_insert_pages into a VMA without VM_MIXEDMAP");
	if (machine_mode() == MACHINE_PV)
		machine_fatal(
			"a grant's page in an entry of a PV domain that the hypervisor did not make");
	if (i + *num > vma_pages(vma))
		return -EFAULT;
	if (fault(SITE_INSERT_PAGES, &variant))
		stop = variant ? *num / 2 : 0;

	for (done = 0; done < stop; done++) {
		pte = &vma->ptes[i + done];
		get_page(pages[done]);
		hypervisor_lock();
		if (pte->kind != PTE_NONE)
			machine_fatal("vm_insert_pages over an entry");
		pte->kind = PTE_PAGE;
		pte->page = pages[done];
		pte->page->maps++;
		pte->writable = vma->vm_flags & VM_WRITE;
		hypervisor_unlock();
	}
	*num -= done;

	return *num ? -ENOMEM : 0;
}

void vma_set_frame(struct vm_area_struct *vma, unsigned long i,
		   struct domain *owner, unsigned long pfn)
{
	hypervisor_lock();
	vma->ptes[i] = (pte_t){
		.kind = PTE_FRAME,
		.writable = vma->vm_flags & VM_WRITE,
		.owner = owner,
		.pfn = pfn,
	};
	hypervisor_unlock();
}

void pte_changes(pte_t *pte, const char *what)
{
	if (pte->kind == PTE_GRANT && !pte_is_lost(pte))
		machine_fatal(
			"the kernel %s an entry that is a grant mapping of the hypervisor's: it would crash the domain",
			what);
}

void zap(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	unsigned long i, first, last;
	pte_t pte;

	first = (max(start, vma->vm_start) - vma->vm_start) >> PAGE_SHIFT;
	last = (min(end, vma->vm_end) - vma->vm_start) >> PAGE_SHIFT;
	for (i = first; i < last; i++) {
		hypervisor_lock();
		pte_changes(&vma->ptes[i], "clears");
		pte = vma->ptes[i];
		vma->ptes[i] = (pte_t){.kind = PTE_NONE};
		if (pte.kind == PTE_PAGE)
			pte.page->maps--;
		hypervisor_unlock();
		if (pte.kind == PTE_PAGE)
			put_page(pte.page);
	}
}

bool vma_frame(struct vm_area_struct *vma, unsigned long i, bool *writable,
	       struct domain **owner, unsigned long *pfn)
{
	bool present = true;
	pte_t *pte;

	hypervisor_lock();
	pte = &vma->ptes[i];
	*writable = pte->writable;
	*owner = pte->owner;
	*pfn = pte->pfn;
	if (pte->kind == PTE_NONE) {
		present = false;
	} else if (pte->kind == PTE_PAGE) {
		if (!pte->page->mapped)
			machine_fatal(
				"a program sees a page with no grant behind it");
		*owner = pte->page->owner;
		*pfn = pte->page->pfn;
		if (pte->writable && pte->page->readonly)
			machine_fatal(
				"a program may write to a read-only grant");
	}
	hypervisor_unlock();

	return present;
}

/* ---- faults and pins ---- */

/* Of one access; a handler may let it be made again a little later. */
#define MAX_TRIES 1000

static bool access_allowed(const struct vm_area_struct *vma, bool write)
{
	if (write)
		return vma->vm_flags & VM_WRITE;
	return vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC);
}

/* Whether the entry serves the access; a write to a clean one makes it so. */
static bool entry_serves(struct vm_area_struct *vma, pte_t *pte, bool write)
{
	bool serves;

	hypervisor_lock();
	serves = pte->kind != PTE_NONE;
	if (serves && pte->writable && !(vma->vm_flags & VM_WRITE))
		machine_fatal("an entry is writable in a VMA that is not");
	if (serves && write && !pte->writable) {
		pte_changes(pte, "makes writable");
		serves = pte->kind != PTE_NONE;
		pte->writable = serves;
	}
	hypervisor_unlock();

	return serves;
}

/* Puts a page with its reference into an entry, if another fault has not. */
static void install(struct vm_area_struct *vma, pte_t *pte, struct page *page)
{
	bool first;

	if (machine_mode() == MACHINE_PV)
		machine_fatal(
			"a fault handler gives the kernel a grant's page in a PV domain");
	hypervisor_lock();
	first = pte->kind == PTE_NONE;
	if (first) {
		pte->kind = PTE_PAGE;
		pte->page = page;
		pte->writable = vma->vm_flags & VM_WRITE &&
				!vma->vm_ops->page_mkwrite;
		page->maps++;
	}
	hypervisor_unlock();
	if (!first)
		put_page(page);
}

int vma_fault(struct vm_area_struct *vma, unsigned long addr, bool write)
{
	pte_t *pte = &vma->ptes[(addr - vma->vm_start) >> PAGE_SHIFT];
	struct vm_fault vmf;
	struct page *page;
	vm_fault_t ret;
	int tries, err = 0;

	if (!access_allowed(vma, write))
		return -EFAULT;

	for (tries = 0;; tries++) {
		if (asks_for_write(vma, pte, write))
			(void)ask_for_write(vma, addr, pte, &err);
		else if (entry_serves(vma, pte, write))
			break;
		if (err)
			return err;
		if (task_is_killed(vma->vm_mm->task) ||
		    (tries >= MAX_TRIES &&
		     task_may_wait_for_ever(vma->vm_mm->task)))
			return -EFAULT;
		if (tries == MAX_TRIES)
			machine_fatal(
				"a fault handler never makes the entry at %#lx",
				addr);
		if (!vma->vm_ops || !vma->vm_ops->fault)
			return -EFAULT;
		vmf = (struct vm_fault){vma, addr & PAGE_MASK, NULL};
		ret = vma->vm_ops->fault(&vmf);
		if (ret & (VM_FAULT_SIGBUS | VM_FAULT_OOM))
			return -EFAULT;
		if (ret & ~(VM_FAULT_NOPAGE | VM_FAULT_LOCKED))
			machine_fatal(
				"a fault handler answers %#x, which is not modelled",
				ret);
		if (ret & VM_FAULT_NOPAGE)
			continue;
		page = vmf.page;
		install(vma, pte, page);
		/* The entry has its own reference as long as the lock is held. */
		if (ret & VM_FAULT_LOCKED)
			unlock_page(page);
	}

	return 0;
}

/* The page of what an entry was; false if there was none. */
static bool page_of(struct vm_area_struct *vma, unsigned long addr, pte_t pte,
		    struct page **page)
{
	*page = NULL;
	switch (pte.kind) {
	case PTE_NONE:
	case PTE_STRAY: /* the kernel's own defect, if it is left */
		return false;
	case PTE_PAGE:
		*page = pte.page;
		get_page(*page);
		break;
	case PTE_GRANT:
		if (!vma->vm_ops->find_special_page)
			break;
		*page = vma->vm_ops->find_special_page(vma, addr);
		if (*page)
			get_page(*page);
		break;
	case PTE_FRAME:
		*page = page_new(PAGE_FRAME);
		(*page)->owner = pte.owner;
		(*page)->pfn = pte.pfn;
		(*page)->held = true;
		domain_page_hold(pte.owner, pte.pfn);
		break;
	}

	return true;
}

/* The page of an entry, with a reference; false if the entry is gone. */
static bool entry_page(struct vm_area_struct *vma, unsigned long addr,
		       struct page **page)
{
	pte_t *pte = &vma->ptes[(addr - vma->vm_start) >> PAGE_SHIFT];
	bool there;

	spin_lock(&vma->vm_mm->tables_lock);
	there = page_of(vma, addr, ptep_get(pte), page);
	spin_unlock(&vma->vm_mm->tables_lock);

	return there;
}

enum vm_pin vm_pin(struct mm_struct *mm, unsigned long addr, bool write,
		   struct page **page)
{
	enum vm_pin result = VM_PIN_NOT_MINE;
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr) {
		*page = NULL;
		while (!(vma->vm_flags & (VM_IO | VM_PFNMAP)) &&
		       !vma_fault(vma, addr, write) &&
		       !entry_page(vma, addr, page))
			;
		result = *page ? VM_PIN_DONE : VM_PIN_REFUSED;
	}
	mmap_read_unlock(mm);
	return result;
}

struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr)
{
	if (!lock_is_held(&mm->mmap_lock))
		machine_fatal("find_vma without mmap_lock");
	return find_in(&mm->vmas, addr);
}

/*
 * As access_remote_vm() does: the page, which a fault may bring whatever the
 * VMA allows, or else the driver's own way.
 */
int vm_look(struct mm_struct *mm, unsigned long addr, void *buf, size_t size)
{
	struct vm_area_struct *vma;
	struct domain *owner;
	struct vm_fault vmf;
	unsigned long i, pfn;
	int ret = -EFAULT;
	bool writable;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr) {
		i = (addr - vma->vm_start) >> PAGE_SHIFT;
		vmf = (struct vm_fault){vma, addr & PAGE_MASK, NULL};
		if (!vma_frame(vma, i, &writable, &owner, &pfn) &&
		    !vma->vm_ops->fault(&vmf))
			install(vma, &vma->ptes[i], vmf.page);
		if (vma_frame(vma, i, &writable, &owner, &pfn)) {
			memcpy(buf,
			       domain_memory(owner) + (pfn << PAGE_SHIFT) +
				       (addr & ~PAGE_MASK),
			       size);
			ret = (int)size;
		} else if (vma->vm_ops->access) {
			ret = vma->vm_ops->access(vma, addr, buf, (int)size, 0);
		}
	}
	mmap_read_unlock(mm);

	return ret == (int)size ? 0 : -EFAULT;
}

bool vm_is_plain(struct mm_struct *mm, unsigned long addr, size_t len)
{
	struct vm_area_struct *vma;
	bool plain;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	plain = !vma || vma->vm_start >= addr + len;
	mmap_read_unlock(mm);

	return plain;
}
