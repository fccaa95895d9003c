// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Dma-bufs: what programs, devices and the kernel make of them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffers.h"

#define RW (PROT_READ | PROT_WRITE)

static const uint32_t all_flags[] = {0, GNTDEV_DMA_FLAG_WC,
				     GNTDEV_DMA_FLAG_COHERENT};
#define FLAGS (sizeof(all_flags) / sizeof(all_flags[0]))

static bool busy(unsigned int i)
{
	/* GTF_reading, GTF_writing */
	return domain_grant_flags(world.granter, world.refs[i]) & 0x18;
}

static void programs_see_the_granters_pages(void)
{
	unsigned int i;
	size_t f;
	long fd;

	for (f = 0; f < FLAGS; f++) {
		fd = start_export(5, all_flags[f]);
		CHECK_EQ(file_seek(buffer(fd), 0, SEEK_END), 5 * PAGE);
		CHECK_EQ(file_seek(buffer(fd), 0, SEEK_SET), 0);
		CHECK_EQ(file_seek(buffer(fd), 1, SEEK_SET), -EINVAL);
		CHECK_EQ(file_seek(buffer(fd), 0, SEEK_CUR), -EINVAL);
		CHECK_EQ(map_buffer(AT(0), fd, 5, RW), 0);
		for (i = 0; i < 5; i++)
			CHECK_EQ(peek(AT(0) + i * PAGE), 'A' + i);
		CHECK_EQ(poke(AT(0) + 4 * PAGE, 'z'), 0);
		CHECK_EQ(granted(4)[0], 'z');
		close_buffer(fd);
		CHECK(busy(4));
		CHECK_EQ(task_munmap(world.task, AT(0), 5 * PAGE), 0);
		CHECK(!busy(4));
		world_stop();
	}
}

static void mappings_obey_the_rules_of_a_range(void)
{
	long fd = start_export(3, 0);
	struct file *file = buffer(fd);

	CHECK_EQ(map_buffer(AT(0), fd, 3, PROT_READ), 0);
	CHECK_EQ(poke(AT(0), 'x'), -1 * EFAULT);
	CHECK_EQ(task_mprotect(world.task, AT(0), 3 * PAGE, RW), -EACCES);
	CHECK_EQ(task_mmap(world.task, file, AT(1), PAGE, RW, MAP_PRIVATE, 0,
			   NULL),
		 -EINVAL);
	CHECK_EQ(map_buffer(AT(1), fd, 4, RW), -EINVAL);
	CHECK_EQ(task_mmap(world.task, file, AT(1), PAGE, RW, MAP_SHARED,
			   2 * PAGE, NULL),
		 0);
	CHECK_EQ(peek(AT(1)), 'C');
	CHECK_EQ(task_madvise(world.task, AT(1), PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(peek(AT(1)), 'C');
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), -EINVAL);
	CHECK_EQ(task_clear_refs(world.task, 4), 0);
	CHECK_EQ(task_clear_refs(world.task, 1), 0);
	CHECK_EQ(poke(AT(1), 'w'), 0);
	CHECK_EQ(granted(2)[0], 'w');
	/* It is no range of the instance's. */
	CHECK_EQ(req_unmap(world.file, 0, 3), -ENOENT);
	world_stop();
}

static void moved_mapping_is_refused_or_followed(void)
{
	long fd = start_export(2, 0), at;

	CHECK_EQ(map_buffer(AT(0), fd, 2, RW), 0);
	at = task_mremap(world.task, AT(0), 2 * PAGE, 2 * PAGE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, AT(1));
	if (test_mode == MACHINE_PV) {
		CHECK_EQ(at, -EINVAL);
		CHECK_EQ(peek(AT(1)), -1);
		at = AT(0);
	}
	CHECK_EQ(peek(at + PAGE), 'B');
	CHECK_EQ(poke(at, 'q'), 0);
	CHECK_EQ(granted(0)[0], 'q');
	close_buffer(fd);
	CHECK(busy(0));
	CHECK_EQ(task_munmap(world.task, at, 2 * PAGE), 0);
	CHECK(!busy(0));
	world_stop();
}

