// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Areas: slots beside everything that takes entries, pages and VMAs away. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "areas.h"
#include "context.h"
#include "vm.h"

#define RW (PROT_READ | PROT_WRITE)

static uint64_t index_;

static void start_area(uint32_t slots, unsigned int grants)
{
	world_start();
	grant(grants, false);
	CHECK_EQ(area_at(AT(0), slots, RW, &index_), 0);
}

static bool is_mapped(unsigned int i)
{
	return domain_grant_flags(world.granter, world.refs[i]) & 0x18;
}

static long mapped(void)
{
	struct machine_counters n;

	machine_counters(&n);

	return n.mapped;
}

static void slots_are_filled_and_emptied(void)
{
	start_area(4, 3);
	CHECK_EQ(mapped(), 0);
	CHECK_EQ(fill(index_, 3, 0), 0);
	CHECK_EQ(fill(index_, 0, 2), 0);
	CHECK_EQ(mapped(), 2);
	CHECK_EQ(peek(AT(0) + 3 * PAGE), 'A');
	CHECK_EQ(poke(AT(0), 'x'), 0);
	CHECK_EQ(granted(2)[0], 'x');
	CHECK_EQ(peek(AT(0) + PAGE), -1);
	CHECK_EQ(fill(index_, 0, 1), -EEXIST);
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(peek(AT(0)), -1);
	CHECK(!is_mapped(2));
	CHECK_EQ(mapped(), 1);
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(fill(index_, 0, 1), 0);
	CHECK_EQ(peek(AT(0)), 'B');
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(mapped(), 0);
	CHECK(!is_mapped(0) && !is_mapped(1));
	CHECK_EQ(fill(index_, 0, 1), -EINVAL);
	CHECK_EQ(req_unmap(world.file, index_, 4), 0);
	CHECK_EQ(fill(index_, 0, 1), -ENOENT);
	world_stop();
}

static void a_range_follows_an_area(void)
{
	uint64_t index;

	start_area(4, 4);
	CHECK_EQ(fill(index_, 1, 0), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(req_unmap(world.file, index_, 4), 0);
	CHECK_EQ(map_at(AT(0), 0, 4, RW, &index), 0);
	CHECK_EQ(peek(AT(0) + 3 * PAGE), 'D');
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(req_unmap(world.file, index, 4), 0);
	CHECK_EQ(area_at(AT(0), 4, RW, &index), 0);
	CHECK_EQ(fill(index, 1, 0), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'A');
	world_stop();
}

static int unmapped;

/* As if somebody had found the entry empty, and marked it as written to. */
static void write_again(const struct machine_event *event, void *arg)
{
	if (event->kind != MACHINE_EVENT_UNMAP || !event->user)
		return;
	((pte_t *)(uintptr_t)event->address)->kind = PTE_STRAY;
	unmapped++;
}

static void an_entry_that_somebody_wrote_again_is_emptied(void)
{
	struct gntdev_area_op ops[2] = {{.slot = 1}, {.slot = 3}};

	start_area(4, 2);
	CHECK_EQ(fill(index_, 1, 0), 0);
	CHECK_EQ(fill(index_, 3, 1), 0);
	machine_watch(write_again, NULL);
	unmapped = 0;
	CHECK_EQ(req_area_unmap(world.file, index_, ops, 2, NULL), 0);
	CHECK_EQ(unmapped, 2);
	machine_watch(NULL, NULL);
	CHECK_EQ(peek(AT(0) + PAGE), -1);
	CHECK_EQ(fill(index_, 3, 0), 0);
	CHECK_EQ(fill(index_, 1, 1), 0);
	CHECK_EQ(peek(AT(0) + 3 * PAGE), 'A');
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	world_stop();
}

static void lock_is_held_in(const struct machine_event *event, void *arg)
{
	if (event->kind == MACHINE_EVENT_UNMAP && event->user)
		*(int *)arg += lock_any_held() ? 1 : -1;
}

/*
 * Of another domain's grants none until somebody looks for pages, and of its own the
 * page table's.
 */
static void a_lock_is_held_where_an_entry_could_come_back(void)
{
	struct page *page;
	int held = 0;

	start_area(2, 1);
	machine_watch(lock_is_held_in, &held);
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(page_hold(world.task, AT(0), true, &page), 0);
	page_release(page);
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(held, 1);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(area_at(AT(0), 2, RW, &index_), 0);
	held = 0;
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(held, -1);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), 0);
	world.granter = world.mapper;
	world.pfns[0] = domain_page_alloc(world.granter);
	world.refs[0] = domain_grant(world.mapper, 0, world.pfns[0], false);
	CHECK_EQ(fill(index_, 1, 0), 0);
	CHECK_EQ(empty(index_, 1), 0);
	CHECK_EQ(held, 0);
	machine_watch(NULL, NULL);
	world_stop();
}

