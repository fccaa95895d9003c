// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_COPY to and from pages that are no neighbours, as a request's buffers are. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "segments.h"
#include "tap.h"
#include "world.h"

#define PAGES 24u

static uint32_t refs[PAGES];
static segment_t segments[PAGES];

static void grants(void)
{
	granter_alloc(refs, PAGES, true);
	granter_fill(refs, PAGES, 0);
}

static void check_statuses(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		EQUAL(segments[i].status, GNTST_okay);
}

/* Pages of one page table or of several, in no order: whole, or a piece of each. */
static void check_scattered(uint8_t *local, const unsigned int *where,
			    unsigned int offset, unsigned int len)
{
	int fd = dev_open();

	for (int from = 1; from >= 0; from--) {
		for (unsigned int i = 0; i < PAGES; i++) {
			uint8_t *at = local + (size_t)where[i] * PAGE + offset;

			for (unsigned int j = 0; !from && j < len; j++)
				at[j] = content(70 + i, offset + j);
			segments[i] = segment(refs[i], offset, at, len, from);
		}
		EXPECT(dev_copy(fd, segments, PAGES), 0);
		check_statuses(PAGES);
		for (unsigned int i = 0; i < PAGES; i++) {
			uint8_t *at = local + (size_t)where[i] * PAGE + offset;

			for (unsigned int j = 0; from && j < len; j++)
				EQUAL(at[j], content(i, offset + j));
			if (from)
				continue;
			EQUAL(granter_byte(refs[i], offset),
			      content(70 + i, offset));
			EQUAL(granter_byte(refs[i], offset + len - 1),
			      content(70 + i, offset + len - 1));
		}
	}
	close(fd);
}

TEST(pages_all_over_are_copied_both_ways)
{
	const unsigned int most = 4 * TABLE_PAGES;
	uint8_t *local = tables_alloc(4);
	unsigned int where[PAGES];

	EXPECT(madvise(local, (size_t)most * PAGE, MADV_NOHUGEPAGE), 0);
	memset(local, 1, (size_t)most * PAGE);
	for (unsigned int tables = 1; tables <= 4; tables += 3) {
		for (unsigned int i = 0; i < PAGES; i++)
			where[i] = (i * 389 + 5) % (tables * TABLE_PAGES);
		grants();
		check_scattered(local, where, 0, PAGE);
		grants();
		check_scattered(local, where, 1001, 700);
	}
}

TEST(segments_of_one_page_apart_see_each_other)
{
	uint8_t *local = pages_alloc(3);
	int fd = dev_open();

	/* The same page before and after another one: the last one counts. */
	grants();
	memset(local, 1, 3 * PAGE);
	for (unsigned int i = 0; i < 8; i++)
		segments[i] = segment(refs[i], 0, local + i % 2 * 2 * PAGE,
				      PAGE, true);
	EXPECT(dev_copy(fd, segments, 8), 0);
	check_statuses(8);
	check_page(local, 6);
	check_page(local + 2 * PAGE, 7);
	EQUAL(local[PAGE], 1);
	close(fd);
}
