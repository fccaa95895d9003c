/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The hypervisor's interface: what a kernel hands it, and what it answers. */
#ifndef MACHINE_XEN_INTERFACE_H
#define MACHINE_XEN_INTERFACE_H

#include "../base/types.h"
#include "constants.h"

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

struct gnttab_query_size {
	domid_t dom;
	u32 nr_frames;
	u32 max_nr_frames;
	s16 status;
};

#endif /* MACHINE_XEN_INTERFACE_H */
