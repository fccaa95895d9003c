// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "context.h"
#include "faults.h"
#include "pages.h"
#include "user.h"
#include "vm.h"
#include "../xen/xen.h"

/* 4 GiB of grants at once. */
#define MAX_PAGES (1UL << 20)
/* So that no page frame number is a plausible small number. */
#define FIRST_GFN 0x100000UL

static struct {
	pthread_mutex_t lock;
	struct page *pages; /* all there may be */
	char *addresses; /* a page each, where nothing is */
	unsigned long used; /* were ever allocated */
	struct page *free;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *reserve(size_t size, int prot)
{
	void *p = mmap(NULL, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		machine_fatal("no address space for %zu MiB of pages",
			      size >> 20);
	return p;
}

void pages_start(void)
{
	if (pool.pages)
		return;
	pool.pages = reserve(MAX_PAGES * sizeof(struct page),
			     PROT_READ | PROT_WRITE);
	pool.addresses = reserve(MAX_PAGES * PAGE_SIZE, PROT_NONE);
}

struct page *page_new(enum page_kind kind)
{
	struct page *page;

	pthread_mutex_lock(&pool.lock);
	page = pool.free;
	if (page)
		pool.free = page->next_free;
	else if (pool.used < MAX_PAGES)
		page = &pool.pages[pool.used++];
	pthread_mutex_unlock(&pool.lock);
	if (!page)
		return NULL;

	memset(page, 0, sizeof(*page));
	page->kind = kind;
	__atomic_store_n(&page->count, 1, __ATOMIC_RELAXED);

	return page;
}

static void page_free(struct page *page)
{
	page->kind = PAGE_FREE;
	pthread_mutex_lock(&pool.lock);
	page->next_free = pool.free;
	pool.free = page;
	pthread_mutex_unlock(&pool.lock);
}

struct page *page_at(u64 addr)
{
	u64 offset = addr - (uintptr_t)pool.addresses;

	return offset < MAX_PAGES * PAGE_SIZE ? &pool.pages[offset / PAGE_SIZE]
					      : NULL;
}

struct page *page_of_gfn(unsigned long gfn)
{
	return gfn - FIRST_GFN < MAX_PAGES ? &pool.pages[gfn - FIRST_GFN]
					   : NULL;
}

static void check_live(const struct page *page, const char *what)
{
	if (page < pool.pages || page >= pool.pages + MAX_PAGES)
		machine_fatal("%s of %p, which is no page", what,
			      (const void *)page);
	if (page->kind == PAGE_FREE)
		machine_fatal("%s of a page that was given back", what);
}

int page_count(const struct page *page)
{
	check_live(page, "page_count");
	return __atomic_load_n(&page->count, __ATOMIC_ACQUIRE);
}

void get_page(struct page *page)
{
	check_live(page, "get_page");
	if (__atomic_fetch_add(&page->count, 1, __ATOMIC_ACQ_REL) <= 0)
		machine_fatal("get_page of a page that nobody holds");
}

void put_page(struct page *page)
{
	int left;

	check_live(page, "put_page");
	left = __atomic_sub_fetch(&page->count, 1, __ATOMIC_ACQ_REL);
	if (left < 0)
		machine_fatal("put_page: more references dropped than taken");
	if (left)
		return;
	if (page->kind == PAGE_GRANT)
		machine_fatal("put_page: a grant's page goes to the allocator");
	page_free(page);
}

void *page_address(const struct page *page)
{
	check_live(page, "page_address");
	return pool.addresses + (page - pool.pages) * PAGE_SIZE;
}

bool PageForeign(const struct page *page)
{
	check_live(page, "PageForeign");
	return page->foreign;
}

void ClearPageForeign(struct page *page)
{
	check_live(page, "ClearPageForeign");
	page->foreign = false;
}

unsigned long xen_page_to_gfn(struct page *page)
{
	check_live(page, "xen_page_to_gfn");
	return FIRST_GFN + (page - pool.pages);
}

int gnttab_alloc_pages(int nr_pages, struct page **pages)
{
	unsigned int variant;
	int i;

	might_sleep();
	lock_might(&class_reclaim);
	if (nr_pages <= 0)
		machine_fatal("gnttab_alloc_pages of %d pages", nr_pages);
	if (fault(SITE_ALLOC_PAGES, &variant))
		return -ENOMEM;

	for (i = 0; i < nr_pages; i++) {
		pages[i] = page_new(PAGE_GRANT);
		if (!pages[i]) {
			while (i--)
				page_free(pages[i]);
			return -ENOMEM;
		}
	}

	return 0;
}

void gnttab_free_pages(int nr_pages, struct page **pages)
{
	int i;

	might_sleep();
	if (nr_pages <= 0)
		machine_fatal("gnttab_free_pages of %d pages", nr_pages);
	for (i = 0; i < nr_pages; i++) {
		check_live(pages[i], "gnttab_free_pages");
		if (pages[i]->kind != PAGE_GRANT)
			machine_fatal("gnttab_free_pages of another's page");
		if (page_is_mapped(pages[i]))
			machine_fatal(
				"a page goes to the allocator with grant %u of domain %u mapped in it",
				pages[i]->ref, domain_id(pages[i]->owner));
		if (page_count(pages[i]) != 1)
			machine_fatal(
				"a page with %d references goes to the allocator",
				page_count(pages[i]));
		if (pages[i]->foreign)
			machine_fatal(
				"a page goes to the allocator marked foreign");
		if (pages[i]->in_p2m)
			machine_fatal(
				"a page goes to the allocator with a foreign frame in the kernel's table");
		page_free(pages[i]);
	}
}

/* The page behind an address, pinned; NULL if the access is not allowed. */
static struct page *pin_one(struct task *task, unsigned long addr, bool write)
{
	struct page *page;

