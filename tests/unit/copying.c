// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_COPY on the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

#define RW (PROT_READ | PROT_WRITE)
/* Flags of a segment. */
#define GNTCOPY_source_gref 1
#define GNTCOPY_dest_gref 2
#define SOURCE GNTCOPY_source_gref
#define DEST GNTCOPY_dest_gref

typedef struct gntdev_grant_copy_segment segment_t;

static segment_t from_grant(unsigned int i, unsigned int offset, void *to,
			    unsigned int len)
{
	segment_t s = {.flags = SOURCE, .len = len, .status = 99};

	s.source.foreign.ref = world.refs[i];
	s.source.foreign.domid = 1;
	s.source.foreign.offset = offset;
	s.dest.virt = to;
	return s;
}

static segment_t to_grant(unsigned int i, unsigned int offset, void *from,
			  unsigned int len)
{
	segment_t s = {.flags = DEST, .len = len, .status = 99};

	s.dest.foreign.ref = world.refs[i];
	s.dest.foreign.domid = 1;
	s.dest.foreign.offset = offset;
	s.source.virt = from;
	return s;
}

static void data_goes_both_ways(void)
{
	unsigned char *buf = aligned_alloc(PAGE, 4 * PAGE);
	segment_t s[3];

	world_start();
	grant(3, false);
	memset(granted(0), 0x11, PAGE);
	memset(buf, 0x22, 4 * PAGE);
	s[0] = from_grant(0, 0, buf + 100, PAGE);
	s[1] = to_grant(1, 8, buf + 2 * PAGE - 4, 1000);
	s[2] = s[0];
	s[2].flags = SOURCE | DEST;
	s[2].dest = to_grant(2, 0, NULL, 0).dest;
	s[2].len = 16;
	CHECK_EQ(req_copy(world.file, s, 3), 0);
	CHECK_EQ(s[0].status, 0);
	CHECK_EQ(s[1].status, 0);
	CHECK_EQ(s[2].status, 0);
	CHECK_EQ(buf[99], 0x22);
	CHECK_EQ(buf[100], 0x11);
	CHECK_EQ(buf[100 + PAGE - 1], 0x11);
	CHECK_EQ(buf[100 + PAGE], 0x22);
	CHECK_EQ(granted(1)[7], 0);
	CHECK_EQ(granted(1)[8], 0x22);
	CHECK_EQ(granted(1)[1007], 0x22);
	CHECK_EQ(granted(1)[1008], 0);
	CHECK_EQ(granted(2)[15], 0x11);
	CHECK_EQ(granted(2)[16], 0);
	free(buf);
	world_stop();
}

static void a_large_batch_is_done_in_order(void)
{
	enum {
		N = 700
	};
	unsigned char *buf = aligned_alloc(PAGE, 16 * PAGE);
	segment_t *s = calloc(N, sizeof(*s));
	unsigned int i;

	world_start();
	grant(16, false);
	for (i = 0; i < 16 * PAGE; i++)
		buf[i] = i >> 6;
	for (i = 0; i < N; i++)
		s[i] = to_grant(i % 16, i / 16 * 64, buf + i * 64, 64);
	CHECK_EQ(req_copy(world.file, s, N), 0);
	for (i = 0; i < N; i++) {
		CHECK_EQ(s[i].status, 0);
		CHECK_EQ(granted(i % 16)[i / 16 * 64 + 63], i & 0xff);
	}
	for (i = 0; i < N; i++)
		s[i] = to_grant(0, 0, buf + i * 64, 64);
	CHECK_EQ(req_copy(world.file, s, N), 0);
	CHECK_EQ(granted(0)[0], (N - 1) & 0xff);
	free(buf);
	free(s);
	world_stop();
}

