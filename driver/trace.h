/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Tracepoints: /sys/kernel/tracing/events/gntdev. Indexes are in bytes. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gntdev

#if !defined(GNTDEV_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GNTDEV_TRACE_H

#include <linux/tracepoint.h>

/* The tracing macros have a layout of their own. */
/* clang-format off */

TRACE_EVENT(gntdev_insert,
	TP_PROTO(u64 index, u32 count, bool told),
	TP_ARGS(index, count, told),
	TP_STRUCT__entry(
		__field(u64, index)
		__field(u32, count)
		__field(bool, told)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->count = count;
		__entry->told = told;
	),
	TP_printk("index=%llu count=%u told=%d",
		  __entry->index, __entry->count, __entry->told)
);

TRACE_EVENT(gntdev_mmap,
	TP_PROTO(u64 index, u32 count, bool writable, int err),
	TP_ARGS(index, count, writable, err),
	TP_STRUCT__entry(
		__field(u64, index)
		__field(u32, count)
		__field(bool, writable)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->count = count;
		__entry->writable = writable;
		__entry->err = err;
	),
	TP_printk("index=%llu count=%u writable=%d err=%d",
		  __entry->index, __entry->count, __entry->writable,
		  __entry->err)
);

DECLARE_EVENT_CLASS(gntdev_range,
	TP_PROTO(u64 index, u32 count),
	TP_ARGS(index, count),
	TP_STRUCT__entry(
		__field(u64, index)
		__field(u32, count)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->count = count;
	),
	TP_printk("index=%llu count=%u", __entry->index, __entry->count)
);

DEFINE_EVENT(gntdev_range, gntdev_munmap,
	TP_PROTO(u64 index, u32 count),
	TP_ARGS(index, count)
);

DEFINE_EVENT(gntdev_range, gntdev_remove,
	TP_PROTO(u64 index, u32 count),
	TP_ARGS(index, count)
);

TRACE_EVENT(gntdev_defer,
	TP_PROTO(u32 count, u32 held),
	TP_ARGS(count, held),
	TP_STRUCT__entry(
		__field(u32, count)
		__field(u32, held)
	),
	TP_fast_assign(
		__entry->count = count;
		__entry->held = held;
	),
	TP_printk("count=%u held=%u", __entry->count, __entry->held)
);

DECLARE_EVENT_CLASS(gntdev_dmabuf,
	TP_PROTO(u32 fd, u32 count),
	TP_ARGS(fd, count),
	TP_STRUCT__entry(
		__field(u32, fd)
		__field(u32, count)
	),
	TP_fast_assign(
		__entry->fd = fd;
		__entry->count = count;
	),
	TP_printk("fd=%u count=%u", __entry->fd, __entry->count)
);

DEFINE_EVENT(gntdev_dmabuf, gntdev_export,
	TP_PROTO(u32 fd, u32 count),
	TP_ARGS(fd, count)
);

DEFINE_EVENT(gntdev_dmabuf, gntdev_released,
	TP_PROTO(u32 fd, u32 count),
	TP_ARGS(fd, count)
);

DEFINE_EVENT(gntdev_dmabuf, gntdev_import,
	TP_PROTO(u32 fd, u32 count),
	TP_ARGS(fd, count)
);

DEFINE_EVENT(gntdev_dmabuf, gntdev_import_end,
	TP_PROTO(u32 fd, u32 count),
	TP_ARGS(fd, count)
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
