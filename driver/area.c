// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Areas: their requests, and what becomes of their slots. */
#include "area.h"
#include "trace.h"

/* ---- making and ending ---- */

static struct area *area_alloc(u32 slots)
{
	struct area *area;

	area = memory_for_program(struct_size(area, states, slots));
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
void area_put(struct area *area)
{
	u32 i;

	if (!refcount_dec_and_test(&area->refs))
		return;

	for (i = 0; i < AREA_SPARES; i++)
		kvfree(area->spares[i]);
	kvfree(area);
}

/**
 * area_create_request() - IOCTL_GNTDEV_AREA_CREATE
 * @inst: the instance
 * @arg: struct ioctl_gntdev_area_create
 *
 * Return: 0; -EINVAL for unknown flags, and a number of slots that is 0, above
 * the parameter limit or above the instance's maximum; -ENOMEM; -ENFILE; -EFAULT.
 */
long area_create_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_area_create __user *user = arg;
	struct ioctl_gntdev_area_create op;
	struct grant_range *range;

	if (copy_from_user(&op, user, sizeof(op)))
		return -EFAULT;
	if (op.flags || !instance_takes(inst, op.slots))
		return -EINVAL;

	range = range_alloc(op.slots);
	if (!range)
		return -ENOMEM;
	memset(range->grants, 0,
	       array_size(op.slots, sizeof(range->grants[0])));
	range->area = area_alloc(op.slots);
	if (!range->area) {
		range_free(range);
		return -ENOMEM;
	}

	return range_add(inst, range, &user->index);
}

/**
 * area_show() - show an area's empty slots in a VMA
 * @range: the area's, with a mapping that has all pages; mmap_lock is held
 * @vma: as mmap was called with
 *
 * Return: 0 or a negative errno, and then nothing is shown.
 */
int area_show(struct grant_range *range, struct vm_area_struct *vma)
{
	struct area *area = range->area;
	struct mapping *m = range->mapping;
	int err;

	m->grants = range->grants;
	m->writable = range->writable;
	m->window.writable = range->writable;
	err = window_attach(&m->window, vma, mode->area_attach);
	if (err)
		return err;

	vma->vm_ops = mode->area_vm_ops;
	spin_lock(&area->lock);
	area->valid = false;
	area->mapping = m;
	spin_unlock(&area->lock);

	return 0;
}

/* Until a number of the area's is 0 again. */
void area_wait(struct area *area, const u32 *until_none)
{
	spin_lock(&area->lock);
	area->waiters++;
	spin_unlock(&area->lock);

	wait_event(area->wait, !READ_ONCE(*until_none));

	/* Whoever made it 0 is out of the lock now. */
	spin_lock(&area->lock);
	area->waiters--;
	spin_unlock(&area->lock);
}

void area_wake(struct area *area)
{
	if (area->waiters)
		wake_up_all(&area->wait);
}

/**
 * area_close() - an area's last VMA goes
 * @m: its mapping, with its notifications; munmap holds mmap_lock
 *
 * From now on it is as any range's mapping that is to be unmapped.
 */
void area_close(struct mapping *m)
{
	struct area *area = m->range->area;
	struct notify *notify = m->notify;
	u32 i, mapped = 0;

	spin_lock(&area->lock);
	area->mapping = NULL;
	area->valid = false;
	spin_unlock(&area->lock);
	area_wait(area, &area->users);

	for (i = 0; i < area->count; i++) {
		mapped += area->states[i] != SLOT_FREE;
		if (!notify)
			continue;
		/* There is nothing of which a byte could be cleared. */
		if (area->states[i] == SLOT_FREE)
			notify_send(notify + i, 1);
		else if (m->grants[i].domid & GRANT_READONLY)
			notify[i].action &= ~UNMAP_NOTIFY_CLEAR_BYTE;
	}
	memset(area->states, SLOT_FREE, area->count);

	/* What is bare is held too, until grants_unmap() has looked at it. */
	m->held = m->count - m->missing;
	atomic_long_add((long)m->held - mapped, &counters.mapped);
}

/* ---- operations ---- */

static struct area_batch *batch_get(struct area *area)
{
	struct area_batch *b = NULL;
	u32 i;

	for (i = 0; i < AREA_SPARES && !b; i++) {
		if (READ_ONCE(area->spares[i]))
			b = xchg(&area->spares[i], NULL);
	}
	if (b)
		return b;

	b = memory_for_program(sizeof(*b));
	if (!b)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->part.pages = b->pages;
	b->part.handles = b->handles;
	b->part.ops.unmap = b->unmap;

	return b;
}

