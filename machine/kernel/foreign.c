// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the kernel asks of the hypervisor for pages of its own: to take memory
 * from behind them and to give it back, and to let others have them.
 *
 * A thread of the kernel's own belongs to no domain, and yet ends grants by
 * their number. So a number that the kernel has granted in one domain it grants
 * in no other one as long as that lasts.
 */
#include <pthread.h>
#include <stdlib.h>

#include "context.h"
#include "faults.h"
#include "pages.h"
#include "vmap.h"
#include "xen_calls.h"
#include "../xen/xen.h"

/* ---- memory of pages ---- */

/* The page whose memory it is, by what its domain calls it. */
static struct page *page_of_frame(unsigned long frame, const char *what)
{
	struct page *page = page_of_gfn(frame);

	if (!page || page->kind != PAGE_DMA)
		machine_fatal(
			"%s of frame %#lx, which is no page of the DMA API",
			what, frame);
	return page;
}

static void check_dma_page(const struct page *page, const char *what)
{
	if (page->kind != PAGE_DMA)
		machine_fatal("%s of a page that is not of the DMA API", what);
	if (page_is_mapped(page))
		machine_fatal("%s of a page with a grant in it", what);
}

/* The first that fails ends it: none of the rest is looked at. */
int xenmem_reservation_increase(int count, unsigned long *frames)
{
	struct page *page;
	unsigned int variant;
	int i;

	if (count <= 0)
		machine_fatal("xenmem_reservation_increase by %d", count);
	for (i = 0; i < count; i++) {
		page = page_of_frame(frames[i], "xenmem_reservation_increase");
		check_dma_page(page, "xenmem_reservation_increase");
		if (!page->unpopulated)
			machine_fatal("a page gets memory that has some");
		if (fault(SITE_INCREASE, &variant)) {
			page->refused = true;
			break;
		}
		page->refused = false;
		page->unpopulated = false;
	}

	return i;
}

int xenmem_reservation_decrease(int count, unsigned long *frames)
{
	struct page *page;
	unsigned int variant;
	int i;

	if (count <= 0)
		machine_fatal("xenmem_reservation_decrease by %d", count);
	for (i = 0; i < count; i++) {
		page = page_of_frame(frames[i], "xenmem_reservation_decrease");
		check_dma_page(page, "xenmem_reservation_decrease");
		if (page->unpopulated)
			machine_fatal(
				"memory of a page is given up that has none");
		if (fault(SITE_DECREASE, &variant))
			break;
		page->unpopulated = true;
	}

	return i;
}

/* In a PV domain the memory is kept, and stands behind no page until then. */
void xenmem_reservation_va_mapping_reset(unsigned long count,
					 struct page **pages)
{
	for (; count; count--, pages++) {
		check_dma_page(*pages, "xenmem_reservation_va_mapping_reset");
		if (machine_mode() != MACHINE_PV)
			continue;
		if ((*pages)->unpopulated)
			machine_fatal(
				"memory of a page is put aside that has none");
		(*pages)->unpopulated = true;
		(*pages)->reset = true;
		page_unmapped_here(*pages);
	}
}

void xenmem_reservation_va_mapping_update(unsigned long count,
					  struct page **pages,
					  unsigned long *frames)
{
	for (; count; count--, pages++, frames++) {
		check_dma_page(*pages, "xenmem_reservation_va_mapping_update");
		if (machine_mode() != MACHINE_PV)
			continue;
		if (!(*pages)->unpopulated ||
		    *frames != xen_page_to_gfn(*pages))
			machine_fatal("a page gets memory that is not its own");
		(*pages)->unpopulated = false;
		(*pages)->reset = false;
		(*pages)->known = 0;
	}
}

int gnttab_pages_set_private(int nr_pages, struct page **pages)
{
	unsigned int variant;

	for (; nr_pages; nr_pages--, pages++) {
		check_dma_page(*pages, "gnttab_pages_set_private");
		/* Only where an address does not fit into a page's record. */
		if (fault(SITE_SET_PRIVATE, &variant))
			return -ENOMEM;
		(*pages)->private = true;
	}

	return 0;
}

void gnttab_pages_clear_private(int nr_pages, struct page **pages)
{
	for (; nr_pages; nr_pages--, pages++) {
		check_dma_page(*pages, "gnttab_pages_clear_private");
		(*pages)->private = false;
	}
}

/* ---- grants by the kernel ---- */

/* What the kernel has of a reference, in the one domain where it has it. */
static struct {
	pthread_mutex_t lock;
	struct given {
		struct domain *domain; /* NULL: the number is free */
		bool listed; /* in a list of those to be claimed */
		bool granted;
		u32 next; /* in the list; NONE is its end */
		struct page *page; /* NULL: of no memory that may be granted */
	} *all;
	u32 size;
} given = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define NONE ((u32)~0U)

static struct given *given_at(u32 ref)
{
	u32 size = given.size ?: 1024;

	while (size <= ref)
		size *= 2;
	if (size != given.size) {
		given.all = realloc(given.all, size * sizeof(*given.all));
		if (!given.all)
			machine_fatal("no memory for grants");
		memset(given.all + given.size, 0,
		       (size - given.size) * sizeof(*given.all));
		given.size = size;
	}

