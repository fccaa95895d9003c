// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_COPY: many segments, their statuses, and calls side by side. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "disk.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define UNTOUCHED 0x5555
#define MANY 1000u

typedef struct gntdev_grant_copy_segment segment_t;

static segment_t segment(uint32_t ref, unsigned int offset, void *local,
			 unsigned int len, bool from)
{
	segment_t made = {.len = len, .status = UNTOUCHED};

	if (from) {
		made.source.foreign.ref = ref;
		made.source.foreign.offset = offset;
		made.source.foreign.domid = granter_domid();
		made.dest.virt = local;
		made.flags = GNTCOPY_source_gref;
	} else {
		made.dest.foreign.ref = ref;
		made.dest.foreign.offset = offset;
		made.dest.foreign.domid = granter_domid();
		made.source.virt = local;
		made.flags = GNTCOPY_dest_gref;
	}
	return made;
}

TEST(bad_grant_is_told_in_the_status)
{
	uint8_t *to = pages_alloc(1);
	segment_t one;
	int fd = dev_open();

	one = segment(FAR_REF, 0, to, 10, true);
	EXPECT(dev_copy(fd, &one, 1), 0);
	EQUAL(one.status, GNTST_bad_gntref);
	one = segment(BAD_REF, 0, to, 10, false);
	EXPECT(dev_copy(fd, &one, 1), 0);
	CHECK(one.status < 0, "status is %d, expected an error", one.status);
}

TEST(bad_domain_is_told_in_the_status)
{
	uint8_t *to = pages_alloc(1);
	segment_t one;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	one = segment(ref, 0, to, 10, true);
	one.source.foreign.domid = 32000;
	EXPECT(dev_copy(dev_open(), &one, 1), 0);
	EQUAL(one.status, GNTST_bad_domain);
}

TEST(read_only_grant_is_told_in_the_status)
{
	uint8_t *local = pages_alloc(1);
	segment_t one;
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, false);
	granter_fill(&ref, 1, 0);
	one = segment(ref, 0, local, PAGE, true);
	EXPECT(dev_copy(fd, &one, 1), 0);
	EQUAL(one.status, GNTST_okay);
	check_page(local, 0);
	one = segment(ref, 0, local, 10, false);
	EXPECT(dev_copy(fd, &one, 1), 0);
	CHECK(one.status < 0, "status is %d, expected an error", one.status);
	check_granters_page(ref, 0);
}

TEST(revoked_grant_is_told_in_the_status)
{
	uint8_t *to = pages_alloc(1);
	segment_t one;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	granter_free(&ref, 1);
	one = segment(ref, 0, to, 10, true);
	EXPECT(dev_copy(dev_open(), &one, 1), 0);
	CHECK(one.status < 0, "status is %d, expected an error", one.status);
}

TEST(nothing_from_a_bad_grant_is_done_and_okay)
{
	uint8_t *to = pages_alloc(1);
	segment_t one = segment(FAR_REF, 0, to, 0, true);

	EXPECT(dev_copy(dev_open(), &one, 1), 0);
	EQUAL(one.status, GNTST_okay);
}

/* The first part's failure stands, though a page more was good. */
TEST(split_segment_has_the_status_of_its_first_failure)
{
	uint8_t *local = pages_alloc(2);
	segment_t one = segment(FAR_REF, 0, local + 4000, 200, true);

	EXPECT(dev_copy(dev_open(), &one, 1), 0);
	EQUAL(one.status, GNTST_bad_gntref);
}

/* Good and bad by turns, more than any batch holds. */
TEST(every_segment_has_its_own_status)
{
	segment_t *segments = calloc(MANY, sizeof(*segments));
	uint8_t *local = pages_alloc(MANY * 64 / PAGE + 1);
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	granter_fill(&ref, 1, 0);
	for (unsigned int i = 0; i < MANY; i++)
		segments[i] = segment(i % 7 == 3 ? FAR_REF : ref, i % 4000,
				      local + i * 64, 64, true);
	EXPECT(dev_copy(dev_open(), segments, MANY), 0);
	for (unsigned int i = 0; i < MANY; i++) {
		bool bad = i % 7 == 3;

		EQUAL(segments[i].status, bad ? GNTST_bad_gntref : GNTST_okay);
		for (unsigned int j = 0; j < 64; j++)
			EQUAL(local[i * 64 + j],
			      bad ? 0 : content(0, i % 4000 + j));
	}
}

