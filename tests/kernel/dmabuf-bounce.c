// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A device of few address bits attaches to a dma-buf for as long as the module is
 * loaded: the DMA API gives it copies of the pages, elsewhere in memory. The
 * parameter word is the first 32-bit word of the buffer as the device sees it;
 * who writes the parameter has the device store it.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/device.h>
#include <linux/module.h>
#include <linux/version.h>
#include <xen/page.h>
#include <xen/xen.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
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

static uint bits = 27;
module_param(bits, uint, 0);

static struct device *device;
static struct dma_buf *dmabuf;
static struct dma_buf_attachment *attachment;
static struct sg_table *sgt;
/* Where the device has it. */
static u32 *seen;

static int get_word(char *buffer, const struct kernel_param *param)
{
	return seen ? sysfs_emit(buffer, "%u\n", READ_ONCE(*seen)) : -ENODEV;
}

static int set_word(const char *value, const struct kernel_param *param)
{
	u32 word;
	int err = kstrtou32(value, 0, &word);

	if (err || !seen)
		return err ?: -ENODEV;
	WRITE_ONCE(*seen, word);
	return 0;
}

static const struct kernel_param_ops word_ops = {
	.get = get_word,
	.set = set_word,
};
module_param_cb(word, &word_ops, NULL, 0600);

/* A page of this domain's, by its number in the machine; not the buffer's own. */
static u32 *find_copy(void)
{
	dma_addr_t at = sg_dma_address(sgt->sgl);
	unsigned long own = pfn_to_gfn(PHYS_PFN(sg_phys(sgt->sgl)));
	unsigned long pfn = gfn_to_pfn(PHYS_PFN(at));

	if (PHYS_PFN(at) == own) {
		pr_info("dmabuf-bounce: a device of %u bits sees the page itself, at %pad\n",
			bits, &at);
		return NULL;
	}
	if (!pfn_valid(pfn))
		return NULL;

	return page_address(pfn_to_page(pfn)) + offset_in_page(at);
}

static int attach(void)
{
	int err;

	attachment = dma_buf_attach(dmabuf, device);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	sgt = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		err = PTR_ERR(sgt);
		goto detach;
	}
	seen = find_copy();
	if (seen)
		return 0;

	err = -EOPNOTSUPP;
	dma_buf_unmap_attachment_unlocked(attachment, sgt, DMA_BIDIRECTIONAL);
detach:
	dma_buf_detach(dmabuf, attachment);
	return err;
}

static int __init dmabuf_bounce_init(void)
{
	int err;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	device = root_device_register("dmabuf-bounce");
	if (IS_ERR(device)) {
		err = PTR_ERR(device);
		goto put;
	}
	err = dma_coerce_mask_and_coherent(device, DMA_BIT_MASK(bits));
	if (err) {
		pr_info("dmabuf-bounce: no device may have %u bits: %d\n", bits,
			err);
		err = -EOPNOTSUPP;
		goto unregister;
	}
	err = attach();
	if (!err)
		return 0;

unregister:
	root_device_unregister(device);
put:
	dma_buf_put(dmabuf);
	return err;
}
module_init(dmabuf_bounce_init);

static void __exit dmabuf_bounce_exit(void)
{
	dma_buf_unmap_attachment_unlocked(attachment, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, attachment);
	root_device_unregister(device);
	dma_buf_put(dmabuf);
}
module_exit(dmabuf_bounce_exit);

MODULE_DESCRIPTION("Test: attaches a device that sees copies to a dma-buf");
MODULE_LICENSE("Dual MIT/GPL");
