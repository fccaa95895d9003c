// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Exports: how grants become a dma-buf, how it ends, and who waits for that. */
#include "gntdev.h"
#include "dmabuf_requests.h"
#include "dmabuf.h"
#include "tally.h"
#include "trace.h"

GNTDEV_IMPORT_DMA_BUF;

/* By these a file is known for a dma-buf; the first export tells them. */
static const struct file_operations *dma_buf_fops;

/*
 * Handles that an export may come to need. In a PV domain, where its pages seen as
 * one area are mappings of their own, that must not fail for want of them: whoever
 * asks for the area is a driver, and the kernel warns of a failure.
 */
static u32 export_handles(u32 count)
{
	return gntdev_mode->user_grants ? 2 * count : count;
}

/* Counts the grants of an export, or fails if they are too many. */
static int reserve(struct instance *inst, u32 count, u32 domid)
{
	int err = -ENOMEM;

	mutex_lock(&inst->lock);
	if (!gntdev_restrict_allows(inst, domid)) {
		err = -EACCES;
	} else if (gntdev_instance_has_room(inst, count)) {
		inst->exported_grants += count;
		err = 0;
	}
	mutex_unlock(&inst->lock);
	if (err)
		return err;

	err = gntdev_instance_take_handles(inst, export_handles(count));
	if (!err)
		return 0;

	mutex_lock(&inst->lock);
	inst->exported_grants -= count;
	mutex_unlock(&inst->lock);

	return err;
}

static void unreserve(struct instance *inst, u32 count)
{
	gntdev_instance_give_handles(inst, export_handles(count));
	mutex_lock(&inst->lock);
	inst->exported_grants -= count;
	mutex_unlock(&inst->lock);
}

static int read_refs(struct exported *exp, u32 domid, const u32 __user *refs)
{
	u32 i;

	for (i = 0; i < exp->count; i++) {
		if (get_user(exp->grants[i].ref, refs + i))
			return -EFAULT;
		exp->grants[i].domid = domid;
	}

	return 0;
}

static struct exported *export_alloc(struct instance *inst, u32 domid,
				     u32 count, const u32 __user *refs)
{
	struct exported *exp;
	int err;

	exp = gntdev_memory_for_program(struct_size(exp, grants, count));
	if (!exp)
		return ERR_PTR(-ENOMEM);

	memset(exp, 0, sizeof(*exp));
	exp->count = count;
	err = read_refs(exp, domid, refs);
	if (err) {
		kvfree(exp);
		return ERR_PTR(err);
	}

	kref_init(&exp->refs);
	kref_get(&inst->refs);
	exp->inst = inst;
	INIT_LIST_HEAD(&exp->node);
	INIT_LIST_HEAD(&exp->attachments);
	holder_set(&exp->holder);
	mutex_init(&exp->lock);
	init_completion(&exp->released);

	return exp;
}

static void export_free(struct kref *refs)
{
	struct exported *exp = container_of(refs, struct exported, refs);

	gntdev_instance_put(exp->inst);
	mutex_destroy(&exp->lock);
	kvfree(exp);
}

static void export_put(struct exported *exp)
{
	kref_put(&exp->refs, export_free);
}

static int export_map(struct exported *exp, u32 flags)
{
	int err;

	/* Memory of the DMA API costs the domain some; not for a bad reference. */
	err = flags ? gntdev_dma_memory_probe(exp->grants, exp->count) : 0;
	if (err)
		return err;
	exp->mapping = gntdev_mapping_create(exp->count, flags);
	if (!exp->mapping)
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
	exp->mapping->holder = &exp->holder;
	gntdev_mapping_begin(exp->mapping, exp->grants, true);

	err = gntdev_grants_map(exp->mapping);
	if (err)
		gntdev_retire_mapping(exp->mapping);

	return err;
}

/* The export's grants, counted and mapped; or an ERR_PTR. */
static struct exported *
export_create(struct instance *inst,
	      const struct ioctl_gntdev_dmabuf_exp_from_refs *op,
	      const u32 __user *refs)
{
	struct exported *exp = export_alloc(inst, op->domid, op->count, refs);
	int err;

	if (IS_ERR(exp))
		return exp;

	err = gntdev_tally_prepare(inst) ?: reserve(inst, op->count, op->domid);
	if (err)
		goto put;
	err = export_map(exp, op->flags);
	if (err)
		goto unreserve;
	tally_add(inst, maps, op->count);

	return exp;

unreserve:
	unreserve(inst, op->count);
put:
	export_put(exp);
	return ERR_PTR(err);
}

