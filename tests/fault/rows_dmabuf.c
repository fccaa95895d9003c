// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Rows 43 to 47 and 59: exported dma-bufs. */
#define _GNU_SOURCE
#include "../../machine/kernel/outside.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "../../machine/kernel/context.h"
#include "../unit/buffers.h"
#include "rows.h"

static void row_43_no_index_reaches_an_export(void)
{
	long fd = start_export(3, 0);
	uint64_t index;

	for (index = 0; index < 8 * PAGE; index += PAGE) {
		CHECK_EQ(req_unmap(world.file, index, 3), -ENOENT);
		CHECK_EQ(req_unmap(world.file, index, 0), -ENOENT);
		CHECK_EQ(map_index(AT(1), index, 3, RW), -EINVAL);
	}
	CHECK_EQ(map_buffer(AT(0), fd, 3, RW), 0);
	CHECK_EQ(peek(AT(0) + 2 * PAGE), 'C');
	world_stop();
}

/* ---- 44 ---- */

static const struct machine_descriptors *numbers;
static unsigned int closed;

static int reserve_three(struct task *task, int flags)
{
	(void)task, (void)flags;
	return 3;
}

static void cancel_nothing(struct task *task, int fd)
{
	(void)task, (void)fd;
}

/* Another thread has guessed the number, and closes it at once. */
static void close_at_once(struct task *task, int fd, struct file *file)
{
	struct context c;

	(void)task, (void)fd;
	closed++;
	/* Not in the call of this one, which would put off the end of it. */
	context_enter(&c, NULL, NULL);
	file_close(NULL, file);
	context_leave(&c);
}

static struct file *find_nothing(struct task *task, unsigned int fd)
{
	(void)task, (void)fd;
	return NULL;
}

static const struct machine_descriptors hasty = {
	.reserve = reserve_three,
	.cancel = cancel_nothing,
	.install = close_at_once,
	.find = find_nothing,
};

static void row_44_a_descriptor_closed_as_it_appears_does_no_harm(void)
{
	uint32_t flags;

	world_prepare();
	numbers = &hasty;
	world.config.descriptors = numbers;
	world_start();
	grant(3, false);
	for (flags = 0; flags < 3; flags++) {
		CHECK_EQ(req_export(world.file, flags, 0, 3), 3);
		CHECK(!in_use(0) && !in_use(1) && !in_use(2));
	}
	CHECK_EQ(closed, 3);
	world_stop();
}

static unsigned int looked;

static void look_for_a_descriptor(const struct machine_event *event, void *arg)
{
	(void)arg;
	if (event->kind != MACHINE_EVENT_USER)
		return;
	looked++;
	CHECK(!task_descriptor(world.task, 3));
}

static void row_44_a_descriptor_appears_when_all_is_done(void)
{
	world_start();
	grant(2, false);
	machine_watch(look_for_a_descriptor, NULL);
	CHECK_EQ(req_export(world.file, 0, 0, 2), 3);
	machine_watch(NULL, NULL);
	/* The request, two references, the number. */
	CHECK_EQ(looked, 4);
	CHECK(task_descriptor(world.task, 3) != NULL);
	world_stop();
}

static void row_45_a_failed_copy_out_leaves_no_descriptor(void)
{
	uint32_t flags;

	world_start();
	grant(3, false);
	for (flags = 0; flags < 3; flags++) {
		fail_call("put_user", 1, 0, false);
		CHECK_EQ(req_export(world.file, flags, 0, 3), -EFAULT);
		CHECK_EQ(machine_failed(), 1);
		machine_fail_none();
		CHECK_EQ(task_descriptors(world.task), 0);
		CHECK(!in_use(0) && !in_use(2));
	}
	/* Nothing counts any more. */
	CHECK_EQ(req_max(world.file, 3), 0);
	CHECK_EQ(req_export(world.file, 0, 0, 3), 3);
	world_stop();
}

/* ---- 46 ---- */

static long number;

