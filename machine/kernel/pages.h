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
	PAGE_DMA, /* of the DMA API: has its own memory until that is given up */
	PAGE_PLAIN, /* of alloc_page() */
	PAGE_USER, /* a program's, while it is pinned */
	PAGE_FRAME, /* of the domain's memory, while it is pinned */
};

struct page {
	int count; /* atomic */
	u8 kind;
	bool locked; /* atomic */
	bool foreign; /* PageForeign */
	bool in_p2m; /* the kernel's table has the granter's frame for it */
	bool written; /* by a copy, since it was pinned */
	bool held; /* PAGE_FRAME: and its domain's page with it */
	unsigned int pins;
	/* PAGE_DMA */
	unsigned long attrs;
	bool unpopulated; /* has no memory of its own */
	bool reset; /* the kernel's own entry for it is gone, in PV */
	bool private; /* ready for a grant */
	bool refused; /* it stays, by a failure on purpose */
	/* Under the hypervisor's lock */
	unsigned int areas; /* entries of vmap() that show it */
	u64 known; /* processors may know old entries of it, see vmap.h */
	unsigned int granted; /* PAGE_FRAME: by the kernel, to others */
	/* PAGE_GRANT, PAGE_DMA, under the hypervisor's lock */
	bool mapped; /* by the hypervisor, for the kernel */
	bool readonly;
	u32 ref, handle;
	unsigned int maps; /* entries of programs that show it */
	/* The granter's of a grant; PAGE_FRAME: the domain's own */
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
/* May sleep; not in the order of other locks, as one is held over a fault. */
void lock_page(struct page *page);
void unlock_page(struct page *page);
void *page_address(const struct page *page);
/* Of a page with a grant in it. */
void memcpy_from_page(char *to, struct page *page, size_t offset, size_t len);
bool PageForeign(const struct page *page);
/* What the kernel keeps with a page: of those for grants alone. */
bool PagePrivate(const struct page *page);
void ClearPageForeign(struct page *page);
unsigned long xen_page_to_gfn(struct page *page);

/*
 * Page frame numbers. In a PV domain the machine's numbers are others than the
 * domain's, and not all of those have one.
 */
unsigned long page_to_pfn(const struct page *page);
phys_addr_t page_to_phys(const struct page *page);
unsigned long page_to_xen_pfn(struct page *page);
bool pfn_valid(unsigned long pfn);
unsigned long pfn_to_gfn(unsigned long pfn);
#define PHYS_PFN(addr) ((unsigned long)((addr) >> PAGE_SHIFT))
#define PAGE_ALIGN(size) (((size) + PAGE_SIZE - 1) & PAGE_MASK)
#define PAGE_ALIGNED(addr) (!((addr) & (PAGE_SIZE - 1)))

int gnttab_alloc_pages(int nr_pages, struct page **pages);
void gnttab_free_pages(int nr_pages, struct page **pages);
int gnttab_pages_set_private(int nr_pages, struct page **pages);
void gnttab_pages_clear_private(int nr_pages, struct page **pages);

/* Takes memory from behind pages, and puts it back. */
int xenmem_reservation_increase(int count, unsigned long *frames);
int xenmem_reservation_decrease(int count, unsigned long *frames);
void xenmem_reservation_va_mapping_update(unsigned long count,
					  struct page **pages,
					  unsigned long *frames);
void xenmem_reservation_va_mapping_reset(unsigned long count,
					 struct page **pages);

/* Its number is another one in each kernel. */
#define FOLL_LONGTERM 0x10000
int pin_user_pages_fast(unsigned long start, int nr_pages,
			unsigned int gup_flags, struct page **pages);
void unpin_user_pages_dirty_lock(struct page **pages, unsigned long npages,
				 bool make_dirty);

/* As compat/frames.h has it; of plain memory. */
#define MOST_FRAMES 16U
void with_frames(unsigned long *frame, u32 n, bool write,
		 void (*use)(void *data), void *data);

/* Bytes that a store would not reach; none is done. */
size_t fault_in_safe_writeable(const char __user *uaddr, size_t size);

/* ---- of the machine alone ---- */

struct task;
/* Pins pages of plain memory; how many, or 0 if it is not all that. */
int pin_plain(struct task *task, unsigned long start, int n, bool write,
	      struct page **pages);

/* Addresses and numbers of pages back to pages; NULL if of none. */
struct page *page_at(u64 addr);
struct page *page_of_gfn(unsigned long gfn);
/* A page that stands for something else than a grant. */
struct page *page_new(enum page_kind kind);
/* The same for the kernel's own use, with zeroes at its address. */
struct page *page_with_memory(void);
/* Back to where it came from: nobody may have it, or know of it. */
void page_back(struct page *page);
/* Where the hypervisor may map a grant. */
static inline bool page_is_for_grants(const struct page *page)
{
	return page->kind == PAGE_GRANT || page->kind == PAGE_DMA;
}
/* Pages that the hypervisor had no memory for, on purpose, and did not get it. */
unsigned int pages_refused(void);
void pages_start(void);
/* Prints what is left and forgets it; @leaked: the driver admits to so many. */
unsigned int pages_leaks(FILE *out, long leaked);

#endif /* MACHINE_KERNEL_PAGES_H */