static void children_have_what_they_inherit(void)
{
	long fd = start_export(2, 0);
	struct task *child;
	unsigned char byte;

	CHECK_EQ(map_buffer(AT(0), fd, 2, RW), 0);
	CHECK_EQ(task_madvise(world.task, AT(0), 2 * PAGE, MADV_DOFORK), 0);
	CHECK_EQ(task_fork(world.task, getpid(), &child), 0);
	close_buffer(fd);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK(busy(0));
	if (task_load(child, AT(0), &byte, 1))
		CHECK_EQ(test_mode, MACHINE_PV);
	else
		CHECK_EQ(byte, 'A');
	CHECK_EQ(task_mmap(child, task_descriptor(child, (int)fd), AT(2),
			   2 * PAGE, PROT_READ, MAP_SHARED, 0, NULL),
		 0);
	CHECK_EQ(task_load(child, AT(2) + PAGE, &byte, 1), 0);
	CHECK_EQ(byte, 'B');
	/* Its descriptor is close-on-exec. */
	task_exec(child);
	CHECK(!task_descriptor(child, (int)fd));
	CHECK(!busy(0));
	task_exit(child);
	world_stop();
}

static void devices_see_the_granters_pages(void)
{
	struct dmabuf_user *users[3];
	unsigned int i;
	size_t f;
	long fd;

	for (f = 0; f < FLAGS; f++) {
		fd = start_export(4, all_flags[f]);
		for (i = 0; i < 3; i++)
			CHECK_EQ(dmabuf_attach(buffer(fd), &users[i]), 0);
		CHECK_EQ(req_sync(buffer(fd),
				  DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW),
			 0);
		CHECK_EQ(req_sync(buffer(fd),
				  DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW),
			 0);
		CHECK_EQ(req_sync(buffer(fd), 0x100), -EINVAL);
		for (i = 0; i < 4; i++)
			CHECK(dmabuf_device_sees(users[0], i * PAGE + 9) ==
			      granted(i) + 9);
		close_buffer(fd);
		dmabuf_detach(users[1]);
		dmabuf_detach(users[0]);
		CHECK(busy(0));
		dmabuf_detach(users[2]);
		CHECK(!busy(0));
		world_stop();
	}
}

/* A device that sees copies, and never writes to them. */
static void what_the_granter_wrote_survives_a_device_that_copies(void)
{
	static const enum dmabuf_direction directions[] = {
		DMABUF_BOTH_WAYS, DMABUF_TO_DEVICE, DMABUF_FROM_DEVICE};
	struct dmabuf_user *user;
	struct file *file;
	long fd;
	int i;

	for (i = 0; i < 3; i++) {
		fd = start_export(2, 0);
		file = buffer(fd);
		CHECK_EQ(dmabuf_attach_bouncing(file, directions[i], &user), 0);
		granted(1)[0] = 'n';
		CHECK_EQ(req_sync(file,
				  DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE),
			 0);
		CHECK_EQ(granted(1)[0], 'n');
		CHECK_EQ(req_sync(file, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ),
			 0);
		CHECK_EQ(granted(1)[0], 'n');
		dmabuf_detach(user);
		CHECK_EQ(granted(1)[0], 'n');
		close_buffer(fd);
		world_stop();
	}
}

