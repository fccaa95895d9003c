// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Many threads at once, in real time: for ThreadSanitizer, and for the models'
 * own checks of locks and counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "areas.h"

#define RW (PROT_READ | PROT_WRITE)
#define THREADS 4

static unsigned int rounds = 150;

static void start(void)
{
	world_prepare();
	world.config.clock = MACHINE_REAL_TIME;
	world.config.jitter = true;
	world_start();
}

/* As world_stop(), where time cannot be made to pass. */
static void stop(void)
{
	struct timespec moment = {0, 5000000};
	unsigned int i;
	int tries;

	task_exit(world.task);
	file_close(NULL, world.file);
	for (i = 0; i < world.grants; i++) {
		for (tries = 0; domain_ungrant(world.granter, world.refs[i]) &&
				tries < 1000;
		     tries++)
			nanosleep(&moment, NULL);
		CHECK(tries < 1000);
	}
	CHECK_EQ(machine_stop(stderr), 0);
}

static void run(void *(*body)(void *))
{
	pthread_t threads[THREADS];
	long i;

	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, body, (void *)i), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Each thread uses its own range of one instance. */
static void *map_and_unmap(void *arg)
{
	unsigned long n = (unsigned long)arg, at = AT(n);
	struct page *page;
	uint64_t index;
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		CHECK_EQ(map_at(at, n * 4, 4, RW, &index), 0);
		CHECK_EQ(peek(at), 'A' + n * 4 % 26);
		CHECK_EQ(task_madvise(world.task, at, 4 * PAGE, MADV_DONTNEED),
			 0);
		CHECK_EQ(poke(at + PAGE, i), 0);
		/*
		 * In turn: each stays mapped until a worker comes to it, and a
		 * grant may not be mapped too often at once.
		 */
		CHECK_EQ(page_hold(world.task, at + i % 4 * PAGE, true, &page),
			 0);
		CHECK_EQ(req_unmap(world.file, index, 4), -EBUSY);
		CHECK_EQ(task_munmap(world.task, at, 4 * PAGE), 0);
		CHECK_EQ(req_unmap(world.file, index, 4), 0);
		page_release(page);
	}

	return NULL;
}

static void threads_map_ranges_of_one_instance(void)
{
	start();
	grant(4 * THREADS, false);
	run(map_and_unmap);
	stop();
}

/* All threads fight for one range: each call does one thing or fails. */
static void *fight(void *arg)
{
	unsigned int seed = (unsigned int)(unsigned long)arg, i;
	unsigned long at = AT(0);
	uint64_t offset;
	uint32_t count;

	for (i = 0; i < rounds * 4; i++) {
		switch (rand_r(&seed) % 8) {
		case 0:
		case 1:
			map_index(at, 0, 3, RW);
			break;
		case 2:
		case 3:
			task_munmap(world.task, at, 3 * PAGE);
			break;
		case 4:
			req_notify(world.file, PAGE + 5,
				   UNMAP_NOTIFY_CLEAR_BYTE, 0);
			break;
		case 5:
			task_mprotect(world.task, at, 3 * PAGE,
				      i & 1 ? PROT_READ : RW);
			break;
		case 6:
			req_offset(world.file, at, &offset, &count);
			req_max(world.file, 100 + i);
			break;
		case 7:
			peek(at + PAGE);
			task_clear_refs(world.task, 4);
			break;
		}
	}

	return NULL;
}

static void threads_fight_for_one_range(void)
{
	uint64_t index;

	start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	run(fight);
	stop();
}

static void *insert_and_remove(void *arg)
{
	unsigned int i;
	uint64_t index;
	char text[256];

	for (i = 0; i < rounds * 4; i++) {
		CHECK_EQ(req_map(world.file, 0, 2, &index), 0);
		file_fdinfo(world.file, text, sizeof(text));
		CHECK_EQ(req_max(world.file, 1000 + i), 0);
		CHECK_EQ(req_unmap(world.file, index, 2), 0);
	}

	return NULL;
}

static void threads_insert_into_one_table(void)
{
	start();
	grant(2, false);
	run(insert_and_remove);
	stop();
}

