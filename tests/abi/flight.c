// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * munmap, removal, exit and close while pages are still in the hands of
 * somebody else. A page in a pipe stands for any I/O: vmsplice() puts the page
 * itself there, and it stays until it is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dev.h"
#include "disk.h"
#include "events.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* What returns at once takes less, whatever the machine; a wait takes more. */
#define AT_ONCE 1000
#define A_WHILE 200u

struct held {
	int fds[2];
	unsigned int pages;
};

static struct held hold(const uint8_t *at, unsigned int pages)
{
	struct iovec part = {(void *)at, pages * PAGE};
	struct held held = {.pages = pages};

	CHECK(!pipe(held.fds), "pipe: %s", error_name(errno));
	CHECK(vmsplice(held.fds[1], &part, 1, 0) == (ssize_t)(pages * PAGE),
	      "vmsplice: %s", error_name(errno));
	return held;
}

/* Read what the pipe holds: page @first of the contents, and on. */
static void let_go(const struct held *held, unsigned int first)
{
	uint8_t page[PAGE];

	for (unsigned int i = 0; i < held->pages; i++) {
		EQUAL(read(held->fds[0], page, PAGE), PAGE);
		check_page(page, first + i);
	}
}

static void munmap_at_once(const struct mapped *range)
{
	long long before = milliseconds(), after;

	must_munmap(range->at, range->pages);
	after = milliseconds();
	CHECK(after - before < AT_ONCE, "munmap took %lld ms", after - before);
}

TEST(munmap_returns_at_once_and_the_grant_follows_later)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct held held = hold(range.at, 1);

	munmap_at_once(&range);
	EQUAL(granter_wait_idle(range.refs, 1, A_WHILE), 1);
	let_go(&held, 0);
	EQUAL(granter_wait_idle(range.refs, 1, 5000), 0);
}

TEST(removal_succeeds_at_once_while_pages_are_held)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct held held = hold(range.at, 2);
	long long before;

	munmap_at_once(&range);
	before = milliseconds();
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
	CHECK(milliseconds() - before < AT_ONCE, "removal took %lld ms",
	      milliseconds() - before);
	EXPECT(dev_remove(range.fd, range.index, 2), -ENOENT);
	EQUAL(granter_wait_idle(range.refs, 2, A_WHILE), 2);
	let_go(&held, 0);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
}

TEST(close_returns_at_once_while_pages_are_held)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct held held = hold(range.at, 2);
	long long before;

	munmap_at_once(&range);
	before = milliseconds();
	close(range.fd);
	CHECK(milliseconds() - before < AT_ONCE, "close took %lld ms",
	      milliseconds() - before);
	EQUAL(granter_wait_idle(range.refs, 2, A_WHILE), 2);
	let_go(&held, 0);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
}

/* The page is the granter's until the end: changes show in the pipe. */
TEST(held_page_is_still_the_granters)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct held held = hold(range.at, 1);

	unmap_some(&range);
	granter_fill(range.refs, 1, 44);
	let_go(&held, 44);
}

TEST(pages_that_nobody_holds_are_given_back_before)
{
	struct mapped range = map_some(dev_open(), 4, READ_WRITE);
	struct held held = hold(range.at + 2 * PAGE, 1);

	unmap_some(&range);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
	EQUAL(granter_wait_idle(&range.refs[3], 1, 5000), 0);
	EQUAL(granter_busy(&range.refs[2], 1), 1);
	let_go(&held, 2);
	EQUAL(granter_wait_idle(range.refs, 4, 5000), 0);
}

/* One after the other, not in the order in which they were unmapped. */
TEST(every_held_page_comes_back_in_any_order)
{
	static const unsigned int order[] = {3, 0, 5, 1, 4, 2};
	struct mapped range = map_some(dev_open(), 6, READ_WRITE);
	struct held held[6];

	for (unsigned int i = 0; i < 6; i++)
		held[i] = hold(range.at + i * PAGE, 1);
	unmap_some(&range);
	EQUAL(granter_wait_idle(range.refs, 6, A_WHILE), 6);
	for (unsigned int i = 0; i < 6; i++) {
		let_go(&held[order[i]], order[i]);
		EQUAL(granter_wait_idle(&range.refs[order[i]], 1, 5000), 0);
		EQUAL(granter_busy(range.refs, 6), 5 - i);
	}
}

TEST(many_ranges_with_held_pages_come_back)
{
	struct mapped ranges[12];
	struct held held[12];
	int fd = dev_open();

	for (unsigned int i = 0; i < 12; i++) {
		ranges[i] = map_some(fd, 2, READ_WRITE);
		held[i] = hold(ranges[i].at + i % 2 * PAGE, 1);
		unmap_some(&ranges[i]);
	}
	for (unsigned int i = 0; i < 12; i++)
		let_go(&held[11 - i], (11 - i) % 2);
	for (unsigned int i = 0; i < 12; i++)
		EQUAL(granter_wait_idle(ranges[i].refs, 2, 5000), 0);
}

