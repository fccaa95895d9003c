/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's calls that lead to the hypervisor. Structures and numbers are
 * the hypervisor's interface; the calls are models.
 */
#ifndef MACHINE_KERNEL_XEN_CALLS_H
#define MACHINE_KERNEL_XEN_CALLS_H

#include "base.h"
#include "pages.h"
#include "vm.h"

typedef u16 domid_t;
typedef u32 grant_ref_t;
typedef u32 grant_handle_t;
typedef u32 evtchn_port_t;
typedef unsigned long xen_pfn_t;

#define INVALID_GRANT_HANDLE ((grant_handle_t)~0U)

struct gnttab_map_grant_ref {
	u64 host_addr;
	u32 flags;
	grant_ref_t ref;
	domid_t dom;
	s16 status;
	grant_handle_t handle;
	u64 dev_bus_addr;
};

struct gnttab_unmap_grant_ref {
	u64 host_addr;
	u64 dev_bus_addr;
	grant_handle_t handle;
	s16 status;
};

struct gnttab_copy {
	struct gnttab_copy_ptr {
		union {
			grant_ref_t ref;
			xen_pfn_t gmfn;
		} u;
		domid_t domid;
		u16 offset;
	} source, dest;
	u16 len;
	u16 flags;
	s16 status;
};

/* What the statuses mean, from 0 downwards, as the hypervisor's header says. */
#define GNTTABOP_error_msgs                                 \
	{                                                   \
		"okay",                                     \
		"undefined error",                          \
		"unrecognised domain id",                   \
		"invalid grant reference",                  \
		"invalid mapping handle",                   \
		"invalid virtual address",                  \
		"invalid device address",                   \
		"no spare translation slot in the I/O MMU", \
		"permission denied",                        \
		"bad page",                                 \
		"copy arguments cross page boundary",       \
		"page address size too large",              \
		"operation not done; try again",            \
		"out of space",                             \
	}
struct gnttab_query_size {
	domid_t dom;
	u32 nr_frames;
	u32 max_nr_frames;
	s16 status;
};

bool xen_domain(void);
bool xen_feature(int flag);

void gnttab_set_map_op(struct gnttab_map_grant_ref *map, phys_addr_t addr,
		       u32 flags, grant_ref_t ref, domid_t domid);
void gnttab_set_unmap_op(struct gnttab_unmap_grant_ref *unmap, phys_addr_t addr,
			 u32 flags, grant_handle_t handle);
/* A second set of operations, for user entries, is not modelled: NULL. */
int gnttab_map_refs(struct gnttab_map_grant_ref *map_ops,
		    struct gnttab_map_grant_ref *kmap_ops, struct page **pages,
		    unsigned int count);
int gnttab_unmap_refs(struct gnttab_unmap_grant_ref *unmap_ops,
		      struct gnttab_unmap_grant_ref *kunmap_ops,
		      struct page **pages, unsigned int count);
int HYPERVISOR_grant_table_op(unsigned int cmd, void *uop, unsigned int count);

/* References of this domain's as a list, all of them or -ENOSPC. */
int gnttab_alloc_grant_references(u16 count, grant_ref_t *head);
int gnttab_claim_grant_reference(grant_ref_t *head);
void gnttab_free_grant_reference(grant_ref_t ref);
/* A page of this domain's, for another one. */
void gnttab_grant_foreign_access_ref(grant_ref_t ref, domid_t domid,
				     unsigned long frame, int readonly);
/* 0: the other domain has it mapped. */
int gnttab_try_end_foreign_access(grant_ref_t ref);
/* Both at once: the reference, or -ENOSPC. */
int gnttab_grant_foreign_access(domid_t domid, unsigned long frame,
				int readonly);

typedef struct {
	u64 maddr;
} xmaddr_t;
xmaddr_t arbitrary_virt_to_machine(void *vaddr);

int evtchn_get(evtchn_port_t evtchn);
void evtchn_put(evtchn_port_t evtchn);
void notify_remote_via_evtchn(evtchn_port_t port);
/* Another one for each time that a port is bound; -1: not any more. */
unsigned int irq_from_evtchn(evtchn_port_t evtchn);
/* Of the driver's own compat folder; what it asks is known here. */
bool gntdev_port_is_callers(evtchn_port_t port);
bool gntdev_own_grants_vanish(void);
domid_t gntdev_own_domid(void);
void gntdev_own_domid_init(void);
void gntdev_own_domid_exit(void);
/*
 * The same. All domains share one driver here, and what it takes when it is
 * loaded would be one domain's; so it is told only if the configuration says.
 */
int gntdev_ask_domid(void);
/*
 * The same: whether granters page out, as far as that is asked of the driver.
 * Only if the configuration says: a copy that is made to fail is to be one of a
 * program's.
 */
bool granters_page_out(void);

#endif /* MACHINE_KERNEL_XEN_CALLS_H */