/* Buffers that follow each other, of more than a page, to grants by turns. */
TEST(neighbours_go_each_to_its_own_grant)
{
	enum {
		PIECE = 64,
		PIECES = 3 * PAGE / PIECE,
	};
	segment_t segments[PIECES];
	uint8_t *local = pages_alloc(3);
	uint32_t refs[3];

	granter_alloc(refs, 3, true);
	for (unsigned int i = 0; i < PIECES; i++) {
		unsigned int offset = i / 3 * PIECE;

		for (unsigned int k = 0; k < PIECE; k++)
			local[i * PIECE + k] = content(i % 3, offset + k);
		segments[i] = segment(refs[i % 3], offset, local + i * PIECE,
				      PIECE, false);
	}
	EXPECT(dev_copy(dev_open(), segments, PIECES), 0);
	for (unsigned int i = 0; i < PIECES; i++)
		EQUAL(segments[i].status, GNTST_okay);
	for (unsigned int i = 0; i < 3; i++)
		check_granters_page(refs[i], i);
}

/* The same, and there is nothing where one of them should be. */
TEST(neighbours_on_both_sides_of_a_hole_are_efault)
{
	segment_t segments[3 * PAGE / 128];
	const unsigned int count = 3 * PAGE / 128;
	uint8_t *local = pages_alloc(3);
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	granter_fill(&ref, 1, 0);
	must_munmap(local + PAGE, 1);
	for (unsigned int from = 0; from < 2; from++) {
		for (unsigned int i = 0; i < count; i++)
			segments[i] =
				segment(ref, 0, local + i * 128, 128, from);
		EXPECT(dev_copy(dev_open(), segments, count), -EFAULT);
	}
}

TEST(many_segments_both_ways_at_odd_places)
{
	segment_t *segments = calloc(MANY, sizeof(*segments));
	uint8_t *in = pages_alloc(260), *out = pages_alloc(260);
	unsigned int at = 0;
	uint32_t refs[SOME], targets[SOME];

	granter_alloc(refs, SOME, true);
	granter_alloc(targets, SOME, true);
	granter_fill(refs, SOME, 0);
	for (unsigned int i = 0; i < SOME * PAGE; i++)
		out[i + 13] = content(50 + i / PAGE, i % PAGE);
	/* 16 pages each way in uneven pieces. */
	for (unsigned int i = 0; i < SOME; i++) {
		unsigned int offset = 0;

		while (offset < PAGE) {
			unsigned int len = 1 + (at * 97 + i) % 400;

			if (len > PAGE - offset)
				len = PAGE - offset;
			CHECK(at + 2 <= MANY, "too many pieces");
			segments[at++] = segment(refs[i], offset,
						 in + 5 + i * PAGE + offset,
						 len, true);
			segments[at++] = segment(targets[i], offset,
						 out + 13 + i * PAGE + offset,
						 len, false);
			offset += len;
		}
	}
	EXPECT(dev_copy(dev_open(), segments, at), 0);
	for (unsigned int i = 0; i < at; i++)
		EQUAL(segments[i].status, GNTST_okay);
	for (unsigned int i = 0; i < SOME; i++) {
		check_page(in + 5 + i * PAGE, i);
		check_granters_page(targets[i], 50 + i);
	}
}

/*
 * A bad segment at the end of a long array: what is reported okay before it
 * must have been done.
 */
static void check_okay_was_done(segment_t last, int error)
{
	static const unsigned int counts[] = {1, 15, 16, 17, 127, 128, 300};
	segment_t *segments = calloc(MANY, sizeof(*segments));
	uint8_t *local = pages_alloc(MANY * 16 / PAGE + 1);
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	granter_fill(&ref, 1, 0);
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		unsigned int count = counts[i];

		memset(local, 0, MANY * 16);
		for (unsigned int j = 0; j < count; j++)
			segments[j] = segment(ref, j, local + j * 16, 16, true);
		segments[count] = last;
		EXPECT(dev_copy(fd, segments, count + 1), error);
		for (unsigned int j = 0; j < count; j++)
			if (segments[j].status == GNTST_okay)
				EQUAL(local[j * 16 + 15], content(0, j + 15));
	}
}

TEST(okay_before_a_bad_pointer_was_done)
{
	check_okay_was_done(segment(BAD_REF, 0, NULL, 16, true), -EFAULT);
}

TEST(okay_before_an_invalid_segment_was_done)
{
	segment_t two_buffers = {.len = 16};

	check_okay_was_done(segment(BAD_REF, 4000, NULL, 200, true), -EINVAL);
	check_okay_was_done(two_buffers, -EINVAL);
}

