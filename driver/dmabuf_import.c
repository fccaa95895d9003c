// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Imports: the pages of anybody's dma-buf, granted to another domain.
 *
 * Of a dma-buf one may know DMA addresses only, and those of one device. So
 * there is a device for it, whose addresses are the kernel's own physical ones:
 * each stands for a page that can be granted, nothing has to be copied to where
 * the device could reach it, and neighbouring pages may be one entry, though
 * their frames are no neighbours.
 */
#include "gntdev.h"
#include "dmabuf_requests.h"
#include "dmabuf.h"
#include "trace.h"

/* Grants between two looks at the clock and at signals. */
#define STRIDE 1024U

static struct device *device;

/* The device's DMA addresses are physical ones. */

static int identity_map_sg(struct device *dev, struct scatterlist *sgl,
			   int nents, enum dma_data_direction dir,
			   unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		sg->dma_address = sg_phys(sg);
		sg_dma_len(sg) = sg->length;
	}

	return nents;
}

static void identity_unmap_sg(struct device *dev, struct scatterlist *sgl,
			      int nents, enum dma_data_direction dir,
			      unsigned long attrs)
{
}

static void identity_unmap_phys(struct device *dev, dma_addr_t addr,
				size_t size, enum dma_data_direction dir,
				unsigned long attrs)
{
}

static const struct dma_map_ops identity_ops = {
	.map_sg = identity_map_sg,
	.unmap_sg = identity_unmap_sg,
	.map_phys = identity_map_phys,
	.unmap_phys = identity_unmap_phys,
};

/*
 * Grants the pages of one entry. Fails if there are more than the import has
 * room for, if one is not a whole page, but for the beginning of the first where
 * the caller asks for that, or is no memory of this domain: a device's own, for
 * instance.
 */
static int grant_entry(struct imported *imp, dma_addr_t addr, size_t len,
		       domid_t domid)
{
	unsigned long pfn = PHYS_PFN(addr);
	u32 before = addr & ~PAGE_MASK;
	unsigned long pages = (before + len) >> PAGE_SHIFT;
	unsigned long gfn;

	if (!PAGE_ALIGNED(before + len) || pages > imp->count - imp->granted)
		return -EINVAL;
	if (before) {
		if (imp->granted || !imp->may_begin_late)
			return -EINVAL;
		imp->data_ofs = before;
	}

	for (; pages; pages--, pfn++) {
		if (!pfn_valid(pfn))
			return -EINVAL;
		gfn = pfn_to_gfn(pfn);
		if (gfn == INVALID_P2M_ENTRY)
			return -EINVAL;
		gnttab_grant_foreign_access_ref(imp->refs[imp->granted++],
						domid, gfn, 0);
		if (imp->granted % STRIDE)
			continue;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}

	return 0;
}

static int import_take_refs(struct imported *imp)
{
	int err = gntdev_refs_take(imp->refs, imp->count);

	if (!err)
		imp->taken = imp->count;

	return err;
}

static int grant_pages(struct imported *imp, domid_t domid)
{
	struct scatterlist *sg;
	int err, i;

	/* How many entries a device sees is another number than there are. */
	for_each_sgtable_dma_sg(imp->sgt, sg, i) {
		err = grant_entry(imp, sg_dma_address(sg), sg_dma_len(sg),
				  domid);
		if (err)
			return err;
	}

	return imp->granted == imp->count ? 0 : -EINVAL;
}

/* Gives back what the other side does not have mapped. True: that was all. */
static bool end_access(struct imported *imp)
{
	u32 i, kept = 0;

	for (i = 0; i < imp->granted; i++) {
		if (!gnttab_try_end_foreign_access(imp->refs[i]))
			imp->refs[kept++] = imp->refs[i];
		if (i % STRIDE == STRIDE - 1)
			cond_resched();
	}
	imp->granted = kept;
	imp->taken = kept;

	return !kept;
}

/* Counts so many more grants, or fails if they are too many. */
static int import_reserve(struct instance *inst, u32 count, u32 domid)
{
	int err = -ENOMEM;

	mutex_lock(&inst->lock);
	if (!gntdev_restrict_allows(inst, domid)) {
		err = -EACCES;
	} else if (gntdev_instance_has_room(inst, count)) {
		inst->imported_grants += count;
		err = 0;
	}
	mutex_unlock(&inst->lock);

	return err;
}

