// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A graphics device without graphics, as Linux's vgem is one: it has buffers,
 * exports them as dma-bufs, and imports those of others. Its pages are memory
 * of the domain, wherever that had some: neighbours in a buffer are none in the
 * machine. Numbers and layouts are those of Linux's drm.h and drm_mode.h.
 */
#include <fcntl.h>
#include <linux/ioctl.h>
#include <pthread.h>
#include <stdlib.h>

#include "devices.h"
#include "../kernel/context.h"
#include "../kernel/descriptors.h"
#include "../kernel/dmabuf.h"
#include "../kernel/user.h"
#include "../xen/xen.h"

struct drm_version {
	s32 major, minor, patch;
	u64 name_length, name, date_length, date;
	u64 description_length, description;
};

struct gem_close {
	u32 handle, pad;
};

struct prime_handle {
	u32 handle, flags;
	s32 fd;
};

struct create_dumb {
	u32 height, width, bpp, flags;
	u32 handle, pitch;
	u64 size;
};

#define DRM_VERSION _IOWR('d', 0x00, struct drm_version)
#define DRM_GEM_CLOSE _IOW('d', 0x09, struct gem_close)
#define DRM_PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct prime_handle)
#define DRM_PRIME_FD_TO_HANDLE _IOWR('d', 0x2e, struct prime_handle)
#define DRM_CREATE_DUMB _IOWR('d', 0xb2, struct create_dumb)

#define HANDLES 64

/* A buffer: a handle's, a dma-buf's, or both. */
struct object {
	unsigned int refs; /* atomic */
	unsigned int count;
	struct domain *domain;
	struct page **pages;
	struct dmabuf_user *import; /* then it is somebody else's */
};

struct opener {
	pthread_mutex_t lock;
	struct object *objects[HANDLES]; /* of handle - 1 */
};

/* ---- buffers ---- */

static void object_put(struct object *o)
{
	unsigned int i;

	if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (o->import)
		dmabuf_detach(o->import);
	for (i = 0; i < o->count; i++) {
		domain_page_free(o->domain, o->pages[i]->pfn);
		page_back(o->pages[i]);
	}
	free(o->pages);
	free(o);
}

static struct object *object_new(struct domain *d)
{
	struct object *o = calloc(1, sizeof(*o));

	if (!o)
		machine_fatal("no memory for a buffer");
	o->refs = 1;
	o->domain = d;

	return o;
}

static struct page *page_of_domain(struct domain *d)
{
	long pfn = domain_page_alloc(d);
	struct page *page;

	if (pfn < 0)
		return NULL;
	page = page_new(PAGE_FRAME);
	if (!page) {
		domain_page_free(d, pfn);
		return NULL;
	}
	page->owner = d;
	page->pfn = pfn;

	return page;
}

static struct object *object_make(struct domain *d, u64 count)
{
	struct object *o;

	if (count > d->pages)
		return NULL;
	o = object_new(d);
	o->pages = calloc(count, sizeof(struct page *));
	if (!o->pages)
		machine_fatal("no memory for a buffer");
	for (; o->count < count; o->count++) {
		o->pages[o->count] = page_of_domain(d);
		if (!o->pages[o->count]) {
			object_put(o);
			return NULL;
		}
	}

	return o;
}

/* ---- as dma-bufs ---- */

static struct sg_table *object_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	const struct object *o = attach->dmabuf->priv;
	struct sg_table *sgt = calloc(1, sizeof(*sgt));
	unsigned int longest = UINT_MAX;
	int err;

	if (!sgt)
		return NULL;
	/*
	 * Neighbours become one entry, as long as it may be; but not for who
	 * sees the machine, where they are none.
	 */
	if (!attach->dev->ops)
		longest = PAGE_SIZE;
	err = sg_alloc_table_from_pages_segment(sgt, o->pages, o->count, 0,
						(size_t)o->count << PAGE_SHIFT,
						longest, GFP_KERNEL);
	if (err) {
		free(sgt);
		return ERR_PTR(err);
	}
	err = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (err) {
		sg_free_table(sgt);
		free(sgt);
		return ERR_PTR(err);
	}

	return sgt;
}

static void object_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	free(sgt);
}

static void object_release(struct dma_buf *dmabuf)
{
	object_put(dmabuf->priv);
}

/* The VMA's file, which is the dma-buf's, holds the pages. */
static int object_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	const struct object *o = dmabuf->priv;
	unsigned long i;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_MIXEDMAP);
	for (i = 0; i < vma_pages(vma); i++)
		vma_set_frame(vma, i, o->domain,
			      o->pages[vma->vm_pgoff + i]->pfn);

	return 0;
}

static const struct dma_buf_ops object_ops = {
	.map_dma_buf = object_map,
	.unmap_dma_buf = object_unmap,
	.release = object_release,
	.mmap = object_mmap,
};

/* ---- requests ---- */

static long add_handle(struct opener *opener, struct object *o)
{
	long handle = 0;
	int i;

	pthread_mutex_lock(&opener->lock);
	for (i = 0; i < HANDLES && !handle; i++) {
		if (!opener->objects[i]) {
			opener->objects[i] = o;
			handle = i + 1;
		}
	}
	pthread_mutex_unlock(&opener->lock);

	return handle ?: -ENOSPC;
}

