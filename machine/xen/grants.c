// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Grant mappings: the hypervisor's rules, and its account of who maps what. */
#include <stdlib.h>

#include "xen.h"
#include "../kernel/errand.h"
#include "../kernel/faults.h"
#include "../kernel/pages.h"
#include "../kernel/vmap.h"

/* An auto-translated domain names its pages by their physical address. */
#define PHYSICAL (1ULL << 62)

static struct {
	struct track *tracks; /* by handle */
	u32 size, used; /* handles ever given */
	u32 first_free; /* a list; size is its end */
	unsigned int most; /* of each domain */
	void (*watch)(const struct machine_event *event, void *arg);
	void *watch_arg;
} grants;

void tracks_start(unsigned int most)
{
	grants.most = most ?: 262144;
	grants.used = 0;
	grants.first_free = INVALID_GRANT_HANDLE;
}

void machine_watch(void (*watch)(const struct machine_event *, void *arg),
		   void *arg)
{
	grants.watch = watch;
	grants.watch_arg = arg;
}

bool event_wanted(void)
{
	return grants.watch;
}

void event_emit(const struct machine_event *event)
{
	if (grants.watch)
		grants.watch(event, grants.watch_arg);
}

/* ---- handles ---- */

bool domain_has_no_handle(const struct domain *mapper)
{
	return mapper->mappings >= grants.most;
}

static bool handle_alloc(struct domain *mapper, u32 *handle)
{
	struct track *more;

	if (domain_has_no_handle(mapper))
		return false;
	if (grants.first_free != INVALID_GRANT_HANDLE) {
		*handle = grants.first_free;
		grants.first_free = grants.tracks[*handle].next_free;
	} else {
		if (grants.used == grants.size) {
			grants.size = grants.size ? 2 * grants.size : 1024;
			more = realloc(grants.tracks,
				       grants.size * sizeof(*more));
			if (!more)
				machine_fatal("no memory for grant mappings");
			grants.tracks = more;
		}
		*handle = grants.used++;
	}
	memset(&grants.tracks[*handle], 0, sizeof(struct track));
	mapper->mappings++;

	return true;
}

static void handle_free(u32 handle)
{
	struct track *t = &grants.tracks[handle];

	t->used = false;
	t->mapper->mappings--;
	t->next_free = grants.first_free;
	grants.first_free = handle;
}

/* ---- map ---- */

/* An entry of an area of the kernel's: what it showed goes. */
static bool find_kernel_entry(u64 addr, u32 flags, struct track *t)
{
	t->pte = vmap_pte_at(addr);
	t->area = t->pte;
	if (!t->pte)
		return false;
	if (flags & GNTMAP_application_map)
		machine_fatal("an entry of the kernel's is made for programs");
	if (t->pte->kind == PTE_GRANT)
		machine_fatal("a grant is mapped over another in an entry");
	return true;
}

/* Where the mapping goes, by the operation's address; nothing may be there. */
static void find_target(struct domain *caller, u64 addr, u32 flags,
			struct track *t)
{
	struct vm_area_struct *vma;

	if (flags & GNTMAP_contains_pte) {
		if (find_kernel_entry(addr, flags, t))
			return;
		t->pte = pte_at(addr, &vma);
		if (!t->pte)
			machine_fatal(
				"a grant is mapped into %#llx, which is no page-table entry",
				addr);
		if (vma->vm_mm->task->domain != caller)
			machine_fatal(
				"a grant is mapped into another domain's entry");
		if (t->pte->kind != PTE_NONE)
			machine_fatal(
				"a grant is mapped over an entry that is there");
		if (!(flags & GNTMAP_application_map))
			machine_fatal(
				"a program's entry is made for the kernel only");
		if (!(flags & (1U << _GNTMAP_guest_avail0)))
			machine_fatal("a program's entry is not marked special");
		return;
	}