/*
 * Memory that is itself a mapped grant. The hypervisor takes no frame of another
 * domain; the program need not know, and what it is told must not depend on the
 * length, nor on what else the call copies.
 */
struct in_a_grant {
	struct mapped range;
	uint32_t ref; /* what is copied from or to it */
	uint32_t other; /* of the segment beside it */
	uint8_t *local;
};

static void check_in_a_grant(struct in_a_grant *at, unsigned int start,
			     unsigned int len, bool from, bool beside)
{
	uint8_t page[PAGE], *to = at->range.at + start;
	segment_t segments[2] = {
		segment(at->ref, 0, to, len, from),
		segment(at->other, 0, at->local, 10, !from),
	};

	granter_fill(at->range.refs, 2, 0);
	granter_fill(&at->ref, 1, 8);
	granter_fill(&at->other, 1, 9);
	EXPECT(dev_copy(at->range.fd, segments, beside ? 2 : 1), 0);
	CHECK(segments[0].status == GNTST_okay,
	      "status of %u bytes %s a mapped grant%s is %d", len,
	      from ? "to" : "from", beside ? ", beside another copy" : "",
	      segments[0].status);
	EQUAL(segments[1].status, beside ? GNTST_okay : UNTOUCHED);
	if (start)
		EQUAL(to[-1], content((start - 1) / PAGE, (start - 1) % PAGE));
	granter_read(at->ref, 0, page, PAGE);
	for (unsigned int i = 0; i < len; i++) {
		EQUAL(to[i],
		      from ? content(8, i)
			   : content((start + i) / PAGE, (start + i) % PAGE));
		EQUAL(page[i], to[i]);
	}
	if (start + len < 2 * PAGE)
		EQUAL(to[len],
		      content((start + len) / PAGE, (start + len) % PAGE));
}

TEST(local_buffer_in_a_mapped_grant_is_copied_whatever_its_length,
     .timeout = 60)
{
	static const unsigned int lengths[] = {1, 256, 257, PAGE};
	struct in_a_grant at = {
		.range = map_some(dev_open(), 2, READ_WRITE),
		.local = pages_alloc(1),
	};

	granter_alloc(&at.ref, 1, true);
	granter_alloc(&at.other, 1, true);
	for (unsigned int i = 0; i < 16; i++)
		check_in_a_grant(&at, i % 4 ? 0 : 4000, lengths[i / 4], i & 1,
				 i & 2);
	unmap_some(&at.range);
}

TEST(local_buffer_in_a_mapped_grant_is_copied_in_its_turn)
{
	struct in_a_grant at = {
		.range = map_some(dev_open(), 1, READ_WRITE),
		.local = pages_alloc(1),
	};
	segment_t segments[4];

	granter_alloc(&at.ref, 1, true);
	granter_alloc(&at.other, 1, true);
	granter_fill(&at.ref, 1, 8);
	segments[0] = segment(at.ref, 0, at.range.at, PAGE, true);
	segments[1] = segment(at.other, 0, at.range.at, PAGE, false);
	segments[2] = segment(at.other, 0, at.local, PAGE, true);
	segments[3] = segment(FAR_REF, 0, at.range.at, 10, true);
	EXPECT(dev_copy(at.range.fd, segments, 4), 0);
	for (unsigned int i = 0; i < 3; i++)
		EQUAL(segments[i].status, GNTST_okay);
	EQUAL(segments[3].status, GNTST_bad_gntref);
	check_page(at.local, 8);
	check_page(at.range.at, 8);
	unmap_some(&at.range);
}

TEST(local_buffer_in_a_read_only_grant_is_efault_to_write)
{
	static const unsigned int lengths[] = {1, 256, 257, PAGE};
	struct mapped range = map_some(dev_open(), 1, PROT_READ);
	segment_t segments[2];
	uint32_t refs[2];

	granter_alloc(refs, 2, true);
	for (unsigned int i = 0; i < 4; i++) {
		segments[0] = segment(refs[0], 0, range.at, lengths[i], false);
		segments[1] =
			segment(refs[1], 0, pages_alloc(1), lengths[i], true);
		EXPECT(dev_copy(range.fd, segments, 2), 0);
		EQUAL(segments[0].status, GNTST_okay);
		segments[0] = segment(refs[0], 0, range.at, lengths[i], true);
		EXPECT(dev_copy(range.fd, segments, 1), -EFAULT);
	}
	check_granters_page(refs[0], 0);
	unmap_some(&range);
}

struct worker {
	pthread_t thread;
	int fd;
	uint32_t ref;
	unsigned int number;
};

