// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The list of holdings, tallies, and what is said of the hypervisor's limits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "areas.h"
#include "buffers.h"

#define RW (PROT_READ | PROT_WRITE)

static char *text;

static void look(void)
{
	size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	machine_holdings(out);
	fclose(out);
}

/* Whether there is a line that begins and goes on so. */
static bool says(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool says(const char *format, ...)
{
	char wanted[256];
	va_list args;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	if (strstr(text, wanted))
		return true;
	fprintf(stderr, "# there is no '%s' in:\n%s", wanted, text);
	return false;
}

static unsigned int lines(const char *kind)
{
	unsigned int n = 0;

	for (const char *at = text; (at = strstr(at, kind)); at++)
		n += at == text || at[-1] == '\n';
	return n;
}

static void host_and_instances_are_listed(void)
{
	struct file *other;

	world_start();
	task_set_name(world.task, "a name\nodd");
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &other), 0);
	look();
	CHECK(says("host mode="));
	CHECK(says(" mapped=0 deferred=0 kept=0 leaked=0 handles=0 "));
	CHECK(says(" max_grant_frames=4\n"));
	CHECK_EQ(lines("instance "), 2);
	CHECK(says(
		"grants=0 closed=0 maps=0 unmaps=0 copies=0 bytes=0 age=0 process=%d command=a name?odd\n",
		getpid()));
	CHECK_EQ(lines("range "), 0);
	file_close(world.task, other);
	look();
	CHECK_EQ(lines("instance "), 1);
	world_stop();
}

static void ranges_tell_domain_reference_and_state(void)
{
	uint64_t index;

	world_start();
	task_set_name(world.task, "backend");
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	look();
	CHECK(says(
		"range domain=1 reference=%ld count=3 state=inserted instance=",
		world.refs[0]));
	CHECK(says(" index=0 age=0 process=%d command=backend\n", getpid()));
	CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
	look();
	CHECK(says("range domain=1 reference=%ld count=3 state=mapped",
		   world.refs[0]));
	CHECK(says(" mapped=3 "));
	CHECK(says(" grants=3 closed=0 maps=3 unmaps=0"));
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	look();
	CHECK(says("range domain=1 reference=%ld count=3 state=inserted",
		   world.refs[0]));
	CHECK(says(" maps=3 unmaps=3"));
	CHECK_EQ(req_unmap(world.file, index, 3), 0);
	look();
	CHECK_EQ(lines("range "), 0);
	world_stop();
}

static void rows_of_several_domains_are_told_apart(void)
{
	/* More than is looked at in one go. */
	enum {
		COUNT = 9000
	};
	struct ioctl_gntdev_map_grant_ref *op =
		calloc(1, sizeof(*op) + COUNT * sizeof(op->refs[0]));
	unsigned int pages = 0, domain, count;

	world_start();
	op->count = COUNT;
	for (unsigned int i = 0; i < COUNT; i++) {
		op->refs[i].domid = i < 5000 ? 7 : i < 5001 ? 8 : 9;
		op->refs[i].ref = i;
	}
	CHECK_EQ(file_ioctl(world.task, world.file, IOCTL_GNTDEV_MAP_GRANT_REF,
			    (unsigned long)op, false),
		 0);
	look();
	CHECK(says("range domain=7 reference=0 count=4096 "));
	CHECK(says("range domain=7 reference=4096 count=904 "));
	CHECK(says("range domain=8 reference=5000 count=1 "));
	CHECK(says("range domain=9 reference=5001 count=3999 "));
	for (char *at = text; (at = strstr(at, "\nrange domain=")); at++) {
		CHECK_EQ(sscanf(at, "\nrange domain=%u reference=%*u count=%u",
				&domain, &count),
			 2);
		pages += count;
	}
	CHECK_EQ(pages, COUNT);
	free(op);
	world_stop();
}

static void long_lists_are_whole(void)
{
	char wanted[64];
	uint64_t index;

	world_start();
	grant(1, false);
	for (int i = 0; i < 500; i++)
		CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	look();
	CHECK_EQ(lines("range "), 500);
	for (int i = 0; i < 500; i++) {
		snprintf(wanted, sizeof(wanted), " index=%lu ", i * PAGE);
		CHECK(strstr(text, wanted));
	}
	world_stop();
}

