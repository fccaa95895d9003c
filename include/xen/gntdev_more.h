/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * Requests of /dev/xen/gntdev that xen/gntdev.h does not have: a program may
 * restrict what it can reach, learn why a map failed, grant memory that it has,
 * and map and unmap grants without an mmap for each. Another driver of this
 * device answers ENOTTY: so a program finds out.
 *
 * Structures are the same for 32-bit and 64-bit programs; pointers are in __u64.
 * Unknown flags, and reserved fields that are not 0, are EINVAL. A domid above
 * 0x7fff is EINVAL in all of them. EFAULT is for memory that cannot be read or
 * written. A request that fails changes nothing, or its @done says what it did.
 */
#ifndef __GNTDEV_MORE_H__
#define __GNTDEV_MORE_H__

#include <linux/types.h>
#include <linux/ioctl.h>

/*
 * From now on this instance serves one domain: a request that names another is
 * EACCES. For all who hold the descriptor, and not to be undone.
 *
 * EPERM: it is restricted to another domain already (the same one is 0).
 * EBUSY: it has ranges, areas, granted memory or dma-bufs of another domain.
 */
#define IOCTL_GNTDEV_RESTRICT \
	_IOC(_IOC_NONE, 'G', 32, sizeof(struct ioctl_gntdev_restrict))
struct ioctl_gntdev_restrict {
	__u32 domid;
	__u32 flags; /* 0 */
};

/*
 * What the hypervisor said of the grants @first to @first + @count - 1 of a
 * range, when it was last mmapped: GNTST_* (0 is okay, others are negative), or
 * 1 for a grant that it was not asked for.
 *
 * ENOENT: @index is not a range's, or a grant is beyond its end.
 * EINVAL: @count is 0.
 * EBUSY:  the range is being mmapped or munmapped just now.
 */
#define IOCTL_GNTDEV_MAP_STATUS \
	_IOC(_IOC_NONE, 'G', 33, sizeof(struct ioctl_gntdev_map_status))
struct ioctl_gntdev_map_status {
	__aligned_u64 index;
	__aligned_u64 statuses; /* of __s16[count], out */
	__u32 first;
	__u32 count;
};

/*
 * Grant @count pages of the caller's own memory, from @addr on, to a domain, and
 * say by which references. The memory may be anonymous, shared, of a memfd or of
 * huge pages; it must be writable for the caller, even to be granted read-only,
 * and no device's. Its pages stay where they are, whatever becomes of the
 * mapping, until they are given back: by UNGRANT_MEMORY or the last close of the
 * instance, and not before the other domain has unmapped them.
 *
 * A notification may be set up with SET_UNMAP_NOTIFY for each page, by an address
 * from @index on: its byte is cleared, its event sent when the memory is ungranted
 * or its granter dies.
 *
 * EINVAL: @addr is not a page's; @count is 0, above the module's limit or above
 *	   the instance's maximum; memory of a device, or mapped from a grant.
 * EFAULT: not all of the memory is there, and writable.
 * ENOMEM: RLIMIT_MEMLOCK, the instance's maximum, or no memory.
 * ENOSPC: the domain has no references left.
 */
#define IOCTL_GNTDEV_GRANT_MEMORY \
	_IOC(_IOC_NONE, 'G', 34, sizeof(struct ioctl_gntdev_grant_memory))
#define GNTDEV_GRANT_WRITABLE 1
struct ioctl_gntdev_grant_memory {
	__aligned_u64 addr;
	__u32 count;
	__u16 domid;
	__u16 flags; /* GNTDEV_GRANT_WRITABLE, or 0 */
	__aligned_u64 index; /* out */
	__u32 refs[1]; /* out, @count of them */
};

/*
 * Take memory back. Does not wait: pages that the other domain has mapped stay
 * granted until it unmaps them.
 *
 * ENOENT: @index and @count are not those of one GRANT_MEMORY.
 */
