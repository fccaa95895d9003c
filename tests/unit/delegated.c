// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Callers that do a part of a GRANT_COPY themselves, as a server has them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define RW (PROT_READ | PROT_WRITE)
#define MOST 640

typedef struct gntdev_grant_copy_segment segment_t;

/* The other process's, at the same address as here before fork. */
static unsigned char *theirs;
static segment_t *segments; /* theirs too; what is here was sent along */
static struct ioctl_gntdev_grant_copy *op;

static pid_t child;
static struct task *task;
static struct file *file;

static struct delegated_copies delegated;
static unsigned int runs; /* in the middle of calls */
static bool reached, done;

static void write_there(uint64_t to, const void *from, size_t size)
{
	struct iovec here = {(void *)from, size};
	struct iovec there = {(void *)(uintptr_t)to, size};

	CHECK_EQ(process_vm_writev(child, &here, 1, &there, 1, 0), size);
}

static void read_there(void *to, const void *from, size_t size)
{
	struct iovec here = {to, size};
	struct iovec there = {(void *)from, size};

	CHECK_EQ(process_vm_readv(child, &here, 1, &there, 1, 0), size);
}

/* As the caller does it. */
static void work(struct delegated_copies *e)
{
	const struct delegated_piece *piece = &e->pieces[1];
	const struct delegated_copy *copy = e->copies;

	for (; copy < e->copies + e->count; copy++) {
		unsigned char *memory =
			domain_memory(domain_get(copy->domid)) + copy->offset;

		if (copy->in)
			write_there(copy->addr, memory, copy->size);
		else
			read_there(memory, (void *)(uintptr_t)copy->addr,
				   copy->size);
	}
	write_there(piece->addr + piece->first, piece->bytes + piece->first,
		    piece->last - piece->first);
}

static void run(struct delegated_copies *e)
{
	runs++;
	work(e);
}

static bool reaches(struct delegated_copies *e, unsigned int domid, bool write)
{
	return reached && domid == 1;
}

static bool is_done(struct delegated_copies *e)
{
	return done;
}

static void *shared(size_t size)
{
	return mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void start(void)
{
	world_start();
	grant(8, false);
	theirs = shared(96 * PAGE);
	segments = shared(MOST * sizeof(*segments));
	op = shared(PAGE);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	task = task_new(world.mapper, child);
	CHECK_EQ(file_open(task, "gntdev", O_RDWR, &file), 0);
	delegated.reaches = reaches;
	delegated.run = run;
	delegated.is_done = is_done;
	reached = true;
	done = false;
	runs = 0;
}

static void stop(void)
{
	delegated_end(&delegated);
	task_exit(task);
	file_close(NULL, file);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(theirs, 96 * PAGE);
	munmap(segments, MOST * sizeof(*segments));
	munmap(op, PAGE);
	world_stop();
}

static void from_grant(unsigned int i, unsigned int ref, void *to,
		       unsigned int size)
{
	segments[i] = (segment_t){.flags = 1, .len = size, .status = 99};
	segments[i].source.foreign.domid = 1;
	segments[i].source.foreign.ref = world.refs[ref];
	segments[i].dest.virt = to;
}

static long copy(unsigned int count)
{
	*op = (struct ioctl_gntdev_grant_copy){.count = count,
					       .segments = segments};
	write_there((uintptr_t)op, op, sizeof(*op));
	write_there((uintptr_t)segments, segments, count * sizeof(*segments));
	delegated.count = 0;
	delegated.pieces[0] = (struct delegated_piece){
		.addr = (uintptr_t)op,
		.size = sizeof(*op),
		.bytes = (unsigned char *)op,
	};
	delegated.pieces[1] = (struct delegated_piece){
		.addr = (uintptr_t)segments,
		.size = count * sizeof(*segments),
		.bytes = (unsigned char *)segments,
	};

	return file_ioctl_delegating(task, file, IOCTL_GNTDEV_GRANT_COPY,
				     (uintptr_t)op, false, &delegated);
}

static int byte(const void *at)
{
	unsigned char value;

	read_there(&value, at, 1);
	return value;
}

/* As the other process sees it. */
static int status_of(unsigned int i)
{
	segment_t s;

	read_there(&s, &segments[i], sizeof(s));
	return s.status;
}

static void a_grant_is_in_use_until_its_copy_is_done(void)
{
	start();
	from_grant(0, 2, theirs, PAGE);
	CHECK_EQ(copy(1), 0);
	CHECK_EQ(delegated.count, 1);
	CHECK_EQ(byte(theirs), 0);
	CHECK_EQ(status_of(0), 99);
	CHECK(domain_grant_flags(world.granter, world.refs[2]) & 8);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[2]), -EBUSY);
	work(&delegated);
	CHECK_EQ(byte(theirs), 'C');
	CHECK_EQ(status_of(0), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[2]), -EBUSY);
	done = true;
	CHECK(!(domain_grant_flags(world.granter, world.refs[2]) & 8));
	CHECK_EQ(runs, 0);
	stop();
}

static void who_is_gone_uses_nothing(void)
{
	start();
	from_grant(0, 2, theirs, PAGE);
	CHECK_EQ(copy(1), 0);
	delegated_end(&delegated);
	CHECK(!(domain_grant_flags(world.granter, world.refs[2]) & 8));
	delegated_end(&delegated);
	stop();
}

