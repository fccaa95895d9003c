/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * The requests of /dev/xen/gntdev, the Xen grant device.
 *
 * A domain grants pages of its memory to another domain, page by page, and
 * names each grant by a number, the grant reference. Through this device a
 * program maps such pages into its address space, copies from and to them, or
 * turns them into a dma-buf; it also grants the pages of a dma-buf to another
 * domain. This file serves the kernel and programs alike; names, numbers and
 * layouts are those of the header that Linux publishes under the same name.
 *
 * Words used here: the granter is the domain that owns the page. An instance is
 * one open file of the device, with a table of its own; every process that
 * holds the descriptor may use it. A range is the set of grants that one
 * MAP_GRANT_REF put into the table, in the order given; its index is the offset
 * at which it is mmapped. A page is a Xen page, 4096 bytes.
 *
 * mmap() with an index as the offset maps the range. Offset and length must be
 * exactly those of one range, and the mapping MAP_SHARED: otherwise EINVAL. It
 * maps all pages or none: EINVAL if any grant cannot be mapped as asked (no
 * such grant, not for this domain, writable where the granter allows reading
 * only), ENOMEM if the system has no room for them. A range is mmapped once at
 * a time (EINVAL), and again after munmap() or a failed mmap() as often as
 * wanted. A mapping without PROT_WRITE never becomes writable (mprotect:
 * EACCES).
 *
 * munmap() takes whole ranges; a part is refused with EINVAL. It does not wait
 * for I/O on the pages: a page goes back to its granter when its last user has
 * let go of it.
 *
 * Errors common to all requests: ENOTTY, unknown request; EFAULT, a structure
 * or array that cannot be read or written. A request that fails changes
 * nothing. The pad fields are ignored. 32-bit programs are served by 64-bit
 * kernels.
 */
#ifndef __LINUX_PUBLIC_GNTDEV_H__
#define __LINUX_PUBLIC_GNTDEV_H__

#include <linux/types.h>
#include <linux/ioctl.h>

/* Pointers into the calling program: marked so for the kernel's checker. */
#ifdef __KERNEL__
#define __gntdev_user __user
#else
#define __gntdev_user
#endif

/* One grant: who granted it, and its number. */
struct ioctl_gntdev_grant_ref {
	/* The granter's domain id, 16 bits: EINVAL above, it is not truncated. */
	__u32 domid;
	/* The grant reference; 0 is as good as any. */
	__u32 ref;
};

/*
 * Put @count grants into the instance's table as one range, and say at which
 * offset mmap() will find it. Nothing is mapped yet, nor are the grants looked
 * at: a bad one shows at mmap().
 *
 * The first index that an instance ever gives is 0, for programs that hand the
 * descriptor to something that maps at offset 0. Apart from that an index is
 * just a number: 64 bits, a multiple of the page size, given once and never
 * again by this instance.
 *
 * EINVAL: @count is 0, above the module's parameter `limit`, or above the
 *	   instance's maximum; or a domid does not fit 16 bits.
 * ENOMEM: with the grants already in the table it would exceed the instance's
 *	   maximum; or no memory.
 */
#define IOCTL_GNTDEV_MAP_GRANT_REF \
	_IOC(_IOC_NONE, 'G', 0, sizeof(struct ioctl_gntdev_map_grant_ref))
struct ioctl_gntdev_map_grant_ref {
	/* In: the number of grants in @refs. */
	__u32 count;
	__u32 pad;
	/* Out: the range's index, in bytes. */
	__u64 index;
	/* In: the grants, @count of them. */
	struct ioctl_gntdev_grant_ref refs[1];
};

/*
 * Take a range out of the table. It must be munmapped first. Pages of it that
 * are still under I/O do not delay this.
 *
 * ENOENT: @index and @count are not exactly those of one range.
 * EBUSY:  the range is mmapped.
 */
#define IOCTL_GNTDEV_UNMAP_GRANT_REF \
	_IOC(_IOC_NONE, 'G', 1, sizeof(struct ioctl_gntdev_unmap_grant_ref))
struct ioctl_gntdev_unmap_grant_ref {
	/* In: the index that MAP_GRANT_REF gave. */
	__u64 index;
	/* In: the number of grants in that range. */
	__u32 count;
	__u32 pad;
};

/*
 * Say which range is mapped at an address, so that a program can munmap() it
 * and remove it without having kept its index and count.
 *
 * EINVAL: @vaddr is not the first byte of a range which this instance mapped
 *	   into the calling process.
 */
