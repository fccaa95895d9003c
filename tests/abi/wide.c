// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Indexes of 64 bits, ranges of many pages, and all that the system has. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define LARGE 65536u

/*
 * The hypervisor counts the mappings of one grant up to 127 only: large ranges
 * repeat many grants, not one.
 */
#define DIFFERENT 3000u

static uint32_t *large_refs(void)
{
	uint32_t *refs = malloc(LARGE * sizeof(*refs));

	CHECK(refs, "no memory for %u references", LARGE);
	granter_alloc(refs, DIFFERENT, true);
	for (unsigned int i = DIFFERENT; i < LARGE; i++)
		refs[i] = refs[i - DIFFERENT];
	return refs;
}

/* Bits that are cut off would make these the range's own index. */
TEST(index_that_differs_in_high_bits_is_another)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	for (unsigned int bit = 28; bit < 64; bit++) {
		uint64_t index = range.index + (1ULL << bit);

		EXPECT(dev_remove(range.fd, index, 2), -ENOENT);
		EXPECT(dev_notify(range.fd, index, UNMAP_NOTIFY_CLEAR_BYTE, 0),
		       -ENOENT);
	}
	check_whole(&range);
	must_munmap(range.at, 2);
	for (unsigned int bit = 28; bit < 64; bit++)
		EXPECT(dev_remove(range.fd, range.index + (1ULL << bit), 2),
		       -ENOENT);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
}

TEST(mmap_offset_that_differs_in_high_bits_is_another)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	for (unsigned int bit = 28; bit < 63; bit++) {
		int error = dev_try_mmap(range.fd, range.index + (1ULL << bit),
					 2 * PAGE, READ_WRITE, MAP_SHARED);

		/* The kernel itself has a largest offset. */
		CHECK(error == -EINVAL || (error == -EOVERFLOW && bit >= 43),
		      "bit %u: mmap gave %s, expected EINVAL", bit,
		      error_name(error));
	}
}

static uint64_t raise_index(int fd, uint64_t above)
{
	uint32_t *refs = malloc(LARGE * sizeof(*refs));
	uint64_t index = 0;

	CHECK(refs, "no memory for %u references", LARGE);
	memset(refs, 0, LARGE * sizeof(*refs));
	for (unsigned int i = 0; i < 20 && index <= above; i++) {
		index = must_insert(fd, refs, LARGE);
		EXPECT(dev_remove(fd, index, LARGE), 0);
	}
	free(refs);
	return index;
}

/* 17 ranges of 256 MiB each. */
TEST(indexes_go_on_beyond_4_gib, .timeout = 60)
{
	uint64_t index, last;
	struct mapped range;
	unsigned int count;
	int fd = dev_open();

	last = raise_index(fd, 0xffffffff);
	range = map_some(fd, 2, READ_WRITE);
	CHECK(range.index > last && range.index > 0xffffffff,
	      "index %#llx after %#llx", (unsigned long long)range.index,
	      (unsigned long long)last);
	check_whole(&range);
	EXPECT(dev_offset(fd, range.at, &index, &count), 0);
	EQUAL(index, range.index);
	EXPECT(dev_notify(fd, range.index + PAGE + 3, UNMAP_NOTIFY_CLEAR_BYTE,
			  0),
	       0);
	EXPECT(dev_remove(fd, (uint32_t)range.index, 2), -ENOENT);
	EXPECT(dev_try_mmap(fd, (uint32_t)range.index, 2 * PAGE, READ_WRITE,
			    MAP_SHARED),
	       -EINVAL);
	unmap_some(&range);
	EQUAL(granter_byte(range.refs[1], 3), 0);
}

TEST(largest_range_is_mapped_and_torn_down, .timeout = 90)
{
	uint32_t *refs = large_refs();
	int fd = dev_open();
	uint64_t index = must_insert(fd, refs, LARGE);
	uint8_t *at;

	granter_fill(refs, 3, 0);
	at = must_mmap(fd, index, LARGE, READ_WRITE);
	for (unsigned int i = 0; i < 3; i++)
		check_page(at + (LARGE / DIFFERENT * DIFFERENT + i) * PAGE, i);
	must_munmap(at, LARGE);
	EXPECT(dev_remove(fd, index, LARGE), 0);
	EQUAL(granter_wait_idle(refs, DIFFERENT, 20000), 0);
}

static void map_large_and_die(void *argument)
{
	int fd = dev_open();

	must_mmap(fd, must_insert(fd, argument, LARGE), LARGE, READ_WRITE);
	kill(getpid(), SIGKILL);
}

TEST(largest_range_of_a_killed_process_is_torn_down, .timeout = 90)
{
	uint32_t *refs = large_refs();

	EQUAL(child_signal(child_start(map_large_and_die, refs)), SIGKILL);
	EQUAL(granter_wait_idle(refs, DIFFERENT, 20000), 0);
}

static void map_and_unmap_large(void *argument)
{
	int fd = dev_open();
	uint64_t index = must_insert(fd, argument, LARGE);

	must_munmap(must_mmap(fd, index, LARGE, READ_WRITE), LARGE);
	EXPECT(dev_remove(fd, index, LARGE), 0);
}

TEST(largest_range_yields_the_processor, .timeout = 90)
{
	uint32_t *refs = large_refs();
	unsigned int pause = longest_pause_beside(map_and_unmap_large, refs);

	tap_note("longest pause %u ms", pause);
	CHECK(pause < 1000, "nothing else ran for %u ms", pause);
}

/* More than the hypervisor lets a domain map by default. */
#define ENOUGH (8 * LARGE)

static unsigned int map_until_it_fails(int fd, const uint32_t *refs, int *error)
{
	unsigned int pages = 0;

	*error = 0;
	while (pages < ENOUGH) {
		uint64_t index;

		*error = dev_insert(fd, refs, LARGE, &index);
		if (*error)
			break;
		if (!dev_mmap(fd, index, LARGE, PROT_READ)) {
			*error = -errno;
			break;
		}
		pages += LARGE;
	}
	return pages;
}

static void exhaust(void *argument)
{
	uint32_t *refs = argument;
	int fd = dev_open(), error;
	unsigned int pages = map_until_it_fails(fd, refs, &error);

	tap_note("%u pages, then %s", pages, error_name(error));
	if (pages >= ENOUGH)
		return;
	EXPECT(error, -ENOMEM);
	/* It stays so, and does not get worse. */
	EXPECT(dev_insert(fd, refs, 1, &(uint64_t){0}), 0);
}

/* The domain is short of something, then has it all again. */
TEST(mapping_all_that_the_hypervisor_allows_is_enomem, .timeout = 120)
{
	uint32_t *refs = large_refs();
	int fd = dev_open();

	in_child(exhaust, refs);
	EQUAL(granter_wait_idle(refs, DIFFERENT, 20000), 0);
	must_mmap(fd, must_insert(fd, refs, LARGE / 2), LARGE / 2, PROT_READ);
}