/* Of the same bytes of a grant the last one's stay, be it that the first waits. */
static void refused_neighbours_are_done_in_order(void)
{
	static const struct {
		unsigned int grant, offset, len;
	} parts[] = {
		{0, 100, 3900}, {0, 200, 196}, {0, 50, 50},
		{0, 4000, 50},	{1, 200, 900}, {0, 200, 100},
	};
	enum {
		N = sizeof(parts) / sizeof(parts[0])
	};
	unsigned char *buf = aligned_alloc(PAGE, 2 * PAGE), *at = buf;
	segment_t s[N];
	unsigned int i;

	world_start();
	grant(2, false);
	for (i = 0; i < N; i++) {
		s[i] = to_grant(parts[i].grant, parts[i].offset, at,
				parts[i].len);
		memset(at, 0x11 * (i + 1), parts[i].len);
		at += parts[i].len;
	}
	s[N - 1].dest.foreign.domid = 5;
	CHECK_EQ(machine_fail_spec("copy_status:1", NULL, 0), 0);
	CHECK_EQ(req_copy(world.file, s, N), 0);
	machine_fail_none();
	for (i = 0; i < N - 1; i++)
		CHECK_EQ(s[i].status, 0);
	CHECK(s[N - 1].status < 0);
	CHECK_EQ(granted(0)[50], 0x33);
	CHECK_EQ(granted(0)[199], 0x11);
	CHECK_EQ(granted(0)[200], 0x22);
	CHECK_EQ(granted(0)[395], 0x22);
	CHECK_EQ(granted(0)[396], 0x11);
	CHECK_EQ(granted(0)[4000], 0x44);
	CHECK_EQ(granted(1)[200], 0x55);
	free(buf);
	world_stop();
}

static void nothing_is_always_done(void)
{
	unsigned char byte = 1;
	segment_t s;

	world_start();
	CHECK_EQ(req_copy(world.file, NULL, 0), 0);
	world.refs[0] = 4000;
	s = from_grant(0, 0, &byte, 0);
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	world_stop();
}

static void bad_segments_fail_the_call(void)
{
	unsigned char buf[64];
	segment_t s;

	world_start();
	grant(1, false);
	s = from_grant(0, 4096 - 10, buf, 10);
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	s = from_grant(0, 4096 - 10, buf, 11);
	CHECK_EQ(req_copy(world.file, &s, 1), -EINVAL);
	s = from_grant(0, 65535, buf, 2);
	CHECK_EQ(req_copy(world.file, &s, 1), -EINVAL);
	s = to_grant(0, 4090, buf, 7);
	CHECK_EQ(req_copy(world.file, &s, 1), -EINVAL);
	s = from_grant(0, 0, buf, 1);
	s.flags = 0;
	CHECK_EQ(req_copy(world.file, &s, 1), -EINVAL);
	s.flags = SOURCE | 4;
	CHECK_EQ(req_copy(world.file, &s, 1), -EINVAL);
	s = from_grant(0, 0, NULL, 1);
	CHECK_EQ(req_copy(world.file, &s, 1), -EFAULT);
	s.source.foreign.ref = 1000000;
	CHECK_EQ(req_copy(world.file, &s, 1), -EFAULT);
	s.dest.virt = buf;
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	CHECK_EQ(s.status, -3);
	CHECK_EQ(req_copy(world.file, (segment_t *)8, 1), -EFAULT);
	world_stop();
}

static void memory_that_may_not_be_written_is_efault(void)
{
	static const unsigned int sizes[] = {PINNED, 16};
	unsigned char *buf =
		mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	segment_t s;

	world_start();
	grant(1, false);
	CHECK_EQ(mprotect(buf + PAGE, PAGE, PROT_READ), 0);
	s = from_grant(0, 0, buf + PAGE - 8, PINNED);
	CHECK_EQ(req_copy(world.file, &s, 1), -EFAULT);
	CHECK_EQ(buf[PAGE], 0);
	s = from_grant(0, 0, buf + PAGE - 8, 16);
	CHECK_EQ(req_copy(world.file, &s, 1), -EFAULT);
	CHECK_EQ(buf[PAGE], 0);
	for (int i = 0; i < 2; i++) {
		s = to_grant(0, 0, buf + PAGE - 8, sizes[i]);
		CHECK_EQ(req_copy(world.file, &s, 1), 0);
	}
	CHECK_EQ(munmap(buf + PAGE, PAGE), 0);
	memset(granted(0), 0x33, PAGE);
	for (int i = 0; i < 2; i++) {
		s = to_grant(0, 0, buf + PAGE - 8, sizes[i]);
		CHECK_EQ(req_copy(world.file, &s, 1), -EFAULT);
		CHECK_EQ(granted(0)[0], 0x33);
	}
	world_stop();
}

static void statuses_that_cannot_be_told_are_efault(void)
{
	segment_t *s = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char byte;

	world_start();
	grant(1, false);
	*s = from_grant(0, 0, &byte, 1);
	CHECK_EQ(mprotect(s, PAGE, PROT_READ), 0);
	CHECK_EQ(req_copy(world.file, s, 1), -EFAULT);
	world_stop();
}

