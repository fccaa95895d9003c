// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* All pages of the machine: allocation, references, pins, numbers. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "context.h"
#include "faults.h"
#include "lent_pages.h"
#include "pages.h"
#include "user.h"
#include "vm.h"
#include "vmap.h"
#include "xen_calls.h"
#include "../xen/xen.h"

/* 4 GiB of grants at once. */
#define MAX_PAGES (1UL << 20)
/* So that no page frame number is a plausible small number. */
#define FIRST_GFN 0x100000UL
#define FIRST_PFN 0x400000UL

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

/*
 * In two parts, each short enough that the compiler stores zeroes: it makes one
 * instruction of more, which takes longer to begin than all of that.
 */
static void make_blank(struct page *page)
{
	_Static_assert(sizeof(*page) <= 128, "two short parts");

	memset(page, 0, 64);
	memset((char *)page + 64, 0, sizeof(*page) - 64);
}

/* As many as there are, up to @n. */
static int pages_new(enum page_kind kind, int n, struct page **pages)
{
	int got, i;

	pthread_mutex_lock(&pool.lock);
	for (got = 0; got < n; got++) {
		pages[got] = pool.free;
		if (pages[got])
			pool.free = pages[got]->next_free;
		else if (pool.used < MAX_PAGES)
			pages[got] = &pool.pages[pool.used++];
		else
			break;
	}
	pthread_mutex_unlock(&pool.lock);

	for (i = 0; i < got; i++) {
		make_blank(pages[i]);
		pages[i]->kind = kind;
		__atomic_store_n(&pages[i]->count, 1, __ATOMIC_RELAXED);
	}

	return got;
}

struct page *page_new(enum page_kind kind)
{
	struct page *page;

	return pages_new(kind, 1, &page) ? page : NULL;
}

/* A list of them, by next_free. */
static void pages_free(struct page *first)
{
	struct page *last = first;

	if (!first)
		return;
	for (; last->next_free; last = last->next_free)
		last->kind = PAGE_FREE;
	last->kind = PAGE_FREE;
	pthread_mutex_lock(&pool.lock);
	last->next_free = pool.free;
	pool.free = first;
	pthread_mutex_unlock(&pool.lock);
}

/* Real memory at the page's address, all zero; or none. */
static void set_memory(const struct page *page, bool there)
{
	void *at = pool.addresses + (page - pool.pages) * PAGE_SIZE;

	if ((!there && madvise(at, PAGE_SIZE, MADV_DONTNEED)) ||
	    mprotect(at, PAGE_SIZE, there ? PROT_READ | PROT_WRITE : PROT_NONE))
		machine_fatal("the memory of a page: %s", strerror(errno));
}

struct page *page_with_memory(void)
{
	struct page *page = page_new(PAGE_PLAIN);

	if (page)
		set_memory(page, true);

	return page;
}

/* What a page stood for is not in use by it any more. */
static void page_ends(struct page *page)
{
	if (!page->held)
		return;
	if (page->granted)
		machine_fatal(
			"a page is not pinned any more that is granted to another domain");
	page->held = false;
	domain_page_release(page->owner, page->pfn);
}

