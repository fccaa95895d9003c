// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Failures that no row is about: what is left of a request, a mapping or a domain
 * after them is whole, and told.
 */
#define _GNU_SOURCE
#include "../../machine/kernel/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../machine/kernel/calls.h"
#include "../../machine/xen/xen.h"
#include "rows.h"
#include "../unit/areas.h"
#include "../unit/buffers.h"

/* As many as the driver has in reserve. */
#define RESERVE 32U
/* GNTST_no_device_space */
#define NO_HANDLE (-7)

/* ---- what happens beside a hypercall ---- */

static enum machine_event_kind beside;
static void (*meanwhile)(void);
static pthread_t other;
static bool has_begun;

static void *run_meanwhile(void *arg)
{
	meanwhile();
	return arg;
}

static void on_event(const struct machine_event *event, void *arg)
{
	if (has_begun || event->kind != beside)
		return;
	has_begun = true;
	CHECK(!pthread_create(&other, NULL, run_meanwhile, NULL));
	if (arg)
		pthread_join(other, NULL);
}

/* At the next event of that kind another thread does that; it is waited for. */
static void do_meanwhile(enum machine_event_kind kind, void (*what)(void))
{
	beside = kind;
	meanwhile = what;
	has_begun = false;
	machine_watch(on_event, &has_begun);
}

static void was_done(void)
{
	machine_watch(NULL, NULL);
	CHECK(has_begun);
}

static uint64_t index_;
static long answer;

static void ask_for_status(void)
{
	int16_t status;

	answer = req_status(world.file, index_, 0, 1, &status);
}

static void statuses_are_not_told_while_they_change(void)
{
	int16_t status;

	world_start();
	grant(1, false);
	CHECK_EQ(req_map(world.file, 0, 1, &index_), 0);
	do_meanwhile(MACHINE_EVENT_MAP, ask_for_status);
	CHECK_EQ(map_index(AT(0), index_, 1, RW), 0);
	was_done();
	CHECK_EQ(answer, -EBUSY);
	CHECK_EQ(req_status(world.file, index_, 0, 1, &status), 0);
	CHECK_EQ(status, 0);
	world_stop();
}

static char *list;

static void read_list(void)
{
	size_t size;
	FILE *out = open_memstream(&list, &size);

	machine_holdings(out);
	fclose(out);
}

static void a_range_that_is_being_mapped_is_listed_so(void)
{
	world_start();
	grant(1, false);
	CHECK_EQ(req_map(world.file, 0, 1, &index_), 0);
	do_meanwhile(MACHINE_EVENT_MAP, read_list);
	CHECK_EQ(map_index(AT(0), index_, 1, RW), 0);
	was_done();
	CHECK(strstr(list, " count=1 state=changing instance=1 "));
	free(list);
	read_list();
	CHECK(strstr(list, " count=1 state=mapped instance=1 "));
	free(list);
	world_stop();
}

static void restrict_it(void)
{
	answer = req_restrict(world.file, 2);
}

/* It was allowed when it began, and nobody has a descriptor of it. */
static void an_export_is_refused_if_a_restriction_comes_first(void)
{
	int before;

	world_start();
	grant(2, false);
	before = task_descriptors(world.task);
	do_meanwhile(MACHINE_EVENT_MAP, restrict_it);
	CHECK_EQ(req_export(world.file, 0, 0, 2), -EACCES);
	was_done();
	CHECK_EQ(answer, 0);
	machine_advance(1000);
	CHECK(!in_use(0) && !in_use(1));
	CHECK_EQ(task_descriptors(world.task), before);
	world_stop();
}

static void reap(void)
{
	answer = task_reap(world.task);
}

