// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What may be done to a dma-buf of ours: by devices, the kernel, programs. */
#include "gntdev.h"
#include "dmabuf.h"

/* An attachment that is mapped: what a device has been told of the pages. */
struct attachment {
	struct list_head node; /* guarded by the export's lock */
	struct device *dev;
	struct sg_table sgt;
	enum dma_data_direction dir;
};

static struct attachment *attachment_create(const struct exported *exp,
					    struct device *dev)
{
	size_t size = ((size_t)exp->count << PAGE_SHIFT) - exp->data_ofs;
	struct attachment *a = kzalloc(sizeof(*a), GFP_KERNEL);

	if (!a)
		return NULL;

	/*
	 * Neighbours in our address space are none in the machine's. The DMA
	 * API would see that, and copy, if there were entries of many pages.
	 */
	if (sg_alloc_table_from_pages_segment(&a->sgt, exp->mapping->pages,
					      exp->count, exp->data_ofs, size,
					      PAGE_SIZE, GFP_KERNEL)) {
		kfree(a);
		return NULL;
	}
	a->dev = dev;

	return a;
}

static struct sg_table *buffer_map_dma(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct exported *exp = attach->dmabuf->priv;
	struct attachment *a = attachment_create(exp, attach->dev);
	int err;

	if (!a)
		return ERR_PTR(-ENOMEM);

	err = dma_map_sgtable(attach->dev, &a->sgt, dir,
			      DMA_ATTR_SKIP_CPU_SYNC);
	if (err) {
		sg_free_table(&a->sgt);
		kfree(a);
		return ERR_PTR(err);
	}
	a->dir = dir;

	mutex_lock(&exp->lock);
	list_add(&a->node, &exp->attachments);
	mutex_unlock(&exp->lock);

	return &a->sgt;
}

static void buffer_unmap_dma(struct dma_buf_attachment *attach,
			     struct sg_table *sgt, enum dma_data_direction dir)
{
	struct attachment *a = container_of(sgt, struct attachment, sgt);
	struct exported *exp = attach->dmabuf->priv;

	mutex_lock(&exp->lock);
	list_del(&a->node);
	mutex_unlock(&exp->lock);

	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(a);
}

/*
 * What of a caller's access concerns a device: the caller's direction, as far as
 * the attachment has it. DMA_NONE: nothing.
 */
static enum dma_data_direction common_direction(const struct attachment *a,
						enum dma_data_direction dir)
{
	if (a->dir == DMA_BIDIRECTIONAL)
		return dir;

	return dir == a->dir || dir == DMA_BIDIRECTIONAL ? a->dir : DMA_NONE;
}

/*
 * Where a device does not see what a processor sees, and the other way round. The
 * granter is a processor too, whose stores are told by nobody: what a device has
 * not written must not be copied over them. So only what a caller has asked for
 * is synchronized, here and not where a device comes and goes.
 */
static void sync_attachments(struct exported *exp, enum dma_data_direction dir,
			     void (*sync)(struct device *dev,
					  struct sg_table *sgt,
					  enum dma_data_direction dir))
{
	enum dma_data_direction common;
	struct attachment *a;

	mutex_lock(&exp->lock);
	list_for_each_entry(a, &exp->attachments, node) {
		common = common_direction(a, dir);
		if (common != DMA_NONE)
			sync(a->dev, &a->sgt, common);
	}
	mutex_unlock(&exp->lock);
}

static int buffer_begin_cpu(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	sync_attachments(dmabuf->priv, dir, dma_sync_sgtable_for_cpu);

	return 0;
}

static int buffer_end_cpu(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	sync_attachments(dmabuf->priv, dir, dma_sync_sgtable_for_device);

	return 0;
}

/*
 * Mmaps of one buffer at a time. Whoever has its descriptor may make them, and in
 * a PV domain each is a mapping of its own to the hypervisor, which counts those
 * of one grant in a byte and takes no more at 128. So many leave room for all
 * others: the kernel's own, vmap, other instances, copies.
 */
#define MOST_WINDOWS 64U

/* An mmap is gone, or could not be. */
static void uncount_window(struct exported *exp, u32 count)
{
	struct instance *inst = exp->inst;

	mutex_lock(&inst->lock);
	exp->windows--;
	inst->window_pages -= count;
	mutex_unlock(&inst->lock);
}

/*
 * Counts an mmap of some pages, or fails if they are too many: all those of an
 * instance's buffers together show no more pages than it may have grants, and
 * take their handles from the instance's share.
 */
static int export_take_window(struct exported *exp, u32 count)
{
	struct instance *inst = exp->inst;
	int err = -ENOMEM;

	mutex_lock(&inst->lock);
	if (exp->windows < MOST_WINDOWS &&
	    inst->window_pages + count <= inst->max_grants) {
		exp->windows++;
		inst->window_pages += count;
		err = 0;
	}
	mutex_unlock(&inst->lock);

	if (err || !gntdev_mode->user_grants)
		return err;

	err = gntdev_instance_take_handles(inst, count);
	if (err)
		uncount_window(exp, count);

	return err;
}

/* Such a window is gone. */
void gntdev_export_give_window(struct exported *exp, u32 count)
{
	if (gntdev_mode->user_grants)
		gntdev_instance_give_handles(exp->inst, count);
	uncount_window(exp, count);
}

/* A window that counts, or an ERR_PTR. */
static struct window *export_window(struct exported *exp, u32 first, u32 count)
{
	struct window *w;
	int err;

	err = export_take_window(exp, count);
	if (err)
		return ERR_PTR(err);

	w = gntdev_window_create(exp->mapping, first, count);
	if (!w) {
		gntdev_export_give_window(exp, count);
		return ERR_PTR(-ENOMEM);
	}
	w->exported = exp;

	return w;
}

/*
 * The kernel has seen to it that the part is within the buffer. Each mmap has a
 * window of its own.
 */
static int buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct exported *exp = dmabuf->priv;
	struct window *w;
	int err;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	w = export_window(exp, vma->vm_pgoff, vma_pages(vma));
	if (IS_ERR(w))
		return PTR_ERR(w);
	w->writable = vma->vm_flags & VM_WRITE;

	err = gntdev_window_show(w, vma);
	if (err)
		gntdev_window_free(w);
	else
		vma->vm_ops = gntdev_mode->buffer_vm_ops;

	return err;
}

/* The kernel's one window of all the pages; it keeps count of its users. */
static int buffer_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	void *at = gntdev_export_vmap(dmabuf->priv);

	if (IS_ERR(at))
		return PTR_ERR(at);

	iosys_map_set_vaddr(map, at);
	return 0;
}

static void buffer_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	gntdev_export_vunmap(dmabuf->priv, map->vaddr);
}

static void buffer_release(struct dma_buf *dmabuf)
{
	gntdev_export_release(dmabuf->priv);
}

const struct dma_buf_ops gntdev_export_ops = {
	.map_dma_buf = buffer_map_dma,
	.unmap_dma_buf = buffer_unmap_dma,
	.begin_cpu_access = buffer_begin_cpu,
	.end_cpu_access = buffer_end_cpu,
	.mmap = buffer_mmap,
	.vmap = buffer_vmap,
	.vunmap = buffer_vunmap,
	.release = buffer_release,
};
