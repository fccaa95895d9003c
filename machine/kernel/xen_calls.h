/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's calls that lead to the hypervisor: models. Structures and numbers
 * are of its interface (xen/interface.h).
 */
#ifndef MACHINE_KERNEL_XEN_CALLS_H
#define MACHINE_KERNEL_XEN_CALLS_H

#include "base.h"
#include "pages.h"
#include "vm.h"
#include "../xen/interface.h"

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

/* ---- of the machine alone ---- */

/* An auto-translated domain names its pages by their physical address. */
#define PHYSICAL (1ULL << 62)

/* Tells the hypervisor where grants may be mapped. */
void grant_places_start(void);
/* The hypervisor was made to keep it; the second clears it then. Lock held. */
bool pte_is_refused(const pte_t *pte);
bool pte_is_lost(pte_t *pte);
bool page_is_mapped(const struct page *page);
/* Its mapping, or another of the same grant, was refused to be ended. */
bool page_is_excused(const struct page *page);
/* GNTTABOP_copy, for the domain whose call it is. */
void copy_all(struct gnttab_copy *ops, unsigned int count);

/* @paging: granters page out. */
void xen_calls_start(bool paging);
/* Grants of the kernel's own: prints what is left, and forgets it. */
unsigned int foreign_leaks(FILE *out);

#endif /* MACHINE_KERNEL_XEN_CALLS_H */
