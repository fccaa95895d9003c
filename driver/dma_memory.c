// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pages that the DMA API allocated, to map grants at. Such a page has memory of
 * its own behind it, which must make room for the granter's frame, and be back
 * before the DMA API gets its page again.
 *
 * In a PV domain a page is but an address: the frame is kept aside. In an auto-
 * translated domain it goes back to the hypervisor, which may have no other one
 * to give when that is asked for. Then the page is lost: one without memory
 * must never reach the kernel's allocator.
 *
 * Each page is an allocation of its own. So each is a page to those who count
 * references, no buffer is too large, and one that is lost is lost alone. Nobody
 * gains by neighbours: the frames to come are anywhere.
 */
#include "gntdev.h"
#include "dmabuf.h"

struct dma_page {
	void *vaddr;
	dma_addr_t addr;
	xen_pfn_t frame;
	bool hollow; /* without its own frame */
};

struct dma_memory {
	unsigned long attrs;
	struct dma_page pages[];
};

/* The device that all of it is allocated for. */
static struct device *device;

/* The page behind an allocation is not always that of its address. */
static struct page *find_page(const struct dma_page *p, unsigned long attrs)
{
	struct page *page;
	struct sg_table sgt;

	if (dma_get_sgtable_attrs(device, &sgt, p->vaddr, p->addr, PAGE_SIZE,
				  attrs))
		return NULL;

	page = sg_page(sgt.sgl);
	sg_free_table(&sgt);

	return page;
}

static void release_page(struct dma_memory *memory, struct dma_page *p)
{
	dma_free_attrs(device, PAGE_SIZE, p->vaddr, p->addr, memory->attrs);
	p->vaddr = NULL;
}

static struct page *allocate_page(struct dma_memory *memory, struct dma_page *p)
{
	struct page *page;

	p->vaddr = dma_alloc_attrs(device, PAGE_SIZE, &p->addr,
				   GFP_KERNEL | __GFP_NOWARN, memory->attrs);
	if (!p->vaddr)
		return NULL;

	page = find_page(p, memory->attrs);
	if (!page)
		release_page(memory, p);

	return page;
}

/* Takes the frame from behind a page; the DMA API has cleared it. */
static int hollow_out(struct dma_page *p, struct page *page)
{
	p->frame = xen_page_to_gfn(page);
	xenmem_reservation_va_mapping_reset(1, &page);
	if (xen_feature(XENFEAT_auto_translated_physmap) &&
	    xenmem_reservation_decrease(1, &p->frame) != 1)
		return -ENOMEM;
	p->hollow = true;

	return gnttab_pages_set_private(1, &page);
}

/* Puts a frame behind a page again. */
static bool fill(struct dma_page *p, struct page *page)
{
	if (xen_feature(XENFEAT_auto_translated_physmap)) {
		p->frame = page_to_xen_pfn(page);
		if (xenmem_reservation_increase(1, &p->frame) != 1)
			return false;
	}
	xenmem_reservation_va_mapping_update(1, &page, &p->frame);
	p->hollow = false;

	return true;
}

/**
 * dma_memory_put_pages() - give pages back to the DMA API
 * @m: a mapping of such memory
 * @first: the first of them
 * @n: how many; none has a grant behind it
 */
void dma_memory_put_pages(struct mapping *m, u32 first, u32 n)
{
	struct dma_page *p;
	u32 i;

	for (i = first; i < first + n; i++) {
		p = &m->memory->pages[i];
		gnttab_pages_clear_private(1, &m->pages[i]);
		if (!p->hollow || fill(p, m->pages[i])) {
			release_page(m->memory, p);
			continue;
		}
		pr_warn_ratelimited(
			"no memory for a page that was given to the hypervisor; it is kept out of use\n");
		atomic_long_inc(&counters.leaked);
	}
}

static int allocate_pages(struct mapping *m)
{
	u32 i;
	int err;

	for (i = 0; i < m->count; i++) {
		m->pages[i] = allocate_page(m->memory, &m->memory->pages[i]);
		err = m->pages[i] ? 0 : -ENOMEM;
		if (!err)
			err = hollow_out(&m->memory->pages[i], m->pages[i]);
		if (err) {
			dma_memory_put_pages(m, 0, m->pages[i] ? i + 1 : i);
			return err;
		}
		cond_resched();
	}
	/* Where pages are but addresses, a processor may know the old ones. */
	flush_domain_tlb();

	return 0;
}

/**
 * dma_memory_alloc() - make a mapping's pages memory of the DMA API
 * @m: a new mapping, without pages
 * @flags: GNTDEV_DMA_FLAG_WC or GNTDEV_DMA_FLAG_COHERENT
 *
 * Return: 0, or -ENOMEM and nothing is allocated.
 */
int dma_memory_alloc(struct mapping *m, u32 flags)
{
	int err;

	m->memory =
		kvzalloc(struct_size(m->memory, pages, m->count), GFP_PROGRAM);
	if (!m->memory)
		return -ENOMEM;
	if (flags & GNTDEV_DMA_FLAG_WC)
		m->memory->attrs = DMA_ATTR_WRITE_COMBINE;

	err = allocate_pages(m);
	if (err) {
		kvfree(m->memory);
		m->memory = NULL;
	}

	return err;
}

/* Frees the record of pages that all are given back. */
void dma_memory_free(struct dma_memory *memory)
{
	kvfree(memory);
}

int __init dma_memory_init(void)
{
	int err;

	device = root_device_register("xen-gntdev-memory");
	if (IS_ERR(device))
		return PTR_ERR(device);

	/*
	 * Xen's ABI wants every processor's view of a granted page write-back,
	 * whatever the flags. That of the DMA API is one of them.
	 */
	device_set_coherent(device);
	err = dma_coerce_mask_and_coherent(device, DMA_BIT_MASK(64));
	if (err)
		root_device_unregister(device);

	return err;
}

void dma_memory_exit(void)
{
	root_device_unregister(device);
}
