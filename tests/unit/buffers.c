// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffers.h"

/* As in Linux's drm.h and drm_mode.h. */
struct prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};

struct create_dumb {
	uint32_t height, width, bpp, flags;
	uint32_t handle, pitch;
	uint64_t size;
};

#define HANDLE_TO_FD _IOWR('d', 0x2d, struct prime_handle)
#define FD_TO_HANDLE _IOWR('d', 0x2e, struct prime_handle)
#define CREATE_DUMB _IOWR('d', 0xb2, struct create_dumb)

static long request(struct file *file, unsigned int cmd, void *arg)
{
	return file_ioctl(world.task, file, cmd, (unsigned long)arg, false);
}

long req_export(struct file *file, uint32_t flags, unsigned int first,
		unsigned int count)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs *op;
	unsigned int i;
	long ret;

	op = calloc(1, sizeof(*op) + count * sizeof(op->refs[0]));
	op->flags = flags;
	op->count = count;
	op->domid = domain_id(world.granter);
	op->fd = ~0U;
	for (i = 0; i < count; i++)
		op->refs[i] = world.refs[first + i];
	ret = request(file, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, op);
	if (!ret)
		ret = op->fd;
	free(op);

	return ret;
}

long req_export_late(struct file *file, unsigned int first, unsigned int count,
		     unsigned int data_ofs)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs_v2 *op;
	unsigned int i;
	long ret;

	op = calloc(1, sizeof(*op) + count * sizeof(op->refs[0]));
	op->count = count;
	op->data_ofs = data_ofs;
	op->domid = domain_id(world.granter);
	for (i = 0; i < count; i++)
		op->refs[i] = world.refs[first + i];
	ret = request(file, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2, op);
	if (!ret)
		ret = op->fd;
	free(op);

	return ret;
}

long req_wait(struct file *file, uint32_t fd, uint32_t ms)
{
	struct ioctl_gntdev_dmabuf_exp_wait_released op = {fd, ms};

	return request(file, IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, &op);
}

long req_import(struct file *file, uint32_t fd, uint32_t count, uint32_t *refs)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs *op;
	long ret;

	op = calloc(1, sizeof(*op) + count * sizeof(op->refs[0]));
	op->fd = fd;
	op->count = count;
	op->domid = 1;
	ret = request(file, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, op);
	if (refs)
		memcpy(refs, op->refs, count * sizeof(op->refs[0]));
	free(op);

	return ret;
}

long req_release(struct file *file, uint32_t fd)
{
	struct ioctl_gntdev_dmabuf_imp_release op = {fd, 0};

	return request(file, IOCTL_GNTDEV_DMABUF_IMP_RELEASE, &op);
}

long req_sync(struct file *dmabuf, uint64_t flags)
{
	struct dma_buf_sync op = {flags};

	return request(dmabuf, DMA_BUF_IOCTL_SYNC, &op);
}

struct file *buffer(long fd)
{
	struct file *file = task_descriptor(world.task, (int)fd);

	if (!file)
		test_fail(__FILE__, __LINE__, "%ld is no dma-buf", fd);
	return file;
}

int map_buffer(unsigned long addr, long fd, unsigned int count, int prot)
{
	return task_mmap(world.task, buffer(fd), addr, count * PAGE, prot,
			 MAP_SHARED, 0, NULL);
}

void close_buffer(long fd)
{
	if (fd >= 0)
		CHECK_EQ(task_close(world.task, (int)fd), 0);
}

long foreign_export(unsigned int pages)
{
	struct create_dumb create = {
		.width = PAGE / 4,
		.height = pages,
		.bpp = 32,
	};
	struct prime_handle prime = {.flags = O_RDWR | O_CLOEXEC};
	struct file *vgem;
	long err;

	err = file_open(world.task, "vgem", O_RDWR, &vgem);
	if (err)
		return err;
	err = request(vgem, CREATE_DUMB, &create);
	prime.handle = create.handle;
	if (!err)
		err = request(vgem, HANDLE_TO_FD, &prime);
	file_close(world.task, vgem);

	return err ?: prime.fd;
}

struct file *foreign_import(long fd, long *err)
{
	struct prime_handle prime = {.fd = (int32_t)fd};
	struct file *vgem;

	CHECK_EQ(file_open(world.task, "vgem", O_RDWR, &vgem), 0);
	*err = request(vgem, FD_TO_HANDLE, &prime);

	return vgem;
}

void peer_open(struct peer *peer)
{
	peer->task = task_new(world.granter, getpid());
	CHECK_EQ(file_open(peer->task, "gntdev", O_RDWR, &peer->file), 0);
}

void peer_close(struct peer *peer)
{
	task_exit(peer->task);
	file_close(NULL, peer->file);
}

int peer_map(struct peer *peer, unsigned long addr, const uint32_t *refs,
	     unsigned int count)
{
	struct ioctl_gntdev_map_grant_ref *op;
	unsigned int i;
	uint64_t index;
	long ret;

	op = calloc(1, sizeof(*op) + count * sizeof(op->refs[0]));
	op->count = count;
	for (i = 0; i < count; i++)
		op->refs[i].ref = refs[i];
	ret = file_ioctl(peer->task, peer->file, IOCTL_GNTDEV_MAP_GRANT_REF,
			 (unsigned long)op, false);
	index = op->index;
	free(op);
	if (ret)
		return (int)ret;

	return task_mmap(peer->task, peer->file, addr, count * PAGE,
			 PROT_READ | PROT_WRITE, MAP_SHARED, index, NULL);
}

long start_export(unsigned int count, uint32_t flags)
{
	long fd;

	world_start();
	grant(count, false);
	fd = req_export(world.file, flags, 0, count);
	CHECK(fd >= 0);
	return fd;
}