static void import_unreserve(struct instance *inst, u32 count)
{
	mutex_lock(&inst->lock);
	inst->imported_grants -= count;
	mutex_unlock(&inst->lock);
}

static void import_free(struct imported *imp)
{
	struct instance *inst = imp->inst;

	if (!IS_ERR_OR_NULL(imp->sgt))
		dma_buf_unmap_attachment_unlocked(imp->attachment, imp->sgt,
						  DMA_BIDIRECTIONAL);
	if (!IS_ERR_OR_NULL(imp->attachment))
		dma_buf_detach(imp->dmabuf, imp->attachment);
	dma_buf_put(imp->dmabuf);
	import_unreserve(inst, imp->count);
	kvfree(imp);
	gntdev_instance_put(inst);
}

/* Another look at an import whose pages the other side had mapped. */
static bool departed_look(struct recheck *r)
{
	struct imported *imp = container_of(r, struct imported, recheck);

	if (!end_access(imp)) {
		WRITE_ONCE(imp->recheck.held.count, imp->granted);
		return false;
	}

	atomic_long_sub(imp->count, &gntdev_counters.departed);
	gntdev_recheck_over(&imp->recheck);
	import_free(imp);
	return true;
}

/*
 * Ends an import that is in no list. What the other side has mapped, a page of it
 * or all, keeps the whole buffer; that is looked after.
 */
static void import_end(struct imported *imp)
{
	gntdev_refs_give(imp->refs + imp->granted, imp->taken - imp->granted);
	if (end_access(imp)) {
		import_free(imp);
		return;
	}

	atomic_long_add(imp->count, &gntdev_counters.departed);
	imp->recheck.held = (struct held){
		.kind = "departed",
		.count = imp->granted,
		.first = {.domid = imp->domid, .ref = imp->refs[0]},
		.holder = imp->holder,
	};
	imp->recheck.held.holder.since = ktime_get_seconds();
	gntdev_recheck_begin(&imp->recheck, departed_look);
}

static int import_attach(struct imported *imp)
{
	imp->attachment = dma_buf_attach(imp->dmabuf, device);
	if (IS_ERR(imp->attachment))
		return PTR_ERR(imp->attachment);

	imp->sgt = dma_buf_map_attachment_unlocked(imp->attachment,
						   DMA_BIDIRECTIONAL);
	return PTR_ERR_OR_ZERO(imp->sgt);
}

/* An import that counts, of a dma-buf that is its own from now on; or NULL. */
static struct imported *
import_alloc(struct instance *inst,
	     const struct ioctl_gntdev_dmabuf_imp_to_refs *op,
	     struct dma_buf *dmabuf, bool may_begin_late)
{
	struct imported *imp;

	imp = gntdev_memory_for_program(struct_size(imp, refs, op->count));
	if (!imp)
		return NULL;

	memset(imp, 0, sizeof(*imp));
	kref_get(&inst->refs);
	imp->inst = inst;
	imp->fd = op->fd;
	imp->count = op->count;
	imp->domid = op->domid;
	holder_set(&imp->holder);
	imp->may_begin_late = may_begin_late;
	imp->dmabuf = dmabuf;

	return imp;
}

/* The dma-buf of a request, if it may be imported; or an ERR_PTR. */
static struct dma_buf *
import_dmabuf(struct instance *inst,
	      const struct ioctl_gntdev_dmabuf_imp_to_refs *op,
	      bool may_begin_late)
{
	struct dma_buf *dmabuf = dma_buf_get(op->fd);
	size_t size;

	if (IS_ERR(dmabuf))
		return ERR_PTR(-ENOENT);
	/* Its pages are counted when they are granted. */
	size = may_begin_late ? PAGE_ALIGN(dmabuf->size) : dmabuf->size;
	if (size == (u64)op->count << PAGE_SHIFT &&
	    gntdev_instance_takes(inst, op->count))
		return dmabuf;

	dma_buf_put(dmabuf);
	return ERR_PTR(-EINVAL);
}

