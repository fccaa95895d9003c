/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Numbers of the kernel and of the hypervisor that the driver uses. Each line
 * is asserted against the real headers where those are installed: see
 * check/headers. One definition a line, and nothing else.
 */
#ifndef MACHINE_KERNEL_CONSTANTS_H
#define MACHINE_KERNEL_CONSTANTS_H

/* asm/page.h, xen/page.h */
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
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
#define GFP_KERNEL 0xcc0U
#define GFP_KERNEL_ACCOUNT 0x400cc0U

/* linux/miscdevice.h */
#define MISC_DYNAMIC_MINOR 255

/* xen/page.h, asm/xen/page.h */
#define INVALID_P2M_ENTRY (~0UL)

/* xen/interface/features.h */
#define XENFEAT_auto_translated_physmap 2
#define XENFEAT_gnttab_map_avail_bits 7

/* xen/interface/xen.h */
#define DOMID_FIRST_RESERVED (0x7FF0U)
#define DOMID_SELF (0x7FF0U)
#define DOMID_INVALID (0x7FF4U)
#define DOMID_IDLE (0x7FFFU)

/* xen/interface/grant_table.h */
#define GTF_permit_access (1U << 0)
#define GTF_type_mask (3U << 0)
#define GTF_readonly (1U << 2)
#define GTF_reading (1U << 3)
#define GTF_writing (1U << 4)
#define GNTTABOP_map_grant_ref 0
#define GNTTABOP_unmap_grant_ref 1
#define GNTTABOP_copy 5
#define GNTTABOP_query_size 6
#define GNTMAP_device_map (1 << 0)
#define GNTMAP_host_map (1 << 1)
#define GNTMAP_readonly (1 << 2)
#define GNTMAP_application_map (1 << 3)
#define GNTMAP_contains_pte (1 << 4)
#define _GNTMAP_guest_avail0 (16)
#define GNTCOPY_source_gref (1 << 0)
#define GNTCOPY_dest_gref (1 << 1)
#define GNTST_okay (0)
#define GNTST_general_error (-1)
#define GNTST_bad_domain (-2)
#define GNTST_bad_gntref (-3)
#define GNTST_bad_handle (-4)
#define GNTST_bad_virt_addr (-5)
#define GNTST_bad_dev_addr (-6)
#define GNTST_no_device_space (-7)
#define GNTST_permission_denied (-8)
#define GNTST_bad_page (-9)
#define GNTST_bad_copy_arg (-10)
#define GNTST_address_too_big (-11)
#define GNTST_eagain (-12)
#define GNTST_no_space (-13)

#endif /* MACHINE_KERNEL_CONSTANTS_H */
