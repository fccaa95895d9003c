// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* AREA_UNMAP: what becomes of the pages of slots that are emptied. */
#include "area.h"
#include "tally.h"

/* Has the kernel map what a claimed slot has, if it does not yet. */
static bool kernel_has(struct mapping *m, u32 slot)
{
	return handle_is_good(m->handles[slot]) ||
	       !gntdev_grants_ensure(&m->window, slot, 1);
}

/* Takes the notifications of the slots, which are spent; a byte needs a page. */
static void take_notifications(struct mapping *m, struct area_batch *b)
{
	struct grant_range *range = m->range;
	struct notify *notify;
	u32 i;

	b->notifies = READ_ONCE(range->notify);
	if (!b->notifies)
		return;

	memset(b->notify, 0, b->n * sizeof(b->notify[0]));
	mutex_lock(&m->inst->lock);
	for (i = 0; i < b->n; i++) {
		if (b->claimed[i])
			swap(b->notify[i], range->notify[b->ops[i].slot]);
	}
	mutex_unlock(&m->inst->lock);

	for (i = 0; i < b->n; i++) {
		notify = &b->notify[i];
		if (!(notify->action & UNMAP_NOTIFY_CLEAR_BYTE))
			continue;
		if (range->grants[b->ops[i].slot].domid & GRANT_READONLY ||
		    !kernel_has(m, b->ops[i].slot))
			notify->action &= ~UNMAP_NOTIFY_CLEAR_BYTE;
	}
}

/* The kernel has those pages mapped; the program does not see them any more. */
static void clear_bytes(const struct mapping *m, const struct area_batch *b)
{
	u32 i;
	u8 *at;

	for (i = 0; i < b->n; i++) {
		if (!(b->notify[i].action & UNMAP_NOTIFY_CLEAR_BYTE))
			continue;
		at = page_address(m->pages[b->ops[i].slot]);
		WRITE_ONCE(at[b->notify[i].byte], 0);
	}
	/* Before the unmapping, and so before the event. */
	wmb();
}

/* The pages that the kernel maps become a mapping of their own. */
static void gather(struct mapping *m, struct area_batch *b)
{
	struct mapping *part = &b->part;
	u32 i, slot, alone = 0;

	part->count = 0;
	part->missing = 0;
	part->restores = m->restores;
	part->notify = b->notifies ? b->sent : NULL;
	for (i = 0; i < b->n; i++) {
		slot = b->ops[i].slot;
		if (!slot_is_mapped(b->claimed[i]))
			continue;
		if (m->handles[slot] == INVALID_GRANT_HANDLE) {
			alone++;
			continue;
		}
		if (!part->count)
			part->grants = m->grants + slot;
		b->which[part->count] = i;
		part->pages[part->count] = m->pages[slot];
		part->handles[part->count] = m->handles[slot];
		if (b->notifies) {
			b->sent[part->count] = b->notify[i];
			b->notify[i].action = 0;
		}
		part->count++;
	}
	part->held = part->count;
	atomic_long_sub(alone, &gntdev_counters.mapped);
}

/* There was no memory to part a page that is in use: its slot is as it was. */
static void take_back(struct mapping *m, struct area_batch *b, u32 k)
{
	u32 i = b->which[k], slot = b->ops[i].slot;
	struct notify *notify = m->range->notify;

	b->claimed[i] = SLOT_LOST;
	b->ops[i].status = GNTST_no_device_space;
	if (!b->notifies)
		return;
	mutex_lock(&m->inst->lock);
	if (!notify[slot].action)
		swap(notify[slot], b->sent[k]);
	mutex_unlock(&m->inst->lock);
	gntdev_notify_send(&b->sent[k], 1);
}

/* Unmaps what the kernel maps; what somebody still has is given back later. */
static void unmap_by_kernel(struct mapping *m, struct area_batch *b)
{
	struct mapping *part = &b->part;
	u32 k, slot;
	bool all;

	if (b->notifies)
		clear_bytes(m, b);
	gather(m, b);
	if (!part->count)
		return;
	all = !gntdev_grants_unmap(part) || gntdev_retire_part(part);

	for (k = 0; k < part->count; k++) {
		slot = b->ops[b->which[k]].slot;
		if (!all && part->handles[k] != INVALID_GRANT_HANDLE) {
			take_back(m, b, k);
			continue;
		}
		/* A page that stays with others is missing from now on. */
		m->pages[slot] = part->pages[k];
		m->handles[slot] = INVALID_GRANT_HANDLE;
	}
}

/*
 * The slots are free, and the events of those that had an entry alone are due.
 * Whoever waits for entries need not wait for what the kernel maps. Returns how
 * many slots are free now.
 */
static u32 unmap_settle(struct area *area, struct mapping *m,
			struct area_batch *b, bool landed)
{
	u32 i, slot, freed = 0;
	u8 *state;

	if (b->notifies)
		gntdev_notify_send(b->notify, b->n);

	spin_lock(&area->lock);
	for (i = 0; i < b->n; i++) {
		slot = b->ops[i].slot;
		state = &area->states[slot];
		if (slot_is_mapped(b->claimed[i])) {
			*state = SLOT_FREE;
			freed++;
			m->missing += !m->pages[slot];
		} else if (b->claimed[i]) {
			*state = b->ops[i].status == GNTST_no_device_space
					 ? SLOT_SEEN
					 : SLOT_LOST;
		}
	}
	area->users--;
	area->in_flight -= !landed;
	gntdev_area_wake(area);
	spin_unlock(&area->lock);

	if (!landed)
		atomic_long_sub(freed, &gntdev_counters.mapped);

	return freed;
}

/* The kernel has pages of the slots mapped, or there is more to be told. */
static bool has_more(const struct mapping *m, const struct area_batch *b)
{
	u32 i;

	for (i = 0; i < b->n && !b->notifies; i++) {
		if (m->handles[b->ops[i].slot] != INVALID_GRANT_HANDLE)
			return true;
	}

	return b->notifies;
}

/* As gntdev_area_map_some(). */
int gntdev_area_unmap_some(struct area *area, struct area_batch *b, u32 n)
{
	struct instance *inst;
	struct mapping *m;
	bool more;
	int err = gntdev_area_enter(area, b, n, false, &m);

	if (err)
		return err;
	inst = m->inst;

	take_notifications(m, b);
	if (gntdev_mode->user_grants)
		gntdev_area_pv_unmap(area, m, b);
	else
		gntdev_area_xlat_unmap(m, b);
	more = has_more(m, b);
	if (more) {
		gntdev_area_land(area);
		unmap_by_kernel(m, b);
	}
	tally_add(inst, unmaps, unmap_settle(area, m, b, more));

	return 0;
}
