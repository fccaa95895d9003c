// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Ranges: how they are inserted, what states they pass, how they go. */
#include "gntdev.h"
#include "trace.h"

/* The first grant, as traces tell it; an area's slots have no first one. */
const struct ioctl_gntdev_grant_ref *
gntdev_range_first(const struct grant_range *range)
{
	static const struct ioctl_gntdev_grant_ref nobody = {ANY_DOMAIN,
							     U32_MAX};

	return range->area ? &nobody : range->grants;
}

/* Bit n of entry s: a range may go from state s to state n. */
static const u8 may_enter[] = {
	[RANGE_NEW] = BIT(RANGE_INSERTED) | BIT(RANGE_GONE),
	[RANGE_INSERTED] = BIT(RANGE_MAPPING) | BIT(RANGE_GONE),
	[RANGE_MAPPING] = BIT(RANGE_MAPPED) | BIT(RANGE_INSERTED),
	[RANGE_MAPPED] = BIT(RANGE_UNMAPPING),
	[RANGE_UNMAPPING] = BIT(RANGE_INSERTED) | BIT(RANGE_GONE),
	[RANGE_GONE] = 0,
};

/**
 * gntdev_range_enter() - change the state of a range
 * @inst: its instance, whose lock the caller holds
 * @range: the range
 * @state: the state to enter
 */
void gntdev_range_enter(struct instance *inst, struct grant_range *range,
			enum range_state state)
{
	lockdep_assert_held(&inst->lock);
	WARN_ON_ONCE(!(may_enter[range->state] & BIT(state)));

	if (state == RANGE_GONE)
		gntdev_table_remove(&inst->table, range);
	range->state = state;
}

/**
 * gntdev_range_find() - the range that an index lies in, as requests may see it
 * @inst: the instance, whose lock the caller holds
 * @index: in bytes
 *
 * Return: the range, or NULL if there is none or it is not inserted yet.
 */
struct grant_range *gntdev_range_find(struct instance *inst, u64 index)
{
	struct grant_range *range;

	lockdep_assert_held(&inst->lock);

	range = gntdev_table_find(&inst->table, index);
	return range && range->state != RANGE_NEW ? range : NULL;
}

/* Ends a range that is out of the table: its pages' events are due now. */
void gntdev_range_free(struct grant_range *range)
{
	if (range->lent)
		gntdev_lent_end(range);
	if (range->notify)
		gntdev_notify_send(range->notify, range->count);
	kvfree(range->notify);
	if (range->mapping)
		gntdev_mapping_free(range->mapping);
	if (range->area)
		gntdev_area_put(range->area);
	if (range->apart)
		kvfree(range->apart);
	kvfree(range);
}

/* The same, and its mapping serves another one, if that is of use. */
static void range_end(struct instance *inst, struct grant_range *range)
{
	LIST_HEAD(unwanted);

	if (range->mapping) {
		gntdev_keep_put(&inst->keep, range->mapping, &unwanted);
		range->mapping = NULL;
	}
	gntdev_range_free(range);
	gntdev_keep_free(&unwanted);
}

/**
 * gntdev_range_remove_unmapped() - remove the ranges that are not mmapped
 * @inst: the instance, of which no descriptor is left
 */
void gntdev_range_remove_unmapped(struct instance *inst)
{
	struct rb_root gone = RB_ROOT;
	struct rb_node *node, *next, *last = NULL;
	struct grant_range *range, *tmp;

	mutex_lock(&inst->lock);
	for (node = rb_first(&inst->table.root); node; node = next) {
		next = rb_next(node);
		range = rb_entry(node, struct grant_range, node);
		if (range->state != RANGE_INSERTED)
			continue;
		gntdev_range_enter(inst, range, RANGE_GONE);
		rb_link_node(node, last,
			     last ? &last->rb_right : &gone.rb_node);
		rb_insert_color(node, &gone);
		last = node;
	}
	mutex_unlock(&inst->lock);

	/* Events may sleep and are many: outside the lock. */
	rbtree_postorder_for_each_entry_safe(range, tmp, &gone, node) {
		trace_gntdev_remove(range->index, range->count,
				    gntdev_range_first(range));
		gntdev_range_free(range);
		cond_resched();
	}
}

/* A new range, without its grants; or NULL. */
struct grant_range *gntdev_range_alloc(u32 count)
{
	struct grant_range *range;
	void *apart;

	range = gntdev_memory_with_array(sizeof(*range),
					 array_size(count,
						    sizeof(range->grants[0])),
					 &apart);
	if (!range)
		return NULL;

	memset(range, 0, sizeof(*range));
	range->grants = apart ?: range + 1;
	range->apart = apart;
	range->count = count;
	range->state = RANGE_NEW;

	return range;
}

/*
 * A range with the references that the caller's array tells. The array is
 * user memory and must be read before any lock is taken.
 */
static struct grant_range *range_create(u32 count, const void __user *refs)
{
	struct grant_range *range;
	u32 i;

	range = gntdev_range_alloc(count);
	if (!range)
		return ERR_PTR(-ENOMEM);

	if (copy_from_user(range->grants, refs,
			   array_size(count, sizeof(range->grants[0])))) {
		gntdev_range_free(range);
		return ERR_PTR(-EFAULT);
	}

