// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Statuses: what the hypervisor said of each grant when a range was mmapped. */
#include "gntdev.h"

/**
 * gntdev_status_note() - keep what operations of a map that failed were answered
 * @m: the mapping
 * @first: the page of the first of them; earlier ones were mapped
 * @ops: the operations
 * @n: how many, a batch at most
 *
 * One of a batch that is known already is told anew.
 */
void gntdev_status_note(struct mapping *m, u32 first,
			const struct gnttab_map_grant_ref *ops, u32 n)
{
	u32 i;

	if (n == 1 && first >= m->okay && first - m->okay < m->answered) {
		m->statuses[first - m->okay] = ops->status;
		return;
	}

	m->okay = first;
	m->answered = n;
	for (i = 0; i < n; i++)
		m->statuses[i] = ops[i].status;
}

static s16 status_of(const struct mapping *m, u32 i)
{
	if (!m)
		return 1;
	if (i < m->okay)
		return GNTST_okay;

	return i - m->okay < m->answered ? m->statuses[i - m->okay] : 1;
}

/* Statuses of a few pages of a range; its mapping is nobody's meanwhile. */
static int status_read(struct instance *inst, u64 index, u32 first, u32 n,
		       s16 *statuses)
{
	struct grant_range *range;
	int err = 0;
	u32 i;

	mutex_lock(&inst->lock);
	range = gntdev_range_find(inst, index);
	if (!range || range->index != index || range->area || range->lent ||
	    first > range->count || n > range->count - first)
		err = -ENOENT;
	else if (range->state != RANGE_INSERTED && range->state != RANGE_MAPPED)
		err = -EBUSY;
	for (i = 0; !err && i < n; i++)
		statuses[i] = status_of(range->mapping, first + i);
	mutex_unlock(&inst->lock);

	return err;
}

/**
 * gntdev_status_request() - IOCTL_GNTDEV_MAP_STATUS
 * @inst: the instance
 * @arg: struct ioctl_gntdev_map_status
 *
 * Return: 0; -ENOENT if index is not a range's or a page is beyond its end; -EBUSY
 * if it is being mmapped or munmapped just now; -EINVAL for a count of 0;
 * -EINTR if killed; -EFAULT.
 */
long gntdev_status_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_map_status op;
	s16 statuses[GNTDEV_BATCH];
	s16 __user *user;
	u32 done, n;
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count)
		return -EINVAL;
	if (op.count > U32_MAX - op.first)
		return -ENOENT;
	/* Whether all of them are there, before any is told. */
	err = status_read(inst, op.index, op.first + op.count - 1, 1, statuses);

	user = u64_to_user_ptr(op.statuses);
	for (done = 0; !err && done < op.count; done += n) {
		n = min(op.count - done, GNTDEV_BATCH);
		err = status_read(inst, op.index, op.first + done, n, statuses);
		if (!err && copy_to_user(user + done, statuses,
					 n * sizeof(statuses[0])))
			err = -EFAULT;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}

	return err;
}
