// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "segments.h"

#include <stddef.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "world.h"

#define UNTOUCHED 0x5555

segment_t segment(uint32_t ref, unsigned int offset, void *local,
		  unsigned int len, bool from)
{
	segment_t made = {.len = len, .status = UNTOUCHED};

	made.flags = from ? GNTCOPY_source_gref : GNTCOPY_dest_gref;
	if (from)
		made.dest.virt = local;
	else
		made.source.virt = local;
	if (from) {
		made.source.foreign.ref = ref;
		made.source.foreign.offset = offset;
		made.source.foreign.domid = granter_domid();
	} else {
		made.dest.foreign.ref = ref;
		made.dest.foreign.offset = offset;
		made.dest.foreign.domid = granter_domid();
	}
	return made;
}

uint8_t *tables_alloc(unsigned int tables)
{
	const size_t table = (size_t)TABLE_PAGES * PAGE;
	uint8_t *all = pages_alloc((tables + 2) * TABLE_PAGES);

	return (uint8_t *)(((uintptr_t)all + 2 * table - 1) / table * table);
}