static void *copy(void *arg)
{
	struct gntdev_grant_copy_segment s[20];
	unsigned long n = (unsigned long)arg;
	unsigned char buf[20];
	unsigned int i, k;

	memset(s, 0, sizeof(s));
	for (i = 0; i < rounds; i++) {
		for (k = 0; k < 20; k++) {
			s[k].flags = 1;
			s[k].len = 1;
			s[k].source.foreign.domid = 1;
			s[k].source.foreign.ref = world.refs[n];
			s[k].dest.virt = buf + k;
		}
		CHECK_EQ(req_copy(world.file, s, 20), 0);
		CHECK_EQ(buf[19], 'A' + n);
	}

	return NULL;
}

static void threads_copy_side_by_side(void)
{
	start();
	grant(THREADS, false);
	run(copy);
	stop();
}

/* Instances come and go with their ranges, mapped or not. */
static void *open_and_close(void *arg)
{
	unsigned long n = (unsigned long)arg, at = AT(n);
	struct file *file;
	struct task *task;
	uint64_t index;
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		task = task_new(world.mapper, getpid());
		CHECK_EQ(file_open(task, "gntdev", O_RDWR, &file), 0);
		CHECK_EQ(req_map(file, n, 1, &index), 0);
		CHECK_EQ(task_mmap(task, file, at, PAGE, RW, MAP_SHARED, index,
				   NULL),
			 0);
		if (i & 1)
			file_close(task, file);
		task_exit(task);
		if (!(i & 1))
			file_close(NULL, file);
	}

	return NULL;
}

static void threads_open_and_close_instances(void)
{
	start();
	grant(THREADS, false);
	run(open_and_close);
	stop();
}

/* One sends, one binds and closes, two unmap with a notification. */
static void *notify(void *arg)
{
	unsigned long n = (unsigned long)arg, at = AT(n);
	struct channel c;
	uint64_t index;
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		channel_open(&c);
		CHECK_EQ(map_at(at, n, 1, RW, &index), 0);
		CHECK_EQ(req_notify(world.file, index + 3, 3, c.port), 0);
		if (i & 1)
			file_close(world.task, c.evtchn);
		CHECK_EQ(task_munmap(world.task, at, PAGE), 0);
		CHECK_EQ(channel_events(&c), 1);
		if (!(i & 1))
			file_close(world.task, c.evtchn);
		CHECK_EQ(domain_port_close(world.granter, c.peer), 0);
		CHECK_EQ(req_unmap(world.file, index, 1), 0);
	}

	return NULL;
}

static void threads_notify(void)
{
	start();
	grant(THREADS, false);
	run(notify);
	stop();
}

/*
 * Half of the threads clear entries, half fault them in. An entry that is made
 * between the notifier's call and the clearing would be the hypervisor's.
 */
static void *clear_or_fault(void *arg)
{
	unsigned int i;

	for (i = 0; i < rounds * 4; i++) {
		if ((unsigned long)arg & 1)
			CHECK_EQ(task_madvise(world.task, AT(0), 2 * PAGE,
					      MADV_DONTNEED),
				 0);
		else
			CHECK_EQ(peek(AT(0) + i % 2 * PAGE), 'A' + i % 2);
	}

	return NULL;
}

static void threads_fault_in_what_others_clear(void)
{
	start();
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	run(clear_or_fault);
	stop();
}

static void *forks(void *arg)
{
	unsigned long n = (unsigned long)arg, at = AT(n);
	struct task *child;
	unsigned char byte;
	unsigned int i;

	for (i = 0; i < rounds / 4; i++) {
		CHECK_EQ(map_at(at, n, 1, RW, NULL), 0);
		CHECK_EQ(task_fork(world.task, getpid(), &child), 0);
		task_load(child, at, &byte, 1);
		CHECK_EQ(task_munmap(world.task, at, PAGE), 0);
		task_exit(child);
	}

	return NULL;
}

static void threads_fork(void)
{
	start();
	grant(THREADS, false);
	run(forks);
	stop();
}

