// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Instances: an open file each, and what was made with it. */
#include "gntdev.h"

/* Of the file that VMAs hold. The last VMA is gone. */
static int release_vma_file(struct inode *inode, struct file *file)
{
	instance_put(file->private_data);

	return 0;
}

static const struct file_operations vma_file_ops = {
	.owner = THIS_MODULE,
	.release = release_vma_file,
	.get_unmapped_area = mapping_area, /* for mremap */
};

int instance_open(struct inode *inode, struct file *file)
{
	struct instance *inst;

	inst = kzalloc(sizeof(*inst), GFP_KERNEL_ACCOUNT);
	if (!inst)
		return -ENOMEM;

	kref_init(&inst->refs);
	mutex_init(&inst->lock);
	INIT_LIST_HEAD(&inst->keep.list);
	INIT_LIST_HEAD(&inst->exports);
	INIT_LIST_HEAD(&inst->imports);
	inst->table.root = RB_ROOT;
	address_space_init_once(&inst->vma_mapping);
	/* Until a program says otherwise, only the parameter limit governs. */
	inst->max_grants = U32_MAX;
	file->private_data = inst;

	return 0;
}

static void instance_free(struct kref *refs)
{
	struct instance *inst = container_of(refs, struct instance, refs);

	WARN_ON_ONCE(!RB_EMPTY_ROOT(&inst->table.root));
	mutex_destroy(&inst->lock);
	kfree(inst);
}

/* Of a file, or of a dma-buf, which may go last and from anywhere. */
void instance_put(struct instance *inst)
{
	kref_put(&inst->refs, instance_free);
}

/**
 * instance_takes() - may one request insert or export so many grants?
 * @inst: the instance
 * @count: how many
 *
 * Return: false for 0, and for more than limit or the instance's maximum allow.
 */
bool instance_takes(struct instance *inst, u32 count)
{
	u32 most = min_t(u32, READ_ONCE(limit), GNTDEV_MAX_RANGE);

	return count && count <= most && count <= READ_ONCE(inst->max_grants);
}

/* Whether the maximum allows so many more; the instance's lock is held. */
bool instance_has_room(const struct instance *inst, u32 count)
{
	lockdep_assert_held(&inst->lock);

	return inst->table.grants + inst->exported_grants + count <=
	       inst->max_grants;
}

static struct file *make_vma_file(struct instance *inst)
{
	struct file *file =
		anon_inode_getfile("[xen/gntdev]", &vma_file_ops, inst, O_RDWR);

	if (IS_ERR(file))
		return file;

	/* That of its inode is all such files', and finds VMAs of others too. */
	inst->vma_mapping.host = file_inode(file);
	inst->vma_mapping.a_ops = file->f_mapping->a_ops;
	file->f_mapping = &inst->vma_mapping;

	return file;
}

/**
 * instance_prepare() - see to it that VMAs will have a file to hold
 * @inst: the instance
 *
 * Return: 0 or a negative errno.
 */
int instance_prepare(struct instance *inst)
{
	struct file *file;

	if (READ_ONCE(inst->vma_file))
		return 0;

	kref_get(&inst->refs);
	file = make_vma_file(inst);
	if (IS_ERR(file)) {
		instance_put(inst);
		return PTR_ERR(file);
	}

	mutex_lock(&inst->lock);
	if (!inst->vma_file) {
		WRITE_ONCE(inst->vma_file, file);
		file = NULL;
	}
	mutex_unlock(&inst->lock);
	/* Another thread was faster. */
	if (file)
		fput(file);

	return 0;
}

/*
 * No descriptor is left: nobody can ask for anything any more. What is mmapped
 * goes with its VMAs.
 */
int instance_release(struct inode *inode, struct file *file)
{
	struct instance *inst = file->private_data;

	mutex_lock(&inst->lock);
	inst->closed = true;
	mutex_unlock(&inst->lock);

	range_remove_unmapped(inst);
	dmabuf_release_imports(inst);
	keep_free_all(&inst->keep);
	copy_free_spares(inst);
	if (inst->vma_file)
		fput(inst->vma_file);
	instance_put(inst);

	return 0;
}

/* Lines of /proc/PID/fdinfo/FD. */
void instance_show(struct seq_file *seq, struct file *file)
{
	struct instance *inst = file->private_data;
	struct table table;
	u64 exported;
	u32 max;

	mutex_lock(&inst->lock);
	table = inst->table;
	exported = inst->exported_grants;
	max = inst->max_grants;
	mutex_unlock(&inst->lock);

	seq_printf(seq, "grants:\t%llu\n", table.grants);
	seq_printf(seq, "exported-grants:\t%llu\n", exported);
	seq_printf(seq, "max-grants:\t%u\n", max);
	seq_printf(seq, "ranges:\t%u\n", table.ranges);
	seq_printf(seq, "next-index:\t%llu\n", table.next);
}

/**
 * instance_max_request() - IOCTL_GNTDEV_SET_MAX_GRANTS
 * @inst: the instance
 * @arg: struct ioctl_gntdev_set_max_grants
 *
 * Governs from now on; what is in the table stays, be it more.
 *
 * Return: 0; -EINVAL for a count of 0; -EFAULT.
 */
long instance_max_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_set_max_grants op;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count)
		return -EINVAL;

	mutex_lock(&inst->lock);
	/* instance_takes() reads it without the lock. */
	WRITE_ONCE(inst->max_grants, op.count);
	mutex_unlock(&inst->lock);

	return 0;
}
