/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Dma-bufs: models of what exporters and importers call. As in kernels from 6.2
 * on, importers hold the buffer's dma_resv while an exporter maps it; and as in
 * those that debug dma-bufs, pages of another's scatter list are hidden.
 */
#ifndef MACHINE_KERNEL_DMABUF_H
#define MACHINE_KERNEL_DMABUF_H

#include "base.h"
#include "dma.h"
#include "files.h"
#include "../base/lists.h"
#include "../base/locks.h"

struct dma_buf;
struct dma_buf_attachment;

struct iosys_map {
	void *vaddr;
	bool is_iomem;
};

static inline void iosys_map_set_vaddr(struct iosys_map *map, void *vaddr)
{
	map->vaddr = vaddr;
	map->is_iomem = false;
}

struct dma_buf_ops {
	struct sg_table *(*map_dma_buf)(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);
	void (*unmap_dma_buf)(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);
	void (*release)(struct dma_buf *dmabuf);
	int (*begin_cpu_access)(struct dma_buf *dmabuf,
				enum dma_data_direction dir);
	int (*end_cpu_access)(struct dma_buf *dmabuf,
			      enum dma_data_direction dir);
	int (*mmap)(struct dma_buf *dmabuf, struct vm_area_struct *vma);
	int (*vmap)(struct dma_buf *dmabuf, struct iosys_map *map);
	void (*vunmap)(struct dma_buf *dmabuf, struct iosys_map *map);
};

struct dma_buf {
	size_t size;
	struct file *file;
	const struct dma_buf_ops *ops;
	void *priv;
	/* of the model */
	struct mutex resv;
	struct module *owner;
	unsigned int attachments; /* under resv */
	unsigned int vmaps; /* under resv */
	struct iosys_map vmapped;
};

struct dma_buf_attachment {
	struct dma_buf *dmabuf;
	struct device *dev;
	/* of the model */
	struct sg_table *mapped;
	enum dma_data_direction dir;
};

struct dma_buf_export_info {
	struct module *owner;
	const struct dma_buf_ops *ops;
	size_t size;
	int flags;
	void *priv;
};

#define DEFINE_DMA_BUF_EXPORT_INFO(name) \
	struct dma_buf_export_info name = {.owner = THIS_MODULE}

/* Of compat/outside.h. */
#define GNTDEV_IMPORT_DMA_BUF _Static_assert(1, "")

struct dma_buf *dma_buf_export(const struct dma_buf_export_info *info);
struct dma_buf *dma_buf_get(int fd);
void dma_buf_put(struct dma_buf *dmabuf);
struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev);
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction direction);
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sg_table,
				       enum dma_data_direction direction);

/* ---- of the machine alone ---- */

/* The dma-buf that a file is, or NULL. */
struct dma_buf *dma_buf_of(struct file *file);

#endif /* MACHINE_KERNEL_DMABUF_H */
