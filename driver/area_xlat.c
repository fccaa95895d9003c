// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Areas in auto-translated domains. AREA_MAP puts the granter's frames under the
 * slots' pages; a program's entries come by faults, and AREA_UNMAP has the kernel
 * clear them. A page's lock keeps a fault that has found the page from making an
 * entry after that, as it does where a file is truncated.
 */
#include "area.h"

int gntdev_area_xlat_attach(struct window *w, struct vm_area_struct *vma)
{
	return 0;
}

static void hide(struct mapping *m, u32 first, u32 n)
{
	unmap_mapping_range(m->inst->vma_file->f_mapping,
			    (loff_t)m->range->index +
				    ((loff_t)first << PAGE_SHIFT),
			    (loff_t)n << PAGE_SHIFT, 1);
}

/* No program sees the slots after it; neighbours are dealt with at once. */
void gntdev_area_xlat_unmap(struct mapping *m, struct area_batch *b)
{
	u32 i, slot, first = 0, n = 0;

	for (i = 0; i < b->n; i++) {
		if (b->claimed[i] != SLOT_SEEN)
			continue;
		slot = b->ops[i].slot;
		lock_page(m->pages[slot]);
		unlock_page(m->pages[slot]);
		if (n && slot != first + n) {
			hide(m, first, n);
			n = 0;
		}
		if (!n)
			first = slot;
		n++;
	}
	if (n)
		hide(m, first, n);
}

/* The page of a slot, with a reference; NULL if it is empty. */
static struct page *slot_page(struct area *area, struct mapping *m, u32 slot)
{
	struct page *page = NULL;

	spin_lock(&area->lock);
	if (slot_is_mapped(area->states[slot])) {
		area->states[slot] = SLOT_SEEN;
		page = m->pages[slot];
		get_page(page);
	}
	spin_unlock(&area->lock);

	return page;
}

static bool slot_shows(struct area *area, struct mapping *m, u32 slot,
		       const struct page *page)
{
	bool shows;

	spin_lock(&area->lock);
	shows = area->states[slot] == SLOT_SEEN && m->pages[slot] == page;
	spin_unlock(&area->lock);

	return shows;
}

static vm_fault_t area_xlat_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct window *w = vma->vm_private_data;
	struct mapping *m = w->mapping;
	struct area *area = m->range->area;
	u32 slot = (vmf->address - vma->vm_start) >> PAGE_SHIFT;
	struct page *page = slot_page(area, m, slot);

	if (!page)
		return VM_FAULT_SIGBUS;

	lock_page(page);
	if (!slot_shows(area, m, slot, page)) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_NOPAGE;
	}
	vmf->page = page;

	return VM_FAULT_LOCKED;
}

/* Entries are made read-only, and become writable here where the grant is. */
static vm_fault_t area_xlat_write(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct window *w = vma->vm_private_data;
	struct mapping *m = w->mapping;
	u32 slot = (vmf->address - vma->vm_start) >> PAGE_SHIFT;
	vm_fault_t result = VM_FAULT_LOCKED;

	lock_page(vmf->page);
	if (!slot_shows(m->range->area, m, slot, vmf->page))
		result = VM_FAULT_NOPAGE;
	else if (m->range->grants[slot].domid & GRANT_READONLY)
		result = VM_FAULT_SIGBUS;
	if (result != VM_FAULT_LOCKED)
		unlock_page(vmf->page);

	return result;
}

const struct vm_operations_struct gntdev_area_xlat_vm_ops = {
	.open = gntdev_mapping_open,
	.close = gntdev_mapping_close,
	.may_split = gntdev_mapping_may_split,
	.fault = area_xlat_fault,
	.page_mkwrite = area_xlat_write,
};
