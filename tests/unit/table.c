// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The table of an instance, its limits, its requests' errors. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "areas.h"

#define RW (PROT_READ | PROT_WRITE)

static long raw(unsigned int cmd, void *arg)
{
	return file_ioctl(world.task, world.file, cmd, (unsigned long)arg,
			  false);
}

static void indexes_start_at_zero_and_never_return(void)
{
	uint64_t index, last = 0;
	int i;

	world_start();
	grant(3, false);
	for (i = 0; i < 100; i++) {
		CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
		CHECK(i ? index > last : index == 0);
		last = index;
		CHECK_EQ(req_unmap(world.file, index, 3), 0);
		CHECK_EQ(req_unmap(world.file, index, 3), -ENOENT);
		CHECK_EQ(map_index(AT(0), index, 3, RW), -EINVAL);
	}
	world_stop();
}

static void unmap_takes_exactly_one_range(void)
{
	uint64_t index;

	world_start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	CHECK_EQ(req_unmap(world.file, index, 0), -ENOENT);
	CHECK_EQ(req_unmap(world.file, index, 2), -ENOENT);
	CHECK_EQ(req_unmap(world.file, index + PAGE, 2), -ENOENT);
	CHECK_EQ(req_unmap(world.file, index | 1ULL << 44, 3), -ENOENT);
	CHECK_EQ(req_unmap(world.file, index + 1, 3), -ENOENT);
	CHECK_EQ(map_index(AT(0), index, 3, RW), 0);
	CHECK_EQ(req_unmap(world.file, index, 3), -EBUSY);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	CHECK_EQ(req_unmap(world.file, index, 3), 0);
	world_stop();
}

static void counts_are_limited(void)
{
	uint64_t index, other;

	world_prepare();
	world.config.driver_limit = 10;
	world_start();
	grant(20, false);
	CHECK_EQ(req_map(world.file, 0, 0, &index), -EINVAL);
	CHECK_EQ(req_map(world.file, 0, 11, &index), -EINVAL);
	CHECK_EQ(req_map(world.file, 0, 10, &index), 0);
	CHECK_EQ(req_max(world.file, 0), -EINVAL);
	CHECK_EQ(req_max(world.file, 12), 0);
	CHECK_EQ(req_map(world.file, 0, 3, &other), -ENOMEM);
	CHECK_EQ(req_map(world.file, 0, 2, &other), 0);
	CHECK_EQ(other, 10 * PAGE);
	CHECK_EQ(req_max(world.file, 1), 0);
	CHECK_EQ(req_map(world.file, 0, 1, &other), -ENOMEM);
	CHECK_EQ(req_map(world.file, 0, 2, &other), -EINVAL);
	CHECK_EQ(req_unmap(world.file, index, 10), 0);
	CHECK_EQ(req_unmap(world.file, 10 * PAGE, 2), 0);
	CHECK_EQ(req_map(world.file, 0, 1, &other), 0);
	world_stop();
}

static void a_huge_limit_is_clamped(void)
{
	struct ioctl_gntdev_map_grant_ref op = {.count = 0};

	world_prepare();
	world.config.driver_limit = ~0U;
	world_start();
	op.count = ~0U;
	CHECK_EQ(raw(IOCTL_GNTDEV_MAP_GRANT_REF, &op), -EINVAL);
	op.count = 1048577;
	CHECK_EQ(raw(IOCTL_GNTDEV_MAP_GRANT_REF, &op), -EINVAL);
	world_stop();
}

static void domids_are_not_cut(void)
{
	struct ioctl_gntdev_map_grant_ref op = {.count = 1};

	world_start();
	op.refs[0].domid = 0x10001;
	CHECK_EQ(raw(IOCTL_GNTDEV_MAP_GRANT_REF, &op), -EINVAL);
	op.refs[0].domid = 0x8000;
	CHECK_EQ(raw(IOCTL_GNTDEV_MAP_GRANT_REF, &op), -EINVAL);
	op.refs[0].domid = 0x7fff;
	CHECK_EQ(raw(IOCTL_GNTDEV_MAP_GRANT_REF, &op), 0);
	CHECK_EQ(op.index, 0);
	world_stop();
}