/* An import with its pages granted, in no list; or an ERR_PTR. */
static struct imported *
import_create(struct instance *inst,
	      const struct ioctl_gntdev_dmabuf_imp_to_refs *op,
	      bool may_begin_late)
{
	struct dma_buf *dmabuf = import_dmabuf(inst, op, may_begin_late);
	struct imported *imp;
	int err;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);

	err = import_reserve(inst, op->count, op->domid);
	if (err)
		goto put;
	imp = import_alloc(inst, op, dmabuf, may_begin_late);
	if (!imp) {
		err = -ENOMEM;
		goto unreserve;
	}

	err = import_attach(imp);
	if (!err)
		err = import_take_refs(imp);
	if (!err)
		err = grant_pages(imp, op->domid);
	if (err) {
		import_end(imp);
		return ERR_PTR(err);
	}

	return imp;

unreserve:
	import_unreserve(inst, op->count);
put:
	dma_buf_put(dmabuf);
	return ERR_PTR(err);
}

/* Once it is in the list, another thread may release and free it. */
static int import_show(struct instance *inst, struct imported *imp)
{
	int err = -EACCES;

	trace_gntdev_import(imp->fd, imp->count, imp->domid, imp->refs[0]);
	mutex_lock(&inst->lock);
	/* The instance may have been restricted meanwhile. */
	if (gntdev_restrict_allows(inst, imp->domid)) {
		/* The newest first: whom a number means that is used twice. */
		imp->number = ++inst->buffers;
		list_add(&imp->node, &inst->imports);
		err = 0;
	}
	mutex_unlock(&inst->lock);

	return err;
}

/* Tells the references, and shows the import to others. */
static int import_finish(struct instance *inst, struct imported *imp,
			 u32 __user *refs, u32 __user *data_ofs)
{
	int err;

	if (copy_to_user(refs, imp->refs,
			 array_size(imp->count, sizeof(imp->refs[0]))) ||
	    (data_ofs && put_user(imp->data_ofs, data_ofs)))
		err = -EFAULT;
	else
		err = import_show(inst, imp);
	if (err)
		import_end(imp);

	return err;
}

/**
 * gntdev_dmabuf_import_request() - IOCTL_GNTDEV_DMABUF_IMP_TO_REFS
 * @inst: the instance
 * @arg: struct ioctl_gntdev_dmabuf_imp_to_refs with room for its references
 *
 * Each call is an import of its own, be it of the same dma-buf. No other thread
 * can release it before the references are told.
 *
 * Return: 0; -ENOENT if @fd is no dma-buf; -EINVAL if @count is not its size
 * in pages, or above the parameter limit or the instance's maximum, if @reserved
 * is not 0, for a domid above 0x7fff and for a page that does not start at offset
 * 0 or is no memory; -ENOMEM, also above the maximum with what is there; -ENOSPC if
 * the domain has no such number of references to spare; what the exporter says;
 * -EINTR if killed; -EFAULT.
 */
long gntdev_dmabuf_import_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs __user *user = arg;
	struct ioctl_gntdev_dmabuf_imp_to_refs op;
	struct imported *imp;

	if (copy_from_user(&op, user, offsetof(typeof(op), refs)))
		return -EFAULT;
	if (op.reserved || op.domid > DOMID_IDLE ||
	    gntdev_xlat_refuses(op.domid))
		return -EINVAL;

	imp = import_create(inst, &op, false);
	if (IS_ERR(imp))
		return PTR_ERR(imp);

	return import_finish(inst, imp, user->refs, NULL);
}

/**
 * gntdev_dmabuf_import_offset_request() - IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2
 * @inst: the instance
 * @arg: struct ioctl_gntdev_dmabuf_imp_to_refs_v2 with room for its references
 *
 * The same for a buffer whose data may begin within its first page. The field
 * reserved is not looked at: libraries leave it as it was.
 *
 * Return: as gntdev_dmabuf_import_request(); -EINVAL too if another page than the first
 * does not begin, or one does not end, where a page does.
 */
