/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Devices, the DMA API and scatter lists: models. A device without operations
 * of its own sees machine addresses; what it is told of pages that are not
 * neighbours there is a hard failure, for the real one would copy. One that
 * reaches no memory sees copies, which are brought up to date where the kernel
 * would.
 */
#ifndef MACHINE_KERNEL_DMA_H
#define MACHINE_KERNEL_DMA_H

#include <stdio.h>

#include "base.h"
#include "../base/lists.h"
#include "pages.h"

typedef u64 dma_addr_t;

enum dma_data_direction {
	DMA_BIDIRECTIONAL = 0,
	DMA_TO_DEVICE = 1,
	DMA_FROM_DEVICE = 2,
	DMA_NONE = 3,
};

#define DMA_BIT_MASK(n) ((n) == 64 ? ~0ULL : (1ULL << (n)) - 1)

/* ---- scatter lists ---- */

struct scatterlist {
	unsigned int offset, length;
	dma_addr_t dma_address;
	unsigned int dma_length;
	/* of the model */
	struct page *page;
	bool last;
	bool hidden; /* of a dma-buf: an importer may not look at its pages */
	unsigned char *bounce; /* what the device sees in its place, or NULL */
};

struct sg_table {
	struct scatterlist *sgl;
	unsigned int nents; /* that a device sees */
	unsigned int orig_nents; /* that there are */
	/* of the model */
	struct device *device; /* that it is mapped for, or NULL */
	enum dma_data_direction dir;
};

#define sg_dma_address(sg) ((sg)->dma_address)
#define sg_dma_len(sg) ((sg)->dma_length)
#define for_each_sg(list, sg, n, i) \
	for (i = 0, sg = (list); i < (n); i++, sg = sg_next(sg))
#define for_each_sgtable_dma_sg(sgt, sg, i) \
	for_each_sg((sgt)->sgl, sg, (int)(sgt)->nents, i)

struct scatterlist *sg_next(struct scatterlist *sg);
struct page *sg_page(struct scatterlist *sg);
phys_addr_t sg_phys(struct scatterlist *sg);
int sg_alloc_table_from_pages_segment(struct sg_table *sgt, struct page **pages,
				      unsigned int n_pages, unsigned int offset,
				      unsigned long size,
				      unsigned int max_segment, gfp_t gfp_mask);
void sg_free_table(struct sg_table *sgt);

/* ---- devices ---- */

struct dma_map_ops {
	int (*map_sg)(struct device *dev, struct scatterlist *sg, int nents,
		      enum dma_data_direction dir, unsigned long attrs);
	void (*unmap_sg)(struct device *dev, struct scatterlist *sg, int nents,
			 enum dma_data_direction dir, unsigned long attrs);
	dma_addr_t (*map_page)(struct device *dev, struct page *page,
			       unsigned long offset, size_t size,
			       enum dma_data_direction dir,
			       unsigned long attrs);
	void (*unmap_page)(struct device *dev, dma_addr_t dma_handle,
			   size_t size, enum dma_data_direction dir,
			   unsigned long attrs);
};

struct device {
	struct list_head node; /* of all */
	const char *name;
	const struct dma_map_ops *ops; /* NULL: the machine's own addresses */
	u64 mask; /* 0: not told yet */
	bool bounces; /* it reaches none of the machine's memory */
	unsigned int mapped; /* scatter lists; atomic */
	unsigned int allocated; /* pages; atomic */
};

struct device *root_device_register(const char *name);
void root_device_unregister(struct device *dev);
void set_dma_ops(struct device *dev, const struct dma_map_ops *ops);
int dma_coerce_mask_and_coherent(struct device *dev, u64 mask);
/* Of compat/outside.h; there are no caches here. */
static inline void device_set_coherent(struct device *dev)
{
}

/* One page each: more is not modelled. */
void *dma_alloc_attrs(struct device *dev, size_t size, dma_addr_t *dma_handle,
		      gfp_t flag, unsigned long attrs);
void dma_free_attrs(struct device *dev, size_t size, void *cpu_addr,
		    dma_addr_t dma_handle, unsigned long attrs);
int dma_get_sgtable_attrs(struct device *dev, struct sg_table *sgt,
			  void *cpu_addr, dma_addr_t dma_addr, size_t size,
			  unsigned long attrs);

/* For exporters that map page by page. */
dma_addr_t dma_map_page_attrs(struct device *dev, struct page *page,
			      size_t offset, size_t size,
			      enum dma_data_direction dir, unsigned long attrs);
void dma_unmap_page_attrs(struct device *dev, dma_addr_t addr, size_t size,
			  enum dma_data_direction dir, unsigned long attrs);
int dma_map_sgtable(struct device *dev, struct sg_table *sgt,
		    enum dma_data_direction dir, unsigned long attrs);
void dma_unmap_sgtable(struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir, unsigned long attrs);
void dma_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir);
void dma_sync_sgtable_for_device(struct device *dev, struct sg_table *sgt,
				 enum dma_data_direction dir);

/* ---- of the machine alone ---- */

void dma_start(void);
/* Prints devices that are left, and forgets them. */
unsigned int dma_leaks(FILE *out);
/* A machine address to the memory that is there; NULL if none is. */
/* A device of another driver's, that the model itself has. */
void device_init(struct device *dev, const char *name);

#endif /* MACHINE_KERNEL_DMA_H */
