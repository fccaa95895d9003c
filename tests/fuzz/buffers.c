// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Dma-bufs: made, mapped, attached to, waited for, imported and let go of. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

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
#define CREATE_DUMB _IOWR('d', 0xb2, struct create_dumb)

/* Numbers that descriptors have had, of a task that is there. */
static int some_number(void)
{
	return 3 + (int)below(6);
}

/* Grants of a row, so that it is known what a buffer shows. */
void op_export(void)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs *op = (void *)buffer;
	unsigned int i, first = below(GRANTS), count = below(5);
	struct task *task = some_task(NULL);
	struct slot *s;
	unsigned long at;
	long ret;

	memset(op, 0, 128);
	op->flags = below(8) ? below(3) : byte();
	op->count = count;
	op->domid = byte() == 9 ? 0x10001 : 1;
	for (i = 0; i < count; i++)
		op->refs[i] = f.refs[(first + i) % GRANTS];
	ret = request(task, f.files[below(FILES)],
		      IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, op);
	EXPECT(ret <= 0);
	if (ret || below(2))
		return;

	s = some_slot(&at);
	if (task_mmap(task, task_descriptor(task, (int)op->fd), at,
		      count * PAGE, below(2) ? RW : PROT_READ, MAP_SHARED, 0,
		      NULL))
		return;
	*s = (struct slot){.used = true, .first = first, .count = count};
	while (f.tasks[s->task] != task)
		s->task++;
	check_slot(s, at);
}

static void wait_for(struct task *task, int fd)
{
	struct ioctl_gntdev_dmabuf_exp_wait_released *op = (void *)buffer;
	long ret;

	op->fd = (uint32_t)fd;
	op->wait_to_ms = byte();
	ret = request(task, f.files[below(FILES)],
		      IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, op);
	EXPECT(ret <= 0);
}

static void map_anywhere(struct task *task, struct file *file)
{
	unsigned long at;
	struct slot *s = some_slot(&at);
	int ret;

	ret = task_mmap(task, file, at, (1 + below(4)) * PAGE,
			below(2) ? RW : PROT_READ,
			below(8) ? MAP_SHARED : MAP_PRIVATE, below(3) * PAGE,
			NULL);
	EXPECT(ret <= 0 && ret != -EAGAIN);
	/* Whose pages these are is not known. */
	if (!ret)
		s->used = false, s->count = 0;
}

void op_use_buffer(void)
{
	struct task *task = some_task(NULL);
	int fd = some_number(), copy;
	struct file *file;

	if (!task)
		return;
	file = task_descriptor(task, fd);
	switch (below(5)) {
	case 0:
		task_close(task, fd);
		break;
	case 1:
		if (file)
			map_anywhere(task, file);
		break;
	case 2:
		wait_for(task, fd);
		break;
	case 3:
		copy = file ? task_dup(task, file) : -1;
		/* Few numbers are looked at. */
		if (copy > 8)
			task_close(task, copy);
		break;
	case 4:
		*(uint64_t *)buffer = byte();
		if (file)
			request(task, file, DMA_BUF_IOCTL_SYNC, buffer);
		break;
	}
}

static void attach_or_detach(struct file *file)
{
	struct dmabuf_user **user = &f.users[below(USERS)];

	if (*user) {
		dmabuf_device_sees(*user, byte());
		dmabuf_detach(*user);
		*user = NULL;
	} else if (file && dmabuf_attach(file, user)) {
		*user = NULL;
	}
}

static void show_or_hide(struct file *file)
{
	unsigned char *at;

	if (f.vmapped) {
		dmabuf_vunmap(f.vmapped);
		f.vmapped = NULL;
	} else if (file && !dmabuf_vmap(file, (void **)&at)) {
		at[0] = at[0];
		f.vmapped = file;
	}
}

void op_share_buffer(void)
{
	struct task *task = some_task(NULL);
	struct file *file = NULL;

	if (task)
		file = task_descriptor(task, some_number());
	if (file && file_seek(file, 0, SEEK_END) <= 0)
		file = NULL;
	if (below(2))
		attach_or_detach(file);
	else
		show_or_hide(file);
}

/* A buffer of a device that knows nothing of Xen. */
static void export_foreign(struct task *task)
{
	struct create_dumb create = {
		.width = PAGE / 4,
		.height = below(5),
		.bpp = 32,
	};
	struct prime_handle prime = {.flags = O_RDWR | O_CLOEXEC};
	struct file *vgem;

	if (file_open(task, "vgem", O_RDWR, &vgem))
		return;
	memcpy(buffer, &create, sizeof(create));
	file_ioctl(task, vgem, CREATE_DUMB, (unsigned long)buffer, false);
	memcpy(&create, buffer, sizeof(create));
	prime.handle = create.handle;
	memcpy(buffer, &prime, sizeof(prime));
	file_ioctl(task, vgem, HANDLE_TO_FD, (unsigned long)buffer, false);
	file_close(task, vgem);
}

static void import(struct task *task, int fd)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs *op = (void *)buffer;

	memset(op, 0, 64);
	op->fd = (uint32_t)fd;
	op->count = below(5);
	op->domid = 1;
	op->reserved = byte() == 9;
	if (!request(task, f.files[below(FILES)],
		     IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, op))
		memcpy(f.imported, op->refs, op->count * sizeof(uint32_t));
}

static void release(struct task *task, int fd)
{
	struct ioctl_gntdev_dmabuf_imp_release *op = (void *)buffer;

	op->fd = (uint32_t)fd;
	op->reserved = byte() == 9;
	request(task, f.files[below(FILES)], IOCTL_GNTDEV_DMABUF_IMP_RELEASE,
		op);
}

/*
 * The other side maps what was imported last, or gives up what it has mapped.
 * Its own calls do not fail: what it could not unmap would never come back.
 */
static void map_as_peer(void)
{
	struct ioctl_gntdev_map_grant_ref *op = (void *)buffer;
	unsigned long at = AT(below(SLOTS));

	machine_fail_pause(true);
	if (!f.peer) {
		f.peer = task_new(f.granter, getpid());
		EXPECT(!file_open(f.peer, "gntdev", O_RDWR, &f.peer_file));
	}
	memset(op, 0, 64);
	op->count = 1;
	op->refs[0].ref = f.imported[below(IMPORTED)];
	if (!file_ioctl(f.peer, f.peer_file, IOCTL_GNTDEV_MAP_GRANT_REF,
			(unsigned long)op, false))
		task_mmap(f.peer, f.peer_file, at, PAGE, RW, MAP_SHARED,
			  op->index, NULL);
	if (!below(3))
		task_munmap(f.peer, at, PAGE);
	machine_fail_pause(false);
}

void op_import(void)
{
	struct task *task = some_task(NULL);
	int fd = some_number();

	if (!task)
		return;
	switch (below(4)) {
	case 0:
		export_foreign(task);
		break;
	case 1:
		import(task, fd);
		break;
	case 2:
		release(task, fd);
		break;
	case 3:
		map_as_peer();
		break;
	}
}

void buffers_end(void)
{
	unsigned int i;

	for (i = 0; i < USERS; i++) {
		if (f.users[i])
			dmabuf_detach(f.users[i]);
	}
	if (f.vmapped)
		dmabuf_vunmap(f.vmapped);
	if (!f.peer)
		return;
	task_exit(f.peer);
	file_close(NULL, f.peer_file);
}