static void what_io_still_uses_is_told(void)
{
	struct page *page;
	uint64_t index;

	world_start();
	grant(4, false);
	CHECK_EQ(map_at(AT(0), 0, 4, RW, &index), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + 2 * PAGE, true, &page), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(req_unmap(world.file, index, 4), 0);
	look();
	CHECK_EQ(lines("range "), 0);
	CHECK(says(
		"deferred domain=1 reference=%ld count=1 state=waiting age=0 process=%d ",
		world.refs[2], getpid()));
	machine_advance(1000);
	look();
	CHECK_EQ(lines("deferred "), 1);
	page_release(page);
	machine_advance(1000);
	look();
	CHECK_EQ(lines("deferred "), 0);
	world_stop();
}

static void what_io_still_uses_of_a_slot_is_told(void)
{
	struct gntdev_area_op op;
	struct page *page;
	uint64_t index;

	world_start();
	grant(4, false);
	CHECK_EQ(area_at(AT(0), 4, RW, &index), 0);
	for (unsigned int i = 0; i < 2; i++) {
		op = op_of(i + 1, i);
		op.flags = GNTDEV_AREA_READONLY;
		CHECK_EQ(req_area_map(world.file, index, &op, 1, NULL), 0);
	}
	CHECK_EQ(page_hold(world.task, AT(0) + 2 * PAGE, false, &page), 0);
	CHECK_EQ(empty(index, 2), 0);
	look();
	CHECK(says(
		"deferred domain=1 reference=%ld count=1 state=waiting age=0 process=%d ",
		world.refs[1], getpid()));
	page_release(page);
	machine_advance(1000);
	/* And where the whole area goes. */
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, false, &page), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	look();
	CHECK_EQ(lines("deferred "), 1);
	CHECK(says("deferred domain=1 reference=%ld count=1 ", world.refs[0]));
	CHECK(says(" maps=2 unmaps=2 "));
	page_release(page);
	machine_advance(1000);
	look();
	CHECK_EQ(lines("deferred "), 0);
	world_stop();
}

static void closed_instances_are_told_while_they_hold_something(void)
{
	uint64_t index;

	world_start();
	grant(1, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, &index), 0);
	file_close(world.task, world.file);
	look();
	CHECK(says(" closed=1 "));
	CHECK(says("range domain=1 reference=%ld count=1 state=mapped",
		   world.refs[0]));
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	look();
	CHECK_EQ(lines("instance ") + lines("range "), 0);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &world.file), 0);
	world_stop();
}

static void copies_are_counted_as_they_succeed(void)
{
	char local[600] = "";
	struct gntdev_grant_copy_segment segments[3] = {0};

	world_start();
	grant(1, false);
	for (int i = 0; i < 3; i++) {
		segments[i].flags = 1 /* the source is a grant */;
		segments[i].source.foreign.domid = 1;
		segments[i].source.foreign.ref = i == 1 ? 30000 : world.refs[0];
		segments[i].dest.virt = local;
		segments[i].len = 100;
	}
	CHECK_EQ(req_copy(world.file, segments, 3), 0);
	CHECK(segments[1].status < 0);
	segments[0].len = PINNED;
	CHECK_EQ(req_copy(world.file, segments, 1), 0);
	look();
	CHECK(says(" copies=3 bytes=%d ", 200 + PINNED));
	world_stop();
}

static void lack_of_handles_is_said_with_the_numbers(void)
{
	uint64_t index;
	struct machine_counters n;

	world_prepare();
	world.config.maptrack = 5;
	world_start();
	grant(4, false);
	CHECK_EQ(map_at(AT(0), 0, 4, RW, &index), 0);
	machine_counters(&n);
	CHECK_EQ(n.handles, 4);
	CHECK_EQ(map_at(AT(1), 0, 4, RW, &index), -ENOMEM);
	CHECK(strstr(machine_log(), "no handle left"));
	CHECK(strstr(machine_log(), "this driver uses 5,"));
	CHECK(strstr(machine_log(), "gnttab_max_maptrack_frames="));
	machine_counters(&n);
	CHECK_EQ(n.handles, 4);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	machine_counters(&n);
	CHECK_EQ(n.handles, 0);
	world_stop();
}

