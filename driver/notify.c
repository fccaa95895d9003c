// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Notifications: what the other side is told when a page is unmapped, even by
 * a crash: a byte of the page is cleared, an event is sent, or both.
 */
#include "gntdev.h"

#define KNOWN_ACTIONS (UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT)

/* Whether a range has a byte to be cleared; the instance's lock is held. */
bool notify_clears(const struct grant_range *range)
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

/* The bytes of a mapping's armed pages, which is writable. */
void notify_clear_bytes(struct mapping *m)
{
	u32 i;
	u8 *page;

	for (i = 0; i < m->count; i++) {
		if (!(m->notify[i].action & UNMAP_NOTIFY_CLEAR_BYTE))
			continue;
		/* Not so yet, if it was armed while the entries went. */
		if (grants_ensure(m, i, 1))
			continue;
		page = page_address(m->pages[i]);
		WRITE_ONCE(page[m->notify[i].byte], 0);
	}
	/* Before any unmapping, and so before any event. */
	wmb();
}

/**
 * notify_clear_at() - clear the bytes where the program itself sees them
 * @m: a mapping of the calling program, which is being unmapped as a whole
 * @start: where the program has it
 *
 * Costs little, as the kernel need not map the pages. Bytes that cannot be
 * cleared so, because the program has taken writing away, are left.
 *
 * Return: whether no byte is left.
 */
bool notify_clear_at(struct mapping *m, unsigned long start)
{
	struct grant_range *range = m->range;
	bool all = true;
	unsigned long at;
	const u8 zero = 0;
	u32 i;

	mutex_lock(&m->inst->lock);
	for (i = 0; i < range->count; i++) {
		if (!(range->notify[i].action & UNMAP_NOTIFY_CLEAR_BYTE))
			continue;
		at = start + ((unsigned long)i << PAGE_SHIFT) +
		     range->notify[i].byte;
		if (copy_to_user_nofault((void __user *)at, &zero, 1))
			all = false;
		else
			range->notify[i].action &= ~UNMAP_NOTIFY_CLEAR_BYTE;
	}
	if (all)
		WRITE_ONCE(range->clears, false);
	mutex_unlock(&m->inst->lock);

	return all;
}

/*
 * Whether there still is a reference to the event channel: after the domain was
 * restored its number may be somebody else's.
 */
static bool has_port(const struct notify *notify)
{
	return notify->action & UNMAP_NOTIFY_SEND_EVENT &&
	       notify->resumes == resume_count();
}

/* The events of pages that are unmapped, or never were mapped. Spends them. */
void notify_send(struct notify *notify, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (has_port(&notify[i])) {
			notify_remote_via_evtchn(notify[i].port);
			evtchn_put(notify[i].port);
		}
		notify[i].action = 0;
	}
}

/*
 * Puts *new in its page's place and gives back what was there. Needs @spare,
 * which it takes, if this is the range's first. Returns -EAGAIN, with *count
 * set, if @spare is not as long as the range.
 */
static int notify_place(struct instance *inst, u64 index, struct notify *new,
			struct notify **spare, u32 *count)
{
	struct grant_range *range;

	lockdep_assert_held(&inst->lock);

	range = range_find(inst, index);
	if (!range)
		return -ENOENT;
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

	if (new->action & UNMAP_NOTIFY_CLEAR_BYTE)
		WRITE_ONCE(range->clears, true);
	if (range->notify)
		swap(range->notify[(index - range->index) >> PAGE_SHIFT], *new);
	else
		new->action = 0;

	return 0;
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
		if (err != -EAGAIN)
			return err;

		spare = kvcalloc(count, sizeof(*spare), GFP_PROGRAM);
		if (!spare)
			return -ENOMEM;
	}
}

/**
 * notify_request() - IOCTL_GNTDEV_SET_UNMAP_NOTIFY
 * @inst: the instance
 * @arg: struct ioctl_gntdev_unmap_notify; index is that of a byte, port that
 *	of an event channel which the caller has bound through /dev/xen/evtchn
 *
 * Replaces the page's notification; action 0 cancels it.
 *
 * Return: 0; -EINVAL for unknown actions, for CLEAR_BYTE on a range that is
 * mmapped read-only and for a port that is not the caller's; -ENOENT if index
 * is in no range; -ENOMEM; -EFAULT.
 */
long notify_request(struct instance *inst, void __user *arg)
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
	new.resumes = resume_count();

	/* With a reference of ours the port cannot become somebody else's. */
	if (new.action & UNMAP_NOTIFY_SEND_EVENT) {
		if (evtchn_get(new.port))
			return -EINVAL;
		err = port_is_callers(new.port) ? 0 : -EINVAL;
	} else {
		err = 0;
	}

	if (!err)
		err = notify_arm(inst, op.index, &new);

	/* What was replaced, or on failure the new one. */
	if (has_port(&new))
		evtchn_put(new.port);

	return err;
}
