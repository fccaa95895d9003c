// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Rows 2 to 30: see rows.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../machine/kernel/outside.h"

#include "../../machine/kernel/context.h"
#include "rows.h"

/* ---- table and index ---- */

static void row_2_a_copy_out_that_fails_leaves_no_range(void)
{
	uint64_t index;
	char text[256];

	world_start();
	grant(3, false);
	fail_call("copy_to_user", 1, 0, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), -EFAULT);
	machine_fail_none();
	CHECK(file_fdinfo(world.file, text, sizeof(text)));
	CHECK(strstr(text, "grants:\t0\n"));
	CHECK(strstr(text, "ranges:\t0\n"));
	CHECK_EQ(map_index(AT(0), 0, 3, RW), -EINVAL);
	CHECK_EQ(req_unmap(world.file, 0, 3), -ENOENT);
	/* The first index that a program is told is 0. */
	CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	CHECK_EQ(index, 0);
	world_stop();
}

static void row_7_each_allocation_of_large_requests_may_fail(void)
{
	char spec[64], why[256];
	uint64_t index;
	int nth;

	world_start();
	grant(1000, false);
	fail_call("gnttab_alloc_pages", 1, 0, false);
	CHECK_EQ(map_at(AT(0), 0, 1000, RW, &index), -ENOMEM);
	machine_fail_none();
	for (nth = 1;; nth++) {
		/* One is not to be had, nor what is got in place of a block. */
		snprintf(spec, sizeof(spec), "alloc:%d,alloc:%d", nth, nth + 1);
		CHECK_EQ(machine_fail_spec(spec, why, sizeof(why)), 0);
		if (!map_at(AT(0), 0, 1000, RW, &index))
			break;
		CHECK(machine_failed());
		CHECK_EQ(counters().mapped, 0);
		machine_fail_none();
	}
	CHECK(nth > 2);
	machine_fail_none();
	/* What munmap leaves serves the next mmap without any allocation. */
	CHECK_EQ(task_munmap(world.task, AT(0), 1000 * PAGE), 0);
	fail_call("gnttab_alloc_pages", 1, 0, true);
	CHECK_EQ(map_index(AT(0), index, 1000, RW), 0);
	CHECK_EQ(machine_failed(), 0);
	machine_fail_none();
	CHECK_EQ(machine_fail_spec("kmalloc:1,vmalloc:1", why, sizeof(why)), 0);
	CHECK_EQ(req_notify(world.file, index, CLEAR, 0), -ENOMEM);
	machine_fail_none();
	CHECK_EQ(req_notify(world.file, index, CLEAR, 0), 0);
	world_stop();
}

/* In place of a block single pages are put together. */
static void large_requests_need_no_block(void)
{
	char spec[64], why[256];
	int err, failed = 1, instead = 0;

	for (int nth = 1; failed; nth++) {
		world_start();
		grant(1000, false);
		snprintf(spec, sizeof(spec), "kmalloc:%d", nth);
		CHECK_EQ(machine_fail_spec(spec, why, sizeof(why)), 0);
		err = map_at(AT(0), 0, 1000, RW, NULL);
		failed = machine_failed();
		machine_fail_none();
		CHECK(!err || err == -ENOMEM);
		instead += failed && !err;
		world_stop();
	}
	CHECK(instead > 0);
}

/* Without memory for a hypercall's operations there are more hypercalls. */
static void large_ranges_are_mapped_and_unmapped_in_little_room(void)
{
	char why[256];
	uint64_t index;

	world_start();
	grant(1000, false);
	CHECK_EQ(req_map(world.file, 0, 1000, &index), 0);
	CHECK_EQ(machine_fail_spec("kmalloc:1+", why, sizeof(why)), 0);
	CHECK_EQ(map_index(AT(0), index, 1000, RW), 0);
	CHECK_EQ(counters().mapped, 1000);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK(peek(AT(0) + 999 * PAGE) != -1);
	/* A PV domain's kernel maps nothing by itself. */
	CHECK_EQ(machine_failed() > 0, test_mode != MACHINE_PV);
	machine_fail_none();
	CHECK_EQ(machine_fail_spec("kmalloc:1+", why, sizeof(why)), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 1000 * PAGE), 0);
	CHECK_EQ(machine_failed() > 0, test_mode != MACHINE_PV);
	machine_fail_none();
	CHECK_EQ(counters().mapped, 0);
	CHECK_EQ(counters().handles, 0);
	CHECK_EQ(req_unmap(world.file, index, 1000), 0);
	world_stop();
}

