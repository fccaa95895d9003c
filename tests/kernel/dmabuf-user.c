// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Uses a dma-buf as other drivers do: sees it as one area, and attaches to it.
 * A test gives the descriptor when it loads the module, whose start does it all
 * and fails: with -ENODATA if everything was as it must be.
 *
 * Each page of the buffer starts with its number, a 32-bit word.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/device.h>
#include <linux/iosys-map.h>
#include <linux/module.h>
#include <linux/version.h>
#include <xen/page.h>
#include <xen/xen.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define dma_buf_vmap_unlocked dma_buf_vmap
#define dma_buf_vunmap_unlocked dma_buf_vunmap
#define dma_buf_map_attachment_unlocked dma_buf_map_attachment
#define dma_buf_unmap_attachment_unlocked dma_buf_unmap_attachment
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS(DMA_BUF);
#else
MODULE_IMPORT_NS("DMA_BUF");
#endif

static int fd = -1;
module_param(fd, int, 0);

static bool invert;
module_param(invert, bool, 0);
MODULE_PARM_DESC(invert, "Invert the number of each page");

static int see_pages(struct dma_buf *dmabuf, const struct iosys_map *map)
{
	u32 i, pages = dmabuf->size >> PAGE_SHIFT;
	u32 *word;

	for (i = 0; i < pages; i++) {
		word = map->vaddr + ((size_t)i << PAGE_SHIFT);
		if (READ_ONCE(*word) != i) {
			pr_info("dmabuf-user: page %u has %u\n", i, *word);
			return -EBADMSG;
		}
		if (invert)
			WRITE_ONCE(*word, ~i);
	}

	return 0;
}

/* Twice, one inside the other, and once more: it must come and go. */
static int see(struct dma_buf *dmabuf)
{
	struct iosys_map map, again;
	int err;

	err = dma_buf_vmap_unlocked(dmabuf, &map);
	if (err)
		return err;
	err = dma_buf_vmap_unlocked(dmabuf, &again);
	if (!err) {
		if (!iosys_map_is_equal(&map, &again))
			err = -EBADMSG;
		dma_buf_vunmap_unlocked(dmabuf, &again);
	}
	dma_buf_vunmap_unlocked(dmabuf, &map);
	if (err)
		return err;

	err = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	if (err)
		return err;
	err = dma_buf_vmap_unlocked(dmabuf, &map);
	if (!err) {
		err = see_pages(dmabuf, &map);
		dma_buf_vunmap_unlocked(dmabuf, &map);
	}
	dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);

	return err;
}

/* A device that reaches all memory is told where each page is in the machine. */
static int check_addresses(struct sg_table *sgt, size_t size)
{
	struct scatterlist *sg;
	size_t seen = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		phys_addr_t at = sg_phys(sg);
		dma_addr_t expected = (dma_addr_t)pfn_to_gfn(PHYS_PFN(at))
				      << PAGE_SHIFT;

		if (sg_dma_address(sg) != expected) {
			pr_info("dmabuf-user: entry %d is at %pad, expected %pad\n",
				i, &sg_dma_address(sg), &expected);
			return -EBADMSG;
		}
		seen += sg_dma_len(sg);
	}

	return seen == size ? 0 : -EBADMSG;
}

static int attach_once(struct dma_buf *dmabuf, struct device *dev, bool check)
{
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	int err = 0;

	attachment = dma_buf_attach(dmabuf, dev);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		err = PTR_ERR(sgt);
	} else {
		if (check)
			err = check_addresses(sgt, dmabuf->size);
		if (!err)
			err = see(dmabuf);
		dma_buf_unmap_attachment_unlocked(attachment, sgt,
						  DMA_BIDIRECTIONAL);
	}
	dma_buf_detach(dmabuf, attachment);

	return err;
}

static int use(struct dma_buf *dmabuf)
{
	struct device *dev = root_device_register("dmabuf-user");
	int err;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	err = dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64));
	/* In a PV domain without devices the DMA API knows nothing of Xen. */
	if (!err)
		err = attach_once(dmabuf, dev,
				  xen_initial_domain() || !xen_pv_domain());
	root_device_unregister(dev);

	return err;
}

static int __init dmabuf_user_init(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	int err;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	err = use(dmabuf);
	dma_buf_put(dmabuf);

	return err ?: -ENODATA;
}
module_init(dmabuf_user_init);

MODULE_DESCRIPTION("Test: uses a dma-buf as other drivers do");
MODULE_LICENSE("Dual MIT/GPL");
