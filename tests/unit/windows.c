// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mmaps of a dma-buf: how many there may be, and for whom they leave room. */
#include <errno.h>
#include <string.h>

#include "buffers.h"

#define RW (PROT_READ | PROT_WRITE)
/* xen/interface/grant_table.h */
#define DEST_GREF 2

/* Nobody who has but a descriptor keeps others from the granter's pages. */
static void mmaps_of_a_buffer_leave_room_for_others(void)
{
	struct gntdev_grant_copy_segment segment = {
		.dest.foreign = {.domid = 1},
		.flags = DEST_GREF,
		.len = 9,
	};
	static const char text[] = "nine byte";
	uint64_t index;
	void *area;
	int i, n;
	long fd;

	fd = start_export(2, 0);
	segment.source.virt = (void *)text;
	segment.dest.foreign.ref = world.refs[0];
	for (n = 0; n < 64; n++)
		CHECK_EQ(map_buffer(AT(n), fd, 1 + n % 2,
				    n % 3 ? RW : PROT_READ),
			 0);
	for (i = 0; i < 5; i++)
		CHECK_EQ(map_buffer(AT(n), fd, 1, RW), -ENOMEM);
	CHECK_EQ(dmabuf_vmap(buffer(fd), &area), 0);
	CHECK_EQ(((unsigned char *)area)[PAGE], 'B');
	CHECK_EQ(map_at(AT(n + 1), 0, 2, RW, &index), 0);
	CHECK_EQ(req_copy(world.file, &segment, 1), 0);
	CHECK_EQ(segment.status, 0);
	CHECK_EQ(memcmp(granted(0), text, 9), 0);
	dmabuf_vunmap(buffer(fd));
	/* As many as go may come. */
	for (i = 0; i < 64; i += 2) {
		CHECK_EQ(task_munmap(world.task, AT(i), PAGE), 0);
		CHECK_EQ(map_buffer(AT(i), fd, 1, RW), 0);
	}
	CHECK_EQ(map_buffer(AT(n), fd, 1, RW), -ENOMEM);
	world_stop();
}

static void mmaps_of_buffers_obey_the_exporters_maximum(void)
{
	long fd = start_export(4, 0), other;

	CHECK_EQ(req_max(world.file, 5), 0);
	other = req_export(world.file, 0, 0, 1);
	CHECK(other >= 0);
	CHECK_EQ(map_buffer(AT(0), fd, 4, RW), 0);
	CHECK_EQ(map_buffer(AT(1), fd, 2, RW), -ENOMEM);
	CHECK_EQ(map_buffer(AT(1), other, 1, RW), 0);
	CHECK_EQ(map_buffer(AT(2), other, 1, RW), -ENOMEM);
	CHECK_EQ(req_max(world.file, 7), 0);
	CHECK_EQ(map_buffer(AT(2), fd, 2, RW), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	/* What fails counts for nothing. */
	machine_fail_nth(1, 0, false);
	machine_fail_only("kmalloc");
	CHECK_EQ(map_buffer(AT(0), fd, 4, RW), -ENOMEM);
	CHECK_EQ(machine_failed(), 1);
	machine_fail_none();
	CHECK_EQ(map_buffer(AT(0), fd, 4, RW), 0);
	CHECK_EQ(map_buffer(AT(3), fd, 1, RW), -ENOMEM);
	world_stop();
}

/* In a PV domain each page of a mmap has a handle, and so has each of a vmap. */
static void mmaps_of_buffers_take_from_the_exporters_share(void)
{
	bool pv = test_mode == MACHINE_PV;
	void *area;
	long fd;
	int i;

	world_prepare();
	world.config.driver_handles = 8;
	fd = start_export(2, 0);
	CHECK_EQ(map_buffer(AT(0), fd, 2, RW), 0);
	CHECK_EQ(map_buffer(AT(1), fd, 2, PROT_READ), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(map_buffer(AT(2 + i), fd, 1, RW), pv ? -ENOMEM : 0);
	CHECK_EQ(strstr(machine_log(), "the parameter handles") != NULL, pv);
	CHECK_EQ(dmabuf_vmap(buffer(fd), &area), 0);
	dmabuf_vunmap(buffer(fd));
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(map_buffer(AT(0), fd, 2, RW), 0);
	world_stop();
}

static const struct test tests[] = {
	TEST(mmaps_of_a_buffer_leave_room_for_others),
	TEST(mmaps_of_buffers_obey_the_exporters_maximum),
	TEST(mmaps_of_buffers_take_from_the_exporters_share),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
