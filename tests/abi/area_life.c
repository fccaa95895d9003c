// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Areas beside everything else that happens to a program and its memory. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "area.h"
#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* ---- the program's own address space ---- */

TEST(slots_live_through_mprotect_and_madvise)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op ops[2];
	uint32_t refs[2];

	grants_with_contents(refs, 2);
	ops[0] = area_op(0, refs[0]);
	ops[1] = area_op(3, refs[1]);
	area_must_map(&area, ops, 2);
	CHECK(!mprotect(area.at, 4 * PAGE, PROT_NONE), "mprotect");
	EQUAL(granter_busy(refs, 2), 2);
	EQUAL(read_fault(area.at), SIGSEGV);
	CHECK(!mprotect(area.at, 4 * PAGE, PROT_READ), "mprotect");
	check_page(area.at, 0);
	EQUAL(write_fault(area.at, 1), SIGSEGV);
	CHECK(!mprotect(area.at, 4 * PAGE, READ_WRITE), "mprotect");
	check_page(area.at + 3 * PAGE, 1);
	EQUAL(write_fault(area.at + 3 * PAGE, content(1, 0)), 0);
	madvise(area.at, 4 * PAGE, MADV_DONTNEED);
	EQUAL(granter_busy(refs, 2), 2);
	check_page(area.at, 0);
	check_page(area.at + 3 * PAGE, 1);
	EQUAL(read_fault(area.at + PAGE), SIGBUS);
	area_must_unmap(&area, ops, 2);
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
	area_end(&area);
}

TEST(slot_filled_under_another_protection_has_that)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op ops[2];
	uint32_t refs[2];

	grants_with_contents(refs, 2);
	ops[0] = area_op(0, refs[0]);
	ops[1] = area_op(3, refs[1]);
	CHECK(!mprotect(area.at, 4 * PAGE, PROT_NONE), "mprotect");
	area_must_map(&area, ops, 1);
	EQUAL(read_fault(area.at), SIGSEGV);
	CHECK(!mprotect(area.at, 4 * PAGE, PROT_READ), "mprotect");
	area_must_map(&area, ops + 1, 1);
	check_page(area.at, 0);
	check_page(area.at + 3 * PAGE, 1);
	EQUAL(write_fault(area.at + 3 * PAGE, 1), SIGSEGV);
	CHECK(!mprotect(area.at, 4 * PAGE, READ_WRITE), "mprotect");
	EQUAL(write_fault(area.at, content(0, 0)), 0);
	EQUAL(write_fault(area.at + 3 * PAGE, content(1, 0)), 0);
	area_must_unmap(&area, ops, 2);
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
	area_end(&area);
}

/* Newer kernels free page tables that madvise has emptied. */
TEST(slots_are_filled_after_page_tables_have_gone)
{
	enum {
		SLOTS = 2048
	};
	struct area area = area_make(dev_open(), SLOTS, READ_WRITE);
	struct gntdev_area_op ops[2];
	uint32_t refs[2];

	grants_with_contents(refs, 2);
	ops[0] = area_op(700, refs[0]);
	ops[1] = area_op(1500, refs[1]);
	for (unsigned int i = 0; i < 20; i++) {
		area_must_map(&area, ops, 1);
		madvise(area.at, SLOTS * PAGE, MADV_DONTNEED);
		area_must_map(&area, ops + 1, 1);
		check_page(area.at + 1500 * PAGE, 1);
		check_page(area.at + 700 * PAGE, 0);
		madvise(area.at, SLOTS * PAGE, MADV_DONTNEED);
		area_must_unmap(&area, ops, 2);
	}
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
	area_end(&area);
}

/* ---- I/O ---- */

