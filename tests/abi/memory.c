// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_MEMORY and UNGRANT_MEMORY: memory that a program has, granted. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/gntdev_more.h>

#include "dev.h"
#include "events.h"
#include "granter.h"
#include "process.h"
#include "tap.h"
#include "util.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define WRITABLE GNTDEV_GRANT_WRITABLE
#define MOST 64u

/* Memory, and by what it is granted. */
struct lent {
	uint8_t *at;
	unsigned int pages;
	uint64_t index;
	uint32_t refs[MOST];
};

/* 0 or -errno. */
static int grant_memory(int fd, const void *at, unsigned int pages,
			unsigned int flags, uint64_t *index, uint32_t *refs)
{
	char room[sizeof(struct ioctl_gntdev_grant_memory) + MOST * 4];
	struct ioctl_gntdev_grant_memory *op = (void *)room;
	int err;

	memset(room, 0xee, sizeof(room));
	op->addr = (uintptr_t)at;
	op->count = pages;
	op->domid = granter_domid();
	op->flags = flags;
	err = ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, op) ? -errno : 0;
	if (!err && index)
		*index = op->index;
	if (!err && refs)
		memcpy(refs, op->refs, pages * sizeof(refs[0]));

	return err;
}

static int ungrant_memory(int fd, uint64_t index, unsigned int pages)
{
	struct ioctl_gntdev_ungrant_memory op = {index, pages, 0};

	return ioctl(fd, IOCTL_GNTDEV_UNGRANT_MEMORY, &op) ? -errno : 0;
}

static struct lent lend(int fd, void *at, unsigned int pages,
			unsigned int flags)
{
	struct lent lent = {at, pages, 0, {0}};

	for (unsigned int i = 0; i < pages; i++)
		fill_page(lent.at + i * PAGE, i);
	EXPECT(grant_memory(fd, at, pages, flags, &lent.index, lent.refs), 0);
	return lent;
}

static void *anonymous(unsigned int pages)
{
	void *at = mmap(NULL, pages * PAGE, READ_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED, "mmap: %s", error_name(errno));
	return at;
}

/* The other side sees what is in the memory, and this one what it writes. */
static void check_shared(const struct lent *lent)
{
	int map = granter_map(lent->refs, lent->pages);
	uint8_t page[PAGE], byte = 0x5a;

	CHECK(map >= 0, "the other side's map: %s", error_name(-map));
	for (unsigned int i = 0; i < lent->pages; i++) {
		granter_map_read(map, i * PAGE, page, PAGE);
		check_page(page, i);
		granter_map_write(map, i * PAGE + 9, &byte, 1);
		EQUAL(lent->at[i * PAGE + 9], 0x5a);
		fill_page(lent->at + i * PAGE, i);
	}
	granter_unmap(map);
}

/* The other side finds nothing granted any more. */
static void check_gone(const struct lent *lent)
{
	int map = -1;

	for (int i = 0; i < 100; i++) {
		map = granter_map(lent->refs, lent->pages);
		if (map < 0)
			return;
		granter_unmap(map);
		sleep_ms(20);
	}
	CHECK(map < 0, "it is still granted");
}

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

TEST(shortened_file_harms_nobody)
{
	int fd = dev_open(), memfd = memfd_create("frames", MFD_CLOEXEC), map;
	struct lent lent;
	uint8_t *at;

	CHECK(!ftruncate(memfd, 2 * PAGE), "ftruncate: %s", error_name(errno));
	at = mmap(NULL, 2 * PAGE, READ_WRITE, MAP_SHARED, memfd, 0);
	lent = lend(fd, at, 2, WRITABLE);
	EXPECT(dev_notify(fd, lent.index + 5, UNMAP_NOTIFY_CLEAR_BYTE, 0), 0);
	CHECK(!ftruncate(memfd, 0), "ftruncate: %s", error_name(errno));
	map = granter_map(lent.refs, 2);
	CHECK(map >= 0, "the other side's map: %s", error_name(-map));
	granter_unmap(map);
	EXPECT(ungrant_memory(fd, lent.index, 2), 0);
	check_gone(&lent);
}

