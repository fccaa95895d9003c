/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The one thing that only the hypervisor knows. */
#ifndef ABI_HYPERCALL_H
#define ABI_HYPERCALL_H

#include <stdint.h>

/*
 * Exchange two entries of this domain's grant table, and back again if @back.
 * Returns 0, -EBUSY if one of them is in use, or another -errno.
 */
int hypercall_swap(uint32_t one, uint32_t other, int back);

#endif
