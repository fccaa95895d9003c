// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Models of what the driver is told from outside: that memory is short, that the
 * domain was restored, which domain it is. Misuse has to end the process.
 */
#include "../../machine/kernel/outside.h"

#include <fcntl.h>
#include <unistd.h>

#include "../../machine/kernel/calls.h"
#include "world.h"

#define RW (PROT_READ | PROT_WRITE)

static struct context kernel;
static struct mutex lock;

/* In the kernel, as the world's task. */
static void enter(void)
{
	world_start();
	call_begin(&kernel, world.task, NULL);
	mutex_init(&lock);
}

static struct mutex *taken_to_shrink;
static unsigned long pages_to_give;

static unsigned long count_pages(struct shrinker *s, struct shrink_control *sc)
{
	return pages_to_give;
}

static unsigned long give_pages(struct shrinker *s, struct shrink_control *sc)
{
	const unsigned long n = min(sc->nr_to_scan, pages_to_give);

	if (taken_to_shrink) {
		mutex_lock(taken_to_shrink);
		mutex_unlock(taken_to_shrink);
	}
	pages_to_give -= n;

	return n ?: SHRINK_STOP;
}

static void memory_is_asked_of_shrinkers(void)
{
	struct shrinker *s;

	enter();
	s = shrink_begin(count_pages, give_pages);
	CHECK(s);
	pages_to_give = 300;
	CHECK_EQ(machine_shrink(200), 200);
	CHECK_EQ(pages_to_give, 100);
	taken_to_shrink = &lock;
	CHECK_EQ(machine_shrink(200), 100);
	CHECK_EQ(machine_shrink(200), 0);
	taken_to_shrink = NULL;
	shrink_end(s);
	mutex_destroy(&lock);
	call_end(&kernel);
	world_stop();
}

static void allocation_under_a_shrinkers_lock(void)
{
	enter();
	(void)shrink_begin(count_pages, give_pages);
	pages_to_give = 1;
	taken_to_shrink = &lock;
	machine_shrink(1);
	mutex_lock(&lock);
	(void)kzalloc(8, GFP_KERNEL);
}

static void own_grant_mapped_in_a_pvh_domain(void)
{
	struct gnttab_map_grant_ref op;
	struct page *page;
	unsigned long pfn;

	world_prepare();
	world.config.mode = MACHINE_PVH;
	enter();
	CHECK_EQ(gnttab_alloc_pages(1, &page), 0);
	pfn = domain_page_alloc(world.mapper);
	gnttab_set_map_op(&op, (unsigned long)page_address(page),
			  GNTMAP_host_map,
			  domain_grant(world.mapper, 0, pfn, false), 0);
	gnttab_map_refs(&op, NULL, &page, 1);
}

static void event_on_a_port_of_before_a_restore(void)
{
	struct channel c;

	world_start();
	channel_open(&c);
	call_begin(&kernel, world.task, NULL);
	CHECK_EQ(evtchn_get(c.port), 0);
	machine_resume();
	notify_remote_via_evtchn(c.port);
}

static void port_of_before_a_restore_put(void)
{
	struct channel c;

	world_start();
	channel_open(&c);
	call_begin(&kernel, world.task, NULL);
	CHECK_EQ(evtchn_get(c.port), 0);
	machine_resume();
	evtchn_put(c.port);
}

/* A range of so many grants comes and goes; its pages may be kept. */
static void come_and_go(struct file *file, unsigned int count)
{
	uint64_t index;

	CHECK_EQ(req_map(file, 0, count, &index), 0);
	CHECK_EQ(task_mmap(world.task, file, AT(0), count * PAGE, RW,
			   MAP_SHARED, index, NULL),
		 0);
	CHECK_EQ(task_munmap(world.task, AT(0), count * PAGE), 0);
	CHECK_EQ(req_unmap(file, index, count), 0);
}

static long kept(void)
{
	struct machine_counters n;

	machine_counters(&n);

	return n.kept;
}

/* From one instance after the other; what is left serves as before. */
static void kept_pages_are_given_when_memory_is_short(void)
{
	struct file *other;
	size_t before;

	world_start();
	grant(100, false);
	CHECK_EQ(machine_shrink(10), 0);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &other), 0);
	come_and_go(world.file, 20);
	come_and_go(world.file, 30);
	come_and_go(other, 40);
	CHECK_EQ(kept(), 90);
	before = machine_allocated();

	CHECK_EQ(machine_shrink(21), 60);
	CHECK_EQ(kept(), 30);
	machine_advance(1000);
	CHECK(machine_allocated() < before);
	come_and_go(world.file, 30);
	come_and_go(other, 40);
	CHECK_EQ(kept(), 70);
	CHECK_EQ(machine_shrink(1000), 70);
	CHECK_EQ(machine_shrink(1000), 0);
	/* The worker is not done yet, and its instance goes. */
	file_close(world.task, other);
	machine_advance(1000);
	CHECK_EQ(kept(), 0);
	world_stop();
}

static const struct test tests[] = {
	TEST(kept_pages_are_given_when_memory_is_short),
	TEST_IN(IN_ANY, memory_is_asked_of_shrinkers),
	TEST_DIES(allocation_under_a_shrinkers_lock,
		  "memory reclaim (the kernel:0) is taken inside &lock"),
	TEST_DIES(own_grant_mapped_in_a_pvh_domain, "a grant of its own"),
	TEST_DIES(event_on_a_port_of_before_a_restore, "an event is sent"),
	TEST_DIES(port_of_before_a_restore_put, "evtchn_put of port"),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