static void *copy_all_the_time(void *argument)
{
	struct worker *worker = argument;
	uint8_t *local = pages_alloc(2);
	segment_t segments[32];

	for (int round = 0; round < 60; round++) {
		memset(local, 0, 2 * PAGE);
		for (unsigned int i = 0; i < 32; i++)
			segments[i] = segment(worker->ref, i * 128,
					      local + 100 + i * 128, 128, true);
		EXPECT(dev_copy(worker->fd, segments, 32), 0);
		for (unsigned int i = 0; i < 32; i++)
			EQUAL(segments[i].status, GNTST_okay);
		check_page(local + 100, worker->number);
	}
	return NULL;
}

TEST(calls_on_one_instance_run_side_by_side)
{
	struct worker workers[4];
	int fd = dev_open();

	for (unsigned int i = 0; i < 4; i++) {
		workers[i] = (struct worker){.fd = fd, .number = i};
		granter_alloc(&workers[i].ref, 1, true);
		granter_fill(&workers[i].ref, 1, i);
	}
	for (unsigned int i = 0; i < 4; i++)
		EQUAL(pthread_create(&workers[i].thread, NULL,
				     copy_all_the_time, &workers[i]),
		      0);
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(workers[i].thread, NULL);
}

#define LONG_COUNT 700000u

static segment_t *long_call(uint8_t *local)
{
	segment_t *segments = malloc(LONG_COUNT * sizeof(*segments));
	uint32_t ref;

	CHECK(segments, "no memory for %u segments", LONG_COUNT);
	granter_alloc(&ref, 1, true);
	for (unsigned int i = 0; i < LONG_COUNT; i++)
		segments[i] = segment(ref, 0, local + i % 64 * PAGE + i % 3,
				      PAGE, true);
	return segments;
}

struct long_copy {
	segment_t *segments;
	int fd;
	struct gate started;
};

static void copy_for_long(void *argument)
{
	struct long_copy *copy = argument;

	gate_open(&copy->started);
	dev_copy(copy->fd, copy->segments, LONG_COUNT);
}

TEST(long_copy_is_killable, .timeout = 60)
{
	struct long_copy copy = {
		.segments = long_call(pages_alloc(66)),
		.fd = dev_open(),
		.started = gate_make(),
	};
	pid_t child = child_start(copy_for_long, &copy);
	long long killed, gone;

	gate_wait(&copy.started);
	sleep_ms(100);
	killed = milliseconds();
	kill(child, SIGKILL);
	EQUAL(child_signal(child), SIGKILL);
	gone = milliseconds();
	CHECK(gone - killed < 1000, "it ended %lld ms after SIGKILL",
	      gone - killed);
}

/* To the end, or for some seconds where that takes longer. */
static void copy_for_seconds(void *argument)
{
	struct long_copy *copy = argument;

	alarm(5);
	EXPECT(dev_copy(copy->fd, copy->segments, LONG_COUNT), 0);
}

TEST(long_copy_yields_the_processor, .timeout = 90)
{
	struct long_copy copy = {
		.segments = long_call(pages_alloc(66)),
		.fd = dev_open(),
	};
	unsigned int pause = longest_pause_beside(copy_for_seconds, &copy);

	CHECK(pause < 1000, "nothing else ran for %u ms", pause);
}

/* Every page written is dirty: what is in it reaches the file. */
TEST(copied_pages_reach_the_file_that_is_mapped)
{
	int disk = disk_open(0);
	uint8_t *local, *check = pages_alloc(1);
	segment_t one;
	uint32_t ref;

	local = mmap(NULL, PAGE, READ_WRITE, MAP_SHARED, disk, 8 * PAGE);
	CHECK(local != MAP_FAILED, "mmap of the disk: %s", error_name(errno));
	granter_alloc(&ref, 1, true);
	for (unsigned int round = 0; round < 3; round++) {
		memset(local, 0xee, PAGE);
		/* Clean, but mapped: nothing but the copy makes it dirty. */
		EXPECT(fsync(disk) < 0 ? -errno : 0, 0);
		granter_fill(&ref, 1, 60 + round);
		one = segment(ref, 0, local, PAGE, true);
		EXPECT(dev_copy(dev_open(), &one, 1), 0);
		EQUAL(one.status, GNTST_okay);
		EXPECT(fsync(disk) < 0 ? -errno : 0, 0);
		EXPECT(posix_fadvise(disk, 8 * PAGE, PAGE, POSIX_FADV_DONTNEED),
		       0);
		EQUAL(pread(disk, check, PAGE, 8 * PAGE), PAGE);
		check_page(check, 60 + round);
	}
}
