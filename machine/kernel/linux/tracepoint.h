/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Tracepoints: model. While somebody traces the machine, each prints the line that
 * the kernel would; else it costs a look at a number.
 */
#ifndef MACHINE_LINUX_TRACEPOINT_H
#define MACHINE_LINUX_TRACEPOINT_H

#include "../outside.h"
#include "../traced.h"

#define TP_PROTO(...) __VA_ARGS__
#define TP_ARGS(...) __VA_ARGS__
#define TP_STRUCT__entry(...) __VA_ARGS__
#define TP_fast_assign(...) __VA_ARGS__
#define TP_printk(...) __VA_ARGS__
#define __field(type, name) type name;
/* As much as the driver ever tells. */
#define __dynamic_array(type, name, count) type name[64];
#define __get_dynamic_array(name) (__entry->name)
#define __print_symbolic(value, ...) \
	trace_symbol(value,          \
		     (const struct trace_symbol[]){__VA_ARGS__, {0, NULL}})
#define __print_hex(bytes, count) trace_hex((char[3 * 64 + 1]){0}, bytes, count)

#define TRACE_FUNCTION(name, proto, entry, assign, ...)    \
	static inline void name(const char *event_, proto) \
	{                                                  \
		struct {                                   \
			entry                              \
		} entry_, *__entry = &entry_;              \
		assign trace_line(event_, __VA_ARGS__);    \
	}
#define DECLARE_EVENT_CLASS(name, proto, args, entry, assign, print)         \
	TRACE_FUNCTION(trace_class_##name, TP_PROTO(proto), TP_PROTO(entry), \
		       TP_PROTO(assign), print)                              \
	_Static_assert(1, "")
#define DEFINE_EVENT(class, name, proto, args)            \
	static inline bool trace_##name##_enabled(void)   \
	{                                                 \
		return trace_is_on();                     \
	}                                                 \
	static inline void trace_##name(proto)            \
	{                                                 \
		if (trace_is_on())                        \
			trace_class_##class(#name, args); \
	}                                                 \
	_Static_assert(1, "")
#define TRACE_EVENT(name, proto, args, entry, assign, print)       \
	DECLARE_EVENT_CLASS(name, TP_PROTO(proto), TP_PROTO(args), \
			    TP_PROTO(entry), TP_PROTO(assign),     \
			    TP_PROTO(print));                      \
	DEFINE_EVENT(name, name, TP_PROTO(proto), TP_PROTO(args))

#endif /* MACHINE_LINUX_TRACEPOINT_H */
