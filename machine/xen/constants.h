/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Numbers of the hypervisor's interface, and the size of its pages, which are the
 * kernel's too. Each line is asserted against the real headers where those are
 * installed: see kernel/check/headers. One definition a line, and nothing else.
 */
#ifndef MACHINE_XEN_CONSTANTS_H
#define MACHINE_XEN_CONSTANTS_H

/* asm/page.h */
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

/* xen/interface/features.h */
#define XENFEAT_auto_translated_physmap 2
#define XENFEAT_gnttab_map_avail_bits 7

/* xen/interface/xen.h */
#define DOMID_FIRST_RESERVED (0x7FF0U)
#define DOMID_SELF (0x7FF0U)
#define NR_VIRQS 24
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

#endif /* MACHINE_XEN_CONSTANTS_H */