/* What is copied is what the caller names and the device may do. */
static void syncs_go_the_way_that_the_caller_names(void)
{
	static const struct {
		enum dmabuf_direction dir;
		unsigned int sync;
		bool in, out;
	} cases[] = {
		{DMABUF_BOTH_WAYS, DMA_BUF_SYNC_READ, false, true},
		{DMABUF_BOTH_WAYS, DMA_BUF_SYNC_WRITE, true, false},
		{DMABUF_BOTH_WAYS, DMA_BUF_SYNC_RW, true, true},
		{DMABUF_TO_DEVICE, DMA_BUF_SYNC_READ, false, false},
		{DMABUF_TO_DEVICE, DMA_BUF_SYNC_WRITE, true, false},
		{DMABUF_TO_DEVICE, DMA_BUF_SYNC_RW, true, false},
		{DMABUF_FROM_DEVICE, DMA_BUF_SYNC_READ, false, true},
		{DMABUF_FROM_DEVICE, DMA_BUF_SYNC_WRITE, false, false},
		{DMABUF_FROM_DEVICE, DMA_BUF_SYNC_RW, false, true},
	};
	struct dmabuf_user *user;
	struct file *file;
	unsigned char *seen;
	size_t i;
	long fd;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fd = start_export(2, 0);
		file = buffer(fd);
		CHECK_EQ(dmabuf_attach_bouncing(file, cases[i].dir, &user), 0);
		seen = dmabuf_device_sees(user, PAGE + 5);
		*seen = 'd';
		CHECK_EQ(req_sync(file, DMA_BUF_SYNC_START | cases[i].sync), 0);
		CHECK_EQ(granted(1)[5] == 'd', cases[i].out);
		granted(1)[5] = 'p';
		CHECK_EQ(*seen, 'd');
		CHECK_EQ(req_sync(file, DMA_BUF_SYNC_END | cases[i].sync), 0);
		CHECK_EQ(*seen == 'p', cases[i].in);
		CHECK_EQ(granted(1)[5], 'p');
		dmabuf_detach(user);
		close_buffer(fd);
		world_stop();
	}
}

static void the_kernel_sees_one_area(void)
{
	unsigned char *area;
	void *at, *again;
	struct file *file;
	unsigned int i;
	size_t f;
	long fd;

	for (f = 0; f < FLAGS; f++) {
		fd = start_export(130, all_flags[f]);
		file = buffer(fd);
		CHECK_EQ(dmabuf_vmap(file, &at), 0);
		CHECK_EQ(dmabuf_vmap(file, &again), 0);
		CHECK(at == again);
		area = at;
		for (i = 0; i < 130; i++) {
			CHECK_EQ(area[i * PAGE], 'A' + i % 26);
			area[i * PAGE + 1] = i;
			CHECK_EQ(granted(i)[1], i);
		}
		dmabuf_vunmap(file);
		CHECK_EQ(area[0], 'A');
		close_buffer(fd);
		CHECK(busy(0));
		dmabuf_vunmap(file);
		CHECK(!busy(0));
		world_stop();
	}
}

