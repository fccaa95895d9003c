// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mappings and their windows: what mmap makes of a range, and what munmap leaves. */
#include "gntdev.h"
#include "trace.h"

static size_t ops_size(u32 count)
{
	return min(count, GNTDEV_BATCH) * sizeof(struct gnttab_map_grant_ref);
}

/* What a window's arrays take. */
static size_t window_size(u32 count)
{
	if (!mode->user_grants)
		return 0;

	return count * (sizeof(u64) + sizeof(grant_handle_t));
}

static void window_init(struct window *w, struct mapping *m, u32 first,
			u32 count, void *arrays)
{
	w->mapping = m;
	w->first = first;
	w->count = count;
	refcount_set(&w->vmas, 1);
	mutex_init(&w->lock);

	if (!mode->user_grants)
		return;
	w->ptes = arrays;
	w->handles = (void *)(w->ptes + count);
	/* 0 is a valid handle: none is INVALID_GRANT_HANDLE, all ones. */
	memset(w->handles, 0xff, count * sizeof(grant_handle_t));
}

/* One allocation: the mapping, room for a hypercall, its arrays. */
static struct mapping *mapping_alloc(u32 count)
{
	size_t page = sizeof(struct page *) + sizeof(grant_handle_t);
	struct mapping *m;

	/* The largest members first, so that each array is aligned. */
	m = kvmalloc(sizeof(*m) + ops_size(count) + count * page +
			     window_size(count),
		     GFP_PROGRAM);
	if (!m)
		return NULL;

	memset(m, 0, sizeof(*m));
	spin_lock_init(&m->lock);
	m->ops.map = (void *)(m + 1);
	m->pages = (void *)m->ops.map + ops_size(count);
	window_init(&m->window, m, 0, count, m->pages + count);
	m->window.ops = m->ops;
	m->handles = (void *)(m->pages + count) + window_size(count);
	memset(m->handles, 0xff, count * sizeof(grant_handle_t));

	return m;
}

/**
 * mapping_create() - a mapping with pages, of which none is mapped yet
 * @grants: what is to be mapped; they outlive the mapping until it is retired
 * @count: of @grants
 * @writable: how
 * @dma_flags: GNTDEV_DMA_FLAG_* for what memory the pages are to be
 *
 * Return: the mapping, or NULL if there is no memory.
 */
struct mapping *mapping_create(const struct ioctl_gntdev_grant_ref *grants,
			       u32 count, bool writable, u32 dma_flags)
{
	struct mapping *m = mapping_alloc(count);
	int err;

	if (!m)
		return NULL;
	m->grants = grants;
	m->count = count;
	m->writable = writable;
	m->window.writable = writable;

	if (dma_flags)
		err = dma_memory_alloc(m, dma_flags);
	else
		err = gnttab_alloc_pages(count, m->pages);
	if (err) {
		m->count = 0; /* no page is there to be given back */
		mapping_free(m);
		return NULL;
	}
	m->held = count;
	atomic_long_add(count, &counters.mapped);

	return m;
}

/* Frees a mapping of which no page is held. */
void mapping_free(struct mapping *m)
{
	WARN_ON_ONCE(m->held);
	grants_free_pages(m);
	mutex_destroy(&m->window.lock);
	if (m->memory)
		dma_memory_free(m->memory);
	kvfree(m->notify);
	kvfree(m);
}

/**
 * window_create() - a window beside the one that a mapping has
 * @m: the mapping
 * @first: its first page to be seen
 * @count: how many
 *
 * Return: the window, or NULL if there is no memory.
 */
struct window *window_create(struct mapping *m, u32 first, u32 count)
{
	size_t ops = mode->user_grants ? ops_size(count) : 0;
	struct window *w;

	w = kvmalloc(sizeof(*w) + ops + window_size(count), GFP_PROGRAM);
	if (!w)
		return NULL;

	memset(w, 0, sizeof(*w));
	w->ops.map = (void *)(w + 1);
	window_init(w, m, first, count, (void *)w->ops.map + ops);

	return w;
}

void window_free(struct window *w)
{
	mutex_destroy(&w->lock);
	kvfree(w);
}

/**
 * window_show() - show a mapping's pages in a VMA
 * @w: a window of a mapping that is mapped
 * @vma: as mmap was called with
 *
 * Return: 0 or a negative errno, and then nothing is shown.
 */
int window_show(struct window *w, struct vm_area_struct *vma)
{
	int err;

	w->start = vma->vm_start;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | mode->vm_flags);
	if (!w->writable)
		vm_flags_clear(vma, VM_MAYWRITE);

	err = mode->attach(w, vma);
	if (!err)
		vma->vm_private_data = w;

	return err;
}

/**
 * window_open() - a VMA of a dma-buf has been copied, by fork or by mremap
 * @vma: the new one
 *
 * The kernel holds the dma-buf for it.
 */
void window_open(struct vm_area_struct *vma)
{
	struct window *w = vma->vm_private_data;

	/* The hypervisor knows the first one's entries only. */
	if (mode->user_grants) {
		vma->vm_private_data = NULL;
		vma_leave_userfaultfd(vma);
	} else {
		refcount_inc(&w->vmas);
	}
}

