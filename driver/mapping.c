// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mappings: what mmap makes of a range, and what munmap leaves. */
#include "gntdev.h"
#include "tally.h"
#include "trace.h"

/* The mapping, with room for a hypercall and what is answered to it; its arrays. */
static struct mapping *mapping_alloc(u32 count, bool visible)
{
	size_t page = sizeof(struct page *) + sizeof(grant_handle_t);
	size_t window = visible ? gntdev_window_size(count) : 0;
	size_t statuses = visible ? min(count, GNTDEV_BATCH) * sizeof(s16) : 0;
	u32 room = max(visible ? gntdev_window_room(count) : 0,
		       min(count, GNTDEV_FEW));
	struct mapping *m;
	size_t head =
		round_up(sizeof(*m) + room * sizeof(*m->ops.map) + statuses,
			 sizeof(struct page *));
	void *apart;

	m = gntdev_memory_with_array(head, count * page + window, &apart);
	if (!m)
		return NULL;

	/* The largest members first, so that each array is aligned. */
	memset(m, 0, sizeof(*m));
	spin_lock_init(&m->lock);
	m->count = count;
	m->apart = apart;
	m->room = room;
	m->ops.map = (void *)(m + 1);
	m->statuses = (void *)(m->ops.map + room);
	m->pages = apart ?: (void *)m + head;
	m->handles = (void *)(m->pages + count) + window;
	memset(m->pages, 0, count * sizeof(m->pages[0]));
	memset(m->handles, 0xff, count * sizeof(grant_handle_t));
	m->missing = count;
	gntdev_window_init(&m->window, m, 0, visible ? count : 0,
			   m->pages + count);
	m->window.ops = m->ops;

	return m;
}

static void mapping_release(struct mapping *m)
{
	mutex_destroy(&m->window.lock);
	kvfree(m->apart);
	kvfree(m);
}

/**
 * gntdev_mapping_create() - a mapping with pages, of which none is mapped yet
 * @count: how many
 * @dma_flags: GNTDEV_DMA_FLAG_* for what memory the pages are to be
 *
 * Return: the mapping, or NULL if there is no memory.
 */
struct mapping *gntdev_mapping_create(u32 count, u32 dma_flags)
{
	struct mapping *m = mapping_alloc(count, true);
	int err;

	if (!m)
		return NULL;

	if (dma_flags)
		err = gntdev_dma_memory_alloc(m, dma_flags);
	else
		err = gnttab_alloc_pages(count, m->pages);
	if (err) {
		m->count = 0; /* no page is there to be given back */
		gntdev_mapping_free(m);
		return NULL;
	}
	m->missing = 0;

	return m;
}

/**
 * gntdev_mapping_begin() - say what a mapping is to map
 * @m: a mapping that has all of its pages, of which none is mapped
 * @grants: as many; they outlive the mapping, or what retires of it does not ask
 * @writable: how
 */
void gntdev_mapping_begin(struct mapping *m,
			  const struct ioctl_gntdev_grant_ref *grants,
			  bool writable)
{
	WARN_ON_ONCE(m->held || m->missing);

	m->okay = 0;
	m->answered = 0;

	m->grants = grants;
	m->writable = writable;
	m->window.writable = writable;
	m->held = m->count;
	m->restores = gntdev_restores;
	atomic_long_add(m->count, &gntdev_counters.mapped);
}

/* After gntdev_grants_unmap(): a page that somebody else still uses. */
bool gntdev_mapping_holds(const struct mapping *m, u32 i)
{
	return m->pages[i] && m->handles[i] != INVALID_GRANT_HANDLE;
}

/* Room for the pages that are held, and for what is known of them; or NULL. */
static struct mapping *mapping_rest(const struct mapping *m)
{
	struct mapping *rest = mapping_alloc(m->held, false);

	if (!rest)
		return NULL;

	if (m->notify)
		rest->notify = gntdev_memory_for_program(
			array_size(m->held, sizeof(rest->notify[0])));
	if (m->memory)
		rest->memory = gntdev_dma_memory_like(m->memory, m->held);
	if (!m->notify == !rest->notify && !m->memory == !rest->memory)
		return rest;

