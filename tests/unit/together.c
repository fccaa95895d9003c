// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_COPY of many segments does what as many calls of one segment do. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* Flags of a segment. */
#define GNTCOPY_source_gref 1
#define GNTCOPY_dest_gref 2
/* Nothing is granted by it. */
#define BAD_REFERENCE 4000

typedef struct gntdev_grant_copy_segment segment_t;

enum {
	GRANTS = 4,
	PAGES = 4,
	SEGMENTS = 140, /* more than a chunk */
	ROUNDS = 200,
};

static uint32_t state = 1;

static unsigned int below(unsigned int n)
{
	state = state * 1664525 + 1013904223;
	return (state >> 16) % n;
}

/* The first so many are not worth a pin. */
static unsigned int some_length(unsigned int kinds)
{
	static const unsigned int lengths[] = {0,   64,	 64,	 128, 192, 1,
					       100, 256, PINNED, 512, 1000};

	return lengths[below(kinds)];
}

/* Between a buffer and some place of some grant, which may be refused. */
static segment_t segment(bool in, unsigned char *at, unsigned int len)
{
	unsigned int i = below(GRANTS), offset = below(PAGE - len + 1);
	segment_t s = {
		.flags = in ? GNTCOPY_source_gref : GNTCOPY_dest_gref,
		.len = len,
		.status = 99,
	};

	if (in)
		s.dest.virt = at;
	else
		s.source.virt = at;
	*(in ? &s.source.foreign.ref : &s.dest.foreign.ref) =
		below(12) ? world.refs[i] : BAD_REFERENCE;
	*(in ? &s.source.foreign.domid : &s.dest.foreign.domid) = 1;
	*(in ? &s.source.foreign.offset : &s.dest.foreign.offset) = offset;
	return s;
}

/* Mostly a segment goes on where the one before it ended. */
static unsigned int some_segments(segment_t *s, unsigned char *buf)
{
	unsigned int i, len, at = below(PAGES * PAGE), n;
	unsigned int kinds = below(2) ? 6 : 11, turns = below(2) ? 30 : 60000;
	bool in = below(2);

	n = 1 + below(SEGMENTS);
	for (i = 0; i < n; i++) {
		len = some_length(kinds);
		if (!below(6))
			at = below(PAGES * PAGE);
		if (!below(turns))
			in = !in;
		if (at + len > PAGES * PAGE)
			at = 0;
		s[i] = segment(in, buf + at, len);
		at += len;
	}
	return n;
}

static void set_contents(unsigned char *buf, unsigned int round)
{
	unsigned int i, k;

	for (i = 0; i < PAGES * PAGE; i++)
		buf[i] = i * 7 + i / 251 + round;
	for (k = 0; k < GRANTS; k++) {
		for (i = 0; i < PAGE; i++)
			granted(k)[i] = i * 5 + i / 241 + k * 17 + round;
	}
}

static void save(unsigned char *to, const unsigned char *buf)
{
	unsigned int k;

	memcpy(to, buf, PAGES * PAGE);
	for (k = 0; k < GRANTS; k++)
		memcpy(to + (PAGES + k) * PAGE, granted(k), PAGE);
}

/* Whatever is put together for speed: neighbours, parts, slots, pins. */
static void segments_end_as_if_each_had_been_alone(void)
{
	enum {
		ALL = (PAGES + GRANTS) * PAGE
	};
	unsigned char *buf = aligned_alloc(PAGE, PAGES * PAGE);
	unsigned char *together = malloc(ALL), *alone = malloc(ALL);
	segment_t s[SEGMENTS], t[SEGMENTS];
	unsigned int round, i, n;
	struct file *other;

	world_start();
	grant(GRANTS, false);
	/* What the driver has is in pages that are no neighbours. */
	s[0] = segment(true, buf, 64);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &other), 0);
	CHECK_EQ(req_copy(world.file, s, 1), 0);
	CHECK_EQ(req_copy(other, s, 1), 0);
	for (round = 0; round < ROUNDS; round++) {
		n = some_segments(s, buf);
		memcpy(t, s, sizeof(t));
		set_contents(buf, round);
		if (below(2))
			CHECK_EQ(machine_fail_spec("pin_user_pages_fast:1+",
						   NULL, 0),
				 0);
		CHECK_EQ(req_copy(world.file, s, n), 0);
		machine_fail_none();
		save(together, buf);
		set_contents(buf, round);
		for (i = 0; i < n; i++) {
			CHECK_EQ(req_copy(world.file, &t[i], 1), 0);
			CHECK_EQ(s[i].status, t[i].status);
		}
		save(alone, buf);
		CHECK(!memcmp(together, alone, ALL));
	}
	free(buf);
	free(together);
	free(alone);
	file_close(world.task, other);
	world_stop();
}

static const struct test tests[] = {
	TEST(segments_end_as_if_each_had_been_alone),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
