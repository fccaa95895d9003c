// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where the hypervisor maps grants: pages of the kernel's and entries of page
 * tables; and the kernel's own reads of and stores to such pages.
 */
#include "context.h"
#include "pages.h"
#include "vm.h"
#include "vmap.h"
#include "xen_calls.h"
#include "../xen/xen.h"

/* An entry of an area of the kernel's: what it showed goes. */
static bool find_kernel_entry(u64 addr, u32 flags, struct place *place)
{
	pte_t *pte = vmap_pte_at(addr);

	if (!pte)
		return false;
	if (flags & GNTMAP_application_map)
		machine_fatal("an entry of the kernel's is made for programs");
	if (pte->kind == PTE_GRANT)
		machine_fatal("a grant is mapped over another in an entry");
	*place = (struct place){PLACE_AREA, pte};
	return true;
}

/* What a program's entry is that the operation's address names. */
static void find_program_entry(struct domain *caller, u64 addr, u32 flags,
			       struct place *place)
{
	struct vm_area_struct *vma;
	pte_t *pte = pte_at(addr, &vma);

	if (!pte)
		machine_fatal(
			"a grant is mapped into %#llx, which is no page-table entry",
			addr);
	if (vma->vm_mm->task->domain != caller)
		machine_fatal("a grant is mapped into another domain's entry");
	if (pte->kind != PTE_NONE)
		machine_fatal("a grant is mapped over an entry that is there");
	if (!(flags & GNTMAP_application_map))
		machine_fatal("a program's entry is made for the kernel only");
	if (!(flags & (1U << _GNTMAP_guest_avail0)))
		machine_fatal("a program's entry is not marked special");
	*place = (struct place){PLACE_PROGRAM, pte};
}

static void find_frame(u64 addr, struct place *place)
{
	struct page *page;

	if (machine_mode() != MACHINE_PV)
		addr ^= PHYSICAL;
	page = page_at(addr);
	if (!page || addr & ~PAGE_MASK || !page_is_for_grants(page))
		machine_fatal(
			"a grant is mapped at %#llx, which is no page for one",
			addr);
	if (page->kind == PAGE_DMA &&
	    (!page->unpopulated || !page->private || page_may_be_known(page)))
		machine_fatal(
			"a grant is mapped at a page of the DMA API that is not made ready for it");
	if (page->mapped)
		machine_fatal("a grant is mapped over another in the same page");
	*place = (struct place){PLACE_FRAME, page};
}

/* Where a mapping goes, by the operation's address; nothing may be there. */
static void find_place(struct domain *caller, u64 addr, u32 flags,
		       struct place *place)
{
	if (!(flags & GNTMAP_contains_pte))
		find_frame(addr, place);
	else if (!find_kernel_entry(addr, flags, place))
		find_program_entry(caller, addr, flags, place);
}

static u64 place_address(const struct place *place)
{
	u64 addr = (uintptr_t)place->at;

	if (place->kind == PLACE_FRAME) {
		addr = (uintptr_t)page_address(place->at);
		if (machine_mode() != MACHINE_PV)
			addr ^= PHYSICAL;
	}

	return addr;
}

static void set_entry(const struct place *place, const pte_t *value)
{
	pte_t *pte = place->at, before = *pte;

	*pte = *value;
	if (place->kind == PLACE_AREA)
		vmap_pte_changed(pte, &before);
}

static void map_place(const struct track *t, u32 handle, unsigned long pfn)
{
	struct page *page = t->place.at;

	if (t->place.kind != PLACE_FRAME) {
		set_entry(&t->place, &(pte_t){
					     .kind = PTE_GRANT,
					     .writable = !t->readonly,
					     .owner = t->granter,
					     .pfn = pfn,
					     .handle = handle,
				     });
		return;
	}
	page->mapped = true;
	page->readonly = t->readonly;
	page->owner = t->granter;
	page->pfn = pfn;
	page->ref = t->ref;
	page->handle = handle;
}

static void unmap_place(const struct place *place)
{
	struct page *page = place->at;

	if (place->kind != PLACE_FRAME) {
		set_entry(place, &(pte_t){.kind = PTE_NONE});
		return;
	}
	if (page->areas)
		machine_fatal("a grant is unmapped from a page that is vmapped");
	page->mapped = false;
	page->owner = NULL;
}

static void forget_place(const struct place *place)
{
	struct page *page = place->at;

	if (place->kind == PLACE_FRAME)
		page->in_p2m = false;
}

void grant_places_start(void)
{
	static const struct guest guest = {
		.find = find_place,
		.address = place_address,
		.map = map_place,
		.unmap = unmap_place,
		.forget = forget_place,
	};

	guest_is(&guest);
}

/* ---- what is in a place ---- */

bool pte_is_refused(const pte_t *pte)
{
	return handle_is_refused(pte->handle);
}

bool pte_is_lost(pte_t *pte)
{
	if (!handle_is_lost(pte->handle))
		return false;
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

bool page_is_excused(const struct page *page)
{
	if (page->mapped)
		return handle_is_excused(page->handle);
	/* Or the call failed before the kernel had tidied up behind it. */
	return page->foreign;
}

/* ---- the kernel's stores ---- */

static void grant_store(struct page *page, unsigned long offset,
			const void *value, size_t size)
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

bool page_store(volatile void *addr, const void *value, size_t size)
{
	struct page *page = page_at((uintptr_t)addr);

	if (!page)
		return false;
	grant_store(page, (uintptr_t)addr & ~PAGE_MASK, value, size);
	return true;
}

void memcpy_from_page(char *to, struct page *page, size_t offset, size_t len)
{
	hypervisor_lock();
	if (!page_is_for_grants(page) || !page->mapped)
		machine_fatal("the kernel reads a page with nothing behind it");
	memory_copy(to,
		    domain_memory(page->owner) + (page->pfn << PAGE_SHIFT) +
			    offset,
		    len);
	hypervisor_unlock();
}