TEST(range_with_held_pages_may_be_mapped_again)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct held held = hold(range.at, 2);

	munmap_at_once(&range);
	range.at = must_mmap(range.fd, range.index, 2, READ_WRITE);
	check_whole(&range);
	let_go(&held, 0);
	sleep_ms(100);
	check_whole(&range);
	EQUAL(granter_busy(range.refs, 2), 2);
	unmap_some(&range);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
}

/* What the kernel has allocated in all, in KiB. */
static long kernel_memory(void)
{
	long kib, sum = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");

	CHECK(file, "/proc/meminfo: %s", error_name(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Slab: %ld", &kib) == 1 ||
		    sscanf(line, "VmallocUsed: %ld", &kib) == 1)
			sum += kib;
	}
	fclose(file);

	return sum;
}

TEST(what_waits_costs_by_the_pages_that_are_held, .timeout = 60)
{
	enum {
		RANGES = 12,
		PAGES = 4096,
		DIFFERENT = 64
	};
	uint32_t refs[PAGES];
	struct held held[RANGES];
	int fd = dev_open();
	long before, grown;

	if (world.machine)
		SKIP("the memory is this process's there");
	granter_alloc(refs, DIFFERENT, true);
	for (unsigned int i = DIFFERENT; i < PAGES; i++)
		refs[i] = refs[i % DIFFERENT];
	before = kernel_memory();
	for (unsigned int i = 0; i < RANGES; i++) {
		uint64_t index = must_insert(fd, refs, PAGES);
		uint8_t *at = must_mmap(fd, index, PAGES, READ_WRITE);

		held[i] = hold(at + i * PAGE, 1);
		must_munmap(at, PAGES);
		EXPECT(dev_remove(fd, index, PAGES), 0);
	}
	grown = kernel_memory() - before;
	tap_note("%d KiB for %d pages of %d ranges of %d", (int)grown, RANGES,
		 RANGES, PAGES);
	/* A range's arrays alone are 48 KiB, or 96. */
	CHECK(grown < RANGES * 32, "%ld KiB more, for %d held pages", grown,
	      RANGES);
	for (unsigned int i = 0; i < RANGES; i++) {
		close(held[i].fds[0]);
		close(held[i].fds[1]);
	}
	EQUAL(granter_wait_idle(refs, DIFFERENT, 5000), 0);
}

static int compare(const void *left, const void *right)
{
	long long l = *(const long long *)left, r = *(const long long *)right;

	return l < r ? -1 : l > r;
}

/* However long that had them: nobody tells the driver, so it has to look. */
TEST(grant_is_back_soon_after_its_last_user, .timeout = 60)
{
	enum {
		PAGES = 15,
		SOON = 60, /* ms; looks a quarter of a second apart take 128 */
	};
	struct mapped range = map_some(dev_open(), PAGES, READ_WRITE);
	struct held held[PAGES];
	long long took[PAGES];

	for (unsigned int i = 0; i < PAGES; i++)
		held[i] = hold(range.at + i * PAGE, 1);
	unmap_some(&range);
	sleep_ms(1500);
	for (unsigned int i = 0; i < PAGES; i++) {
		sleep_ms(i * 37 % 50);
		took[i] = milliseconds();
		let_go(&held[i], i);
		EQUAL(granter_wait_idle(&range.refs[i], 1, 2000), 0);
		took[i] = milliseconds() - took[i];
	}
	qsort(took, PAGES, sizeof(took[0]), compare);
	tap_note("median %lld ms, worst %lld ms", took[PAGES / 2],
		 took[PAGES - 1]);
	CHECK(took[PAGES / 2] < SOON,
	      "%lld ms in the median, expected below %d", took[PAGES / 2],
	      SOON);
}

TEST(page_held_twice_waits_for_the_last)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct held one = hold(range.at, 1), other = hold(range.at, 1);

	unmap_some(&range);
	let_go(&one, 0);
	EQUAL(granter_wait_idle(range.refs, 1, A_WHILE), 1);
	let_go(&other, 0);
	EQUAL(granter_wait_idle(range.refs, 1, 5000), 0);
}

struct ending {
	uint32_t refs[2];
	struct held held;
	bool kill;
};

static void hold_and_end(void *argument)
{
	struct ending *ending = argument;
	int fd = dev_open();
	uint8_t *at =
		must_mmap(fd, must_insert(fd, ending->refs, 2), 2, READ_WRITE);
	struct iovec part = {at, 2 * PAGE};

	EQUAL(vmsplice(ending->held.fds[1], &part, 1, 0), 2 * PAGE);
	if (ending->kill)
		kill(getpid(), SIGKILL);
}

