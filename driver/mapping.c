// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mappings: what mmap makes of a range, and what munmap leaves of it. */
#include "gntdev.h"
#include "trace.h"

/* One allocation: the mapping, room for a hypercall, its arrays. */
static struct mapping *mapping_alloc(u32 count)
{
	struct mapping *m;
	size_t ops = min(count, GNTDEV_BATCH) * sizeof(*m->ops.map);
	size_t page = sizeof(*m->pages) + sizeof(*m->handles);

	if (mode->user_grants)
		page += sizeof(*m->ptes) + sizeof(*m->user_handles);

	/* The largest members first, so that each array is aligned. */
	m = kvmalloc(sizeof(*m) + ops + count * page, GFP_KERNEL_ACCOUNT);
	if (!m)
		return NULL;

	memset(m, 0, sizeof(*m));
	m->ops.map = (void *)(m + 1);
	m->pages = (void *)m->ops.map + ops;
	m->handles = (void *)(m->pages + count);
	if (mode->user_grants) {
		m->ptes = (void *)(m->pages + count);
		m->user_handles = (void *)(m->ptes + count);
		m->handles = m->user_handles + count;
		memset(m->user_handles, 0xff, count * sizeof(grant_handle_t));
	}
	/* 0 is a valid handle: none is INVALID_GRANT_HANDLE, all ones. */
	memset(m->handles, 0xff, count * sizeof(grant_handle_t));

	return m;
}

static struct mapping *mapping_create(struct grant_range *range, bool writable)
{
	struct mapping *m = mapping_alloc(range->count);

	if (!m)
		return NULL;
	m->range = range;
	m->count = range->count;
	m->writable = writable;
	mutex_init(&m->lock);

	if (gnttab_alloc_pages(m->count, m->pages)) {
		mutex_destroy(&m->lock);
		kvfree(m);
		return NULL;
	}

	return m;
}

/* Frees a mapping of which no page is held. */
void mapping_free(struct mapping *m)
{
	WARN_ON_ONCE(m->held);
	mutex_destroy(&m->lock);
	kvfree(m->notify);
	kvfree(m);
}

/* The range to map, in state MAPPING; or an ERR_PTR. */
static struct grant_range *range_claim(struct instance *inst, u64 index,
				       unsigned long pages, bool writable)
{
	struct grant_range *range;

	mutex_lock(&inst->lock);
	range = range_find(inst, index);
	if (!range || range->index != index || range->count != pages ||
	    range->state != RANGE_INSERTED)
		goto refuse;
	/* The byte is cleared through a mapping that must allow it. */
	if (!writable && notify_clears(range))
		goto refuse;

	range->writable = writable;
	range_enter(inst, range, RANGE_MAPPING);
	mutex_unlock(&inst->lock);

	return range;

refuse:
	mutex_unlock(&inst->lock);
	return ERR_PTR(-EINVAL);
}

static void range_settle(struct instance *inst, struct grant_range *range,
			 enum range_state state)
{
	mutex_lock(&inst->lock);
	range->vmas = state == RANGE_MAPPED;
	range_enter(inst, range, state);
	mutex_unlock(&inst->lock);
}

/* Maps the range's grants and shows them in the VMA; all of them or none. */
static int mapping_make(struct grant_range *range, struct vm_area_struct *vma)
{
	struct mapping *m = mapping_create(range, range->writable);
	int err;

	if (!m)
		return -ENOMEM;

	err = grants_map(m);
	if (err)
		goto retire;

	m->start = vma->vm_start;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | mode->vm_flags);
	if (!m->writable)
		vm_flags_clear(vma, VM_MAYWRITE);

	err = mode->attach(m, vma);
	if (err)
		goto retire;

	vma->vm_private_data = m;
	vma->vm_ops = mode->vm_ops;

	return 0;

retire:
	retire_mapping(m);
	return err;
}

/**
 * mapping_mmap() - mmap of the device
 * @file: the instance
 * @vma: offset and length must be exactly those of one range
 *
 * A VMA without write permission is mapped read-only in the hypervisor and
 * cannot be made writable later.
 *
 * Return: 0; -EINVAL for a private VMA, an offset and length of no range, a
 * range that is mmapped, a read-only VMA with CLEAR_BYTE armed, a reference
 * that the granter does not grant; -ENOMEM, also for the hypervisor's limits;
 * -EINTR if a fatal signal is pending. Nothing is mapped on failure.
 */
