// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Rows 65, 67 and 71: what a mapping needs to stay, with no handle left, with a
 * granter whose page is paged out, and under a debugger's eyes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rows.h"
#include "../unit/areas.h"

/* What the driver may keep for itself. */
#define RESERVE 32U
#define PAGES 40U

/* Every handle is in use: by the entries of so many pages, and the reserve. */
static void start_exhausted(bool reserve)
{
	world_prepare();
	world.config.own_grants = reserve;
	world.config.maptrack = PAGES + (reserve ? RESERVE : 0);
	world_start();
	grant(PAGES + 1, false);
	CHECK_EQ(map_at(AT(0), 0, PAGES, RW, NULL), 0);
	CHECK_EQ(map_at(AT(1), PAGES, 1, RW, NULL), -ENOMEM);
}

static void check_all(bool writable)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		CHECK(in_use(i));
		CHECK_EQ(peek(AT(0) + i * PAGE), 'A' + i % 26);
		if (!writable)
			continue;
		CHECK_EQ(poke(AT(0) + i * PAGE + 1, (unsigned char)i), 0);
		CHECK_EQ(granted(i)[1], i);
	}
}

static void check_survives(void)
{
	CHECK_EQ(task_mprotect(world.task, AT(0), PAGES * PAGE, PROT_READ), 0);
	check_all(false);
	CHECK_EQ(task_mprotect(world.task, AT(0), PAGES * PAGE, PROT_NONE), 0);
	CHECK_EQ(task_mprotect(world.task, AT(0), PAGES * PAGE, RW), 0);
	check_all(true);
	CHECK_EQ(task_madvise(world.task, AT(0), PAGES * PAGE, MADV_DONTNEED),
		 0);
	check_all(true);
	CHECK_EQ(task_clear_refs(world.task, 4), 0);
	check_all(true);
}

static void row_65_a_mapping_survives_with_the_reserve(void)
{
	struct machine_mappings m;

	start_exhausted(true);
	check_survives();
	check_survives();
	/* The kernel gave its own mappings up where entries came back. */
	machine_mappings(&m);
	CHECK_EQ(m.kernel, 0);
	CHECK_EQ(m.user, PAGES);
	world_stop();
}

static void row_65_a_mapping_survives_without_a_reserve(void)
{
	start_exhausted(false);
	check_survives();
	check_survives();
	world_stop();
}

static void row_65_the_reaper_leaves_what_cannot_be_kept(void)
{
	start_exhausted(true);
	CHECK_EQ(task_reap(world.task), -EAGAIN);
	check_all(true);
	world_stop();
}

/* Every slot of an area is filled, and no handle is left but some of a reserve. */
static void start_full_area(uint64_t *index)
{
	unsigned int i;

	world_prepare();
	world.config.own_grants = true;
	world.config.maptrack = PAGES + RESERVE;
	world_start();
	grant(PAGES, false);
	CHECK_EQ(area_at(AT(0), PAGES, RW, index), 0);
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(fill(*index, i, i), 0);
}

/* What the reaper left is ended later, where it is: nothing is lost. */
static void row_65_an_area_that_the_reaper_left_is_whole(void)
{
	uint64_t index;

	start_full_area(&index);
	CHECK_EQ(task_reap(world.task), -EAGAIN);
	check_all(true);
	CHECK_EQ(empty(index, 7), 0);
	CHECK(!in_use(7));
	CHECK_EQ(fill(index, 7, 7), 0);
	check_all(true);
	CHECK_EQ(task_reap(world.task), -EAGAIN);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGES * PAGE), 0);
	CHECK(!in_use(0) && !in_use(PAGES - 1));
	CHECK_EQ(counters().leaked, 0);
	world_stop();
}

/* The first of the entries were kept by the kernel, and ended; the others left. */
static void row_65_an_area_that_the_reaper_took_a_part_of(void)
{
	uint64_t index;
	unsigned int i;

	start_full_area(&index);
	for (i = 0; i < 10; i++)
		CHECK_EQ(empty(index, PAGES - 1 - i), 0);
	CHECK_EQ(machine_fail_op(MACHINE_OP_KMAP, 20, -1), 0);
	(void)task_reap(world.task);
	for (i = 0; i < PAGES - 10; i++)
		CHECK_EQ(peek(AT(0) + i * PAGE), 'A' + i % 26);
	(void)task_reap(world.task);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGES * PAGE), 0);
	CHECK(!in_use(0) && !in_use(25));
	CHECK_EQ(counters().leaked, 0);
	world_stop();
}

/* I/O has the page, so the kernel's mapping cannot be given up for the entry. */
static void row_65_a_fault_waits_for_a_handle_until_a_kill(void)
{
	struct page *page;

	world_prepare();
	world.config.maptrack = 3;
	world_start();
	grant(3, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(page_hold(world.task, AT(0), true, &page), 0);
	task_invalidate(world.task, AT(0), PAGE);
	CHECK_EQ(map_at(AT(1), 1, 2, RW, NULL), 0);
	task_kill(world.task);
	CHECK_EQ(peek(AT(0)), -1);
	CHECK(in_use(0));
	page_release(page);
	world_stop();
}

static void row_65_an_armed_page_keeps_its_own_handle(void)
{
	world_prepare();
	world.config.own_grants = true;
	world.config.maptrack = RESERVE + 3;
	world_start();
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	CHECK_EQ(req_notify(world.file, 5, CLEAR, 0), 0);
	CHECK_EQ(req_notify(world.file, PAGE + 5, CLEAR, 0), -ENOMEM);
	granted(0)[5] = granted(1)[5] = 1;
	task_invalidate(world.task, AT(0), 2 * PAGE);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(granted(0)[5], 0);
	CHECK_EQ(granted(1)[5], 1);
	world_stop();
}

static void row_65_an_instance_has_a_share(void)
{
	bool pv = test_mode == MACHINE_PV;
	struct file *other;
	uint64_t index;

	world_prepare();
	world.config.driver_handles = pv ? 8 : 4;
	world_start();
	grant(8, false);
	CHECK_EQ(map_at(AT(0), 0, 4, RW, &index), 0);
	CHECK_EQ(map_at(AT(1), 4, 1, RW, NULL), -ENOMEM);
	CHECK(strstr(machine_log(), "the parameter handles allows"));
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &other), 0);
	file_close(world.task, other);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(map_at(AT(1), 4, 4, RW, NULL), 0);
	world_stop();
}