TEST(slot_is_free_at_once_while_its_page_is_in_use)
{
	struct area area = area_make(dev_open(), 2, READ_WRITE);
	struct gntdev_area_op op, other;
	uint8_t page[PAGE];
	uint32_t refs[2];
	struct iovec part = {area.at, PAGE};
	int fds[2];

	grants_with_contents(refs, 2);
	op = area_op(0, refs[0]);
	other = area_op(0, refs[1]);
	area_must_map(&area, &op, 1);
	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	CHECK(vmsplice(fds[1], &part, 1, 0) == (ssize_t)PAGE, "vmsplice: %s",
	      error_name(errno));
	area_must_unmap(&area, &op, 1);
	EQUAL(read_fault(area.at), SIGBUS);
	EQUAL(granter_busy(refs, 1), 1);

	area_must_map(&area, &other, 1);
	check_page(area.at, 1);
	EQUAL(read(fds[0], page, PAGE), PAGE);
	check_page(page, 0);
	EQUAL(granter_wait_idle(refs, 1, 5000), 0);
	check_page(area.at, 1);
	area_must_unmap(&area, &other, 1);
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
	area_end(&area);
}

TEST(slot_that_was_written_out_is_unmapped_at_once)
{
	struct area area = area_make(dev_open(), 2, READ_WRITE);
	struct iovec part = {area.at, PAGE};
	struct gntdev_area_op op;
	uint8_t page[PAGE];
	uint32_t ref;
	int fds[2];

	grants_with_contents(&ref, 1);
	op = area_op(0, ref);
	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	for (unsigned int i = 0; i < 20; i++) {
		area_must_map(&area, &op, 1);
		CHECK(vmsplice(fds[1], &part, 1, 0) == (ssize_t)PAGE,
		      "vmsplice: %s", error_name(errno));
		EQUAL(read(fds[0], page, PAGE), PAGE);
		check_page(page, 0);
		area_must_unmap(&area, &op, 1);
		EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
	}
	area_end(&area);
}

/* ---- other processes ---- */

struct passed {
	struct area area;
	struct gntdev_area_op op;
};

static void fill_slot(void *argument)
{
	struct passed *passed = argument;

	area_must_map(&passed->area, &passed->op, 1);
}

TEST(slot_is_filled_by_another_process)
{
	struct passed passed = {.area = area_make(dev_open(), 3, READ_WRITE)};
	uint32_t ref;

	grants_with_contents(&ref, 1);
	passed.op = area_op(1, ref);
	in_child(fill_slot, &passed);
	check_page(passed.area.at + PAGE, 0);
	area_must_unmap(&passed.area, &passed.op, 1);
	EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
	area_end(&passed.area);
}

static void look_at_slot(void *argument)
{
	struct passed *passed = argument;

	if (world.auto_translated)
		check_page(passed->area.at + PAGE, 0);
	else
		CHECK(read_fault(passed->area.at + PAGE),
		      "a forked child sees an area");
}

TEST(fork_leaves_the_area_to_its_maker)
{
	struct passed passed = {.area = area_make(dev_open(), 3, READ_WRITE)};
	uint32_t ref;

	grants_with_contents(&ref, 1);
	passed.op = area_op(1, ref);
	area_must_map(&passed.area, &passed.op, 1);
	in_child(look_at_slot, &passed);
	check_page(passed.area.at + PAGE, 0);
	area_must_unmap(&passed.area, &passed.op, 1);
	EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
	area_end(&passed.area);
}

static void make_and_exit(void *argument)
{
	int socket = *(int *)argument;
	struct area area = area_make(dev_open(), 3, READ_WRITE);

	send_file(socket, area.fd);
	write(socket, &area.index, sizeof(area.index));
	pause();
}