static void *wait_for_it(void *arg)
{
	*(long *)arg = req_wait(world.file, number, 60000);
	return NULL;
}

static void moment(void)
{
	struct timespec t = {0, 30000000};

	nanosleep(&t, NULL);
}

/* As world_stop(), in real time. */
static void stop_in_real_time(void)
{
	unsigned int i;

	if (world.task)
		task_exit(world.task);
	file_close(NULL, world.file);
	for (i = 0; i < world.grants; i++)
		CHECK_EQ(domain_ungrant(world.granter, world.refs[i]), 0);
	CHECK_EQ(machine_stop(stderr), 0);
}

#define WAITERS 5

static void with_waiters(void (*then)(void), long expected)
{
	pthread_t threads[WAITERS];
	long results[WAITERS];
	int i;

	world_prepare();
	world.config.clock = MACHINE_REAL_TIME;
	number = start_export(1, 0);
	for (i = 0; i < WAITERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_it,
					&results[i]),
			 0);
	moment();
	then();
	for (i = 0; i < WAITERS; i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQ(results[i], expected);
	}
	stop_in_real_time();
}

static void close_it(void)
{
	close_buffer(number);
}

static void kill_it(void)
{
	task_kill(world.task);
}

static void row_46_every_waiter_is_woken(void)
{
	with_waiters(close_it, 0);
}

static void row_46_a_wait_ends_by_a_kill(void)
{
	with_waiters(kill_it, -EINTR);
}

static void row_46_a_failed_wait_keeps_nothing(void)
{
	long fd = start_export(1, 0);

	fail_call("copy_from_user", 1, 0, false);
	CHECK_EQ(req_wait(world.file, fd, 10), -EFAULT);
	fail_call("fatal_signal", 1, 0, false);
	CHECK_EQ(req_wait(world.file, fd, 10), -EINTR);
	machine_fail_none();
	CHECK_EQ(req_wait(world.file, fd, 10), -ETIMEDOUT);
	close_buffer(fd);
	CHECK_EQ(machine_driver_users(), 0);
	CHECK(!in_use(0));
	world_stop();
}

static void row_46_a_number_used_again_means_its_newest_buffer(void)
{
	long fd = start_export(2, 0);

	CHECK_EQ(map_buffer(AT(0), fd, 2, RW), 0);
	close_buffer(fd);
	CHECK_EQ(req_export(world.file, 0, 0, 1), fd);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(req_wait(world.file, fd, 10), -ETIMEDOUT);
	close_buffer(fd);
	CHECK_EQ(req_wait(world.file, fd, 10), -ENOENT);
	world_stop();
}

/* Who goes last is no program: the instance, its task and its file are gone. */
static void row_47_a_device_lets_go_last(void)
{
	long fd = start_export(2, 0);
	struct dmabuf_user *user;

	CHECK_EQ(dmabuf_attach(buffer(fd), &user), 0);
	task_exit(world.task);
	world.task = NULL;
	file_close(NULL, world.file);
	world.file = NULL;
	CHECK(in_use(0));
	dmabuf_detach(user);
	CHECK(!in_use(0) && !in_use(1));
	CHECK_EQ(machine_driver_users(), 0);
	world_stop();
}

/* ---- 59 ---- */

static void row_59_memory_that_is_half_given_up_comes_back(void)
{
	static const char *const calls[] = {
		"dma_alloc_attrs",
		"dma_get_sgtable_attrs",
		"sg_alloc_table",
		"gnttab_pages_set_private",
		"xenmem_reservation_decrease",
	};
	unsigned int nth;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (nth = 1; nth <= 3; nth++) {
			world_start();
			grant(3, false);
			fail_call(calls[i], nth, 0, false);
			/* A PV domain keeps the memory, and asks nobody. */
			if (req_export(world.file, nth % 2 + 1, 0, 3) >= 0)
				CHECK(test_mode == MACHINE_PV && i == 4);
			machine_fail_none();
			CHECK_EQ(counters().leaked, 0);
			world_stop();
		}
	}
}