/**
 * gntdev_export_release() - the last user of a dma-buf is gone
 * @exp: its export, which the caller may not touch after this
 *
 * Whoever it was that was last, in whatever context: the instance may be closed
 * and its process gone. Pages that I/O still uses are given back later.
 */
void gntdev_export_release(struct exported *exp)
{
	struct instance *inst = exp->inst;

	/* No program was told of it, if it could not be given a descriptor. */
	if (!list_empty(&exp->node))
		trace_gntdev_released(exp->fd, exp->count, exp->grants[0].domid,
				      exp->grants[0].ref);
	gntdev_retire_mapping(exp->mapping);
	gntdev_instance_give_handles(inst, export_handles(exp->count));
	tally_add(inst, unmaps, exp->count);

	mutex_lock(&inst->lock);
	inst->exported_grants -= exp->count;
	list_del_init(&exp->node);
	mutex_unlock(&inst->lock);

	complete_all(&exp->released);
	export_put(exp);
}

static struct dma_buf *export_wrap(struct exported *exp)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.ops = &gntdev_export_ops;
	info.size = (size_t)exp->count << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = exp;

	return dma_buf_export(&info);
}

/* Puts it into its instance, which may have been restricted meanwhile. */
static bool export_show(struct exported *exp)
{
	struct instance *inst = exp->inst;
	bool allowed;

	mutex_lock(&inst->lock);
	allowed = gntdev_restrict_allows(inst, exp->grants[0].domid);
	/* The newest first: that is whom a number means that is used twice. */
	if (allowed) {
		exp->number = ++inst->buffers;
		list_add(&exp->node, &inst->exports);
	}
	mutex_unlock(&inst->lock);

	return allowed;
}

/*
 * Gives the caller a descriptor. Until the caller knows the number, no other
 * thread can guess it and close the file; once it is installed, one can.
 */
static int export_install(struct exported *exp, struct dma_buf *dmabuf,
			  u32 __user *user)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	if (put_user(fd, user)) {
		put_unused_fd(fd);
		return -EFAULT;
	}

	exp->fd = fd;
	WRITE_ONCE(dma_buf_fops, dmabuf->file->f_op);
	if (!export_show(exp)) {
		put_unused_fd(fd);
		return -EACCES;
	}
	trace_gntdev_export(fd, exp->count, exp->grants[0].domid,
			    exp->grants[0].ref);

	fd_install(fd, dmabuf->file);
	return 0;
}

/* What both requests for exports do, when they have read their structures. */
static long export_refs(struct instance *inst,
			const struct ioctl_gntdev_dmabuf_exp_from_refs *op,
			u32 data_ofs, const u32 __user *refs, u32 __user *fd)
{
	struct dma_buf *dmabuf;
	struct exported *exp;
	int err;

	/* 0, or one of the two. */
	if (op->flags > GNTDEV_DMA_FLAG_COHERENT)
		return -EINVAL;
	if (op->domid > DOMID_IDLE || !gntdev_instance_takes(inst, op->count))
		return -EINVAL;

	exp = export_create(inst, op, refs);
	if (IS_ERR(exp))
		return PTR_ERR(exp);
	exp->data_ofs = data_ofs;

	dmabuf = export_wrap(exp);
	if (IS_ERR(dmabuf)) {
		gntdev_export_release(exp);
		return PTR_ERR(dmabuf);
	}

	err = export_install(exp, dmabuf, fd);
	if (err)
		dma_buf_put(dmabuf);

	return err;
}

/**
 * gntdev_dmabuf_export_request() - IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS
 * @inst: the instance
 * @arg: struct ioctl_gntdev_dmabuf_exp_from_refs with its references
 *
 * Return: 0; -EINVAL for unknown flags or two, a count of 0, above the
 * parameter limit or above the instance's maximum, a domid above 0x7fff, a
 * reference that cannot be mapped writable; -ENOMEM, also above the maximum
 * with what is there; -EMFILE, -ENFILE; -EINTR if killed; -EFAULT. A failure
 * leaves nothing mapped and no descriptor.
 */
