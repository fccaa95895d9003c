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
	TP_STRUCT__entry(
		__field(u64, index)
		__field(u32, count)
		__field(u32, domid)
		__field(u32, ref)
		__field(bool, told)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->count = count;
		__entry->domid = first->domid;
		__entry->ref = first->ref;
		__entry->told = told;
	),
	TP_printk("index=%llu count=%u domid=%u ref=%u told=%d",
		  __entry->index, __entry->count, __entry->domid,
		  __entry->ref, __entry->told)
);

TRACE_EVENT(gntdev_mmap,
	TP_PROTO(u64 index, u32 count,
		 const struct ioctl_gntdev_grant_ref *first,
		 bool writable, int err),
	TP_ARGS(index, count, first, writable, err),
	TP_STRUCT__entry(
		__field(u64, index)
		__field(u32, count)
		__field(u32, domid)
		__field(u32, ref)
		__field(bool, writable)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->count = count;
		__entry->domid = first->domid;
		__entry->ref = first->ref;
		__entry->writable = writable;
		__entry->err = err;
	),
	TP_printk("index=%llu count=%u domid=%u ref=%u writable=%d err=%d",
		  __entry->index, __entry->count, __entry->domid,
		  __entry->ref, __entry->writable,
		  __entry->err)
);

DECLARE_EVENT_CLASS(gntdev_range,
	TP_PROTO(u64 index, u32 count,
		 const struct ioctl_gntdev_grant_ref *first),
	TP_ARGS(index, count, first),
	TP_STRUCT__entry(
		__field(u64, index)
		__field(u32, count)
		__field(u32, domid)
		__field(u32, ref)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->count = count;
		__entry->domid = first->domid;
		__entry->ref = first->ref;
	),
	TP_printk("index=%llu count=%u domid=%u ref=%u", __entry->index,
		  __entry->count, __entry->domid, __entry->ref)
);

DEFINE_EVENT(gntdev_range, gntdev_munmap,
	TP_PROTO(u64 index, u32 count,
		 const struct ioctl_gntdev_grant_ref *first),
	TP_ARGS(index, count, first)
);

DEFINE_EVENT(gntdev_range, gntdev_remove,
	TP_PROTO(u64 index, u32 count,
		 const struct ioctl_gntdev_grant_ref *first),
	TP_ARGS(index, count, first)
);

TRACE_EVENT(gntdev_defer,
	TP_PROTO(u32 count, const struct ioctl_gntdev_grant_ref *first,
		 u32 held),
	TP_ARGS(count, first, held),
	TP_STRUCT__entry(
		__field(u32, count)
		__field(u32, domid)
		__field(u32, ref)
		__field(u32, held)
	),
	TP_fast_assign(
		__entry->count = count;
		__entry->domid = first->domid;
		__entry->ref = first->ref;
		__entry->held = held;
	),
	TP_printk("count=%u domid=%u ref=%u held=%u", __entry->count,
		  __entry->domid, __entry->ref, __entry->held)
);

DECLARE_EVENT_CLASS(gntdev_dmabuf,
	TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	TP_ARGS(fd, count, domid, ref),
	TP_STRUCT__entry(
		__field(u32, fd)
		__field(u32, count)
		__field(u32, domid)
		__field(u32, ref)
	),
	TP_fast_assign(
		__entry->fd = fd;
		__entry->count = count;
		__entry->domid = domid;
		__entry->ref = ref;
	),
	TP_printk("fd=%u count=%u domid=%u ref=%u", __entry->fd,
		  __entry->count, __entry->domid, __entry->ref)
);

DEFINE_EVENT(gntdev_dmabuf, gntdev_export,
	TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	TP_ARGS(fd, count, domid, ref)
);

DEFINE_EVENT(gntdev_dmabuf, gntdev_released,
	TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	TP_ARGS(fd, count, domid, ref)
);

DEFINE_EVENT(gntdev_dmabuf, gntdev_import,
	TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	TP_ARGS(fd, count, domid, ref)
);

DEFINE_EVENT(gntdev_dmabuf, gntdev_import_end,
	TP_PROTO(u32 fd, u32 count, u32 domid, u32 ref),
	TP_ARGS(fd, count, domid, ref)
);

TRACE_EVENT(gntdev_copy,
	TP_PROTO(u32 segments, u32 done, int err),
	TP_ARGS(segments, done, err),
	TP_STRUCT__entry(
		__field(u32, segments)
		__field(u32, done)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->segments = segments;
		__entry->done = done;
		__entry->err = err;
	),
	TP_printk("segments=%u done=%u err=%d",
		  __entry->segments, __entry->done, __entry->err)
);

/* clang-format on */

#endif /* GNTDEV_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