static void *map_and_go(void *arg)
{
	uint64_t index;

	CHECK_EQ(map_at(AT(1), 4, 4, RW, &index), 0);
	CHECK_EQ(peek(AT(1)), 'E');
	CHECK_EQ(task_munmap(world.task, AT(1), 4 * PAGE), 0);
	CHECK_EQ(req_unmap(world.file, index, 4), 0);

	return arg;
}

static void start_mapping(void *thread)
{
	struct timespec moment = {0, 50000000};

	CHECK_EQ(pthread_create(thread, NULL, map_and_go, NULL), 0);
	nanosleep(&moment, NULL);
}

/* A notifier that is new then would not be told of the munmap. */
static void a_range_is_mapped_while_compaction_changes_entries(void)
{
	pthread_t thread;
	uint64_t index;

	start();
	grant(8, false);
	CHECK_EQ(map_at(AT(0), 0, 4, RW, &index), 0);
	task_invalidate_during(world.task, AT(0), PAGE, start_mapping, &thread);
	pthread_join(thread, NULL);
	stop();
}

/* A sleeper with a page that never comes back is woken by a fatal signal. */
static void *killer(void *arg)
{
	struct timespec moment = {0, 50000000};

	nanosleep(&moment, NULL);
	task_kill(world.task);

	return arg;
}

static void a_copy_that_waits_is_killed(void)
{
	struct gntdev_grant_copy_segment s = {.flags = 1, .len = 1};
	unsigned char byte;
	pthread_t thread;
	time_t begun;

	start();
	grant(1, false);
	s.source.foreign.domid = 1;
	s.source.foreign.ref = world.refs[0];
	s.dest.virt = &byte;
	/* The variant that says so: the page is paged out. */
	machine_fail_nth(1, 2, true);
	machine_fail_only("copy_status");
	begun = time(NULL);
	CHECK_EQ(pthread_create(&thread, NULL, killer, NULL), 0);
	CHECK_EQ(req_copy(world.file, &s, 1), -EINTR);
	pthread_join(thread, NULL);
	CHECK(time(NULL) - begun < 5);
	machine_fail_none();
	stop();
}

static struct file *fresh;
static pthread_barrier_t together;

/* Of an instance, as the list of holdings has it. */
static void check_tally(unsigned int maps)
{
	char *text = NULL, wanted[64];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	machine_holdings(out);
	fclose(out);
	snprintf(wanted, sizeof(wanted), " maps=%u unmaps=%u ", maps, maps);
	CHECK(strstr(text, wanted));
	free(text);
}

/* Each is the first to use an instance, or almost. */
static void *use_first(void *arg)
{
	const unsigned long n = (unsigned long)arg;
	uint64_t index;

	for (unsigned int i = 0; i < rounds; i++) {
		if (!n)
			CHECK_EQ(file_open(world.task, "gntdev", O_RDWR,
					   &fresh),
				 0);
		pthread_barrier_wait(&together);
		CHECK_EQ(req_map(fresh, n, 1, &index), 0);
		CHECK_EQ(task_mmap(world.task, fresh, AT(n), PAGE, RW,
				   MAP_SHARED, index, NULL),
			 0);
		CHECK_EQ(peek(AT(n)), 'A' + n);
		CHECK_EQ(task_munmap(world.task, AT(n), PAGE), 0);
		pthread_barrier_wait(&together);
		if (!n) {
			check_tally(THREADS);
			file_close(world.task, fresh);
		}
	}

	return NULL;
}

/* What was made twice is given back, and what was counted is counted once. */
static void threads_are_the_first_to_use_an_instance(void)
{
	start();
	grant(THREADS, false);
	CHECK_EQ(pthread_barrier_init(&together, NULL, THREADS), 0);
	run(use_first);
	pthread_barrier_destroy(&together);
	stop();
}

static uint64_t index_;
static unsigned int filled; /* atomic */