	switch (vm_pin(task->mm, addr, write, &page)) {
	case VM_PIN_DONE:
		return page;
	case VM_PIN_REFUSED:
		return NULL;
	case VM_PIN_NOT_MINE:
		break;
	}

	if (user_pages(task, addr, 1, write) != 1)
		return NULL;
	page = page_new(PAGE_USER);
	page->task = task;
	page->addr = addr & PAGE_MASK;
	return page;
}

/* Pages of the program's own, not of any device, at a single stroke. */
static int pin_plain(struct task *task, unsigned long start, int n, bool write,
		     struct page **pages)
{
	int i;

	if (!vm_is_plain(task->mm, start, n * PAGE_SIZE) ||
	    user_pages(task, start, n, write) != n)
		return 0;
	for (i = 0; i < n; i++) {
		pages[i] = page_new(PAGE_USER);
		pages[i]->task = task;
		pages[i]->addr = start + i * PAGE_SIZE;
		pages[i]->pins = 1;
	}

	return n;
}

int pin_user_pages_fast(unsigned long start, int nr_pages,
			unsigned int gup_flags, struct page **pages)
{
	struct context *c = context();
	const struct lock_class *class = lock_any_held();
	bool write = gup_flags & FOLL_WRITE;
	unsigned int variant;
	int i;

	might_sleep();
	if (!c->task)
		machine_fatal("pin_user_pages_fast in a thread of the kernel");
	if (class)
		machine_fatal("pin_user_pages_fast with %s held", class->name);
	if (gup_flags & ~(unsigned int)FOLL_WRITE)
		machine_fatal("pin_user_pages_fast: flags %#x are not modelled",
			      gup_flags);
	if (nr_pages <= 0)
		machine_fatal("pin_user_pages_fast of %d pages", nr_pages);

	start &= PAGE_MASK;
	if (fault(SITE_PIN, &variant)) {
		if (variant == 2 || (variant == 3 && nr_pages == 1))
			return 0;
		if (variant < 2)
			return variant ? -ENOMEM : -EFAULT;
		nr_pages = nr_pages / 2;
	}

	if (pin_plain(c->task, start, nr_pages, write, pages))
		return nr_pages;
	for (i = 0; i < nr_pages; i++) {
		pages[i] = pin_one(c->task, start + i * PAGE_SIZE, write);
		if (!pages[i])
			break;
		__atomic_fetch_add(&pages[i]->pins, 1, __ATOMIC_RELAXED);
	}

	return i ? i : -EFAULT;
}

void unpin_user_pages_dirty_lock(struct page **pages, unsigned long npages,
				 bool make_dirty)
{
	unsigned long i;

	might_sleep();
	for (i = 0; i < npages; i++) {
		check_live(pages[i], "unpin_user_pages_dirty_lock");
		if (!__atomic_fetch_sub(&pages[i]->pins, 1, __ATOMIC_RELAXED))
			machine_fatal("a page is unpinned that was not pinned");
		if (pages[i]->written && !make_dirty)
			machine_fatal("a page was written and not marked dirty");
		put_page(pages[i]);
	}
}

unsigned int pages_leaks(FILE *out, long leaked)
{
	unsigned int entries = tracks_refused_entries();
	unsigned long i;
	unsigned int count = 0;
	struct page *page;

	for (i = 0; i < pool.used; i++) {
		page = &pool.pages[i];
		if (page->kind == PAGE_FREE)
			continue;
		/* Kept out of use because the hypervisor still has it. */
		if (page->kind == PAGE_GRANT && page_is_excused(page) &&
		    leaked > 0) {
			leaked--;
			continue;
		}
		/* Or has an entry of a program's for it. */
		if (page->kind == PAGE_GRANT && !page->mapped && entries &&
		    leaked > 0) {
			entries--;
			leaked--;
			continue;
		}
		count++;
		if (out)
			fprintf(out,
				"machine: a page was not given back: %s, %d references\n",
				page->kind == PAGE_GRANT ? "for a grant"
							 : "pinned",
				page->count);
	}
	if (leaked) {
		count++;
		if (out)
			fprintf(out,
				"machine: the driver counts %ld leaked pages too many\n",
				leaked);
	}
	pool.used = 0;
	pool.free = NULL;

	return count;
}
