// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The domain is suspended: saved and restored, or it goes on after all. That no
 * program's entry is there then, machine_suspend() itself sees to.
 */
#include <errno.h>
#include <string.h>

#include "areas.h"
#include "buffers.h"

#define RW (PROT_READ | PROT_WRITE)
#define CLEAR UNMAP_NOTIFY_CLEAR_BYTE

/* Four grants mapped at AT(0). */
static uint64_t start_mapped(void)
{
	uint64_t index;

	world_start();
	grant(4, false);
	CHECK_EQ(map_at(AT(0), 0, 4, RW, &index), 0);

	return index;
}

static unsigned int mapped(void)
{
	struct machine_mappings m;

	machine_mappings(&m);

	return m.kernel + m.user;
}

static void check_counters(long pages, long leaked)
{
	struct machine_counters n;

	machine_counters(&n);
	CHECK_EQ(n.mapped, pages);
	CHECK_EQ(n.leaked, leaked);
}

static void a_domain_that_goes_on_has_what_it_had(void)
{
	uint64_t index = start_mapped();
	int i;

	CHECK_EQ(req_notify(world.file, index + PAGE + 7, CLEAR, 0), 0);
	machine_suspend(world.mapper, false);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(peek(AT(0) + i * PAGE), granted(i)[0]);
		CHECK_EQ(poke(AT(0) + i * PAGE + 7, 'w'), 0);
		CHECK_EQ(granted(i)[7], 'w');
		CHECK_EQ(domain_ungrant(world.granter, world.refs[i]), -EBUSY);
	}
	machine_suspend(world.mapper, false);
	/* What was armed before and what is armed now, untouched since. */
	CHECK_EQ(req_notify(world.file, index + 7, CLEAR, 0), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(granted(0)[7], 0);
	CHECK_EQ(granted(1)[7], 0);
	CHECK_EQ(granted(2)[7], 'w');
	check_counters(0, 0);
	world_stop();
}

static void a_restored_domain_has_nothing_and_can_begin_anew(void)
{
	uint64_t index = start_mapped();
	int i;

	CHECK_EQ(req_notify(world.file, index + 7, CLEAR, 0), 0);
	machine_suspend(world.mapper, true);
	CHECK_EQ(mapped(), 0);
	for (i = 0; i < 4; i++)
		CHECK_EQ(domain_ungrant(world.granter, world.refs[i]), 0);
	if (test_mode == MACHINE_PV)
		CHECK_EQ(peek(AT(0)), -1);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(granted(0)[0], 'A');
	check_counters(0, 0);
	CHECK(!strstr(machine_log(), "hypervisor status -4"));
	CHECK_EQ(map_index(AT(0), index, 4, RW), -EINVAL);
	world.grants = 0;
	grant(4, false);
	CHECK_EQ(map_at(AT(1), 0, 4, RW, &index), 0);
	CHECK_EQ(peek(AT(1)), 'A');
	CHECK_EQ(task_munmap(world.task, AT(1), 4 * PAGE), 0);
	check_counters(0, 0);
	world_stop();
}

/* Under the same numbers, by the same domains: that is as good as before. */
static void a_page_that_is_granted_again_comes_back(void)
{
	start_mapped();
	machine_suspend(world.mapper, true);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	CHECK_EQ(poke(AT(0) + PAGE + 7, 'w'), 0);
	CHECK_EQ(granted(1)[7], 'w');
	machine_suspend(world.mapper, true);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	check_counters(0, 0);
	world_stop();
}

