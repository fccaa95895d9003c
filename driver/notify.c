// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Notifications: what the other side is told when a page is unmapped, even by
 * a crash: a byte of the page is cleared, an event is sent, or both.
 */
#include "gntdev.h"

#define KNOWN_ACTIONS (UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT)

/* Whether a range has a byte to be cleared; the instance's lock is held. */
bool gntdev_notify_clears(const struct grant_range *range)
{
	u32 i;

	if (!range->clears)
		return false;
	for (i = 0; i < range->count; i++) {
		if (range->notify[i].action & UNMAP_NOTIFY_CLEAR_BYTE)
			return true;
	}

	return false;
}

/* How many of the pages from the first on have events on the same port. */
static u32 run_of_port(const struct notify *notify, u32 count)
{
	u32 n = 1;

	while (n < count && notify[n].action & UNMAP_NOTIFY_SEND_EVENT &&
	       notify[n].port == notify->port && notify[n].irq == notify->irq)
		n++;

	return n;
}

/*
 * The events of pages that are unmapped, or never were mapped. Spends them. An
 * event says no more than that there was one, so one is enough for neighbours.
 */
void gntdev_notify_send(struct notify *notify, u32 count)
{
	struct notify *end;
	u32 n;

	for (; count; count -= n) {
		n = 1;
		if (notify->action & UNMAP_NOTIFY_SEND_EVENT) {
			n = run_of_port(notify, count);
			if (gntdev_port_is_same(notify->port, notify->irq))
				notify_remote_via_evtchn(notify->port);
			gntdev_port_drop(notify->irq, n);
		}
		for (end = notify + n; notify < end; notify++)
			notify->action = 0;
	}
}

/*
 * Puts *new in the place of a range's page, and what was there in *new. A range
 * that is mmapped has its page made ready first, so that its byte can be cleared.
 */
static int notify_swap(struct grant_range *range, u32 page, struct notify *new)
{
	struct window *w = NULL;
	int err = 0;

	/* AREA_UNMAP sees to that itself. */
	if (range->state == RANGE_MAPPED && !range->area) {
		w = &range->mapping->window;
		mutex_lock(&w->lock);
		if (new->action & UNMAP_NOTIFY_CLEAR_BYTE && gntdev_mode->arm)
			err = gntdev_mode->arm(w, page);
	}
	if (!err)
		swap(range->notify[page], *new);
	if (w)
		mutex_unlock(&w->lock);

	return err;
}

/*
 * Puts *new in its page's place and gives back what was there. Needs @spare,
 * which it takes, if this is the range's first. Returns -EAGAIN, with *count
 * set, if @spare is not as long as the range; -EBUSY while it is being mmapped
 * or munmapped by somebody else.
 */
static int notify_place(struct instance *inst, u64 index, struct notify *new,
			struct notify **spare, u32 *count)
{
	struct grant_range *range;
	int err;

	lockdep_assert_held(&inst->lock);

	range = gntdev_range_find(inst, index);
	if (!range)
		return -ENOENT;
	if (range->state == RANGE_MAPPING)
		return -EBUSY;
	if (new->action & UNMAP_NOTIFY_CLEAR_BYTE && !range->writable &&
	    range->state != RANGE_INSERTED)
		return -EINVAL;

	if (!range->notify && new->action) {
		if (*count != range->count) {
			*count = range->count;
			return -EAGAIN;
		}
		range->notify = *spare;
		*spare = NULL;
	}
	if (!range->notify) {
		new->action = 0;
		return 0;
	}

	err = notify_swap(range, (index - range->index) >> PAGE_SHIFT, new);
	if (!err && range->notify[(index - range->index) >> PAGE_SHIFT].action &
			    UNMAP_NOTIFY_CLEAR_BYTE)
		range->clears = true;

	return err;
}

static int notify_arm(struct instance *inst, u64 index, struct notify *new)
{
	struct notify *spare = NULL;
	u32 count = 0;
	int err;

	for (;;) {
		mutex_lock(&inst->lock);
		err = notify_place(inst, index, new, &spare, &count);
		mutex_unlock(&inst->lock);

		kvfree(spare);
		spare = NULL;
		if (err == -EBUSY) {
			count = 0;
			schedule_timeout_killable(1);
			if (fatal_signal_pending(current))
				return -EINTR;
			continue;
		}
		if (err != -EAGAIN)
			return err;

		spare = gntdev_memory_for_program(array_size(count,
							     sizeof(*spare)));
		if (!spare)
			return -ENOMEM;
		memset(spare, 0, array_size(count, sizeof(*spare)));
	}
}

/**
 * gntdev_notify_request() - IOCTL_GNTDEV_SET_UNMAP_NOTIFY
 * @inst: the instance
 * @arg: struct ioctl_gntdev_unmap_notify; index is that of a byte, port that
 *	of an event channel which the caller has bound through /dev/xen/evtchn
 *
 * Replaces the page's notification; action 0 cancels it.
 *
 * Return: 0; -EINVAL for unknown actions, for CLEAR_BYTE on a range that is
 * mmapped read-only and for a port that is not the caller's; -ENOENT if index
 * is in no range; -ENOMEM, also for the hypervisor's handles; -EINTR if killed;
 * -EFAULT.
 */
long gntdev_notify_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_unmap_notify op;
	struct notify new;
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.action & ~KNOWN_ACTIONS)
		return -EINVAL;

	new.action = op.action;
	new.byte = op.index & ~PAGE_MASK;
	new.port = op.event_channel_port;
	new.irq = -1;

	/* With a reference of ours the port cannot become somebody else's. */
	if (new.action & UNMAP_NOTIFY_SEND_EVENT) {
		err = gntdev_port_hold(new.port, &new.irq);
		if (err)
			return err;
		err = gntdev_port_is_callers(new.port) ? 0 : -EINVAL;
	} else {
		err = 0;
	}

	if (!err)
		err = notify_arm(inst, op.index, &new);

	/* What was replaced, or on failure the new one. */
	if (new.action & UNMAP_NOTIFY_SEND_EVENT)
		gntdev_port_drop(new.irq, 1);

	return err;
}
