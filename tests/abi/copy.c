// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_COPY: what is copied, and what is refused. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* A status that the hypervisor never gives. */
#define UNTOUCHED 0x5555

static struct gntdev_grant_copy_segment
from_grant(uint32_t ref, unsigned int offset, void *to, unsigned int len)
{
	return (struct gntdev_grant_copy_segment){
		.source.foreign = {ref, offset, granter_domid()},
		.dest.virt = to,
		.len = len,
		.flags = GNTCOPY_source_gref,
		.status = UNTOUCHED,
	};
}

static struct gntdev_grant_copy_segment
to_grant(uint32_t ref, unsigned int offset, const void *from, unsigned int len)
{
	return (struct gntdev_grant_copy_segment){
		.source.virt = (void *)from,
		.dest.foreign = {ref, offset, granter_domid()},
		.len = len,
		.flags = GNTCOPY_dest_gref,
		.status = UNTOUCHED,
	};
}

static struct gntdev_grant_copy_segment between(uint32_t from, uint32_t to,
						unsigned int len)
{
	return (struct gntdev_grant_copy_segment){
		.source.foreign = {from, 0, granter_domid()},
		.dest.foreign = {to, 0, granter_domid()},
		.len = len,
		.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
		.status = UNTOUCHED,
	};
}

/* Grants filled with contents 0, 1, ... */
static void filled(uint32_t *refs, unsigned int count)
{
	granter_alloc(refs, count, true);
	granter_fill(refs, count, 0);
}

/* One segment that is to be refused. */
static void check_refused(int fd, struct gntdev_grant_copy_segment segment,
			  int error)
{
	EXPECT(dev_copy(fd, &segment, 1), error);
}

TEST(copy_from_a_grant)
{
	uint8_t *to = pages_alloc(1);
	struct gntdev_grant_copy_segment segment;
	int fd = dev_open();
	uint32_t ref;

	filled(&ref, 1);
	segment = from_grant(ref, 100, to + 50, 1000);
	EXPECT(dev_copy(fd, &segment, 1), 0);
	EQUAL(segment.status, GNTST_okay);
	for (unsigned int i = 0; i < PAGE; i++)
		EQUAL(to[i], i >= 50 && i < 1050 ? content(0, i + 50) : 0);
}

TEST(copy_to_a_grant)
{
	uint8_t *from = pages_alloc(1), page[PAGE];
	struct gntdev_grant_copy_segment segment;
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	fill_page(from, 9);
	segment = to_grant(ref, 300, from + 7, 2000);
	EXPECT(dev_copy(fd, &segment, 1), 0);
	EQUAL(segment.status, GNTST_okay);
	granter_read(ref, 0, page, PAGE);
	for (unsigned int i = 0; i < PAGE; i++)
		EQUAL(page[i], i >= 300 && i < 2300 ? content(9, i - 293) : 0);
}

TEST(copy_from_grant_to_grant)
{
	struct gntdev_grant_copy_segment segment;
	uint32_t refs[2];
	int fd = dev_open();

	filled(refs, 2);
	segment = between(refs[0], refs[1], PAGE);
	EXPECT(dev_copy(fd, &segment, 1), 0);
	EQUAL(segment.status, GNTST_okay);
	check_granters_page(refs[1], 0);
}

/* At every kind of place of a page, and each way. */
TEST(local_buffer_may_cross_pages)
{
	static const unsigned int starts[] = {0, 1, 2048, 4000, 4095};
	uint8_t *local = pages_alloc(2);
	int fd = dev_open();
	uint32_t refs[2];

	filled(refs, 2);
	for (unsigned int i = 0; i < 5; i++) {
		struct gntdev_grant_copy_segment segments[2];

		memset(local, 0, 2 * PAGE);
		segments[0] = from_grant(refs[0], 0, local + starts[i], PAGE);
		segments[1] = to_grant(refs[1], 0, local + starts[i], PAGE);
		EXPECT(dev_copy(fd, &segments[0], 1), 0);
		EQUAL(segments[0].status, GNTST_okay);
		check_page(local + starts[i], 0);
		EXPECT(dev_copy(fd, &segments[1], 1), 0);
		EQUAL(segments[1].status, GNTST_okay);
		check_granters_page(refs[1], 0);
		granter_fill(&refs[1], 1, 1);
	}
}

