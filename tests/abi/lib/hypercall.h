/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What only the hypervisor knows, and what only it has. */
#ifndef ABI_HYPERCALL_H
#define ABI_HYPERCALL_H

#include <stdint.h>

/*
 * Exchange two entries of this domain's grant table, and back again if @back.
 * Returns 0, -EBUSY if one of them is in use, or another -errno.
 */
int hypercall_swap(uint32_t one, uint32_t other, int back);

/* A mapping of a grant that is in no page table: it takes a handle, no more. */
struct device_mapping {
	uint32_t handle;
	uint64_t bus_address;
};

/* Operations that hypercall_map() and hypercall_unmap() take at once. */
#define HYPERCALL_BATCH 120u

/*
 * Map a grant @count times. Returns how many were made, fewer where handles or
 * the grant's counter have come to an end, or -errno.
 */
int hypercall_map(unsigned int domid, uint32_t ref, unsigned int count,
		  struct device_mapping *made);
int hypercall_unmap(const struct device_mapping *made, unsigned int count);

#endif
