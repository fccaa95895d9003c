/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A module that asks to be told of its domain's restoring must be able to take that
 * back. The kernel's own call for that is gone since 6.13.
 */
#ifndef GNTDEV_COMPAT_RESUME_H
#define GNTDEV_COMPAT_RESUME_H

#include <linux/notifier.h>
#include <linux/version.h>
#include <xen/xen-ops.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define xen_resume_notifier_register resume_register
#define xen_resume_notifier_unregister resume_unregister

void resume_register(struct notifier_block *nb);
void resume_unregister(struct notifier_block *nb);
#endif

#endif /* GNTDEV_COMPAT_RESUME_H */