/* The reaper does not wait, and what was under way is there. */
static void an_area_is_left_by_the_reaper_while_slots_are_filled(void)
{
	world_start();
	grant(2, false);
	CHECK_EQ(area_at(AT(0), 2, RW, &index_), 0);
	CHECK_EQ(fill(index_, 1, 1), 0);
	do_meanwhile(MACHINE_EVENT_MAP, reap);
	CHECK_EQ(fill(index_, 0, 0), 0);
	was_done();
	CHECK_EQ(answer, -EAGAIN);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	CHECK_EQ(empty(index_, 0), 0);
	CHECK(!in_use(0));
	world_stop();
}

static struct task *child;

static void fill_of_another(void)
{
	struct gntdev_area_op op = op_of(1, 1);
	struct ioctl_gntdev_area_op ops = {
		.index = index_,
		.ops = (unsigned long)&op,
		.count = 1,
	};

	answer = file_ioctl(child, world.file, IOCTL_GNTDEV_AREA_MAP,
			    (unsigned long)&ops, false);
}

/* A child has the descriptor still, but not the mapping. */
static void no_slot_is_filled_of_a_program_that_goes(void)
{
	world_start();
	grant(2, false);
	CHECK_EQ(area_at(AT(0), 2, RW, &index_), 0);
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(task_fork(world.task, task_pid(world.task), &child), 0);
	do_meanwhile(MACHINE_EVENT_UNMAP, fill_of_another);
	task_exit(world.task);
	was_done();
	CHECK_EQ(answer, -EINVAL);
	CHECK(!in_use(0) && !in_use(1));
	world.task = child;
	world_stop();
}

/* ---- copies ---- */

/* Where the hypervisor says that a page is another's, or has to be waited for. */
static void copies_that_do_not_go_directly_go_otherwise(void)
{
	static const int16_t statuses[] = {-12, -9, -1};
	struct gntdev_grant_copy_segment s[2];
	char *local;

	local = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(local != MAP_FAILED);
	world_start();
	grant(1, false);
	granted(0)[4095] = 'z';
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		memset(local, 0, PAGE);
		memset(s, 0, sizeof(s));
		for (int k = 0; k < 2; k++) {
			s[k].flags = 1;
			s[k].len = 2048;
			s[k].source.foreign.domid = 1;
			s[k].source.foreign.ref = world.refs[0];
			s[k].source.foreign.offset = k * 2048;
			s[k].dest.virt = local + k * 2048;
			s[k].status = 99;
		}
		machine_fail_none();
		CHECK_EQ(machine_fail_op(MACHINE_OP_COPY, 2, statuses[i]), 0);
		CHECK_EQ(req_copy(world.file, s, 2), 0);
		CHECK_EQ(machine_failed(), 1);
		CHECK_EQ(s[0].status, 0);
		CHECK_EQ(s[1].status, 0);
		CHECK_EQ(local[0], 'A');
		CHECK_EQ(local[4095], 'z');
	}
	world_stop();
	munmap(local, PAGE);
}

/* ---- memory ---- */

