// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* References by which this domain grants pages of its own. */
#include "gntdev.h"

/*
 * References got in one go, of which there is no part; and those that are left to
 * all others: what one frame of the domain's table has.
 */
#define REFS_AT_ONCE 32768U
#define REFS_SPARED 512U

/* References between two looks at the clock. */
#define STRIDE 1024U

/*
 * Disks and networks ask for references too: either there are some to spare, or
 * none of them is taken.
 */
static int take_some(grant_ref_t *refs, u32 count)
{
	grant_ref_t list;
	u32 i;

	if (gnttab_alloc_grant_references(count + REFS_SPARED, &list) < 0) {
		gntdev_limits_warn_references(count);
		return -ENOSPC;
	}

	for (i = 0; i < REFS_SPARED; i++)
		gnttab_free_grant_reference(gnttab_claim_grant_reference(&list));
	for (i = 0; i < count; i++)
		refs[i] = gnttab_claim_grant_reference(&list);

	return 0;
}

/**
 * gntdev_refs_take() - take references of the domain's
 * @refs: where they go
 * @count: how many are wanted
 *
 * Return: 0, or -ENOSPC or, if a fatal signal is pending, -EINTR; then none is
 * taken.
 */
int gntdev_refs_take(grant_ref_t *refs, u32 count)
{
	u32 n, taken = 0;
	int err = 0;

	while (!err && taken < count) {
		n = min(count - taken, REFS_AT_ONCE);
		err = take_some(refs + taken, n);
		if (err)
			break;
		taken += n;
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	if (err)
		gntdev_refs_give(refs, taken);

	return err;
}

/**
 * gntdev_refs_give() - give back references that nothing is granted by
 * @refs: an array of them
 * @count: how many
 */
void gntdev_refs_give(const grant_ref_t *refs, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		gnttab_free_grant_reference(refs[i]);
		if (i % STRIDE == STRIDE - 1)
			cond_resched();
	}
}