static void a_failed_segment_spares_the_others(void)
{
	unsigned char buf[4] = {0};
	segment_t s[5];

	world_start();
	grant(3, false);
	grant(1, true);
	world.refs[1] = 4000;
	s[0] = from_grant(0, 0, buf, 1);
	s[1] = from_grant(1, 0, buf + 1, 1);
	s[2] = from_grant(2, 0, buf + 2, 1);
	s[2].source.foreign.domid = 9;
	s[3] = to_grant(3, 0, buf, 1);
	s[4] = from_grant(3, 0, buf + 3, 1);
	CHECK_EQ(req_copy(world.file, s, 5), 0);
	CHECK_EQ(s[0].status, 0);
	CHECK_EQ(s[1].status, -3);
	CHECK_EQ(s[2].status, -2);
	CHECK_EQ(s[3].status, -1);
	CHECK_EQ(s[4].status, 0);
	CHECK_EQ(buf[0], 'A');
	CHECK_EQ(buf[3], 'D');
	world.refs[1] = world.refs[0] + 1;
	world_stop();
}

/* Alone and beside a copy the other way: either would be done otherwise. */
static void check_buffer_in_a_mapped_grant(unsigned int len, bool in,
					   bool beside)
{
	unsigned char *far = granted(0), byte = 'b';
	segment_t s[2];

	memset(far, 'f', PAGE);
	memset(granted(1), 'g', PAGE);
	granted(2)[0] = 'h';
	s[0] = in ? from_grant(1, 0, (void *)(AT(0) + 100), len)
		  : to_grant(1, 0, (void *)(AT(0) + 100), len);
	s[1] = in ? to_grant(2, 0, &byte, 1) : from_grant(2, 0, &byte, 1);
	CHECK_EQ(req_copy(world.file, s, 1 + beside), 0);
	CHECK_EQ(s[0].status, 0);
	CHECK_EQ(s[1].status, beside ? 0 : 99);
	CHECK_EQ(far[99], 'f');
	CHECK_EQ(far[100], in ? 'g' : 'f');
	CHECK_EQ(far[100 + len - 1], in ? 'g' : 'f');
	CHECK_EQ(far[100 + len], 'f');
	CHECK_EQ(granted(1)[len - 1], in ? 'g' : 'f');
	CHECK_EQ(granted(1)[len], 'g');
	if (beside)
		CHECK_EQ(in ? granted(2)[0] : byte, in ? 'b' : 'h');
}

static void a_buffer_in_a_mapped_grant_is_as_good_as_any(void)
{
	static const unsigned int lens[] = {1, 256, 257, PAGE - 101};

	world_start();
	grant(3, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	for (int i = 0; i < 16; i++)
		check_buffer_in_a_mapped_grant(lens[i / 4], i & 1, i & 2);
	world_stop();
}

static void a_buffer_in_a_read_only_grant_is_read_only(void)
{
	unsigned char byte = 0;
	segment_t s[2];

	world_start();
	grant(2, false);
	CHECK_EQ(map_at(AT(1), 0, 1, PROT_READ, NULL), 0);
	s[0] = from_grant(1, 0, (void *)AT(1), PINNED);
	CHECK_EQ(req_copy(world.file, s, 1), -EFAULT);
	s[0] = from_grant(1, 0, (void *)AT(1), 1);
	CHECK_EQ(req_copy(world.file, s, 1), -EFAULT);
	s[0] = to_grant(1, 0, (void *)AT(1), PINNED);
	s[1] = from_grant(1, 0, &byte, 1);
	CHECK_EQ(req_copy(world.file, s, 2), 0);
	CHECK_EQ(s[0].status, 0);
	CHECK_EQ(s[1].status, 0);
	/* In order: what the first one wrote. */
	CHECK_EQ(byte, 'A');
	world_stop();
}

/* Between others, of which some do nothing and some fail. */
static void what_cannot_be_pinned_is_copied_in_its_turn(void)
{
	unsigned char buf[PINNED] = {0};
	segment_t s[7];

	world_start();
	grant(5, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	memset(granted(1), 'x', PAGE);
	s[0] = from_grant(1, 0, (void *)AT(0), PINNED);
	s[1] = to_grant(2, 0, (void *)AT(0), PINNED);
	s[2] = from_grant(2, 0, buf, 0);
	s[3] = from_grant(2, PINNED - 1, buf, 1);
	s[4] = s[3];
	s[4].source.foreign.ref = 4000;
	s[4].dest.virt = buf + 1;
	s[5] = s[3];
	s[5].flags = SOURCE | DEST;
	s[5].dest = to_grant(4, 7, NULL, 1).dest;
	s[6] = from_grant(4, 7, buf + 2, 1);
	CHECK_EQ(req_copy(world.file, s, 7), 0);
	for (int i = 0; i < 7; i++)
		CHECK_EQ(s[i].status, i == 4 ? -3 : 0);
	CHECK_EQ(buf[0], 'x');
	CHECK_EQ(buf[1], 0);
	CHECK_EQ(buf[2], 'x');
	/* Without memory for that it is an error that says so. */
	file_close(world.task, world.file);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &world.file), 0);
	CHECK_EQ(machine_fail_spec("alloc_page:1+", NULL, 0), 0);
	CHECK_EQ(req_copy(world.file, s, 7), -ENOMEM);
	machine_fail_none();
	world_stop();
}