/* The descriptor is here, the address space was another's. */
TEST(area_of_a_killed_process_is_not_mmapped_any_more)
{
	struct gntdev_area_op op;
	uint32_t ref, done;
	uint64_t index;
	int pair[2], fd;
	pid_t child;

	grants_with_contents(&ref, 1);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	child = child_start(make_and_exit, &pair[1]);
	fd = receive_file(pair[0]);
	EQUAL(read(pair[0], &index, sizeof(index)), sizeof(index));
	op = area_op(0, ref);
	EXPECT(dev_area_map(fd, index, &op, 1, &done), 0);
	EQUAL(op.status, GNTST_okay);
	EQUAL(granter_busy(&ref, 1), 1);
	child_kill(child);
	EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
	EXPECT(dev_area_map(fd, index, &op, 1, &done), -EINVAL);
	EXPECT(dev_remove(fd, index, 3), 0);
}

TEST(slots_stay_filled_after_close)
{
	struct area area = area_make(dev_open(), 3, READ_WRITE);
	struct gntdev_area_op op;
	uint32_t ref;

	grants_with_contents(&ref, 1);
	op = area_op(1, ref);
	area_must_map(&area, &op, 1);
	close(area.fd);
	check_page(area.at + PAGE, 0);
	EQUAL(read_fault(area.at), SIGBUS);
	must_munmap(area.at, 3);
	EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
}

/* ---- threads ---- */

#define THREADS 8u
/* Each may make all processors forget entries, which emulated ones do slowly. */
#define CYCLES 30u
/* MADV_POPULATE_WRITE, which the C library may not know. */
#define POPULATE_WRITE 23

struct worker {
	struct area *area;
	unsigned int number;
	uint32_t ref;
	unsigned int times; /* 0: until it fails */
	unsigned int cycles;
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct gntdev_area_op op;
	uint32_t done;
	unsigned int i;

	for (i = 0; !worker->times || i < worker->times; i++) {
		op = area_op(worker->number, worker->ref);
		if (dev_area_map(worker->area->fd, worker->area->index, &op, 1,
				 &done) ||
		    op.status)
			break;
		if (worker->times &&
		    worker->area->at[worker->number * PAGE + 5] !=
			    content(worker->number, 5))
			break;
		if (dev_area_unmap(worker->area->fd, worker->area->index, &op,
				   1, &done))
			break;
	}
	worker->cycles = i;

	return NULL;
}

static void start(pthread_t *threads, struct worker *workers, struct area *area,
		  const uint32_t *refs, unsigned int times)
{
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){area, i, refs[i], times, 0};
		CHECK(!pthread_create(&threads[i], NULL, work, &workers[i]),
		      "pthread_create");
	}
}

TEST(threads_fill_and_empty_slots_of_one_area, .timeout = 60)
{
	struct area area = area_make(dev_open(), THREADS, READ_WRITE);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint32_t refs[THREADS];

	grants_with_contents(refs, THREADS);
	start(threads, workers, &area, refs, CYCLES);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EQUAL(workers[i].cycles, CYCLES);
	}
	EQUAL(granter_wait_idle(refs, THREADS, 5000), 0);
	area_end(&area);
}

TEST(threads_beside_mprotect_and_madvise, .timeout = 60)
{
	struct area area = area_make(dev_open(), THREADS, READ_WRITE);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint32_t refs[THREADS];

	grants_with_contents(refs, THREADS);
	start(threads, workers, &area, refs, CYCLES);
	for (unsigned int i = 0; i < 20; i++) {
		CHECK(!mprotect(area.at, THREADS * PAGE, PROT_READ),
		      "mprotect");
		madvise(area.at, THREADS * PAGE, MADV_DONTNEED);
		CHECK(!mprotect(area.at, THREADS * PAGE, READ_WRITE),
		      "mprotect");
		sleep_ms(1);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EQUAL(workers[i].cycles, CYCLES);
	}
	EQUAL(granter_wait_idle(refs, THREADS, 5000), 0);
	area_end(&area);
}

struct disturber {
	struct area *area;
	bool stopped;
};