static void io_on_a_buffer_outlives_its_mapping(void)
{
	long fd = start_export(3, 0);
	struct page *page;

	CHECK_EQ(map_buffer(AT(0), fd, 3, RW), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	close_buffer(fd);
	CHECK(!busy(0) && busy(1) && !busy(2));
	CHECK_EQ(req_wait(world.file, fd, 0), -ENOENT);
	page_release(page);
	machine_advance(1000);
	CHECK(!busy(1));
	world_stop();
}

static void a_buffer_outlives_its_instance(void)
{
	long fd = start_export(2, 0);

	file_close(world.task, world.file);
	world.file = NULL;
	CHECK_EQ(machine_driver_users(), 1);
	CHECK_EQ(map_buffer(AT(0), fd, 2, RW), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	close_buffer(fd);
	CHECK_EQ(machine_driver_users(), 1);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(machine_driver_users(), 0);
	CHECK(!busy(1));
	world_stop();
}

static void bad_exports_are_refused(void)
{
	world_start();
	grant(4, false);
	grant(1, true);
	CHECK_EQ(req_export(world.file, 3, 0, 1), -EINVAL);
	CHECK_EQ(req_export(world.file, 4, 0, 1), -EINVAL);
	CHECK_EQ(req_export(world.file, 0, 0, 0), -EINVAL);
	CHECK_EQ(req_export(world.file, 0, 3, 2), -EINVAL);
	CHECK_EQ(req_max(world.file, 3), 0);
	CHECK_EQ(req_export(world.file, 0, 0, 4), -EINVAL);
	CHECK_EQ(req_export(world.file, 0, 0, 2), 3);
	CHECK_EQ(req_export(world.file, 0, 2, 2), -ENOMEM);
	CHECK_EQ(task_descriptors(world.task), 1);
	CHECK(!busy(2) && !busy(3) && !busy(4));
	world_stop();
}

static void a_wait_is_for_the_buffer_that_is_meant(void)
{
	long fd = start_export(3, 0), other;
	int copy;

	CHECK_EQ(req_wait(world.file, fd, 100), -ETIMEDOUT);
	CHECK_EQ(req_wait(world.file, 77, 100), -ENOENT);
	CHECK_EQ(req_wait(world.file, -1, 100), -ENOENT);
	copy = task_dup(world.task, world.file);
	CHECK_EQ(req_wait(world.file, copy, 100), -ENOENT);
	CHECK_EQ(map_buffer(AT(0), fd, 3, RW), 0);
	close_buffer(fd);
	/* By the number that it was given; then another has that. */
	CHECK_EQ(req_wait(world.file, fd, 0), -ETIMEDOUT);
	other = req_export(world.file, 0, 0, 1);
	CHECK_EQ(other, fd);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	CHECK_EQ(req_wait(world.file, fd, 0), -ETIMEDOUT);
	close_buffer(other);
	CHECK_EQ(req_wait(world.file, fd, 0), -ENOENT);
	other = foreign_export(1);
	CHECK(other >= 0);
	CHECK_EQ(req_wait(world.file, other, 0), -ENOENT);
	world_stop();
}

static void imported_pages_are_granted(void)
{
	struct peer peer;
	uint32_t refs[6];
	long fd;

	world_start();
	fd = foreign_export(6);
	CHECK(fd >= 0);
	CHECK_EQ(map_buffer(AT(0), fd, 6, RW), 0);
	CHECK_EQ(poke(AT(0) + 5 * PAGE, 'f'), 0);
	CHECK_EQ(req_import(world.file, fd, 5, refs), -EINVAL);
	CHECK_EQ(req_import(world.file, world.task ? 99 : 0, 6, refs), -ENOENT);
	CHECK_EQ(req_import(world.file, fd, 6, refs), 0);
	peer_open(&peer);
	CHECK_EQ(peer_map(&peer, AT(1), refs, 6), 0);
	CHECK_EQ(task_store(peer.task, AT(1) + 9, "g", 1), 0);
	CHECK_EQ(peek(AT(0) + 9), 'g');
	/* Row 52: what the other side has mapped waits for it. */
	CHECK_EQ(req_release(world.file, fd), 0);
	CHECK_EQ(req_release(world.file, fd), -ENOENT);
	CHECK_EQ(task_munmap(world.task, AT(0), 6 * PAGE), 0);
	close_buffer(fd);
	machine_advance(1000);
	CHECK_EQ(task_store(peer.task, AT(1) + 5 * PAGE, "h", 1), 0);
	CHECK_EQ(task_munmap(peer.task, AT(1), 6 * PAGE), 0);
	machine_advance(1000);
	CHECK_EQ(peer_map(&peer, AT(2), refs, 6), -EINVAL);
	peer_close(&peer);
	world_stop();
}

/* A peer that keeps one page of each would hold all memory, whose nobody says. */
static void imports_are_bounded_until_the_peer_lets_go(void)
{
	struct peer peer;
	uint32_t refs[4];
	uint64_t index;
	char text[256];
	long fd;

	world_start();
	grant(4, false);
	fd = foreign_export(4);
	CHECK_EQ(req_max(world.file, 3), 0);
	CHECK_EQ(req_import(world.file, fd, 4, NULL), -EINVAL);
	machine_set_driver_limit(3);
	CHECK_EQ(req_max(world.file, 10), 0);
	CHECK_EQ(req_import(world.file, fd, 4, NULL), -EINVAL);
	machine_set_driver_limit(65536);
	CHECK_EQ(req_import(world.file, fd, 4, refs), 0);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	CHECK_EQ(req_import(world.file, fd, 4, NULL), -ENOMEM);
	CHECK_EQ(req_map(world.file, 0, 4, &index), -ENOMEM);
	CHECK_EQ(req_export(world.file, 0, 0, 4), -ENOMEM);
	CHECK(file_fdinfo(world.file, text, sizeof(text)));
	CHECK(strstr(text, "imported-grants:\t4\n"));
	peer_open(&peer);
	CHECK_EQ(peer_map(&peer, AT(1), refs + 2, 1), 0);
	CHECK_EQ(req_release(world.file, fd), 0);
	machine_advance(60000);
	CHECK_EQ(req_import(world.file, fd, 4, NULL), -ENOMEM);
	CHECK_EQ(task_munmap(peer.task, AT(1), PAGE), 0);
	machine_advance(300);
	CHECK_EQ(req_import(world.file, fd, 4, refs), 0);
	peer_close(&peer);
	world_stop();
}

static void an_own_buffer_is_imported_and_not_granted_on(void)
{
	long fd = start_export(2, 0);
	struct peer peer;
	uint32_t refs[2];

	CHECK_EQ(req_import(world.file, fd, 2, refs), 0);
	close_buffer(fd);
	CHECK(busy(0));
	peer_open(&peer);
	CHECK_EQ(peer_map(&peer, AT(1), refs, 2), -EINVAL);
	peer_close(&peer);
	CHECK_EQ(req_release(world.file, fd), 0);
	CHECK(!busy(0));
	world_stop();
}

static void the_module_stays_while_others_have_imports_mapped(void)
{
	struct peer peer;
	uint32_t refs[2];
	long fd;

	world_start();
	fd = foreign_export(2);
	CHECK(fd >= 0);
	CHECK_EQ(req_import(world.file, fd, 2, refs), 0);
	peer_open(&peer);
	CHECK_EQ(peer_map(&peer, AT(1), refs, 2), 0);
	close_buffer(fd);
	file_close(world.task, world.file);
	world.file = NULL;
	/* The import, and the file that the peer's VMA holds. */
	CHECK_EQ(machine_driver_users(), 2);
	/* Closed, but nobody has looked since. */
	peer_close(&peer);
	CHECK_EQ(machine_driver_users(), 1);
	task_exit(world.task);
	world.task = NULL;
	CHECK_EQ(machine_stop(stderr), 0);
}

static void no_number_is_granted_by_two_kernels(void)
{
	uint32_t ours[3], theirs[3], i, j;
	struct task *task = NULL;
	struct peer peer;
	long fd, their_fd;

	world_start();
	fd = foreign_export(3);
	CHECK_EQ(req_import(world.file, fd, 3, ours), 0);
	peer_open(&peer);
	task = world.task;
	world.task = peer.task;
	their_fd = foreign_export(3);
	CHECK_EQ(req_import(peer.file, their_fd, 3, theirs), 0);
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 3; j++)
			CHECK(ours[i] != theirs[j]);
	}
	CHECK_EQ(req_release(peer.file, their_fd), 0);
	world.task = task;
	CHECK_EQ(req_release(world.file, fd), 0);
	peer_close(&peer);
	world_stop();
}

