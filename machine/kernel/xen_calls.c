// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The kernel's calls that lead to the hypervisor, and what it asks of itself. */
#include "context.h"
#include "faults.h"
#include "files.h"
#include "waiting.h"
#include "xen_calls.h"
#include "../xen/xen.h"

/* Times that the kernel asks again for a page that the granter paged out. */
#define MAX_RETRIES 256

static bool paging; /* by the granters */

void xen_calls_start(bool granters_page)
{
	paging = granters_page;
}

bool xen_domain(void)
{
	return !xen_config()->is_absent;
}

bool xen_feature(int flag)
{
	switch (flag) {
	case XENFEAT_auto_translated_physmap:
		return machine_mode() != MACHINE_PV;
	case XENFEAT_gnttab_map_avail_bits:
		return !xen_config()->has_no_avail_bits;
	default:
		machine_fatal("xen_feature(%d) is not modelled", flag);
	}
}

/* ---- grants ---- */

static u64 host_address(phys_addr_t addr, u32 flags)
{
	if (flags & GNTMAP_contains_pte || machine_mode() == MACHINE_PV)
		return addr;
	return addr ^ PHYSICAL;
}

void gnttab_set_map_op(struct gnttab_map_grant_ref *map, phys_addr_t addr,
		       u32 flags, grant_ref_t ref, domid_t domid)
{
	map->host_addr = host_address(addr, flags);
	map->flags = flags;
	map->ref = ref;
	map->dom = domid;
	map->status = 1;
}

void gnttab_set_unmap_op(struct gnttab_unmap_grant_ref *unmap, phys_addr_t addr,
			 u32 flags, grant_handle_t handle)
{
	unmap->host_addr = host_address(addr, flags);
	unmap->handle = handle;
	unmap->dev_bus_addr = 0;
}

static void map_all(struct gnttab_map_grant_ref *ops, unsigned int count)
{
	struct domain *d = context()->domain;
	unsigned int i;
	s16 status;

	if (!d)
		machine_fatal("a thread of the kernel's own maps grants");
	for (i = 0; i < count; i++) {
		if (!fault_op(MACHINE_OP_MAP,
			      ops[i].flags & GNTMAP_contains_pte, &status))
			status = GNTST_okay;
		grant_map(d, &ops[i], status);
	}
}

static void unmap_all(struct gnttab_unmap_grant_ref *ops, unsigned int count)
{
	unsigned int i;
	s16 status;

	for (i = 0; i < count; i++) {
		if (!fault_op(MACHINE_OP_UNMAP, false, &status))
			status = GNTST_okay;
		grant_unmap(&ops[i], status);
	}
}

/* What a failed call did not come to stays mapped, by no fault of a driver's. */
static void leave_all(const struct gnttab_unmap_grant_ref *ops,
		      unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		grant_refuse(ops[i].handle);
}

static void do_ops(unsigned int cmd, void *ops, unsigned int count)
{
	switch (cmd) {
	case GNTTABOP_map_grant_ref:
		map_all(ops, count);
		break;
	case GNTTABOP_unmap_grant_ref:
		unmap_all(ops, count);
		break;
	case GNTTABOP_copy:
		copy_all(ops, count);
		break;
	}
}

/* Of the machine's tables all frames are there from the beginning. */
static int query_size(struct gnttab_query_size *op)
{
	struct domain *d = context()->domain;
	unsigned int variant;

	if (!d || op->dom != DOMID_SELF)
		machine_fatal("query_size of another domain, or of nobody's");
	if (fault(SITE_QUERY_CALL, &variant)) {
		op->status = GNTST_general_error;
		/* What is there then, nobody may take for an answer. */
		op->nr_frames = 12345;
		op->max_nr_frames = 12345;
		return variant ? 0 : -EFAULT;
	}
	op->max_nr_frames =
		DIV_ROUND_UP(d->entries * sizeof(*d->table), PAGE_SIZE);
	op->nr_frames = op->max_nr_frames;
	op->status = GNTST_okay;

	return 0;
}

int HYPERVISOR_grant_table_op(unsigned int cmd, void *uop, unsigned int count)
{
	unsigned int variant, done;
	enum fault_site site;

	if (cmd == GNTTABOP_query_size)
		return query_size(uop);
	switch (cmd) {
	case GNTTABOP_map_grant_ref:
		site = SITE_MAP_CALL;
		break;
	case GNTTABOP_unmap_grant_ref:
		site = SITE_UNMAP_CALL;
		break;
	case GNTTABOP_copy:
		site = SITE_COPY_CALL;
		break;
	default:
		machine_fatal("grant table operation %u is not modelled", cmd);
	}
	if (!count)
		machine_fatal("a grant table hypercall with no operation");

	if (!fault(site, &variant)) {
		do_ops(cmd, uop, count);
		return 0;
	}
	/* Stopped by an error or, in old hypervisors, by preemption. */
	done = variant ? count / 2 : 0;
	if (done)
		do_ops(cmd, uop, done);
	if (cmd == GNTTABOP_unmap_grant_ref)
		leave_all((struct gnttab_unmap_grant_ref *)uop + done,
			  count - done);

	return variant == 2 ? (int)(count - done) : -EFAULT;
}

