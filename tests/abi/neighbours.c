// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GRANT_COPY of page after page, as a disk's requests are, to and from memory of
 * every kind: a driver may reach neighbours in another way than a lone page.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntdev_more.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "segments.h"
#include "tap.h"
#include "world.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define PAGES 24u
#define ODD 7u /* the page that is made to differ */

static uint32_t refs[PAGES];
static segment_t segments[2 * PAGES];

static void grants(bool filled)
{
	granter_alloc(refs, PAGES, true);
	if (filled)
		granter_fill(refs, PAGES, 0);
}

/* Whole pages, each beside the one before. */
static int copy_some(uint8_t *local, unsigned int n, bool from)
{
	static int fd = -1;

	if (fd < 0)
		fd = dev_open();
	for (unsigned int i = 0; i < n; i++)
		segments[i] = segment(refs[i], 0, local + i * PAGE, PAGE, from);
	return dev_copy(fd, segments, n);
}

static int copy_pages(uint8_t *local, bool from)
{
	return copy_some(local, PAGES, from);
}

static void check_statuses(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		EQUAL(segments[i].status, GNTST_okay);
}

static void fill(uint8_t *local, unsigned int first)
{
	for (unsigned int i = 0; i < PAGES * PAGE; i++)
		local[i] = content(first + i / PAGE, i % PAGE);
}

static void check_comes(uint8_t *local)
{
	EXPECT(copy_pages(local, true), 0);
	check_statuses(PAGES);
	for (unsigned int i = 0; i < PAGES; i++)
		check_page(local + i * PAGE, i);
}

static void check_goes(uint8_t *local)
{
	fill(local, 40);
	EXPECT(copy_pages(local, false), 0);
	check_statuses(PAGES);
	for (unsigned int i = 0; i < PAGES; i++)
		check_granters_page(refs[i], 40 + i);
}

TEST(neighbours_that_were_written_to_are_copied_both_ways)
{
	uint8_t *local = pages_alloc(PAGES);

	grants(true);
	fill(local, 99);
	check_comes(local);
	check_goes(local);
}

TEST(neighbours_of_which_one_is_fresh_are_copied_both_ways)
{
	uint8_t *local = pages_alloc(PAGES);

	grants(true);
	fill(local, 99);
	EXPECT(madvise(local + ODD * PAGE, PAGE, MADV_DONTNEED), 0);
	check_comes(local);
	EXPECT(madvise(local + ODD * PAGE, PAGE, MADV_DONTNEED), 0);
	EXPECT(copy_pages(local, false), 0);
	check_statuses(PAGES);
	EQUAL(granter_byte(refs[ODD], 77), 0);
	check_granters_page(refs[ODD + 1], ODD + 1);
}

TEST(neighbours_of_which_one_is_read_only_are_efault_to_write)
{
	uint8_t *local = pages_alloc(PAGES);

	grants(true);
	fill(local, 60);
	EXPECT(mprotect(local + ODD * PAGE, PAGE, PROT_READ), 0);
	EXPECT(copy_pages(local, true), -EFAULT);
	check_page(local + ODD * PAGE, 60 + ODD);
	EXPECT(copy_pages(local, false), 0);
	check_granters_page(refs[ODD], 60 + ODD);
	EXPECT(mprotect(local + ODD * PAGE, PAGE, PROT_NONE), 0);
	EXPECT(copy_pages(local, false), -EFAULT);
}

TEST(neighbours_shared_with_a_child_are_not_written_under_it)
{
	uint8_t *local = pages_alloc(PAGES);
	struct gate over = gate_make();
	pid_t child;

	grants(true);
	fill(local, 60);
	child = fork();
	if (!child) {
		gate_wait(&over);
		for (unsigned int i = 0; i < PAGES; i++)
			check_page(local + i * PAGE, 60 + i);
		_exit(0);
	}
	check_comes(local);
	gate_open(&over);
	child_must_pass(child);
}

