// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Devices, memory for DMA, and what a device is told of pages. */
#include <pthread.h>
#include <stdlib.h>

#include "alloc.h"
#include "context.h"
#include "dma.h"
#include "faults.h"
#include "vmap.h"
#include "xen_calls.h"
#include "../xen/xen.h"

static struct {
	pthread_mutex_t lock;
	struct list_head all;
} devices = {PTHREAD_MUTEX_INITIALIZER, {&devices.all, &devices.all}};

/* ---- devices ---- */

void dma_start(void)
{
	INIT_LIST_HEAD(&devices.all);
}

void device_init(struct device *dev, const char *name)
{
	memset(dev, 0, sizeof(*dev));
	dev->name = name;
	dev->mask = DMA_BIT_MASK(64);
}

struct device *root_device_register(const char *name)
{
	unsigned int variant;
	struct device *dev;

	might_sleep();
	if (fault(SITE_DEVICE, &variant))
		return ERR_PTR(-ENOMEM);
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		machine_fatal("no memory for a device");
	device_init(dev, name);
	dev->mask = 0;
	pthread_mutex_lock(&devices.lock);
	list_add_tail(&dev->node, &devices.all);
	pthread_mutex_unlock(&devices.lock);

	return dev;
}

static void device_remove(struct device *dev)
{
	pthread_mutex_lock(&devices.lock);
	list_del(&dev->node);
	pthread_mutex_unlock(&devices.lock);
	free(dev);
}

/* Is one of the driver's, and still there. */
static void check_device(struct device *dev, const char *what)
{
	struct device *known;
	bool found = false;

	pthread_mutex_lock(&devices.lock);
	list_for_each_entry(known, &devices.all, node)
		found |= known == dev;
	pthread_mutex_unlock(&devices.lock);
	if (!found)
		machine_fatal("%s of a device that is not registered", what);
}

void root_device_unregister(struct device *dev)
{
	might_sleep();
	check_device(dev, "root_device_unregister");
	if (dev->mapped)
		machine_fatal("%s goes with %u scatter lists mapped for it",
			      dev->name, dev->mapped);
	device_remove(dev);
}

unsigned int dma_leaks(FILE *out)
{
	unsigned int count = 0;
	struct device *dev;

	while (!list_empty(&devices.all)) {
		dev = list_first_entry(&devices.all, struct device, node);
		if (out)
			fprintf(out, "machine: device %s was left registered\n",
				dev->name);
		count++;
		device_remove(dev);
	}

	return count;
}

void set_dma_ops(struct device *dev, const struct dma_map_ops *ops)
{
	check_device(dev, "set_dma_ops");
	dev->ops = ops;
}

int dma_coerce_mask_and_coherent(struct device *dev, u64 mask)
{
	unsigned int variant;

	check_device(dev, "dma_coerce_mask_and_coherent");
	if (fault(SITE_DMA_MASK, &variant))
		return -EIO;
	dev->mask = mask;

	return 0;
}

/* ---- memory of the DMA API ---- */

/* What the driver gets as its address is not the page's: it may be a remap. */
static void *remapped(struct page *page)
{
	return (char *)page_address(page) + (1UL << 46);
}

static struct page *page_of_remap(const void *vaddr)
{
	return page_at((uintptr_t)vaddr - (1UL << 46));
}

void *dma_alloc_attrs(struct device *dev, size_t size, dma_addr_t *dma_handle,
		      gfp_t flag, unsigned long attrs)
{
	unsigned int variant;
	struct page *page;

	check_device(dev, "dma_alloc_attrs");
	might_sleep();
	lock_might(&class_reclaim);
	if (size != PAGE_SIZE)
		machine_fatal("dma_alloc_attrs of %zu bytes is not modelled",
			      size);
	if (attrs & ~DMA_ATTR_WRITE_COMBINE)
		machine_fatal(
			"dma_alloc_attrs: attributes %#lx are not modelled",
			attrs);
	/* A program has it asked for, in any amount: see GFP_PROGRAM. */
	if (!(flag & __GFP_RETRY_MAYFAIL))
		machine_fatal(
			"dma_alloc_attrs may have another program killed for memory");
	if (!dev->mask)
		machine_fatal("%s allocates before it has a DMA mask",
			      dev->name);
	if (fault(SITE_DMA_ALLOC, &variant))
		return NULL;

	page = page_new(PAGE_DMA);
	if (!page)
		return NULL;
	page->attrs = attrs;
	__atomic_fetch_add(&dev->allocated, 1, __ATOMIC_SEQ_CST);
	*dma_handle = page_to_phys(page);

	return remapped(page);
}

static struct page *check_memory(const void *vaddr, dma_addr_t addr,
				 size_t size, unsigned long attrs,
				 const char *what)
{
	struct page *page = page_of_remap(vaddr);

	if (!page || page->kind != PAGE_DMA)
		machine_fatal("%s of %p, which is no memory of the DMA API",
			      what, vaddr);
	if (addr != page_to_phys(page) || size != PAGE_SIZE ||
	    attrs != page->attrs)
		machine_fatal("%s of memory that was allocated otherwise",
			      what);

	return page;
}

