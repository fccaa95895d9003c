/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Who this domain is, and what a grant of its own is to it. */
#ifndef GNTDEV_COMPAT_SELF_H
#define GNTDEV_COMPAT_SELF_H

#include <linux/types.h>
#include <xen/interface/xen.h>

/*
 * Whether the hypervisor takes a page away from the domain that maps a grant of
 * it. It does where it keeps one place in the domain's memory for each frame,
 * which is in auto-translated domains of x86.
 */
bool gntdev_own_grants_vanish(void);

/* The domain's number; DOMID_INVALID if nobody has told it. */
domid_t gntdev_own_domid(void);

/*
 * The same in any kind of domain, asked of the hypervisor now; or a negative
 * errno.
 */
int gntdev_ask_domid(void);

/* At load and at unload: when the domain is restored, it has another number. */
void gntdev_own_domid_init(void);
void gntdev_own_domid_exit(void);

#endif /* GNTDEV_COMPAT_SELF_H */
