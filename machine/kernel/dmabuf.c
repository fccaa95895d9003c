// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Dma-bufs: the file, and who may do what with it at which time. */
#include <sys/ioctl.h>

#include <linux/dma-buf.h>
#include <stdlib.h>

#include "calls.h"
#include "descriptors.h"
#include "dmabuf.h"
#include "faults.h"
#include "user.h"
#include "../xen/xen.h"

static struct lock_class class_resv = {"dma_resv", "the kernel", 0, 0};

static void resv_lock(struct dma_buf *dmabuf)
{
	/* What the kernel itself nests, be it at another time. */
	lock_order(&class_mmap, &class_resv);
	lock_order(&class_resv, &class_reclaim);
	mutex_lock(&dmabuf->resv);
}

/* ---- the file ---- */

static int buffer_release(struct inode *inode, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;
	struct module *owner = dmabuf->owner;

	(void)inode;
	if (dmabuf->attachments || dmabuf->vmaps)
		machine_fatal(
			"a dma-buf is released with %u attachments and %u vmaps",
			dmabuf->attachments, dmabuf->vmaps);
	dmabuf->ops->release(dmabuf);
	mutex_destroy(&dmabuf->resv);
	free(dmabuf);
	if (owner)
		module_put(owner);

	return 0;
}

static int buffer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = file->private_data;

	if (!dmabuf->ops->mmap)
		return -EINVAL;
	if (vma->vm_pgoff + vma_pages(vma) > dmabuf->size >> PAGE_SHIFT)
		return -EINVAL;

	return dmabuf->ops->mmap(dmabuf, vma);
}

static long buffer_sync(struct dma_buf *dmabuf, u64 flags)
{
	static const enum dma_data_direction directions[] = {
		[DMA_BUF_SYNC_READ] = DMA_FROM_DEVICE,
		[DMA_BUF_SYNC_WRITE] = DMA_TO_DEVICE,
		[DMA_BUF_SYNC_RW] = DMA_BIDIRECTIONAL,
	};
	u64 what = flags & DMA_BUF_SYNC_RW;

	if (flags & ~(u64)DMA_BUF_SYNC_VALID_FLAGS_MASK || !what)
		return -EINVAL;
	if (flags & DMA_BUF_SYNC_END)
		return dmabuf->ops->end_cpu_access
			       ? dmabuf->ops->end_cpu_access(dmabuf,
							     directions[what])
			       : 0;
	return dmabuf->ops->begin_cpu_access
		       ? dmabuf->ops->begin_cpu_access(dmabuf, directions[what])
		       : 0;
}

static long buffer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dma_buf_sync sync;

	if (cmd != DMA_BUF_IOCTL_SYNC)
		return -ENOTTY;
	if (!user_read(current, &sync, arg, sizeof(sync)))
		return -EFAULT;

	return buffer_sync(file->private_data, sync.flags);
}

static const struct file_operations buffer_fops = {
	.release = buffer_release,
	.mmap = buffer_mmap,
	.unlocked_ioctl = buffer_ioctl,
	.compat_ioctl = buffer_ioctl,
};

static const struct device_kind buffer_kind = {
	.name = "dma-buf",
	.fops = &buffer_fops,
};

struct dma_buf *dma_buf_of(struct file *file)
{
	return file->f_op == &buffer_fops ? file->private_data : NULL;
}

long file_seek(struct file *file, long offset, int whence)
{
	const struct dma_buf *dmabuf = dma_buf_of(file);

	if (!dmabuf)
		return -ESPIPE;
	if (offset || (whence != SEEK_SET && whence != SEEK_END))
		return -EINVAL;

	return whence == SEEK_END ? (long)dmabuf->size : 0;
}

/* ---- exporters ---- */

struct dma_buf *dma_buf_export(const struct dma_buf_export_info *info)
{
	struct dma_buf *dmabuf;
	unsigned int variant;

	might_sleep();
	if (!info->ops || !info->ops->map_dma_buf ||
	    !info->ops->unmap_dma_buf || !info->ops->release || !info->priv)
		machine_fatal("dma_buf_export without what it needs");
	if (fault(SITE_DMABUF_EXPORT, &variant))
		return ERR_PTR(variant ? -ENFILE : -ENOMEM);