TEST(child_has_granted_memory_of_its_own)
{
	int fd = dev_open(), status;
	struct lent lent = lend(fd, anonymous(2), 2, WRITABLE);
	pid_t child = fork();

	if (!child) {
		check_page(lent.at, 0);
		check_page(lent.at + PAGE, 1);
		fill_page(lent.at, 9);
		check_page(lent.at, 9);
		_exit(0);
	}
	waitpid(child, &status, 0);
	EQUAL(status, 0);
	check_page(lent.at, 0);
}

TEST(read_only_granted_memory_is_not_written)
{
	int fd = dev_open(), map;
	struct lent lent = lend(fd, anonymous(1), 1, 0);

	/* The other side's mappings are for writing. */
	map = granter_map(lent.refs, 1);
	CHECK(map < 0, "the other side mapped it for writing");
	check_page(lent.at, 0);
}

TEST(granted_pages_stay_when_their_mapping_goes)
{
	int fd = dev_open(), map;
	struct lent lent = lend(fd, anonymous(2), 2, WRITABLE);
	uint8_t page[PAGE];

	munmap(lent.at, 2 * PAGE);
	map = granter_map(lent.refs, 2);
	CHECK(map >= 0, "the other side's map: %s", error_name(-map));
	granter_map_read(map, PAGE, page, PAGE);
	check_page(page, 1);
	granter_unmap(map);
	EXPECT(ungrant_memory(fd, lent.index, 2), 0);
	check_gone(&lent);
}

TEST(mapped_memory_stays_granted_until_the_other_side_lets_go)
{
	int fd = dev_open(), map;
	struct lent lent = lend(fd, anonymous(3), 3, WRITABLE);
	uint8_t page[PAGE];

	map = granter_map(lent.refs, 3);
	CHECK(map >= 0, "the other side's map: %s", error_name(-map));
	EXPECT(ungrant_memory(fd, lent.index, 3), 0);
	EXPECT(ungrant_memory(fd, lent.index, 3), -ENOENT);
	close(fd);
	munmap(lent.at, 3 * PAGE);
	sleep_ms(300);
	granter_map_read(map, 2 * PAGE, page, PAGE);
	check_page(page, 2);
	granter_unmap(map);
	check_gone(&lent);
}

TEST(last_close_takes_memory_back)
{
	int fd = dev_open();
	struct lent lent = lend(fd, anonymous(2), 2, WRITABLE);

	close(fd);
	check_gone(&lent);
}

static void lend_and_wait(void *argument)
{
	struct lent *lent = argument;
	int fd = dev_open();

	*lent = lend(fd, anonymous(2), 2, WRITABLE);
	for (;;)
		pause();
}