static void a_graphics_device_imports_buffers(void)
{
	long fd = start_export(2, 0), err;
	struct file *vgem = foreign_import(fd, &err);

	CHECK_EQ(err, 0);
	close_buffer(fd);
	CHECK(busy(0));
	file_close(world.task, vgem);
	CHECK(!busy(0));
	vgem = foreign_import(55, &err);
	CHECK_EQ(err, -EBADF);
	file_close(world.task, vgem);
	world_stop();
}

static void devices_see_the_data_alone(void)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs_v2 *op =
		calloc(1, sizeof(*op) + 3 * sizeof(op->refs[0]));
	struct dmabuf_user *user;
	long fd;

	world_start();
	grant(3, false);
	CHECK_EQ(req_export_late(world.file, 0, 3, PAGE), -EINVAL);
	fd = req_export_late(world.file, 0, 3, 100);
	CHECK(fd >= 0);
	CHECK_EQ(dmabuf_attach(buffer(fd), &user), 0);
	CHECK(dmabuf_device_sees(user, 0) == granted(0) + 100);
	CHECK(dmabuf_device_sees(user, PAGE) == granted(1) + 100);
	CHECK(dmabuf_device_sees(user, 3 * PAGE - 101) ==
	      granted(2) + PAGE - 1);
	CHECK(!dmabuf_device_sees(user, 3 * PAGE - 100));
	dmabuf_detach(user);
	/* Programs see all of the pages. */
	CHECK_EQ(map_buffer(AT(0), fd, 3, RW), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	op->fd = fd;
	op->count = 3;
	op->domid = 1;
	op->reserved = 0xdead;
	CHECK_EQ(file_ioctl(world.task, world.file,
			    IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2,
			    (unsigned long)op, false),
		 0);
	CHECK_EQ(op->data_ofs, 100);
	CHECK_EQ(req_release(world.file, fd), 0);
	free(op);
	task_munmap(world.task, AT(0), 3 * PAGE);
	close_buffer(fd);
	world_stop();
}