/* More than are looked at in one go. */
#define BUFFERS 70

static void every_dma_buf_is_told_once(void)
{
	long exported[BUFFERS], own[BUFFERS];
	uint32_t refs[2];

	world_start();
	task_set_name(world.task, "display");
	grant(2, false);
	for (int i = 0; i < BUFFERS; i++) {
		exported[i] = req_export(world.file, 0, i % 2, 1 + (i + 1) % 2);
		CHECK(exported[i] >= 0);
	}
	look();
	CHECK_EQ(lines("export "), BUFFERS);
	for (int i = 0; i < BUFFERS; i++)
		CHECK(says(
			"export domain=1 reference=%ld count=%d state=mapped instance=1 fd=%ld age=0 process=%d command=display\n",
			world.refs[i % 2], 1 + (i + 1) % 2, exported[i],
			getpid()));
	CHECK(says(" grants=%d ", BUFFERS * 3 / 2));
	for (int i = 0; i < BUFFERS; i++)
		close_buffer(exported[i]);
	for (int i = 0; i < BUFFERS; i++) {
		own[i] = foreign_export(2);
		CHECK(own[i] >= 0);
		CHECK_EQ(req_import(world.file, own[i], 2, refs), 0);
		look();
		CHECK(says(
			"import domain=1 reference=%u count=2 state=granted instance=1 fd=%ld age=0 process=%d command=display\n",
			refs[0], own[i], getpid()));
		CHECK_EQ(lines("import "), i + 1);
	}
	for (int i = 0; i < BUFFERS; i++) {
		CHECK(says("count=2 state=granted instance=1 fd=%ld ", own[i]));
		CHECK_EQ(req_release(world.file, own[i]), 0);
		close_buffer(own[i]);
	}
	look();
	CHECK_EQ(lines("export ") + lines("import "), 0);
	world_stop();
}

/* Neighbours of one domain together, and nothing of what is empty. */
static void an_area_tells_the_slots_that_are_filled(void)
{
	uint64_t index;

	world_start();
	grant(3, true);
	CHECK_EQ(area_at(AT(0), 8, PROT_READ, &index), 0);
	look();
	CHECK_EQ(lines("area "), 0);
	for (int i = 0; i < 3; i++) {
		struct gntdev_area_op op = op_of(i ? 4 + i : 1, i);

		op.flags = GNTDEV_AREA_READONLY;
		CHECK_EQ(req_area_map(world.file, index, &op, 1, NULL), 0);
		CHECK_EQ(op.status, 0);
	}
	look();
	CHECK_EQ(lines("area "), 2);
	CHECK(says(
		"area domain=1 reference=%ld count=1 state=mapped instance=1 index=%lu ",
		world.refs[0], index));
	CHECK(says("area domain=1 reference=%ld count=2 state=mapped ",
		   world.refs[1]));
	CHECK_EQ(empty(index, 5), 0);
	look();
	CHECK(says("area domain=1 reference=%ld count=1 ", world.refs[2]));
	CHECK_EQ(task_munmap(world.task, AT(0), 8 * PAGE), 0);
	look();
	CHECK_EQ(lines("area "), 0);
	world_stop();
}

static struct file *goes; /* when a range of it has been told */

static void *close_it(void *arg)
{
	file_close(NULL, goes);
	goes = NULL;
	return arg;
}

/* Of a thread's, as a reader of the list holds nobody up. */
static ssize_t take_and_close(void *cookie, const char *told, size_t size)
{
	pthread_t closer;

	if (goes && size > 6 && !memcmp(told, "range ", 6)) {
		CHECK(!pthread_create(&closer, NULL, close_it, NULL));
		pthread_join(closer, NULL);
	}
	return (ssize_t)fwrite(told, 1, size, cookie);
}

