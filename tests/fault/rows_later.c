// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Rows 31 to 61: see rows.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rows.h"

/* ---- notification ---- */

static void row_31_a_page_whose_map_failed_is_not_written(void)
{
	uint64_t index;
	unsigned int i;

	world_start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(req_notify(world.file, index + i * PAGE, CLEAR, 0), 0);
	for (i = 1; i <= 3; i++) {
		machine_fail_none();
		CHECK_EQ(machine_fail_op(MACHINE_OP_MAP, i, -1), 0);
		CHECK_EQ(map_index(AT(0), index, 3, RW), -EINVAL);
	}
	machine_fail_none();
	/* A failed mmap has not unmapped anything that a peer knew of. */
	for (i = 0; i < 3; i++)
		CHECK_EQ(granted(i)[0], 'A' + i);
	CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(granted(i)[0], 0);
	world_stop();
}

static void row_32_byte_then_unmap_then_event(void)
{
	size_t i, store = 0, unmap = 0, send = 0;
	struct channel c;

	world_start();
	grant(2, false);
	channel_open(&c);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	CHECK_EQ(req_notify(world.file, PAGE, CLEAR | SEND, c.port), 0);
	watch();
	task_exit(world.task);
	world.task = NULL;
	machine_watch(NULL, NULL);
	for (i = 0; i < seen; i++) {
		if (events[i].kind == MACHINE_EVENT_STORE)
			store = i + 1;
		else if (events[i].kind == MACHINE_EVENT_UNMAP &&
			 events[i].ref == world.refs[1])
			unmap = i + 1;
		else if (events[i].kind == MACHINE_EVENT_SEND)
			send = i + 1;
	}
	CHECK(store && unmap && send);
	CHECK(store < unmap);
	CHECK(unmap < send);
	file_close(NULL, c.evtchn);
	world_stop();
}

/* ---- copy ---- */

static struct gntdev_grant_copy_segment segment(unsigned int i, void *to)
{
	struct gntdev_grant_copy_segment s = {.flags = 1, .len = 1};

	s.source.foreign.domid = 1;
	s.source.foreign.ref = world.refs[i];
	s.dest.virt = to;
	return s;
}

static void row_37_a_positive_hypercall_is_no_success(void)
{
	struct gntdev_grant_copy_segment s[2];
	unsigned char buf[2];
	unsigned int variant;

	world_start();
	grant(1, false);
	for (variant = 0; variant < 3; variant++) {
		s[0] = segment(0, buf);
		s[1] = segment(0, buf + 1);
		fail_call("copy_call", 1, variant, false);
		CHECK_EQ(req_copy(world.file, s, 2), -EIO);
	}
	/* Nor when a page is asked for again. */
	machine_fail_none();
	CHECK_EQ(machine_fail_op(MACHINE_OP_COPY, 1, -12), 0);
	CHECK_EQ(machine_fail_spec("copy_call:2", NULL, 0), 0);
	CHECK_EQ(req_copy(world.file, s, 2), -EIO);
	machine_fail_none();
	CHECK_EQ(req_copy(world.file, s, 2), 0);
	world_stop();
}

/* What cannot be pinned is copied without; no other page is taken for it. */
static void row_40_a_pin_of_no_page_is_not_used(void)
{
	struct gntdev_grant_copy_segment s;
	unsigned char *buf = aligned_alloc(PAGE, 2 * PAGE);
	unsigned int variant;

	world_start();
	grant(1, false);
	s = segment(0, buf + PAGE - 4);
	s.len = PINNED;
	for (variant = 0; variant <= 2; variant += 2) {
		memset(buf, 0, 2 * PAGE);
		fail_call("pin_user_pages_fast", 1, variant, false);
		CHECK_EQ(req_copy(world.file, &s, 1), 0);
		CHECK_EQ(s.status, 0);
		CHECK_EQ(buf[PAGE - 4], 'A');
		CHECK_EQ(buf[PAGE - 5], 0);
	}
	fail_call("pin_user_pages_fast", 1, 1, false);
	CHECK_EQ(req_copy(world.file, &s, 1), -ENOMEM);
	s.dest.virt = NULL;
	fail_call("pin_user_pages_fast", 1, 0, false);
	CHECK_EQ(req_copy(world.file, &s, 1), -EFAULT);
	s.dest.virt = buf + PAGE - 4;
	/* Fewer than asked for: the rest is asked for again. */
	fail_call("pin_user_pages_fast", 1, 3, false);
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	fail_call("pin_user_pages_fast", 2, 2, false);
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	machine_fail_none();
	free(buf);
	world_stop();
}

static void row_41_patience_with_a_paged_out_page_ends(void)
{
	struct gntdev_grant_copy_segment s[3];
	unsigned char buf[3];
	int i;

	world_start();
	grant(1, false);
	for (i = 0; i < 3; i++)
		s[i] = segment(0, buf + i);
	/* For all segments together, and the program is told. */
	fail_call("copy_status", 1, 2, true);
	CHECK_EQ(req_copy(world.file, s, 3), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(s[i].status, -12);
	/* At once if a fatal signal is there. */
	fail_call("copy_status", 1, 2, true);
	task_kill(world.task);
	CHECK_EQ(req_copy(world.file, s, 3), -EINTR);
	machine_fail_none();
	world_stop();
}

/* ---- processes, threads, limits ---- */

static bool stopping;

static void *invalidate(void *arg)
{
	while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED))
		task_invalidate(world.task, AT(0), 4 * PAGE);
	return arg;
}