#define IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR \
	_IOC(_IOC_NONE, 'G', 2,           \
	     sizeof(struct ioctl_gntdev_get_offset_for_vaddr))
struct ioctl_gntdev_get_offset_for_vaddr {
	/* In: the address that mmap() returned. */
	__u64 vaddr;
	/* Out: the range's index, in bytes. */
	__u64 offset;
	/* Out: the number of grants in the range. */
	__u32 count;
	__u32 pad;
};

/*
 * Set the instance's maximum: how many grants its table may hold at once, with
 * those of its dma-bufs. Meant to be the first request on an instance; taken
 * at any time, and then in force from that moment, for what comes later.
 *
 * EINVAL: @count is 0.
 */
#define IOCTL_GNTDEV_SET_MAX_GRANTS \
	_IOC(_IOC_NONE, 'G', 3, sizeof(struct ioctl_gntdev_set_max_grants))
struct ioctl_gntdev_set_max_grants {
	/* In: the maximum, in grants. */
	__u32 count;
};

/*
 * Have the kernel tell the granter when a page is unmapped, however that comes
 * about: munmap(), exit, a signal, a crash. In this order, the byte is cleared,
 * the page is unmapped, the event is sent; and the notification is spent.
 *
 * Each page has one notification: a later call for the same page replaces it,
 * @action 0 cancels it. It may be set before or after mmap(). A page that was
 * never mapped is never written to; its event is sent when its range leaves the
 * table. The event channel stays open until then, even if the program closes
 * it.
 *
 * ENOENT: @index lies in no range of the instance.
 * EINVAL: unknown bits in @action; UNMAP_NOTIFY_CLEAR_BYTE on a range mmapped
 *	   read-only (and mmap() fails so if a range with it is to be mmapped
 *	   read-only); @event_channel_port is not a port that the calling process
 *	   bound through /dev/xen/evtchn.
 */
#define IOCTL_GNTDEV_SET_UNMAP_NOTIFY \
	_IOC(_IOC_NONE, 'G', 7, sizeof(struct ioctl_gntdev_unmap_notify))
struct ioctl_gntdev_unmap_notify {
	/*
	 * In: the byte to clear, as the index of its range plus its offset in
	 * the range, in bytes. Without CLEAR_BYTE, any byte of the page.
	 */
	__u64 index;
	/* In: UNMAP_NOTIFY_* bits, or 0. */
	__u32 action;
	/* In: the local port, used with UNMAP_NOTIFY_SEND_EVENT only. */
	__u32 event_channel_port;
};

/* Set the byte that @index names to zero. */
#define UNMAP_NOTIFY_CLEAR_BYTE 0x1
/* Send an event on @event_channel_port. */
#define UNMAP_NOTIFY_SEND_EVENT 0x2

/*
 * One copy of up to a page: between a grant and memory of the program, or
 * between two grants. The flags and the status values are the hypervisor's,
 * from its grant table interface.
 */
struct gntdev_grant_copy_segment {
	/* In: where from and where to. */
	union {
		/* Memory of the program, anywhere in its pages. */
		void __gntdev_user *virt;
		/* A grant. */
		struct {
			__u32 ref;
			/* The first byte in the page; offset + len <= 4096. */
			__u16 offset;
			__u16 domid;
		} foreign;
	} source, dest;
	/* In: bytes to copy. */
	__u16 len;
	/*
	 * In: which of the two is a grant, at least one must be:
	 * GNTCOPY_source_gref (1), GNTCOPY_dest_gref (2).
	 */
	__u16 flags;
	/* Out: GNTST_okay (0) or what went wrong, a negative GNTST_ value. */
	__s16 status;
};

/*
 * Copy from and to grants without mapping them. Memory of the program may cross
 * page boundaries; the copy is then done in parts, and the status is that of
 * the first part that failed.
 *
 * Returns 0 when every segment was tried: look at each status. After an error
 * the statuses say nothing, but for this: what was found okay was done. No
 * segment at all is fine, whatever @segments says. The call can be ended by a
 * fatal signal.
 *
 * EINVAL: a segment without a grant on either side, with unknown flags, or that
 *	   reaches over the end of a granted page.
 * EFAULT: memory of the program that cannot be read, or written.
 */
#define IOCTL_GNTDEV_GRANT_COPY \
	_IOC(_IOC_NONE, 'G', 8, sizeof(struct ioctl_gntdev_grant_copy))
