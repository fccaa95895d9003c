// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_MEMORY of all the kinds of memory that a program can have. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "disk.h"
#include "granter.h"
#include "lent.h"
#include "process.h"
#include "tap.h"
#include "util.h"

TEST(anonymous_memory_is_granted)
{
	int fd = dev_open();
	struct lent lent = lend(fd, anonymous(5), 5, WRITABLE);

	check_shared(&lent);
	EXPECT(ungrant_memory(fd, lent.index, 5), 0);
	check_gone(&lent);
}

TEST(memory_of_a_memfd_is_granted)
{
	int fd = dev_open(), memfd = memfd_create("frames", MFD_CLOEXEC);
	struct lent lent;
	uint8_t *at;

	CHECK(!ftruncate(memfd, 3 * PAGE), "ftruncate: %s", error_name(errno));
	at = mmap(NULL, 3 * PAGE, READ_WRITE, MAP_SHARED, memfd, 0);
	lent = lend(fd, at, 3, WRITABLE);
	check_shared(&lent);
	/* Whoever else has the file shows its pages to the other side. */
	at = mmap(NULL, 3 * PAGE, READ_WRITE, MAP_SHARED, memfd, 0);
	at[PAGE] = 0x77;
	EQUAL(lent.at[PAGE], 0x77);
	fill_page(lent.at + PAGE, 1);
	munmap(lent.at, 3 * PAGE);
	lent.at = at;
	check_shared(&lent);
	EXPECT(ungrant_memory(fd, lent.index, 3), 0);
	check_gone(&lent);
}

TEST(memory_of_a_closed_memfd_is_granted)
{
	int fd = dev_open(), memfd = memfd_create("frames", MFD_CLOEXEC);
	struct lent lent;
	uint8_t *at;

	CHECK(!ftruncate(memfd, 2 * PAGE), "ftruncate: %s", error_name(errno));
	at = mmap(NULL, 2 * PAGE, READ_WRITE, MAP_SHARED, memfd, 0);
	close(memfd);
	lent = lend(fd, at, 2, WRITABLE);
	check_shared(&lent);
}

static void write_into(void *argument)
{
	fill_page(argument, 7);
}

TEST(memory_shared_with_a_child_is_granted)
{
	int fd = dev_open();
	uint8_t *at = mmap(NULL, 2 * PAGE, READ_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct lent lent = lend(fd, at, 2, WRITABLE);
	uint8_t page[PAGE];
	int map;

	in_child(write_into, at + PAGE);
	map = granter_map(lent.refs, 2);
	CHECK(map >= 0, "the other side's map: %s", error_name(-map));
	granter_map_read(map, PAGE, page, PAGE);
	check_page(page, 7);
	granter_unmap(map);
}

TEST(memory_of_the_heap_is_granted_again_and_again)
{
	uint8_t *at = aligned_alloc(PAGE, 3 * PAGE);
	int fd = dev_open();
	struct lent lent;

	for (int i = 0; i < 3; i++) {
		lent = lend(fd, at + i % 2 * PAGE, 2, WRITABLE);
		check_shared(&lent);
		EXPECT(ungrant_memory(fd, lent.index, 2), 0);
		check_gone(&lent);
	}
	free(at);
}

TEST(huge_pages_are_granted)
{
	int fd = dev_open();
	struct lent lent;
	uint8_t *at;

	write_line("/proc/sys/vm/nr_hugepages", "2");
	at = mmap(NULL, 2 << 20, READ_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	write_line("/proc/sys/vm/nr_hugepages", "0");
	if (at == MAP_FAILED)
		SKIP("no huge pages");
	lent = lend(fd, at + 5 * PAGE, 3, WRITABLE);
	check_shared(&lent);
	EXPECT(ungrant_memory(fd, lent.index, 3), 0);
}

/* On the machine they are refused, which its README says. */
TEST(huge_pages_of_a_file_are_granted)
{
	int memfd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	int fd = dev_open();
	struct lent lent;
	uint8_t *at;

	write_line("/proc/sys/vm/nr_hugepages", "2");
	CHECK(memfd < 0 || !ftruncate(memfd, 2 << 20), "ftruncate: %s",
	      error_name(errno));
	at = mmap(NULL, 2 << 20, READ_WRITE, MAP_SHARED, memfd, 0);
	write_line("/proc/sys/vm/nr_hugepages", "0");
	if (memfd < 0 || at == MAP_FAILED)
		SKIP("no huge pages");
	if (world.machine) {
		EXPECT(grant_memory(fd, at, 1, WRITABLE, NULL, NULL), -EFAULT);
		return;
	}
	lent = lend(fd, at + 5 * PAGE, 3, WRITABLE);
	check_shared(&lent);
	EXPECT(ungrant_memory(fd, lent.index, 3), 0);
}

/* A frame's whole pages, and frames below and above it that go on as before. */
static __attribute__((noinline)) unsigned int dig(unsigned int depth)
{
	volatile uint8_t room[PAGE];

	room[0] = depth;
	return depth ? dig(depth - 1) + room[0] : 0;
}

TEST(memory_of_the_stack_is_granted)
{
	_Alignas(4096) uint8_t pages[3 * 4096];
	int fd = dev_open(), status;
	struct lent lent;
	pid_t child;

	for (unsigned int i = 0; i < 3; i++)
		fill_page(pages + i * PAGE, i);
	lent = lend(fd, pages, 3, WRITABLE);
	EQUAL(dig(100), 5050);
	check_shared(&lent);
	child = fork();
	if (!child) {
		fill_page(pages, 9);
		check_page(pages, 9);
		_exit(0);
	}
	waitpid(child, &status, 0);
	EQUAL(status, 0);
	EXPECT(ungrant_memory(fd, lent.index, 3), 0);
	check_gone(&lent);
	EQUAL(dig(200), 20100);
}

static void *lend_of_my_stack(void *argument)
{
	_Alignas(4096) uint8_t page[4096];
	struct lent lent;

	fill_page(page, 0);
	lent = lend(*(int *)argument, page, 1, WRITABLE);
	check_shared(&lent);
	EXPECT(ungrant_memory(*(int *)argument, lent.index, 1), 0);

	return NULL;
}

TEST(memory_of_a_threads_stack_is_granted)
{
	int fd = dev_open();
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, lend_of_my_stack, &fd),
	      "a thread");
	pthread_join(thread, NULL);
}

/* As any memory is from time to time; a page may still have its place in the swap. */
TEST(memory_that_was_swapped_out_is_granted)
{
	uint8_t *at = anonymous(4);
	int fd = dev_open(), disk, err;
	struct lent lent = {at, 4, 0, {0}};

	for (unsigned int i = 0; i < 4; i++)
		fill_page(at + i * PAGE, i);
	disk = disk_swap_through(at, 4);
	err = grant_memory(fd, at, 4, WRITABLE, &lent.index, lent.refs);
	if (!err)
		check_shared(&lent);
	if (!err)
		err = ungrant_memory(fd, lent.index, 4);
	disk_swap_off(disk);
	EXPECT(err, 0);
	check_gone(&lent);
}