void dma_free_attrs(struct device *dev, size_t size, void *cpu_addr,
		    dma_addr_t dma_handle, unsigned long attrs)
{
	struct page *page = check_memory(cpu_addr, dma_handle, size, attrs,
					 "dma_free_attrs");

	check_device(dev, "dma_free_attrs");
	might_sleep();
	if (page->unpopulated)
		machine_fatal(
			"a page without memory behind it goes to the DMA API");
	page_back(page);
	__atomic_fetch_sub(&dev->allocated, 1, __ATOMIC_SEQ_CST);
}

int dma_get_sgtable_attrs(struct device *dev, struct sg_table *sgt,
			  void *cpu_addr, dma_addr_t dma_addr, size_t size,
			  unsigned long attrs)
{
	struct page *page = check_memory(cpu_addr, dma_addr, size, attrs,
					 "dma_get_sgtable_attrs");
	unsigned int variant;

	check_device(dev, "dma_get_sgtable_attrs");
	if (fault(SITE_DMA_SGTABLE, &variant))
		return -ENOMEM;

	return sg_alloc_table_from_pages_segment(sgt, &page, 1, 0, size,
						 UINT_MAX, GFP_KERNEL);
}

/* ---- scatter lists ---- */

struct scatterlist *sg_next(struct scatterlist *sg)
{
	return sg->last ? NULL : sg + 1;
}

struct page *sg_page(struct scatterlist *sg)
{
	if (sg->hidden)
		machine_fatal(
			"the pages of another's dma-buf are looked at, of which only DMA addresses may be");
	return sg->page;
}

phys_addr_t sg_phys(struct scatterlist *sg)
{
	return page_to_phys(sg_page(sg)) + sg->offset;
}

int sg_alloc_table_from_pages_segment(struct sg_table *sgt, struct page **pages,
				      unsigned int n_pages, unsigned int offset,
				      unsigned long size,
				      unsigned int max_segment, gfp_t gfp_mask)
{
	struct scatterlist *sg = NULL;
	unsigned int variant, i;

	if (offset >= PAGE_SIZE || !n_pages ||
	    size != ((unsigned long)n_pages << PAGE_SHIFT) - offset)
		machine_fatal(
			"a scatter list of %lu bytes from offset %u on of %u pages is not modelled",
			size, offset, n_pages);
	memset(sgt, 0, sizeof(*sgt));
	if (fault(SITE_SG_ALLOC, &variant))
		return -ENOMEM;
	sgt->sgl = alloc_counted((size_t)n_pages * sizeof(*sg),
				 gfp_mask | __GFP_ZERO,
				 "sg_alloc_table_from_pages_segment");
	if (!sgt->sgl)
		return -ENOMEM;

	max_segment &= PAGE_MASK;
	for (i = 0; i < n_pages; i++) {
		if (sg && !(i == 1 && offset) &&
		    page_to_pfn(pages[i]) == page_to_pfn(pages[i - 1]) + 1 &&
		    sg->length + PAGE_SIZE <= max_segment) {
			sg->length += PAGE_SIZE;
			continue;
		}
		sg = sg ? sg + 1 : sgt->sgl;
		sg->page = pages[i];
		sg->length = PAGE_SIZE;
		if (!i) {
			sg->offset = offset;
			sg->length -= offset;
		}
	}
	sg->last = true;
	sgt->nents = sg - sgt->sgl + 1;
	sgt->orig_nents = sgt->nents;

	return 0;
}

void sg_free_table(struct sg_table *sgt)
{
	if (sgt->device)
		machine_fatal("a scatter list is freed that %s has mapped",
			      sgt->device->name);
	kvfree(sgt->sgl);
	sgt->sgl = NULL;
	sgt->nents = sgt->orig_nents = 0;
}

/* ---- what a device is told ---- */

/* The frame that a page stands for, as the machine numbers them. */
static dma_addr_t bus_address(const struct page *page)
{
	bool known = page->kind == PAGE_FRAME ||
		     (page_is_for_grants(page) && page->mapped);

	if (!known)
		machine_fatal(
			"a device is told of a page with nothing behind it");
	return frame_address(page->owner, page->pfn);
}

dma_addr_t dma_map_page_attrs(struct device *dev, struct page *page,
			      size_t offset, size_t size,
			      enum dma_data_direction dir, unsigned long attrs)
{
	dma_addr_t addr;

	if (dev->ops)
		return dev->ops->map_page(dev, page, offset, size, dir, attrs);
	hypervisor_lock();
	addr = bus_address(page) + offset;
	hypervisor_unlock();

	return addr;
}

void dma_unmap_page_attrs(struct device *dev, dma_addr_t addr, size_t size,
			  enum dma_data_direction dir, unsigned long attrs)
{
	if (dev->ops)
		dev->ops->unmap_page(dev, addr, size, dir, attrs);
}

