/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Tracepoints: /sys/kernel/tracing/events/gntdev. Indexes are in bytes; domid and
 * ref are of the first grant.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gntdev

#if !defined(GNTDEV_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GNTDEV_TRACE_H

#include <linux/tracepoint.h>

/* The tracing macros have a layout of their own. */
/* clang-format off */

TRACE_EVENT(gntdev_insert,
	    TP_PROTO(u64 index, u32 count,
		     const struct ioctl_gntdev_grant_ref *first,
		     bool told),
	    TP_ARGS(index, count, first, told),
	    TP_STRUCT__entry(__field(u64, index)
			     __field(u32, count)
			     __field(u32, domid)
			     __field(u32, ref)
			     __field(bool, told)),
	    TP_fast_assign(__entry->index = index;
			   __entry->count = count;
			   __entry->domid = first->domid;
			   __entry->ref = first->ref;
			   __entry->told = told;),
	    TP_printk("index=%llu count=%u domid=%u ref=%u told=%d",
		      __entry->index, __entry->count, __entry->domid,
		      __entry->ref, __entry->told));

TRACE_EVENT(gntdev_mmap,
	    TP_PROTO(u64 index, u32 count,
		     const struct ioctl_gntdev_grant_ref *first,
		     bool writable, int err, u64 ns),
	    TP_ARGS(index, count, first, writable, err, ns),
	    TP_STRUCT__entry(__field(u64, index)
			     __field(u32, count)
			     __field(u32, domid)
			     __field(u32, ref)
			     __field(bool, writable)
			     __field(int, err)
			     __field(u64, ns)),
	    TP_fast_assign(__entry->index = index;
			   __entry->count = count;
			   __entry->domid = first->domid;
			   __entry->ref = first->ref;
			   __entry->writable = writable;
			   __entry->err = err;
			   __entry->ns = ns;),
	    TP_printk("index=%llu count=%u domid=%u ref=%u writable=%d err=%d ns=%llu",
		      __entry->index, __entry->count, __entry->domid,
		      __entry->ref, __entry->writable,
		      __entry->err, __entry->ns));

DECLARE_EVENT_CLASS(gntdev_range,
		    TP_PROTO(u64 index, u32 count,
			     const struct ioctl_gntdev_grant_ref *first),
		    TP_ARGS(index, count, first),
		    TP_STRUCT__entry(__field(u64, index)
				     __field(u32, count)
				     __field(u32, domid)
				     __field(u32, ref)),
		    TP_fast_assign(__entry->index = index;
				   __entry->count = count;
				   __entry->domid = first->domid;
				   __entry->ref = first->ref;),
		    TP_printk("index=%llu count=%u domid=%u ref=%u", __entry->index,
			      __entry->count, __entry->domid, __entry->ref));

DEFINE_EVENT(gntdev_range, gntdev_munmap,
	     TP_PROTO(u64 index, u32 count,
		      const struct ioctl_gntdev_grant_ref *first),
	     TP_ARGS(index, count, first));

DEFINE_EVENT(gntdev_range, gntdev_remove,
	     TP_PROTO(u64 index, u32 count,
		      const struct ioctl_gntdev_grant_ref *first),
	     TP_ARGS(index, count, first));

TRACE_EVENT(gntdev_defer,
	    TP_PROTO(u32 count, const struct ioctl_gntdev_grant_ref *first,
		     u32 held),
	    TP_ARGS(count, first, held),
	    TP_STRUCT__entry(__field(u32, count)
			     __field(u32, domid)
			     __field(u32, ref)
			     __field(u32, held)),
	    TP_fast_assign(__entry->count = count;
			   __entry->domid = domid_of(first);
			   __entry->ref = first->ref;
			   __entry->held = held;),
	    TP_printk("count=%u domid=%u ref=%u held=%u", __entry->count,
		      __entry->domid, __entry->ref, __entry->held));

DECLARE_EVENT_CLASS(gntdev_dmabuf,
		    TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
		    TP_ARGS(fd, count, domid, ref),
		    TP_STRUCT__entry(__field(u32, fd)
				     __field(u32, count)
				     __field(u32, domid)
				     __field(u32, ref)),
		    TP_fast_assign(__entry->fd = fd;
				   __entry->count = count;
				   __entry->domid = domid;
				   __entry->ref = ref;),
		    TP_printk("fd=%u count=%u domid=%u ref=%u", __entry->fd,
			      __entry->count, __entry->domid, __entry->ref));