	gntdev_dma_memory_free(rest->memory);
	kvfree(rest->notify);
	mapping_release(rest);
	return NULL;
}

/**
 * gntdev_mapping_split() - part the pages that are still used from a mapping
 * @m: a mapping after gntdev_grants_unmap(), which nobody sees
 *
 * Return: a mapping of those pages alone, with what is to be told of them, while
 * they are missing in @m; or NULL if there is no memory for that.
 */
struct mapping *gntdev_mapping_split(struct mapping *m)
{
	struct mapping *rest = mapping_rest(m);
	u32 i, n = 0;

	if (!rest)
		return NULL;

	for (i = 0; i < m->count; i++) {
		if (!gntdev_mapping_holds(m, i))
			continue;
		swap(rest->pages[n], m->pages[i]);
		swap(rest->handles[n], m->handles[i]);
		if (m->memory)
			gntdev_dma_memory_move(rest->memory, n, m->memory, i);
		if (m->notify) {
			rest->notify[n] = m->notify[i];
			m->notify[i].action = 0;
		}
		n++;
	}
	rest->missing = 0;
	rest->held = n;
	rest->restores = m->restores;
	m->missing += n;
	m->held = 0;

	return rest;
}

/* Frees a mapping of which no page is held. */
void gntdev_mapping_free(struct mapping *m)
{
	WARN_ON_ONCE(m->held);
	gntdev_grants_free_pages(m);
	gntdev_dma_memory_free(m->memory);
	kvfree(m->notify);
	mapping_release(m);
}

/* The range to map, in state MAPPING; or an ERR_PTR. */
static struct grant_range *range_claim(struct instance *inst, u64 index,
				       unsigned long pages, bool writable)
{
	struct grant_range *range;

	mutex_lock(&inst->lock);
	range = gntdev_range_find(inst, index);
	if (!range || range->index != index || range->count != pages ||
	    range->state != RANGE_INSERTED || range->lent)
		goto refuse;
	/* The byte is cleared through a mapping that must allow it. */
	if (!writable && gntdev_notify_clears(range))
		goto refuse;

	range->writable = writable;
	holder_set(&range->holder);
	gntdev_range_enter(inst, range, RANGE_MAPPING);
	mutex_unlock(&inst->lock);

	return range;

refuse:
	mutex_unlock(&inst->lock);
	return ERR_PTR(-EINVAL);
}

/* Ends what range_claim() began. */
static void range_settle(struct instance *inst, struct grant_range *range,
			 enum range_state state)
{
	mutex_lock(&inst->lock);
	range->vmas = state == RANGE_MAPPED;
	gntdev_range_enter(inst, range, state);
	mutex_unlock(&inst->lock);
}

/* Of a page that a program sees, and the kernel maybe beside it. */
static u32 handles_needed(const struct grant_range *range)
{
	return gntdev_mode->user_grants ? 2 * range->count : range->count;
}

/* What retired of an earlier mapping of the range is missing in its mapping. */
static int range_complete(struct grant_range *range)
{
	int err;

	if (!range->mapping)
		range->mapping = mapping_alloc(range->count, true);
	if (!range->mapping)
		return -ENOMEM;

	if (!range->mapping->missing)
		return 0;

	err = gntdev_memory_add_pages(range->mapping);
	/* An entry that was lost is not this one's any more. */
	if (!err)
		gntdev_window_forget(&range->mapping->window);

	return err;
}

/* Maps the range's grants and shows them in the VMA; all of them or none. */
static int range_show(struct instance *inst, struct grant_range *range,
		      struct vm_area_struct *vma)
{
	int err = range_complete(range);
	struct mapping *m = range->mapping;

	if (err)
		return err;
	m->range = range;
	m->holder = &range->holder;
	m->inst = inst;
	if (range->area) {
		err = gntdev_area_show(range, vma);
		if (!err)
			vma_set_file(vma, inst->vma_file);
		return err;
	}
	gntdev_mapping_begin(m, range->grants, range->writable);