/* The kernel is told, who kills somebody for it or tries again; nothing is lost. */
static void a_fault_without_a_page_table_is_for_lack_of_memory(void)
{
	world_start();
	grant(1, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	fail_call("apply_to_page_range", 1, 0, true);
	CHECK_EQ(task_madvise(world.task, AT(0), PAGE, MADV_DONTNEED), 0);
	machine_fail_none();
	fail_call("apply_to_page_range", 1, 0, true);
	CHECK_EQ(peek(AT(0)), -1);
	CHECK_EQ(machine_failed(), 1);
	machine_fail_none();
	CHECK_EQ(peek(AT(0)), 'A');
	world_stop();
}

/* ---- mmap ---- */

/*
 * Three pages, mapped into the kernel or, in a PV domain, into the program: each
 * operation answers each status. All good is mapped, all else is not.
 */
static const int16_t statuses[] = {0, -1, -7, -1000, 5};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

static bool set_statuses(enum machine_op op, unsigned int combination)
{
	bool good = true;
	int i;

	for (i = 1; i <= 3; i++) {
		int16_t status = statuses[combination % STATUSES];

		combination /= STATUSES;
		if (!status)
			continue;
		CHECK_EQ(machine_fail_op(op, i, status), 0);
		good = false;
	}

	return good;
}

static void row_10_all_statuses_of_three_maps(void)
{
	unsigned int all = STATUSES * STATUSES * STATUSES, s, i;
	bool pv = test_mode == MACHINE_PV;
	struct machine_mappings m;
	uint64_t index;
	bool good;
	int err;

	world_start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	for (s = 0; s < all; s++) {
		machine_fail_none();
		good = set_statuses(MACHINE_OP_MAP, s);
		err = map_index(AT(0), index, 3, RW);
		CHECK(good ? !err : err == -EINVAL || err == -ENOMEM);
		machine_mappings(&m);
		CHECK_EQ(m.kernel, good && !pv ? 3 : 0);
		CHECK_EQ(m.user, good && pv ? 3 : 0);
		for (i = 0; i < 3; i++)
			CHECK_EQ(in_use(i), good);
		if (good)
			CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	}
	machine_fail_none();
	CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
	CHECK_EQ(peek(AT(0) + 2 * PAGE), 'C');
	world_stop();
}

/* Whom the kernel maps it for does not get a page whose mapping failed. */
static void row_10_all_statuses_of_three_pages_that_io_wants(void)
{
	unsigned int all = STATUSES * STATUSES * STATUSES, s, i, failed;
	struct machine_mappings m;
	struct page *page[3];
	uint64_t index;
	bool got[3];

	world_start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	for (s = 0; s < all; s++) {
		machine_fail_none();
		CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
		(void)set_statuses(MACHINE_OP_KMAP, s);
		for (i = 0, failed = 0; i < 3; i++) {
			got[i] = !page_hold(world.task, AT(0) + i * PAGE, true,
					    &page[i]);
			failed += !got[i];
		}
		machine_mappings(&m);
		CHECK_EQ(m.kernel, 3 - failed);
		CHECK_EQ(m.user, 3);
		CHECK_EQ(failed != 0, s != 0);
		/* The program sees no difference. */
		CHECK_EQ(peek(AT(0) + 2 * PAGE), 'C');
		CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
		for (i = 0; i < 3; i++) {
			CHECK_EQ(in_use(i), got[i]);
			if (got[i])
				page_release(page[i]);
		}
		machine_advance(1000);
		CHECK_EQ(counters().mapped, 0);
	}
	world_stop();
}

static void row_11_the_count_survives_mixed_failures(void)
{
	uint64_t index;

	world_start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	CHECK_EQ(machine_fail_op(MACHINE_OP_UMAP, 2, -1), 0);
	CHECK_EQ(map_index(AT(0), index, 3, RW), -EINVAL);
	CHECK_EQ(counters().mapped, 0);
	CHECK_EQ(counters().leaked, 0);
	machine_fail_none();
	/* Without access, only the kernel maps it. */
	CHECK_EQ(machine_fail_op(MACHINE_OP_KMAP, 2, -1), 0);
	CHECK_EQ(map_index(AT(0), index, 3, 0), -EINVAL);
	CHECK_EQ(counters().mapped, 0);
	machine_fail_none();
	CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
	CHECK_EQ(counters().mapped, 3);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	CHECK_EQ(counters().mapped, 0);
	world_stop();
}

static void row_14_a_notifier_that_is_not_registered_is_not_removed(void)
{
	uint64_t index;

	world_start();
	grant(2, false);
	CHECK_EQ(req_map(world.file, 0, 2, &index), 0);
	fail_call("mmu_interval_notifier_insert_locked", 1, 0, false);
	CHECK_EQ(map_index(AT(0), index, 2, RW), -ENOMEM);
	/* A signal: mmap is done over, and succeeds. */
	fail_call("mmu_interval_notifier_insert_locked", 1, 1, false);
	CHECK_EQ(map_index(AT(0), index, 2, RW), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	fail_call("mmu_interval_notifier_insert_locked", 1, 1, true);
	CHECK_EQ(map_index(AT(0), index, 2, RW), -EINTR);
	CHECK(!in_use(0) && !in_use(1));
	machine_fail_none();
	CHECK_EQ(map_index(AT(0), index, 2, RW), 0);
	world_stop();
}

/* ---- unmapping ---- */

static void row_24_every_page_of_a_range_may_be_in_use(void)
{
	struct page *pages[5];
	unsigned int i;

	world_start();
	grant(5, false);
	CHECK_EQ(map_at(AT(0), 0, 5, RW, NULL), 0);
	for (i = 0; i < 5; i++)
		CHECK_EQ(page_hold(world.task, AT(0) + i * PAGE, true,
				   &pages[i]),
			 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 5 * PAGE), 0);
	CHECK_EQ(counters().deferred, 5);
	for (i = 5; i-- > 0;) {
		machine_advance(300);
		CHECK_EQ(counters().deferred, i + 1);
		page_release(pages[i]);
		machine_advance(300);
		CHECK(!in_use(i));
		CHECK_EQ(counters().deferred, i);
	}
	world_stop();
}

static void row_25_pages_never_mapped_are_no_news(void)
{
	uint64_t index;

	world_start();
	grant(200, false);
	CHECK_EQ(req_map(world.file, 0, 200, &index), 0);
	machine_log_clear();
	CHECK_EQ(machine_fail_op(MACHINE_OP_MAP, 150, -1), 0);
	CHECK_EQ(map_index(AT(0), index, 200, RW), -EINVAL);
	fail_call("map_call", 1, 0, true);
	CHECK_EQ(map_index(AT(0), index, 200, RW), -EIO);
	machine_fail_none();
	CHECK_EQ(req_unmap(world.file, index, 200), 0);
	CHECK(!strstr(machine_log(), "unmapping"));
	world_stop();
}

static void row_26_handle_zero_is_a_handle(void)
{
	world_start();
	grant(1, false);
	watch();
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(events[0].kind, MACHINE_EVENT_MAP);
	CHECK_EQ(events[0].handle, 0);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK(!in_use(0));
	machine_watch(NULL, NULL);
	world_stop();
}

/* The page is kept out of use for ever, is counted, and is told of. */
static void row_27_a_page_that_stays_mapped_is_never_used_again(void)
{
	unsigned int i;

	for (i = 1; i <= 3; i++) {
		world_start();
		grant(3, false);
		CHECK_EQ(map_at(AT(0), 0, 3, RW, NULL), 0);
		machine_log_clear();
		CHECK_EQ(machine_fail_op(MACHINE_OP_UNMAP, i, -1), 0);
		CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
		CHECK(in_use(i - 1));
		CHECK(!in_use(i % 3));
		CHECK_EQ(counters().mapped, 0);
		CHECK_EQ(counters().leaked, 1);
		CHECK(strstr(machine_log(), "hypervisor status -1"));
		machine_fail_none();
		world_stop();
	}
}

static void row_27_a_hypercall_that_fails_leaves_its_pages_out_of_use(void)
{
	unsigned int variant;

	for (variant = 0; variant < 3; variant++) {
		world_start();
		grant(4, false);
		CHECK_EQ(map_at(AT(0), 0, 4, RW, NULL), 0);
		fail_call("unmap_call", 1, variant, false);
		CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
		machine_fail_none();
		CHECK(in_use(3));
		CHECK(counters().leaked >= 1);
		CHECK_EQ(counters().mapped, 0);
		/* And goes on with what is good. */
		CHECK_EQ(map_at(AT(1), 0, 2, RW, NULL), 0);
		CHECK_EQ(peek(AT(1)), 'A');
		world_stop();
	}
}

/* The same with a notification on it: nothing is stored, nothing is lost. */
static void row_27_a_notification_of_a_page_that_stays_mapped(void)
{
	struct channel c;
	unsigned int nth;

	for (nth = 1; nth <= 2; nth++) {
		world_start();
		grant(1, false);
		channel_open(&c);
		CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
		CHECK_EQ(req_notify(world.file, 7, CLEAR | SEND, c.port), 0);
		CHECK_EQ(machine_fail_op(MACHINE_OP_UNMAP, nth, -1), 0);
		CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
		machine_fail_none();
		file_close(world.task, c.evtchn);
		world_stop();
	}
}

/* Bus addresses are of device mappings, which this driver does not make. */
static void row_28_bus_addresses_are_not_mixed_up(void)
{
	world_start();
	grant(3, false);
	CHECK_EQ(map_at(AT(0), 0, 3, RW, NULL), 0);
	/* The hypervisor's model refuses any but the mapping's own. */
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	CHECK(!in_use(0) && !in_use(1) && !in_use(2));
	world_stop();
}

static struct page *held;

static void *release_later(void *arg)
{
	struct timespec moment = {0, 100000000};

	nanosleep(&moment, NULL);
	page_release(held);
	return arg;
}

/* And what is in use is not unloaded: whoever tries is told so at once. */
static void row_29_the_module_stays_while_pages_are_in_use(void)
{
	struct page *pages[2];

	world_start();
	grant(3, false);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	CHECK_EQ(map_at(AT(1), 2, 1, RW, NULL), 0);
	CHECK_EQ(page_hold(world.task, AT(0), true, &pages[0]), 0);
	CHECK_EQ(page_hold(world.task, AT(1), true, &pages[1]), 0);
	task_exit(world.task);
	world.task = NULL;
	file_close(NULL, world.file);
	world.file = NULL;
	machine_advance(60000);
	CHECK_EQ(machine_driver_users(), 2);
	page_release(pages[0]);
	machine_advance(300);
	CHECK_EQ(machine_driver_users(), 1);
	page_release(pages[1]);
	machine_advance(300);
	CHECK_EQ(machine_driver_users(), 0);
	world_stop();
}

/* The last look may still be under way when nothing is left to be looked at. */
static void row_29_unload_waits_for_the_last_look(void)
{
	pthread_t thread;

	world_prepare();
	world.config.clock = MACHINE_REAL_TIME;
	world_start();
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	CHECK_EQ(page_hold(world.task, AT(0), true, &held), 0);
	task_exit(world.task);
	file_close(NULL, world.file);
	CHECK_EQ(counters().deferred, 1);
	CHECK_EQ(pthread_create(&thread, NULL, release_later, NULL), 0);
	CHECK_EQ(machine_stop(stderr), 0);
	pthread_join(thread, NULL);
}

static void row_30_handles_that_are_none_are_not_unmapped(void)
{
	uint64_t index;
	int i;

	/* The hypervisor's model ends the process if one is. */
	world_start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	for (i = 1; i <= 6; i++) {
		machine_fail_none();
		CHECK_EQ(machine_fail_op(MACHINE_OP_MAP, i, -1), 0);
		map_index(AT(0), index, 3, RW);
		task_munmap(world.task, AT(0), 3 * PAGE);
	}
	fail_call("map_call", 1, 1, false);
	CHECK_EQ(map_index(AT(0), index, 3, RW), -EIO);
	machine_fail_none();
	CHECK_EQ(req_unmap(world.file, index, 3), 0);
	world_stop();
}

static const struct test tests[] = {
	TEST_IN(IN_PV, a_fault_without_a_page_table_is_for_lack_of_memory),
	TEST_IN(IN_ANY, row_2_a_copy_out_that_fails_leaves_no_range),
	TEST(row_7_each_allocation_of_large_requests_may_fail),
	TEST(large_requests_need_no_block),
	TEST(large_ranges_are_mapped_and_unmapped_in_little_room),
	TEST(row_10_all_statuses_of_three_maps),
	TEST_IN(IN_PV, row_10_all_statuses_of_three_pages_that_io_wants),
	TEST_IN(IN_PV, row_11_the_count_survives_mixed_failures),
	TEST_IN(IN_PV, row_14_a_notifier_that_is_not_registered_is_not_removed),
	TEST(row_24_every_page_of_a_range_may_be_in_use),
	TEST(row_25_pages_never_mapped_are_no_news),
	TEST(row_26_handle_zero_is_a_handle),
	TEST(row_27_a_page_that_stays_mapped_is_never_used_again),
	TEST(row_27_a_hypercall_that_fails_leaves_its_pages_out_of_use),
	TEST(row_27_a_notification_of_a_page_that_stays_mapped),
	TEST(row_28_bus_addresses_are_not_mixed_up),
	TEST(row_29_the_module_stays_while_pages_are_in_use),
	TEST(row_29_unload_waits_for_the_last_look),
	TEST(row_30_handles_that_are_none_are_not_unmapped),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