static void neighbours_are_one_copy(void)
{
	unsigned int i;

	start();
	for (i = 0; i < 8; i++)
		from_grant(i, i, theirs + i * PAGE, PAGE);
	CHECK_EQ(copy(8), 0);
	CHECK_EQ(delegated.count, 1);
	CHECK_EQ(delegated.copies[0].size, 8 * PAGE);
	work(&delegated);
	for (i = 0; i < 8; i++)
		CHECK_EQ(byte(theirs + i * PAGE), 'A' + i);
	stop();
}

static void both_directions_keep_their_order(void)
{
	start();
	from_grant(0, 0, theirs, 1);
	from_grant(1, 1, theirs, 1);
	segments[2] = (segment_t){.flags = 2, .len = 1, .status = 99};
	segments[2].dest.foreign.domid = 1;
	segments[2].dest.foreign.ref = world.refs[2];
	segments[2].source.virt = theirs;
	CHECK_EQ(copy(3), 0);
	CHECK_EQ(delegated.count, 3);
	work(&delegated);
	CHECK_EQ(granted(2)[0], 'B');
	stop();
}

static void a_copy_over_the_request_is_done_at_once(void)
{
	start();
	from_grant(0, 0, theirs, PINNED);
	from_grant(1, 1, &segments[2].len, 1);
	from_grant(2, 2, theirs + PINNED, PINNED);
	CHECK_EQ(copy(3), 0);
	/* The one before it, too; and after it the request is on its own. */
	CHECK_EQ(runs, 1);
	CHECK_EQ(delegated.count, 0);
	CHECK_EQ(byte(theirs), 'A');
	CHECK_EQ(byte(&segments[2].len), 'B');
	CHECK_EQ(byte(theirs + PINNED), 'C');
	CHECK_EQ(status_of(0), 0);
	CHECK_EQ(status_of(2), 0);
	CHECK(!(domain_grant_flags(world.granter, world.refs[0]) & 8));
	stop();
}

static void more_than_an_errand_holds_is_done_in_parts(void)
{
	unsigned int i;

	start();
	for (i = 0; i < MOST; i++)
		from_grant(i, i % 8, theirs + 512 * i, PINNED);
	CHECK_EQ(copy(MOST), 0);
	CHECK_EQ(runs, 1);
	CHECK_EQ(delegated.count, MOST - DELEGATED_COPIES);
	work(&delegated);
	for (i = 0; i < MOST; i++) {
		CHECK_EQ(byte(theirs + 512 * i), 'A' + i % 8);
		CHECK_EQ(status_of(i), 0);
	}
	stop();
}

static void a_granter_out_of_reach_costs_only_time(void)
{
	start();
	reached = false;
	from_grant(0, 0, theirs, PINNED);
	CHECK_EQ(copy(1), 0);
	CHECK_EQ(delegated.count, 0);
	CHECK_EQ(byte(theirs), 'A');
	CHECK_EQ(status_of(0), 0);
	stop();
}

static void a_failed_operation_is_not_in_it(void)
{
	start();
	from_grant(0, 0, theirs, PINNED);
	from_grant(1, 1, theirs + PINNED, PINNED);
	machine_fail_op(MACHINE_OP_COPY, 2, -3);
	CHECK_EQ(copy(2), 0);
	CHECK_EQ(delegated.count, 1);
	CHECK(!(domain_grant_flags(world.granter, world.refs[1]) & 8));
	work(&delegated);
	CHECK_EQ(status_of(0), 0);
	CHECK_EQ(status_of(1), -3);
	CHECK_EQ(byte(theirs + PINNED), 0);
	machine_fail_none();
	stop();
}

/* Nobody is to wait for a caller that waits for a granter. */
static void before_a_wait_all_is_done(void)
{
	start();
	from_grant(0, 0, theirs, PINNED);
	from_grant(1, 1, theirs + PINNED, PINNED);
	machine_fail_op(MACHINE_OP_COPY, 2, -12);
	CHECK_EQ(copy(2), 0);
	CHECK_EQ(runs, 1);
	CHECK_EQ(byte(theirs), 'A');
	CHECK_EQ(byte(theirs + PINNED), 'B');
	CHECK_EQ(status_of(1), 0);
	machine_fail_none();
	stop();
}

static void what_may_not_be_written_is_efault(void)
{
	start();
	from_grant(0, 0, (void *)(8 * PAGE), PINNED);
	CHECK_EQ(copy(1), -EFAULT);
	CHECK_EQ(delegated.count, 0);
	CHECK(!(domain_grant_flags(world.granter, world.refs[0]) & 8));
	stop();
}

static const struct test tests[] = {
	TEST(a_grant_is_in_use_until_its_copy_is_done),
	TEST(who_is_gone_uses_nothing),
	TEST(neighbours_are_one_copy),
	TEST(both_directions_keep_their_order),
	TEST(a_copy_over_the_request_is_done_at_once),
	TEST(more_than_an_errand_holds_is_done_in_parts),
	TEST(a_granter_out_of_reach_costs_only_time),
	TEST(a_failed_operation_is_not_in_it),
	TEST(before_a_wait_all_is_done),
	TEST(what_may_not_be_written_is_efault),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