static void batch_put(struct area *area, struct area_batch *b)
{
	u32 i;

	for (i = 0; i < AREA_SPARES && b; i++) {
		if (!READ_ONCE(area->spares[i]))
			b = xchg(&area->spares[i], b);
	}
	kvfree(b);
}

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
	if (area->states[op->slot] != SLOT_FREE)
		return -EEXIST;
	if (!m->pages[op->slot])
		return -ENODATA;
	if (mode->user_grants && !area_pv_knows(m, op->slot))
		return -EAGAIN;

	area->states[op->slot] = SLOT_BUSY;
	grant = &m->range->grants[op->slot];
	grant->domid = op->domid | (entry_is_readonly(op) ? GRANT_READONLY : 0);
	grant->ref = op->ref;

	return 0;
}

/* The same for AREA_UNMAP; -EBUSY if a fault has it just now. */
static int claim_mapped(struct area *area, struct area_batch *b, u32 i)
{
	struct gntdev_area_op *op = &b->ops[i];
	u8 *state;

	if (op->slot >= area->count)
		return -EINVAL;

	state = &area->states[op->slot];
	op->status = *state == SLOT_LOST ? GNTST_general_error : GNTST_okay;
	b->claimed[i] = SLOT_FREE;
	if (*state == SLOT_FAULTING)
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
	if (mode->user_grants && !area->valid)
		return -EAGAIN;

	for (b->n = 0; b->n < n; b->n++) {
		err = map ? claim_free(area, m, &b->ops[b->n])
			  : claim_mapped(area, b, b->n);
		if (err)
			break;
	}
	if (!b->n)
		return err;

	b->by_kernel = !mode->user_grants || !area->access;
	area->users++;
	area->in_flight++;

	return 0;
}

/* Slots whose pages somebody still had at AREA_UNMAP get others. */
static int area_add_pages(struct area *area)
{
	struct mapping *m;
	struct page *page;
	u32 i = 0;

	if (gnttab_alloc_pages(1, &page))
		return -ENOMEM;

	spin_lock(&area->lock);
	m = area->mapping;
	while (m && i < m->count && m->missing &&
	       (m->pages[i] || area->states[i] != SLOT_FREE))
		i++;
	if (m && i < m->count && m->missing) {
		swap(m->pages[i], page);
		m->missing--;
	}
	spin_unlock(&area->lock);

	if (page)
		gnttab_free_pages(1, &page);

	return 0;
}

/* A fault that makes an entry takes as long as a hypercall. */
static int area_wait_slot(struct area *area, u32 slot)
{
	int err;

	spin_lock(&area->lock);
	area->waiters++;
	spin_unlock(&area->lock);
	err = wait_event_killable(area->wait, READ_ONCE(area->states[slot]) !=
						      SLOT_FAULTING);
	spin_lock(&area->lock);
	area->waiters--;
	spin_unlock(&area->lock);

	return err ? -EINTR : 0;
}

/* Claims what it can of the first operations: 0, or why there is nothing. */
static int area_enter(struct area *area, struct area_batch *b, u32 n, bool map,
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
			err = area_pv_look_up(area, b, n);
			break;
		case -ENODATA:
			err = area_add_pages(area);
			break;
		case -EBUSY:
			err = area_wait_slot(area, b->ops[0].slot);
			break;
		default:
			return err;
		}
	} while (!err);

	return err;
}

/* No entry of a program is changed any more. */
static void area_land(struct area *area)
{
	spin_lock(&area->lock);
	area->in_flight--;
	area_wake(area);
	spin_unlock(&area->lock);
}

static phys_addr_t page_addr(struct page *page)
{
	return (unsigned long)page_address(page);
}

/* Maps grants into the kernel: a program's entries come by faults. */
static void map_by_kernel(struct mapping *m, struct area_batch *b)
{
	const struct gntdev_area_op *op;
	u32 i;

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
		if (b->map[i].status == GNTST_okay)
			m->handles[b->ops[i].slot] = b->map[i].handle;
		else
			ClearPageForeign(b->pages[i]);
	}
}

/* Tells of each operation, and gives the slots free that stay empty. */
static void map_settle(struct area *area, struct area_batch *b)
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
	area_wake(area);
	spin_unlock(&area->lock);

	atomic_long_add(mapped, &counters.mapped);
}

/* Returns 0 with the number of operations in @b, or an errno if there is none. */
static int map_some(struct area *area, struct area_batch *b, u32 n)
{
	struct mapping *m;
	int err = area_enter(area, b, n, true, &m);

	if (err)
		return err;

	if (b->by_kernel)
		map_by_kernel(m, b);
	else
		area_pv_map(area, m, b);
	map_settle(area, b);

	return 0;
}

/* ---- unmapping ---- */

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
		    grants_ensure(m, b->ops[i].slot, 1))
			notify->action &= ~UNMAP_NOTIFY_CLEAR_BYTE;
	}
}

