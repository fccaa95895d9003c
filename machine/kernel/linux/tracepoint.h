/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Tracepoints: stubs. The functions exist, take what the kernel's take, and
 * record nothing.
 */
#ifndef MACHINE_LINUX_TRACEPOINT_H
#define MACHINE_LINUX_TRACEPOINT_H

#include "../outside.h"

#define TP_PROTO(...) __VA_ARGS__
#define TP_ARGS(...) __VA_ARGS__
#define TRACE_EVENT(name, proto, ...)                   \
	static inline void trace_##name(proto)          \
	{                                               \
	}                                               \
	static inline bool trace_##name##_enabled(void) \
	{                                               \
		return false;                           \
	}                                               \
	_Static_assert(1, "")
#define DECLARE_EVENT_CLASS(name, ...) _Static_assert(1, "")
#define DEFINE_EVENT(class, name, proto, ...)  \
	static inline void trace_##name(proto) \
	{                                      \
	}                                      \
	_Static_assert(1, "")

#endif /* MACHINE_LINUX_TRACEPOINT_H */
