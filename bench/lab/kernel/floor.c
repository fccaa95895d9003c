// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The floor: what the hypervisor alone costs for what the grant device does.
 * Operations are prepared; then a meter runs around one hypercall each for all
 * that is to be mapped, unmapped or copied.
 */
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/interface/grant_table.h>
#include <xen/page.h>
#include <xen/xen.h>

#include <asm/xen/hypercall.h>

#include "../floor.h"
#include "count.h"

#define MOST 4096U
#define USER_FLAGS                                                        \
	(GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_application_map | \
	 (1U << _GNTMAP_guest_avail0))

static bool counts; /* the meter counts hypercalls */

static u64 meter(void)
{
	return counts ? count_read() : ktime_get_ns();
}

/*
 * All that a measurement of maps needs. A grant is mapped once, as nothing less
 * gives a program its page: in a PV domain by an entry of the program's, in
 * another one under a page of the kernel's.
 */
struct maps {
	u32 pages;
	bool user; /* by entries */
	u32 *refs;
	u64 *ptes;
	struct page **page;
	struct gnttab_map_grant_ref *map;
	struct gnttab_unmap_grant_ref *unmap;
};

static int record_pte(pte_t *pte, unsigned long addr, void *data)
{
	u64 **next = data;

	*(*next)++ = arbitrary_virt_to_machine(pte).maddr;
	return 0;
}

static int find_ptes(struct maps *m, unsigned long addr)
{
	unsigned long size = (unsigned long)m->pages << PAGE_SHIFT;
	struct vm_area_struct *vma;
	u64 *next = m->ptes;
	int err = -EFAULT;

	mmap_write_lock(current->mm);
	vma = find_vma(current->mm, addr);
	if (vma && vma->vm_flags & VM_PFNMAP && vma->vm_start <= addr &&
	    vma->vm_end - addr >= size)
		err = apply_to_page_range(current->mm, addr, size, record_pte,
					  &next);
	mmap_write_unlock(current->mm);

	return err;
}

static u64 map_addr(const struct maps *m, u32 i)
{
	return m->user ? m->ptes[i] : (unsigned long)page_address(m->page[i]);
}

static void prepare_map(struct maps *m)
{
	u32 i;

	for (i = 0; i < m->pages; i++)
		gnttab_set_map_op(&m->map[i], map_addr(m, i),
				  m->user ? USER_FLAGS : GNTMAP_host_map,
				  m->refs[i], 0);
}

static void prepare_unmap(struct maps *m)
{
	u32 i;

	for (i = 0; i < m->pages; i++)
		gnttab_set_unmap_op(&m->unmap[i], m->map[i].host_addr,
				    m->map[i].flags, m->map[i].handle);
}

static int check_maps(const struct maps *m)
{
	u32 i;

	for (i = 0; i < m->pages; i++) {
		if (m->map[i].status != GNTST_okay) {
			pr_err("gntdev-floor: map %u of %u: status %d\n", i,
			       m->pages, m->map[i].status);
			return -EIO;
		}
	}

	return 0;
}

static int measure_maps(struct maps *m, struct floor_map *op)
{
	u64 begun;
	u32 i;

	prepare_map(m);
	begun = meter();
	(void)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, m->map,
					m->pages);
	op->map = meter() - begun;

	/* Half a mapping is left alone: the lab's machine ends soon. */
	if (check_maps(m))
		return -EIO;

	prepare_unmap(m);
	begun = meter();
	(void)HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, m->unmap,
					m->pages);
	op->unmap = meter() - begun;

	for (i = 0; i < m->pages; i++) {
		if (m->unmap[i].status != GNTST_okay)
			return -EIO;
	}

	return 0;
}

static void free_maps(struct maps *m)
{
	kvfree(m->refs);
	kvfree(m->ptes);
	kvfree(m->page);
	kvfree(m->map);
	kvfree(m->unmap);
}

static int alloc_maps(struct maps *m)
{
	m->refs = kvcalloc(m->pages, sizeof(*m->refs), GFP_KERNEL);
	m->ptes = kvcalloc(m->pages, sizeof(*m->ptes), GFP_KERNEL);
	m->page = kvcalloc(m->pages, sizeof(*m->page), GFP_KERNEL);
	m->map = kvcalloc(m->pages, sizeof(*m->map), GFP_KERNEL);
	m->unmap = kvcalloc(m->pages, sizeof(*m->unmap), GFP_KERNEL);

	return m->refs && m->ptes && m->page && m->map && m->unmap ? 0
								   : -ENOMEM;
}

/* All that a program has said, and pages. */
static int begin_maps(struct maps *m, const struct floor_map *op)
{
	int err;

	*m = (struct maps){
		.pages = op->count,
		.user = !xen_feature(XENFEAT_auto_translated_physmap),
	};

	if (!op->count || op->count > MOST)
		return -EINVAL;

	err = alloc_maps(m);
	if (!err && copy_from_user(m->refs, u64_to_user_ptr(op->refs),
				   m->pages * sizeof(*m->refs)))
		err = -EFAULT;
	if (!err && m->user)
		err = find_ptes(m, op->addr);
	if (!err)
		err = gnttab_alloc_pages(m->pages, m->page);
	if (err)
		free_maps(m);

	return err;
}

static int floor_map(struct floor_map *op)
{
	struct maps m;
	int err = begin_maps(&m, op);

	if (err)
		return err;
	err = measure_maps(&m, op);
	/* Where frames are still behind pages, nobody may have them. */
	if (!err)
		gnttab_free_pages(m.pages, m.page);
	free_maps(&m);

	return err;
}