/* What they write must not be what another one reads, nor out of order. */
static void short_segments_of_both_directions_keep_their_order(void)
{
	unsigned char buf[4] = {0};
	segment_t s[4];

	world_start();
	grant(3, false);
	memset(granted(0), 'A', PAGE);
	s[0] = from_grant(0, 0, buf, 2);
	s[1] = to_grant(1, 0, buf, 2);
	s[2] = from_grant(1, 1, buf + 2, 1);
	s[3] = from_grant(2, 0, buf, 1);
	CHECK_EQ(req_copy(world.file, s, 4), 0);
	CHECK_EQ(granted(1)[0], 'A');
	CHECK_EQ(buf[2], 'A');
	CHECK_EQ(buf[0], 'C');
	CHECK_EQ(buf[1], 'A');
	s[0] = from_grant(0, 0, buf, 4);
	s[1] = from_grant(2, 0, buf + 1, 1);
	CHECK_EQ(req_copy(world.file, s, 2), 0);
	CHECK_EQ(buf[0], 'A');
	CHECK_EQ(buf[1], 'C');
	CHECK_EQ(buf[2], 'A');
	world_stop();
}

/* Without memory for slots the pages are pinned after all. */
static void short_segments_need_no_memory_of_their_own(void)
{
	unsigned char byte = 0;
	segment_t s;

	world_start();
	grant(1, false);
	CHECK_EQ(machine_fail_spec("alloc_page:1+", NULL, 0), 0);
	s = from_grant(0, 0, &byte, 1);
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	CHECK_EQ(byte, 'A');
	machine_fail_none();
	world_stop();
}

/* What is too much for the slots is done in parts, of as many as there are. */
static void long_segments_without_a_pin_are_done_in_parts(void)
{
	enum {
		N = 40
	};
	unsigned char *buf = aligned_alloc(PAGE, N * PAGE);
	segment_t s[N];

	world_start();
	grant(4, false);
	machine_no_pin = PAGE;
	for (int round = 0; round < 4; round++) {
		const bool in = round % 2;

		for (int i = 0; i < 4; i++)
			memset(granted(i), 'A' + i, PAGE);
		for (int i = 0; i < N; i++) {
			memset(buf + i * PAGE, i + 1, PAGE);
			s[i] = in ? from_grant(i % 4, i % 3, buf + i * PAGE + 8,
					       PAGE - 8 - i % 3)
				  : to_grant(i % 4, i / 4 * 64, buf + i * PAGE,
					     3000 - i);
		}
		if (round > 1)
			CHECK_EQ(machine_fail_spec("alloc_page:2+", NULL, 0),
				 0);
		CHECK_EQ(req_copy(world.file, s, N), 0);
		machine_fail_none();
		for (int i = 0; i < N; i++)
			CHECK_EQ(s[i].status, 0);
		for (int i = 0; in && i < N; i++) {
			CHECK_EQ(buf[i * PAGE + 7], i + 1);
			CHECK_EQ(buf[i * PAGE + 8], 'A' + i % 4);
			CHECK_EQ(buf[(i + 1) * PAGE - i % 3 - 1], 'A' + i % 4);
		}
		for (int i = 0; !in && i < N; i++)
			CHECK_EQ(granted(i % 4)[i / 4 * 64], i + 1);
		/* What has its pages would not ask for them again. */
		file_close(world.task, world.file);
		CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &world.file),
			 0);
	}
	machine_no_pin = 256;
	free(buf);
	world_stop();
}