static void bad_pointers_change_nothing(void)
{
	static const unsigned int requests[] = {
		IOCTL_GNTDEV_MAP_GRANT_REF,  IOCTL_GNTDEV_UNMAP_GRANT_REF,
		IOCTL_GNTDEV_SET_MAX_GRANTS, IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
		IOCTL_GNTDEV_GRANT_COPY,     IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
	};
	struct ioctl_gntdev_map_grant_ref *op;
	struct ioctl_gntdev_get_offset_for_vaddr *at;
	uint64_t index;
	size_t i;

	world_start();
	grant(1, false);
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		CHECK_EQ(raw(requests[i], NULL), -EFAULT);
		CHECK_EQ(raw(requests[i], (void *)0xffff800000000000UL),
			 -EFAULT);
	}
	op = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	op->count = 1;
	op->refs[0].domid = 1;
	op->refs[0].ref = world.refs[0];
	CHECK_EQ(mprotect(op, PAGE, PROT_READ), 0);
	CHECK_EQ(raw(IOCTL_GNTDEV_MAP_GRANT_REF, op), -EFAULT);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, &index), 0);
	CHECK_EQ(index, 0);
	/* The references reach beyond what may be read. */
	CHECK_EQ(mprotect(op, PAGE, RW), 0);
	op->count = 1000;
	CHECK_EQ(munmap((char *)op + PAGE, PAGE), 0);
	CHECK_EQ(raw(IOCTL_GNTDEV_MAP_GRANT_REF, op), -EFAULT);
	at = (void *)op;
	at->vaddr = AT(0);
	CHECK_EQ(mprotect(op, PAGE, PROT_READ), 0);
	CHECK_EQ(raw(IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, at), -EFAULT);
	world_stop();
}

/* While MAP_GRANT_REF tells the index, its range is nobody's yet. */
static bool asked;

static void ask_for_the_new_range(const struct machine_event *event, void *arg)
{
	if (event->kind != MACHINE_EVENT_USER || event->address != (size_t)arg)
		return;
	machine_watch(NULL, NULL);
	asked = true;
	CHECK_EQ(req_unmap(world.file, 0, 1), -ENOENT);
	CHECK_EQ(map_index(AT(0), 0, 1, RW), -EINVAL);
	CHECK_EQ(req_notify(world.file, 0, 1, 0), -ENOENT);
}

static void a_range_is_not_seen_before_its_index_is_told(void)
{
	struct ioctl_gntdev_map_grant_ref op = {.count = 1};

	world_start();
	grant(1, false);
	op.refs[0].domid = 1;
	op.refs[0].ref = world.refs[0];
	machine_watch(ask_for_the_new_range, &op.index);
	CHECK_EQ(raw(IOCTL_GNTDEV_MAP_GRANT_REF, &op), 0);
	CHECK(asked);
	CHECK_EQ(map_index(AT(0), 0, 1, RW), 0);
	world_stop();
}

static void unknown_requests_are_enotty(void)
{
	char arg[64] = {0};
	unsigned int nr;

	world_start();
	for (nr = 13; nr < 40; nr++) {
		CHECK_EQ(raw('G' << 8 | nr | 20 << 16, arg), -ENOTTY);
		CHECK_EQ(file_ioctl(world.task, world.file,
				    'G' << 8 | nr | 20 << 16,
				    (unsigned long)arg, true),
			 -ENOTTY);
	}
	world_stop();
}

static void fdinfo_tells_the_table(void)
{
	char text[512], wanted[128];
	uint64_t index;

	world_start();
	grant(3, false);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	CHECK_EQ(req_max(world.file, 77), 0);
	CHECK(file_fdinfo(world.file, text, sizeof(text)) > 0);
	CHECK(strstr(text, "grants:\t3\n"));
	CHECK(strstr(text, "max-grants:\t77\n"));
	CHECK(strstr(text, "ranges:\t1\n"));
	CHECK(strstr(text, "next-index:\t12288\n"));
	snprintf(wanted, sizeof(wanted),
		 "range:\tindex=0 count=3 domain=1 reference=%ld mmapped=0\n",
		 world.refs[0]);
	CHECK(strstr(text, wanted));
	world_stop();
}

