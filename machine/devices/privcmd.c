// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /dev/xen/privcmd, as far as programs of backends ask it for something: whether
 * a grant is in use (the exchange of two), how a port is (libxenvchan's users),
 * which domains there are (libxenctrl), what version this is, a domain's memory by
 * frame (frames.c). All else fails as it does in a domain without the right to it,
 * and has a line in the log.
 */
#include <linux/ioctl.h>

#include "devices.h"
#include "../kernel/context.h"
#include "../kernel/traced.h"
#include "../kernel/user.h"
#include "../xen/xen.h"

/* What the device takes: requests 'P' 0 to 'P' 7. */
struct privcmd_hypercall {
	u64 op;
	u64 arg[5];
};
#define PRIVCMD_HYPERCALL \
	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))
#define MMAP 2
#define DEVICE_MODEL_OP 5
#define MMAP_RESOURCE 7
#define PRIVCMD_RESTRICT _IOC(_IOC_NONE, 'P', 6, sizeof(u16))

/* Numbers and layouts of the hypervisor's public interface. */
#define XEN_VERSION_OP 17
#define GRANT_TABLE_OP 20
#define EVENT_CHANNEL_OP 32
#define DOMCTL_OP 36
#define SWAP_GRANT_REF 11
#define EVTCHN_STATUS 5
#define GET_DOMAIN_INFO 5
#define VERSION_OP 0
#define VERSION (4 << 16 | 17)

struct swap {
	u32 one, other;
	s16 status;
};

struct evtchn_status {
	u16 dom;
	u32 port;
	u32 status;
	u32 vcpu;
	union {
		u16 unbound;
		struct {
			u16 dom;
			u32 port;
		} interdomain;
	} u;
};

/* What all versions of these years have in common. */
struct domctl {
	u32 cmd;
	u32 interface_version;
	u16 domain;
	u16 pad[3];
	struct {
		u16 domain;
		u16 pad;
		u32 flags;
		u64 tot_pages, max_pages;
		u64 outstanding_pages, shr_pages, paged_pages;
		u64 shared_info_frame;
		u64 cpu_time;
		u32 nr_online_vcpus;
		u32 max_vcpu_id;
		u32 ssidref;
		u8 handle[16];
		u32 cpupool;
	} info;
};
#define DOMAIN_HVM 0x2
#define DOMAIN_RUNNING 0x20

/* What is restricted to a domain makes no hypercalls; @private_data tells. */
#define RESTRICTED(domid) ((void *)((domid) + 1ul))
#define RESTRICTED_TO(file) ((long)(file)->private_data - 1)

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

/* Of a domain's own ports, or in domain 0 of any's. */
static long port_state(struct domain *caller, u64 at)
{
	struct evtchn_status op;
	struct port_status status;
	struct domain *d;
	int err;

	if (!user_read(current, &op, at, sizeof(op)))
		return -EFAULT;
	d = op.dom == DOMID_SELF ? caller : domain_find(op.dom);
	/* Domain 0 is there, even if no program of it is yet. */
	if (!d && op.dom)
		return -ESRCH;
	if (d != caller && caller->id)
		return -EPERM;
	err = port_status(d, op.port, &status);
	if (err)
		return err;
	op.status = status.state;
	op.vcpu = 0;
	memset(&op.u, 0, sizeof(op.u));
	if (status.state == PORT_STATUS_UNBOUND)
		op.u.unbound = status.remote;
	if (status.state == PORT_STATUS_INTERDOMAIN) {
		op.u.interdomain.dom = status.remote;
		op.u.interdomain.port = status.remote_port;
	}

	return user_write(current, at, &op, sizeof(op)) ? 0 : -EFAULT;
}

/* Of the domain with that number, or with the next one. */
static long domain_info(u64 at)
{
	struct domctl op;
	struct domain *d;

	if (!user_read(current, &op, at, sizeof(op)))
		return -EFAULT;
	d = domain_from(op.domain);
	if (!d)
		return -ESRCH;
	op.domain = d->id;
	memset(&op.info, 0, sizeof(op.info));
	op.info.domain = d->id;
	op.info.flags = DOMAIN_RUNNING |
			(machine_mode() == MACHINE_PV ? 0 : DOMAIN_HVM);
	op.info.tot_pages = d->pages;
	op.info.max_pages = d->pages;
	op.info.nr_online_vcpus = 1;

	return user_write(current, at, &op, sizeof(op)) ? 0 : -EFAULT;
}