long gntdev_dmabuf_import_offset_request(struct instance *inst,
					 void __user *arg)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs_v2 __user *user = arg;
	struct ioctl_gntdev_dmabuf_imp_to_refs_v2 op;
	struct ioctl_gntdev_dmabuf_imp_to_refs same = {};
	struct imported *imp;

	if (copy_from_user(&op, user, offsetof(typeof(op), data_ofs)))
		return -EFAULT;
	if (op.domid > DOMID_IDLE || gntdev_xlat_refuses(op.domid))
		return -EINVAL;
	same.fd = op.fd;
	same.count = op.count;
	same.domid = op.domid;

	imp = import_create(inst, &same, true);
	if (IS_ERR(imp))
		return PTR_ERR(imp);

	return import_finish(inst, imp, user->refs, &user->data_ofs);
}

/* Whether an instance has dma-bufs of another domain than that; with its lock. */
bool gntdev_dmabuf_has_others(const struct instance *inst, u32 domid)
{
	const struct imported *imp;
	const struct exported *exp;

	lockdep_assert_held(&inst->lock);

	list_for_each_entry(imp, &inst->imports, node) {
		if (imp->domid != domid)
			return true;
	}
	list_for_each_entry(exp, &inst->exports, node) {
		if (exp->grants[0].domid != domid)
			return true;
	}

	return false;
}

/* How well a descriptor fits an import: not at all 0, by number 1, … */
static int fitness(const struct imported *imp, u32 fd,
		   const struct dma_buf *dmabuf)
{
	return 2 * (imp->dmabuf == dmabuf) + (imp->fd == fd);
}

/* Takes the best fit from the instance; the newest of those that are equal. */
static struct imported *import_take(struct instance *inst, u32 fd,
				    const struct dma_buf *dmabuf)
{
	struct imported *imp, *found = NULL;
	int fits, best = 0;

	mutex_lock(&inst->lock);
	list_for_each_entry(imp, &inst->imports, node) {
		fits = fitness(imp, fd, dmabuf);
		if (fits > best) {
			best = fits;
			found = imp;
		}
	}
	if (found)
		list_del(&found->node);
	mutex_unlock(&inst->lock);

	return found;
}

/**
 * gntdev_dmabuf_release_request() - IOCTL_GNTDEV_DMABUF_IMP_RELEASE
 * @inst: the instance
 * @arg: struct ioctl_gntdev_dmabuf_imp_release
 *
 * Does not wait for the other side: while that has a page mapped, the page
 * stays granted, and the dma-buf stays.
 *
 * Return: 0; -ENOENT if @fd names no import of the instance, neither as the
 * descriptor of its dma-buf nor as the number that was imported; -EINVAL if
 * @reserved is not 0; -EFAULT.
 */
long gntdev_dmabuf_release_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_dmabuf_imp_release op;
	struct dma_buf *dmabuf;
	struct imported *imp;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.reserved)
		return -EINVAL;

	dmabuf = dma_buf_get(op.fd);
	imp = import_take(inst, op.fd, IS_ERR(dmabuf) ? NULL : dmabuf);
	if (!IS_ERR(dmabuf))
		dma_buf_put(dmabuf);
	if (!imp)
		return -ENOENT;

	trace_gntdev_import_end(op.fd, imp->count, imp->domid, imp->refs[0]);
	import_end(imp);

	return 0;
}

/**
 * gntdev_dmabuf_release_imports() - release all imports of an instance
 * @inst: the instance, of which no descriptor is left
 */
void gntdev_dmabuf_release_imports(struct instance *inst)
{
	struct imported *imp, *next;
	LIST_HEAD(mine);

	mutex_lock(&inst->lock);
	list_splice_init(&inst->imports, &mine);
	mutex_unlock(&inst->lock);

	list_for_each_entry_safe(imp, next, &mine, node) {
		list_del(&imp->node);
		import_end(imp);
	}
}

int __init gntdev_import_init(void)
{
	int err;

	device = root_device_register("xen-gntdev-import");
	if (IS_ERR(device))
		return PTR_ERR(device);
	set_dma_ops(device, &identity_ops);

	err = dma_coerce_mask_and_coherent(device, DMA_BIT_MASK(64));
	if (err)
		root_device_unregister(device);

	return err;
}

void gntdev_import_exit(void)
{
	root_device_unregister(device);
}