static void fdinfo_tells_an_area(void)
{
	struct gntdev_area_op op;
	uint64_t index;
	char text[512];

	world_start();
	grant(1, false);
	CHECK_EQ(area_at(AT(0), 2, RW, &index), 0);
	op = op_of(0, 0);
	op.flags = GNTDEV_AREA_READONLY;
	CHECK_EQ(req_area_map(world.file, index, &op, 1, NULL), 0);
	CHECK(file_fdinfo(world.file, text, sizeof(text)) > 0);
	CHECK(strstr(
		text,
		"range:\tindex=0 count=2 domain=4294967295 reference=4294967295 mmapped=1\n"));
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	world_stop();
}

static void closing_removes_a_thousand_ranges(void)
{
	uint64_t index;
	int i;

	world_start();
	/* One grant cannot be mapped so often. */
	grant(4, false);
	for (i = 0; i < 1000; i++) {
		CHECK_EQ(req_map(world.file, i / 3 % 4, 1, &index), 0);
		if (i % 3 == 0)
			CHECK_EQ(req_unmap(world.file, index, 1), 0);
	}
	for (i = 1; i < 1000; i += 3)
		CHECK_EQ(map_index(AT(0) + i * PAGE, i * PAGE, 1, RW), 0);
	file_close(world.task, world.file);
	world.file = NULL;
	CHECK_EQ(peek(AT(0) + PAGE), 'A');
	world_stop();
}

static void instances_have_tables_of_their_own(void)
{
	struct file *other;
	uint64_t index;

	world_start();
	grant(2, false);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &other), 0);
	CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	CHECK_EQ(req_unmap(other, index, 1), -ENOENT);
	CHECK_EQ(req_map(other, 1, 1, &index), 0);
	CHECK_EQ(index, 0);
	CHECK_EQ(req_unmap(other, index, 1), 0);
	CHECK_EQ(req_unmap(world.file, index, 1), 0);
	file_close(world.task, other);
	world_stop();
}

static void a_readonly_descriptor_maps_readonly(void)
{
	struct file *other;
	uint64_t index;

	world_start();
	grant(1, false);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDONLY, &other), 0);
	CHECK_EQ(req_map(other, 0, 1, &index), 0);
	CHECK_EQ(task_mmap(world.task, other, AT(0), PAGE, RW, MAP_SHARED,
			   index, NULL),
		 -EACCES);
	CHECK_EQ(task_mmap(world.task, other, AT(0), PAGE, PROT_READ,
			   MAP_SHARED, index, NULL),
		 0);
	CHECK_EQ(task_mprotect(world.task, AT(0), PAGE, RW), -EACCES);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	file_close(world.task, other);
	world_stop();
}

static void it_loads_only_where_it_can_work(void)
{
	struct machine_config config = {.mode = test_mode,
					.clock = MACHINE_TEST_TIME};

	config.no_xen = true;
	CHECK_EQ(machine_start(&config), -ENODEV);
	config.no_xen = false;
	config.no_avail_bits = true;
	CHECK_EQ(machine_start(&config), test_mode == MACHINE_PV ? -ENODEV : 0);
	if (test_mode == MACHINE_PV)
		CHECK(strstr(machine_log(), "XENFEAT_gnttab_map_avail_bits"));
	else
		CHECK_EQ(machine_stop(stderr), 0);
	config.no_avail_bits = false;
	CHECK_EQ(machine_start(&config), 0);
	CHECK_EQ(machine_stop(stderr), 0);
}

static const struct test tests[] = {
	TEST(indexes_start_at_zero_and_never_return),
	TEST(unmap_takes_exactly_one_range),
	TEST(counts_are_limited),
	TEST(a_huge_limit_is_clamped),
	TEST(domids_are_not_cut),
	TEST(bad_pointers_change_nothing),
	TEST(a_range_is_not_seen_before_its_index_is_told),
	TEST(unknown_requests_are_enotty),
	TEST(fdinfo_tells_the_table),
	TEST(fdinfo_tells_an_area),
	TEST(closing_removes_a_thousand_ranges),
	TEST(instances_have_tables_of_their_own),
	TEST(a_readonly_descriptor_maps_readonly),
	TEST(it_loads_only_where_it_can_work),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