static void an_instance_with_buffers_is_restricted_to_their_domain(void)
{
	long fd = start_export(1, 0), own = foreign_export(1);

	CHECK_EQ(req_restrict(world.file, 2), -EBUSY);
	close_buffer(fd);
	CHECK_EQ(req_import(world.file, own, 1, NULL), 0);
	CHECK_EQ(req_restrict(world.file, 2), -EBUSY);
	CHECK_EQ(req_restrict(world.file, 1), 0);
	CHECK_EQ(req_release(world.file, own), 0);
	close_buffer(own);
	world_stop();
}

static void imports_for_nobody_are_refused(void)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs op = {.count = 1};
	struct ioctl_gntdev_dmabuf_imp_to_refs_v2 late = {.count = 1};
	long own;

	world_start();
	own = foreign_export(1);
	op.fd = late.fd = own;
	op.domid = late.domid = 0x8000;
	CHECK_EQ(file_ioctl(world.task, world.file,
			    IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, (unsigned long)&op,
			    false),
		 -EINVAL);
	CHECK_EQ(file_ioctl(world.task, world.file,
			    IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2,
			    (unsigned long)&late, false),
		 -EINVAL);
	CHECK_EQ(req_release(world.file, own), -ENOENT);
	close_buffer(own);
	world_stop();
}

static const struct test tests[] = {
	TEST(devices_see_the_data_alone),
	TEST(programs_see_the_granters_pages),
	TEST(mappings_obey_the_rules_of_a_range),
	TEST(moved_mapping_is_refused_or_followed),
	TEST(children_have_what_they_inherit),
	TEST(devices_see_the_granters_pages),
	TEST(what_the_granter_wrote_survives_a_device_that_copies),
	TEST(syncs_go_the_way_that_the_caller_names),
	TEST(the_kernel_sees_one_area),
	TEST(io_on_a_buffer_outlives_its_mapping),
	TEST(a_buffer_outlives_its_instance),
	TEST(bad_exports_are_refused),
	TEST(a_wait_is_for_the_buffer_that_is_meant),
	TEST(imported_pages_are_granted),
	TEST(imports_are_bounded_until_the_peer_lets_go),
	TEST(an_own_buffer_is_imported_and_not_granted_on),
	TEST(the_module_stays_while_others_have_imports_mapped),
	TEST(no_number_is_granted_by_two_kernels),
	TEST(a_graphics_device_imports_buffers),
	TEST(an_instance_with_buffers_is_restricted_to_their_domain),
	TEST(imports_for_nobody_are_refused),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