static void row_59_a_page_without_memory_goes_to_nobody(void)
{
	struct machine_mappings m;
	long fd = start_export(4, GNTDEV_DMA_FLAG_COHERENT);

	/* There may be some at the second attempt. */
	fail_call("xenmem_reservation_increase", 2, 0, false);
	close_buffer(fd);
	CHECK_EQ(machine_failed(), 1);
	machine_fail_none();
	CHECK_EQ(counters().leaked, 0);

	fd = req_export(world.file, GNTDEV_DMA_FLAG_COHERENT, 0, 4);
	fail_call("xenmem_reservation_increase", 2, 0, true);
	machine_log_clear();
	close_buffer(fd);
	machine_fail_none();
	machine_mappings(&m);
	CHECK_EQ(m.unpopulated, 3);
	CHECK_EQ(counters().leaked, 3);
	CHECK(strstr(machine_log(), "no memory for a page"));
	CHECK(!in_use(0) && !in_use(1) && !in_use(2) && !in_use(3));
	/* The others may be used again. */
	fd = req_export(world.file, GNTDEV_DMA_FLAG_WC, 0, 4);
	CHECK(fd >= 0);
	world_stop();
}

/* What waits costs by the pages that are held, whatever they are. */
static void row_24_a_held_page_of_a_buffer_keeps_no_record_of_the_others(void)
{
	struct page *pages[2];
	uint32_t flags;
	size_t before;
	long fd;

	for (flags = 0; flags < 3; flags++) {
		world_start();
		grant(1000, false);
		/* What an instance keeps of its first one is there before. */
		close_buffer(req_export(world.file, 0, 0, 1));
		before = machine_allocated();
		fd = req_export(world.file, flags, 0, 1000);
		CHECK_EQ(map_buffer(AT(0), fd, 1000, RW), 0);
		CHECK_EQ(page_hold(world.task, AT(0) + 7 * PAGE, true,
				   &pages[0]),
			 0);
		CHECK_EQ(page_hold(world.task, AT(0) + 700 * PAGE, true,
				   &pages[1]),
			 0);
		CHECK_EQ(task_munmap(world.task, AT(0), 1000 * PAGE), 0);
		close_buffer(fd);
		CHECK_EQ(counters().deferred, 2);
		CHECK(in_use(7) && in_use(700) && !in_use(999));
		CHECK(machine_allocated() - before < 1500);
		page_release(pages[1]);
		machine_advance(300);
		CHECK(in_use(7) && !in_use(700));
		page_release(pages[0]);
		machine_advance(300);
		CHECK_EQ(counters().deferred, 0);
		CHECK_EQ(machine_allocated(), before);
		world_stop();
	}
}

/* Many at once, and each failure in the middle of that. */
static void row_59_memory_is_given_up_and_comes_back_in_batches(void)
{
	static const char *const calls[] = {
		"dma_alloc_attrs",
		"dma_get_sgtable_attrs",
		"gnttab_pages_set_private",
		"xenmem_reservation_decrease",
	};
	unsigned int nth, i;
	long fd;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (nth = 127; nth <= 257; nth += 26) {
			world_start();
			grant(300, false);
			fail_call(calls[i], nth, 0, false);
			fd = req_export(world.file, GNTDEV_DMA_FLAG_WC, 0, 300);
			CHECK(fd == -ENOMEM ||
			      (test_mode == MACHINE_PV && i == 3));
			machine_fail_none();
			CHECK_EQ(counters().leaked, 0);
			world_stop();
		}
	}
}

/* ---- a bad reference, and a kill, before memory is asked for ---- */

