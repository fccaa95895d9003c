// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Patience with granters that have pages of theirs paged out. */
#include "gntdev.h"
#include "backoff.h"

/* In all, of one request. */
#define MOST_BACKOFF (32 * HZ)

void gntdev_backoff_begin(struct backoff *p)
{
	p->end = jiffies + MOST_BACKOFF;
	p->delay = 1;
}

/**
 * gntdev_backoff_wait() - wait a little for a granter to get its page
 * @p: since when
 * @grant: what for
 *
 * Return: 0 to try again, -EINVAL if that has been done for long enough, -EINTR
 * if a fatal signal is pending.
 */
int gntdev_backoff_wait(struct backoff *p,
			const struct ioctl_gntdev_grant_ref *grant)
{
	if (time_after(jiffies, p->end)) {
		gntdev_grants_note(grant, GNTST_eagain);
		return -EINVAL;
	}

	schedule_timeout_killable(p->delay);
	p->delay = min(p->delay * 2, (unsigned long)HZ / 4 + 1);

	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* Where a byte of pages goes that are asked for. */
static struct page *scratch;

int __init gntdev_backoff_init(void)
{
	scratch = alloc_page(GFP_KERNEL | __GFP_ZERO);

	return scratch ? 0 : -ENOMEM;
}

void gntdev_backoff_exit(void)
{
	__free_page(scratch);
}

static void ask_for(struct gnttab_copy *op,
		    const struct ioctl_gntdev_grant_ref *grant)
{
	op->source.u.ref = grant->ref;
	op->source.domid = grant->domid;
	op->source.offset = 0;
	op->dest.u.gmfn = xen_page_to_gfn(scratch);
	op->dest.domid = DOMID_SELF;
	op->dest.offset = 0;
	op->len = 1;
	op->flags = GNTCOPY_source_gref;
	op->status = 1;
}

/*
 * Waits until a few pages are not paged out. gnttab_map_refs() would too, but
 * half a minute for each page, and nobody could be killed meanwhile. So each is
 * asked for by a copy first, which the hypervisor answers as it would a mapping;
 * what it says but for "not now", it will say again.
 */
static int await_batch(const struct ioctl_gntdev_grant_ref *grants, u32 n,
		       struct backoff *backoff)
{
	struct gnttab_copy ops[GNTDEV_ATOMIC_BATCH];
	int err;
	u32 i;

	for (i = 0; i < n; i++)
		ask_for(&ops[i], &grants[i]);
	(void)HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, n);

	for (i = 0; i < n; i++) {
		while (ops[i].status == GNTST_eagain) {
			err = gntdev_backoff_wait(backoff, &grants[i]);
			if (err)
				return err;
			(void)HYPERVISOR_grant_table_op(GNTTABOP_copy, &ops[i],
							1);
		}
	}

	return 0;
}

/**
 * gntdev_backoff_await() - wait until no page of some grants is paged out
 * @grants: the grants
 * @count: how many
 * @backoff: since when
 *
 * Return: 0, which says nothing else of the grants; -EINVAL if one is for as long as
 * anybody waits; -EINTR if a fatal signal is pending.
 */
int gntdev_backoff_await(const struct ioctl_gntdev_grant_ref *grants, u32 count,
			 struct backoff *backoff)
{
	int err = 0;
	u32 i, n;

	for (i = 0; i < count && !err; i += n) {
		n = min(count - i, GNTDEV_ATOMIC_BATCH);
		err = await_batch(grants + i, n, backoff);
	}

	return err;
}