long gntdev_dmabuf_export_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs __user *user = arg;
	struct ioctl_gntdev_dmabuf_exp_from_refs op;

	if (copy_from_user(&op, user, offsetof(typeof(op), refs)))
		return -EFAULT;

	return export_refs(inst, &op, 0, user->refs, &user->fd);
}

/**
 * gntdev_dmabuf_export_offset_request() - IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2
 * @inst: the instance
 * @arg: struct ioctl_gntdev_dmabuf_exp_from_refs_v2 with its references
 *
 * The same for data that begin within the first page. Devices are told of the
 * data alone. The size of the dma-buf is that of the pages, so that programs can
 * mmap all of them, and see what is before the data too.
 *
 * Return: as gntdev_dmabuf_export_request(); -EINVAL too if the data do not begin in the
 * first page.
 */
long gntdev_dmabuf_export_offset_request(struct instance *inst,
					 void __user *arg)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs_v2 __user *user = arg;
	struct ioctl_gntdev_dmabuf_exp_from_refs_v2 op;
	struct ioctl_gntdev_dmabuf_exp_from_refs same = {};

	if (copy_from_user(&op, user, offsetof(typeof(op), refs)))
		return -EFAULT;
	if (op.data_ofs >= PAGE_SIZE)
		return -EINVAL;
	same.flags = op.flags;
	same.count = op.count;
	same.domid = op.domid;

	return export_refs(inst, &same, op.data_ofs, user->refs, &user->fd);
}

struct lookup {
	u32 fd;
	struct exported **found;
};

/* Called with the descriptors locked, from the first that is open on. */
static int look_at(const void *arg, struct file *file, unsigned int fd)
{
	const struct lookup *l = arg;
	struct dma_buf *dmabuf;

	if (fd != l->fd || file->f_op != READ_ONCE(dma_buf_fops))
		return 1;

	dmabuf = file->private_data;
	if (dmabuf->ops == &gntdev_export_ops) {
		*l->found = dmabuf->priv;
		kref_get(&(*l->found)->refs);
	}

	return 1;
}

/*
 * The export behind a descriptor of the caller's, with a reference; or NULL.
 * No reference to the file is taken, not even in passing: if it became the last
 * one, its end would be put off until the caller returns, who waits for that.
 */
static struct exported *export_of_descriptor(u32 fd)
{
	struct exported *found = NULL;
	struct lookup l = {fd, &found};

	iterate_fd(current->files, fd, look_at, &l);

	return found;
}

/* The instance's newest live export with that number, with a reference. */
static struct exported *export_of_number(struct instance *inst, u32 fd)
{
	struct exported *exp, *found = NULL;

	mutex_lock(&inst->lock);
	list_for_each_entry(exp, &inst->exports, node) {
		if (exp->fd == fd) {
			kref_get(&exp->refs);
			found = exp;
			break;
		}
	}
	mutex_unlock(&inst->lock);

	return found;
}

/**
 * gntdev_dmabuf_wait_request() - IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED
 * @inst: the instance
 * @arg: struct ioctl_gntdev_dmabuf_exp_wait_released
 *
 * The dma-buf is the one behind the caller's descriptor of this number. If that
 * is no export, it is the instance's export that was given the number, and that
 * somebody else still uses.
 *
 * Return: 0 when it is released; -ETIMEDOUT; -ENOENT if there is none, or none
 * any more; -EINTR if killed; -EFAULT.
 */
long gntdev_dmabuf_wait_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_dmabuf_exp_wait_released op;
	struct exported *exp;
	long left;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;

	exp = export_of_descriptor(op.fd);
	if (!exp)
		exp = export_of_number(inst, op.fd);
	if (!exp)
		return -ENOENT;

	left = wait_for_completion_killable_timeout(
		&exp->released, msecs_to_jiffies(op.wait_to_ms));
	export_put(exp);
	if (left < 0)
		return -EINTR;

	return left ? 0 : -ETIMEDOUT;
}

int __init gntdev_dmabuf_init(void)
{
	int err;

	err = gntdev_dma_memory_init();
	if (err)
		return err;
	err = gntdev_import_init();
	if (err)
		gntdev_dma_memory_exit();

	return err;
}

void gntdev_dmabuf_exit(void)
{
	gntdev_import_exit();
	gntdev_dma_memory_exit();
}
