// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A dma-buf in one piece of the kernel's address space. In a PV domain the
 * hypervisor lets nobody but itself write an entry for another domain's page;
 * so a page of ours holds the place of all of them, and then the hypervisor is
 * asked to put grant mappings into these entries.
 */
#include "gntdev.h"
#include "dmabuf.h"

static void *pages_vmap(struct mapping *m)
{
	void *at = vmap(m->pages, m->count, VM_MAP, PAGE_KERNEL);

	return at ?: ERR_PTR(-ENOMEM);
}

/* An area of that many entries, all of them for one page of ours. */
static void *reserve_area(u32 count, struct page *placeholder)
{
	struct page **pages;
	void *at;
	u32 i;

	pages = gntdev_memory_for_program(array_size(count, sizeof(*pages)));
	if (!pages)
		return NULL;

	for (i = 0; i < count; i++)
		pages[i] = placeholder;
	at = vmap(pages, count, VM_MAP, PAGE_KERNEL);
	kvfree(pages);

	return at;
}

static int find_kernel_ptes(struct window *w, void *at)
{
	pte_t *pte;
	u32 i;

	for (i = 0; i < w->count; i++) {
		pte = kernel_pte((unsigned long)at + ((u64)i << PAGE_SHIFT));
		if (!pte)
			return -EFAULT;
		w->ptes[i] = arbitrary_virt_to_machine(pte).maddr;
	}

	return 0;
}

/*
 * An area with an entry that the hypervisor did not end is never used again.
 * Returns whether there was none.
 */
static bool drop_area(struct window *w, void *at)
{
	bool all = gntdev_pv_unmap_entries(w);

	if (all)
		vunmap(at);
	gntdev_window_free(w);

	return all;
}

/*
 * An area stays that shows the placeholder where no grant came to be mapped.
 * So that page stays too: given to somebody else, it would be writable here.
 */
static void keep_placeholder(struct page *placeholder)
{
	get_page(placeholder);
	atomic_long_inc(&gntdev_counters.leaked);
}

static void *grants_vmap(struct exported *exp, struct page *placeholder)
{
	struct mapping *m = exp->mapping;
	struct window *w;
	void *at;
	int err;

	w = gntdev_window_create(m, 0, m->count);
	if (!w)
		return ERR_PTR(-ENOMEM);
	w->kernel = true;
	w->writable = m->writable;

	at = reserve_area(m->count, placeholder);
	if (!at) {
		gntdev_window_free(w);
		return ERR_PTR(-ENOMEM);
	}

	err = find_kernel_ptes(w, at);
	if (!err)
		err = gntdev_pv_map_entries(w);
	/* A processor may have looked at the placeholder, unasked. */
	flush_domain_tlb();
	if (err) {
		if (!drop_area(w, at))
			keep_placeholder(placeholder);
		return ERR_PTR(err);
	}

	exp->kernel_window = w;
	return at;
}

/**
 * gntdev_export_vmap() - show an export's pages to the kernel as one area
 * @exp: the export; it is not vmapped, and stays for as long as it is
 *
 * Return: the address, or an ERR_PTR.
 */
void *gntdev_export_vmap(struct exported *exp)
{
	struct page *placeholder;
	void *at;

	if (!gntdev_mode->user_grants)
		return pages_vmap(exp->mapping);

	placeholder = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!placeholder)
		return ERR_PTR(-ENOMEM);

	at = grants_vmap(exp, placeholder);
	/* Its entries are gone, or are those of grants; or it is kept. */
	__free_page(placeholder);

	return at;
}

void gntdev_export_vunmap(struct exported *exp, void *at)
{
	if (!gntdev_mode->user_grants) {
		vunmap(at);
		return;
	}

	drop_area(exp->kernel_window, at);
	exp->kernel_window = NULL;
}
