// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Grants whose use ends elsewhere: a program copies from or to them itself, and
 * nobody says when it is done. Whoever wants to know asks first.
 */
#include "xen.h"

static struct grant_uses *left; /* under the hypervisor's lock */

void uses_add(struct grant_uses *uses, struct domain *granter, u32 ref,
	      bool readonly)
{
	uses->all[uses->count++] = (struct grant_in_use){
		.granter = granter,
		.ref = ref,
		.readonly = readonly,
	};
}

void uses_release(struct grant_uses *uses)
{
	const struct grant_in_use *use = uses->all;

	for (; use < uses->all + uses->count; use++)
		grant_release(use->granter, use->ref, use->readonly);
	__atomic_store_n(&uses->count, 0, __ATOMIC_RELEASE);
}

void uses_leave(struct grant_uses *uses)
{
	uses->next = left;
	left = uses;
}

void uses_settle(void)
{
	struct grant_uses **at = &left, *uses;

	while ((uses = *at)) {
		if (!uses->is_over(uses)) {
			at = &uses->next;
			continue;
		}
		*at = uses->next;
		uses_release(uses);
	}
}

void uses_end(struct grant_uses *uses)
{
	struct grant_uses **at = &left;

	while (*at && *at != uses)
		at = &(*at)->next;
	if (*at)
		*at = uses->next;
	uses_release(uses);
}