TEST(read_only_memory_can_be_copied_from)
{
	uint8_t *from = pages_alloc(1);
	struct gntdev_grant_copy_segment segment;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	fill_page(from, 3);
	mprotect(from, PAGE, PROT_READ);
	segment = to_grant(ref, 0, from, PAGE);
	EXPECT(dev_copy(dev_open(), &segment, 1), 0);
	EQUAL(segment.status, GNTST_okay);
	check_granters_page(ref, 3);
}

/* Memory that was never touched has no pages yet. */
TEST(fresh_memory_can_be_copied_from_and_to)
{
	uint8_t *to = pages_alloc(1), *from = pages_alloc(1);
	struct gntdev_grant_copy_segment segments[2];
	uint32_t refs[2];

	filled(refs, 2);
	segments[0] = from_grant(refs[0], 0, to, PAGE);
	segments[1] = to_grant(refs[1], 0, from, PAGE);
	EXPECT(dev_copy(dev_open(), segments, 2), 0);
	check_page(to, 0);
	EQUAL(granter_byte(refs[1], 77), 0);
}

TEST(page_shared_with_a_child_is_not_written_under_it)
{
	uint8_t *to = pages_alloc(1);
	struct gate over = gate_make();
	struct gntdev_grant_copy_segment segment;
	uint32_t ref;
	pid_t child;

	filled(&ref, 1);
	to[0] = 0x42;
	child = fork();
	if (!child) {
		gate_wait(&over);
		_exit(to[0] == 0x42 ? 0 : 1);
	}
	segment = from_grant(ref, 0, to, PAGE);
	EXPECT(dev_copy(dev_open(), &segment, 1), 0);
	check_page(to, 0);
	gate_open(&over);
	child_must_pass(child);
}

TEST(copy_of_no_segments_succeeds_whatever_the_pointer)
{
	int fd = dev_open();

	EXPECT(dev_copy(fd, NULL, 0), 0);
	EXPECT(dev_copy(fd, (void *)8, 0), 0);
	EXPECT(dev_copy(fd, (void *)-4096L, 0), 0);
}

TEST(unreadable_segments_are_efault)
{
	struct gntdev_grant_copy_segment *segments =
		at_the_end(sizeof(*segments));
	uint8_t *to = pages_alloc(1);
	int fd = dev_open();
	uint32_t ref;

	filled(&ref, 1);
	segments[0] = from_grant(ref, 0, to, 10);
	EXPECT(dev_copy(fd, NULL, 1), -EFAULT);
	EXPECT(dev_copy(fd, segments, 2), -EFAULT);
	EXPECT(dev_copy(fd, segments, 0xffffffff), -EFAULT);
	EXPECT(dev_copy(fd, segments, 0x0aaaaaab), -EFAULT);
	EXPECT(dev_copy(fd, segments, 1), 0);
	EQUAL(segments[0].status, GNTST_okay);
}

TEST(status_that_cannot_be_told_is_efault)
{
	struct gntdev_grant_copy_segment *segment = pages_alloc(1);
	uint8_t *to = pages_alloc(1);
	uint32_t ref;

	filled(&ref, 1);
	*segment = from_grant(ref, 0, to, 10);
	mprotect(segment, PAGE, PROT_READ);
	EXPECT(dev_copy(dev_open(), segment, 1), -EFAULT);
}

TEST(two_local_buffers_are_einval)
{
	uint8_t *local = pages_alloc(1);
	struct gntdev_grant_copy_segment segment = {
		.source.virt = local,
		.dest.virt = local + 100,
		.len = 10,
	};
	int fd = dev_open();

	check_refused(fd, segment, -EINVAL);
	segment.len = 0;
	check_refused(fd, segment, -EINVAL);
}