/* Faults for writing, and looks at entries that are about to come or go. */
static void *disturb(void *argument)
{
	struct disturber *disturber = argument;
	int zeroes = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	uint8_t byte = 0;

	while (!__atomic_load_n(&disturber->stopped, __ATOMIC_ACQUIRE)) {
		madvise(disturber->area->at, THREADS * PAGE, POPULATE_WRITE);
		for (unsigned int i = 0; i < THREADS; i++) {
			uint8_t *at = disturber->area->at + i * PAGE + 100;
			struct iovec from = {&byte, 1}, to = {at, 1};

			(void)!read(zeroes, at, 1);
			(void)!process_vm_writev(getpid(), &from, 1, &to, 1, 0);
		}
	}
	close(zeroes);

	return NULL;
}

TEST(threads_beside_faults_and_populating, .timeout = 60)
{
	struct area area = area_make(dev_open(), THREADS, READ_WRITE);
	pthread_t threads[THREADS], disturbers[2];
	struct disturber disturber = {&area, false};
	struct worker workers[THREADS];
	uint32_t refs[THREADS];

	grants_with_contents(refs, THREADS);
	for (unsigned int i = 0; i < 2; i++)
		CHECK(!pthread_create(&disturbers[i], NULL, disturb,
				      &disturber),
		      "pthread_create");
	start(threads, workers, &area, refs, CYCLES);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EQUAL(workers[i].cycles, CYCLES);
	}
	__atomic_store_n(&disturber.stopped, true, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(disturbers[i], NULL);
	EQUAL(granter_wait_idle(refs, THREADS, 5000), 0);
	area_end(&area);
}

TEST(munmap_beside_threads_that_fill_slots, .timeout = 60)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint32_t refs[THREADS];

	grants_with_contents(refs, THREADS);
	for (unsigned int i = 0; i < 8; i++) {
		struct area area = area_make(dev_open(), THREADS, READ_WRITE);

		start(threads, workers, &area, refs, 0);
		sleep_ms(2 * i);
		area_end(&area);
		for (unsigned int k = 0; k < THREADS; k++)
			pthread_join(threads[k], NULL);
		EQUAL(granter_wait_idle(refs, THREADS, 5000), 0);
		close(area.fd);
	}
}

/* ---- slots that several threads empty ---- */

#define EMPTIERS 3u

struct emptier {
	struct area *area;
	pthread_barrier_t *begin;
	unsigned int number;
	uint32_t ref;
	unsigned int rounds;
};

/* What its own AREA_UNMAP has said to be empty, it can fill at once. */
static void *empty_and_fill(void *argument)
{
	struct emptier *e = argument;
	struct gntdev_area_op ops[THREADS], op;
	uint32_t done;

	for (unsigned int round = 0; round < CYCLES; round++) {
		for (unsigned int i = 0; i < THREADS; i++)
			ops[i] = area_op((i * 3 + e->number) % THREADS, 0);
		op = area_op(e->number, e->ref);
		pthread_barrier_wait(e->begin);
		e->rounds += !dev_area_unmap(e->area->fd, e->area->index, ops,
					     THREADS, &done) &&
			     !dev_area_map(e->area->fd, e->area->index, &op, 1,
					   &done) &&
			     !op.status;
		pthread_barrier_wait(e->begin);
	}

	return NULL;
}

/* Reads and pins pages, and has some in a pipe, until it is told to stop. */
static void *look_at_slots(void *argument)
{
	struct emptier *e = argument;
	size_t size = THREADS * PAGE;
	uint8_t seen[PAGE];
	int fds[2];

	if (pipe(fds))
		return NULL;
	for (unsigned int i = 0; !__atomic_load_n(&e->number, __ATOMIC_RELAXED);
	     i++) {
		struct iovec part = {e->area->at + i % THREADS * PAGE, PAGE};
		struct iovec to = {seen, PAGE};

		madvise(e->area->at, size, POPULATE_WRITE);
		process_vm_readv(getpid(), &to, 1, &part, 1, 0);
		if (vmsplice(fds[1], &part, 1, SPLICE_F_NONBLOCK) > 0)
			e->rounds += read(fds[0], seen, PAGE) > 0;
	}
	close(fds[0]);
	close(fds[1]);

	return NULL;
}

