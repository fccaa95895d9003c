/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The lab's scratch disk, for I/O that does without copies. */
#ifndef ABI_DISK_H
#define ABI_DISK_H

#include <stdint.h>

/* Skips the test if there is none. */
int disk_open(int flags);
/* Its first pages, past the page cache: zeros, or contents of dev.h. */
void disk_clear(int plain, unsigned int pages);
void disk_fill(int plain, unsigned int pages, unsigned int first);
/*
 * Has memory swapped out to the disk, and read in again. Until the disk is let go of,
 * which is to be done, the memory has its place there.
 */
int disk_swap_through(const uint8_t *at, unsigned int pages);
void disk_swap_off(int plain);

#endif
