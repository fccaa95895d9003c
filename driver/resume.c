// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The domain has been saved and restored, or moved to another host. The kernel
 * and its programs go on as before, the hypervisor knows nothing any more: no
 * grant is mapped, no event channel is bound, and the domain has another number.
 */
#include "gntdev.h"

static u8 times;

/**
 * resume_count() - how often the domain was restored
 *
 * Return: a number. What the hypervisor gave while it was another one, it has
 * forgotten.
 */
u8 resume_count(void)
{
	return READ_ONCE(times);
}

/* Before any program runs again. */
static int resumed(struct notifier_block *nb, unsigned long event, void *data)
{
	own_domid_learn();
	WRITE_ONCE(times, times + 1);

	return NOTIFY_OK;
}

static struct notifier_block notifier = {.notifier_call = resumed};

void resume_init(void)
{
	own_domid_learn();
	xen_resume_notifier_register(&notifier);
}

void resume_exit(void)
{
	xen_resume_notifier_unregister(&notifier);
}
