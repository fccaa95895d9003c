// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* SET_UNMAP_NOTIFY: which notifications are taken, and the byte. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "events.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define CLEAR UNMAP_NOTIFY_CLEAR_BYTE
#define SEND UNMAP_NOTIFY_SEND_EVENT

/* The granter's page is what it was, but for one byte that is 0. */
static void check_cleared(uint32_t ref, unsigned int number, unsigned int byte)
{
	uint8_t page[PAGE];

	granter_read(ref, 0, page, PAGE);
	EQUAL(page[byte], 0);
	page[byte] = content(number, byte);
	check_page(page, number);
}

TEST(byte_is_cleared_at_munmap)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index + 123, CLEAR, 0), 0);
	check_whole(&range);
	must_munmap(range.at, 1);
	check_cleared(range.refs[0], 0, 123);
}

TEST(first_and_last_byte_of_a_page_can_be_cleared)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index, CLEAR, 0), 0);
	EXPECT(dev_notify(range.fd, range.index + 3 * PAGE - 1, CLEAR, 0), 0);
	must_munmap(range.at, 3);
	check_cleared(range.refs[0], 0, 0);
	check_granters_page(range.refs[1], 1);
	check_cleared(range.refs[2], 2, 4095);
}

TEST(each_page_has_its_own_notification)
{
	struct mapped range = map_some(dev_open(), 4, READ_WRITE);

	for (unsigned int i = 0; i < 4; i++)
		EXPECT(dev_notify(range.fd, range.index + i * PAGE + 10 * i + 1,
				  CLEAR, 0),
		       0);
	must_munmap(range.at, 4);
	for (unsigned int i = 0; i < 4; i++)
		check_cleared(range.refs[i], i, 10 * i + 1);
}

TEST(later_notification_replaces_the_pages_earlier_one)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index + 100, CLEAR, 0), 0);
	EXPECT(dev_notify(range.fd, range.index + PAGE + 100, CLEAR, 0), 0);
	EXPECT(dev_notify(range.fd, range.index + 200, CLEAR, 0), 0);
	must_munmap(range.at, 2);
	check_cleared(range.refs[0], 0, 200);
	check_cleared(range.refs[1], 1, 100);
}

TEST(action_zero_cancels)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index + 100, CLEAR, 0), 0);
	EXPECT(dev_notify(range.fd, range.index + PAGE + 100, CLEAR, 0), 0);
	EXPECT(dev_notify(range.fd, range.index + 55, 0, 0), 0);
	must_munmap(range.at, 2);
	check_granters_page(range.refs[0], 0);
	check_cleared(range.refs[1], 1, 100);
}

TEST(action_zero_needs_no_notification_to_cancel)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index, 0, 12345), 0);
	must_munmap(range.at, 1);
	check_granters_page(range.refs[0], 0);
}

TEST(notification_may_be_set_before_mmap)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	EXPECT(dev_notify(range.fd, range.index + PAGE + 7, CLEAR, 0), 0);
	range.at = must_mmap(range.fd, range.index, 2, READ_WRITE);
	check_whole(&range);
	must_munmap(range.at, 2);
	check_cleared(range.refs[1], 1, 7);
}

TEST(notification_is_spent_at_munmap)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index + 9, CLEAR, 0), 0);
	must_munmap(range.at, 1);
	check_cleared(range.refs[0], 0, 9);
	granter_fill(range.refs, 1, 0);
	range.at = must_mmap(range.fd, range.index, 1, READ_WRITE);
	must_munmap(range.at, 1);
	EXPECT(dev_remove(range.fd, range.index, 1), 0);
	check_granters_page(range.refs[0], 0);
}

TEST(page_that_was_never_mapped_is_never_written)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	EXPECT(dev_notify(range.fd, range.index + 9, CLEAR, 0), 0);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
	check_granters_page(range.refs[0], 0);

	range.index = must_insert(range.fd, range.refs, 2);
	EXPECT(dev_notify(range.fd, range.index + 9, CLEAR, 0), 0);
	close(range.fd);
	check_granters_page(range.refs[0], 0);
}