static void statuses_are_told(void)
{
	struct gntdev_area_op ops[3];
	uint32_t done;

	start_area(4, 2);
	ops[0] = op_of(0, 0);
	ops[1] = op_of(1, 1);
	ops[1].ref = 400;
	ops[2] = op_of(2, 1);
	CHECK_EQ(req_area_map(world.file, index_, ops, 3, &done), 0);
	CHECK_EQ(done, 3);
	CHECK_EQ(ops[0].status, 0);
	CHECK(ops[1].status < 0);
	CHECK_EQ(ops[2].status, 0);
	CHECK_EQ(peek(AT(0) + PAGE), -1);
	CHECK_EQ(fill(index_, 1, 1), 0);
	world_stop();
}

static void entries_come_back(void)
{
	struct page *page;

	start_area(4, 2);
	CHECK_EQ(fill(index_, 1, 0), 0);
	CHECK_EQ(task_mprotect(world.task, AT(0), 4 * PAGE, PROT_READ), 0);
	CHECK_EQ(fill(index_, 2, 1), 0);
	CHECK_EQ(peek(AT(0) + 2 * PAGE), 'B');
	CHECK_EQ(poke(AT(0) + PAGE, 'x'), -EFAULT);
	CHECK_EQ(task_mprotect(world.task, AT(0), 4 * PAGE, RW), 0);
	CHECK_EQ(poke(AT(0) + PAGE, 'x'), 0);
	CHECK_EQ(task_madvise(world.task, AT(0), 4 * PAGE, MADV_DONTNEED), 0);
	CHECK(is_mapped(0) && is_mapped(1));
	CHECK_EQ(peek(AT(0) + PAGE), 'x');
	task_invalidate(world.task, AT(0), 4 * PAGE);
	CHECK_EQ(empty(index_, 2), 0);
	CHECK(!is_mapped(1));
	CHECK_EQ(task_reap(world.task), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	page_release(page);
	CHECK_EQ(empty(index_, 1), 0);
	CHECK(!is_mapped(0));
	world_stop();
}

static void a_slot_without_access_is_mapped_too(void)
{
	start_area(4, 2);
	CHECK_EQ(task_mprotect(world.task, AT(0), 4 * PAGE, PROT_NONE), 0);
	CHECK_EQ(fill(index_, 1, 0), 0);
	CHECK(is_mapped(0));
	CHECK_EQ(peek(AT(0) + PAGE), -1);
	CHECK_EQ(task_mprotect(world.task, AT(0), 4 * PAGE, RW), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'A');
	CHECK_EQ(empty(index_, 1), 0);
	CHECK(!is_mapped(0));
	world_stop();
}

static void a_readonly_slot_is_never_written(void)
{
	struct gntdev_area_op op;
	struct page *page;

	start_area(4, 2);
	op = op_of(1, 0);
	op.flags = GNTDEV_AREA_READONLY;
	CHECK_EQ(req_area_map(world.file, index_, &op, 1, NULL), 0);
	CHECK_EQ(op.status, 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'A');
	CHECK_EQ(poke(AT(0) + PAGE, 'x'), -EFAULT);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), -EFAULT);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, false, &page), 0);
	page_release(page);
	task_invalidate(world.task, AT(0), 4 * PAGE);
	CHECK_EQ(peek(AT(0) + PAGE), 'A');
	CHECK_EQ(poke(AT(0) + PAGE, 'x'), -EFAULT);
	CHECK_EQ(req_notify(world.file, index_ + PAGE + 5,
			    UNMAP_NOTIFY_CLEAR_BYTE, 0),
		 0);
	CHECK_EQ(empty(index_, 1), 0);
	CHECK_EQ(granted(0)[0], 'A');
	world_stop();
}