	dmabuf = calloc(1, sizeof(*dmabuf));
	if (!dmabuf)
		return ERR_PTR(-ENOMEM);
	dmabuf->file = file_new(&buffer_kind, info->flags, context()->domain);
	if (!dmabuf->file) {
		free(dmabuf);
		return ERR_PTR(-ENOMEM);
	}
	dmabuf->file->private_data = dmabuf;
	dmabuf->size = info->size;
	dmabuf->ops = info->ops;
	dmabuf->priv = info->priv;
	dmabuf->owner = info->owner;
	if (dmabuf->owner)
		__module_get(dmabuf->owner);
	machine_mutex_init(&dmabuf->resv, &class_resv);
	file_show(dmabuf->file);

	return dmabuf;
}

/* ---- importers ---- */

struct dma_buf *dma_buf_get(int fd)
{
	struct file *file = fd < 0 ? NULL : descriptor_get(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &buffer_fops) {
		fput(file);
		return ERR_PTR(-EINVAL);
	}

	return file->private_data;
}

void dma_buf_put(struct dma_buf *dmabuf)
{
	might_sleep();
	fput(dmabuf->file);
}

struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev)
{
	struct dma_buf_attachment *attach;
	unsigned int variant;

	if (fault(SITE_DMABUF_ATTACH, &variant))
		return ERR_PTR(-ENOMEM);
	attach = calloc(1, sizeof(*attach));
	if (!attach)
		return ERR_PTR(-ENOMEM);
	attach->dmabuf = dmabuf;
	attach->dev = dev;
	resv_lock(dmabuf);
	dmabuf->attachments++;
	mutex_unlock(&dmabuf->resv);

	return attach;
}

void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	if (attach->dmabuf != dmabuf)
		machine_fatal("dma_buf_detach from another dma-buf");
	if (attach->mapped)
		machine_fatal("dma_buf_detach of what is mapped");
	resv_lock(dmabuf);
	dmabuf->attachments--;
	mutex_unlock(&dmabuf->resv);
	free(attach);
}

/* An importer is to know addresses only. */
static void hide(struct sg_table *sgt, bool hidden)
{
	unsigned int i;

	for (i = 0; i < sgt->orig_nents; i++)
		sgt->sgl[i].hidden = hidden;
}

struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction direction)
{
	struct sg_table *sgt;
	unsigned int variant;

	might_sleep();
	if (attach->mapped)
		machine_fatal("an attachment is mapped twice");
	if (fault(SITE_DMABUF_MAP, &variant))
		return ERR_PTR(variant ? -EINTR : -ENOMEM);
	resv_lock(attach->dmabuf);
	sgt = attach->dmabuf->ops->map_dma_buf(attach, direction);
	mutex_unlock(&attach->dmabuf->resv);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	if (IS_ERR(sgt))
		return sgt;
	hide(sgt, true);
	attach->mapped = sgt;
	attach->dir = direction;

	return sgt;
}

void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sg_table,
				       enum dma_data_direction direction)
{
	if (!sg_table || attach->mapped != sg_table || attach->dir != direction)
		machine_fatal("an attachment is unmapped as it was not mapped");
	hide(sg_table, false);
	attach->mapped = NULL;
	resv_lock(attach->dmabuf);
	attach->dmabuf->ops->unmap_dma_buf(attach, sg_table, direction);
	mutex_unlock(&attach->dmabuf->resv);
}

/* ---- other drivers, as whom the machine's user acts ---- */

struct dmabuf_user {
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	enum dma_data_direction dir;
	struct device device;
};

/* In the kernel, as a thread of its own; what the model does is no site. */
static int attach_and_map(struct dma_buf *dmabuf, struct dmabuf_user *u)
{
	u->attach = dma_buf_attach(dmabuf, &u->device);
	if (IS_ERR(u->attach))
		return (int)PTR_ERR(u->attach);
	u->sgt = dma_buf_map_attachment_unlocked(u->attach, u->dir);
	if (!IS_ERR(u->sgt))
		return 0;
	dma_buf_detach(dmabuf, u->attach);

	return (int)PTR_ERR(u->sgt);
}