	/* Entries that are grant mappings, if there are any, will do. */
	if (!gntdev_mode->user_grants || !(vma->vm_flags & VM_ACCESS_FLAGS))
		err = gntdev_grants_map(m);
	if (!err)
		err = gntdev_window_show(&m->window, vma);
	if (err) {
		range->mapping = gntdev_retire_pages(m);
		return err;
	}

	m->okay = m->count;
	vma->vm_ops = gntdev_mode->vm_ops;
	vma_set_file(vma, inst->vma_file);

	return 0;
}

static int range_mmap(struct instance *inst, u64 index,
		      struct vm_area_struct *vma)
{
	bool writable = vma->vm_flags & VM_WRITE;
	struct grant_range *range;
	int err;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	range = range_claim(inst, index, vma_pages(vma), writable);
	if (IS_ERR(range))
		return PTR_ERR(range);

	err = gntdev_instance_take_handles(inst, handles_needed(range));
	if (!err) {
		err = range_show(inst, range, vma);
		if (err)
			gntdev_instance_give_handles(inst,
						     handles_needed(range));
		else if (!range->area)
			tally_add(inst, maps, range->count);
	}
	range_settle(inst, range, err ? RANGE_INSERTED : RANGE_MAPPED);

	return err;
}

/**
 * gntdev_mapping_mmap() - mmap of the device
 * @file: the instance
 * @vma: offset and length must be exactly those of one range
 *
 * A VMA without write permission is mapped read-only in the hypervisor and
 * cannot be made writable later.
 *
 * Return: 0; -EINVAL for a private VMA, an offset and length of no range, a
 * range that is mmapped, a read-only VMA with CLEAR_BYTE armed, a reference
 * that the granter does not grant; -ENOMEM, also for the hypervisor's limits
 * and for more handles than the instance's share; -EINTR if a fatal signal is
 * pending. Nothing is mapped on failure.
 */
int gntdev_mapping_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct instance *inst = file->private_data;
	u64 index = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 begun;
	int err;

	if (!trace_gntdev_mmap_enabled())
		return range_mmap(inst, index, vma);

	begun = ktime_get_ns();
	err = range_mmap(inst, index, vma);
	gntdev_traced_mmap(inst, index, vma_pages(vma),
			   vma->vm_flags & VM_WRITE, err,
			   ktime_get_ns() - begun);

	return err;
}

/**
 * gntdev_mapping_area() - where a mapping may go
 * @file: one of the instance's
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
unsigned long gntdev_mapping_area(struct file *file, unsigned long addr,
				  unsigned long len, unsigned long pgoff,
				  unsigned long flags)
{
	struct instance *inst = file->private_data;
	struct grant_range *range;
	bool mapped;

	mutex_lock(&inst->lock);
	range = gntdev_range_find(inst, (u64)pgoff << PAGE_SHIFT);
	mapped = range && range->state != RANGE_INSERTED;
	mutex_unlock(&inst->lock);

	if (mapped)
		return -EINVAL;

	return mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags);
}

/* A fork's VMA (of others, may_split and gntdev_mapping_area see to it). */
void gntdev_mapping_open(struct vm_area_struct *vma)
{
	struct instance *inst = vma->vm_file->private_data;
	struct window *w = vma->vm_private_data;

	if (!w)
		return;

	/* The hypervisor knows the parent's entries only. */
	if (gntdev_mode->user_grants) {
		vma->vm_private_data = NULL;
		vma_leave_userfaultfd(vma);
		return;
	}

	mutex_lock(&inst->lock);
	w->mapping->range->vmas++;
	mutex_unlock(&inst->lock);
}

/* The range's notifications are spent by its end; the instance's lock is held. */
void gntdev_mapping_take_notify(struct mapping *m)
{
	struct grant_range *range = m->range;

	lockdep_assert_held(&m->inst->lock);

	m->notify = range->notify;
	range->notify = NULL;
	range->clears = false;
}

