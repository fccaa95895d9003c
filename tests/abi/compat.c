// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What is peculiar to 32-bit callers: built for these alone. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

/* A 64-bit kernel sees eight bytes where a pointer has four. */
TEST(bytes_beside_a_pointer_are_ignored)
{
	struct gntdev_grant_copy_segment segment;
	uint8_t *local = pages_alloc(1);
	uint32_t refs[2];
	int fd = dev_open();

	granter_alloc(refs, 2, true);
	granter_fill(refs, 2, 0);
	memset(&segment, 0xff, sizeof(segment));
	segment.source.foreign.ref = refs[0];
	segment.source.foreign.offset = 0;
	segment.source.foreign.domid = granter_domid();
	segment.dest.virt = local;
	segment.len = PAGE;
	segment.flags = GNTCOPY_source_gref;
	EXPECT(dev_copy(fd, &segment, 1), 0);
	EQUAL(segment.status, GNTST_okay);
	check_page(local, 0);

	memset(&segment, 0xff, sizeof(segment));
	segment.source.virt = local;
	segment.dest.foreign.ref = refs[1];
	segment.dest.foreign.offset = 0;
	segment.dest.foreign.domid = granter_domid();
	segment.len = PAGE;
	segment.flags = GNTCOPY_dest_gref;
	EXPECT(dev_copy(fd, &segment, 1), 0);
	EQUAL(segment.status, GNTST_okay);
	check_granters_page(refs[1], 0);
}

/* Offsets of mmap are counted in pages there: 44 bits are within reach. */
TEST(range_beyond_4_gib_is_mapped_by_its_whole_index)
{
	uint32_t *refs, ref;
	uint64_t index = 0;
	int fd = dev_open();
	uint8_t *at;

	refs = pages_alloc(64);
	granter_alloc(&ref, 1, true);
	granter_fill(&ref, 1, 3);
	for (unsigned int i = 0; i < 20 && index <= 0xffffffff; i++) {
		index = must_insert(fd, refs, 65536);
		EXPECT(dev_remove(fd, index, 65536), 0);
	}
	index = must_insert(fd, &ref, 1);
	CHECK(index > 0xffffffff, "the index is only %#llx",
	      (unsigned long long)index);
	at = must_mmap(fd, index, 1, PROT_READ);
	check_page(at, 3);
	must_munmap(at, 1);
}