TEST(neighbours_shared_with_a_child_by_intention_are_written_for_it)
{
	uint8_t *local = mmap(NULL, PAGES * PAGE, READ_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct gate over = gate_make();
	pid_t child;

	CHECK(local != MAP_FAILED, "mmap");
	grants(true);
	fill(local, 60);
	child = fork();
	if (!child) {
		gate_wait(&over);
		for (unsigned int i = 0; i < PAGES; i++)
			check_page(local + i * PAGE, i);
		_exit(0);
	}
	check_comes(local);
	gate_open(&over);
	child_must_pass(child);
}

/* A page table has 512 entries. */
TEST(neighbours_in_two_page_tables_are_copied_both_ways)
{
	const size_t table = (size_t)TABLE_PAGES * PAGE;

	for (unsigned int i = 0; i < 2; i++) {
		uint8_t *local = tables_alloc(1);

		/* Of large pages at first, if there are any. */
		if (i)
			EXPECT(madvise(local - table, 2 * table,
				       MADV_NOHUGEPAGE),
			       0);
		local -= ODD * PAGE;
		grants(true);
		fill(local, 99);
		check_comes(local);
		check_goes(local);
	}
}

/* The first begins within a page, so that each page has the ends of two. */
TEST(neighbours_at_odd_places_are_copied_both_ways)
{
	uint8_t *local = pages_alloc(PAGES + 1);
	const unsigned int begin = 512;
	unsigned int n = 0, at;

	grants(true);
	memset(local, 0x33, (PAGES + 1) * PAGE);
	for (at = begin; at < begin + PAGES * PAGE; n++) {
		unsigned int page = (at - begin) / PAGE;
		unsigned int offset = (at - begin) % PAGE;
		unsigned int len = offset ? PAGE - offset : PAGE - begin;

		segments[n] =
			segment(refs[page], offset, local + at, len, true);
		at += len;
	}
	EXPECT(dev_copy(dev_open(), segments, n), 0);
	check_statuses(n);
	for (unsigned int i = 0; i < PAGES; i++)
		check_page(local + begin + i * PAGE, i);
	EQUAL(local[begin - 1], 0x33);
	EQUAL(local[begin + PAGES * PAGE], 0x33);
}

TEST(bad_grant_among_neighbours_is_told_of_it_alone)
{
	uint8_t *local = pages_alloc(PAGES);
	uint32_t good;

	grants(true);
	fill(local, 60);
	good = refs[ODD];
	refs[ODD] = FAR_REF;
	for (unsigned int from = 0; from < 2; from++) {
		EXPECT(copy_pages(local, from), 0);
		for (unsigned int i = 0; i < PAGES; i++)
			EQUAL(segments[i].status,
			      i == ODD ? GNTST_bad_gntref : GNTST_okay);
	}
	for (unsigned int i = 0; i < PAGES; i++)
		if (i != ODD)
			check_granters_page(refs[i], 60 + i);
	refs[ODD] = good;
	EXPECT(copy_pages(local, true), 0);
	check_page(local + ODD * PAGE, ODD);
}

/*
 * Copies page after page of grants to memory, of which one page, @seen, is granted
 * to this domain itself: that is where the first comes from, before anything goes
 * there. Were it copied once more after that, it would be seen to be another. The
 * grant of the page @odd, if there is one, is revoked.
 */
static void check_done_once(uint8_t *local, unsigned int seen, unsigned int odd)
{
	struct ioctl_gntdev_grant_memory own = {
		.addr = (uintptr_t)(local + seen * PAGE),
		.count = 1,
		.domid = world.domid,
		.flags = GNTDEV_GRANT_WRITABLE,
	};
	int fd = dev_open();

	if (world.own_grants_vanish ||
	    (ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, &own) && errno == ENOTTY))
		SKIP("no memory is granted to oneself");
	/* Not before: the own grant would get its number. */
	if (odd)
		granter_free(refs + odd, 1);
	for (unsigned int i = 0; i < PAGES; i++)
		segments[i] = segment(refs[i], 0, local + i * PAGE, PAGE, true);
	segments[0].source.foreign.ref = own.refs[0];
	segments[0].source.foreign.domid = world.domid;
	EXPECT(dev_copy(fd, segments, PAGES), 0);
	for (unsigned int i = 1; i < PAGES; i++) {
		if (i == odd)
			continue;
		EQUAL(segments[i].status, GNTST_okay);
		check_page(local + i * PAGE, i);
	}
	EQUAL(segments[0].status, GNTST_okay);
	check_page(local, 60 + seen);
}

/* Behind so many that a driver may have done these before it comes to it. */
TEST(neighbours_before_a_fresh_one_are_done_once)
{
	uint8_t *local = pages_alloc(PAGES);

	grants(true);
	fill(local, 60);
	EXPECT(madvise(local + (PAGES - 2) * PAGE, PAGE, MADV_DONTNEED), 0);
	check_done_once(local, 3, 0);
}

TEST(neighbours_of_a_revoked_grant_are_done_once)
{
	uint8_t *local = pages_alloc(PAGES);

	grants(true);
	fill(local, 60);
	check_done_once(local, 3, ODD);
	CHECK(segments[ODD].status < 0, "status %d of a revoked grant",
	      segments[ODD].status);
	check_page(local + ODD * PAGE, 60 + ODD);
}