static int attach(struct file *file, enum dma_data_direction dir, bool bounces,
		  struct dmabuf_user **user)
{
	struct dma_buf *dmabuf = dma_buf_of(file);
	struct dmabuf_user *u = calloc(1, sizeof(*u));
	struct context c;
	int err;

	if (!dmabuf || !u)
		machine_fatal("dmabuf_attach to what is no dma-buf");
	device_init(&u->device, "another driver's");
	u->device.bounces = bounces;
	u->dir = dir;
	call_begin(&c, NULL, file->domain);
	get_file(file);
	err = attach_and_map(dmabuf, u);
	if (err)
		fput(file);
	call_end(&c);
	if (err)
		free(u);
	else
		*user = u;

	return err;
}

int dmabuf_attach(struct file *file, struct dmabuf_user **user)
{
	return attach(file, DMA_BIDIRECTIONAL, false, user);
}

int dmabuf_attach_bouncing(struct file *file, enum dmabuf_direction dir,
			   struct dmabuf_user **user)
{
	static const enum dma_data_direction directions[] = {
		[DMABUF_BOTH_WAYS] = DMA_BIDIRECTIONAL,
		[DMABUF_TO_DEVICE] = DMA_TO_DEVICE,
		[DMABUF_FROM_DEVICE] = DMA_FROM_DEVICE,
	};

	return attach(file, directions[dir], true, user);
}

void dmabuf_detach(struct dmabuf_user *user)
{
	struct dma_buf *dmabuf = user->attach->dmabuf;
	struct context c;

	call_begin(&c, NULL, dmabuf->file->domain);
	dma_buf_unmap_attachment_unlocked(user->attach, user->sgt, user->dir);
	dma_buf_detach(dmabuf, user->attach);
	dma_buf_put(dmabuf);
	call_end(&c);
	free(user);
}

unsigned char *dmabuf_device_sees(struct dmabuf_user *user, size_t offset)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(user->sgt, sg, i) {
		if (offset < sg_dma_len(sg) && sg->bounce)
			return sg->bounce + offset;
		if (offset < sg_dma_len(sg))
			return frame_memory(sg_dma_address(sg) + offset);
		offset -= sg_dma_len(sg);
	}

	return NULL;
}

static int vmap_locked(struct dma_buf *dmabuf)
{
	int err = 0;

	/* Who cannot do it is no reason for a warning. */
	if (!dmabuf->ops->vmap)
		return -EINVAL;
	if (!dmabuf->vmaps)
		err = dmabuf->ops->vmap(dmabuf, &dmabuf->vmapped);
	/*
	 * Of memory, by a fault that was asked for, or as the granter has taken
	 * back what others have mapped, it may fail.
	 */
	if (err && err != -ENOMEM && err != -EINVAL && !machine_failed())
		machine_fatal("vmap of a dma-buf: %d, of which the kernel warns",
			      err);
	if (!err)
		dmabuf->vmaps++;

	return err;
}

int dmabuf_vmap(struct file *file, void **at)
{
	struct dma_buf *dmabuf = dma_buf_of(file);
	struct context c;
	int err;

	call_begin(&c, NULL, file->domain);
	get_file(file);
	resv_lock(dmabuf);
	err = vmap_locked(dmabuf);
	*at = dmabuf->vmapped.vaddr;
	mutex_unlock(&dmabuf->resv);
	if (err)
		fput(file);
	call_end(&c);

	return err;
}

void dmabuf_vunmap(struct file *file)
{
	struct dma_buf *dmabuf = dma_buf_of(file);
	struct context c;

	call_begin(&c, NULL, file->domain);
	resv_lock(dmabuf);
	if (!dmabuf->vmaps)
		machine_fatal("dmabuf_vunmap of what is not vmapped");
	if (--dmabuf->vmaps == 0)
		dmabuf->ops->vunmap(dmabuf, &dmabuf->vmapped);
	mutex_unlock(&dmabuf->resv);
	fput(file);
	call_end(&c);
}
