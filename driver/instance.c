// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Instances: an open file each, and what was made with it. */
#include "gntdev.h"
#include "dmabuf_requests.h"
#include "dmabuf.h"

/* Of the file that VMAs hold. The last VMA is gone. */
static int release_vma_file(struct inode *inode, struct file *file)
{
	gntdev_instance_put(file->private_data);

	return 0;
}

static const struct file_operations vma_file_ops = {
	.owner = THIS_MODULE,
	.release = release_vma_file,
	.get_unmapped_area = gntdev_mapping_area, /* for mremap */
};

int gntdev_instance_open(struct inode *inode, struct file *file)
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
	inst->only = ANY_DOMAIN;
	holder_set(&inst->opener);
	inst->owner = from_kuid(&init_user_ns, current_fsuid());
	gntdev_holdings_add(inst);
	file->private_data = inst;
	gntdev_reserve_look_after();

	return 0;
}

static void instance_free(struct kref *refs)
{
	struct instance *inst = container_of(refs, struct instance, refs);

	WARN_ON_ONCE(!RB_EMPTY_ROOT(&inst->table.root));
	gntdev_holdings_remove(inst);
	free_percpu(inst->tally);
	mutex_destroy(&inst->lock);
	kfree(inst);
}

/* Of a file, or of a dma-buf or import: these may go last and from anywhere. */
void gntdev_instance_put(struct instance *inst)
{
	kref_put(&inst->refs, instance_free);
}

/**
 * gntdev_instance_takes() - may one request insert, export or import so many grants?
 * @inst: the instance
 * @count: how many
 *
 * Return: false for 0, and for more than limit or the instance's maximum allow.
 */
bool gntdev_instance_takes(struct instance *inst, u32 count)
{
	u32 most = min_t(u32, READ_ONCE(gntdev_limit), GNTDEV_MAX_RANGE);

	return count && count <= most && count <= READ_ONCE(inst->max_grants);
}