/* What the kernel takes for clean goes nowhere when it is dropped. */
TEST(neighbours_reach_the_file_that_is_mapped)
{
	int file = memfd_create("neighbours", 0);
	uint8_t *local, read_back[PAGE];

	CHECK(!ftruncate(file, PAGES * PAGE), "ftruncate");
	local = mmap(NULL, PAGES * PAGE, READ_WRITE, MAP_SHARED, file, 0);
	CHECK(local != MAP_FAILED, "mmap");
	grants(true);
	fill(local, 60);
	check_comes(local);
	EXPECT(munmap(local, PAGES * PAGE), 0);
	for (unsigned int i = 0; i < PAGES; i++) {
		CHECK(pread(file, read_back, PAGE, i * PAGE) == PAGE, "pread");
		check_page(read_back, i);
	}
}

/* Read, and never written to: one page for all of that kind, of zeroes. */
TEST(the_page_of_zeroes_is_copied_from_and_not_to)
{
	uint8_t *local = pages_alloc(PAGES), *other = pages_alloc(1);

	grants(true);
	for (unsigned int n = 1; n <= PAGES; n += PAGES - 1) {
		EXPECT(madvise(local, PAGES * PAGE, MADV_DONTNEED), 0);
		for (unsigned int i = 0; i < PAGES; i++)
			EQUAL(((volatile uint8_t *)local)[i * PAGE], 0);
		EXPECT(copy_some(local, n, true), 0);
		check_statuses(n);
		for (unsigned int i = 0; i < n; i++)
			check_page(local + i * PAGE, i);
		for (unsigned int i = 0; i < PAGE; i++)
			EQUAL(((volatile uint8_t *)other)[i], 0);
		EXPECT(copy_some(other, 1, false), 0);
		EQUAL(granter_byte(refs[0], 77), 0);
		granter_fill(refs, PAGES, 0);
	}
}

/* A lone one too, and of each kind that is not to be written. */
TEST(lone_page_is_written_where_the_program_may_write)
{
	uint8_t *local = pages_alloc(1);
	struct gate over = gate_make();
	pid_t child;

	grants(true);
	memset(local, 0x33, PAGE);
	EXPECT(mprotect(local, PAGE, PROT_READ), 0);
	EXPECT(copy_some(local, 1, true), -EFAULT);
	EQUAL(local[77], 0x33);
	EXPECT(copy_some(local, 1, false), 0);
	EQUAL(granter_byte(refs[0], 77), 0x33);
	granter_fill(refs, 1, 0);
	EXPECT(mprotect(local, PAGE, PROT_NONE), 0);
	EXPECT(copy_some(local, 1, true), -EFAULT);
	EXPECT(copy_some(local, 1, false), -EFAULT);
	EXPECT(mprotect(local, PAGE, READ_WRITE), 0);
	child = fork();
	if (!child) {
		gate_wait(&over);
		EQUAL(local[77], 0x33);
		_exit(0);
	}
	EXPECT(copy_some(local, 1, true), 0);
	check_page(local, 0);
	gate_open(&over);
	child_must_pass(child);
}

/* What only the lower bits of an address make a buffer's is none. */
TEST(addresses_of_the_kernels_are_efault)
{
	uint8_t *local = pages_alloc(PAGES);
	uint8_t *far =
		(uint8_t *)((uintptr_t)local |
			    ~(uintptr_t)0 << (8 * sizeof(uintptr_t) - 16));

	grants(true);
	fill(local, 60);
	for (unsigned int n = 1; n <= PAGES; n += PAGES - 1)
		for (unsigned int from = 0; from < 2; from++)
			EXPECT(copy_some(far, n, from), -EFAULT);
	for (unsigned int i = 0; i < PAGES; i++)
		check_page(local + i * PAGE, 60 + i);
	check_granters_page(refs[0], 0);
}

