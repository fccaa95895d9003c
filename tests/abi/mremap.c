// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* mremap in all its forms: refused with the mapping whole, or followed. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* Wherever it is now: whole, known to the driver, and in the books. */
static void check_and_unmap(struct mapped *range, uint8_t *now)
{
	unsigned int count;
	uint64_t index;

	range->at = now;
	check_whole(range);
	EXPECT(dev_offset(range->fd, now, &index, &count), 0);
	EQUAL(index, range->index);
	EQUAL(count, range->pages);
	EQUAL(granter_busy(range->refs, range->pages), range->pages);
	EQUAL(write_fault(now + PAGE - 1, 9), 0);
	EQUAL(granter_byte(range->refs[0], PAGE - 1), 9);
	unmap_some(range);
	EQUAL(granter_wait_idle(range->refs, range->pages, 5000), 0);
}

static void *free_place(unsigned int pages)
{
	void *place = mmap(NULL, pages * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(place != MAP_FAILED, "mmap: %s", error_name(errno));
	munmap(place, pages * PAGE);
	return place;
}

TEST(mapping_that_is_moved_is_refused_or_followed)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);
	uint8_t *place = free_place(3), *old = range.at;
	uint8_t *now = mremap(old, 3 * PAGE, 3 * PAGE,
			      MREMAP_MAYMOVE | MREMAP_FIXED, place);

	if (now == MAP_FAILED) {
		check_and_unmap(&range, old);
		return;
	}
	EQUAL(now - place, 0);
	CHECK(is_unmapped(old, 3), "the old place is still mapped");
	check_and_unmap(&range, now);
}

TEST(read_only_mapping_that_is_moved_is_refused_or_followed)
{
	struct mapped range = map_some(dev_open(), 2, PROT_READ);
	uint8_t *now = mremap(range.at, 2 * PAGE, 2 * PAGE,
			      MREMAP_MAYMOVE | MREMAP_FIXED, free_place(2));

	if (now != MAP_FAILED)
		range.at = now;
	check_whole(&range);
	EQUAL(write_fault(range.at, 1), SIGSEGV);
	unmap_some(&range);
}

/* The range at the old place, with a hole at the new one and the reverse. */
TEST(mapping_that_is_moved_and_back_is_whole)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	uint8_t *place = free_place(2), *now;

	for (int i = 0; i < 5; i++) {
		uint8_t *to = range.at == place ? free_place(2) : place;

		now = mremap(range.at, 2 * PAGE, 2 * PAGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to);
		if (now != MAP_FAILED)
			range.at = now;
		check_whole(&range);
	}
	check_and_unmap(&range, range.at);
}

TEST(mapping_does_not_grow)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	CHECK(mremap(range.at, 2 * PAGE, 3 * PAGE, 0) == MAP_FAILED, "it grew");
	CHECK(mremap(range.at, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE) ==
		      MAP_FAILED,
	      "it grew and moved");
	check_and_unmap(&range, range.at);
}

TEST(mapping_does_not_shrink)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	CHECK(mremap(range.at, 3 * PAGE, 2 * PAGE, 0) == MAP_FAILED,
	      "it shrank");
	CHECK(mremap(range.at, 3 * PAGE, PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	      "it shrank");
	CHECK(mremap(range.at, 3 * PAGE, 2 * PAGE,
		     MREMAP_MAYMOVE | MREMAP_FIXED,
		     free_place(3)) == MAP_FAILED,
	      "it shrank and moved");
	check_and_unmap(&range, range.at);
}

TEST(part_of_a_mapping_does_not_move)
{
	struct mapped range = map_some(dev_open(), 4, READ_WRITE);

	for (unsigned int first = 0; first < 4; first++)
		for (unsigned int pages = 1; pages <= 4 - first; pages++)
			if (pages < 4)
				CHECK(mremap(range.at + first * PAGE,
					     pages * PAGE, pages * PAGE,
					     MREMAP_MAYMOVE | MREMAP_FIXED,
					     free_place(4)) == MAP_FAILED,
				      "%u pages from page %u on moved", pages,
				      first);
	check_and_unmap(&range, range.at);
}

/* Length 0 asks for a second mapping of shared memory. */
TEST(mapping_is_not_duplicated)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	CHECK(mremap(range.at, 0, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	      "there is a second mapping");
	CHECK(mremap(range.at, 0, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     free_place(2)) == MAP_FAILED,
	      "there is a second mapping");
	check_and_unmap(&range, range.at);
}

/* The page tables would move and the mapping stay, empty. */
TEST(mapping_does_not_move_without_its_place)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	CHECK(mremap(range.at, 2 * PAGE, 2 * PAGE,
		     MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) == MAP_FAILED,
	      "it moved and is still there");
	check_and_unmap(&range, range.at);
}

/* What is moved over a mapping unmaps it, whole; a part is refused. */
TEST(other_memory_may_be_moved_over_a_mapping)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	uint8_t *other = pages_alloc(2);

	other[0] = 0x33;
	CHECK(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     range.at + PAGE) == MAP_FAILED,
	      "it was moved over a part");
	check_whole(&range);
	CHECK(mremap(other, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     range.at) == range.at,
	      "mremap: %s", error_name(errno));
	EQUAL(range.at[0], 0x33);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
}

TEST(mapping_in_the_way_of_a_growing_one_is_not_touched)
{
	uint8_t *place = mmap(NULL, 4 * PAGE, READ_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	range.at = mmap(place + 2 * PAGE, 2 * PAGE, READ_WRITE,
			MAP_SHARED | MAP_FIXED, range.fd, range.index);
	CHECK(range.at == place + 2 * PAGE, "mmap: %s", error_name(errno));
	CHECK(mremap(place, 2 * PAGE, 3 * PAGE, 0) == MAP_FAILED,
	      "memory grew into the mapping");
	check_and_unmap(&range, range.at);
}
