// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The hypervisor's limits for this domain, as far as it can know them: a handle
 * for each mapping of a grant, and frames for the table of what it grants itself.
 * A warning says what is used, and by which option of Xen there is more.
 */
#include "gntdev.h"

/* References in a frame of the table: of version 1 an entry has 8 bytes. */
#define FRAME_REFS (XEN_PAGE_SIZE / 8)

/* Zeroes if the hypervisor does not say. */
void gntdev_limits_grant_frames(u32 *used, u32 *most)
{
	struct gnttab_query_size op = {.dom = DOMID_SELF};

	*used = 0;
	*most = 0;
	if (HYPERVISOR_grant_table_op(GNTTABOP_query_size, &op, 1) ||
	    op.status != GNTST_okay)
		return;
	*used = op.nr_frames;
	*most = op.max_nr_frames;
}

/* A map failed for lack of a handle. May be called with a spinlock held. */
void gntdev_limits_warn_handles(void)
{
	pr_warn_ratelimited(
		"the hypervisor has no handle left for a grant: this driver uses %ld, and Xen allows a domain 262144 unless it is told otherwise; raise Xen's gnttab_max_maptrack_frames=, or max_maptrack_frames= of a guest\n",
		atomic_long_read(&gntdev_counters.handles));
}

/* Pages cannot be granted, as the table of what is granted is full. */
void gntdev_limits_warn_references(u32 count)
{
	u32 used, most;

	gntdev_limits_grant_frames(&used, &most);
	pr_warn_ratelimited(
		"%u grant references are wanted and cannot be had: the domain's grant table has %u of %u frames, with %lu references each; raise Xen's gnttab_max_frames=, or max_grant_frames= of a guest\n",
		count, used, most, FRAME_REFS);
}
