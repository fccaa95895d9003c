/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Segments of GRANT_COPY between a grant and local memory, and memory for them. */
#ifndef ABI_SEGMENTS_H
#define ABI_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/gntdev.h>

#define TABLE_PAGES 512u /* of a page table */

typedef struct gntdev_grant_copy_segment segment_t;

/* From a grant of the granter's, or to it; its status is one that nobody tells. */
segment_t segment(uint32_t ref, unsigned int offset, void *local,
		  unsigned int len, bool from);

/* Memory of so many tables from the beginning of one, and as much before it. */
uint8_t *tables_alloc(unsigned int tables);

#endif /* ABI_SEGMENTS_H */
