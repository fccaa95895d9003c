/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What is traced: lines as the kernel's own trace has them,
 *
 *	command-pid [domain] thread seconds: event: name=value ...
 *
 * so that whoever reads those reads these. A domain is in the place of the processor,
 * 65535 where it is the kernel's own doing; the thread is the server's, of which a
 * request has one for itself.
 */
#ifndef MACHINE_KERNEL_TRACED_H
#define MACHINE_KERNEL_TRACED_H

#include "base.h"

struct file;

extern bool trace_on; /* atomic */

static inline bool trace_is_on(void)
{
	return __atomic_load_n(&trace_on, __ATOMIC_RELAXED);
}

void trace_line(const char *event, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct trace_symbol {
	unsigned long value;
	const char *name;
};
/* Its name in a list that ends with none; or how the kernel has it. */
const char *trace_symbol(unsigned long value, const struct trace_symbol *list);
/* Two digits a byte; returns @text. */
const char *trace_hex(char *text, const void *bytes, unsigned int count);

/* A request of a device that is not the driver's, which tells of its own itself. */
struct trace_request {
	u64 begun;
	u32 size;
	u8 bytes[64];
};
void trace_request_begin(struct trace_request *t, unsigned int cmd,
			 unsigned long arg);
void trace_request_end(struct trace_request *t, const struct file *file,
		       unsigned int cmd, unsigned long arg, long result);

#endif /* MACHINE_KERNEL_TRACED_H */
