// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Who this domain is. The kernel has no call for it: the hypervisor's CPUID has. */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kconfig.h>
#include <xen/features.h>
#include <xen/interface/event_channel.h>
#include <asm/xen/hypercall.h>

#ifdef CONFIG_X86
#include <linux/notifier.h>
#include <linux/processor.h>
#include <xen/xen-ops.h>
#include <asm/xen/cpuid.h>
#include <asm/xen/hypervisor.h>
#endif

#include "resume.h"
#include "self.h"

static domid_t known = DOMID_INVALID;

bool gntdev_own_grants_vanish(void)
{
	return IS_ENABLED(CONFIG_X86) &&
	       xen_feature(XENFEAT_auto_translated_physmap);
}

domid_t gntdev_own_domid(void)
{
	return READ_ONCE(known);
}

/* An event channel for ourselves tells whom it is for. */
int gntdev_ask_domid(void)
{
	struct evtchn_alloc_unbound alloc = {
		.dom = DOMID_SELF,
		.remote_dom = DOMID_SELF,
	};
	struct evtchn_status status = {.dom = DOMID_SELF};
	struct evtchn_close close;
	int err;

	err = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);
	if (err)
		return err;

	status.port = alloc.port;
	close.port = alloc.port;
	err = HYPERVISOR_event_channel_op(EVTCHNOP_status, &status);
	if (!err && status.status != EVTCHNSTAT_unbound)
		err = -EINVAL;
	(void)HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);

	return err ?: status.u.unbound.dom;
}

#ifdef CONFIG_X86
/* The leaf of auto-translated domains. */
static int read_domid(void)
{
	u32 eax = 0, ebx, ecx = 0, edx, base = xen_cpuid_base();

	if (base && cpuid_eax(base) >= base + 4)
		cpuid_count(base + 4, 0, &eax, &ebx, &ecx, &edx);

	return eax & XEN_HVM_CPUID_DOMID_PRESENT ? ecx : -ENODATA;
}

/*
 * Asked once, as each look leaves the domain. (Xenstore has the number too, but
 * may be this domain's own program, which would wait for itself.)
 */
static void learn(void)
{
	int domid = gntdev_own_grants_vanish() ? read_domid()
					       : gntdev_ask_domid();

	WRITE_ONCE(known, domid < 0 ? DOMID_INVALID : domid);
}

/* Before any program runs again. */
static int restored(struct notifier_block *nb, unsigned long event, void *data)
{
	learn();

	return NOTIFY_OK;
}

static struct notifier_block notifier = {.notifier_call = restored};

void gntdev_own_domid_init(void)
{
	learn();
	xen_resume_notifier_register(&notifier);
}

void gntdev_own_domid_exit(void)
{
	xen_resume_notifier_unregister(&notifier);
}
#else
void gntdev_own_domid_init(void)
{
}

void gntdev_own_domid_exit(void)
{
}
#endif