/* Of one program at a time: the bench. */
static struct maps ready;
static bool turned;

static int floor_ready(const struct floor_map *op)
{
	struct maps m;
	int err = ready.pages ? -EBUSY : begin_maps(&m, op);

	if (err)
		return err;
	prepare_map(&m);
	ready = m;
	turned = false;

	return 0;
}

static int floor_call(void)
{
	if (turned)
		return HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref,
						 ready.unmap, ready.pages);
	return HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ready.map,
					 ready.pages);
}

static int floor_turn(void)
{
	int err = check_maps(&ready);

	if (!err)
		prepare_unmap(&ready);
	turned = !err;

	return err;
}

static int floor_drop(void)
{
	u32 i;

	for (i = 0; i < ready.pages; i++) {
		if (ready.unmap[i].status != GNTST_okay)
			return -EIO;
	}
	gnttab_free_pages(ready.pages, ready.page);
	free_maps(&ready);
	ready.pages = 0;

	return 0;
}

static void prepare_copy(struct gnttab_copy *op, const struct floor_copy *ask,
			 u32 ref, const u8 *local)
{
	struct gnttab_copy_ptr *near = &op->source, *far = &op->dest;

	op->flags = GNTCOPY_dest_gref;
	if (!ask->to_grant) {
		swap(near, far);
		op->flags = GNTCOPY_source_gref;
	}
	near->u.gmfn = virt_to_gfn(local);
	near->domid = DOMID_SELF;
	near->offset = offset_in_page(local);
	far->u.ref = ref;
	far->domid = 0;
	far->offset = 0;
	op->len = ask->bytes;
	op->status = 1;
}

static int measure_copy(struct floor_copy *ask, struct gnttab_copy *ops,
			const u32 *refs, const u8 *memory)
{
	u64 begun;
	u32 i;

	for (i = 0; i < ask->count; i++)
		prepare_copy(&ops[i], ask, refs[i], memory + i * ask->bytes);

	begun = meter();
	(void)HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, ask->count);
	ask->copy = meter() - begun;

	for (i = 0; i < ask->count; i++) {
		if (ops[i].status != GNTST_okay)
			return -EIO;
	}

	return 0;
}

static int floor_copy(struct floor_copy *ask)
{
	struct gnttab_copy *ops;
	unsigned int order;
	u32 *refs;
	u8 *memory;
	int err = -ENOMEM;

	/* No operation may cross a page: sizes that divide it see to that. */
	if (!ask->count || ask->count > 1024 || !is_power_of_2(ask->bytes) ||
	    ask->bytes > PAGE_SIZE)
		return -EINVAL;

	order = get_order(ask->count * PAGE_SIZE);
	refs = kvcalloc(ask->count, sizeof(*refs), GFP_KERNEL);
	ops = kvcalloc(ask->count, sizeof(*ops), GFP_KERNEL);
	memory = (u8 *)__get_free_pages(GFP_KERNEL, order);
	if (!refs || !ops || !memory)
		goto free;

	err = -EFAULT;
	if (!copy_from_user(refs, u64_to_user_ptr(ask->refs),
			    ask->count * sizeof(*refs)))
		err = measure_copy(ask, ops, refs, memory);
free:
	free_pages((unsigned long)memory, order);
	kvfree(ops);
	kvfree(refs);
	return err;
}

static long request(unsigned int cmd, void __user *arg)
{
	struct floor_copy copy;
	struct floor_map map;
	u64 calls;
	int err;

	switch (cmd) {
	case FLOOR_MAP:
		if (copy_from_user(&map, arg, sizeof(map)))
			return -EFAULT;
		err = floor_map(&map);
		return err
			       ?: copy_to_user(arg, &map, sizeof(map)) ? -EFAULT
								       : 0;
	case FLOOR_COPY:
		if (copy_from_user(&copy, arg, sizeof(copy)))
			return -EFAULT;
		err = floor_copy(&copy);
		return err
			       ?: copy_to_user(arg, &copy, sizeof(copy))
				  ? -EFAULT
				  : 0;
	case FLOOR_COUNT:
		err = count_start();
		counts = !err;
		return err;
	case FLOOR_CALLS:
		calls = count_read();
		return put_user(calls, (u64 __user *)arg) ? -EFAULT : 0;
	case FLOOR_NOTHING:
		return 0;
	case FLOOR_READY:
		if (copy_from_user(&map, arg, sizeof(map)))
			return -EFAULT;
		return floor_ready(&map);
	case FLOOR_CALL:
		return floor_call();
	case FLOOR_TURN:
		return floor_turn();
	case FLOOR_DROP:
		return floor_drop();
	default:
		return -ENOTTY;
	}
}

static long floor_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return request(cmd, (void __user *)arg);
}

/* Pages of the program without anything behind them, for entries to go to. */
static int floor_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_flags |= VM_PFNMAP | VM_IO | VM_DONTCOPY | VM_DONTEXPAND;
	return 0;
}

static const struct file_operations floor_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = floor_ioctl,
	.mmap = floor_mmap,
};

static struct miscdevice floor_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gntdev-floor",
	.fops = &floor_fops,
};

static int __init floor_init(void)
{
	return misc_register(&floor_device);
}

static void __exit floor_exit(void)
{
	misc_deregister(&floor_device);
	count_stop();
}

module_init(floor_init);
module_exit(floor_exit);

MODULE_DESCRIPTION("Bench: what the hypervisor alone costs");
MODULE_LICENSE("GPL");
