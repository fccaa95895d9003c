// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Page tables under a mapping that the kernel frees: since 6.14 it does so when
 * madvise has emptied one, and the page of the table is soon another table's.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define PAGES 2048u
#define TABLE (512 * PAGE) /* bytes that a page of a page table maps */
#define READERS 3

static uint8_t *mapped;
static atomic_bool over;
static atomic_uint wrong;

/* Each page tells which it is by its first bytes. */
static bool is_right(unsigned int page)
{
	uint32_t number;

	memcpy(&number, mapped + page * PAGE, sizeof(number));
	return number == page;
}

static void *read_pages(void *seed)
{
	unsigned int at = (uintptr_t)seed;

	while (!over) {
		at = at * 1103515245 + 12345;
		if (!is_right(at / 65536 % PAGES))
			wrong++;
	}
	return NULL;
}

/* Tables of this process take the pages that others have left. */
static void *make_tables(void *unused)
{
	(void)unused;
	while (!over) {
		uint8_t *at = mmap(NULL, 2 * TABLE, READ_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			continue;
		madvise(at, 2 * TABLE, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < 2 * TABLE; i += 64 * PAGE)
			at[i] = 1;
		for (size_t i = 0; i < 2 * TABLE; i += 64 * PAGE)
			wrong += at[i] != 1 || at[i + PAGE] != 0;
		munmap(at, 2 * TABLE);
	}
	return NULL;
}

TEST(tables_that_are_freed_beside_faults_do_no_harm, .timeout = 60)
{
	uint32_t *refs = calloc(PAGES, sizeof(*refs));
	uint8_t *first;
	pthread_t threads[READERS + 1];
	long long end;
	int fd = dev_open();

	CHECK(refs, "no memory for %u references", PAGES);
	granter_alloc(refs, PAGES, true);
	mapped = must_mmap(fd, must_insert(fd, refs, PAGES), PAGES, READ_WRITE);
	for (uint32_t i = 0; i < PAGES; i++)
		memcpy(mapped + i * PAGE, &i, sizeof(i));
	first = (uint8_t *)(((uintptr_t)mapped + TABLE - 1) / TABLE * TABLE);

	for (uintptr_t i = 0; i < READERS; i++)
		EQUAL(pthread_create(&threads[i], NULL, read_pages,
				     (void *)(i + 1)),
		      0);
	EQUAL(pthread_create(&threads[READERS], NULL, make_tables, NULL), 0);
	end = milliseconds() + 4000;
	while (milliseconds() < end) {
		for (uint8_t *at = first; at + TABLE <= mapped + PAGES * PAGE;
		     at += TABLE)
			EXPECT(madvise(at, TABLE, MADV_DONTNEED) ? -errno : 0,
			       0);
	}
	over = true;
	for (int i = 0; i <= READERS; i++)
		pthread_join(threads[i], NULL);

	EQUAL(wrong, 0);
	for (unsigned int i = 0; i < PAGES; i++)
		CHECK(is_right(i), "page %u is another's", i);
	must_munmap(mapped, PAGES);
	EQUAL(granter_wait_idle(refs, PAGES, 5000), 0);
}
