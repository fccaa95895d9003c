// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /dev/xen/privcmd, for the one hypercall by which a program of a granting
 * domain learns whether a grant is in use: the exchange of two grants.
 */
#include <linux/ioctl.h>

#include "devices.h"
#include "../kernel/context.h"
#include "../kernel/user.h"
#include "../xen/xen.h"

/* What the device takes: request 'P' 0. */
struct privcmd_hypercall {
	u64 op;
	u64 arg[5];
};
#define PRIVCMD_HYPERCALL \
	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

/* Numbers of the hypervisor's public interface. */
#define GRANT_TABLE_OP 20
#define SWAP_GRANT_REF 11

struct swap {
	u32 one, other;
	s16 status;
};

static long swap_all(struct domain *d, u64 at, u64 count)
{
	struct swap swap;

	for (; count; count--, at += sizeof(swap)) {
		if (!user_read(current, &swap, at, sizeof(swap)))
			return -EFAULT;
		swap.status = grant_swap(d, swap.one, swap.other);
		if (!user_write(current, at, &swap, sizeof(swap)))
			return -EFAULT;
	}

	return 0;
}

static long privcmd_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	struct privcmd_hypercall call;

	if (cmd != PRIVCMD_HYPERCALL)
		return -ENOTTY;
	if (!user_read(current, &call, arg, sizeof(call)))
		return -EFAULT;
	if (call.op == GRANT_TABLE_OP && call.arg[0] == SWAP_GRANT_REF)
		return swap_all(file->domain, call.arg[1], call.arg[2]);
	machine_printk(
		"err",
		"privcmd: hypercall %llu, %llu is not modelled; only the exchange of grants (%u, %u) is\n",
		call.op, call.arg[0], GRANT_TABLE_OP, SWAP_GRANT_REF);

	return -ENOSYS;
}

static const struct file_operations privcmd_fops = {
	.unlocked_ioctl = privcmd_ioctl,
};

const struct device_kind privcmd_device = {
	.name = "privcmd",
	.fops = &privcmd_fops,
};
