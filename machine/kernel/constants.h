/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Numbers of the kernel that the driver uses; the hypervisor's are in
 * xen/constants.h. Each line is asserted against the real headers where those are
 * installed: see check/headers. One definition a line, and nothing else.
 */
#ifndef MACHINE_KERNEL_CONSTANTS_H
#define MACHINE_KERNEL_CONSTANTS_H

/* xen/page.h */
#define XEN_PAGE_SHIFT 12
#define XEN_PAGE_SIZE (1UL << XEN_PAGE_SHIFT)

/* linux/mm.h */
#define VM_READ 0x00000001UL
#define VM_WRITE 0x00000002UL
#define VM_EXEC 0x00000004UL
#define VM_ACCESS_FLAGS (VM_READ | VM_WRITE | VM_EXEC)
#define VM_SHARED 0x00000008UL
#define VM_MAYREAD 0x00000010UL
#define VM_MAYWRITE 0x00000020UL
#define VM_MAYEXEC 0x00000040UL
#define VM_MAYSHARE 0x00000080UL
#define VM_PFNMAP 0x00000400UL
#define VM_LOCKED 0x00002000UL
#define VM_IO 0x00004000UL
#define VM_DONTCOPY 0x00020000UL
#define VM_DONTEXPAND 0x00040000UL
#define VM_DONTDUMP 0x04000000UL
#define VM_MIXEDMAP 0x10000000UL
#define FOLL_WRITE 0x01

/* linux/vmalloc.h */
#define VM_MAP 0x00000004UL

/* linux/dma-mapping.h */
#define DMA_ATTR_WRITE_COMBINE (1UL << 2)
#define DMA_ATTR_SKIP_CPU_SYNC (1UL << 5)

/* linux/errno.h */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513

/* linux/mm_types.h */
#define VM_FAULT_OOM 0x000001U
#define VM_FAULT_SIGBUS 0x000002U
#define VM_FAULT_NOPAGE 0x000100U
#define VM_FAULT_LOCKED 0x000200U

/* linux/mmu_notifier.h */
#define MMU_NOTIFIER_RANGE_BLOCKABLE (1 << 0)

/* linux/gfp_types.h; only the classes that the driver uses are modelled */
#define __GFP_DIRECT_RECLAIM 0x400U
#define __GFP_ZERO 0x100U
#define __GFP_NOWARN 0x2000U
#define __GFP_RETRY_MAYFAIL 0x4000U
#define __GFP_NORETRY 0x10000U
#define GFP_NOWAIT 0x800U
#define GFP_KERNEL 0xcc0U
#define GFP_KERNEL_ACCOUNT 0x400cc0U

/* linux/miscdevice.h */
#define MISC_DYNAMIC_MINOR 255

/* xen/page.h, asm/xen/page.h */
#define INVALID_P2M_ENTRY (~0UL)

#endif /* MACHINE_KERNEL_CONSTANTS_H */