/* It stays the driver's until then, and is nobody's after that. */
static void a_page_in_use_is_let_go_when_its_user_is_done(void)
{
	struct page *page;

	start_mapped();
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	machine_suspend(world.mapper, true);
	CHECK_EQ(mapped(), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	check_counters(1, 0);
	page_release(page);
	machine_advance(1000);
	check_counters(0, 0);
	CHECK(!strstr(machine_log(), "hypervisor status -4"));
	world_stop();
}

static void what_waited_when_it_was_saved_is_let_go(void)
{
	struct page *page;

	start_mapped();
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	machine_suspend(world.mapper, true);
	check_counters(1, 0);
	page_release(page);
	machine_advance(1000);
	check_counters(0, 0);
	world_stop();
}

static void a_page_in_use_that_was_saved_is_nobody_elses(void)
{
	struct page *page, *other;

	start_mapped();
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	machine_suspend(world.mapper, true);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	CHECK(page_hold(world.task, AT(0) + PAGE, true, &other));
	page_release(page);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	check_counters(0, 0);
	world_stop();
}

static void a_buffer_of_a_restored_domain_ends(void)
{
	long fd = start_export(3, 0);

	CHECK_EQ(map_buffer(AT(0), fd, 3, RW), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	machine_suspend(world.mapper, false);
	CHECK_EQ(peek(AT(0)), 'A');
	machine_suspend(world.mapper, true);
	CHECK_EQ(mapped(), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	close_buffer(fd);
	check_counters(0, 0);
	world_stop();
}

/* Four slots at AT(0), the first three with a grant of which the kernel has a page. */
static uint64_t start_slots(unsigned int filled)
{
	struct page *page;
	uint64_t index;
	unsigned int i;

	CHECK_EQ(area_at(AT(0), 4, RW, &index), 0);
	for (i = 0; i < filled; i++) {
		CHECK_EQ(fill(index, i, i), 0);
		CHECK_EQ(page_hold(world.task, AT(0) + i * PAGE, true, &page),
			 0);
		page_release(page);
	}

	return index;
}

static void slots_of_a_restored_domain_are_given_back(void)
{
	uint64_t index;
	int i;

	world_start();
	machine_suspend(world.mapper, true);
	grant(3, false);
	index = start_slots(3);
	/* By the one and by the other. */
	CHECK_EQ(empty(index, 0), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), 0);
	CHECK_EQ(empty(index, 1), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	for (i = 1; i < 3; i++)
		CHECK_EQ(domain_ungrant(world.granter, world.refs[i]), 0);
	CHECK_EQ(mapped(), 0);
	check_counters(0, 0);
	world_stop();
}

static void an_area_of_before_serves_a_restored_domain(void)
{
	uint64_t index;

	world_start();
	grant(3, false);
	index = start_slots(2);
	machine_suspend(world.mapper, true);
	CHECK_EQ(mapped(), 0);
	CHECK_EQ(fill(index, 2, 2), 0);
	CHECK_EQ(peek(AT(0) + 2 * PAGE), 'C');
	CHECK_EQ(empty(index, 0), 0);
	CHECK_EQ(fill(index, 0, 0), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[2]), 0);
	CHECK_EQ(mapped(), 0);
	check_counters(0, 0);
	CHECK(!strstr(machine_log(), "hypervisor status -4"));
	world_stop();
}

/* Nobody has looked at the page since: by AREA_UNMAP, and by munmap. */
static void the_byte_of_a_slot_is_cleared_after_a_checkpoint(void)
{
	uint64_t index;
	int i;

	world_start();
	grant(3, false);
	index = start_slots(0);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(fill(index, i, i), 0);
		CHECK_EQ(poke(AT(0) + i * PAGE + 7, 'w'), 0);
		CHECK_EQ(req_notify(world.file, index + i * PAGE + 7, CLEAR, 0),
			 0);
	}
	machine_suspend(world.mapper, false);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), -EBUSY);
	CHECK_EQ(empty(index, 0), 0);
	CHECK_EQ(granted(0)[7], 0);
	CHECK_EQ(granted(1)[7], 'w');
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(granted(1)[7], 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[1]), 0);
	check_counters(0, 0);
	world_stop();
}