/* What is told of @file, when it goes while it is told of. */
static void look_while_it_goes(struct file *file)
{
	cookie_io_functions_t calls = {.write = take_and_close};
	size_t size;
	FILE *memory, *out;

	free(text);
	text = NULL;
	memory = open_memstream(&text, &size);
	out = fopencookie(memory, "w", calls);
	setvbuf(out, NULL, _IONBF, 0);
	goes = file;
	machine_holdings(out);
	CHECK(!goes);
	fclose(out);
	fclose(memory);
}

static void an_instance_may_go_while_it_is_told_of(void)
{
	/* More than are looked at in one go. */
	enum {
		RANGES = 200
	};
	struct file *first, *second, *third;
	uint64_t index;

	world_start();
	file_close(world.task, world.file);
	grant(2, false);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &first), 0);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &second), 0);
	for (int i = 0; i < RANGES; i++)
		CHECK_EQ(req_map(first, 0, 1, &index), 0);
	CHECK_EQ(req_map(second, 1, 1, &index), 0);
	look_while_it_goes(first);
	CHECK(lines("range ") > 1 && lines("range ") < RANGES);
	/* The next one is told, and once. */
	CHECK_EQ(lines("instance "), 2);
	CHECK(says(
		"range domain=1 reference=%ld count=1 state=inserted instance=3 ",
		world.refs[1]));

	/* Nobody comes after it. */
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &third), 0);
	file_close(world.task, second);
	for (int i = 0; i < RANGES; i++)
		CHECK_EQ(req_map(third, 0, 1, &index), 0);
	look_while_it_goes(third);
	CHECK(lines("range ") > 1 && lines("range ") < RANGES);
	CHECK_EQ(lines("instance "), 1);
	look();
	CHECK_EQ(lines("instance ") + lines("range "), 0);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &world.file), 0);
	world_stop();
}

static bool is_over;

static void *read_all_the_time(void *arg)
{
	FILE *nowhere = fopen("/dev/null", "w");

	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
		machine_holdings(nowhere);
	fclose(nowhere);
	return arg;
}

static void readers_beside_all_that_changes(void)
{
	struct page *page;
	struct file *file;
	pthread_t reader;
	uint64_t index, other;

	world_prepare();
	world.config.clock = MACHINE_REAL_TIME;
	world_start();
	grant(8, false);
	__atomic_store_n(&is_over, false, __ATOMIC_RELAXED);
	CHECK(!pthread_create(&reader, NULL, read_all_the_time, NULL));
	for (int i = 0; i < 300; i++) {
		CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &file), 0);
		CHECK_EQ(map_at(AT(0), 0, 8, RW, &index), 0);
		/* In turn: a grant may not be mapped too often at once. */
		CHECK_EQ(page_hold(world.task, AT(0) + i % 8 * PAGE, true,
				   &page),
			 0);
		CHECK_EQ(req_map(file, 0, 8, &other), 0);
		CHECK_EQ(task_munmap(world.task, AT(0), 8 * PAGE), 0);
		CHECK_EQ(req_unmap(world.file, index, 8), 0);
		file_close(world.task, file);
		page_release(page);
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	pthread_join(reader, NULL);
	task_exit(world.task);
	file_close(NULL, world.file);
	for (unsigned int i = 0; i < world.grants; i++) {
		while (domain_ungrant(world.granter, world.refs[i]))
			usleep(5000);
	}
	CHECK_EQ(machine_stop(stderr), 0);
}

static const struct test tests[] = {
	TEST(host_and_instances_are_listed),
	TEST(ranges_tell_domain_reference_and_state),
	TEST(rows_of_several_domains_are_told_apart),
	TEST(long_lists_are_whole),
	TEST(what_io_still_uses_is_told),
	TEST(what_io_still_uses_of_a_slot_is_told),
	TEST(closed_instances_are_told_while_they_hold_something),
	TEST(copies_are_counted_as_they_succeed),
	TEST(lack_of_handles_is_said_with_the_numbers),
	TEST(every_dma_buf_is_told_once),
	TEST(an_area_tells_the_slots_that_are_filled),
	TEST(an_instance_may_go_while_it_is_told_of),
	TEST(readers_beside_all_that_changes),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