TEST(kill_takes_memory_back)
{
	struct lent *lent =
		mmap(NULL, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = child_start(lend_and_wait, lent);

	for (int i = 0; !__atomic_load_n(&lent->pages, __ATOMIC_ACQUIRE); i++) {
		CHECK(i < 500, "the child grants nothing");
		sleep_ms(10);
	}
	sleep_ms(50);
	child_kill(child);
	check_gone(lent);
}

TEST(fork_leaves_granted_pages_to_the_parent)
{
	int fd = dev_open(), status;
	struct lent lent = lend(fd, anonymous(2), 2, WRITABLE);
	pid_t child = fork();

	if (!child) {
		memset(lent.at, 0, 2 * PAGE);
		_exit(0);
	}
	waitpid(child, &status, 0);
	check_page(lent.at, 0);
	lent.at[PAGE] = 1;
	fill_page(lent.at + PAGE, 1);
	check_shared(&lent);
}

TEST(granted_memory_is_no_range_to_map)
{
	int fd = dev_open();
	struct lent lent = lend(fd, anonymous(2), 2, WRITABLE);

	EXPECT(dev_try_mmap(fd, lent.index, 2 * PAGE, READ_WRITE, MAP_SHARED),
	       -EINVAL);
	EXPECT(dev_remove(fd, lent.index, 2), -ENOENT);
	EXPECT(ungrant_memory(fd, lent.index, 1), -ENOENT);
	EXPECT(ungrant_memory(fd, lent.index + PAGE, 2), -ENOENT);
	EXPECT(ungrant_memory(fd, lent.index, 2), 0);
}

TEST(range_is_not_granted_memory)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	EXPECT(ungrant_memory(range.fd, range.index, 2), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
}

TEST(bad_requests_to_grant_memory_are_refused)
{
	uint8_t *at = anonymous(3);
	int fd = dev_open();

	EXPECT(grant_memory(fd, at, 0, WRITABLE, NULL, NULL), -EINVAL);
	EXPECT(grant_memory(fd, at + 8, 1, WRITABLE, NULL, NULL), -EINVAL);
	EXPECT(grant_memory(fd, at, 1, 2, NULL, NULL), -EINVAL);
	EXPECT(grant_memory(fd, at, 1, 0x8000, NULL, NULL), -EINVAL);
	munmap(at + PAGE, PAGE);
	EXPECT(grant_memory(fd, at, 3, WRITABLE, NULL, NULL), -EFAULT);
	EXPECT(grant_memory(fd, NULL, 1, WRITABLE, NULL, NULL), -EFAULT);
	EXPECT(grant_memory(fd, (void *)-(uintptr_t)PAGE, 1, WRITABLE, NULL,
			    NULL),
	       -EFAULT);
	EXPECT(ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, NULL) ? -errno : 0,
	       -EFAULT);
	EXPECT(ioctl(fd, IOCTL_GNTDEV_UNGRANT_MEMORY, NULL) ? -errno : 0,
	       -EFAULT);
	CHECK(!mprotect(at, PAGE, PROT_READ), "mprotect");
	EXPECT(grant_memory(fd, at, 1, WRITABLE, NULL, NULL), -EFAULT);
	EXPECT(grant_memory(fd, at, 1, 0, NULL, NULL), -EFAULT);
	/* Nothing was given an index. */
	EQUAL(lend(fd, anonymous(1), 1, WRITABLE).index, 0);
}

TEST(reserved_field_of_ungrant_must_be_zero)
{
	int fd = dev_open();
	struct lent lent = lend(fd, anonymous(1), 1, WRITABLE);
	struct ioctl_gntdev_ungrant_memory op = {lent.index, 1, 1};

	EXPECT(ioctl(fd, IOCTL_GNTDEV_UNGRANT_MEMORY, &op) ? -errno : 0,
	       -EINVAL);
	check_shared(&lent);
}

TEST(failed_copy_out_of_references_grants_nothing)
{
	struct ioctl_gntdev_grant_memory *op =
		(void *)((uint8_t *)pages_alloc(1) + PAGE - 24);
	int fd = dev_open();

	op->addr = (uintptr_t)anonymous(2);
	op->count = 2;
	op->domid = granter_domid();
	op->flags = WRITABLE;
	EXPECT(ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, op) ? -errno : 0, -EFAULT);
	EQUAL(lend(fd, anonymous(1), 1, WRITABLE).index, 0);
}

TEST(mapped_grants_are_not_granted_on)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(grant_memory(range.fd, range.at, 1, WRITABLE, NULL, NULL),
	       -EINVAL);
	check_whole(&range);
}

TEST(granted_memory_counts_towards_the_maximum)
{
	int fd = dev_open();
	uint8_t *at = anonymous(4);
	struct lent lent;

	EXPECT(dev_maximum(fd, 3), 0);
	EXPECT(grant_memory(fd, at, 4, WRITABLE, NULL, NULL), -EINVAL);
	lent = lend(fd, at, 2, WRITABLE);
	EXPECT(grant_memory(fd, at, 2, WRITABLE, NULL, NULL), -ENOMEM);
	EXPECT(ungrant_memory(fd, lent.index, 2), 0);
	lend(fd, at, 2, WRITABLE);
}