static void row_54_a_release_races_a_notifier(void)
{
	struct file *file;
	pthread_t thread;
	uint64_t index;
	int i;

	world_prepare();
	world.config.clock = MACHINE_REAL_TIME;
	world_start();
	grant(4, false);
	CHECK_EQ(pthread_create(&thread, NULL, invalidate, NULL), 0);
	for (i = 0; i < 300; i++) {
		CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &file), 0);
		CHECK_EQ(req_map(file, 0, 4, &index), 0);
		CHECK_EQ(task_mmap(world.task, file, AT(0), 4 * PAGE, RW,
				   MAP_SHARED, index, NULL),
			 0);
		file_close(world.task, file);
		CHECK_EQ(peek(AT(0) + PAGE), 'B');
		CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
		CHECK(!in_use(1));
	}
	__atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	task_exit(world.task);
	file_close(NULL, world.file);
	CHECK_EQ(machine_stop(stderr), 0);
}

/* Stops the notifier's thread inside the hypercall, where its lock is held. */
static pthread_barrier_t inside, after;
static bool stopped_once;

static void stop_inside(const struct machine_event *event, void *arg)
{
	if (event->kind != MACHINE_EVENT_UNMAP || stopped_once)
		return;
	stopped_once = true;
	pthread_barrier_wait(&inside);
	pthread_barrier_wait(&after);
}

static void *change_protection(void *arg)
{
	task_invalidate(world.task, AT(0), 2 * PAGE);
	return arg;
}

static void row_55_a_notifier_that_may_not_sleep_does_not(void)
{
	pthread_t thread;

	world_start();
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	CHECK_EQ(task_reap(world.task), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(peek(AT(0) + PAGE), 'B');

	pthread_barrier_init(&inside, NULL, 2);
	pthread_barrier_init(&after, NULL, 2);
	machine_watch(stop_inside, NULL);
	CHECK_EQ(pthread_create(&thread, NULL, change_protection, NULL), 0);
	pthread_barrier_wait(&inside);
	CHECK_EQ(task_reap(world.task), -EAGAIN);
	pthread_barrier_wait(&after);
	pthread_join(thread, NULL);
	machine_watch(NULL, NULL);
	CHECK_EQ(task_reap(world.task), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	world_stop();
}

/* ---- a hostile granter ---- */

static void row_61_grants_revoked_before_mmap(void)
{
	uint64_t index;

	world_start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[1]), 0);
	CHECK_EQ(map_index(AT(0), index, 3, RW), -EINVAL);
	CHECK_EQ(domain_grant(world.granter, 0, world.pfns[1], false),
		 world.refs[1]);
	CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
	/* And while it is mapped: the data stays. */
	domain_revoke(world.granter, world.refs[2]);
	CHECK_EQ(peek(AT(0) + 2 * PAGE), 'C');
	task_invalidate(world.task, AT(0), 3 * PAGE);
	if (test_mode == MACHINE_PV)
		CHECK_EQ(peek(AT(0) + 2 * PAGE), -1);
	CHECK_EQ(peek(AT(0)), 'A');
	world_stop();
}

static void row_61_odd_statuses_are_clean_errors(void)
{
	static const int16_t odd[] = {1, 2, 32767, -32768, -13, -12, -99};
	struct gntdev_grant_copy_segment s;
	unsigned char byte;
	uint64_t index;
	size_t i;

	world_start();
	grant(2, false);
	CHECK_EQ(req_map(world.file, 0, 2, &index), 0);
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		int err;

		machine_fail_none();
		CHECK_EQ(machine_fail_op(MACHINE_OP_MAP, 2, odd[i]), 0);
		err = map_index(AT(0), index, 2, RW);
		/* A page paged out for a moment is asked for again. */
		if (odd[i] == -12)
			CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
		else
			CHECK(err < 0 && err > -200 && err != -EAGAIN);
		CHECK(!in_use(0) && !in_use(1));
		s = segment(0, &byte);
		CHECK_EQ(machine_fail_op(MACHINE_OP_COPY, 1, odd[i]), 0);
		CHECK_EQ(req_copy(world.file, &s, 1), 0);
		CHECK_EQ(s.status, odd[i] == -12 ? 0 : odd[i]);
	}
	machine_fail_none();
	CHECK_EQ(map_index(AT(0), index, 2, RW), 0);
	world_stop();
}

static const struct test tests[] = {
	TEST(row_31_a_page_whose_map_failed_is_not_written),
	TEST(row_32_byte_then_unmap_then_event),
	TEST_IN(IN_ANY, row_37_a_positive_hypercall_is_no_success),
	TEST_IN(IN_ANY, row_40_a_pin_of_no_page_is_not_used),
	TEST_IN(IN_ANY, row_41_patience_with_a_paged_out_page_ends),
	TEST(row_54_a_release_races_a_notifier),
	TEST_IN(IN_PV, row_55_a_notifier_that_may_not_sleep_does_not),
	TEST(row_61_grants_revoked_before_mmap),
	TEST(row_61_odd_statuses_are_clean_errors),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