	range->domid = range->grants[0].domid;
	for (i = 0; i < count; i++) {
		/* Hypercalls have 16 bits for it: never cut, always refuse. */
		if (range->grants[i].domid > DOMID_IDLE) {
			gntdev_range_free(range);
			return ERR_PTR(-EINVAL);
		}
		if (range->grants[i].domid != range->domid)
			range->domid = ANY_DOMAIN;
	}
	holder_set(&range->holder);

	return range;
}

/* Gives a range that is allowed a kept mapping, if there is one. */
static int range_try(struct instance *inst, struct grant_range *range)
{
	int err = -ENOMEM;

	mutex_lock(&inst->lock);
	if (gntdev_instance_has_room(inst, range->count)) {
		range->mapping = gntdev_keep_take(&inst->keep, range->count);
		err = 0;
	}
	mutex_unlock(&inst->lock);

	return err;
}

int gntdev_range_insert(struct instance *inst, struct grant_range *range)
{
	int err = -ENOMEM;

	mutex_lock(&inst->lock);
	/* An area is of no domain. */
	if (!range->area && !gntdev_restrict_allows(inst, range->domid))
		err = -EACCES;
	else if (gntdev_instance_has_room(inst, range->count))
		err = gntdev_table_insert(&inst->table, range);
	mutex_unlock(&inst->lock);

	return err;
}

/*
 * Everything that mmap needs is got here: there, getting pages would be too late,
 * as memory hotplug may be waited for, which may wait for mmap_lock.
 */
static int range_prepare(struct instance *inst, struct grant_range *range)
{
	int err = gntdev_instance_prepare(inst);

	if (!err)
		err = range_try(inst, range);
	if (err)
		return err;
	if (!range->mapping)
		range->mapping = gntdev_mapping_create(range->count, 0);

	return range->mapping ? gntdev_range_insert(inst, range) : -ENOMEM;
}

/* Makes a new range visible, or removes it if the caller cannot know of it. */
void gntdev_range_publish(struct instance *inst, struct grant_range *range,
			  bool told)
{
	mutex_lock(&inst->lock);
	gntdev_range_enter(inst, range, told ? RANGE_INSERTED : RANGE_GONE);
	mutex_unlock(&inst->lock);

	if (!told)
		range_end(inst, range);
}

/**
 * gntdev_range_add() - put a new range into the table, with pages for its grants
 * @inst: the instance
 * @range: the range; the callee has it in any case
 * @index: where its index is to be told
 *
 * Return: 0; -ENOMEM, also for the instance's maximum; -ENFILE; -EFAULT.
 */
long gntdev_range_add(struct instance *inst, struct grant_range *range,
		      u64 __user *index)
{
	struct ioctl_gntdev_grant_ref first;
	u32 count = range->count;
	u64 at;
	bool told;
	int err;

	err = range_prepare(inst, range);
	if (err) {
		range_end(inst, range);
		return err;
	}

	/* Once it is published, another thread may remove and free it. */
	at = range->index;
	first = *gntdev_range_first(range);
	told = !copy_to_user(index, &at, sizeof(at));
	gntdev_range_publish(inst, range, told);
	trace_gntdev_insert(at, count, &first, told);

	return told ? 0 : -EFAULT;
}

/**
 * gntdev_range_map_request() - IOCTL_GNTDEV_MAP_GRANT_REF
 * @inst: the instance
 * @arg: struct ioctl_gntdev_map_grant_ref with its references
 *
 * Inserts, and gets pages for that many grants, which mmap maps.
 *
 * Return: 0; -EINVAL for a count of 0, above the parameter limit or above the
 * instance's maximum, and for a domid above 0x7fff; -EACCES for a domain that
 * the instance is not restricted to; -ENOMEM if the table would
 * hold more than the maximum, and if there is no memory; -ENFILE; -EFAULT. The
 * table is unchanged by a failure.
 */
long gntdev_range_map_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_map_grant_ref __user *user = arg;
	struct ioctl_gntdev_map_grant_ref op;
	struct grant_range *range;

	if (copy_from_user(&op, user, offsetof(typeof(op), refs)))
		return -EFAULT;
	if (!gntdev_instance_takes(inst, op.count))
		return -EINVAL;

	range = range_create(op.count, user->refs);
	if (IS_ERR(range))
		return PTR_ERR(range);

	return gntdev_range_add(inst, range, &user->index);
}

/**
 * gntdev_range_unmap_request() - IOCTL_GNTDEV_UNMAP_GRANT_REF
 * @inst: the instance
 * @arg: struct ioctl_gntdev_unmap_grant_ref
 *
 * Pages of a former mapping that are still in use do not hold it up.
 *
 * Return: 0; -ENOENT if index and count are not exactly those of a range;
 * -EBUSY if it is mmapped; -EFAULT.
 */
long gntdev_range_unmap_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_unmap_grant_ref op;
	struct grant_range *range;
	int err = 0;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;

	mutex_lock(&inst->lock);
	range = gntdev_range_find(inst, op.index);
	if (!range || range->index != op.index || range->count != op.count ||
	    range->lent)
		err = -ENOENT;
	else if (range->state != RANGE_INSERTED)
		err = -EBUSY;
	else
		gntdev_range_enter(inst, range, RANGE_GONE);
	mutex_unlock(&inst->lock);

	if (err)
		return err;

	trace_gntdev_remove(op.index, op.count, gntdev_range_first(range));
	range_end(inst, range);
	return 0;
}
