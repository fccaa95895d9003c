/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Dma-bufs: what their files know of each other, where the kernel has them.
 *
 * An export is a set of grants with a mapping of its own, behind a dma-buf. It
 * is in no table, and nothing but the dma-buf reaches it. An import is somebody
 * else's dma-buf whose pages are granted to another domain.
 *
 * Two more locks, below the instance's:
 *
 *   dma_resv		the dma-buf's, held by some of its callers
 *     export->lock	the attachments that are mapped; DMA is synchronized
 *			under it
 */
#ifndef GNTDEV_DMABUF_H
#define GNTDEV_DMABUF_H

struct exported {
	struct kref refs; /* the dma-buf's, and one of each waiter */
	struct instance *inst; /* a reference */
	struct list_head node; /* guarded by the instance's lock */
	struct mapping *mapping; /* until the dma-buf is released */
	struct window *kernel_window; /* while vmapped, in a PV domain */
	struct completion released;
	u64 number; /* the instance's own; grows along the list's age */
	struct holder holder; /* constant */
	u32 fd; /* the number that the dma-buf was given */
	u32 count;
	u32 data_ofs; /* bytes of the first page before the data */
	u32 windows; /* mmaps of it; guarded by the instance's lock */
	struct mutex lock;
	struct list_head attachments; /* that are mapped; guarded by lock */
	struct ioctl_gntdev_grant_ref grants[];
};

/*
 * An import: in its instance until it is released. Then it is departed for as long
 * as the other side has a page mapped.
 */
struct imported {
	struct list_head node; /* guarded by the instance's lock */
	struct recheck recheck; /* while it is departed */
	struct instance *inst; /* a reference: its grants count there */
	u64 number; /* the instance's own; grows along the list's age */
	struct holder holder; /* constant */
	u32 fd; /* the caller's number for the dma-buf */
	u32 count;
	u32 domid; /* whom the pages are granted to */
	u32 taken; /* references of the domain's */
	u32 granted; /* of these, the first ones */
	u32 data_ofs; /* bytes of the first page before the data */
	bool may_begin_late; /* there may be some */
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	grant_ref_t refs[];
};

/* dmabuf_export.c */
void gntdev_export_release(struct exported *exp);

/* dmabuf_ops.c */
extern const struct dma_buf_ops gntdev_export_ops;

/* dmabuf_vmap.c */
void *gntdev_export_vmap(struct exported *exp);
void gntdev_export_vunmap(struct exported *exp, void *at);

/* dma_memory.c */
int gntdev_dma_memory_probe(const struct ioctl_gntdev_grant_ref *grants,
			    u32 count);
int __init gntdev_dma_memory_init(void);
void gntdev_dma_memory_exit(void);

/* dmabuf_import.c */
int __init gntdev_import_init(void);
void gntdev_import_exit(void);

#endif /* GNTDEV_DMABUF_H */