/* As a user without rights, to whom the device was passed. */
static void lend_above_the_limit(void *argument)
{
	struct rlimit limit = {4 * PAGE, 4 * PAGE};
	int fd = *(int *)argument;
	uint8_t *at = anonymous(8);
	struct lent lent;

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit), "setrlimit");
	CHECK(!setgroups(0, NULL) && !setgid(65534) && !setuid(65534),
	      "setuid: %s", error_name(errno));
	EXPECT(grant_memory(fd, at, 5, WRITABLE, NULL, NULL), -ENOMEM);
	lent = lend(fd, at, 3, WRITABLE);
	EXPECT(grant_memory(fd, at + 3 * PAGE, 2, WRITABLE, NULL, NULL),
	       -ENOMEM);
	EXPECT(ungrant_memory(fd, lent.index, 3), 0);
	lent = lend(fd, at, 4, WRITABLE);
	EXPECT(ungrant_memory(fd, lent.index, 4), 0);
}

TEST(granted_memory_obeys_rlimit_memlock)
{
	int fd = dev_open();

	if (geteuid())
		SKIP("only root can become another user");
	in_child(lend_above_the_limit, &fd);
}

TEST(byte_of_granted_memory_is_cleared_when_it_is_taken_back)
{
	int fd = dev_open();
	struct lent lent = lend(fd, anonymous(2), 2, WRITABLE);

	lent.at[PAGE + 5] = 1;
	EXPECT(dev_notify(fd, lent.index + PAGE + 5, UNMAP_NOTIFY_CLEAR_BYTE,
			  0),
	       0);
	EQUAL(lent.at[PAGE + 5], 1);
	EXPECT(ungrant_memory(fd, lent.index, 2), 0);
	EQUAL(lent.at[PAGE + 5], 0);
}

static void lend_arm_and_wait(void *argument)
{
	uint32_t *words = argument;
	int fd = dev_open(), events;
	struct lent lent = lend(fd, anonymous(1), 1, WRITABLE);
	unsigned int port = bind_port(words[1], &events);

	EXPECT(dev_notify(fd, lent.index, UNMAP_NOTIFY_SEND_EVENT, port), 0);
	__atomic_store_n(&words[0], 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

TEST(event_is_sent_when_the_granter_of_memory_dies)
{
	uint32_t *words =
		mmap(NULL, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int port = words[1] = granter_port();
	uint32_t ref;
	pid_t child;

	granter_alloc(&ref, 1, true);
	child = child_start(lend_arm_and_wait, words);
	for (int i = 0; !__atomic_load_n(&words[0], __ATOMIC_ACQUIRE); i++) {
		CHECK(i < 500, "the child is not ready");
		sleep_ms(10);
	}
	while (granter_wait_event(port, ref, 0, 50).event)
		;
	child_kill(child);
	CHECK(granter_wait_event(port, ref, 0, 5000).event, "no event");
}

TEST(many_pages_are_granted_and_taken_back, .timeout = 60)
{
	enum {
		PAGES = 512
	};
	struct ioctl_gntdev_grant_memory *op =
		malloc(sizeof(*op) + PAGES * sizeof(op->refs[0]));
	uint8_t *at = anonymous(PAGES);
	int fd = dev_open();

	for (int i = 0; i < 8; i++) {
		op->addr = (uintptr_t)at;
		op->count = PAGES;
		op->domid = granter_domid();
		op->flags = WRITABLE;
		EXPECT(ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, op) ? -errno : 0,
		       0);
		for (int j = 1; j < PAGES; j++)
			CHECK(op->refs[j] != op->refs[j - 1],
			      "reference %u is there twice", op->refs[j]);
		EXPECT(ungrant_memory(fd, op->index, PAGES), 0);
	}
}