/* ---- devices that see copies ---- */

static bool goes_in(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE || dir == DMA_BIDIRECTIONAL;
}

static bool goes_out(enum dma_data_direction dir)
{
	return dir == DMA_FROM_DEVICE || dir == DMA_BIDIRECTIONAL;
}

static void copy_bounced(struct sg_table *sgt, bool in)
{
	struct scatterlist *sg;
	unsigned char *memory;
	int i;

	for_each_sg(sgt->sgl, sg, (int)sgt->orig_nents, i) {
		memory = frame_memory(sg->dma_address);
		if (in)
			memory_copy(sg->bounce, memory, sg->length);
		else
			memory_copy(memory, sg->bounce, sg->length);
	}
}

static void bounce_begin(struct sg_table *sgt)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgt->sgl, sg, (int)sgt->orig_nents, i) {
		sg->bounce = malloc(sg->length);
		if (!sg->bounce)
			machine_fatal("no memory for a device that bounces");
	}
	/* Always, or a device would see what others have left there. */
	copy_bounced(sgt, true);
}

static void bounce_end(struct sg_table *sgt)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgt->sgl, sg, (int)sgt->orig_nents, i) {
		free(sg->bounce);
		sg->bounce = NULL;
	}
}

/* Entry by entry; of neighbouring pages the frames must be neighbours too. */
static int map_direct(struct scatterlist *sgl, int nents)
{
	struct scatterlist *sg;
	unsigned int i;
	int n;

	hypervisor_lock();
	for_each_sg(sgl, sg, nents, n) {
		sg->dma_address = bus_address(sg->page) + sg->offset;
		sg->dma_length = sg->length;
		for (i = 1; i < sg->length >> PAGE_SHIFT; i++) {
			if (bus_address(sg->page + i) !=
			    sg->dma_address + i * PAGE_SIZE)
				machine_fatal(
					"an entry of a scatter list is of pages that are no neighbours in the machine: the DMA API would copy");
		}
	}
	hypervisor_unlock();

	return nents;
}

int dma_map_sgtable(struct device *dev, struct sg_table *sgt,
		    enum dma_data_direction dir, unsigned long attrs)
{
	unsigned int variant;
	int n;

	might_sleep();
	if (sgt->device)
		machine_fatal("a scatter list is mapped twice");
	if (dir == DMA_NONE)
		machine_fatal("a scatter list is mapped for no direction");
	if (fault(SITE_DMA_MAP, &variant))
		return variant ? -EIO : -ENOMEM;
	if (dev->ops)
		n = dev->ops->map_sg(dev, sgt->sgl, (int)sgt->orig_nents, dir,
				     attrs);
	else
		n = map_direct(sgt->sgl, (int)sgt->orig_nents);
	if (n <= 0)
		return n ?: -EIO;
	if (dev->bounces)
		bounce_begin(sgt);
	sgt->nents = n;
	sgt->device = dev;
	sgt->dir = dir;
	__atomic_fetch_add(&dev->mapped, 1, __ATOMIC_SEQ_CST);

	return 0;
}

static void check_mapped(const struct device *dev, const struct sg_table *sgt,
			 const char *what)
{
	if (sgt->device != dev)
		machine_fatal("%s of a scatter list that %s has not mapped",
			      what, dev->name);
}

void dma_unmap_sgtable(struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir, unsigned long attrs)
{
	might_sleep();
	check_mapped(dev, sgt, "dma_unmap_sgtable");
	if (sgt->dir != dir)
		machine_fatal(
			"dma_unmap_sgtable for another direction than it was mapped for");
	if (dev->bounces) {
		if (goes_out(dir) && !(attrs & DMA_ATTR_SKIP_CPU_SYNC))
			copy_bounced(sgt, false);
		bounce_end(sgt);
	}
	if (dev->ops)
		dev->ops->unmap_sg(dev, sgt->sgl, (int)sgt->orig_nents, dir,
				   attrs);
	sgt->device = NULL;
	__atomic_fetch_sub(&dev->mapped, 1, __ATOMIC_SEQ_CST);
}

/* A part of what it was mapped for, at most. */
static void check_sync(const struct device *dev, const struct sg_table *sgt,
		       enum dma_data_direction dir, const char *what)
{
	check_mapped(dev, sgt, what);
	if (dir == DMA_NONE ||
	    (sgt->dir != DMA_BIDIRECTIONAL && dir != sgt->dir))
		machine_fatal("%s for another direction than it was mapped for",
			      what);
}

void dma_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir)
{
	check_sync(dev, sgt, dir, "dma_sync_sgtable_for_cpu");
	if (dev->bounces && goes_out(dir))
		copy_bounced(sgt, false);
}

void dma_sync_sgtable_for_device(struct device *dev, struct sg_table *sgt,
				 enum dma_data_direction dir)
{
	check_sync(dev, sgt, dir, "dma_sync_sgtable_for_device");
	if (dev->bounces && goes_in(dir))
		copy_bounced(sgt, true);
}
