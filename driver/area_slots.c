// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Slots of areas: claimed for requests, filled, and looked after. */
#include "area.h"
#include "backoff.h"
#include "tally.h"
#include "trace.h"

static bool op_is_bad(const struct area *area, const struct mapping *m,
		      const struct gntdev_area_op *op)
{
	return op->slot >= area->count || op->domid > DOMID_IDLE ||
	       op->flags & ~GNTDEV_AREA_READONLY ||
	       !(m->writable || entry_is_readonly(op));
}

/*
 * Claims one slot for AREA_MAP. Returns 0; -EAGAIN if its entry has to be looked
 * up, -ENODATA if it has no page; or an errno for the program.
 */
static int claim_free(struct area *area, struct mapping *m,
		      const struct gntdev_area_op *op)
{
	struct ioctl_gntdev_grant_ref *grant;

	if (op_is_bad(area, m, op))
		return -EINVAL;
	if (!gntdev_restrict_allows(m->inst, op->domid))
		return -EACCES;
	if (gntdev_xlat_refuses(op->domid))
		return -EINVAL;
	if (area->states[op->slot] != SLOT_FREE)
		return -EEXIST;
	if (!m->pages[op->slot])
		return -ENODATA;
	if (gntdev_mode->user_grants && !gntdev_area_pv_knows(m, op->slot))
		return -EAGAIN;

	area->states[op->slot] = SLOT_BUSY;
	grant = &m->range->grants[op->slot];
	grant->domid = op->domid | (entry_is_readonly(op) ? GRANT_READONLY : 0);
	grant->ref = op->ref;

	return 0;
}

/*
 * The same for AREA_UNMAP; -EBUSY if a fault has it just now, or another AREA_UNMAP:
 * what this one says is to be so by then.
 */
static int claim_mapped(struct area *area, struct area_batch *b, u32 i)
{
	struct gntdev_area_op *op = &b->ops[i];
	u8 *state;

	if (op->slot >= area->count)
		return -EINVAL;

	state = &area->states[op->slot];
	op->status = *state == SLOT_LOST ? GNTST_general_error : GNTST_okay;
	b->claimed[i] = SLOT_FREE;
	if (*state == SLOT_FAULTING || *state == SLOT_LEAVING)
		return -EBUSY;
	if (slot_is_mapped(*state)) {
		b->claimed[i] = *state;
		*state = SLOT_LEAVING;
	}

	return 0;
}

/*
 * Claims the slots of the first operations, as many as are in order. Returns 0
 * and their number in @b, or why there is none.
 */
static int area_claim(struct area *area, struct area_batch *b, u32 n, bool map)
{
	struct mapping *m = area->mapping;
	int err = 0;

	lockdep_assert_held(&area->lock);

	if (!m)
		return -EINVAL;
	if (gntdev_mode->user_grants && !area->valid)
		return -EAGAIN;
	/* Before there is a handle that the restored domain has got. */
	if (m->restores != gntdev_restores)
		gntdev_grants_forget(m);

	for (b->n = 0; b->n < n; b->n++) {
		err = map ? claim_free(area, m, &b->ops[b->n])
			  : claim_mapped(area, b, b->n);
		if (err)
			break;
	}
	if (!b->n)
		return err;

	b->access = area->access;
	b->looked_at = area->looked_at;
	b->by_kernel = !gntdev_mode->user_grants || !b->access;
	area->users++;
	area->in_flight++;

	return 0;
}

/* A slot whose page somebody still had at AREA_UNMAP gets another one. */
static int area_add_page(struct area *area, u32 slot)
{
	struct mapping *m;
	struct page *page;

	if (gnttab_alloc_pages(1, &page))
		return -ENOMEM;

	spin_lock(&area->lock);
	m = area->mapping;
	if (m && area->states[slot] == SLOT_FREE && !m->pages[slot]) {
		swap(m->pages[slot], page);
		m->missing--;
	}
	spin_unlock(&area->lock);

	if (page)
		gnttab_free_pages(1, &page);

	return 0;
}

static bool is_changing(struct area *area, u32 slot)
{
	bool changing;

	spin_lock(&area->lock);
	changing = area->states[slot] == SLOT_FAULTING ||
		   area->states[slot] == SLOT_LEAVING;
	spin_unlock(&area->lock);

	return changing;
}

/*
 * Until no fault makes its entry, and no AREA_UNMAP ends it, which takes as long as a
 * hypercall: 0 or -EINTR.
 */
int gntdev_area_wait_slot(struct area *area, u32 slot)
{
	int err;

	spin_lock(&area->lock);
	area->waiters++;
	spin_unlock(&area->lock);
	err = wait_event_killable(area->wait, !is_changing(area, slot));
	spin_lock(&area->lock);
	area->waiters--;
	spin_unlock(&area->lock);

	return err ? -EINTR : 0;
}

/**
 * gntdev_area_enter() - claim the slots of operations
 * @area: the area
 * @b: a batch
 * @n: the first so many operations of it
 * @map: whether they are AREA_MAP's
 * @m: where the area's mapping is told, which stays until they are settled
 *
 * Return: 0 with the number of them in @b, at least 1; or why there is none.
 */