static void check_held_after(bool killed)
{
	struct ending ending = {.held.pages = 2, .kill = killed};
	long long before = milliseconds();

	granter_alloc(ending.refs, 2, true);
	granter_fill(ending.refs, 2, 0);
	CHECK(!pipe(ending.held.fds), "pipe: %s", error_name(errno));
	EQUAL(child_signal(child_start(hold_and_end, &ending)),
	      killed ? SIGKILL : 0);
	CHECK(milliseconds() - before < 2 * AT_ONCE,
	      "the process ended after %lld ms", milliseconds() - before);
	EQUAL(granter_wait_idle(ending.refs, 2, A_WHILE), 2);
	let_go(&ending.held, 0);
	EQUAL(granter_wait_idle(ending.refs, 2, 5000), 0);
}

TEST(held_page_outlives_the_exit_of_its_process)
{
	check_held_after(false);
}

TEST(held_page_outlives_the_kill_of_its_process)
{
	check_held_after(true);
}

/* The order holds here too: byte, unmapped, event. */
TEST(event_waits_for_the_held_page)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	unsigned int granters = granter_port(), port;
	struct held held;
	struct seen seen;
	int fd;

	port = bind_port(granters, &fd);
	while (granter_wait_event(granters, range.refs[1], 0, 20).event)
		;
	granter_write(range.refs[1], 40, "x", 1);
	EXPECT(dev_notify(range.fd, range.index + PAGE + 40,
			  UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
			  port),
	       0);
	while (granter_wait_event(granters, range.refs[1], 0, 20).event)
		;
	held = hold(range.at + PAGE, 1);
	munmap_at_once(&range);
	seen = granter_wait_event(granters, range.refs[1], 40, A_WHILE);
	CHECK(!seen.event || !seen.busy,
	      "the event came before the page was unmapped");
	close(held.fds[0]);
	close(held.fds[1]);
	if (!seen.event)
		seen = granter_wait_event(granters, range.refs[1], 40, 5000);
	CHECK(seen.event, "no event");
	EQUAL(seen.byte, 0);
	CHECK(!seen.busy, "the event came before the page was unmapped");
}

/* Who holds the page may write to it: the byte is cleared when he lets go. */
TEST(byte_of_a_held_page_is_cleared_when_it_is_let_go)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct held held;

	for (unsigned int i = 0; i < 2; i++)
		EXPECT(dev_notify(range.fd, range.index + i * PAGE + 40,
				  UNMAP_NOTIFY_CLEAR_BYTE, 0),
		       0);
	held = hold(range.at + PAGE, 1);
	munmap_at_once(&range);
	EQUAL(granter_byte(range.refs[0], 40), 0);
	EQUAL(granter_byte(range.refs[1], 40), content(1, 40));
	close(held.fds[0]);
	close(held.fds[1]);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
	EQUAL(granter_byte(range.refs[1], 40), 0);
}

static long aio(int number, long a, long b, void *c, void *d, void *e)
{
	return syscall(number, a, b, c, d, e);
}

/* Real I/O: the disk reads into pages that are unmapped meanwhile. */
static void read_and_unmap(int direct, unsigned int round)
{
	struct mapped range = map_some(dev_open(), SOME, READ_WRITE);
	struct io_event event = {0};
	aio_context_t context = 0;
	struct iocb block =
			    {
				    .aio_lio_opcode = IOCB_CMD_PREAD,
				    .aio_fildes = direct,
				    .aio_buf = (uintptr_t)range.at,
				    .aio_nbytes = SOME * PAGE,
			    },
		    *blocks = &block;

	CHECK(!syscall(SYS_io_setup, 4, &context), "io_setup: %s",
	      error_name(errno));
	EQUAL(aio(SYS_io_submit, context, 1, &blocks, NULL, NULL), 1);
	munmap_at_once(&range);
	EXPECT(dev_remove(range.fd, range.index, SOME), 0);
	EQUAL(aio(SYS_io_getevents, context, 1, (void *)1, &event, NULL), 1);
	EQUAL((long)event.res, SOME * PAGE);
	for (unsigned int i = 0; i < SOME; i++)
		check_granters_page(range.refs[i], round + i);
	EQUAL(granter_wait_idle(range.refs, SOME, 5000), 0);
	syscall(SYS_io_destroy, context);
	close(range.fd);
}

TEST(disk_reads_into_pages_that_are_being_unmapped)
{
	int direct = disk_open(O_DIRECT), plain = disk_open(0);

	for (unsigned int round = 1; round <= 10; round++) {
		disk_fill(plain, SOME, round);
		read_and_unmap(direct, round);
	}
}