/* No memory to part the page that is in use: all of the mapping waits with it. */
static void a_range_whose_mapping_waits_can_be_mapped_again(void)
{
	struct page *page;
	uint64_t index;

	world_start();
	grant(3, false);
	CHECK_EQ(map_at(AT(0), 0, 3, RW, &index), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	fail_call("kmalloc", 1, 0, true);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	CHECK_EQ(map_index(AT(0), index, 3, RW), -ENOMEM);
	machine_fail_none();
	CHECK_EQ(counters().deferred, 1);
	CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	page_release(page);
	machine_advance(1000);
	CHECK_EQ(counters().deferred, 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	world_stop();
}

/* A page of it is with I/O still. */
static struct page *start_incomplete(uint64_t *index)
{
	struct page *page;

	world_start();
	grant(3, false);
	CHECK_EQ(map_at(AT(0), 0, 3, RW, index), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);

	return page;
}

static void a_page_that_is_missing_may_not_be_had(void)
{
	uint64_t index;
	struct page *page = start_incomplete(&index);

	fail_call("gnttab_alloc_pages", 1, 0, true);
	CHECK_EQ(map_index(AT(0), index, 3, RW), -ENOMEM);
	machine_fail_none();
	CHECK(!in_use(0) && in_use(1) && !in_use(2));
	CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	page_release(page);
	world_stop();
}

/* The pages that were ordered are given back: world_stop() looks for them. */
static void whoever_waits_for_a_page_may_be_killed(void)
{
	uint64_t index;
	struct page *page = start_incomplete(&index);

	task_kill(world.task);
	CHECK_EQ(map_index(AT(0), index, 3, RW), -EINTR);
	machine_advance(2000);
	page_release(page);
	world_stop();
}

/* ---- entries ---- */

/* I/O has it, so that the kernel cannot give its own handle up for the entry. */
static void an_access_is_made_again_until_there_is_a_handle(void)
{
	struct page *page;

	world_start();
	grant(1, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(page_hold(world.task, AT(0), true, &page), 0);
	task_invalidate(world.task, AT(0), PAGE);
	/* Once, then tightly, and when the kernel's should have gone. */
	for (unsigned int i = 1; i <= 3; i++)
		CHECK_EQ(machine_fail_op(MACHINE_OP_UMAP, i, NO_HANDLE), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(machine_failed(), 3);
	page_release(page);
	world_stop();
}

/* What a domain is told of itself is a line of the list, and two attributes. */
static void the_size_of_the_grant_table_may_not_be_told(void)
{
	struct context c;

	world_start();
	call_begin(&c, NULL, world.mapper);
	CHECK_EQ(device_attribute("grant_frames"), 4);
	CHECK_EQ(device_attribute("max_grant_frames"), 4);
	for (unsigned int variant = 0; variant < 2; variant++) {
		fail_call("query_call", 1, variant, true);
		CHECK_EQ(device_attribute("grant_frames"), 0);
		CHECK_EQ(device_attribute("max_grant_frames"), 0);
	}
	call_end(&c);
	read_list();
	CHECK(strstr(list, " grant_frames=0 max_grant_frames=0\n"));
	free(list);
	world_stop();
}

static void slots_are_there_after_a_look_for_accessed_pages(void)
{
	struct page *page;

	world_start();
	grant(2, false);
	CHECK_EQ(area_at(AT(0), 4, RW, &index_), 0);
	CHECK_EQ(fill(index_, 1, 0), 0);
	CHECK_EQ(task_clear_refs(world.task, 1), 0);
	CHECK_EQ(task_clear_refs(world.task, 4), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'A');
	CHECK_EQ(poke(AT(0) + PAGE, 'x'), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	page_release(page);
	CHECK_EQ(empty(index_, 1), 0);
	CHECK(!in_use(0));
	world_stop();
}

/* ---- the domain is suspended ---- */

/* The kernel has the first of two pages, beside the program. */
static void start_beside(void)
{
	struct page *page;

	world_start();
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	CHECK_EQ(page_hold(world.task, AT(0), true, &page), 0);
	page_release(page);
}

static void what_is_not_mapped_again_after_a_suspending_is_told(void)
{
	start_beside();
	CHECK_EQ(machine_fail_op(MACHINE_OP_KMAP, 1, -1), 0);
	machine_suspend(world.mapper, false);
	CHECK(strstr(machine_log(), "is not mapped any more: error -22"));
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(counters().mapped, 0);
	world_stop();
}

/* The first to be ended are the entries. */
static void what_is_not_unmapped_for_a_suspending_is_leaked(void)
{
	start_beside();
	CHECK_EQ(machine_fail_op(MACHINE_OP_UNMAP, 3, -1), 0);
	machine_suspend(world.mapper, false);
	CHECK(strstr(machine_log(), "status -1"));
	CHECK_EQ(counters().leaked, 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(counters().leaked, 1);
	CHECK(!in_use(1));
	world_stop();
}

/* ---- areas ---- */

/* What only reads is not written, and is told of. */
static void a_byte_of_a_readonly_slot_is_not_cleared(void)
{
	struct gntdev_area_op op;
	struct channel c;

	world_start();
	grant(2, false);
	channel_open(&c);
	CHECK_EQ(area_at(AT(0), 4, RW, &index_), 0);
	CHECK_EQ(req_notify(world.file, index_ + PAGE + 5, CLEAR | SEND,
			    c.port),
		 0);
	op = op_of(1, 0);
	op.flags = GNTDEV_AREA_READONLY;
	CHECK_EQ(req_area_map(world.file, index_, &op, 1, NULL), 0);
	CHECK_EQ(op.status, 0);
	granted(0)[5] = 'w';
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(granted(0)[5], 'w');
	CHECK_EQ(channel_events(&c), 1);
	CHECK(!in_use(0));
	file_close(world.task, c.evtchn);
	world_stop();
}

/* A slot that could not be emptied has its notification still. */
static void a_slot_that_stays_keeps_its_notification(void)
{
	struct gntdev_area_op op = {.slot = 1};
	struct channel c;
	struct page *page;

	world_start();
	grant(1, false);
	channel_open(&c);
	CHECK_EQ(area_at(AT(0), 4, RW, &index_), 0);
	CHECK_EQ(fill(index_, 1, 0), 0);
	CHECK_EQ(req_notify(world.file, index_ + PAGE + 5, SEND, c.port), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	fail_call("kmalloc", 1, 0, true);
	CHECK_EQ(req_area_unmap(world.file, index_, &op, 1, NULL), 0);
	machine_fail_none();
	CHECK(op.status < 0);
	CHECK_EQ(channel_events(&c), 0);
	CHECK(in_use(0));
	page_release(page);
	CHECK_EQ(empty(index_, 1), 0);
	CHECK_EQ(channel_events(&c), 1);
	CHECK(!in_use(0));
	file_close(world.task, c.evtchn);
	world_stop();
}

/* ---- handles in reserve ---- */

static void prepare_reserve(unsigned int handles)
{
	world_prepare();
	world.config.own_grants = true;
	world.config.maptrack = handles;
}

/* All that is left, and no more. */
static void check_handles(unsigned int left)
{
	grant(left + 1, false);
	CHECK_EQ(map_at(AT(0), 0, left + 1, RW, NULL), -ENOMEM);
	CHECK_EQ(map_at(AT(0), 0, left, RW, NULL), 0);
	CHECK_EQ(task_mprotect(world.task, AT(0), left * PAGE, PROT_NONE), 0);
	CHECK_EQ(task_mprotect(world.task, AT(0), left * PAGE, RW), 0);
	for (unsigned int i = 0; i < left; i++)
		CHECK_EQ(peek(AT(0) + i * PAGE), 'A' + i % 26);
}

static void a_reserve_is_filled_when_there_are_handles(void)
{
	prepare_reserve(RESERVE + 9);
	CHECK_EQ(machine_fail_op(MACHINE_OP_MAP, 5, -1), 0);
	world_start();
	CHECK(strstr(machine_log(), "4 of 32 grant handles are in reserve"));
	/* The instance that was opened had it filled. */
	check_handles(9);
	world_stop();
}

static void there_may_be_no_reserve(void)
{
	prepare_reserve(9);
	fail_call("gnttab_alloc_grant_references", 1, 0, false);
	world_start();
	machine_fail_none();
	check_handles(9);
	world_stop();
	prepare_reserve(9);
	fail_call("alloc_page", 2, 0, false);
	world_start();
	machine_fail_none();
	check_handles(9);
	world_stop();
}

static void a_restored_domain_has_a_reserve_again(void)
{
	prepare_reserve(RESERVE + 9);
	world_start();
	machine_suspend(world.mapper, true);
	check_handles(9);
	world_stop();
}

static void a_restored_domain_may_have_no_reserve(void)
{
	prepare_reserve(9 + RESERVE);
	world_start();
	fail_call("gnttab_alloc_grant_references", 1, 0, false);
	machine_suspend(world.mapper, true);
	machine_fail_none();
	check_handles(9 + RESERVE);
	world_stop();
}

/* The entry of the page that the driver granted to its own domain. */
static struct grant_entry *own_entry(void)
{
	for (unsigned int ref = 0; ref < world.config.grant_entries; ref++) {
		if (world.mapper->table[ref].flags & GTF_permit_access)
			return &world.mapper->table[ref];
	}
	test_fail(__FILE__, __LINE__, "nothing is granted");
}

/* Then the page is left to whoever has it, and nobody makes a reserve of it. */
static void a_reserves_page_may_be_in_use_in_a_restored_domain(void)
{
	prepare_reserve(9 + RESERVE);
	world_start();
	own_entry()->flags |= GTF_reading;
	machine_suspend(world.mapper, true);
	own_entry()->flags &= ~GTF_reading;
	check_handles(9 + RESERVE);
	task_exit(world.task);
	file_close(NULL, world.file);
	machine_advance(10000);
	/* The page, and its grant. */
	CHECK(machine_stop(stderr) > 0);
}

/* One that is not given up is nobody's; all goes on as if there were none. */
static void a_reserve_that_is_stuck_is_left_alone(void)
{
	prepare_reserve(RESERVE + 9);
	world_start();
	grant(9, false);
	CHECK_EQ(map_at(AT(0), 0, 9, RW, NULL), 0);
	CHECK_EQ(machine_fail_op(MACHINE_OP_UNMAP, 1, -1), 0);
	CHECK_EQ(task_mprotect(world.task, AT(0), 9 * PAGE, PROT_READ), 0);
	CHECK(strstr(machine_log(), "status -1"));
	for (int i = 0; i < 9; i++)
		CHECK_EQ(peek(AT(0) + i * PAGE), 'A' + i);
	world_stop();
}

static const struct test tests[] = {
	TEST(statuses_are_not_told_while_they_change),
	TEST(a_range_that_is_being_mapped_is_listed_so),
	TEST(an_export_is_refused_if_a_restriction_comes_first),
	TEST_IN(IN_PV, an_area_is_left_by_the_reaper_while_slots_are_filled),
	TEST_IN(IN_PV, no_slot_is_filled_of_a_program_that_goes),
	TEST_IN(IN_PV, copies_that_do_not_go_directly_go_otherwise),
	TEST(a_range_whose_mapping_waits_can_be_mapped_again),
	TEST(a_page_that_is_missing_may_not_be_had),
	TEST(whoever_waits_for_a_page_may_be_killed),
	TEST_IN(IN_PV, an_access_is_made_again_until_there_is_a_handle),
	TEST(the_size_of_the_grant_table_may_not_be_told),
	TEST(slots_are_there_after_a_look_for_accessed_pages),
	TEST_IN(IN_PV, what_is_not_mapped_again_after_a_suspending_is_told),
	TEST_IN(IN_PV, what_is_not_unmapped_for_a_suspending_is_leaked),
	TEST(a_byte_of_a_readonly_slot_is_not_cleared),
	TEST(a_slot_that_stays_keeps_its_notification),
	TEST_IN(IN_PV, a_reserve_is_filled_when_there_are_handles),
	TEST_IN(IN_PV, there_may_be_no_reserve),
	TEST_IN(IN_PV, a_restored_domain_has_a_reserve_again),
	TEST_IN(IN_PV, a_restored_domain_may_have_no_reserve),
	TEST_IN(IN_PV, a_reserves_page_may_be_in_use_in_a_restored_domain),
	TEST_IN(IN_PV, a_reserve_that_is_stuck_is_left_alone),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