static void page_free(struct page *page)
{
	page_ends(page);
	if (page->kind == PAGE_PLAIN)
		set_memory(page, false);
	page->next_free = NULL;
	pages_free(page);
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

/* Whether it was the last reference, and the page is to be freed. */
static bool drop(struct page *page)
{
	int left;

	check_live(page, "put_page");
	left = __atomic_sub_fetch(&page->count, 1, __ATOMIC_ACQ_REL);
	if (left < 0)
		machine_fatal("put_page: more references dropped than taken");
	if (!left && page_is_for_grants(page))
		machine_fatal("put_page: a grant's page goes to the allocator");

	return !left;
}

void put_page(struct page *page)
{
	if (drop(page))
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

bool PagePrivate(const struct page *page)
{
	check_live(page, "PagePrivate");
	return page->kind == PAGE_GRANT || page->private;
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

static unsigned long first_pfn(void)
{
	return machine_mode() == MACHINE_PV ? FIRST_PFN : FIRST_GFN;
}

unsigned long page_to_pfn(const struct page *page)
{
	check_live(page, "page_to_pfn");
	return first_pfn() + (page - pool.pages);
}

phys_addr_t page_to_phys(const struct page *page)
{
	return (phys_addr_t)page_to_pfn(page) << PAGE_SHIFT;
}

unsigned long page_to_xen_pfn(struct page *page)
{
	return page_to_pfn(page);
}

bool pfn_valid(unsigned long pfn)
{
	return pfn - first_pfn() < MAX_PAGES;
}

unsigned long pfn_to_gfn(unsigned long pfn)
{
	unsigned long i = pfn - first_pfn();

	if (!pfn_valid(pfn))
		machine_fatal("pfn_to_gfn of %#lx, which is no page", pfn);
	if (machine_mode() != MACHINE_PV)
		return pfn;
	if (pool.pages[i].kind == PAGE_FREE)
		return INVALID_P2M_ENTRY;
	return FIRST_GFN + i;
}

int gnttab_alloc_pages(int nr_pages, struct page **pages)
{
	unsigned int variant;
	int i;

	might_sleep();
	lock_might(&class_reclaim);
	lock_might(&class_hotplug);
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

/* Nobody has it, and nothing of anybody's is behind it. */
static void check_idle(const struct page *page)
{
	if (page_is_mapped(page))
		machine_fatal(
			"a page goes to the allocator with grant %u of domain %u mapped in it",
			page->ref, domain_id(page->owner));
	if (page_count(page) != 1)
		machine_fatal("a page with %d references goes to the allocator",
			      page_count(page));
	if (page->foreign)
		machine_fatal("a page goes to the allocator marked foreign");
	if (page->in_p2m)
		machine_fatal(
			"a page goes to the allocator with a foreign frame in the kernel's table");
	if (page->granted)
		machine_fatal(
			"a page goes to the allocator that is granted to another domain");
	if (page->areas)
		machine_fatal("a page goes to the allocator that is vmapped");
	if (page_may_be_known(page))
		machine_fatal(
			"a page goes to the allocator that a processor may know by an old entry");
	if (page->private || page->reset)
		machine_fatal(
			"a page goes to the allocator as it was made for a grant");
}

void page_back(struct page *page)
{
	check_live(page, "a page's freeing");
	check_idle(page);
	page_free(page);
}

void gnttab_free_pages(int nr_pages, struct page **pages)
{
	int i;

	might_sleep();
	lock_might(&class_hotplug);
	if (nr_pages <= 0)
		machine_fatal("gnttab_free_pages of %d pages", nr_pages);
	for (i = 0; i < nr_pages; i++) {
		check_live(pages[i], "gnttab_free_pages");
		if (pages[i]->kind != PAGE_GRANT)
			machine_fatal("gnttab_free_pages of another's page");
		page_back(pages[i]);
	}
}

/* A page of a program's file, which is one of its domain's from now on. */
static struct page *pin_lent(struct task *task, unsigned long addr,
			     struct lent_stretch *s)
{
	struct page *page;
	long pfn;

	if (!lent_stretch_find(task, addr, s))
		return NULL;
	pfn = domain_page_lend(task->domain, lent_stretch_memory(s),
			       s->offset + ((addr & PAGE_MASK) - s->start));
	if (pfn < 0)
		return NULL;
	page = page_new(PAGE_FRAME);
	page->owner = task->domain;
	page->pfn = pfn;
	page->held = true;

	return page;
}

/*
 * The page behind an address, pinned; NULL if the access is not allowed. With @s
 * for long, where it is to stay what it is.
 */
static struct page *pin_one(struct task *task, unsigned long addr, bool write,
			    struct lent_stretch *s)
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
	if (s)
		return pin_lent(task, addr, s);
	page = page_new(PAGE_USER);
	page->task = task;
	page->addr = addr & PAGE_MASK;
	return page;
}

size_t fault_in_safe_writeable(const char __user *uaddr, size_t size)
{
	struct task *task = user_of("fault_in_safe_writeable", uaddr);
	unsigned long start = (unsigned long)uaddr, end = start + size, at;
	struct page *page;

	for (at = start & PAGE_MASK; at < end; at += PAGE_SIZE) {
		page = pin_one(task, at, true, NULL);
		if (!page)
			return end - max(at, start);
		put_page(page);
	}

	return 0;
}

/* Pages of the program's own, not of any device, at a single stroke. */
int pin_plain(struct task *task, unsigned long start, int n, bool write,
	      struct page **pages)
{
	int i;

	if (!vm_is_plain(task->mm, start, n * PAGE_SIZE) ||
	    user_pages(task, start, n, write) != n)
		return 0;
	n = pages_new(PAGE_USER, n, pages);
	for (i = 0; i < n; i++) {
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
	bool write = gup_flags & FOLL_WRITE, lasts = gup_flags & FOLL_LONGTERM;
	struct lent_stretch stretch = {0};
	unsigned int variant;
	int i;

	might_sleep();
	if (!c->task)
		machine_fatal("pin_user_pages_fast in a thread of the kernel");
	if (class)
		machine_fatal("pin_user_pages_fast with %s held", class->name);
	if (gup_flags & ~(unsigned int)(FOLL_WRITE | FOLL_LONGTERM))
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

	if (!lasts)
		i = pin_plain(c->task, start, nr_pages, write, pages);
	else
		i = 0;
	if (i)
		return i;
	for (i = 0; i < nr_pages; i++) {
		pages[i] = pin_one(c->task, start + i * PAGE_SIZE, write,
				   lasts ? &stretch : NULL);
		if (!pages[i])
			break;
		__atomic_fetch_add(&pages[i]->pins, 1, __ATOMIC_RELAXED);
	}

	lent_stretch_end(&stretch);

	return i ? i : -EFAULT;
}

/* Whether the page is to be freed. */
static bool unpin(struct page *page)
{
	/* It stands for this one pin, so nobody else can have it. */
	if (page->kind == PAGE_USER && page->pins == 1 &&
	    page_count(page) == 1) {
		page->pins = 0;
		return true;
	}
	if (!__atomic_fetch_sub(&page->pins, 1, __ATOMIC_RELAXED))
		machine_fatal("a page is unpinned that was not pinned");

	return drop(page);
}

void unpin_user_pages_dirty_lock(struct page **pages, unsigned long npages,
				 bool make_dirty)
{
	struct page *unused = NULL;
	unsigned long i;

	might_sleep();
	for (i = 0; i < npages; i++) {
		check_live(pages[i], "unpin_user_pages_dirty_lock");
		if (pages[i]->written && !make_dirty)
			machine_fatal("a page was written and not marked dirty");
		if (!unpin(pages[i]))
			continue;
		page_ends(pages[i]);
		pages[i]->next_free = unused;
		unused = pages[i];
	}
	pages_free(unused);
}

/* Kept out of use because the hypervisor still has it, or has none for it. */
static bool is_excused(const struct page *page)
{
	if (page->kind == PAGE_DMA && page->unpopulated && page->refused)
		return true;
	if (page->kind == PAGE_PLAIN)
		return page->refused;
	return page_is_for_grants(page) && page_is_excused(page);
}

unsigned int pages_refused(void)
{
	unsigned int count = 0;
	unsigned long i;

	for (i = 0; i < pool.used; i++)
		count += pool.pages[i].kind == PAGE_DMA &&
			 pool.pages[i].unpopulated && pool.pages[i].refused;

	return count;
}

static void tell_page(const struct page *page, FILE *out)
{
	static const char *const kinds[] = {
		[PAGE_GRANT] = "for a grant",
		[PAGE_DMA] = "of the DMA API",
		[PAGE_PLAIN] = "of alloc_page",
		[PAGE_USER] = "pinned",
		[PAGE_FRAME] = "pinned, or a buffer's",
	};

	if (out)
		fprintf(out,
			"machine: a page was not given back: %s, %d references\n",
			kinds[page->kind], page->count);
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
		if (is_excused(page) && leaked > 0) {
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
		tell_page(page, out);
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
