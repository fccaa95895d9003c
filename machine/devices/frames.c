// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Other domains' memory without grants: a program of domain 0 maps /dev/xen/privcmd,
 * and asks that frames be shown there, by their numbers. A domain's frames are all
 * that it has for grants, from 0 on, as an auto-translated one's are.
 */
#include <stdlib.h>

#include <linux/ioctl.h>

#include "devices.h"
#include "../kernel/context.h"
#include "../kernel/user.h"
#include "../kernel/vm.h"
#include "../xen/xen.h"

/* What both versions of the request begin with; the first has no errors. */
struct privcmd_batch {
	u32 count;
	u16 domid;
	u64 at;
	u64 frames;
	u64 errors;
};
#define BATCH_V1_SIZE offsetof(struct privcmd_batch, errors)
_Static_assert(BATCH_V1_SIZE == _IOC_SIZE(PRIVCMD_MMAPBATCH) &&
		       sizeof(struct privcmd_batch) ==
			       _IOC_SIZE(PRIVCMD_MMAPBATCH_V2),
	       "as the kernel has them");

/* What the first version has in the number of a frame that is not shown. */
#define NOT_SHOWN 0xf0000000ull

/* A batch holds all that the program's memory has space for. */
#define MOST_FRAMES (1u << 24)

/* ---- the mapping ---- */

static vm_fault_t frames_fault(struct vm_fault *vmf)
{
	(void)vmf;

	return VM_FAULT_SIGBUS;
}

static int frames_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	(void)vma;
	(void)addr;

	return -EINVAL;
}

static const struct vm_operations_struct frames_ops = {
	.fault = frames_fault,
	.may_split = frames_may_split,
};

int frames_mmap(struct file *file, struct vm_area_struct *vma)
{
	(void)file;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND |
				  VM_DONTDUMP);
	vma->vm_ops = &frames_ops;

	return 0;
}

/* ---- a batch ---- */

/* The first one is of the whole mapping, others are of what it has left out. */
static int check_place(const struct vm_area_struct *vma,
		       const struct privcmd_batch *batch)
{
	u64 end = batch->at + (u64)batch->count * PAGE_SIZE, i;

	if (!vma || vma->vm_ops != &frames_ops || batch->at & ~PAGE_MASK ||
	    batch->at < vma->vm_start || end > vma->vm_end)
		return -EINVAL;
	if (!vma->vm_private_data)
		return batch->at == vma->vm_start && end == vma->vm_end
			       ? 0
			       : -EINVAL;
	for (i = batch->at; i < end; i += PAGE_SIZE) {
		if (!pte_none(vma->ptes[(i - vma->vm_start) >> PAGE_SHIFT]))
			return -EINVAL;
	}

	return 0;
}

static int show_frame(struct vm_area_struct *vma, u64 at, u16 domid, u64 frame)
{
	const struct domain *caller = vma->vm_file->domain;
	struct domain *owner;
	int err;

	if (domid == DOMID_SELF)
		domid = caller->id;
	/* Where the kernel's memory is not the hypervisor's to show. */
	if (domid == caller->id && machine_mode() != MACHINE_PV)
		return -EINVAL;
	err = domain_show_frame(domid, frame, &owner);
	if (!err)
		vma_set_frame(vma, (at - vma->vm_start) >> PAGE_SHIFT, owner,
			      frame);

	return err;
}

static int show_all(const struct privcmd_batch *batch, const u64 *frames,
		    int *errors)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int err;
	u32 i;

	down_write(&mm->mmap_lock);
	vma = find_vma(mm, batch->at);
	err = check_place(vma, batch);
	if (!err) {
		/* Something has been asked for: it is in use. */
		vma->vm_private_data = (void *)&frames_ops;
		for (i = 0; i < batch->count; i++)
			errors[i] = show_frame(vma, batch->at + i * PAGE_SIZE,
					       batch->domid, frames[i]);
	}
	up_write(&mm->mmap_lock);

	return err;
}

/* What became of each: in an array of its own, or in the frame's number. */
static bool tell(const struct privcmd_batch *batch, u64 *frames,
		 const int *errors)
{
	u32 i;

	if (batch->errors)
		return user_write(current, batch->errors, errors,
				  batch->count * sizeof(*errors));
	for (i = 0; i < batch->count; i++) {
		frames[i] &= ~NOT_SHOWN;
		frames[i] |= errors[i] ? NOT_SHOWN : 0;
	}

	return user_write(current, batch->frames, frames,
			  batch->count * sizeof(*frames));
}

static long show_read(const struct privcmd_batch *batch, u64 *frames,
		      int *errors)
{
	long err;

	if (!user_read(current, frames, batch->frames,
		       batch->count * sizeof(*frames)))
		return -EFAULT;
	if (batch->errors && !tell(batch, frames, errors))
		return -EFAULT;
	err = show_all(batch, frames, errors);
	if (!err && !tell(batch, frames, errors))
		err = -EFAULT;

	return err;
}

static long show(const struct privcmd_batch *batch)
{
	u64 *frames;
	int *errors;
	long err = -ENOMEM;

	if (!batch->count || batch->count > MOST_FRAMES)
		return -EINVAL;
	frames = calloc(batch->count, sizeof(*frames));
	errors = calloc(batch->count, sizeof(*errors));
	if (frames && errors)
		err = show_read(batch, frames, errors);
	free(frames);
	free(errors);

	return err;
}

long frames_ioctl(unsigned int cmd, u64 arg, long restricted_to)
{
	struct privcmd_batch batch = {0};

	if (!user_read(current, &batch, arg, _IOC_SIZE(cmd)))
		return -EFAULT;
	/* No array of the second version's is at 0. */
	if (cmd == PRIVCMD_MMAPBATCH_V2 && !batch.errors)
		return -EFAULT;
	if (restricted_to >= 0 && batch.domid != restricted_to)
		return -EPERM;

	return show(&batch);
}
