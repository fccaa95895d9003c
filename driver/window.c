// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Windows: the part of a mapping that a VMA, or the kernel, sees. */
#include "gntdev.h"

/* What a window's arrays take. */
size_t gntdev_window_size(u32 count)
{
	if (!gntdev_mode->user_grants)
		return 0;

	return count * (sizeof(u64) + sizeof(grant_handle_t));
}

/* For how many operations of one hypercall it has room. */
u32 gntdev_window_room(u32 count)
{
	return gntdev_mode->user_grants ? min(count, GNTDEV_BATCH) : 0;
}

/* No entry is there. 0 is a valid handle: INVALID_GRANT_HANDLE is all ones. */
void gntdev_window_forget(struct window *w)
{
	if (gntdev_mode->user_grants)
		memset(w->handles, 0xff, w->count * sizeof(grant_handle_t));
}

void gntdev_window_init(struct window *w, struct mapping *m, u32 first,
			u32 count, void *arrays)
{
	w->mapping = m;
	w->first = first;
	w->count = count;
	refcount_set(&w->vmas, 1);
	mutex_init(&w->lock);

	if (!gntdev_mode->user_grants)
		return;
	w->ptes = arrays;
	w->handles = (void *)(w->ptes + count);
	gntdev_window_forget(w);
}

/**
 * gntdev_window_create() - a window beside the one that a mapping has
 * @m: the mapping
 * @first: its first page to be seen
 * @count: how many
 *
 * Return: the window, or NULL if there is no memory.
 */
struct window *gntdev_window_create(struct mapping *m, u32 first, u32 count)
{
	struct window *w;
	size_t ops = gntdev_window_room(count) * sizeof(*w->ops.map);

	w = gntdev_memory_for_program(sizeof(*w) + ops +
				      gntdev_window_size(count));
	if (!w)
		return NULL;

	memset(w, 0, sizeof(*w));
	w->ops.map = (void *)(w + 1);
	gntdev_window_init(w, m, first, count, (void *)w->ops.map + ops);

	return w;
}

void gntdev_window_free(struct window *w)
{
	if (w->exported)
		gntdev_export_give_window(w->exported, w->count);
	mutex_destroy(&w->lock);
	kvfree(w);
}

/**
 * gntdev_window_attach() - have a VMA show a window
 * @w: the window
 * @vma: as mmap was called with
 * @attach: of the mode, what is to be done to it
 *
 * Return: 0 or a negative errno, and then nothing is shown.
 */
int gntdev_window_attach(struct window *w, struct vm_area_struct *vma,
			 int (*attach)(struct window *w,
				       struct vm_area_struct *vma))
{
	int err;

	w->start = vma->vm_start;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | gntdev_mode->vm_flags);
	if (!w->writable)
		vm_flags_clear(vma, VM_MAYWRITE);

	err = attach(w, vma);
	if (!err)
		vma->vm_private_data = w;

	return err;
}

/* The same for one of a mapping that is mapped, whose pages are shown. */
int gntdev_window_show(struct window *w, struct vm_area_struct *vma)
{
	return gntdev_window_attach(w, vma, gntdev_mode->attach);
}

/**
 * gntdev_window_open() - a VMA of a dma-buf has been copied, by fork or by mremap
 * @vma: the new one
 *
 * The kernel holds the dma-buf for it.
 */
void gntdev_window_open(struct vm_area_struct *vma)
{
	struct window *w = vma->vm_private_data;

	/* The hypervisor knows the first one's entries only. */
	if (gntdev_mode->user_grants) {
		vma->vm_private_data = NULL;
		vma_leave_userfaultfd(vma);
	} else {
		refcount_inc(&w->vmas);
	}
}

/* A VMA of a dma-buf goes: munmap or exit. */
void gntdev_window_close(struct vm_area_struct *vma)
{
	struct window *w = vma->vm_private_data;

	if (!w || !refcount_dec_and_test(&w->vmas))
		return;

	gntdev_mode->detach(w);
	gntdev_window_free(w);
}