#define IOCTL_GNTDEV_UNGRANT_MEMORY \
	_IOC(_IOC_NONE, 'G', 35, sizeof(struct ioctl_gntdev_ungrant_memory))
struct ioctl_gntdev_ungrant_memory {
	__aligned_u64 index;
	__u32 count;
	__u32 reserved; /* 0 */
};

/*
 * An area is a range of empty slots, to be mmapped at @index, once and whole, as
 * a range is, and removed by UNMAP_GRANT_REF. Grants are mapped into its slots
 * and unmapped from there by the two requests below; meanwhile an empty slot is
 * SIGBUS. Its slots count as grants of the instance from the beginning.
 *
 * EINVAL: @slots is 0, above the module's limit or the instance's maximum.
 * ENOMEM: as for MAP_GRANT_REF.
 */
#define IOCTL_GNTDEV_AREA_CREATE \
	_IOC(_IOC_NONE, 'G', 36, sizeof(struct ioctl_gntdev_area_create))
struct ioctl_gntdev_area_create {
	__u32 slots;
	__u32 flags; /* 0 */
	__aligned_u64 index; /* out */
};

#define GNTDEV_AREA_READONLY 1
struct gntdev_area_op {
	__u32 slot;
	__u32 domid;
	__u32 ref;
	__u16 flags; /* GNTDEV_AREA_READONLY, or 0 */
	__s16 status; /* out: GNTST_* */
};

/*
 * Map @count grants, of any domains, each into an empty slot of an area that is
 * mmapped. Each has a status of its own; a slot whose status is not 0 is empty.
 * @done says how many of the first operations were tried, also on failure.
 *
 * AREA_UNMAP empties @count slots; it looks at the slots' numbers alone. An empty
 * slot is status 0. What I/O still uses is given back later, its slot is free at
 * once.
 *
 * ENOENT: @index is no area's.
 * EINVAL: the area is not mmapped; a slot beyond its end; unknown flags, or a
 *	   grant that is to be writable in an area mmapped read-only.
 * EEXIST: AREA_MAP into a slot that is in use.
 * EINTR:  killed.
 */
#define IOCTL_GNTDEV_AREA_MAP \
	_IOC(_IOC_NONE, 'G', 37, sizeof(struct ioctl_gntdev_area_op))
#define IOCTL_GNTDEV_AREA_UNMAP \
	_IOC(_IOC_NONE, 'G', 38, sizeof(struct ioctl_gntdev_area_op))
struct ioctl_gntdev_area_op {
	__aligned_u64 index;
	__aligned_u64 ops; /* of struct gntdev_area_op[count] */
	__u32 count;
	__u32 done; /* out */
};

/*
 * DMABUF_EXP_FROM_REFS and DMABUF_IMP_TO_REFS for a buffer whose data does not
 * begin with its first page: @data_ofs bytes of that are before it. Numbers and
 * layouts are those of vendors' kernels and libraries.
 *
 * EINVAL, beside what the two without an offset say: @data_ofs is not below 4096;
 * an entry of an imported buffer's list, other than the first, that does not
 * begin with a page. @reserved is ignored: libraries do not set it.
 */
#define IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2 \
	_IOC(_IOC_NONE, 'G', 13,             \
	     sizeof(struct ioctl_gntdev_dmabuf_exp_from_refs_v2))
struct ioctl_gntdev_dmabuf_exp_from_refs_v2 {
	__u32 flags;
	__u32 count;
	__u32 data_ofs;
	__u32 fd; /* out */
	__u32 domid;
	__u32 refs[1]; /* @count of them */
};

#define IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2 \
	_IOC(_IOC_NONE, 'G', 14,           \
	     sizeof(struct ioctl_gntdev_dmabuf_imp_to_refs_v2))
struct ioctl_gntdev_dmabuf_imp_to_refs_v2 {
	__u32 fd;
	__u32 count;
	__u32 domid;
	__u32 reserved;
	__u32 data_ofs; /* out */
	__u32 refs[1]; /* out */
};

#endif /* __GNTDEV_MORE_H__ */
