/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's own address space: models of areas that show pages, of single
 * pages of the kernel's, and of what a PV domain asks of its page tables. An
 * area is real memory of this process: other drivers may read and write it.
 */
#ifndef MACHINE_KERNEL_VMAP_H
#define MACHINE_KERNEL_VMAP_H

#include <stdio.h>

#include "base.h"
#include "pages.h"
#include "vm.h"

#define PAGE_KERNEL ((pgprot_t){0})

void *vmap(struct page **pages, unsigned int count, unsigned long flags,
	   pgprot_t prot);
void vunmap(const void *addr);

struct page *alloc_page(gfp_t gfp);
void __free_page(struct page *page);

/* Of compat/outside.h; the entry of an area. */
pte_t *kernel_pte(unsigned long addr);
/*
 * A page must not be anybody else's while a processor may know an old entry for
 * it: until this is called.
 */
void flush_domain_tlb(void);

/* ---- of the machine alone ---- */

/* The entry that a machine address names, or NULL; hypervisor's lock. */
pte_t *vmap_pte_at(u64 maddr);
/* The hypervisor has changed it, from what it was; hypervisor's lock. */
void vmap_pte_changed(pte_t *pte, const pte_t *before);
/* An entry for the page went; a processor may know it. */
void page_unmapped_here(struct page *page);
bool page_may_be_known(const struct page *page);
/* Prints areas that are left, but for those with a refused grant in them. */
unsigned int vmap_leaks(FILE *out);

#endif /* MACHINE_KERNEL_VMAP_H */