static void a_page_shared_by_segments_is_pinned_once(void)
{
	unsigned char *buf = aligned_alloc(PAGE, PAGE);
	segment_t s[8];
	uint64_t sites;
	int i;

	world_start();
	grant(1, false);
	for (i = 0; i < 8; i++)
		s[i] = to_grant(0, i, buf, PINNED);
	CHECK_EQ(req_copy(world.file, s, 1), 0);
	machine_fail_none();
	CHECK_EQ(req_copy(world.file, s, 1), 0);
	sites = machine_sites();
	machine_fail_none();
	CHECK_EQ(req_copy(world.file, s, 8), 0);
	/* Only a status and its telling more for each. */
	CHECK_EQ(machine_sites(), sites + 7 * 2);
	free(buf);
	world_stop();
}

static void a_paged_out_page_is_tried_again_and_given_up(void)
{
	unsigned char byte = 0;
	segment_t s;
	int i;

	world_start();
	grant(1, false);
	s = from_grant(0, 0, &byte, 1);
	for (i = 1; i <= 5; i++)
		CHECK_EQ(machine_fail_op(MACHINE_OP_COPY, i, -12), 0);
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	CHECK_EQ(byte, 'A');
	machine_fail_none();
	CHECK_EQ(machine_fail_spec("copy_status:1+", NULL, 0), 0);
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	CHECK_EQ(s.status, -1);
	world_stop();
}

/*
 * A page whose address has lower 32 bits of PAGE, where nothing ever is. Those
 * of the stack may hit a sanitizer's shadow.
 */
static void *page_above_4_gib(void)
{
	const uintptr_t four_gib = 1UL << 32;
	uintptr_t at =
		(uintptr_t)mmap(NULL, 2 * four_gib, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
				0);

	at = ((at + four_gib - 1) & ~(four_gib - 1)) + PAGE;
	CHECK_EQ(mprotect((void *)at, PAGE, RW), 0);

	return (void *)at;
}

static void thirty_two_bit_callers_are_served(void)
{
	struct {
		uint32_t count, segments;
	} op = {1, 0};
	segment_t *s = mmap(NULL, PAGE, RW,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	unsigned char *byte = (unsigned char *)s + 2048;
	void *above = page_above_4_gib();

	world_start();
	grant(1, false);
	*s = from_grant(0, 0, byte, 1);
	/* What lies in the upper half is not the caller's. */
	s->dest.virt = (void *)((uintptr_t)byte | 0xdead00000000UL);
	op.segments = (uintptr_t)s;
	memcpy(above, &op, sizeof(op));
	CHECK_EQ(file_ioctl(world.task, world.file, _IOC(0, 'G', 8, 8),
			    (unsigned long)above, true),
		 -EFAULT);
	memcpy(s + 1, &op, sizeof(op));
	CHECK_EQ(file_ioctl(world.task, world.file, _IOC(0, 'G', 8, 8),
			    (unsigned long)(s + 1), true),
		 0);
	CHECK_EQ(*byte, 'A');
	CHECK_EQ(file_ioctl(world.task, world.file, _IOC(0, 'G', 8, 8),
			    (unsigned long)(s + 1), false),
		 -ENOTTY);
	world_stop();
}

static void a_killed_caller_stops(void)
{
	unsigned char buf[200];
	segment_t s[200];
	int i;

	world_start();
	grant(1, false);
	for (i = 0; i < 200; i++)
		s[i] = from_grant(0, 0, buf + i, 1);
	task_kill(world.task);
	CHECK_EQ(req_copy(world.file, s, 200), -EINTR);
	world_stop();
}

static const struct test tests[] = {
	TEST(data_goes_both_ways),
	TEST(a_large_batch_is_done_in_order),
	TEST(refused_neighbours_are_done_in_order),
	TEST(nothing_is_always_done),
	TEST(bad_segments_fail_the_call),
	TEST(memory_that_may_not_be_written_is_efault),
	TEST(statuses_that_cannot_be_told_are_efault),
	TEST(a_failed_segment_spares_the_others),
	TEST(a_buffer_in_a_mapped_grant_is_as_good_as_any),
	TEST(a_buffer_in_a_read_only_grant_is_read_only),
	TEST(what_cannot_be_pinned_is_copied_in_its_turn),
	TEST(short_segments_of_both_directions_keep_their_order),
	TEST(short_segments_need_no_memory_of_their_own),
	TEST(long_segments_without_a_pin_are_done_in_parts),
	TEST(a_page_shared_by_segments_is_pinned_once),
	TEST(a_paged_out_page_is_tried_again_and_given_up),
	TEST(thirty_two_bit_callers_are_served),
	TEST(a_killed_caller_stops),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
