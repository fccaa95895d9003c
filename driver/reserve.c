// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Handles in reserve. In a PV domain a grant that is mapped by a program's entry
 * may have to be mapped by the kernel before that entry goes, and by the entry
 * again later: for a moment it takes one more of the hypervisor's handles than it
 * has. When the domain has none left, because others have them, a mapping that
 * was made would be lost. So the module keeps some handles of its own: mappings
 * of a page of ours that is granted to ourselves. Who needs one more handle has
 * one of these given up, and when the old mapping has gone it is taken back.
 *
 * What is given up is anybody's. gntdev_handle_lock keeps our own instances from it:
 * they make mappings under it, shared, and it is held alone from the giving up to
 * the taking back. Other drivers may be quicker; the reserve is then smaller
 * until there are handles again.
 */
#include "gntdev.h"

#define MOST_HANDLES 32U

struct rw_semaphore gntdev_handle_lock;

static struct {
	struct page *page; /* granted to ourselves, or NULL */
	domid_t domid;
	grant_ref_t ref;
	u64 bus_addr;
	u32 count; /* guarded by gntdev_handle_lock, as are the handles */
	grant_handle_t handles[MOST_HANDLES];
} reserve;

/* Maps the page once more, where no page table shows it. */
static bool take_one(void)
{
	struct gnttab_map_grant_ref op;

	gnttab_set_map_op(&op, 0, GNTMAP_device_map | GNTMAP_readonly,
			  reserve.ref, reserve.domid);
	op.status = 1;
	(void)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
	if (op.status != GNTST_okay)
		return false;

	reserve.bus_addr = op.dev_bus_addr;
	reserve.handles[reserve.count++] = op.handle;

	return true;
}

/**
 * gntdev_reserve_give() - give up a handle of the reserve, for somebody to have it
 *
 * gntdev_handle_lock is held for writing.
 *
 * Return: whether there was one.
 */
bool gntdev_reserve_give(void)
{
	struct gnttab_unmap_grant_ref op;

	if (!reserve.count)
		return false;

	reserve.count--;
	gnttab_set_unmap_op(&op, 0, GNTMAP_device_map,
			    reserve.handles[reserve.count]);
	op.dev_bus_addr = reserve.bus_addr;
	op.status = 1;
	(void)HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);
	if (op.status == GNTST_okay)
		return true;

	reserve.count = 0;
	gntdev_grants_warn(&op);
	return false;
}

/* Takes back what is missing, if there is any; gntdev_handle_lock as above. */
void gntdev_reserve_refill(void)
{
	while (reserve.page && reserve.count < MOST_HANDLES && take_one())
		;
}

/* Handles may be free again: some were given back, or somebody new has come. */
void gntdev_reserve_look_after(void)
{
	if (!reserve.page || READ_ONCE(reserve.count) == MOST_HANDLES)
		return;

	down_write(&gntdev_handle_lock);
	gntdev_reserve_refill();
	up_write(&gntdev_handle_lock);
}

/* Grants the page to a domain, or frees it; returns whether it is granted. */
static bool grant_page(int domid)
{
	int ref = domid;

	if (domid >= 0)
		ref = gnttab_grant_foreign_access(domid,
						  xen_page_to_gfn(reserve.page),
						  1);
	if (ref < 0) {
		__free_page(reserve.page);
		reserve.page = NULL;
		return false;
	}
	reserve.domid = domid;
	reserve.ref = ref;

	return true;
}

/* The domain was restored: neither what it had is there, nor its number. */
void gntdev_reserve_renew(void)
{
	if (!reserve.page)
		return;

	down_write(&gntdev_handle_lock);
	reserve.count = 0;
	/* Where it is refused, the page is left to whoever maps it. */
	if (!gnttab_try_end_foreign_access(reserve.ref))
		reserve.page = NULL;
	else if (grant_page(gntdev_ask_domid()))
		gntdev_reserve_refill();
	up_write(&gntdev_handle_lock);
}

/**
 * gntdev_reserve_init() - have handles in reserve, if this domain may need any
 *
 * Without them all is well until the domain's handles are used up.
 */
void gntdev_reserve_init(void)
{
	int domid;

	init_rwsem(&gntdev_handle_lock);
	memset(&reserve, 0, sizeof(reserve));
	if (!gntdev_mode->user_grants)
		return;

	domid = gntdev_ask_domid();
	if (domid < 0)
		return;
	reserve.page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!reserve.page || !grant_page(domid))
		return;

	down_write(&gntdev_handle_lock);
	gntdev_reserve_refill();
	up_write(&gntdev_handle_lock);
	if (reserve.count < MOST_HANDLES)
		pr_notice("%u of %u grant handles are in reserve\n",
			  reserve.count, MOST_HANDLES);
}

/* The module goes. A page that the hypervisor would not let go of stays. */
void gntdev_reserve_exit(void)
{
	if (!reserve.page)
		return;

	down_write(&gntdev_handle_lock);
	while (reserve.count)
		gntdev_reserve_give();
	up_write(&gntdev_handle_lock);
	if (gnttab_try_end_foreign_access(reserve.ref))
		__free_page(reserve.page);
	reserve.page = NULL;
}