/* Whether the maximum allows so many more; the instance's lock is held. */
bool gntdev_instance_has_room(const struct instance *inst, u32 count)
{
	lockdep_assert_held(&inst->lock);

	return inst->table.grants + inst->exported_grants +
		       inst->imported_grants + count <=
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
 * gntdev_instance_take_handles() - count the hypervisor's handles to an instance
 * @inst: the instance
 * @count: how many more it may come to have
 *
 * Every mapping of a grant takes a handle of its domain's, of which there are
 * 262,144 where nobody has told Xen otherwise. An instance has a share of them,
 * so that one program does not have the last.
 *
 * Return: 0, and then as many are to be given by gntdev_instance_give_handles(); or
 * -ENOMEM if its share is not as large.
 */
int gntdev_instance_take_handles(struct instance *inst, u32 count)
{
	u32 share = READ_ONCE(gntdev_handles);
	u64 handles;

	mutex_lock(&inst->lock);
	handles = inst->handles + count;
	if (handles <= share)
		inst->handles = handles;
	mutex_unlock(&inst->lock);
	if (handles <= share)
		return 0;

	pr_notice_ratelimited(
		"process %d needs %llu grant handles for one open device; the parameter handles allows %u\n",
		task_tgid_nr(current), handles, share);
	return -ENOMEM;
}

/* They are not needed any more. */
void gntdev_instance_give_handles(struct instance *inst, u32 count)
{
	mutex_lock(&inst->lock);
	inst->handles -= count;
	mutex_unlock(&inst->lock);
}

/**
 * gntdev_instance_prepare() - see to it that VMAs will have a file to hold
 * @inst: the instance
 *
 * Return: 0 or a negative errno.
 */
int gntdev_instance_prepare(struct instance *inst)
{
	struct file *file;

	if (READ_ONCE(inst->vma_file))
		return 0;
	if (gntdev_tally_prepare(inst))
		return -ENOMEM;

	kref_get(&inst->refs);
	file = make_vma_file(inst);
	if (IS_ERR(file)) {
		gntdev_instance_put(inst);
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
int gntdev_instance_release(struct inode *inode, struct file *file)
{
	struct instance *inst = file->private_data;

	mutex_lock(&inst->lock);
	inst->closed = true;
	mutex_unlock(&inst->lock);

	gntdev_range_remove_unmapped(inst);
	gntdev_dmabuf_release_imports(inst);
	gntdev_keep_free_all(&inst->keep);
	gntdev_copy_free_spares(inst);
	if (inst->vma_file)
		fput(inst->vma_file);
	gntdev_instance_put(inst);

	return 0;
}

/* Lines that fdinfo has at most of each kind. */
#define SHOWN 32U

/* What fdinfo tells of a range, or of a dma-buf, exported or imported. */
struct shown {
	u64 name; /* a range's index, a dma-buf's descriptor */
	u32 count;
	struct ioctl_gntdev_grant_ref first;
	bool mmapped; /* of a range */
};

/* The first ranges, in order of their indexes. */
static u32 list_ranges(struct instance *inst, struct shown *shown)
{
	const struct grant_range *range;
	struct rb_node *node;
	u32 n = 0;

	mutex_lock(&inst->lock);
	for (node = rb_first(&inst->table.root); node && n < SHOWN;
	     node = rb_next(node)) {
		range = rb_entry(node, struct grant_range, node);
		shown[n++] = (struct shown){
			.name = range->index,
			.count = range->count,
			.first = *gntdev_range_first(range),
			.mmapped = range->state == RANGE_MAPPED,
		};
	}
	mutex_unlock(&inst->lock);

	return n;
}

/* The newest exported dma-bufs that are in use. */
static u32 list_exports(struct instance *inst, struct shown *shown)
{
	const struct exported *exp;
	u32 n = 0;

	mutex_lock(&inst->lock);
	list_for_each_entry(exp, &inst->exports, node) {
		if (n == SHOWN)
			break;
		shown[n++] = (struct shown){
			.name = exp->fd,
			.count = exp->count,
			.first = exp->grants[0],
		};
	}
	mutex_unlock(&inst->lock);

	return n;
}

/* The newest imports; their first reference is the one that it granted. */
static u32 list_imports(struct instance *inst, struct shown *shown)
{
	const struct imported *imp;
	u32 n = 0;

	mutex_lock(&inst->lock);
	list_for_each_entry(imp, &inst->imports, node) {
		if (n == SHOWN)
			break;
		shown[n++] = (struct shown){
			.name = imp->fd,
			.count = imp->count,
			.first = {.domid = imp->domid, .ref = imp->refs[0]},
		};
	}
	mutex_unlock(&inst->lock);

	return n;
}

static void show_buffers(struct seq_file *seq, const char *what,
			 const struct shown *shown, u32 n)
{
	for (; n; n--, shown++)
		seq_printf(seq,
			   "%s:\tfd=%llu count=%u domain=%u reference=%u\n",
			   what, shown->name, shown->count, shown->first.domid,
			   shown->first.ref);
}

/*
 * Lines of /proc/PID/fdinfo/FD. They are printed when the lock is free again:
 * whoever looks does not hold up the program.
 */
void gntdev_instance_show(struct seq_file *seq, struct file *file)
{
	struct instance *inst = file->private_data;
	struct shown shown[SHOWN];
	struct table table;
	u64 exported, imported;
	u32 max, n, i;

	mutex_lock(&inst->lock);
	table = inst->table;
	exported = inst->exported_grants;
	imported = inst->imported_grants;
	max = inst->max_grants;
	mutex_unlock(&inst->lock);

	seq_printf(seq, "grants:\t%llu\n", table.grants);
	seq_printf(seq, "exported-grants:\t%llu\n", exported);
	seq_printf(seq, "imported-grants:\t%llu\n", imported);
	seq_printf(seq, "max-grants:\t%u\n", max);
	seq_printf(seq, "ranges:\t%u\n", table.ranges);
	seq_printf(seq, "next-index:\t%llu\n", table.next);

	n = list_ranges(inst, shown);
	for (i = 0; i < n; i++)
		seq_printf(
			seq,
			"range:\tindex=%llu count=%u domain=%u reference=%u mmapped=%u\n",
			shown[i].name, shown[i].count, shown[i].first.domid,
			shown[i].first.ref, shown[i].mmapped);
	show_buffers(seq, "export", shown, list_exports(inst, shown));
	show_buffers(seq, "import", shown, list_imports(inst, shown));
}

/**
 * gntdev_instance_max_request() - IOCTL_GNTDEV_SET_MAX_GRANTS
 * @inst: the instance
 * @arg: struct ioctl_gntdev_set_max_grants
 *
 * Governs from now on; what is in the table stays, be it more.
 *
 * Return: 0; -EINVAL for a count of 0; -EFAULT.
 */
long gntdev_instance_max_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_set_max_grants op;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count)
		return -EINVAL;

	mutex_lock(&inst->lock);
	/* gntdev_instance_takes() reads it without the lock. */
	WRITE_ONCE(inst->max_grants, op.count);
	mutex_unlock(&inst->lock);

	return 0;
}
