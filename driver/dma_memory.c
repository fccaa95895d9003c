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
	bool unpopulated; /* without its own frame */
};

struct dma_memory {
	unsigned long attrs;
	xen_pfn_t *frames; /* in a PV domain, what was behind unpopulated pages */
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

	p->vaddr = dma_alloc_attrs(device, PAGE_SIZE, &p->addr, GFP_PROGRAM,
				   memory->attrs);
	if (!p->vaddr)
		return NULL;

	page = find_page(p, memory->attrs);
	if (!page)
		release_page(memory, p);

	return page;
}

/*
 * Takes the frames from behind n pages; the DMA API has cleared them. What fails
 * half-way is found in the pages' records.
 */
static int depopulate(struct mapping *m, u32 first, u32 n)
{
	struct dma_memory *memory = m->memory;
	xen_pfn_t *frames = memory->frames + first;
	struct page **pages = m->pages + first;
	int done = n;
	u32 i;

	for (i = 0; i < n; i++)
		frames[i] = xen_page_to_gfn(pages[i]);
	xenmem_reservation_va_mapping_reset(n, pages);
	if (xen_feature(XENFEAT_auto_translated_physmap))
		done = max(xenmem_reservation_decrease(n, frames), 0);
	for (i = 0; i < done; i++)
		memory->pages[first + i].unpopulated = true;
	if (done < n)
		return -ENOMEM;

	return gnttab_pages_set_private(n, pages);
}

/* Puts frames behind n unpopulated pages again; returns for how many there are any. */
static u32 fill(struct mapping *m, u32 first, u32 n)
{
	struct dma_memory *memory = m->memory;
	xen_pfn_t *frames = memory->frames + first;
	struct page **pages = m->pages + first;
	int done = n;
	u32 i;

	if (xen_feature(XENFEAT_auto_translated_physmap)) {
		for (i = 0; i < n; i++)
			frames[i] = page_to_xen_pfn(pages[i]);
		done = max(xenmem_reservation_increase(n, frames), 0);
	}
	if (done)
		xenmem_reservation_va_mapping_update(done, pages, frames);
	for (i = 0; i < done; i++)
		memory->pages[first + i].unpopulated = false;

	return done;
}

/* How many pages from the first on are unpopulated, up to a batch. */
static u32 unpopulated_run(const struct dma_memory *memory, u32 first, u32 last)
{
	u32 most = min(last - first, GNTDEV_BATCH), n = 0;

	while (n < most && memory->pages[first + n].unpopulated)
		n++;

	return n;
}

/*
 * Sees to it that pages have memory behind them: the first one, and as many after
 * it as go with it. Returns how many, 0 if there is none for the first.
 */
static u32 fill_some(struct mapping *m, u32 first, u32 last)
{
	u32 n = unpopulated_run(m->memory, first, last);

	return n ? fill(m, first, n) : 1;
}

/**
 * gntdev_dma_memory_put_pages() - give pages back to the DMA API
 * @m: a mapping of such memory
 * @first: the first of them
 * @n: how many; none has a grant behind it
 */
void gntdev_dma_memory_put_pages(struct mapping *m, u32 first, u32 n)
{
	u32 i, last = first + n, filled;

	gnttab_pages_clear_private(n, m->pages + first);
	for (; first < last; first += max(filled, 1U)) {
		filled = fill_some(m, first, last);
		for (i = first; i < first + filled; i++)
			release_page(m->memory, &m->memory->pages[i]);
		cond_resched();
		if (filled)
			continue;
		pr_warn_ratelimited(
			"no memory for a page that was given to the hypervisor; it is kept out of use\n");
		atomic_long_inc(&gntdev_counters.leaked);
	}
}

/* Up to a batch of pages; returns how many were allocated, and sets *err. */
static u32 allocate_batch(struct mapping *m, u32 first, int *err)
{
	struct dma_memory *memory = m->memory;
	u32 n, most = min(m->count - first, GNTDEV_BATCH);

	for (n = 0; n < most; n++) {
		m->pages[first + n] =
			allocate_page(memory, &memory->pages[first + n]);
		if (!m->pages[first + n])
			break;
	}
	*err = n < most ? -ENOMEM : depopulate(m, first, n);

	return n;
}

