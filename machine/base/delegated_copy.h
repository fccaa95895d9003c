/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A copy that the machine leaves to its caller: as the machine has it, and as it
 * goes to the program that does it.
 */
#ifndef MACHINE_BASE_DELEGATED_COPY_H
#define MACHINE_BASE_DELEGATED_COPY_H

#include <stdint.h>

/* At most, before the caller has to have done them. */
#define DELEGATED_COPIES 512

struct delegated_copy {
	uint64_t addr; /* in the program's memory */
	uint64_t offset; /* in the domain's */
	uint32_t size;
	uint16_t domid;
	uint16_t in; /* into the program's memory; else out of it */
};

#endif /* MACHINE_BASE_DELEGATED_COPY_H */