TEST(page_of_a_failed_mmap_is_not_written)
{
	int fd = dev_open();
	uint32_t refs[3];
	uint64_t index;

	granter_alloc(refs, 2, true);
	granter_fill(refs, 2, 0);
	refs[2] = BAD_REF;
	index = must_insert(fd, refs, 3);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(dev_notify(fd, index + i * PAGE + 50, CLEAR, 0), 0);
	EXPECT(dev_try_mmap(fd, index, 3 * PAGE, READ_WRITE, MAP_SHARED),
	       -EINVAL);
	EXPECT(dev_remove(fd, index, 3), 0);
	check_granters_page(refs[0], 0);
	check_granters_page(refs[1], 1);
}

/* Set after munmap, for a mapping that does not come any more. */
TEST(page_that_is_no_longer_mapped_is_not_written)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	must_munmap(range.at, 1);
	EXPECT(dev_notify(range.fd, range.index + 9, CLEAR, 0), 0);
	EXPECT(dev_remove(range.fd, range.index, 1), 0);
	check_granters_page(range.refs[0], 0);
}

TEST(unknown_actions_are_einval)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	for (unsigned int bit = 2; bit < 32; bit++) {
		EXPECT(dev_notify(range.fd, range.index, 1u << bit, 0),
		       -EINVAL);
		EXPECT(dev_notify(range.fd, range.index, CLEAR | 1u << bit, 0),
		       -EINVAL);
	}
	must_munmap(range.at, 1);
	check_granters_page(range.refs[0], 0);
}

TEST(refused_notification_leaves_the_earlier_one)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index + 9, CLEAR, 0), 0);
	EXPECT(dev_notify(range.fd, range.index + 10, CLEAR | 4, 0), -EINVAL);
	EXPECT(dev_notify(range.fd, range.index + 11, CLEAR | SEND, 0x7fffffff),
	       -EINVAL);
	must_munmap(range.at, 1);
	check_cleared(range.refs[0], 0, 9);
}

TEST(index_in_no_range_is_enoent)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	uint64_t end = range.index + 2 * PAGE;

	EXPECT(dev_notify(range.fd, end, CLEAR, 0), -ENOENT);
	EXPECT(dev_notify(range.fd, end + 1, CLEAR, 0), -ENOENT);
	EXPECT(dev_notify(range.fd, end + 100 * PAGE, 0, 0), -ENOENT);
	EXPECT(dev_notify(range.fd, ~0ULL, CLEAR, 0), -ENOENT);
	EXPECT(dev_notify(range.fd, end - 1, CLEAR, 0), 0);
	unmap_some(&range);
	EXPECT(dev_notify(range.fd, range.index, CLEAR, 0), -ENOENT);
}

TEST(index_of_another_instance_is_enoent)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	int other = dev_open();

	EXPECT(dev_notify(other, range.index, CLEAR, 0), -ENOENT);
}

TEST(byte_of_a_range_mapped_read_only_cannot_be_cleared)
{
	struct mapped range = map_some(dev_open(), 2, PROT_READ);

	EXPECT(dev_notify(range.fd, range.index, CLEAR, 0), -EINVAL);
	EXPECT(dev_notify(range.fd, range.index + PAGE, CLEAR, 0), -EINVAL);
	check_whole(&range);
	unmap_some(&range);
	check_granters_page(range.refs[0], 0);
}

/*
 * A kernel that lets this pass stores to a page that the hypervisor mapped
 * read-only, when it is unmapped.
 */
TEST(range_with_a_byte_to_clear_cannot_be_mapped_read_only)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	EXPECT(dev_notify(range.fd, range.index + PAGE, CLEAR, 0), 0);
	EXPECT(dev_try_mmap(range.fd, range.index, 2 * PAGE, PROT_READ,
			    MAP_SHARED),
	       -EINVAL);
	EQUAL(granter_wait_idle(range.refs, 2, 2000), 0);
	check_granters_page(range.refs[1], 1);
}

TEST(read_only_grant_with_a_byte_to_clear_cannot_be_mapped)
{
	int fd = dev_open();
	uint64_t index;
	uint32_t ref;

	granter_alloc(&ref, 1, false);
	granter_fill(&ref, 1, 0);
	index = must_insert(fd, &ref, 1);
	EXPECT(dev_notify(fd, index + 5, CLEAR, 0), 0);
	EXPECT(dev_try_mmap(fd, index, PAGE, PROT_READ, MAP_SHARED), -EINVAL);
	EXPECT(dev_try_mmap(fd, index, PAGE, READ_WRITE, MAP_SHARED), -EINVAL);
	EXPECT(dev_notify(fd, index + 5, 0, 0), 0);
	EXPECT(dev_try_mmap(fd, index, PAGE, PROT_READ, MAP_SHARED), 0);
	check_granters_page(ref, 0);
}

