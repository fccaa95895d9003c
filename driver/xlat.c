// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Auto-translated domains (PVH, HVM, all of arm64): the granter's frames are
 * put under the kernel's own pages, and a program's entries are ordinary ones.
 */
#include "area.h"

/*
 * Entries that were made when this fails are cleared by the kernel after mmap
 * has returned; until then they count as users of their pages.
 */
static int xlat_attach(struct window *w, struct vm_area_struct *vma)
{
	unsigned long left = w->count;

	return vm_insert_pages(vma, vma->vm_start, w->mapping->pages + w->first,
			       &left);
}

/**
 * gntdev_xlat_refuses() - must grants of a domain not be mapped?
 * @domid: the granter; or, for pages to be granted, who may map them
 *
 * For the domain itself that may be so. In a PV domain it never is.
 */
bool gntdev_xlat_refuses(u32 domid)
{
	return gntdev_own_grants_vanish() && domid == gntdev_own_domid();
}

/* The kernel has cleared all entries by the time the last VMA is closed. */
static void xlat_detach(struct window *w)
{
}

/* An entry that madvise has cleared, for instance: the data is still there. */
static vm_fault_t xlat_fault(struct vm_fault *vmf)
{
	struct page *page = gntdev_mapping_page(vmf->vma, vmf->address);

	if (!page)
		return VM_FAULT_SIGBUS;

	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct xlat_vm_ops = {
	.open = gntdev_mapping_open,
	.close = gntdev_mapping_close,
	.may_split = gntdev_mapping_may_split,
	.fault = xlat_fault,
};

static const struct vm_operations_struct xlat_buffer_vm_ops = {
	.open = gntdev_window_open,
	.close = gntdev_window_close,
	.may_split = gntdev_mapping_may_split,
	.fault = xlat_fault,
};

const struct mode gntdev_xlat_mode = {
	.name = "auto-translated",
	.vm_flags = VM_MIXEDMAP,
	.vm_ops = &xlat_vm_ops,
	.buffer_vm_ops = &xlat_buffer_vm_ops,
	.area_vm_ops = &gntdev_area_xlat_vm_ops,
	.attach = xlat_attach,
	.area_attach = gntdev_area_xlat_attach,
	.detach = xlat_detach,
};