TEST(slots_that_threads_empty_together_are_free_for_each, .timeout = 60)
{
	struct area area = area_make(dev_open(), THREADS, READ_WRITE);
	struct gntdev_area_op ops[THREADS];
	struct emptier emptiers[EMPTIERS], looker = {.area = &area};
	pthread_t threads[EMPTIERS + 1];
	uint32_t refs[THREADS], done;
	pthread_barrier_t begin;
	uint8_t byte;
	struct iovec to = {&byte, 1}, from = {area.at, 1};

	grants_with_contents(refs, THREADS);
	/* A look before there are two of them. */
	ops[0] = area_op(0, refs[0]);
	area_must_map(&area, ops, 1);
	EQUAL(process_vm_readv(getpid(), &to, 1, &from, 1, 0), 1);
	area_must_unmap(&area, ops, 1);
	pthread_barrier_init(&begin, NULL, EMPTIERS + 1);
	CHECK(!pthread_create(&threads[EMPTIERS], NULL, look_at_slots, &looker),
	      "pthread_create");
	for (unsigned int i = 0; i < EMPTIERS; i++) {
		emptiers[i] = (struct emptier){&area, &begin, i, refs[i], 0};
		CHECK(!pthread_create(&threads[i], NULL, empty_and_fill,
				      &emptiers[i]),
		      "pthread_create");
	}
	for (unsigned int round = 0; round < CYCLES; round++) {
		for (unsigned int i = 0; i < THREADS; i++)
			ops[i] = area_op(i, refs[i]);
		area_must_map(&area, ops, THREADS);
		pthread_barrier_wait(&begin);
		pthread_barrier_wait(&begin);
		EXPECT(dev_area_unmap(area.fd, area.index, ops, THREADS, &done),
		       0);
	}
	for (unsigned int i = 0; i < EMPTIERS; i++) {
		pthread_join(threads[i], NULL);
		EQUAL(emptiers[i].rounds, CYCLES);
	}
	__atomic_store_n(&looker.number, 1, __ATOMIC_RELAXED);
	pthread_join(threads[EMPTIERS], NULL);
	EQUAL(granter_wait_idle(refs, THREADS, 5000), 0);
	area_end(&area);
}

struct flock_of_threads {
	uint32_t refs[THREADS];
};

static void run_until_killed(void *argument)
{
	struct flock_of_threads *all = argument;
	struct area area = area_make(dev_open(), THREADS, READ_WRITE);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	start(threads, workers, &area, all->refs, 0);
	pause();
}

TEST(process_killed_while_it_fills_slots_gives_all_back, .timeout = 60)
{
	struct flock_of_threads all;

	grants_with_contents(all.refs, THREADS);
	for (unsigned int i = 0; i < 8; i++) {
		pid_t child = child_start(run_until_killed, &all);

		sleep_ms(10 + i);
		child_kill(child);
		EQUAL(granter_wait_idle(all.refs, THREADS, 5000), 0);
	}
}

static void fill_for_ever(void *argument)
{
	struct passed *passed = argument;
	struct worker worker = {&passed->area, passed->op.slot, passed->op.ref,
				0, 0};

	work(&worker);
}

TEST(area_ends_beside_another_process_that_fills_it, .timeout = 60)
{
	uint32_t ref;

	grants_with_contents(&ref, 1);
	for (unsigned int i = 0; i < 10; i++) {
		struct passed passed = {
			.area = area_make(dev_open(), 3, READ_WRITE)};
		pid_t child;

		passed.op = area_op(1, ref);
		/* In an auto-translated domain the child has the area too. */
		child = child_start(fill_for_ever, &passed);
		sleep_ms(10 + i);
		must_munmap(passed.area.at, 3);
		child_kill(child);
		EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
		close(passed.area.fd);
	}
}