/* Entries above those of pages are then of memory themselves. */
TEST(neighbours_in_huge_pages_are_copied_both_ways)
{
	const unsigned long huge = 512 * PAGE;
	uint8_t *local;

	grants(true);
	local = mmap(NULL, 2 * huge, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	CHECK(local != MAP_FAILED, "mmap");
	local = (uint8_t *)(((uintptr_t)local + huge - 1) / huge * huge);
	madvise(local, huge, MADV_HUGEPAGE);
	fill(local, 99);
	check_comes(local);
	check_goes(local);
	granter_fill(refs, PAGES, 0);
	write_line("/proc/sys/vm/nr_hugepages", "2");
	local = mmap(NULL, huge, READ_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	write_line("/proc/sys/vm/nr_hugepages", "0");
	if (local == MAP_FAILED)
		SKIP("no huge pages");
	check_comes(local);
	check_goes(local);
}

/* Another domain's pages, which no frame of this one's stands for. */
TEST(neighbours_in_mapped_grants_are_copied_both_ways)
{
	uint32_t theirs[PAGES];
	int fd = dev_open();
	uint64_t index;
	uint8_t *at;

	grants(true);
	granter_alloc(theirs, PAGES, true);
	index = must_insert(fd, theirs, PAGES);
	at = must_mmap(fd, index, PAGES, READ_WRITE);
	check_comes(at);
	for (unsigned int i = 0; i < PAGES; i++)
		check_granters_page(theirs[i], i);
	check_goes(at);
	must_munmap(at, PAGES);
	EXPECT(dev_remove(fd, index, PAGES), 0);
}

/* The first page is another domain's, which may be refused at first, the next is not. */
TEST(neighbours_of_a_mapped_grant_are_done_in_order)
{
	uint8_t *local = pages_alloc(2);
	int fd = dev_open();
	uint32_t theirs;
	uint64_t index;

	grants(true);
	granter_alloc(&theirs, 1, true);
	granter_fill(&theirs, 1, 50);
	memset(local + PAGE, 0x33, PAGE);
	index = must_insert(fd, &theirs, 1);
	EXPECT(munmap(local, PAGE), 0);
	CHECK(mmap(local, PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED, fd,
		   (off_t)index) == local,
	      "mmap");
	segments[0] = segment(refs[0], 0, local, PAGE, false);
	segments[1] = segment(refs[0], 100, local + PAGE, PAGE - 100, false);
	EXPECT(dev_copy(fd, segments, 2), 0);
	check_statuses(2);
	EQUAL(granter_byte(refs[0], 99), content(50, 99));
	EQUAL(granter_byte(refs[0], 100), 0x33);
	EQUAL(granter_byte(refs[0], PAGE - 1), 0x33);
	must_munmap(local, 1);
	EXPECT(dev_remove(fd, index, 1), 0);
}

static uint8_t *shaken;
static bool enough;

/* Takes pages away, makes them read-only, has a child share them. */
static void *shake(void *argument)
{
	(void)argument;
	for (unsigned int i = 0; !__atomic_load_n(&enough, __ATOMIC_RELAXED);
	     i++) {
		uint8_t *at = shaken + i % PAGES * PAGE;
		pid_t child;

		madvise(at, PAGE, MADV_DONTNEED);
		mprotect(at, PAGE, PROT_READ);
		mprotect(at, PAGE, READ_WRITE);
		if (i % 64)
			continue;
		child = fork();
		if (!child)
			_exit(0);
		child_must_pass(child);
	}
	return NULL;
}

/* Whatever comes of it, nothing is written where it does not belong. */
TEST(neighbours_may_go_while_they_are_copied, .timeout = 60)
{
	uint8_t *all = pages_alloc(PAGES + 2);
	pthread_t thread;
	int result;

	grants(true);
	memset(all, 0x33, (PAGES + 2) * PAGE);
	shaken = all + PAGE;
	enough = false;
	CHECK(!pthread_create(&thread, NULL, shake, NULL), "pthread_create");
	for (unsigned int i = 0; i < 2000; i++) {
		result = copy_pages(shaken, i % 2);
		CHECK(!result || result == -EFAULT, "copy: %d", result);
		for (unsigned int k = 0; !result && k < PAGES; k++)
			EQUAL(segments[k].status, GNTST_okay);
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	granter_fill(refs, PAGES, 0);
	for (unsigned int i = 0; i < PAGE; i++) {
		EQUAL(all[i], 0x33);
		EQUAL(all[(PAGES + 1) * PAGE + i], 0x33);
	}
	check_comes(shaken);
}

/* Takes the memory away with its page tables, and has new memory there. */
static void *replace(void *argument)
{
	const unsigned long table = 512 * PAGE;
	uint8_t *at = argument;

	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		munmap(at, table);
		if (mmap(at, table, READ_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
			_exit(1);
		for (unsigned int i = 0; i < PAGES; i++)
			at[i * PAGE] = 0x33;
	}
	return NULL;
}

TEST(page_tables_may_go_while_neighbours_are_copied, .timeout = 60)
{
	const unsigned long table = 512 * PAGE;
	uint8_t *all = mmap(NULL, 4 * table, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *local;
	pthread_t thread;
	int result;

	CHECK(all != MAP_FAILED, "mmap");
	local = (uint8_t *)(((uintptr_t)all + 2 * table) / table * table);
	grants(true);
	/* None around it, for which the table would be kept. */
	EXPECT(munmap(all, 4 * table), 0);
	enough = false;
	CHECK(!pthread_create(&thread, NULL, replace, local), "pthread_create");
	for (unsigned int i = 0; i < 2000; i++) {
		result = copy_some(local, i % 3 ? PAGES : 1, i % 2);
		CHECK(!result || result == -EFAULT, "copy: %d", result);
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	granter_fill(refs, PAGES, 0);
	check_comes(local);
}