/* Takes it out, or gets one more reference of it; NULL if there is none. */
static struct object *look_up(struct opener *opener, u32 handle, bool take)
{
	struct object *o = NULL;

	pthread_mutex_lock(&opener->lock);
	if (handle - 1 < HANDLES)
		o = opener->objects[handle - 1];
	if (o && take)
		opener->objects[handle - 1] = NULL;
	else if (o)
		__atomic_fetch_add(&o->refs, 1, __ATOMIC_ACQ_REL);
	pthread_mutex_unlock(&opener->lock);

	return o;
}

static long version(u64 arg)
{
	static const char name[] = "vgem";
	struct drm_version op;
	u64 room;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	room = min(op.name_length, (u64)sizeof(name) - 1);
	if (room && !user_write(current, op.name, name, room))
		return -EFAULT;
	op.major = 1;
	op.minor = op.patch = 0;
	op.name_length = sizeof(name) - 1;
	op.date_length = op.description_length = 0;

	return user_write(current, arg, &op, sizeof(op)) ? 0 : -EFAULT;
}

static long create_dumb(struct file *file, u64 arg)
{
	struct create_dumb op;
	struct object *o;
	long handle;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.width || !op.height || op.bpp != 32 || op.width > 65536)
		return -EINVAL;
	op.pitch = op.width * 4;
	op.size = ((u64)op.pitch * op.height + PAGE_SIZE - 1) & PAGE_MASK;
	o = object_make(file->domain, op.size >> PAGE_SHIFT);
	if (!o)
		return -ENOMEM;
	handle = add_handle(file->private_data, o);
	if (handle < 0) {
		object_put(o);
		return handle;
	}
	op.handle = handle;

	return user_write(current, arg, &op, sizeof(op)) ? 0 : -EFAULT;
}

static long gem_close(struct file *file, u64 arg)
{
	struct gem_close op;
	struct object *o;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	o = look_up(file->private_data, op.handle, true);
	if (!o)
		return -EINVAL;
	object_put(o);

	return 0;
}

/* The dma-buf has the object's reference that the caller had. */
static long give_descriptor(struct object *o, struct prime_handle *op, u64 arg)
{
	struct dma_buf_export_info info = {
		.ops = &object_ops,
		.size = (size_t)o->count << PAGE_SHIFT,
		.flags = (int)op->flags & O_ACCMODE,
		.priv = o,
	};
	struct dma_buf *dmabuf = dma_buf_export(&info);
	int fd;

	if (IS_ERR(dmabuf)) {
		object_put(o);
		return PTR_ERR(dmabuf);
	}
	fd = get_unused_fd_flags(op->flags & O_CLOEXEC);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}
	op->fd = fd;
	if (!user_write(current, arg, op, sizeof(*op))) {
		put_unused_fd(fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	fd_install(fd, dmabuf->file);

	return 0;
}

static long handle_to_fd(struct file *file, u64 arg)
{
	struct prime_handle op;
	struct object *o;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	o = look_up(file->private_data, op.handle, false);
	if (!o)
		return -ENOENT;
	if (o->import) {
		object_put(o);
		machine_printk(
			"err",
			"vgem: the export of an import is not modelled\n");
		return -ENOSYS;
	}

	return give_descriptor(o, &op, arg);
}

static long fd_to_handle(struct file *file, u64 arg)
{
	struct prime_handle op;
	struct dma_buf *dmabuf;
	struct object *o;
	long err;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	dmabuf = dma_buf_get(op.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	o = object_new(file->domain);
	err = dmabuf_attach(dmabuf->file, &o->import);
	dma_buf_put(dmabuf);
	if (!err)
		err = add_handle(file->private_data, o);
	if (err < 0) {
		object_put(o);
		return err;
	}
	op.handle = err;

	return user_write(current, arg, &op, sizeof(op)) ? 0 : -EFAULT;
}

static long vgem_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case DRM_VERSION:
		return version(arg);
	case DRM_CREATE_DUMB:
		return create_dumb(file, arg);
	case DRM_GEM_CLOSE:
		return gem_close(file, arg);
	case DRM_PRIME_HANDLE_TO_FD:
		return handle_to_fd(file, arg);
	case DRM_PRIME_FD_TO_HANDLE:
		return fd_to_handle(file, arg);
	default:
		return -ENOTTY;
	}
}

static int vgem_open(struct inode *inode, struct file *file)
{
	struct opener *opener = calloc(1, sizeof(*opener));

	(void)inode;
	if (!opener)
		return -ENOMEM;
	pthread_mutex_init(&opener->lock, NULL);
	file->private_data = opener;

	return 0;
}

static int vgem_release(struct inode *inode, struct file *file)
{
	struct opener *opener = file->private_data;
	int i;

	(void)inode;
	for (i = 0; i < HANDLES; i++) {
		if (opener->objects[i])
			object_put(opener->objects[i]);
	}
	pthread_mutex_destroy(&opener->lock);
	free(opener);

	return 0;
}

static const struct file_operations vgem_fops = {
	.open = vgem_open,
	.release = vgem_release,
	.unlocked_ioctl = vgem_ioctl,
};

const struct device_kind vgem_device = {
	.name = "vgem",
	.fops = &vgem_fops,
};
