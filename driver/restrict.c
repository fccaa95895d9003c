// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Restriction: an instance that serves one domain alone. */
#include "gntdev.h"
#include "dmabuf_requests.h"

/**
 * gntdev_restrict_allows() - may a request name this domain?
 * @inst: the instance; what is put into it checks this with its lock held
 * @domid: the domain, or ANY_DOMAIN for several
 *
 * Return: true unless the instance is restricted to another one.
 */
bool gntdev_restrict_allows(const struct instance *inst, u32 domid)
{
	u32 only = READ_ONCE(inst->only);

	return only == ANY_DOMAIN || only == domid;
}

/* Whether it has anything of another domain than that. */
static bool has_others(const struct instance *inst, u32 domid)
{
	const struct grant_range *range;
	struct rb_node *node;

	lockdep_assert_held(&inst->lock);

	for (node = rb_first(&inst->table.root); node; node = rb_next(node)) {
		range = rb_entry(node, struct grant_range, node);
		if (range->area ? gntdev_area_has_others(range->area, domid)
				: range->domid != domid)
			return true;
	}

	return gntdev_dmabuf_has_others(inst, domid);
}

static int restrict_to(struct instance *inst, u32 domid)
{
	lockdep_assert_held(&inst->lock);

	if (inst->only != ANY_DOMAIN)
		return inst->only == domid ? 0 : -EPERM;
	if (has_others(inst, domid))
		return -EBUSY;
	/* Copies look at it without the lock. */
	WRITE_ONCE(inst->only, domid);

	return 0;
}

/**
 * gntdev_restrict_request() - IOCTL_GNTDEV_RESTRICT
 * @inst: the instance
 * @arg: struct ioctl_gntdev_restrict
 *
 * Cannot be undone. A request of another thread that began before may still end.
 *
 * Return: 0, also if it is restricted to that domain already; -EPERM if to
 * another; -EBUSY if it has ranges or dma-bufs of others; -EINVAL for a domid
 * above 0x7fff and for flags; -EFAULT.
 */
long gntdev_restrict_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_restrict op;
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.flags || op.domid > DOMID_IDLE)
		return -EINVAL;

	mutex_lock(&inst->lock);
	err = restrict_to(inst, op.domid);
	mutex_unlock(&inst->lock);

	return err;
}
