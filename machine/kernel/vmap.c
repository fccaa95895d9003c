// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Areas of the kernel's own address space, and who may know of their entries. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "context.h"
#include "faults.h"
#include "vmap.h"
#include "xen_calls.h"
#include "../xen/xen.h"

struct area {
	struct list_head node;
	char *at;
	unsigned int count;
	pte_t *ptes;
};

/* Under the hypervisor's lock, as entries are. */
static LIST_HEAD(areas);
/* Raised when all processors forget old entries. */
static u64 flushes = 1;

void page_unmapped_here(struct page *page)
{
	page->known = flushes;
}

bool page_may_be_known(const struct page *page)
{
	return page->known == flushes;
}

void flush_domain_tlb(void)
{
	if (machine_mode() != MACHINE_PV)
		return;
	hypervisor_lock();
	flushes++;
	hypervisor_unlock();
}

/* ---- single pages ---- */

struct page *alloc_page(gfp_t gfp)
{
	unsigned int variant;

	might_sleep();
	lock_might(&class_reclaim);
	if (!(gfp & __GFP_ZERO))
		machine_fatal("alloc_page without __GFP_ZERO is not modelled");
	if (fault(SITE_ALLOC_PAGE, &variant))
		return NULL;
	return page_with_memory();
}

void __free_page(struct page *page)
{
	if (page->kind != PAGE_PLAIN)
		machine_fatal("__free_page of a page that is not alloc_page's");
	if (page_count(page) > 1)
		put_page(page);
	else
		page_back(page);
}

/* ---- entries ---- */

/* Real memory in the place of an entry, as it is now. */
static void show(struct area *area, const pte_t *pte)
{
	char *at = area->at + (pte - area->ptes) * PAGE_SIZE;
	const struct page *page = pte->page;
	struct domain *owner = NULL;
	unsigned long pfn = 0;
	int prot = PROT_READ | (pte->writable ? PROT_WRITE : 0);
	void *made;

	if (pte->kind == PTE_GRANT) {
		owner = pte->owner;
		pfn = pte->pfn;
	} else if (pte->kind == PTE_PAGE && page->kind != PAGE_PLAIN) {
		owner = page->owner;
		pfn = page->pfn;
	}
	if (owner)
		made = mmap(at, PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED,
			    owner->memfd, (off_t)(pfn << PAGE_SHIFT));
	else
		made = mmap(at, PAGE_SIZE,
			    pte->kind == PTE_NONE ? PROT_NONE : prot,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (made == MAP_FAILED)
		machine_fatal("no address space for the kernel's own");
}

static struct area *area_of(const pte_t *pte)
{
	struct area *area;

	list_for_each_entry(area, &areas, node) {
		if (pte >= area->ptes && pte < area->ptes + area->count)
			return area;
	}

	return NULL;
}

pte_t *vmap_pte_at(u64 maddr)
{
	struct area *area;

	area = area_of((const pte_t *)(uintptr_t)maddr);
	if (!area || (maddr - (uintptr_t)area->ptes) % sizeof(pte_t))
		return NULL;
	return (pte_t *)(uintptr_t)maddr;
}

static void forget_page(const pte_t *before)
{
	if (before->kind != PTE_PAGE)
		return;
	before->page->areas--;
	page_unmapped_here(before->page);
}

void vmap_pte_changed(pte_t *pte, const pte_t *before)
{
	forget_page(before);
	show(area_of(pte), pte);
}

pte_t *kernel_pte(unsigned long addr)
{
	struct area *area;
	pte_t *pte = NULL;

	hypervisor_lock();
	list_for_each_entry(area, &areas, node) {
		if (addr - (uintptr_t)area->at < area->count * PAGE_SIZE)
			pte = &area->ptes[(addr - (uintptr_t)area->at) >>
					  PAGE_SHIFT];
	}
	hypervisor_unlock();

	return pte;
}

/* ---- areas ---- */

static void fill(struct area *area, struct page **pages)
{
	unsigned int i;

	hypervisor_lock();
	for (i = 0; i < area->count; i++) {
		if (page_is_for_grants(pages[i]) && !pages[i]->mapped)
			machine_fatal("vmap of a page with no grant behind it");
		if (page_is_for_grants(pages[i]) &&
		    machine_mode() == MACHINE_PV)
			machine_fatal(
				"vmap of a grant's page in a PV domain: the hypervisor lets nobody else make its entry");
		area->ptes[i] = (pte_t){
			.kind = PTE_PAGE,
			.writable = !pages[i]->readonly,
			.page = pages[i],
		};
		pages[i]->areas++;
		show(area, &area->ptes[i]);
	}
	list_add_tail(&area->node, &areas);
	hypervisor_unlock();
}

void *vmap(struct page **pages, unsigned int count, unsigned long flags,
	   pgprot_t prot)
{
	unsigned int variant;
	struct area *area;

	might_sleep();
	lock_might(&class_reclaim);
	if (flags != VM_MAP || !count)
		machine_fatal("vmap of %u pages with flags %#lx", count, flags);
	if (fault(SITE_VMAP, &variant))
		return NULL;

	area = calloc(1, sizeof(*area));
	if (!area)
		return NULL;
	area->count = count;
	area->ptes = calloc(count, sizeof(*area->ptes));
	area->at = mmap(NULL, count * PAGE_SIZE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!area->ptes || area->at == MAP_FAILED)
		machine_fatal("no memory for the kernel's address space");
	fill(area, pages);

	return area->at;
}

static void area_free(struct area *area)
{
	list_del(&area->node);
	munmap(area->at, area->count * PAGE_SIZE);
	free(area->ptes);
	free(area);
}

void vunmap(const void *addr)
{
	struct area *area, *found = NULL;
	unsigned int i;

	might_sleep();
	hypervisor_lock();
	list_for_each_entry(area, &areas, node) {
		if (area->at == addr)
			found = area;
	}
	if (!found)
		machine_fatal("vunmap of %p, which vmap did not return", addr);
	for (i = 0; i < found->count; i++) {
		if (found->ptes[i].kind == PTE_GRANT)
			machine_fatal(
				"vunmap clears an entry that is a grant mapping of the hypervisor's");
		forget_page(&found->ptes[i]);
	}
	area_free(found);
	/* What the kernel clears it makes all processors forget. */
	flushes++;
	hypervisor_unlock();
}

/* Whether the driver had to leave an area: then its pages stay too. */
static bool is_excused(struct area *area)
{
	bool refused = false;
	unsigned int i;

	for (i = 0; i < area->count; i++)
		refused |= area->ptes[i].kind == PTE_GRANT &&
			   pte_is_refused(&area->ptes[i]);
	for (i = 0; i < area->count && refused; i++) {
		if (area->ptes[i].kind == PTE_PAGE)
			area->ptes[i].page->refused = true;
	}

	return refused;
}

unsigned int vmap_leaks(FILE *out)
{
	struct area *area, *next;
	unsigned int count = 0;

	hypervisor_lock();
	list_for_each_entry_safe(area, next, &areas, node) {
		if (!is_excused(area)) {
			count++;
			if (out)
				fprintf(out,
					"machine: %u pages are left vmapped\n",
					area->count);
		}
		area_free(area);
	}
	hypervisor_unlock();

	return count;
}
