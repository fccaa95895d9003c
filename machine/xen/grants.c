// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Grant mappings: the hypervisor's rules, and its account of who maps what. */
#include <stdlib.h>

#include "xen.h"

static struct {
	struct track *tracks; /* by handle */
	u32 size, used; /* handles ever given */
	u32 first_free; /* a list; size is its end */
	unsigned int most; /* of each domain */
} grants;

static const struct guest *guest;

void guest_is(const struct guest *kernel)
{
	guest = kernel;
}

void tracks_start(unsigned int most)
{
	grants.most = most ?: 262144;
	grants.used = 0;
	grants.first_free = INVALID_GRANT_HANDLE;
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
	if (op->flags & GNTMAP_device_map) {
		t->used = true;
		op->handle = handle;
		op->dev_bus_addr = 0;
		return GNTST_okay;
	}
	guest->find(caller, op->host_addr, op->flags, &t->place);
	status = grant_acquire(caller, granter, op->ref, t->readonly, &pfn);
	if (status) {
		handle_free(handle);
		return status;
	}
	t->used = true;
	granter->uses[op->ref].mapped[t->readonly]++;
	guest->map(t, handle, pfn);
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

s16 grant_map(struct domain *caller, struct gnttab_map_grant_ref *op,
	      s16 refuse)
{
	struct machine_event event = {
		.kind = MACHINE_EVENT_MAP,
		.user = op->flags & GNTMAP_contains_pte,
		.domain = op->dom,
		.ref = op->ref,
		.address = op->host_addr,
	};
	s16 status = refuse;

	if (!refuse) {
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

static void check_place(const struct track *t, u64 addr)
{
	u64 expected = guest->address(&t->place);

	if (addr != expected)
		machine_fatal(
			"a grant is unmapped at %#llx, but mapped at %#llx",
			addr, expected);
}

/* Of what it uses and shows; its handle is somebody else's then. */
static void end_mapping(struct track *t, u32 handle)
{
	if (t->place.at)
		guest->unmap(&t->place);
	if (t->place.kind != PLACE_NONE) {
		t->granter->uses[t->ref].mapped[t->readonly]--;
		grant_release(t->granter, t->ref, t->readonly);
	}
	handle_free(handle);
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
	if (t->place.kind != PLACE_NONE)
		check_place(t, op->host_addr);
	event.user = t->place.kind == PLACE_PROGRAM;
	event.domain = t->granter->id;
	event.ref = t->ref;
	if (refuse)
		t->refused = true;
	else
		end_mapping(t, op->handle);
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

bool handle_is_refused(u32 handle)
{
	return grants.tracks[handle].refused;
}

bool handle_is_lost(u32 handle)
{
	struct track *t = &grants.tracks[handle];

	if (!t->refused)
		return false;
	t->place.at = NULL;
	return true;
}

void tracks_saved(bool restored)
{
	hypervisor_lock();
	for (u32 i = 0; i < grants.used; i++) {
		struct track *t = &grants.tracks[i];

		if (t->used && t->place.at && !t->refused &&
		    t->place.kind != PLACE_FRAME)
			machine_fatal(
				"a page table is saved with grant %u in it: what is beside it is lost",
				t->ref);
		if (!t->used || !restored)
			continue;
		/* The kernel's memory comes along, what was behind it not. */
		guest->forget(&t->place);
		end_mapping(t, i);
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

bool handle_is_excused(u32 handle)
{
	return is_excused(&grants.tracks[handle]);
}

void tracks_count(struct machine_mappings *m)
{
	const struct track *t;

	hypervisor_lock();
	for (t = grants.tracks; t < grants.tracks + grants.used; t++) {
		if (!t->used)
			continue;
		m->refused += t->refused;
		m->kernel += t->place.kind == PLACE_FRAME;
		m->user += t->place.kind == PLACE_PROGRAM;
		m->areas += t->place.kind == PLACE_AREA;
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
			 grants.tracks[i].place.kind != PLACE_FRAME;

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
