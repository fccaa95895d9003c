/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Buffers of a device that is not ours, for imports: vgem's. */
#ifndef ABI_FOREIGN_H
#define ABI_FOREIGN_H

#include <stdint.h>

#include "dev.h"

/* A buffer with contents of its own. */
struct foreign {
	int device;
	int fd;
	unsigned int pages;
	uint8_t *at; /* NULL where a program does not see it */
	uint32_t refs[SOME];
};

struct foreign foreign_some(unsigned int pages);
struct foreign import_some(unsigned int pages);
/* Where this program sees the buffer, filled; NULL if it does not. */
uint8_t *foreign_fill(int device, int fd, unsigned int pages);

#endif