struct ioctl_gntdev_grant_copy {
	/* In: the number of segments. */
	unsigned int count;
	/* In: the segments; out: their status. */
	struct gntdev_grant_copy_segment __gntdev_user *segments;
};

/*
 * What memory a dma-buf takes to map grants at, with EXP_FROM_REFS. At most one
 * of them; with none, ordinary pages.
 */
/* Write-combining memory, from dma_alloc_wc(). */
#define GNTDEV_DMA_FLAG_WC (1 << 0)
/* Coherent memory, from dma_alloc_coherent(). */
#define GNTDEV_DMA_FLAG_COHERENT (1 << 1)

/*
 * Make a dma-buf of @count pages that domain @domid granted. The buffer owns
 * these grants alone: no other request reaches them, and the buffer lives on
 * when the instance is closed. They count towards the instance's maximum. The
 * descriptor is close-on-exec.
 *
 * Any program may map the dma-buf, and any device attach to it; it is released
 * when the last descriptor, mapping and attachment of it is gone.
 *
 * EINVAL: @count is 0 or above `limit` or the maximum; unknown flags, or both;
 *	   @domid does not fit 16 bits; a grant that cannot be mapped for
 *	   writing.
 * ENOMEM: above the maximum with what is there; or no memory.
 */
#define IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS \
	_IOC(_IOC_NONE, 'G', 9,           \
	     sizeof(struct ioctl_gntdev_dmabuf_exp_from_refs))
struct ioctl_gntdev_dmabuf_exp_from_refs {
	/* In: GNTDEV_DMA_FLAG_*, or 0. */
	__u32 flags;
	/* In: the number of grants in @refs. */
	__u32 count;
	/* Out: the dma-buf's descriptor. */
	__u32 fd;
	/* In: the granter of all of them. */
	__u32 domid;
	/* In: the grant references, @count of them. */
	__u32 refs[1];
};

/*
 * Wait until a dma-buf made by EXP_FROM_REFS is released by its last user. @fd
 * is looked up in the caller's own descriptors first, then among the instance's
 * live buffers by the number they were given. Every waiter is woken. The wait
 * can be ended by a fatal signal.
 *
 * ETIMEDOUT: not released within @wait_to_ms.
 * ENOENT:    no such buffer, or released already: no cause for alarm.
 */
#define IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED \
	_IOC(_IOC_NONE, 'G', 10,              \
	     sizeof(struct ioctl_gntdev_dmabuf_exp_wait_released))
struct ioctl_gntdev_dmabuf_exp_wait_released {
	/* In: the descriptor that EXP_FROM_REFS gave. */
	__u32 fd;
	/* In: how long to wait, in milliseconds. */
	__u32 wait_to_ms;
};

/*
 * Grant every page of the dma-buf @fd to domain @domid, for reading and
 * writing, and hold the buffer. One descriptor may be imported again once it
 * was released.
 *
 * EINVAL: @count is not the buffer's size in pages; @domid does not fit 16
 *	   bits; @reserved is not 0; a page of the buffer does not start at
 *	   offset 0.
 * ENOENT: @fd is no dma-buf.
 * ENOSPC: the domain has not as many grant references left.
 * ENOMEM: no memory.
 */
#define IOCTL_GNTDEV_DMABUF_IMP_TO_REFS \
	_IOC(_IOC_NONE, 'G', 11, sizeof(struct ioctl_gntdev_dmabuf_imp_to_refs))
struct ioctl_gntdev_dmabuf_imp_to_refs {
	/* In: the dma-buf's descriptor. */
	__u32 fd;
	/* In: the buffer's size in pages. */
	__u32 count;
	/* In: the domain that shall have access. */
	__u32 domid;
	/* In: 0. */
	__u32 reserved;
	/* Out: the grant references, @count of them. */
	__u32 refs[1];
};

/*
 * Give up an import: end the access of the other domain to its pages and let
 * the buffer go. Where the other domain still has pages mapped, both happen
 * when it lets go of them.
 *
 * ENOENT: @fd names no import of this instance.
 * EINVAL: @reserved is not 0.
 */
#define IOCTL_GNTDEV_DMABUF_IMP_RELEASE \
	_IOC(_IOC_NONE, 'G', 12, sizeof(struct ioctl_gntdev_dmabuf_imp_release))
struct ioctl_gntdev_dmabuf_imp_release {
	/* In: the descriptor that was imported. */
	__u32 fd;
	/* In: 0. */
	__u32 reserved;
};

#undef __gntdev_user

#endif /* __LINUX_PUBLIC_GNTDEV_H__ */