static void row_67_a_debuggers_look_makes_no_entry(void)
{
	unsigned char byte = 0;

	world_start();
	grant(1, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(task_mprotect(world.task, AT(0), PAGE, PROT_NONE), 0);
	CHECK_EQ(peek(AT(0)), -1);
	CHECK_EQ(task_look(world.task, AT(0), &byte, 1), 0);
	CHECK_EQ(byte, 'A');
	CHECK_EQ(peek(AT(0)), -1);
	CHECK_EQ(task_mprotect(world.task, AT(0), PAGE, RW), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	world_stop();
}

/* An entry that the hypervisor did not end: nobody may take the page by it. */
static void row_27_no_page_is_taken_by_a_lost_entry(void)
{
	struct page *page;

	world_start();
	grant(1, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(machine_fail_op(MACHINE_OP_UNMAP, 1, -1), 0);
	task_invalidate(world.task, AT(0), PAGE);
	CHECK_EQ(page_hold(world.task, AT(0), false, &page), -EFAULT);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	world_stop();
}

/* A page that is paged out for a while, and for ever; and a kill meanwhile. */
static void check_patience(const char *site, unsigned int variant,
			   enum machine_op op, int prot)
{
	uint64_t index;

	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	CHECK_EQ(machine_fail_op(op, 2, -12), 0);
	CHECK_EQ(machine_fail_op(op, 4, -12), 0);
	CHECK_EQ(map_index(AT(0), index, 3, prot), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);

	fail_call(site, 1, variant, true);
	CHECK_EQ(map_index(AT(0), index, 3, prot), -EINVAL);
	CHECK(strstr(machine_log(), "status -12"));
	machine_fail_none();
	CHECK(!in_use(0) && !in_use(1) && !in_use(2));
	CHECK_EQ(map_index(AT(0), index, 3, prot), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);

	fail_call(site, 1, variant, true);
	task_kill(world.task);
	CHECK_EQ(map_index(AT(0), index, 3, prot), -EINTR);
	machine_fail_none();
	CHECK(!in_use(0) && !in_use(1) && !in_use(2));
}

static void row_71_patience_with_entries(void)
{
	world_start();
	grant(3, false);
	check_patience("map_status", 2, MACHINE_OP_UMAP, RW);
	world_stop();
}

static void row_71_patience_with_the_kernels_mappings(void)
{
	world_prepare();
	world.config.paging = true;
	world_start();
	grant(3, false);
	check_patience("copy_status", 2, MACHINE_OP_COPY,
		       test_mode == MACHINE_PV ? PROT_NONE : RW);
	world_stop();
}

/* The slots stay empty, and nobody who unmaps the area waits for the granter. */
static void row_71_patience_with_slots(void)
{
	uint64_t index;

	world_prepare();
	world.config.paging = true;
	world_start();
	grant(2, false);
	CHECK_EQ(area_at(AT(0), 4, RW, &index), 0);
	/* In a PV domain the kernel maps what the program may not see. */
	CHECK_EQ(task_mprotect(world.task, AT(0), 4 * PAGE, PROT_NONE), 0);
	CHECK_EQ(machine_fail_op(MACHINE_OP_COPY, 1, -12), 0);
	CHECK_EQ(fill(index, 0, 0), 0);
	machine_fail_none();
	fail_call("copy_status", 1, 2, true);
	CHECK_EQ(fill(index, 1, 1), -12);
	task_kill(world.task);
	CHECK_EQ(fill(index, 1, 1), -12);
	machine_fail_none();
	CHECK(in_use(0) && !in_use(1));
	CHECK_EQ(fill(index, 1, 1), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK(!in_use(0) && !in_use(1));
	world_stop();
}

static const struct test tests[] = {
	TEST_IN(IN_PV, row_65_a_mapping_survives_with_the_reserve),
	TEST_IN(IN_PV, row_65_a_mapping_survives_without_a_reserve),
	TEST_IN(IN_PV, row_65_the_reaper_leaves_what_cannot_be_kept),
	TEST_IN(IN_PV, row_65_an_area_that_the_reaper_left_is_whole),
	TEST_IN(IN_PV, row_65_an_area_that_the_reaper_took_a_part_of),
	TEST_IN(IN_PV, row_65_a_fault_waits_for_a_handle_until_a_kill),
	TEST_IN(IN_PV, row_65_an_armed_page_keeps_its_own_handle),
	TEST(row_65_an_instance_has_a_share),
	TEST(row_67_a_debuggers_look_makes_no_entry),
	TEST_IN(IN_PV, row_27_no_page_is_taken_by_a_lost_entry),
	TEST_IN(IN_PV, row_71_patience_with_entries),
	TEST(row_71_patience_with_the_kernels_mappings),
	TEST(row_71_patience_with_slots),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