/* All fill one slot, whose page is with I/O still: it gets another. */
static void *fill_one(void *arg)
{
	const unsigned long n = (unsigned long)arg;
	struct page *page = NULL;
	long ret;

	for (unsigned int i = 0; i < rounds; i++) {
		if (!n) {
			__atomic_store_n(&filled, 0, __ATOMIC_SEQ_CST);
			CHECK_EQ(fill(index_, 1, i % 4), 0);
			CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true,
					   &page),
				 0);
			CHECK_EQ(empty(index_, 1), 0);
		}
		pthread_barrier_wait(&together);
		ret = fill(index_, 1, n);
		CHECK(!ret || ret == -EEXIST);
		__atomic_fetch_add(&filled, !ret, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&together);
		if (!n) {
			CHECK_EQ(filled, 1);
			CHECK_EQ(empty(index_, 1), 0);
			page_release(page);
		}
	}

	return NULL;
}

static void threads_fill_a_slot_whose_page_is_missing(void)
{
	start();
	grant(THREADS, false);
	CHECK_EQ(area_at(AT(0), 2, RW, &index_), 0);
	CHECK_EQ(pthread_barrier_init(&together, NULL, THREADS), 0);
	run(fill_one);
	pthread_barrier_destroy(&together);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	stop();
}

static pthread_t invalidator;
static pid_t invalidators; /* atomic: its number, when there is one */
static bool is_filled; /* atomic */

static void *invalidate(void *arg)
{
	__atomic_store_n(&invalidators, gettid(), __ATOMIC_SEQ_CST);
	task_invalidate(world.task, AT(0), 2 * PAGE);
	CHECK(__atomic_load_n(&is_filled, __ATOMIC_SEQ_CST));

	return arg;
}

/* Whether a thread of this process sleeps. */
static bool sleeps(pid_t thread)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	file = fopen(path, "r");
	CHECK(file);
	CHECK_EQ(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
	fclose(file);

	return state == 'S';
}

/* Beside the hypercall that fills the slot, until the other one waits for it. */
static void begin_to_invalidate(const struct machine_event *event, void *arg)
{
	struct timespec moment = {0, 1000000};
	int asleep = 0;

	if (event->kind != MACHINE_EVENT_MAP || invalidators)
		return;
	CHECK_EQ(pthread_create(&invalidator, NULL, invalidate, NULL), 0);
	while (asleep < 20) {
		nanosleep(&moment, NULL);
		if (__atomic_load_n(&invalidators, __ATOMIC_SEQ_CST))
			asleep = sleeps(invalidators) ? asleep + 1 : 0;
	}
	__atomic_store_n(&is_filled, true, __ATOMIC_SEQ_CST);
}

/* Who changes page tables waits for the entry, and then ends it. */
static void an_area_is_invalidated_while_it_is_filled(void)
{
	struct gntdev_area_op op;

	start();
	grant(1, false);
	CHECK_EQ(area_at(AT(0), 2, RW, &index_), 0);
	op = op_of(1, 0);
	machine_watch(begin_to_invalidate, NULL);
	CHECK_EQ(req_area_map(world.file, index_, &op, 1, NULL), 0);
	machine_watch(NULL, NULL);
	CHECK_EQ(op.status, 0);
	pthread_join(invalidator, NULL);
	CHECK_EQ(peek(AT(0) + PAGE), 'A');
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	stop();
}

static const struct test tests[] = {
	TEST(threads_map_ranges_of_one_instance),
	TEST(threads_fight_for_one_range),
	TEST(threads_insert_into_one_table),
	TEST(threads_copy_side_by_side),
	TEST(threads_open_and_close_instances),
	TEST(threads_notify),
	TEST(threads_fault_in_what_others_clear),
	TEST(threads_fork),
	TEST(a_range_is_mapped_while_compaction_changes_entries),
	TEST(threads_are_the_first_to_use_an_instance),
	TEST(threads_fill_a_slot_whose_page_is_missing),
	TEST(a_copy_that_waits_is_killed),
	TEST_IN(IN_PV, an_area_is_invalidated_while_it_is_filled),
};

int main(int argc, char **argv)
{
	if (getenv("ROUNDS"))
		rounds = strtoul(getenv("ROUNDS"), NULL, 10);
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