DEFINE_EVENT(gntdev_dmabuf, gntdev_export,
	     TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	     TP_ARGS(fd, count, domid, ref));

DEFINE_EVENT(gntdev_dmabuf, gntdev_released,
	     TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	     TP_ARGS(fd, count, domid, ref));

DEFINE_EVENT(gntdev_dmabuf, gntdev_import,
	     TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	     TP_ARGS(fd, count, domid, ref));

DEFINE_EVENT(gntdev_dmabuf, gntdev_import_end,
	     TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	     TP_ARGS(fd, count, domid, ref));

/* The first grant of several that the hypervisor refused, before its request. */
TRACE_EVENT(gntdev_refused,
	    TP_PROTO(const struct ioctl_gntdev_grant_ref *grant, s16 status),
	    TP_ARGS(grant, status),
	    TP_STRUCT__entry(__field(u32, domid)
			     __field(u32, ref)
			     __field(s16, status)),
	    TP_fast_assign(__entry->domid = grant->domid;
			   __entry->ref = grant->ref;
			   __entry->status = status;),
	    TP_printk("domid=%u ref=%u status=%d", __entry->domid, __entry->ref,
		      __entry->status));

/*
 * Every request, when it returns: the first bytes of its argument, which have its
 * outputs then, and where they point to further grants, the first of these. domid
 * is 4294967295 where no grant is known.
 */
TRACE_EVENT(gntdev_request,
	    TP_PROTO(u32 number, const struct ioctl_gntdev_grant_ref *first,
		     long result, u64 ns, const u8 *argument, u32 size),
	    TP_ARGS(number, first, result, ns, argument, size),
	    TP_STRUCT__entry(__field(u32, number)
			     __field(u32, domid)
			     __field(u32, ref)
			     __field(long, result)
			     __field(u64, ns)
			     __field(u32, size)
			     __dynamic_array(u8, argument, size)),
	    TP_fast_assign(__entry->number = number;
			   __entry->domid = first->domid;
			   __entry->ref = first->ref;
			   __entry->result = result;
			   __entry->ns = ns;
			   __entry->size = size;
			   memcpy(__get_dynamic_array(argument), argument, size);),
	    TP_printk("request=%s number=%#x domid=%u ref=%u result=%ld ns=%llu argument=%s",
		      __print_symbolic(__entry->number & 0xff,
				       { 0, "MAP_GRANT_REF" },
				       { 1, "UNMAP_GRANT_REF" },
				       { 2, "GET_OFFSET_FOR_VADDR" },
				       { 3, "SET_MAX_GRANTS" },
				       { 7, "SET_UNMAP_NOTIFY" },
				       { 8, "GRANT_COPY" },
				       { 9, "DMABUF_EXP_FROM_REFS" },
				       { 10, "DMABUF_EXP_WAIT_RELEASED" },
				       { 11, "DMABUF_IMP_TO_REFS" },
				       { 12, "DMABUF_IMP_RELEASE" },
				       { 13, "DMABUF_EXP_FROM_REFS_V2" },
				       { 14, "DMABUF_IMP_TO_REFS_V2" },
				       { 32, "RESTRICT" },
				       { 33, "MAP_STATUS" },
				       { 34, "GRANT_MEMORY" },
				       { 35, "UNGRANT_MEMORY" },
				       { 36, "AREA_CREATE" },
				       { 37, "AREA_MAP" },
				       { 38, "AREA_UNMAP" }),
		      __entry->number, __entry->domid, __entry->ref,
		      __entry->result, __entry->ns,
		      __print_hex(__get_dynamic_array(argument), __entry->size)));

TRACE_EVENT(gntdev_copy,
	    TP_PROTO(u32 segments, u32 done, int err),
	    TP_ARGS(segments, done, err),
	    TP_STRUCT__entry(__field(u32, segments)
			     __field(u32, done)
			     __field(int, err)),
	    TP_fast_assign(__entry->segments = segments;
			   __entry->done = done;
			   __entry->err = err;),
	    TP_printk("segments=%u done=%u err=%d",
		      __entry->segments, __entry->done, __entry->err));

/* clang-format on */

#endif /* GNTDEV_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
