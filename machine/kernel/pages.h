/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pages: models. A page that the driver allocates for grants has an address in
 * a reserved part of the address space where no memory is; only what the model
 * knows (WRITE_ONCE) can store there, and only if the hypervisor has mapped a
 * frame for writing. A pinned page of a program stands for its real memory.
 */
#ifndef MACHINE_KERNEL_PAGES_H
#define MACHINE_KERNEL_PAGES_H

#include <stdio.h>

#include "base.h"

struct domain;
struct task;

enum page_kind {
	PAGE_FREE,
	PAGE_GRANT, /* of gnttab_alloc_pages() */
	PAGE_USER, /* a program's, while it is pinned */
	PAGE_FRAME, /* of the domain's memory, while it is pinned */
};

struct page {
	int count; /* atomic */
	u8 kind;
	bool foreign; /* PageForeign */
	bool in_p2m; /* the kernel's table has the granter's frame for it */
	bool written; /* by a copy, since it was pinned */
	unsigned int pins;
	/* PAGE_GRANT, under the hypervisor's lock */
	bool mapped; /* by the hypervisor, for the kernel */
	bool readonly;
	u32 ref, handle;
	unsigned int maps; /* entries of programs that show it */
	/* PAGE_GRANT: the granter's; PAGE_FRAME: the domain's own */
	struct domain *owner;
	unsigned long pfn;
	/* PAGE_USER */
	struct task *task;
	unsigned long addr;
	struct page *next_free;
};

int page_count(const struct page *page);
void get_page(struct page *page);
void put_page(struct page *page);
void *page_address(const struct page *page);
bool PageForeign(const struct page *page);
void ClearPageForeign(struct page *page);
unsigned long xen_page_to_gfn(struct page *page);

int gnttab_alloc_pages(int nr_pages, struct page **pages);
void gnttab_free_pages(int nr_pages, struct page **pages);

int pin_user_pages_fast(unsigned long start, int nr_pages,
			unsigned int gup_flags, struct page **pages);
void unpin_user_pages_dirty_lock(struct page **pages, unsigned long npages,
				 bool make_dirty);

/* ---- of the machine alone ---- */

/* Addresses and numbers of pages back to pages; NULL if of none. */
struct page *page_at(u64 addr);
struct page *page_of_gfn(unsigned long gfn);
/* A page that stands for something else than a grant. */
struct page *page_new(enum page_kind kind);
void pages_start(void);
/* Prints what is left and forgets it; @leaked: the driver admits to so many. */
unsigned int pages_leaks(FILE *out, long leaked);

#endif /* MACHINE_KERNEL_PAGES_H */
