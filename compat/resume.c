// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The domain's restoring, told by system core operations: Xen's suspend calls them
 * where it calls its own notifiers, when no program runs. So does the sleep of a
 * machine, through which the hypervisor and what it knows stay: that happens to the
 * first domain, which is never restored.
 */
#include "resume.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#include <linux/syscore_ops.h>
#include <xen/xen.h>

static struct notifier_block *told;

static void tell(void)
{
	if (!xen_initial_domain())
		told->notifier_call(told, 0, NULL);
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
static void resumed(void *data)
{
	tell();
}

static const struct syscore_ops resume_ops = {.resume = resumed};
static struct syscore core = {.ops = &resume_ops};
#else
#define register_syscore register_syscore_ops
#define unregister_syscore unregister_syscore_ops
static struct syscore_ops core = {.resume = tell};
#endif

/* One at a time: the driver has no more. */
void resume_register(struct notifier_block *nb)
{
	told = nb;
	register_syscore(&core);
}

void resume_unregister(struct notifier_block *nb)
{
	unregister_syscore(&core);
	told = NULL;
}
#endif
