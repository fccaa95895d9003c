// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What the sweep makes fail of dma-bufs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <unistd.h>

#include "../unit/buffers.h"
#include "scenarios.h"

#define RW (PROT_READ | PROT_WRITE)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Maps, uses and closes it in any order that comes. */
static void use_buffer(uint32_t flags, unsigned int count)
{
	long fd = req_export(world.file, flags, 0, count);

	if (fd < 0)
		return;
	if (!map_buffer(AT(0), fd, count, RW)) {
		poke(AT(0) + (count - 1) * PAGE, 'x');
		peek(AT(0));
	}
	map_buffer(AT(1), fd, 1, PROT_READ);
	close_buffer(fd);
	task_munmap(world.task, AT(0), count * PAGE);
	task_munmap(world.task, AT(1), PAGE);
}

static void export_and_map(void)
{
	use_buffer(0, 3);
}

static void export_write_combining(void)
{
	use_buffer(GNTDEV_DMA_FLAG_WC, 3);
}

static void export_coherent(void)
{
	use_buffer(GNTDEV_DMA_FLAG_COHERENT, 3);
}

static void export_many(void)
{
	use_buffer(0, 130);
}

static void export_and_change_mappings(void)
{
	long fd = req_export(world.file, 0, 0, 3);
	struct task *child;

	if (fd < 0)
		return;
	map_buffer(AT(0), fd, 3, RW);
	task_mprotect(world.task, AT(0), 3 * PAGE, PROT_READ);
	peek(AT(0));
	task_madvise(world.task, AT(0), 3 * PAGE, MADV_DONTNEED);
	peek(AT(0) + PAGE);
	task_madvise(world.task, AT(0), 3 * PAGE, MADV_DOFORK);
	if (!task_fork(world.task, getpid(), &child))
		task_exit(child);
	task_mremap(world.task, AT(0), 3 * PAGE, 3 * PAGE,
		    MREMAP_MAYMOVE | MREMAP_FIXED, AT(2));
	peek(AT(2));
	task_munmap(world.task, AT(0), 3 * PAGE);
	task_munmap(world.task, AT(2), 3 * PAGE);
	close_buffer(fd);
}

static void attach_devices(void)
{
	long fd = req_export(world.file, 0, 0, 3);
	struct dmabuf_user *first, *second;
	bool is_first, is_second;

	if (fd < 0)
		return;
	is_first = !dmabuf_attach(buffer(fd), &first);
	is_second = !dmabuf_attach(buffer(fd), &second);
	req_sync(buffer(fd), DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	req_sync(buffer(fd), DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	close_buffer(fd);
	if (is_first)
		dmabuf_detach(first);
	if (is_second)
		dmabuf_detach(second);
}

static void show_the_kernel(unsigned int count, uint32_t flags)
{
	long fd = req_export(world.file, flags, 0, count);
	struct file *file;
	void *at;
	int i;

	if (fd < 0)
		return;
	file = buffer(fd);
	for (i = 0; i < 2; i++) {
		if (!dmabuf_vmap(file, &at)) {
			*(unsigned char *)at = 'v';
			dmabuf_vunmap(file);
		}
	}
	close_buffer(fd);
}

static void vmap_three(void)
{
	show_the_kernel(3, 0);
}

static void vmap_coherent(void)
{
	show_the_kernel(2, GNTDEV_DMA_FLAG_COHERENT);
}

static void vmap_many(void)
{
	show_the_kernel(130, 0);
}

static void wait_for_release(void)
{
	long fd = req_export(world.file, 0, 0, 1);

	if (fd < 0)
		return;
	req_wait(world.file, fd, 20);
	close_buffer(fd);
	req_wait(world.file, fd, 20);
}

static void close_and_exit_with_buffers(void)
{
	long fd = req_export(world.file, 0, 0, 2);
	struct dmabuf_user *user = NULL;

	req_export(world.file, GNTDEV_DMA_FLAG_WC, 2, 2);
	if (fd >= 0) {
		map_buffer(AT(0), fd, 2, RW);
		if (dmabuf_attach(buffer(fd), &user))
			user = NULL;
	}
	file_close(world.task, world.file);
	world.file = NULL;
	task_exit(world.task);
	world.task = NULL;
	if (user)
		dmabuf_detach(user);
}

static void hold_a_buffers_page(void)
{
	long fd = req_export(world.file, GNTDEV_DMA_FLAG_COHERENT, 0, 2);
	struct page *page;
	bool held;

	if (fd < 0)
		return;
	map_buffer(AT(0), fd, 2, RW);
	held = !page_hold(world.task, AT(0) + PAGE, true, &page);
	task_munmap(world.task, AT(0), 2 * PAGE);
	close_buffer(fd);
	machine_advance(100);
	if (held)
		page_release(page);
	machine_advance(1000);
}

static void import_and_release(void)
{
	long fd = foreign_export(3);
	uint32_t refs[3];

	if (fd < 0)
		return;
	if (!req_import(world.file, fd, 3, refs))
		req_release(world.file, fd);
	req_import(world.file, fd, 3, refs);
	req_import(world.file, fd, 3, refs);
	close_buffer(fd);
	req_release(world.file, fd);
	req_release(world.file, fd);
}

static void import_own_and_close(void)
{
	long fd = req_export(world.file, 0, 0, 2);
	uint32_t refs[2];

	if (fd < 0)
		return;
	req_import(world.file, fd, 2, refs);
	close_buffer(fd);
	file_close(world.task, world.file);
	world.file = NULL;
}

/*
 * The other side's own calls do not fail: what the hypervisor does not unmap of
 * it would hold up the unload for ever, and rightly so.
 */
static void import_and_let_the_peer_map(void)
{
	uint32_t refs[3] = {0};
	struct peer peer;
	long fd = foreign_export(3);

	if (fd < 0)
		return;
	if (!req_import(world.file, fd, 3, refs)) {
		machine_fail_pause(true);
		peer_open(&peer);
		CHECK_EQ(peer_map(&peer, AT(3), refs, 3), 0);
		machine_fail_pause(false);
		req_release(world.file, fd);
		machine_advance(100);
		machine_fail_pause(true);
		peer_close(&peer);
		machine_fail_pause(false);
		machine_advance(1000);
	}
	close_buffer(fd);
}

/* With an offset; then the same buffer is granted on. */
static void export_and_import_late(void)
{
	struct {
		struct ioctl_gntdev_dmabuf_imp_to_refs_v2 op;
		uint32_t more[2];
	} import = {.op = {.count = 3, .domid = 1}};
	long fd = req_export_late(world.file, 0, 3, 100);

	if (fd < 0)
		return;
	import.op.fd = fd;
	if (!file_ioctl(world.task, world.file,
			IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2,
			(unsigned long)&import, false))
		req_release(world.file, fd);
	close_buffer(fd);
}

#define IN(name) {#name, name, IN_BOTH, false}
#define LONG(name) {#name, name, IN_BOTH, true}

const struct scenario scenarios_dmabuf[] = {
	IN(export_and_map),
	IN(export_write_combining),
	IN(export_coherent),
	LONG(export_many),
	IN(export_and_change_mappings),
	IN(attach_devices),
	IN(vmap_three),
	IN(vmap_coherent),
	LONG(vmap_many),
	IN(wait_for_release),
	IN(close_and_exit_with_buffers),
	IN(hold_a_buffers_page),
	IN(import_and_release),
	IN(import_own_and_close),
	IN(import_and_let_the_peer_map),
	IN(export_and_import_late),
};

const size_t nscenarios_dmabuf = ARRAY_SIZE(scenarios_dmabuf);