/* Asks again for a page that is paged out, for as long as the kernel would. */
static void map_again(struct gnttab_map_grant_ref *op)
{
	int tries;

	might_sleep_in("gnttab_map_refs");
	for (tries = 0; op->status == GNTST_eagain && tries < MAX_RETRIES;
	     tries++) {
		if (HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, op, 1))
			op->status = GNTST_eagain;
	}
	if (op->status == GNTST_eagain)
		op->status = GNTST_bad_page;
}

/* The kernel's table of foreign frames has no room: the mapping is undone. */
static void forget_frame(struct gnttab_map_grant_ref *op)
{
	struct gnttab_unmap_grant_ref unmap = {
		.host_addr = op->host_addr,
		.handle = op->handle,
	};

	grant_unmap(&unmap, GNTST_okay);
	op->status = GNTST_general_error;
	op->handle = INVALID_GRANT_HANDLE;
}

int gnttab_map_refs(struct gnttab_map_grant_ref *map_ops,
		    struct gnttab_map_grant_ref *kmap_ops, struct page **pages,
		    unsigned int count)
{
	unsigned int i, variant;
	int ret, err = 0;

	if (kmap_ops)
		machine_fatal("gnttab_map_refs with kmap_ops is not modelled");
	ret = HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, map_ops, count);
	if (ret)
		return ret;

	for (i = 0; i < count; i++) {
		if (map_ops[i].status == GNTST_eagain)
			map_again(&map_ops[i]);
		if (map_ops[i].status == GNTST_okay)
			pages[i]->foreign = true;
	}
	for (i = 0; i < count; i++) {
		if (map_ops[i].status != GNTST_okay)
			continue;
		if (fault(SITE_P2M, &variant)) {
			forget_frame(&map_ops[i]);
			err = -ENOMEM;
		} else {
			pages[i]->in_p2m = true;
		}
	}

	return err;
}

int gnttab_unmap_refs(struct gnttab_unmap_grant_ref *unmap_ops,
		      struct gnttab_unmap_grant_ref *kunmap_ops,
		      struct page **pages, unsigned int count)
{
	unsigned int i;
	int ret;

	if (kunmap_ops)
		machine_fatal(
			"gnttab_unmap_refs with kunmap_ops is not modelled");
	for (i = 0; i < count; i++) {
		if (page_count(pages[i]) != 1)
			machine_fatal(
				"a grant is unmapped from a page with %d references",
				page_count(pages[i]));
	}
	ret = HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, unmap_ops,
					count);
	if (ret)
		return ret;
	for (i = 0; i < count; i++)
		pages[i]->foreign = false;
	/* As the kernel's: one page that is not there ends it for all. */
	for (i = 0; i < count; i++) {
		if (!pages[i]->in_p2m)
			return -EINVAL;
		pages[i]->in_p2m = false;
	}

	return 0;
}

/* ---- event channels ---- */

int evtchn_get(evtchn_port_t evtchn)
{
	unsigned int variant;

	if (!context()->domain)
		machine_fatal("evtchn_get in a thread of the kernel's own");
	if (fault(SITE_EVTCHN_GET, &variant))
		return -EINVAL;
	return port_get(context()->domain, evtchn);
}

void evtchn_put(evtchn_port_t evtchn)
{
	might_sleep();
	port_put(evtchn, NULL);
}

void notify_remote_via_evtchn(evtchn_port_t port)
{
	/* Who has no domain may send on any port: numbers are of the machine. */
	if (port_send(context()->domain, port))
		machine_fatal("an event is sent on port %u, which is closed",
			      port);
}

unsigned int irq_from_evtchn(evtchn_port_t evtchn)
{
	return port_irq(evtchn);
}

bool granters_page_out(void)
{
	return paging;
}

int gntdev_ask_domid(void)
{
	struct domain *d = context()->domain;

	return d ? (int)d->id : -ESRCH;
}

bool gntdev_port_is_callers(evtchn_port_t port)
{
	struct port_user *user = port_user_get(port);
	bool is = user && file_is_held(current, user->file);

	if (user)
		port_user_put(user);
	return is;
}

/* ---- the domain itself ---- */

bool gntdev_own_grants_vanish(void)
{
	return machine_mode() == MACHINE_PVH;
}

/* One kernel serves all domains: it is the caller's. */
domid_t gntdev_own_domid(void)
{
	struct domain *d = context()->domain;

	return d ? domain_id(d) : DOMID_INVALID;
}

void gntdev_own_domid_init(void)
{
}

void gntdev_own_domid_exit(void)
{
}
