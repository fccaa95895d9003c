/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Patience with granters that have pages of theirs paged out. */
#ifndef GNTDEV_BACKOFF_H
#define GNTDEV_BACKOFF_H

#include "gntdev.h"

struct backoff {
	unsigned long end, delay; /* jiffies */
};

void gntdev_backoff_begin(struct backoff *p);
int gntdev_backoff_wait(struct backoff *p,
			const struct ioctl_gntdev_grant_ref *grant);
int gntdev_backoff_await(const struct ioctl_gntdev_grant_ref *grants, u32 count,
			 struct backoff *backoff);
int __init gntdev_backoff_init(void);
void gntdev_backoff_exit(void);

#endif /* GNTDEV_BACKOFF_H */
