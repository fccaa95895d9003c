// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Page tables under a mapping: several at once, and those that the kernel frees. Since
 * 6.14 it does so when madvise has emptied one, and the page of the table is soon
 * another table's.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "area.h"
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

#define TABLES 4u
#define SLOTS (TABLES * 512u)
#define BATCH 32u

/* With pages of others before and after it in its first and last table. */
static struct area area_in_tables(uint8_t **before, uint8_t **after)
{
	struct area area = {.fd = dev_open(), .slots = SLOTS};
	uint8_t *at = mmap(NULL, (TABLES + 2) * TABLE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED, "mmap: %s", error_name(errno));
	at = (uint8_t *)(((uintptr_t)at + TABLE - 1) / TABLE * TABLE);
	area.at = at + TABLE / 2;
	*before = area.at - PAGE;
	*after = area.at + SLOTS * PAGE;
	EXPECT(dev_area_create(area.fd, SLOTS, 0, &area.index), 0);
	CHECK(mmap(area.at, SLOTS * PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED,
		   area.fd, area.index) == area.at,
	      "mmap of an area: %s", error_name(errno));
	CHECK(mmap(*before, PAGE, READ_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == *before,
	      "mmap: %s", error_name(errno));
	return area;
}

/* mremap holds the locks of both tables, of either first. */
static void *move_to_and_fro(void *pages)
{
	uint8_t *from = ((uint8_t **)pages)[0], *to = ((uint8_t **)pages)[1];

	*from = 1;
	while (!over) {
		uint8_t *other = from;

		if (mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   to) != to ||
		    *to != 1)
			wrong++;
		from = to;
		to = other;
	}
	return NULL;
}

TEST(slots_in_several_page_tables_are_emptied_beside_mremap, .timeout = 60)
{
	uint8_t *pages[2], byte;
	struct area area = area_in_tables(&pages[0], &pages[1]);
	struct gntdev_area_op ops[BATCH];
	long long end = milliseconds() + 2000;
	uint32_t refs[BATCH];
	pthread_t thread;

	grants_with_contents(refs, BATCH);
	EQUAL(pthread_create(&thread, NULL, move_to_and_fro, pages), 0);
	for (unsigned int i = 0; i < 20 || milliseconds() < end; i++) {
		struct iovec from = {area.at, 1}, to = {&byte, 1};

		/* Of all tables in turn; the first one is each of them, too. */
		for (unsigned int k = 0; k < BATCH; k++)
			ops[k] = area_op((i + k) * 389 % SLOTS, refs[k]);
		area_must_map(&area, ops, BATCH);
		for (unsigned int k = 0; k < BATCH; k++)
			check_page(area.at + ops[k].slot * PAGE, k);
		from.iov_base = area.at + ops[0].slot * PAGE;
		(void)!process_vm_readv(getpid(), &to, 1, &from, 1, 0);
		area_must_unmap(&area, ops, BATCH);
		EQUAL(read_fault(area.at + ops[i % BATCH].slot * PAGE), SIGBUS);
	}
	over = true;
	pthread_join(thread, NULL);
	EQUAL(wrong, 0);
	EQUAL(granter_wait_idle(refs, BATCH, 5000), 0);
	area_end(&area);
}