/* Whether this was the range's last VMA; then its notifications are taken. */
static bool range_drop_vma(struct instance *inst, struct mapping *m)
{
	struct grant_range *range = m->range;
	bool last;

	mutex_lock(&inst->lock);
	last = --range->vmas == 0;
	if (last)
		gntdev_range_enter(inst, range, RANGE_UNMAPPING);
	/* Of an area, when no request has a slot any more. */
	if (last && !range->area)
		gntdev_mapping_take_notify(m);
	mutex_unlock(&inst->lock);

	return last;
}

/*
 * Where the range is from now on. Without a descriptor nobody can ask for it any
 * more. mmap_lock is held, so its pages are not freed here: see range_prepare().
 */
static void range_unmapped(struct instance *inst, struct grant_range *range)
{
	bool gone;

	mutex_lock(&inst->lock);
	gone = inst->closed;
	range->holder.since = ktime_get_seconds();
	gntdev_range_enter(inst, range, gone ? RANGE_GONE : RANGE_INSERTED);
	mutex_unlock(&inst->lock);

	if (!gone)
		return;
	trace_gntdev_remove(range->index, range->count,
			    gntdev_range_first(range));
	if (range->mapping)
		gntdev_retire_soon(range->mapping);
	range->mapping = NULL;
	gntdev_range_free(range);
}

/* munmap or exit. */
void gntdev_mapping_close(struct vm_area_struct *vma)
{
	struct instance *inst = vma->vm_file->private_data;
	struct window *w = vma->vm_private_data;
	struct mapping *m = w ? w->mapping : NULL;
	struct grant_range *range;
	u32 mapped;

	if (!m || !range_drop_vma(inst, m))
		return;

	range = m->range;
	mapped = range->count;
	trace_gntdev_munmap(range->index, range->count,
			    gntdev_range_first(range));
	if (range->area)
		mapped = gntdev_area_close(m);
	gntdev_mode->detach(w);
	m = gntdev_retire_pages(m);
	if (m) {
		kvfree(m->notify);
		m->notify = NULL;
	}
	range->mapping = m;
	gntdev_instance_give_handles(inst, handles_needed(range));
	tally_add(inst, unmaps, mapped);
	range_unmapped(inst, range);
}

/* A range is one thing to the hypervisor and to the header: no parts of it. */
int gntdev_mapping_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

/* The page behind a user address; NULL where the VMA shows none. */
struct page *gntdev_mapping_page(struct vm_area_struct *vma, unsigned long addr)
{
	struct window *w = vma->vm_private_data;

	if (!w)
		return NULL;

	return w->mapping
		->pages[w->first + ((addr - vma->vm_start) >> PAGE_SHIFT)];
}

static int mapping_lookup(struct instance *inst, u64 vaddr,
			  struct ioctl_gntdev_get_offset_for_vaddr *op)
{
	struct vm_area_struct *vma;
	struct grant_range *range;
	int err = -EINVAL;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, vaddr);
	/* Only where vm_ops are ours is private data a range's window. */
	if (vma && vma->vm_start == vaddr &&
	    (vma->vm_ops == gntdev_mode->vm_ops ||
	     vma->vm_ops == gntdev_mode->area_vm_ops) &&
	    vma->vm_file->private_data == inst && vma->vm_private_data) {
		range = ((struct window *)vma->vm_private_data)->mapping->range;
		op->offset = range->index;
		op->count = range->count;
		err = 0;
	}
	mmap_read_unlock(current->mm);

	return err;
}

/**
 * gntdev_mapping_offset_request() - IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR
 * @inst: the instance
 * @arg: struct ioctl_gntdev_get_offset_for_vaddr
 *
 * Return: 0; -EINVAL if vaddr is not the start of a range that this instance
 * mapped into the calling process; -EFAULT.
 */
long gntdev_mapping_offset_request(struct instance *inst, void __user *arg)
{
	struct ioctl_gntdev_get_offset_for_vaddr op;
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.vaddr > ULONG_MAX)
		return -EINVAL;

	err = mapping_lookup(inst, op.vaddr, &op);
	if (err)
		return err;

	return copy_to_user(arg, &op, sizeof(op)) ? -EFAULT : 0;
}