static void row_59_a_bad_reference_costs_no_memory(void)
{
	uint32_t flags;

	world_start();
	grant(300, false);
	CHECK_EQ(domain_revoke(world.granter, world.refs[299]), 0);
	for (flags = 1; flags < 3; flags++) {
		fail_call("dma_alloc_attrs", 1, 0, true);
		CHECK_EQ(req_export(world.file, flags, 0, 300), -EINVAL);
		CHECK_EQ(machine_failed(), 0);
		machine_fail_none();
		/* Neither what the copy says nor its failure is the last word. */
		CHECK_EQ(machine_fail_op(MACHINE_OP_COPY, 7, GNTST_bad_page),
			 0);
		close_buffer(req_export(world.file, flags, 0, 100));
		fail_call("copy_call", 1, 0, true);
		CHECK_EQ(req_export(world.file, flags, 200, 100), -EINVAL);
		machine_fail_none();
	}
	CHECK_EQ(counters().leaked, 0);
	world_stop();
}

static void row_59_a_kill_ends_the_getting_of_memory(void)
{
	unsigned int nth;

	for (nth = 1; nth <= 6; nth++) {
		world_start();
		grant(300, false);
		fail_call("fatal_signal", nth, 0, false);
		CHECK_EQ(req_export(world.file, GNTDEV_DMA_FLAG_WC, 0, 300),
			 -EINTR);
		CHECK_EQ(machine_failed(), 1);
		machine_fail_none();
		CHECK(!in_use(0));
		world_stop();
	}
}

/* The page that the hypervisor did not unmap stays away from the DMA API. */
static void row_59_a_grant_that_is_not_unmapped_keeps_its_page(void)
{
	long fd = start_export(3, GNTDEV_DMA_FLAG_WC);

	CHECK_EQ(machine_fail_op(MACHINE_OP_UNMAP, 2, GNTST_general_error), 0);
	close_buffer(fd);
	CHECK_EQ(counters().leaked, 1);
	CHECK(!in_use(0) && in_use(1) && !in_use(2));
	world_stop();
}

/* Row 10, for buffers: all statuses of three pages. */
static void row_10_statuses_of_a_buffer_in_all_permutations(void)
{
	static const int16_t statuses[] = {
		0, GNTST_general_error, GNTST_no_device_space, GNTST_eagain, 7};
	unsigned int i, k, n, permutation;

	for (permutation = 1; permutation < 125; permutation++) {
		world_start();
		grant(3, false);
		for (k = 0, n = permutation; k < 3; k++, n /= 5) {
			i = n % 5;
			if (statuses[i])
				CHECK_EQ(machine_fail_op(MACHINE_OP_MAP, k + 1,
							 statuses[i]),
					 0);
		}
		if (req_export(world.file, permutation % 3, 0, 3) < 0)
			CHECK_EQ(task_descriptors(world.task), 0);
		machine_fail_none();
		close_buffer(task_descriptors(world.task) ? 3 : -1);
		CHECK(!in_use(0) && !in_use(1) && !in_use(2));
		CHECK_EQ(counters().mapped, 0);
		world_stop();
	}
}

static const struct test tests[] = {
	TEST(row_43_no_index_reaches_an_export),
	TEST(row_44_a_descriptor_closed_as_it_appears_does_no_harm),
	TEST(row_44_a_descriptor_appears_when_all_is_done),
	TEST(row_45_a_failed_copy_out_leaves_no_descriptor),
	TEST(row_46_every_waiter_is_woken),
	TEST(row_46_a_wait_ends_by_a_kill),
	TEST(row_46_a_failed_wait_keeps_nothing),
	TEST(row_46_a_number_used_again_means_its_newest_buffer),
	TEST(row_47_a_device_lets_go_last),
	TEST(row_59_memory_that_is_half_given_up_comes_back),
	TEST_IN(IN_XLAT, row_59_a_page_without_memory_goes_to_nobody),
	TEST(row_24_a_held_page_of_a_buffer_keeps_no_record_of_the_others),
	TEST(row_59_memory_is_given_up_and_comes_back_in_batches),
	TEST(row_59_a_bad_reference_costs_no_memory),
	TEST(row_59_a_kill_ends_the_getting_of_memory),
	TEST(row_59_a_grant_that_is_not_unmapped_keeps_its_page),
	TEST(row_10_statuses_of_a_buffer_in_all_permutations),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