	if (machine_mode() != MACHINE_PV)
		addr ^= PHYSICAL;
	t->page = page_at(addr);
	if (!t->page || addr & ~PAGE_MASK || !page_is_for_grants(t->page))
		machine_fatal(
			"a grant is mapped at %#llx, which is no page for one",
			addr);
	if (t->page->kind == PAGE_DMA &&
	    (!t->page->hollow || !t->page->private ||
	     page_may_be_known(t->page)))
		machine_fatal(
			"a grant is mapped at a page of the DMA API that is not made ready for it");
	if (t->page->mapped)
		machine_fatal("a grant is mapped over another in the same page");
}

static void make_mapping(struct track *t, u32 handle, unsigned long pfn)
{
	pte_t before;

	if (t->pte) {
		before = *t->pte;
		*t->pte = (pte_t){
			.kind = PTE_GRANT,
			.writable = !t->readonly,
			.owner = t->granter,
			.pfn = pfn,
			.handle = handle,
		};
		if (t->area)
			vmap_pte_changed(t->pte, &before);
		return;
	}
	t->page->mapped = true;
	t->page->readonly = t->readonly;
	t->page->owner = t->granter;
	t->page->pfn = pfn;
	t->page->ref = t->ref;
	t->page->handle = handle;
}

static s16 map_checked(struct domain *caller, struct gnttab_map_grant_ref *op)
{
	struct domain *granter = domain_find(op->dom);
	unsigned long pfn;
	struct track *t;
	u32 handle;
	s16 status;

	if (!(op->flags & (GNTMAP_host_map | GNTMAP_device_map)))
		return GNTST_bad_gntref;
	if (op->flags & GNTMAP_device_map &&
	    (op->flags & GNTMAP_host_map || caller->id != op->dom))
		machine_fatal(
			"GNTMAP_device_map is modelled for a domain's own grants alone");
	if (machine_mode() != MACHINE_PV &&
	    op->flags & (GNTMAP_application_map | GNTMAP_contains_pte))
		return GNTST_general_error;
	if (!granter)
		return GNTST_bad_domain;
	if (machine_mode() == MACHINE_PVH && granter == caller)
		machine_fatal(
			"domain %u maps a grant of its own: it loses that page for good",
			caller->id);
	if (!handle_alloc(caller, &handle))
		return GNTST_no_device_space;

	t = &grants.tracks[handle];
	t->mapper = caller;
	t->granter = granter;
	t->ref = op->ref;
	t->readonly = op->flags & GNTMAP_readonly;
	/* Its page is the kernel's own, which no domain's memory has here. */
	t->device = op->flags & GNTMAP_device_map;
	if (t->device) {
		t->used = true;
		op->handle = handle;
		op->dev_bus_addr = 0;
		return GNTST_okay;
	}
	find_target(caller, op->host_addr, op->flags, t);
	status = grant_acquire(caller, granter, op->ref, t->readonly, &pfn);
	if (status) {
		handle_free(handle);
		return status;
	}
	t->used = true;
	granter->uses[op->ref].mapped[t->readonly]++;
	make_mapping(t, handle, pfn);
	op->handle = handle;
	op->dev_bus_addr = frame_address(granter, pfn);

	return GNTST_okay;
}

static bool is_in_use(unsigned int granter, u32 ref)
{
	struct domain *d = domain_find(granter);
	bool used;

	if (!d || ref >= d->entries)
		return false;
	hypervisor_lock();
	used = d->uses[ref].readers || d->uses[ref].writers;
	hypervisor_unlock();

	return used;
}

s16 grant_map(struct domain *caller, struct gnttab_map_grant_ref *op)
{
	bool user = op->flags & GNTMAP_contains_pte;
	struct machine_event event = {
		.kind = MACHINE_EVENT_MAP,
		.user = user,
		.domain = op->dom,
		.ref = op->ref,
		.address = op->host_addr,
	};
	s16 status;

	if (!fault_op(MACHINE_OP_MAP, user, &status)) {
		hypervisor_lock();
		status = map_checked(caller, op);
		hypervisor_unlock();
	} else if (status == GNTST_eagain && is_in_use(op->dom, op->ref)) {
		/* No page is paged out that is mapped, not even when forced. */
		status = GNTST_general_error;
	}
	/* On failure there is no handle, whatever was in it before. */
	if (status)
		op->handle = INVALID_GRANT_HANDLE;
	op->status = status;
	event.status = status;
	event.handle = op->handle;
	event_emit(&event);

	return status;
}

