// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Areas: how they are made, shown and closed. */
#include "area.h"

static struct area *area_alloc(u32 slots)
{
	struct area *area;

	area = gntdev_memory_for_program(struct_size(area, states, slots));
	if (!area)
		return NULL;

	memset(area, 0, struct_size(area, states, slots));
	refcount_set(&area->refs, 1);
	spin_lock_init(&area->lock);
	init_waitqueue_head(&area->wait);
	area->count = slots;

	return area;
}

/* Of a range that goes, or of a request that is done with it. */
void gntdev_area_put(struct area *area)
{
	u32 i;

	if (!refcount_dec_and_test(&area->refs))
		return;

	for (i = 0; i < AREA_SPARES; i++)
		kvfree(area->spares[i]);
	kvfree(area);
}

/**
 * gntdev_area_create_request() - IOCTL_GNTDEV_AREA_CREATE
 * @inst: the instance
 * @arg: struct ioctl_gntdev_area_create
 *
 * Return: 0; -EINVAL for unknown flags, and a number of slots that is 0, above
 * the parameter limit or above the instance's maximum; -ENOMEM; -ENFILE; -EFAULT.
 */
long gntdev_area_create_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_area_create __user *user = arg;
	struct ioctl_gntdev_area_create op;
	struct grant_range *range;

	if (copy_from_user(&op, user, sizeof(op)))
		return -EFAULT;
	if (op.flags || !gntdev_instance_takes(inst, op.slots))
		return -EINVAL;

	range = gntdev_range_alloc(op.slots);
	if (!range)
		return -ENOMEM;
	memset(range->grants, 0,
	       array_size(op.slots, sizeof(range->grants[0])));
	range->area = area_alloc(op.slots);
	if (!range->area) {
		gntdev_range_free(range);
		return -ENOMEM;
	}

	return gntdev_range_add(inst, range, &user->index);
}

/**
 * gntdev_area_show() - show an area's empty slots in a VMA
 * @range: the area's, with a mapping that has all pages; mmap_lock is held
 * @vma: as mmap was called with
 *
 * Return: 0 or a negative errno, and then nothing is shown.
 */
int gntdev_area_show(struct grant_range *range, struct vm_area_struct *vma)
{
	struct area *area = range->area;
	struct mapping *m = range->mapping;
	int err;

	m->grants = range->grants;
	m->writable = range->writable;
	m->window.writable = range->writable;
	m->restores = gntdev_restores;
	err = gntdev_window_attach(&m->window, vma, gntdev_mode->area_attach);
	if (err)
		return err;

	vma->vm_ops = gntdev_mode->area_vm_ops;
	spin_lock(&area->lock);
	area->valid = false;
	area->mapping = m;
	spin_unlock(&area->lock);

	return 0;
}

/* Whether a slot has a grant of another domain than that. */
bool gntdev_area_has_others(struct area *area, u32 domid)
{
	bool others = false;
	u32 i;

	spin_lock(&area->lock);
	for (i = 0; area->mapping && i < area->count && !others; i++)
		others = area->states[i] != SLOT_FREE &&
			 domid_of(&area->mapping->grants[i]) != domid;
	spin_unlock(&area->lock);

	return others;
}

static bool is_none(struct area *area, const u32 *number)
{
	bool none;

	spin_lock(&area->lock);
	none = !*number;
	spin_unlock(&area->lock);

	return none;
}

/* Whose grant is in a slot; ANY_DOMAIN if it is empty. */
u32 gntdev_area_slot_domain(const struct grant_range *range, u32 slot)
{
	struct area *area = range->area;
	u32 domid = ANY_DOMAIN;

	spin_lock(&area->lock);
	if (area->mapping && area->states[slot] != SLOT_FREE)
		domid = domid_of(&range->grants[slot]);
	spin_unlock(&area->lock);

	return domid;
}

/* Whether a page of a range is to be mapped: of an area's, some are not. */
bool gntdev_area_shows(const struct grant_range *range, u32 slot)
{
	struct area *area = range->area;
	bool shows;

	if (!area)
		return true;

	spin_lock(&area->lock);
	shows = slot_is_mapped(area->states[slot]);
	spin_unlock(&area->lock);

	return shows;
}

/* Until a number of the area's is 0 again. */
void gntdev_area_wait(struct area *area, const u32 *until_none)
{
	spin_lock(&area->lock);
	area->waiters++;
	spin_unlock(&area->lock);

	wait_event(area->wait, is_none(area, until_none));

	spin_lock(&area->lock);
	area->waiters--;
	spin_unlock(&area->lock);
}

void gntdev_area_wake(struct area *area)
{
	if (area->waiters)
		wake_up_all(&area->wait);
}

/**
 * gntdev_area_close() - an area's last VMA goes
 * @m: its mapping, which gets its notifications; munmap holds mmap_lock
 *
 * From now on it is as any range's mapping that is to be unmapped.
 *
 * Return: of how many slots.
 */
u32 gntdev_area_close(struct mapping *m)
{
	struct area *area = m->range->area;
	struct notify *notify;
	u32 i, mapped = 0;

	spin_lock(&area->lock);
	area->mapping = NULL;
	area->valid = false;
	spin_unlock(&area->lock);
	gntdev_area_wait(area, &area->users);

	mutex_lock(&m->inst->lock);
	gntdev_mapping_take_notify(m);
	mutex_unlock(&m->inst->lock);
	notify = m->notify;

	for (i = 0; i < area->count; i++) {
		mapped += area->states[i] != SLOT_FREE;
		if (!notify)
			continue;
		/* There is nothing of which a byte could be cleared. */
		if (area->states[i] == SLOT_FREE)
			gntdev_notify_send(notify + i, 1);
		else if (m->grants[i].domid & GRANT_READONLY)
			notify[i].action &= ~UNMAP_NOTIFY_CLEAR_BYTE;
	}
	memset(area->states, SLOT_FREE, area->count);

	/* What is bare is held too, until gntdev_grants_unmap() has looked at it. */
	m->held = m->count - m->missing;
	atomic_long_add((long)m->held - mapped, &gntdev_counters.mapped);

	return mapped;
}
