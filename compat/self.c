// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Who this domain is. The kernel has no call for it: the hypervisor's CPUID has. */
#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <xen/features.h>

#ifdef CONFIG_X86
#include <asm/processor.h>
#include <asm/xen/cpuid.h>
#include <asm/xen/hypervisor.h>
#endif

#include "self.h"

static domid_t known = DOMID_INVALID;

bool own_grants_vanish(void)
{
	return IS_ENABLED(CONFIG_X86) &&
	       xen_feature(XENFEAT_auto_translated_physmap);
}

domid_t own_domid(void)
{
	return READ_ONCE(known);
}

#ifdef CONFIG_X86
/*
 * Asked once, as each look leaves the domain. (Xenstore has the number too, but
 * may be this domain's own program, which would wait for itself.)
 */
void own_domid_learn(void)
{
	u32 eax = 0, ebx, ecx = 0, edx, base = xen_cpuid_base();

	/* The leaf of auto-translated domains. */
	if (base && own_grants_vanish() && cpuid_eax(base) >= base + 4)
		cpuid_count(base + 4, 0, &eax, &ebx, &ecx, &edx);
	WRITE_ONCE(known,
		   eax & XEN_HVM_CPUID_DOMID_PRESENT ? ecx : DOMID_INVALID);
}
#else
void own_domid_learn(void)
{
}
#endif
