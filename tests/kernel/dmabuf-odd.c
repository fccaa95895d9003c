// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Exports a dma-buf of eight pages whose scatter list is one that few exporters
 * make. Whoever loads the module has its descriptor then; the parameter fd tells
 * the number. It may be unloaded when the dma-buf is gone.
 *
 * Each page starts with its number, a 32-bit word. DMA addresses are the
 * kernel's physical ones, whatever the importer's device is.
 */
#include <linux/dma-buf.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS(DMA_BUF);
#else
MODULE_IMPORT_NS("DMA_BUF");
#endif

#define ORDER 3
#define PAGES (1U << ORDER)

static char *kind = "plain";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind,
		 "plain, merged, offset, begins, short, fewer, more or nowhere");

static int fd = -1;
module_param(fd, int, 0444);

static struct page *pages;

static bool is(const char *name)
{
	return !strcmp(kind, name);
}

/* Two pages an entry for the processor. */
static struct sg_table *table(void)
{
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	struct scatterlist *sg;
	int i;

	if (!sgt)
		return NULL;
	if (sg_alloc_table(sgt, PAGES / 2, GFP_KERNEL)) {
		kfree(sgt);
		return NULL;
	}
	for_each_sgtable_sg(sgt, sg, i)
	{
		sg_set_page(sg, pages + 2 * i, 2 * PAGE_SIZE, 0);
		sg_dma_address(sg) = page_to_phys(pages + 2 * i);
		sg_dma_len(sg) = 2 * PAGE_SIZE;
	}

	return sgt;
}

static struct sg_table *odd_map(struct dma_buf_attachment *attachment,
				enum dma_data_direction dir)
{
	struct sg_table *sgt = table();

	if (!sgt)
		return ERR_PTR(-ENOMEM);

	if (is("merged")) {
		/* The device has one entry, the processor has four. */
		sg_dma_len(sgt->sgl) = PAGES * PAGE_SIZE;
		sgt->nents = 1;
	} else if (is("offset")) {
		sg_dma_address(sgt->sgl) += 512;
	} else if (is("begins")) {
		sg_dma_address(sgt->sgl) += 512;
		sg_dma_len(sgt->sgl) -= 512;
	} else if (is("short")) {
		sg_dma_len(sgt->sgl) -= 512;
	} else if (is("fewer")) {
		sgt->nents--;
	} else if (is("more")) {
		sg_dma_len(sgt->sgl) += 2 * PAGE_SIZE;
	} else if (is("nowhere")) {
		/* As of a device that has memory of its own. */
		sg_dma_address(sgt->sgl) = 1ULL << 44;
	}

	return sgt;
}

static void odd_unmap(struct dma_buf_attachment *attachment,
		      struct sg_table *sgt, enum dma_data_direction dir)
{
	sg_free_table(sgt);
	kfree(sgt);
}

static void odd_release(struct dma_buf *dmabuf)
{
	__free_pages(pages, ORDER);
}

static const struct dma_buf_ops odd_ops = {
	.map_dma_buf = odd_map,
	.unmap_dma_buf = odd_unmap,
	.release = odd_release,
};

static int __init odd_init(void)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	u32 i;

	pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, ORDER);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < PAGES; i++)
		*(u32 *)page_address(pages + i) = i;

	info.ops = &odd_ops;
	info.size = PAGES * PAGE_SIZE;
	info.flags = O_RDWR;
	info.priv = pages;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		__free_pages(pages, ORDER);
		return PTR_ERR(dmabuf);
	}

	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}

	return 0;
}
module_init(odd_init);

static void __exit odd_exit(void)
{
}
module_exit(odd_exit);

MODULE_DESCRIPTION("Test: exports a dma-buf with an odd scatter list");
MODULE_LICENSE("Dual MIT/GPL");