static int allocate_pages(struct mapping *m)
{
	u32 first = 0;
	int err = 0;

	while (first < m->count && !err) {
		first += allocate_batch(m, first, &err);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	if (err && first)
		gntdev_dma_memory_put_pages(m, 0, first);
	/* Where pages are but addresses, a processor may know the old ones. */
	if (!err)
		flush_domain_tlb();

	return err;
}

static struct dma_memory *record_alloc(u32 count)
{
	struct dma_memory *memory;
	size_t size = struct_size(memory, pages, count);

	memory = gntdev_memory_for_program(size + count * sizeof(xen_pfn_t));
	if (!memory)
		return NULL;

	memset(memory, 0, size);
	memory->frames = (void *)memory + size;

	return memory;
}

/* A record for so many pages of another one, or NULL. */
struct dma_memory *gntdev_dma_memory_like(const struct dma_memory *other,
					  u32 count)
{
	struct dma_memory *memory = record_alloc(count);

	if (memory)
		memory->attrs = other->attrs;

	return memory;
}

/* What is known of a page goes from one record to another. */
void gntdev_dma_memory_move(struct dma_memory *to, u32 i,
			    struct dma_memory *from, u32 j)
{
	to->pages[i] = from->pages[j];
	to->frames[i] = from->frames[j];
}

/**
 * gntdev_dma_memory_alloc() - make a mapping's pages memory of the DMA API
 * @m: a new mapping, without pages
 * @flags: GNTDEV_DMA_FLAG_WC or GNTDEV_DMA_FLAG_COHERENT
 *
 * Return: 0, -ENOMEM, or -EINTR if a fatal signal is pending; but for 0 nothing is
 * allocated.
 */
int gntdev_dma_memory_alloc(struct mapping *m, u32 flags)
{
	int err;

	m->memory = record_alloc(m->count);
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

/* Copies in one hypercall: what a page holds. */
#define PROBES (PAGE_SIZE / sizeof(struct gnttab_copy))

/* Whether a status says that the grant is not one to be mapped for writing. */
static bool is_refusal(s16 status)
{
	return status == GNTST_general_error || status == GNTST_bad_domain ||
	       status == GNTST_bad_gntref || status == GNTST_permission_denied;
}

/* A copy of nothing to each grant: it is looked up, and its right checked. */
static int probe_batch(struct page *page,
		       const struct ioctl_gntdev_grant_ref *grants, u32 n)
{
	struct gnttab_copy *ops = page_address(page);
	u32 i;

	memset(ops, 0, n * sizeof(*ops));
	for (i = 0; i < n; i++) {
		ops[i].source.u.gmfn = xen_page_to_gfn(page);
		ops[i].source.domid = DOMID_SELF;
		ops[i].dest.u.ref = grants[i].ref;
		ops[i].dest.domid = grants[i].domid;
		ops[i].flags = GNTCOPY_dest_gref;
	}
	/* Whatever fails beyond the statuses, the mapping will tell. */
	(void)HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, n);
	for (i = 0; i < n; i++) {
		if (is_refusal(ops[i].status))
			return -EINVAL;
	}

	return 0;
}

/**
 * gntdev_dma_memory_probe() - look at grants before memory is got for them
 * @grants: what is to be mapped writable
 * @count: of @grants
 *
 * Return: 0 if nothing speaks against them; -EINVAL, -ENOMEM, or -EINTR if a fatal
 * signal is pending.
 */
int gntdev_dma_memory_probe(const struct ioctl_gntdev_grant_ref *grants,
			    u32 count)
{
	struct page *page = alloc_page(GFP_PROGRAM | __GFP_ZERO);
	u32 first, n;
	int err = 0;

	if (!page)
		return -ENOMEM;

	for (first = 0; first < count && !err; first += n) {
		n = min_t(u32, count - first, PROBES);
		err = probe_batch(page, grants + first, n);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	__free_page(page);

	return err;
}

/* Frees a record, if there is one, of pages that all are given back or moved. */
void gntdev_dma_memory_free(struct dma_memory *memory)
{
	kvfree(memory);
}

int __init gntdev_dma_memory_init(void)
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

void gntdev_dma_memory_exit(void)
{
	root_device_unregister(device);
}