static void a_page_in_use_is_parted_from_its_slot(void)
{
	struct page *page;

	start_area(2, 2);
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(page_hold(world.task, AT(0), true, &page), 0);
	CHECK_EQ(empty(index_, 0), 0);
	CHECK(is_mapped(0));
	CHECK_EQ(peek(AT(0)), -1);
	CHECK_EQ(fill(index_, 0, 1), 0);
	CHECK_EQ(peek(AT(0)), 'B');
	page_release(page);
	machine_advance(1000);
	CHECK(!is_mapped(0));
	CHECK_EQ(peek(AT(0)), 'B');
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(mapped(), 0);
	world_stop();
}

static void munmap_of_an_area_leaves_pages_in_use(void)
{
	struct page *page;

	start_area(3, 3);
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(fill(index_, 1, 1), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	CHECK_EQ(empty(index_, 1), 0);
	CHECK_EQ(fill(index_, 2, 2), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	CHECK(!is_mapped(0) && is_mapped(1) && !is_mapped(2));
	CHECK_EQ(map_index(AT(0), index_, 3, RW), 0);
	CHECK_EQ(fill(index_, 1, 0), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'A');
	page_release(page);
	machine_advance(1000);
	CHECK(!is_mapped(1));
	world_stop();
}

static void notifications_are_a_slots(void)
{
	struct channel c;

	start_area(3, 3);
	channel_open(&c);
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(fill(index_, 1, 1), 0);
	CHECK_EQ(req_notify(world.file, index_ + 3,
			    UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
			    c.port),
		 0);
	CHECK_EQ(req_notify(world.file, index_ + PAGE + 4,
			    UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
			    c.port),
		 0);
	CHECK_EQ(req_notify(world.file, index_ + 2 * PAGE + 4,
			    UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
			    c.port),
		 0);
	granted(0)[3] = 1;
	granted(1)[4] = 1;
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(granted(0)[3], 0);
	CHECK_EQ(channel_events(&c), 1);
	/* Spent. */
	granted(0)[3] = 1;
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(granted(0)[3], 1);
	CHECK_EQ(channel_events(&c), 1);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	CHECK_EQ(granted(1)[4], 0);
	CHECK_EQ(channel_events(&c), 3);
	file_close(world.task, c.evtchn);
	world_stop();
}

static void the_area_of_a_task_that_exited_takes_nothing(void)
{
	struct task *other;
	struct gntdev_area_op op;
	uint64_t index;

	world_start();
	grant(2, false);
	CHECK_EQ(req_area_create(world.file, 2, &index), 0);
	other = task_new(world.mapper, getpid());
	CHECK_EQ(task_mmap(other, world.file, AT(1), 2 * PAGE, RW, MAP_SHARED,
			   index, NULL),
		 0);
	/* By a task that has only the descriptor. */
	CHECK_EQ(fill(index, 0, 0), 0);
	CHECK_EQ(task_madvise(other, AT(1), 2 * PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(fill(index, 1, 1), 0);
	CHECK(is_mapped(0) && is_mapped(1));
	task_exit(other);
	CHECK(!is_mapped(0) && !is_mapped(1));
	op = op_of(0, 0);
	CHECK_EQ(req_area_map(world.file, index, &op, 1, NULL), -EINVAL);
	CHECK_EQ(req_unmap(world.file, index, 2), 0);
	world_stop();
}

static void a_killed_task_goes_no_further(void)
{
	static struct gntdev_area_op ops[300];
	uint32_t done, i;

	start_area(300, 1);
	for (i = 0; i < 300; i++)
		ops[i] = op_of(i, 0);
	task_kill(world.task);
	CHECK_EQ(req_area_map(world.file, index_, ops, 300, &done), -EINTR);
	CHECK(done && done < 300);
	world_stop();
}

/* The model would end it all if one were mapped. */
static void own_grants_are_refused_where_they_vanish(void)
{
	world_prepare();
	world.config.mode = MACHINE_PVH;
	start_area(2, 1);
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), 0);
	world.granter = world.mapper;
	world.pfns[0] = domain_page_alloc(world.granter);
	world.refs[0] = domain_grant(world.mapper, 0, world.pfns[0], false);
	CHECK_EQ(fill(index_, 0, 0), -EINVAL);
	CHECK(!is_mapped(0));
	world_stop();
}

/* Which may come before its area, or after. */
static void a_restricted_instance_fills_slots_of_one_domain(void)
{
	struct ioctl_gntdev_restrict op = {.domid = 5};

	start_area(2, 1);
	CHECK_EQ(fill(index_, 0, 0), 0);
	CHECK_EQ(file_ioctl(world.task, world.file, IOCTL_GNTDEV_RESTRICT,
			    (unsigned long)&op, false),
		 -EBUSY);
	CHECK_EQ(empty(index_, 0), 0);
	CHECK_EQ(file_ioctl(world.task, world.file, IOCTL_GNTDEV_RESTRICT,
			    (unsigned long)&op, false),
		 0);
	CHECK_EQ(fill(index_, 0, 0), -EACCES);
	CHECK(!is_mapped(0));
	CHECK_EQ(area_at(AT(1), 2, RW, &index_), 0);
	CHECK_EQ(fill(index_, 0, 0), -EACCES);
	world_stop();
}

static void what_is_in_an_area_is_reported(void)
{
	char text[4096];
	FILE *out;

	start_area(4, 2);
	CHECK_EQ(fill(index_, 2, 1), 0);
	out = fmemopen(text, sizeof(text), "w");
	machine_list(out);
	fclose(out);
	CHECK(strstr(text, "area at 0: 4 slots, 1 filled"));
	world_stop();
}

/* ---- threads ---- */

#define THREADS 4

static void *cycle(void *arg)
{
	unsigned int slot = (unsigned long)arg, i;

	for (i = 0; i < 150; i++) {
		CHECK_EQ(fill(index_, slot, slot), 0);
		CHECK_EQ(peek(AT(0) + slot * PAGE), 'A' + (int)slot);
		CHECK_EQ(empty(index_, slot), 0);
	}

	return NULL;
}

static void *disturb(void *arg)
{
	unsigned int i;

	for (i = 0; i < 150; i++) {
		task_madvise(world.task, AT(0), THREADS * PAGE, MADV_DONTNEED);
		task_reap(world.task);
		task_mprotect(world.task, AT(0), THREADS * PAGE, PROT_READ);
		task_mprotect(world.task, AT(0), THREADS * PAGE, RW);
	}

	return NULL;
}

static void start_threads(void)
{
	world_prepare();
	world.config.clock = MACHINE_REAL_TIME;
	world.config.jitter = true;
	start_area(THREADS, THREADS);
}

static void stop_threads(void)
{
	task_exit(world.task);
	file_close(NULL, world.file);
	CHECK_EQ(machine_stop(stderr), 0);
}

static bool ends_soon(unsigned long i)
{
	int tries = 0;

	while (is_mapped(i) && tries++ < 500)
		usleep(10000);

	return !is_mapped(i);
}

static volatile bool in_hypercall, may_go, second_is_done;

static void stay_in_hypercall(const struct machine_event *event, void *arg)
{
	if (event->kind != MACHINE_EVENT_UNMAP || !event->user)
		return;
	in_hypercall = true;
	while (!may_go)
		usleep(1000);
}

static void *empty_first(void *arg)
{
	CHECK_EQ(empty(index_, 0), 0);
	return NULL;
}

static void *empty_too(void *arg)
{
	CHECK_EQ(empty(index_, 0), 0);
	/* What it says is so. */
	CHECK(!is_mapped(0));
	CHECK_EQ(fill(index_, 0, 0), 0);
	second_is_done = true;
	return NULL;
}

/* The first has ended the entry, but not come back; the second waits for it. */
static void a_slot_that_another_thread_empties_is_waited_for(void)
{
	pthread_t first, second;

	start_threads();
	CHECK_EQ(fill(index_, 0, 0), 0);
	machine_watch(stay_in_hypercall, NULL);
	pthread_create(&first, NULL, empty_first, NULL);
	while (!in_hypercall)
		usleep(1000);
	pthread_create(&second, NULL, empty_too, NULL);
	usleep(50000);
	CHECK(!second_is_done);
	may_go = true;
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	machine_watch(NULL, NULL);
	stop_threads();
}

static void threads_share_an_area(void)
{
	pthread_t threads[THREADS + 1];
	unsigned long i;

	start_threads();
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, cycle, (void *)i);
	pthread_create(&threads[i], NULL, disturb, NULL);
	for (i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	/* A page that a fault had in its hands is given back a little later. */
	for (i = 0; i < THREADS; i++)
		CHECK(ends_soon(i));
	stop_threads();
}

static void *until_it_ends(void *arg)
{
	unsigned int slot = (unsigned long)arg;

	while (!fill(index_, slot, slot) && !empty(index_, slot))
		;

	return NULL;
}

static void munmap_ends_what_threads_do(void)
{
	pthread_t threads[THREADS];
	unsigned long i, k;

	start_threads();
	for (k = 0; k < 20; k++) {
		for (i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, until_it_ends,
				       (void *)i);
		usleep(2000);
		CHECK_EQ(task_munmap(world.task, AT(0), THREADS * PAGE), 0);
		for (i = 0; i < THREADS; i++) {
			pthread_join(threads[i], NULL);
			CHECK(!is_mapped(i));
		}
		CHECK_EQ(map_index(AT(0), index_, THREADS, RW), 0);
	}
	stop_threads();
}

static const struct test tests[] = {
	TEST(slots_are_filled_and_emptied),
	TEST(a_range_follows_an_area),
	TEST(statuses_are_told),
	TEST_IN(IN_PV, an_entry_that_somebody_wrote_again_is_emptied),
	TEST_IN(IN_PV, a_lock_is_held_where_an_entry_could_come_back),
	TEST(entries_come_back),
	TEST(a_slot_without_access_is_mapped_too),
	TEST(a_readonly_slot_is_never_written),
	TEST(a_page_in_use_is_parted_from_its_slot),
	TEST(munmap_of_an_area_leaves_pages_in_use),
	TEST(notifications_are_a_slots),
	TEST(the_area_of_a_task_that_exited_takes_nothing),
	TEST(a_killed_task_goes_no_further),
	TEST_IN(IN_ANY, own_grants_are_refused_where_they_vanish),
	TEST(a_restricted_instance_fills_slots_of_one_domain),
	TEST(what_is_in_an_area_is_reported),
	TEST_IN(IN_PV, a_slot_that_another_thread_empties_is_waited_for),
	TEST(threads_share_an_area),
	TEST(munmap_ends_what_threads_do),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