/* A VMA of a dma-buf goes: munmap or exit. */
void window_close(struct vm_area_struct *vma)
{
	struct window *w = vma->vm_private_data;

	if (!w || !refcount_dec_and_test(&w->vmas))
		return;

	mode->detach(w);
	window_free(w);
}

/*
 * The range to map, in state MAPPING; or an ERR_PTR. Gives a kept mapping with
 * it, if there is one.
 */
static struct grant_range *range_claim(struct instance *inst, u64 index,
				       unsigned long pages, bool writable,
				       struct mapping **kept)
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
	*kept = keep_take(&inst->keep, range->count);
	mutex_unlock(&inst->lock);

	return range;

refuse:
	mutex_unlock(&inst->lock);
	return ERR_PTR(-EINVAL);
}

/* Ends what range_claim() or munmap began; @idle is what the range has left. */
static void range_settle(struct instance *inst, struct grant_range *range,
			 enum range_state state, struct mapping *idle)
{
	LIST_HEAD(unwanted);

	mutex_lock(&inst->lock);
	range->vmas = state == RANGE_MAPPED;
	range_enter(inst, range, state);
	if (idle)
		keep_put(&inst->keep, idle, &unwanted);
	mutex_unlock(&inst->lock);

	keep_free(&unwanted);
}

/* A kept mapping is as good as new. */
static void mapping_renew(struct mapping *m, struct grant_range *range)
{
	m->grants = range->grants;
	m->writable = range->writable;
	m->window.writable = range->writable;
	m->held = m->count;
	atomic_long_add(m->count, &counters.mapped);
}

/*
 * Maps the range's grants and shows them in the VMA; all of them or none, and
 * then *m is what is left, if anything.
 */
static int mapping_make(struct instance *inst, struct grant_range *range,
			struct vm_area_struct *vma, struct mapping **m)
{
	int err = 0;

	if (*m)
		mapping_renew(*m, range);
	else
		*m = mapping_create(range->grants, range->count,
				    range->writable, 0);
	if (!*m)
		return -ENOMEM;
	(*m)->range = range;
	(*m)->inst = inst;

	/* Entries that are grant mappings, if there are any, will do. */
	if (!mode->user_grants || !(vma->vm_flags & VM_ACCESS_FLAGS))
		err = grants_map(*m);
	if (!err)
		err = window_show(&(*m)->window, vma);
	if (err) {
		*m = retire_idle(*m);
		return err;
	}
	vma->vm_ops = mode->vm_ops;

	return 0;
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
	struct mapping *m;
	u64 index = (u64)vma->vm_pgoff << PAGE_SHIFT;
	bool writable = vma->vm_flags & VM_WRITE;
	int err;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	range = range_claim(inst, index, vma_pages(vma), writable, &m);
	if (IS_ERR(range))
		return PTR_ERR(range);

	err = mapping_make(inst, range, vma, &m);
	trace_gntdev_mmap(index, range->count, writable, err);
	if (err) {
		range_settle(inst, range, RANGE_INSERTED, m);
	} else {
		atomic_inc(&inst->vmas);
		range_settle(inst, range, RANGE_MAPPED, NULL);
	}

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
	struct window *w = vma->vm_private_data;

	atomic_inc(&inst->vmas);
	if (!w)
		return;

	/* The hypervisor knows the parent's entries only. */
	if (mode->user_grants) {
		vma->vm_private_data = NULL;
		vma_leave_userfaultfd(vma);
		return;
	}

	mutex_lock(&inst->lock);
	w->mapping->range->vmas++;
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
		range->clears = false;
	}
	mutex_unlock(&inst->lock);

	return last;
}

/* munmap or exit. */
void mapping_close(struct vm_area_struct *vma)
{
	struct instance *inst = vma->vm_file->private_data;
	struct window *w = vma->vm_private_data;
	struct mapping *m = w ? w->mapping : NULL;
	struct grant_range *range;

	atomic_dec(&inst->vmas);
	if (!m || !range_drop_vma(inst, m))
		return;

	range = m->range;
	trace_gntdev_munmap(range->index, range->count);
	if (m->notify)
		notify_clear_bytes(m);
	mode->detach(w);
	m = retire_idle(m);
	if (m) {
		kvfree(m->notify);
		m->notify = NULL;
	}
	range_settle(inst, range, RANGE_INSERTED, m);
}

/* A range is one thing to the hypervisor and to the header: no parts of it. */
int mapping_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

/* The page behind a user address; NULL where the VMA shows none. */
struct page *mapping_page(struct vm_area_struct *vma, unsigned long addr)
{
	struct window *w = vma->vm_private_data;

	if (!w)
		return NULL;

	return w->mapping
		->pages[w->first + ((addr - vma->vm_start) >> PAGE_SHIFT)];
}

static int mapping_lookup(struct file *file, u64 vaddr,
			  struct ioctl_gntdev_get_offset_for_vaddr *op)
{
	struct vm_area_struct *vma;
	struct grant_range *range;
	int err = -EINVAL;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, vaddr);
	/* Only where vm_ops are ours is private data a range's window. */
	if (vma && vma->vm_start == vaddr && vma->vm_ops == mode->vm_ops &&
	    vma->vm_file == file && vma->vm_private_data) {
		range = ((struct window *)vma->vm_private_data)->mapping->range;
		op->offset = range->index;
		op->count = range->count;
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