/* ---- unmap ---- */

static struct track *track_of(u32 handle)
{
	if (handle >= grants.used || !grants.tracks[handle].used)
		machine_fatal("grant handle %u is unmapped, which is not mapped",
			      handle);
	return &grants.tracks[handle];
}

static void check_target(const struct track *t, u64 addr, u64 bus_addr)
{
	u64 expected = (uintptr_t)t->pte;

	if (t->page) {
		expected = (uintptr_t)page_address(t->page);
		if (machine_mode() != MACHINE_PV)
			expected ^= PHYSICAL;
	}
	if (addr != expected)
		machine_fatal(
			"a grant is unmapped at %#llx, but mapped at %#llx",
			addr, expected);
}

static void unmake_mapping(struct track *t)
{
	pte_t before;

	if (t->pte) {
		before = *t->pte;
		*t->pte = (pte_t){.kind = PTE_NONE};
		if (t->area)
			vmap_pte_changed(t->pte, &before);
	}
	if (t->page) {
		if (t->page->areas)
			machine_fatal(
				"a grant is unmapped from a page that is vmapped");
		t->page->mapped = false;
		t->page->owner = NULL;
	}
}

s16 grant_unmap(struct gnttab_unmap_grant_ref *op, s16 refuse)
{
	struct machine_event event = {
		.kind = MACHINE_EVENT_UNMAP,
		.handle = op->handle,
		.status = refuse,
		.address = op->host_addr,
	};
	struct track *t;

	hypervisor_lock();
	t = track_of(op->handle);
	if (!t->device)
		check_target(t, op->host_addr, op->dev_bus_addr);
	event.user = !t->page && !t->area && !t->device;
	event.domain = t->granter->id;
	event.ref = t->ref;
	if (refuse) {
		t->refused = true;
	} else {
		unmake_mapping(t);
		if (!t->device) {
			t->granter->uses[t->ref].mapped[t->readonly]--;
			grant_release(t->granter, t->ref, t->readonly);
		}
		handle_free(op->handle);
	}
	hypervisor_unlock();
	op->status = refuse;
	event_emit(&event);

	return refuse;
}

void grant_refuse(u32 handle)
{
	hypervisor_lock();
	track_of(handle)->refused = true;
	hypervisor_unlock();
}

bool pte_is_refused(const pte_t *pte)
{
	return grants.tracks[pte->handle].refused;
}

bool pte_is_lost(pte_t *pte)
{
	struct track *t = &grants.tracks[pte->handle];

	if (!t->refused)
		return false;
	t->pte = NULL;
	*pte = (pte_t){.kind = PTE_NONE};
	return true;
}

bool page_is_mapped(const struct page *page)
{
	bool mapped;

	hypervisor_lock();
	mapped = page->mapped;
	hypervisor_unlock();

	return mapped;
}

/* ---- the kernel's stores ---- */

void grant_store(struct page *page, unsigned long offset, const void *value,
		 size_t size)
{
	struct machine_event event = {
		.kind = MACHINE_EVENT_STORE,
		.address = offset,
	};

	hypervisor_lock();
	if (page->kind == PAGE_FRAME && page->pins) {
		page->written = true;
		memory_copy(page->owner->memory + (page->pfn << PAGE_SHIFT) +
				    offset,
			    value, size);
		hypervisor_unlock();
		return;
	}
	if (!page_is_for_grants(page) || !page->mapped)
		machine_fatal(
			"the kernel stores to a page with nothing behind it: it would go down");
	if (page->readonly)
		machine_fatal(
			"the kernel stores to a page mapped read-only: it would go down");
	memory_copy(page->owner->memory + (page->pfn << PAGE_SHIFT) + offset,
		    value, size);
	event.domain = page->owner->id;
	event.ref = page->ref;
	hypervisor_unlock();
	event_emit(&event);
}