static void an_area_of_a_domain_that_goes_on_is_as_it_was(void)
{
	struct machine_mappings m;
	uint64_t index;

	world_start();
	grant(3, false);
	CHECK_EQ(area_at(AT(0), 4, RW, &index), 0);
	CHECK_EQ(fill(index, 0, 0), 0);
	CHECK_EQ(fill(index, 2, 1), 0);
	machine_suspend(world.mapper, false);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(poke(AT(0) + 2 * PAGE + 7, 'w'), 0);
	CHECK_EQ(granted(1)[7], 'w');
	CHECK_EQ(peek(AT(0) + PAGE), -1);
	machine_mappings(&m);
	CHECK_EQ(m.user, test_mode == MACHINE_PV ? 2 : 0);
	CHECK_EQ(fill(index, 3, 2), 0);
	CHECK_EQ(peek(AT(0) + 3 * PAGE), 'C');
	CHECK_EQ(fill(index, 2, 2), -EEXIST);
	CHECK_EQ(empty(index, 2), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[1]), 0);
	world.refs[1] = domain_grant(world.granter, 0, world.pfns[1], false);
	machine_suspend(world.mapper, false);
	CHECK_EQ(empty(index, 0), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	check_counters(0, 0);
	world_stop();
}

static void an_area_of_a_restored_domain_can_be_filled_anew(void)
{
	uint64_t index;

	world_start();
	grant(2, false);
	CHECK_EQ(area_at(AT(0), 4, RW, &index), 0);
	CHECK_EQ(fill(index, 1, 0), 0);
	machine_suspend(world.mapper, true);
	CHECK_EQ(mapped(), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), 0);
	if (test_mode == MACHINE_PV)
		CHECK_EQ(peek(AT(0) + PAGE), -1);
	CHECK_EQ(empty(index, 1), 0);
	world.refs[0] = domain_grant(world.granter, 0, world.pfns[0], false);
	CHECK_EQ(fill(index, 1, 1), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	CHECK_EQ(fill(index, 2, 0), 0);
	CHECK_EQ(peek(AT(0) + 2 * PAGE), 'A');
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	check_counters(0, 0);
	world_stop();
}

/* Whether it has been restored some time before is nothing to what is new. */
static void an_area_is_emptied_in_a_domain_that_was_once_restored(void)
{
	struct page *page;
	uint64_t index;

	world_start();
	machine_suspend(world.mapper, true);
	machine_suspend(world.mapper, true);
	grant(3, false);
	CHECK_EQ(area_at(AT(0), 4, RW, &index), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(fill(index, i, i), 0);
		CHECK_EQ(peek(AT(0) + i * PAGE), 'A' + i);
	}
	/* For I/O the kernel maps it, beside the program's entry. */
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	page_release(page);
	CHECK_EQ(req_notify(world.file, index + PAGE + 7, CLEAR, 0), 0);
	granted(1)[7] = 'w';
	CHECK_EQ(mapped(), test_mode == MACHINE_PV ? 4 : 3);
	CHECK_EQ(empty(index, 0), 0);
	CHECK_EQ(empty(index, 1), 0);
	CHECK_EQ(granted(1)[7], 0);
	CHECK_EQ(mapped(), 1);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(mapped(), 0);
	check_counters(0, 0);
	world_stop();
}

static const struct test tests[] = {
	TEST(a_domain_that_goes_on_has_what_it_had),
	TEST(a_restored_domain_has_nothing_and_can_begin_anew),
	TEST_IN(IN_PV, a_page_that_is_granted_again_comes_back),
	TEST(a_page_in_use_is_let_go_when_its_user_is_done),
	TEST(what_waited_when_it_was_saved_is_let_go),
	TEST_IN(IN_PV, a_page_in_use_that_was_saved_is_nobody_elses),
	TEST(a_buffer_of_a_restored_domain_ends),
	TEST(slots_of_a_restored_domain_are_given_back),
	TEST(an_area_of_before_serves_a_restored_domain),
	TEST(the_byte_of_a_slot_is_cleared_after_a_checkpoint),
	TEST(an_area_of_a_domain_that_goes_on_is_as_it_was),
	TEST(an_area_of_a_restored_domain_can_be_filled_anew),
	TEST(an_area_is_emptied_in_a_domain_that_was_once_restored),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