TEST(unknown_flags_are_einval)
{
	uint8_t *to = pages_alloc(1);
	int fd = dev_open();
	uint32_t ref;

	filled(&ref, 1);
	for (unsigned int bit = 2; bit < 16; bit++) {
		struct gntdev_grant_copy_segment segment =
			from_grant(ref, 0, to, 10);

		segment.flags |= 1u << bit;
		check_refused(fd, segment, -EINVAL);
	}
	EQUAL(to[0], 0);
}

TEST(segment_may_end_with_the_granted_page)
{
	static const unsigned int offsets[] = {0, 1, 4000, 4095};
	uint8_t *to = pages_alloc(1);
	int fd = dev_open();
	uint32_t ref;

	filled(&ref, 1);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int len = PAGE - offsets[i];
		struct gntdev_grant_copy_segment segment =
			from_grant(ref, offsets[i], to, len);

		EXPECT(dev_copy(fd, &segment, 1), 0);
		EQUAL(segment.status, GNTST_okay);
		EQUAL(to[len - 1], content(0, 4095));
	}
}

TEST(segment_over_the_end_of_the_granted_page_is_einval)
{
	static const unsigned int cases[][2] = {
		{0, 4097},     {1, 4096},  {4095, 2},	   {4096, 1},
		{2048, 2049},  {65535, 1}, {65535, 2},	   {65535, 4096},
		{61440, 4096}, {1, 65535}, {65535, 65535}, {0, 65535},
	};
	uint8_t *local = pages_alloc(20);
	int fd = dev_open();
	uint32_t refs[2];

	filled(refs, 2);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned int offset = cases[i][0], len = cases[i][1];
		struct gntdev_grant_copy_segment segment =
			between(refs[0], refs[1], len);

		check_refused(fd, from_grant(refs[0], offset, local, len),
			      -EINVAL);
		check_refused(fd, to_grant(refs[1], offset, local, len),
			      -EINVAL);
		segment.source.foreign.offset = offset;
		check_refused(fd, segment, -EINVAL);
		segment = between(refs[0], refs[1], len);
		segment.dest.foreign.offset = offset;
		check_refused(fd, segment, -EINVAL);
	}
	check_granters_page(refs[1], 1);
}

TEST(inaccessible_local_buffer_is_efault)
{
	uint8_t *local = pages_alloc(1);
	int fd = dev_open();
	uint32_t ref;

	filled(&ref, 1);
	check_refused(fd, from_grant(ref, 0, NULL, 10), -EFAULT);
	check_refused(fd, to_grant(ref, 0, NULL, 10), -EFAULT);
	check_refused(fd, from_grant(ref, 0, local + PAGE, 10), -EFAULT);
	check_refused(fd, to_grant(ref, 0, local - 10, 10), -EFAULT);
	check_refused(fd, from_grant(ref, 0, (void *)-8192L, 10), -EFAULT);
	check_granters_page(ref, 0);
}

/* The first part of the buffer is good. */
TEST(local_buffer_that_ends_too_early_is_efault)
{
	uint8_t *local = pages_alloc(1);
	int fd = dev_open();
	uint32_t ref;

	filled(&ref, 1);
	check_refused(fd, from_grant(ref, 0, local + PAGE - 10, 11), -EFAULT);
	check_refused(fd, to_grant(ref, 0, local + PAGE - 10, 11), -EFAULT);
}

TEST(read_only_memory_cannot_be_copied_to)
{
	uint8_t *local = pages_alloc(1);
	int fd = dev_open();
	uint32_t ref;

	filled(&ref, 1);
	local[0] = 0x11;
	mprotect(local, PAGE, PROT_READ);
	check_refused(fd, from_grant(ref, 0, local, 10), -EFAULT);
	EQUAL(local[0], 0x11);
}

TEST(copy_puts_nothing_into_the_table)
{
	uint8_t *to = pages_alloc(1);
	struct gntdev_grant_copy_segment segment;
	int fd = dev_open();
	uint32_t ref;

	filled(&ref, 1);
	segment = from_grant(ref, 0, to, 10);
	EXPECT(dev_copy(fd, &segment, 1), 0);
	EQUAL(granter_busy(&ref, 1), 0);
	EQUAL(must_insert(fd, &ref, 1), 0);
}