	return &given.all[ref];
}

/* A reference whose number the kernel uses in no domain; lock held. */
static long new_reference(struct domain *d)
{
	long ref = domain_entry_take(d), other;

	if (ref < 0 || !given_at(ref)->domain)
		return ref;
	other = new_reference(d);
	domain_ungrant(d, ref);

	return other;
}

static struct given *must_be(u32 ref, bool listed, bool granted,
			     const char *what)
{
	struct given *g = given_at(ref);

	if (!g->domain || g->listed != listed || g->granted != granted)
		machine_fatal("%s of reference %u, which is not one for that",
			      what, ref);
	return g;
}

static void forget(u32 ref)
{
	struct given *g = given_at(ref);

	domain_ungrant(g->domain, ref);
	*g = (struct given){.domain = NULL};
}

int gnttab_alloc_grant_references(u16 count, grant_ref_t *head)
{
	struct domain *d = context()->domain;
	unsigned int variant;
	u32 i, next = NONE;
	long ref;

	if (!d)
		machine_fatal("a thread of the kernel's own takes references");
	if (!count)
		machine_fatal("gnttab_alloc_grant_references of none");
	if (fault(SITE_REFERENCES, &variant))
		return -ENOSPC;

	/* All of them, or none. */
	pthread_mutex_lock(&given.lock);
	for (i = 0; i < count; i++) {
		ref = new_reference(d);
		if (ref < 0)
			break;
		*given_at(ref) = (struct given){
			.domain = d, .listed = true, .next = next};
		next = ref;
	}
	for (; i < count && next != NONE; next = ref) {
		ref = given_at(next)->next;
		forget(next);
	}
	pthread_mutex_unlock(&given.lock);
	*head = next;

	return next == NONE ? -ENOSPC : 0;
}

int gnttab_claim_grant_reference(grant_ref_t *head)
{
	struct given *g;
	u32 ref = *head;

	if (ref == NONE)
		return -ENOSPC;
	pthread_mutex_lock(&given.lock);
	g = must_be(ref, true, false, "gnttab_claim_grant_reference");
	*head = g->next;
	g->listed = false;
	pthread_mutex_unlock(&given.lock);

	return ref;
}

void gnttab_free_grant_reference(grant_ref_t ref)
{
	pthread_mutex_lock(&given.lock);
	must_be(ref, false, false, "gnttab_free_grant_reference");
	forget(ref);
	pthread_mutex_unlock(&given.lock);
}

/*
 * The page behind a frame number; what the hypervisor will not let another
 * domain have has a number in the table that is no page of this one.
 */
static unsigned long granted_pfn(struct domain *d, unsigned long frame,
				 struct page **page)
{
	*page = page_of_gfn(frame);
	if (!*page || (*page)->kind != PAGE_FRAME || (*page)->owner != d) {
		*page = NULL;
		return U32_MAX;
	}

	return (*page)->pfn;
}

void gnttab_grant_foreign_access_ref(grant_ref_t ref, domid_t domid,
				     unsigned long frame, int readonly)
{
	struct domain *d = context()->domain;
	struct given *g;
	struct page *page;
	unsigned long pfn;

	if (!d)
		machine_fatal("a thread of the kernel's own grants a page");
	pthread_mutex_lock(&given.lock);
	g = must_be(ref, false, false, "gnttab_grant_foreign_access_ref");
	pfn = granted_pfn(d, frame, &page);
	domain_entry_fill(d, ref, domid, pfn, readonly);
	g->granted = true;
	g->page = page;
	if (page)
		page->granted++;
	pthread_mutex_unlock(&given.lock);
}

int gnttab_grant_foreign_access(domid_t domid, unsigned long frame,
				int readonly)
{
	grant_ref_t list;
	int ref = gnttab_alloc_grant_references(1, &list);

	if (ref)
		return ref;
	ref = gnttab_claim_grant_reference(&list);
	gnttab_grant_foreign_access_ref(ref, domid, frame, readonly);

	return ref;
}

int gnttab_try_end_foreign_access(grant_ref_t ref)
{
	struct given *g;
	bool ended;

	pthread_mutex_lock(&given.lock);
	g = must_be(ref, false, true, "gnttab_try_end_foreign_access");
	ended = !domain_ungrant(g->domain, ref);
	if (ended) {
		if (g->page)
			g->page->granted--;
		*g = (struct given){.domain = NULL};
	}
	pthread_mutex_unlock(&given.lock);

	return ended;
}

unsigned int foreign_leaks(FILE *out)
{
	unsigned int count = 0;
	u32 i;

	for (i = 0; i < given.size; i++) {
		if (!given.all[i].domain)
			continue;
		count++;
		if (out)
			fprintf(out,
				"machine: the kernel of domain %u still has %s, reference %u\n",
				given.all[i].domain->id,
				given.all[i].granted ? "a page granted"
						     : "no use for a grant",
				i);
	}
	free(given.all);
	given.all = NULL;
	given.size = 0;

	return count;
}
