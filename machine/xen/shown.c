// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Domains' memory by number, as a domain that may do so maps it without grants. */
#include "xen.h"

int domain_show_frame(unsigned int domid, u64 frame, struct domain **owner)
{
	struct domain *d = domain_find(domid);

	if (!d)
		return -ESRCH;
	if (frame >= d->pages)
		return -EINVAL;
	hypervisor_lock();
	/* What is written there has to go before somebody gets the page. */
	d->shown = max_t(u64, d->shown, frame + 1);
	hypervisor_unlock();
	*owner = d;

	return 0;
}
