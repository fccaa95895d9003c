// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The hypervisor's handles: every mapping of a grant takes one, and a domain has
 * so many. When others have all of them, a mapping that was made stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "hypercall.h"
#include "process.h"
#include "tap.h"
#include "world.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
/* More than the driver may have put aside. */
#define MANY 100u
/* Grants, and each is mapped HYPERCALL_BATCH times: the counter has 8 bits. */
#define SPENT 2300u
#define PATIENCE_MS 150000

/* Who has all handles: a process of its own, which gives them back at its end. */
struct filler {
	uint32_t refs[SPENT];
	struct gate filled, end;
	pid_t process;
};

static struct filler filler;

static void fill(void *argument)
{
	struct device_mapping *made =
		calloc((size_t)SPENT * HYPERCALL_BATCH, sizeof(*made));
	unsigned int count = 0, i, n;
	int got = 1;
	char byte;

	(void)argument;
	CHECK(made, "no memory");
	close(filler.end.fds[1]);
	for (i = 0; i < SPENT && got > 0; i++) {
		got = hypercall_map(granter_domid(), filler.refs[i],
				    HYPERCALL_BATCH, made + count);
		count += got > 0 ? (unsigned int)got : 0;
	}
	CHECK(!got, "%u handles did not do: %s", count, error_name(-got));
	tap_note("%u handles taken", count);
	gate_open(&filler.filled);
	while (read(filler.end.fds[0], &byte, 1) > 0)
		;
	for (i = 0; i < count; i += n) {
		n = count - i < HYPERCALL_BATCH ? count - i : HYPERCALL_BATCH;
		EXPECT(hypercall_unmap(made + i, n), 0);
	}
}

static void filler_start(void)
{
	struct pollfd poller;

	if (world.auto_translated)
		SKIP("a mapping has all its handles from the beginning here");
	if (world.machine || !granter_is_self())
		SKIP("a domain's own grants and its hypercalls are needed");
	granter_alloc(filler.refs, SPENT, true);
	filler.filled = gate_make();
	filler.end = gate_make();
	filler.process = child_start(fill, NULL);
	close(filler.end.fds[0]);
	poller = (struct pollfd){.fd = filler.filled.fds[0], .events = POLLIN};
	CHECK(poll(&poller, 1, PATIENCE_MS) == 1, "not filled in time");
}

static void filler_end(void)
{
	close(filler.end.fds[1]);
	child_must_pass(filler.process);
}

struct many {
	int fd;
	uint64_t index;
	uint8_t *at;
	uint32_t refs[MANY];
};

static struct many map_many(void)
{
	struct many many = {.fd = dev_open()};

	granter_alloc(many.refs, MANY, true);
	granter_fill(many.refs, MANY, 0);
	many.index = must_insert(many.fd, many.refs, MANY);
	many.at = must_mmap(many.fd, many.index, MANY, READ_WRITE);
	return many;
}

static void check_many(const struct many *many, bool writable)
{
	EQUAL(granter_busy(many->refs, MANY), MANY);
	for (unsigned int i = 0; i < MANY; i++) {
		EQUAL(read_fault(many->at + i * PAGE), 0);
		check_page(many->at + i * PAGE, i);
		if (writable)
			EQUAL(write_fault(many->at + i * PAGE + 1,
					  content(i, 1)),
			      0);
	}
	EQUAL(granter_busy(many->refs, MANY), MANY);
}

/* Whatever takes its entries away, the mapping is there after it. */
static void check_survives(const struct many *many)
{
	const size_t size = MANY * PAGE;

	for (int round = 0; round < 3; round++) {
		CHECK(!mprotect(many->at, size, PROT_READ), "mprotect: %s",
		      error_name(errno));
		check_many(many, false);
		CHECK(!mprotect(many->at, size, PROT_NONE), "mprotect: %s",
		      error_name(errno));
		EQUAL(granter_busy(many->refs, MANY), MANY);
		CHECK(!mprotect(many->at, size, READ_WRITE), "mprotect: %s",
		      error_name(errno));
		check_many(many, true);
		CHECK(!madvise(many->at, size, MADV_DONTNEED), "madvise: %s",
		      error_name(errno));
		check_many(many, true);
		EXPECT(write_line("/proc/self/clear_refs", "4"), 0);
		check_many(many, true);
	}
}

static void end_many(const struct many *many)
{
	must_munmap(many->at, MANY);
	EXPECT(dev_remove(many->fd, many->index, MANY), 0);
	EQUAL(granter_wait_idle(many->refs, MANY, 5000), 0);
}

TEST(mapping_survives_mprotect_without_handles, .timeout = 300)
{
	struct many many = map_many();
	uint64_t index;
	uint32_t ref;

	filler_start();
	granter_alloc(&ref, 1, true);
	index = must_insert(many.fd, &ref, 1);
	EXPECT(dev_try_mmap(many.fd, index, PAGE, READ_WRITE, MAP_SHARED),
	       -ENOMEM);
	check_survives(&many);
	filler_end();
	check_survives(&many);
	EXPECT(dev_try_mmap(many.fd, index, PAGE, READ_WRITE, MAP_SHARED), 0);
	end_many(&many);
}

/* Another instance of the device, which takes each handle that gets free. */
static void grab(void *argument)
{
	const uint32_t *refs = argument;
	uint64_t index[MANY];
	void *at[MANY] = {0};
	int fd = dev_open();

	for (unsigned int i = 0; i < MANY; i++)
		index[i] = must_insert(fd, &refs[i], 1);
	for (unsigned int i = 0;; i = (i + 1) % MANY) {
		if (!at[i])
			at[i] = dev_mmap(fd, index[i], 1, READ_WRITE);
	}
}

TEST(mapping_survives_while_another_takes_each_free_handle, .timeout = 300)
{
	struct many many = map_many();
	uint32_t refs[MANY];
	pid_t grabber;

	filler_start();
	granter_alloc(refs, MANY, true);
	grabber = child_start(grab, refs);
	sleep_ms(200);
	check_survives(&many);
	child_kill(grabber);
	filler_end();
	end_many(&many);
}

/* A byte to be cleared is promised when it is armed, or not at all. */
TEST(byte_is_cleared_without_handles, .timeout = 300)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index + 7, UNMAP_NOTIFY_CLEAR_BYTE,
			  0),
	       0);
	filler_start();
	EXPECT(dev_notify(range.fd, range.index + PAGE + 7,
			  UNMAP_NOTIFY_CLEAR_BYTE, 0),
	       -ENOMEM);
	must_munmap(range.at, 2);
	EQUAL(granter_byte(range.refs[0], 7), 0);
	EQUAL(granter_byte(range.refs[1], 7), content(1, 7));
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
	filler_end();
}