/* Toolstacks ask for much before they do something: what they may not. */
static long not_modelled(const struct privcmd_hypercall *call)
{
	machine_printk(
		"err",
		"privcmd: hypercall %llu, %llu is not modelled: refused, as to a domain without the right\n",
		call->op, call->arg[0]);

	return -EPERM;
}

static long hypercall(struct domain *d, const struct privcmd_hypercall *call)
{
	u32 cmd;

	switch (call->op) {
	case GRANT_TABLE_OP:
		if (call->arg[0] == SWAP_GRANT_REF)
			return swap_all(d, call->arg[1], call->arg[2]);
		break;
	case EVENT_CHANNEL_OP:
		if (call->arg[0] == EVTCHN_STATUS)
			return port_state(d, call->arg[1]);
		break;
	case XEN_VERSION_OP:
		if (call->arg[0] == VERSION_OP)
			return VERSION;
		break;
	case DOMCTL_OP:
		if (!user_read(current, &cmd, call->arg[0], sizeof(cmd)))
			return -EFAULT;
		if (cmd == GET_DOMAIN_INFO && !d->id)
			return domain_info(call->arg[0]);
		/* The line is to say which, not where in memory. */
		return not_modelled(&(struct privcmd_hypercall){
			.op = call->op,
			.arg = {cmd},
		});
	}

	return not_modelled(call);
}

static long restrict_domid(struct file *file, u64 at)
{
	u16 domid;

	if (!user_read(current, &domid, at, sizeof(domid)))
		return -EFAULT;
	if (file->private_data && file->private_data != RESTRICTED(domid))
		return -EINVAL;
	file->private_data = RESTRICTED(domid);

	return 0;
}

/* What is not modelled, and what only domain 0 may. */
static long refuse(const struct file *file, unsigned int number)
{
	machine_printk(
		"err",
		"privcmd: request %u %s: refused, as to a domain without the right\n",
		number,
		file->domain->id ? "is domain 0's alone" : "is not modelled");

	return -EPERM;
}

static long privcmd_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	struct privcmd_hypercall call;

	switch (cmd) {
	case PRIVCMD_HYPERCALL:
		if (file->private_data)
			return -EPERM;
		if (!user_read(current, &call, arg, sizeof(call)))
			return -EFAULT;
		return hypercall(file->domain, &call);
	case PRIVCMD_RESTRICT:
		return restrict_domid(file, arg);
	case PRIVCMD_MMAPBATCH:
	case PRIVCMD_MMAPBATCH_V2:
		return file->domain->id
			       ? refuse(file, _IOC_NR(cmd))
			       : frames_ioctl(cmd, arg, RESTRICTED_TO(file));
	}
	if (_IOC_TYPE(cmd) == 'P' &&
	    (_IOC_NR(cmd) == MMAP || _IOC_NR(cmd) == MMAP_RESOURCE))
		return refuse(file, _IOC_NR(cmd));
	/* As of an older kernel; libraries try whether it is. */
	if (arg && _IOC_NR(cmd) != DEVICE_MODEL_OP)
		machine_printk("err",
			       "privcmd: request %u is not modelled: ENOTTY\n",
			       _IOC_NR(cmd));

	return -ENOTTY;
}

static const struct file_operations privcmd_fops = {
	.unlocked_ioctl = privcmd_ioctl,
	.mmap = frames_mmap,
};

static const struct trace_symbol requests[] = {
	{0, "HYPERCALL"},
	{MMAP, "MMAP"},
	{3, "MMAPBATCH"},
	{4, "MMAPBATCH_V2"},
	{DEVICE_MODEL_OP, "DM_OP"},
	{6, "RESTRICT"},
	{MMAP_RESOURCE, "MMAP_RESOURCE"},
	{0, NULL},
};

const struct device_kind privcmd_device = {
	.name = "privcmd",
	.fops = &privcmd_fops,
	.requests = requests,
};