int mapping_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct instance *inst = file->private_data;
	struct grant_range *range;
	u64 index = (u64)vma->vm_pgoff << PAGE_SHIFT;
	bool writable = vma->vm_flags & VM_WRITE;
	int err;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	range = range_claim(inst, index, vma_pages(vma), writable);
	if (IS_ERR(range))
		return PTR_ERR(range);

	err = mapping_make(range, vma);
	trace_gntdev_mmap(index, range->count, writable, err);
	if (!err)
		atomic_inc(&inst->vmas);
	range_settle(inst, range, err ? RANGE_INSERTED : RANGE_MAPPED);

	return err;
}

/**
 * mapping_area() - where a mapping may go
 * @file: the instance
 * @addr: as for mmap
 * @len: as for mmap, bytes
 * @pgoff: offset in pages
 * @flags: MAP_*
 *
 * mremap asks this before it moves or doubles a VMA, and at no later point
 * where its old entries are still whole: so here it is refused. An mmap of a
 * range that is mmapped is refused by the same rule.
 *
 * Return: an address, or -EINVAL or what the kernel's own choice returns.
 */
unsigned long mapping_area(struct file *file, unsigned long addr,
			   unsigned long len, unsigned long pgoff,
			   unsigned long flags)
{
	struct instance *inst = file->private_data;
	struct grant_range *range;
	bool mapped;

	mutex_lock(&inst->lock);
	range = range_find(inst, (u64)pgoff << PAGE_SHIFT);
	mapped = range && range->state != RANGE_INSERTED;
	mutex_unlock(&inst->lock);

	if (mapped)
		return -EINVAL;

	return mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags);
}

/* A fork's VMA (of others, may_split and mapping_area see to it). */
void mapping_open(struct vm_area_struct *vma)
{
	struct instance *inst = vma->vm_file->private_data;
	struct mapping *m = vma->vm_private_data;

	atomic_inc(&inst->vmas);
	if (!m)
		return;

	/* The hypervisor knows the parent's entries only. */
	if (mode->user_grants) {
		vma->vm_private_data = NULL;
		return;
	}

	mutex_lock(&inst->lock);
	m->range->vmas++;
	mutex_unlock(&inst->lock);
}

/* Whether this was the range's last VMA; then its notifications are taken. */
static bool range_drop_vma(struct instance *inst, struct mapping *m)
{
	struct grant_range *range = m->range;
	bool last;

	mutex_lock(&inst->lock);
	last = --range->vmas == 0;
	if (last) {
		range_enter(inst, range, RANGE_UNMAPPING);
		m->notify = range->notify;
		range->notify = NULL;
	}
	mutex_unlock(&inst->lock);

	return last;
}

/* munmap or exit. */
void mapping_close(struct vm_area_struct *vma)
{
	struct instance *inst = vma->vm_file->private_data;
	struct mapping *m = vma->vm_private_data;
	struct grant_range *range;

	atomic_dec(&inst->vmas);
	if (!m || !range_drop_vma(inst, m))
		return;

	range = m->range;
	trace_gntdev_munmap(range->index, range->count);
	if (m->notify)
		notify_clear_bytes(m);
	mode->detach(m);
	retire_mapping(m);
	range_settle(inst, range, RANGE_INSERTED);
}

/* A range is one thing to the hypervisor and to the header: no parts of it. */
int mapping_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

/* The page behind a user address; NULL where the VMA shows none. */
struct page *mapping_page(struct vm_area_struct *vma, unsigned long addr)
{
	struct mapping *m = vma->vm_private_data;

	return m ? m->pages[(addr - vma->vm_start) >> PAGE_SHIFT] : NULL;
}

static int mapping_lookup(struct file *file, u64 vaddr,
			  struct ioctl_gntdev_get_offset_for_vaddr *op)
{
	struct vm_area_struct *vma;
	struct mapping *m;
	int err = -EINVAL;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, vaddr);
	/* Only where vm_ops are ours is private data a mapping. */
	if (vma && vma->vm_start == vaddr && vma->vm_ops == mode->vm_ops &&
	    vma->vm_file == file && vma->vm_private_data) {
		m = vma->vm_private_data;
		op->offset = m->range->index;
		op->count = m->range->count;
		err = 0;
	}
	mmap_read_unlock(current->mm);

	return err;
}

/**
 * mapping_offset_request() - IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR
 * @file: the instance
 * @arg: struct ioctl_gntdev_get_offset_for_vaddr
 *
 * Return: 0; -EINVAL if vaddr is not the start of a range that this instance
 * mapped into the calling process; -EFAULT.
 */
long mapping_offset_request(struct file *file, void __user *arg)
{
	struct ioctl_gntdev_get_offset_for_vaddr op;
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.vaddr > ULONG_MAX)
		return -EINVAL;

	err = mapping_lookup(file, op.vaddr, &op);
	if (err)
		return err;

	return copy_to_user(arg, &op, sizeof(op)) ? -EFAULT : 0;
}