int gntdev_area_enter(struct area *area, struct area_batch *b, u32 n, bool map,
		      struct mapping **m)
{
	int err;

	do {
		spin_lock(&area->lock);
		err = area_claim(area, b, n, map);
		*m = area->mapping;
		spin_unlock(&area->lock);

		switch (err) {
		case -EAGAIN:
			err = gntdev_area_pv_look_up(area, b, n);
			break;
		case -ENODATA:
			err = area_add_page(area, b->ops[0].slot);
			break;
		case -EBUSY:
			err = gntdev_area_wait_slot(area, b->ops[0].slot);
			break;
		default:
			return err;
		}
	} while (!err);

	return err;
}

/* No entry of a program is changed any more. */
void gntdev_area_land(struct area *area)
{
	spin_lock(&area->lock);
	area->in_flight--;
	gntdev_area_wake(area);
	spin_unlock(&area->lock);
}

static phys_addr_t page_addr(struct page *page)
{
	return (unsigned long)page_address(page);
}

/* See gntdev_grants_map(): munmap waits for who has claimed slots. */
static int await_pages(const struct area_batch *b)
{
	struct ioctl_gntdev_grant_ref grants[GNTDEV_ATOMIC_BATCH];
	struct backoff backoff;
	u32 first, i, n;
	int err = 0;

	gntdev_backoff_begin(&backoff);
	for (first = 0; first < b->n && !err; first += n) {
		n = min(b->n - first, GNTDEV_ATOMIC_BATCH);
		for (i = 0; i < n; i++) {
			grants[i].domid = b->ops[first + i].domid;
			grants[i].ref = b->ops[first + i].ref;
		}
		err = gntdev_backoff_await(grants, n, &backoff);
	}

	return err;
}

/* Nothing is mapped, as a page has been paged out for too long. */
static void give_up(struct area_batch *b)
{
	u32 i;

	for (i = 0; i < b->n; i++)
		b->map[i].status = GNTST_eagain;
}

/* Maps grants into the kernel: a program's entries come by faults. */
static void map_by_kernel(struct mapping *m, struct area_batch *b)
{
	const struct gntdev_area_op *op;
	u32 i, mapped = 0;

	if (granters_page_out() && await_pages(b)) {
		give_up(b);
		return;
	}
	for (i = 0; i < b->n; i++) {
		op = &b->ops[i];
		b->pages[i] = m->pages[op->slot];
		gnttab_set_map_op(&b->map[i], page_addr(b->pages[i]),
				  GNTMAP_host_map | (entry_is_readonly(op)
							     ? GNTMAP_readonly
							     : 0),
				  op->ref, op->domid);
	}

	/* Each status tells what was done. */
	(void)gnttab_map_refs(b->map, NULL, b->pages, b->n);

	for (i = 0; i < b->n; i++) {
		if (b->map[i].status == GNTST_okay) {
			m->handles[b->ops[i].slot] = b->map[i].handle;
			mapped++;
		} else {
			ClearPageForeign(b->pages[i]);
		}
	}
	atomic_long_add(mapped, &gntdev_counters.handles);
}

/*
 * Tells of each operation, and gives the slots free that stay empty. Returns how
 * many do not. The mapping may go after it.
 */
static u32 map_settle(struct area *area, struct area_batch *b)
{
	u32 i, mapped = 0;
	bool done;

	spin_lock(&area->lock);
	for (i = 0; i < b->n; i++) {
		done = b->map[i].status == GNTST_okay;
		/* 1: the hypervisor did not get to it. */
		b->ops[i].status =
			min_t(s16, b->map[i].status, GNTST_okay)
				?: (done ? GNTST_okay : GNTST_general_error);
		area->states[b->ops[i].slot] = done ? SLOT_MAPPED : SLOT_FREE;
		mapped += done;
	}
	area->users--;
	area->in_flight--;
	gntdev_area_wake(area);
	spin_unlock(&area->lock);

	atomic_long_add(mapped, &gntdev_counters.mapped);

	return mapped;
}

/* For those who trace: the first grant that the hypervisor refused. */
static void trace_refused(const struct area_batch *b)
{
	const struct gntdev_area_op *op = b->ops, *end = op + b->n;
	struct ioctl_gntdev_grant_ref grant;

	while (op < end && op->status == GNTST_okay)
		op++;
	if (op == end)
		return;

	grant.domid = op->domid;
	grant.ref = op->ref;
	trace_gntdev_refused(&grant, op->status);
}

/* Returns 0 with the number of operations in @b, or an errno if there is none. */
int gntdev_area_map_some(struct area *area, struct area_batch *b, u32 n)
{
	struct instance *inst;
	struct mapping *m;
	int err = gntdev_area_enter(area, b, n, true, &m);

	if (err)
		return err;
	inst = m->inst;

	if (b->by_kernel)
		map_by_kernel(m, b);
	else
		gntdev_area_pv_map(area, m, b);
	tally_add(inst, maps, map_settle(area, b));
	if (trace_gntdev_refused_enabled())
		trace_refused(b);

	return 0;
}
