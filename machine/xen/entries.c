// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Entries of grant tables: who may use a grant, and who does. */
#include "xen.h"

/* Xen has a byte for each count, and lets nobody near its end. */
#define MOST_MAPPED 0x80

static bool is_full(const struct grant_use *use)
{
	return (use->mapped[0] | use->mapped[1]) & MOST_MAPPED;
}

s16 grant_acquire(struct domain *user, struct domain *granter, u32 ref,
		  bool readonly, unsigned long *pfn)
{
	struct grant_entry *e;

	if (ref >= granter->entries)
		return GNTST_bad_gntref;
	e = &granter->table[ref];
	if ((e->flags & GTF_type_mask) != GTF_permit_access ||
	    e->domid != user->id)
		return GNTST_general_error;
	if (!readonly && e->flags & GTF_readonly)
		return GNTST_general_error;
	if (is_full(&granter->uses[ref]))
		return GNTST_general_error;
	if (e->frame >= granter->pages)
		return GNTST_bad_page;

	e->flags |= GTF_reading;
	if (readonly) {
		granter->uses[ref].readers++;
	} else {
		granter->uses[ref].writers++;
		e->flags |= GTF_writing;
	}
	*pfn = e->frame;

	return GNTST_okay;
}

void grant_release(struct domain *granter, u32 ref, bool readonly)
{
	struct grant_entry *e = &granter->table[ref];
	struct grant_use *use = &granter->uses[ref];

	if (readonly)
		use->readers--;
	else
		use->writers--;
	if (!use->writers)
		e->flags &= ~GTF_writing;
	if (!use->writers && !use->readers)
		e->flags &= ~GTF_reading;
}