static void clear_byte(struct page *page, const struct notify *notify)
{
	u8 *at = page_address(page);

	WRITE_ONCE(at[notify->byte], 0);
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
	part->notify = b->notifies ? b->sent : NULL;
	for (i = 0; i < b->n; i++) {
		slot = b->ops[i].slot;
		if (!slot_is_mapped(b->claimed[i]))
			continue;
		if (m->handles[slot] == INVALID_GRANT_HANDLE) {
			alone++;
			continue;
		}
		b->which[part->count] = i;
		part->pages[part->count] = m->pages[slot];
		part->handles[part->count] = m->handles[slot];
		if (b->notifies) {
			b->sent[part->count] = b->notify[i];
			b->notify[i].action = 0;
			if (b->sent[part->count].action &
			    UNMAP_NOTIFY_CLEAR_BYTE)
				clear_byte(m->pages[slot],
					   &b->sent[part->count]);
		}
		part->count++;
	}
	part->held = part->count;
	atomic_long_sub(alone, &counters.mapped);
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
	notify_send(&b->sent[k], 1);
}

/* Unmaps what the kernel maps; what somebody still has is given back later. */
static void unmap_by_kernel(struct mapping *m, struct area_batch *b)
{
	struct mapping *part = &b->part;
	u32 k, slot;
	bool all;

	gather(m, b);
	if (!part->count)
		return;
	all = !grants_unmap(part) || retire_part(part);

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

/* The slots are free, and the events of those that had an entry alone are due. */
static void unmap_settle(struct area *area, struct mapping *m,
			 struct area_batch *b)
{
	u32 i, slot;
	u8 *state;

	if (b->notifies)
		notify_send(b->notify, b->n);

	spin_lock(&area->lock);
	for (i = 0; i < b->n; i++) {
		slot = b->ops[i].slot;
		state = &area->states[slot];
		if (slot_is_mapped(b->claimed[i])) {
			*state = SLOT_FREE;
			m->missing += !m->pages[slot];
		} else if (b->claimed[i]) {
			*state = b->ops[i].status == GNTST_no_device_space
					 ? SLOT_SEEN
					 : SLOT_LOST;
		}
	}
	area->users--;
	area_wake(area);
	spin_unlock(&area->lock);
}

static int unmap_some(struct area *area, struct area_batch *b, u32 n)
{
	struct mapping *m;
	int err = area_enter(area, b, n, false, &m);

	if (err)
		return err;

	take_notifications(m, b);
	if (mode->user_grants)
		area_pv_unmap(area, m, b);
	else
		area_xlat_unmap(m, b);
	area_land(area);
	unmap_by_kernel(m, b);
	unmap_settle(area, m, b);

	return 0;
}

/* ---- the two requests ---- */

static struct area *area_find(struct instance *inst, u64 index)
{
	struct grant_range *range;
	struct area *area = NULL;

	mutex_lock(&inst->lock);
	range = range_find(inst, index);
	if (range && range->index == index && range->area) {
		area = range->area;
		refcount_inc(&area->refs);
	}
	mutex_unlock(&inst->lock);

	return area;
}

/* All operations, batch by batch; *done of them were tried. */
static int area_operate(struct area *area, struct area_batch *b,
			struct gntdev_area_op __user *user, u32 count, bool map,
			u32 *done)
{
	u32 n;
	int err;

	while (*done < count) {
		n = min(count - *done, GNTDEV_BATCH);
		if (copy_from_user(b->ops, user + *done, n * sizeof(b->ops[0])))
			return -EFAULT;
		err = map ? map_some(area, b, n) : unmap_some(area, b, n);
		if (err)
			return err;
		n = b->n;
		if (copy_to_user(user + *done, b->ops, n * sizeof(b->ops[0]))) {
			*done += n;
			return -EFAULT;
		}
		*done += n;
		if (*done < count && fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}

	return 0;
}

/**
 * area_request() - IOCTL_GNTDEV_AREA_MAP and IOCTL_GNTDEV_AREA_UNMAP
 * @inst: the instance
 * @arg: struct ioctl_gntdev_area_op
 * @map: which of the two
 *
 * Return: 0; -ENOENT if the index is no area's; -EINVAL if the area is not
 * mmapped, or for an operation that is not in order; -EEXIST for AREA_MAP into a
 * slot that is in use; -EINTR if a fatal signal is pending; -ENOMEM; -EFAULT.
 */
long area_request(struct instance *inst, void __user *arg, bool map)
{
	struct ioctl_gntdev_area_op __user *user = arg;
	struct ioctl_gntdev_area_op op;
	struct area_batch *b;
	struct area *area;
	u32 done = 0;
	int err = -ENOMEM;

	if (copy_from_user(&op, user, sizeof(op)))
		return -EFAULT;
	if (op.ops > ULONG_MAX)
		return -EFAULT;

	area = area_find(inst, op.index);
	if (!area)
		return -ENOENT;

	b = batch_get(area);
	if (b) {
		err = area_operate(area, b, u64_to_user_ptr(op.ops), op.count,
				   map, &done);
		batch_put(area, b);
	}
	area_put(area);

	if (copy_to_user(&user->done, &done, sizeof(done)))
		return -EFAULT;

	return err;
}
