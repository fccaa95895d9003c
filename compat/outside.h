/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Everything that the driver's files know of the world outside them, when that
 * world is the Linux kernel. A build for another world puts another file of
 * this name in the search path; the driver's files stay as they are.
 *
 * Differences between kernel versions are settled here and in the other files
 * of this folder, and nowhere else.
 */
#ifndef GNTDEV_OUTSIDE_H
#define GNTDEV_OUTSIDE_H

#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/compat.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/refcount.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/userfaultfd_k.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <xen/events.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/xen.h>
#include <xen/mem-reservation.h>
#include <xen/page.h>
#include <xen/xen.h>

#include <asm/xen/hypercall.h>

#ifdef CONFIG_DMA_SHARED_BUFFER
#include <linux/dma-buf.h>
#endif

#include "../include/gntdev_version.h"
#include "../include/xen/gntdev.h"
#include "../include/xen/gntdev_more.h"
#include "frames.h"
#include "port.h"
#include "self.h"
#include "shrink.h"

/* Newer hypervisors say so when handles run out; Linux's header has no name. */
#ifndef GNTST_no_space
#define GNTST_no_space (-13)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma,
				  unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/*
 * Entries of a VMA that takes part in userfaultfd are copied by fork, whatever
 * kind of VMA it is; some kernels from 6.7 on let any take part. One that a fork
 * has just made, and that has no entries yet, is taken out of it.
 */
static inline void vma_leave_userfaultfd(struct vm_area_struct *vma)
{
#ifdef CONFIG_USERFAULTFD
	vma->vm_userfaultfd_ctx = NULL_VM_UFFD_CTX;
	vm_flags_clear(vma, __VM_UFFD_FLAGS);
#endif
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
static inline unsigned long
mm_get_unmapped_area(struct mm_struct *mm, struct file *file,
		     unsigned long addr, unsigned long len, unsigned long pgoff,
		     unsigned long flags)
{
	return mm->get_unmapped_area(file, addr, len, pgoff, flags);
}
#endif

/* It is the caller's memory that is meant, and no longer said so. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define mm_get_unmapped_area(mm, ...) mm_get_unmapped_area(__VA_ARGS__)
#endif

/* A newer name of the same; what has it is selected with the kernel's own driver. */
#ifdef CONFIG_FIND_NORMAL_PAGE
#define find_special_page find_normal_page
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define system_wq system_percpu_wq
#endif

/* How a device maps a piece of memory whose DMA addresses are physical ones. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
static inline dma_addr_t identity_map_phys(struct device *dev, phys_addr_t phys,
					   size_t size,
					   enum dma_data_direction dir,
					   unsigned long attrs)
{
	return phys;
}
#else
/* Older kernels tell it by page and offset. */
#define map_phys map_page
#define unmap_phys unmap_page
static inline dma_addr_t
identity_map_phys(struct device *dev, struct page *page, unsigned long offset,
		  size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	return page_to_phys(page) + offset;
}
#endif

/*
 * Bytes of a program's memory that are sooner copied twice than their page is
 * pinned. In a PV domain each look at a page table translates what it says.
 */
static inline u16 bytes_not_worth_a_pin(void)
{
	return xen_pv_domain() ? XEN_PAGE_SIZE : 256;
}

/* And those for which an entry of a page table is sooner read than they are copied. */
static inline u16 bytes_worth_an_entry(void)
{
	return xen_pv_domain() ? 3072 : 1;
}

/* The same for each of several that are apart. */
static inline u16 bytes_worth_an_entry_each(void)
{
	return xen_pv_domain() ? 1024 : 257;
}

/* The dma-buf calls are exported in a namespace, which got to be a string. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define GNTDEV_IMPORT_DMA_BUF MODULE_IMPORT_NS(DMA_BUF)
#else
#define GNTDEV_IMPORT_DMA_BUF MODULE_IMPORT_NS("DMA_BUF")
#endif

/*
 * Until 6.2 exporters expected of simple importers that they take no lock. Some
 * 6.1 kernels have the calls that take it, but no exporter there knows of them.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define dma_buf_map_attachment_unlocked dma_buf_map_attachment
#define dma_buf_unmap_attachment_unlocked dma_buf_unmap_attachment
#endif

/*
 * A device that sees what processors store, and they what it stores, for its
 * memory to be cached as all other is. On most architectures all devices do.
 */
static inline void device_set_coherent(struct device *dev)
{
#if defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) ||  \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	dev_set_dma_coherent(dev);
#else
	dev->dma_coherent = true;
#endif
#endif
}

/*
 * What a PV domain, which there is on x86 alone, asks of its page tables: the
 * kernel's entry for an address, and that no processor remembers an old one.
 */
#ifdef CONFIG_XEN_PV
static inline pte_t *kernel_pte(unsigned long addr)
{
	unsigned int level;

	return lookup_address(addr, &level);
}

/* An entry of a program's page table, by its address as the hypervisor knows it. */
static inline pte_t *entry_at(u64 maddr)
{
	return __va(machine_to_phys(XMADDR(maddr)).paddr);
}

/*
 * The lock under which the kernel reads and writes that entry. The kernel finds it by
 * the entry above, which is made here as it would be: a walk down to it, by calls
 * for each level, takes several times as long.
 */
static inline spinlock_t *entry_lock(struct mm_struct *mm, u64 maddr)
{
	pmd_t above = __pmd_ma((maddr & PAGE_MASK) | _PAGE_TABLE);

	return pte_lockptr(mm, &above);
}

static inline void flush_domain_tlb(void)
{
	struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_ALL};

	if (!xen_feature(XENFEAT_auto_translated_physmap))
		HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}
#else
static inline pte_t *kernel_pte(unsigned long addr)
{
	return NULL;
}

static inline pte_t *entry_at(u64 maddr)
{
	return NULL;
}

static inline spinlock_t *entry_lock(struct mm_struct *mm, u64 maddr)
{
	return NULL;
}

static inline void flush_domain_tlb(void)
{
}
#endif

/* Whether there are granters whose pages may be paged out: on x86, HVM domains. */
static inline bool granters_page_out(void)
{
	return IS_ENABLED(CONFIG_X86);
}

/*
 * Whether a task holds mmap_lock for writing; what the kernel offers to that
 * end needs lockdep. The lowest bit of a read-write semaphore's count is its
 * writer's (kernel/locking/rwsem.c), on a real-time kernel a bit of its own.
 */
static inline bool mmap_is_write_locked(struct mm_struct *mm)
{
#ifdef CONFIG_PREEMPT_RT
	return atomic_read(&mm->mmap_lock.rwbase.readers) == WRITER_BIAS;
#else
	return atomic_long_read(&mm->mmap_lock.count) & 1;
#endif
}

#endif /* GNTDEV_OUTSIDE_H */
