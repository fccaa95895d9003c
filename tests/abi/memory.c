// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GRANT_MEMORY and UNGRANT_MEMORY: memory that a program has, granted. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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
#include "lent.h"
#include "process.h"
#include "tap.h"
#include "util.h"

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