/* How a child ends that has a range with a byte to clear. */
enum end {
	EXIT,
	CRASH,
	KILL
};

struct ending {
	/* Opened by the child alone, or -1: then here too. */
	int fd;
	uint32_t ref;
	enum end end;
};

static void map_and_end(void *argument)
{
	struct ending *ending = argument;
	int fd = ending->fd < 0 ? dev_open() : ending->fd;
	uint64_t index = must_insert(fd, &ending->ref, 1);
	int *volatile nowhere = (int *)8;

	check_page(must_mmap(fd, index, 1, READ_WRITE), 0);
	EXPECT(dev_notify(fd, index + 31, CLEAR, 0), 0);
	if (ending->end == CRASH)
		*nowhere = 0;
	if (ending->end == KILL)
		kill(getpid(), SIGKILL);
}

static void check_cleared_after(enum end end, int fd)
{
	static const int signals[] = {0, SIGSEGV, SIGKILL};
	struct ending ending = {.fd = fd, .end = end};

	granter_alloc(&ending.ref, 1, true);
	granter_fill(&ending.ref, 1, 0);
	EQUAL(child_signal(child_start(map_and_end, &ending)), signals[end]);
	check_cleared(ending.ref, 0, 31);
	EQUAL(granter_wait_idle(&ending.ref, 1, 5000), 0);
}

TEST(byte_is_cleared_at_exit)
{
	check_cleared_after(EXIT, -1);
}

TEST(byte_is_cleared_at_a_crash)
{
	check_cleared_after(CRASH, -1);
}

TEST(byte_is_cleared_when_killed)
{
	check_cleared_after(KILL, -1);
}

/* It is the mapping that ends, not the instance. */
TEST(byte_is_cleared_at_exit_though_the_device_is_open_elsewhere)
{
	check_cleared_after(EXIT, dev_open());
	check_cleared_after(KILL, dev_open());
}

TEST(byte_is_not_cleared_at_close)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index + 9, CLEAR, 0), 0);
	close(range.fd);
	check_whole(&range);
	must_munmap(range.at, 1);
	check_cleared(range.refs[0], 0, 9);
}

/* A thread that stores until it cannot any more. */
static __thread sigjmp_buf stopped;
static volatile uint8_t *target;
static atomic_uint stores;

static void on_stop(int number)
{
	(void)number;
	siglongjmp(stopped, 1);
}

static void *store(void *argument)
{
	(void)argument;
	if (sigsetjmp(stopped, 1))
		return NULL;
	for (;;) {
		*target = 1;
		stores++;
	}
}

/* By munmap, or by another mapping in its place. */
static void end_beside_a_store(bool over)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	pthread_t thread;

	EXPECT(dev_notify(range.fd, range.index + 5, UNMAP_NOTIFY_CLEAR_BYTE,
			  0),
	       0);
	target = range.at + 5;
	stores = 0;
	CHECK(!pthread_create(&thread, NULL, store, NULL), "pthread_create");
	while (stores < 1000)
		;
	if (over)
		CHECK(mmap(range.at, PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			   0) == range.at,
		      "mmap over it: %s", error_name(errno));
	else
		must_munmap(range.at, 1);
	EQUAL(granter_byte(range.refs[0], 5), 0);
	pthread_join(thread, NULL);
	EQUAL(granter_wait_idle(range.refs, 1, 5000), 0);
	EQUAL(granter_byte(range.refs[0], 5), 0);
	if (over)
		munmap(range.at, PAGE);
	close(range.fd);
}

TEST(byte_stays_cleared_though_a_thread_stores_until_munmap, .timeout = 100)
{
	struct sigaction action = {.sa_handler = on_stop,
				   .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (unsigned int i = 0; i < 15; i++) {
		end_beside_a_store(false);
		end_beside_a_store(true);
	}
}