/* The kernel's memory of a page comes along, what was behind it does not. */
static void forget(struct track *t, u32 handle)
{
	if (t->page)
		t->page->in_p2m = false;
	unmake_mapping(t);
	if (!t->device) {
		t->granter->uses[t->ref].mapped[t->readonly]--;
		grant_release(t->granter, t->ref, t->readonly);
	}
	handle_free(handle);
}

void tracks_saved(bool restored)
{
	hypervisor_lock();
	for (u32 i = 0; i < grants.used; i++) {
		struct track *t = &grants.tracks[i];

		if (t->used && t->pte && !t->refused)
			machine_fatal(
				"a page table is saved with grant %u in it: what is beside it is lost",
				t->ref);
		if (t->used && restored)
			forget(t, i);
	}
	hypervisor_unlock();
}

/* ---- what is left ---- */

void tracks_each(void (*fn)(const struct track *t, void *arg), void *arg)
{
	u32 i;

	hypervisor_lock();
	for (i = 0; i < grants.used; i++) {
		if (grants.tracks[i].used)
			fn(&grants.tracks[i], arg);
	}
	hypervisor_unlock();
}

/* Whether a mapping of the same grant by the same domain was refused to end. */
static bool is_excused(const struct track *t)
{
	u32 i;

	if (t->refused)
		return true;
	for (i = 0; i < grants.used; i++) {
		const struct track *other = &grants.tracks[i];

		if (other->used && other->refused && other->ref == t->ref &&
		    other->granter == t->granter && other->mapper == t->mapper)
			return true;
	}

	return false;
}

bool page_is_excused(const struct page *page)
{
	if (page->mapped)
		return is_excused(&grants.tracks[page->handle]);
	/* Or the call failed before the kernel had tidied up behind it. */
	return page->foreign;
}

void machine_mappings(struct machine_mappings *m)
{
	const struct track *t;

	memset(m, 0, sizeof(*m));
	m->hollow = pages_refused();
	hypervisor_lock();
	for (t = grants.tracks; t < grants.tracks + grants.used; t++) {
		if (!t->used)
			continue;
		m->refused += t->refused;
		m->kernel += t->page != NULL;
		m->user += !t->page && !t->area && !t->device;
		m->areas += t->area != NULL;
	}
	hypervisor_unlock();
}

bool machine_refused(unsigned int domid, uint32_t ref)
{
	const struct track *t;
	bool refused = false;

	hypervisor_lock();
	for (t = grants.tracks; t < grants.tracks + grants.used; t++)
		refused |= t->used && t->refused && t->ref == ref &&
			   t->granter->id == domid;
	hypervisor_unlock();

	return refused;
}

/* Of how many program's entries the hypervisor was made to keep the mapping. */
unsigned int tracks_refused_entries(void)
{
	unsigned int count = 0;
	u32 i;

	for (i = 0; i < grants.used; i++)
		count += grants.tracks[i].used && grants.tracks[i].refused &&
			 !grants.tracks[i].page;

	return count;
}

unsigned int tracks_leaks(FILE *out)
{
	unsigned int count = 0;
	struct track *t;
	u32 i;

	for (i = 0; i < grants.used; i++) {
		t = &grants.tracks[i];
		if (!t->used || is_excused(t))
			continue;
		count++;
		if (out)
			fprintf(out,
				"machine: domain %u still maps grant %u of domain %u\n",
				t->mapper->id, t->ref, t->granter->id);
	}
	free(grants.tracks);
	grants.tracks = NULL;
	grants.size = 0;
	grants.used = 0;
	grants.first_free = INVALID_GRANT_HANDLE;

	return count;
}
