// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* AREA_MAP and AREA_UNMAP: their operations, batch by batch. */
#include "area.h"

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

	b = gntdev_memory_for_program(sizeof(*b));
	if (!b)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->part.pages = b->pages;
	b->part.handles = b->handles;
	b->part.ops.unmap = b->unmap;
	b->part.room = GNTDEV_BATCH;

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

static struct area *area_find(struct instance *inst, u64 index)
{
	struct grant_range *range;
	struct area *area = NULL;

	mutex_lock(&inst->lock);
	range = gntdev_range_find(inst, index);
	if (range && range->index == index && range->area) {
		area = range->area;
		refcount_inc(&area->refs);
	}
	mutex_unlock(&inst->lock);

	return area;
}

/*
 * By loads, as copies of a length that is known at run time alone have to look at
 * whose memory they are of.
 */
static bool get_ops(struct area_batch *b,
		    const struct gntdev_area_op __user *user, u32 n)
{
	struct gntdev_area_op *op = b->ops, *end = op + n;

	if (!user_read_access_begin(user, n * sizeof(*user)))
		return false;
	for (; op < end; op++, user++) {
		unsafe_get_user(op->slot, &user->slot, fault);
		unsafe_get_user(op->domid, &user->domid, fault);
		unsafe_get_user(op->ref, &user->ref, fault);
		unsafe_get_user(op->flags, &user->flags, fault);
	}
	user_read_access_end();

	return true;

fault:
	user_read_access_end();
	return false;
}

/* Nothing but stores while user memory may be written. */
static bool tell_statuses(struct gntdev_area_op __user *user,
			  const struct area_batch *b)
{
	const struct gntdev_area_op *op = b->ops, *end = op + b->n;

	if (!user_write_access_begin(user, b->n * sizeof(*user)))
		return false;
	for (; op < end; op++, user++)
		unsafe_put_user(op->status, &user->status, fault);
	user_write_access_end();

	return true;

fault:
	user_write_access_end();
	return false;
}

/* All operations, batch by batch; *done of them were tried. */
static int area_operate(struct area *area, struct area_batch *b,
			struct gntdev_area_op __user *user, u32 count, bool map,
			u32 *done)
{
	bool told;
	u32 n;
	int err;

	while (*done < count) {
		n = min(count - *done, GNTDEV_BATCH);
		if (!get_ops(b, user + *done, n))
			return -EFAULT;
		err = map ? gntdev_area_map_some(area, b, n)
			  : gntdev_area_unmap_some(area, b, n);
		if (err)
			return err;
		n = b->n;
		told = tell_statuses(user + *done, b);
		*done += n;
		if (!told)
			return -EFAULT;
		if (*done < count && fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}

	return 0;
}

/**
 * gntdev_area_request() - IOCTL_GNTDEV_AREA_MAP and IOCTL_GNTDEV_AREA_UNMAP
 * @inst: the instance
 * @arg: struct ioctl_gntdev_area_op
 * @map: which of the two
 *
 * Return: 0; -ENOENT if the index is no area's; -EINVAL if the area is not
 * mmapped, or for an operation that is not in order; -EEXIST for AREA_MAP into a
 * slot that is in use; -EINTR if a fatal signal is pending; -ENOMEM; -EFAULT.
 */
long gntdev_area_request(struct instance *inst, void __user *arg, bool map)
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
	gntdev_area_put(area);

	if (put_user(done, &user->done))
		return -EFAULT;

	return err;
}
