// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The machine's trace: the driver's tracepoints, hypercalls, events, requests. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "context.h"
#include "files.h"
#include "traced.h"
#include "user.h"
#include "vm.h"
#include "../base/events.h"
#include "../xen/xen.h"

#define NOBODY 65535U

bool trace_on;

static void (*sink)(const char *line, size_t size);

static u64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);

	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

void trace_line(const char *event, const char *format, ...)
{
	struct context *c = context();
	unsigned int domain = c->domain ? domain_id(c->domain) : NOBODY;
	char line[1024];
	u64 time = now();
	va_list args;
	int n, i;

	n = snprintf(line, sizeof(line),
		     "%16s-%-7d [%03u] %d %5llu.%06llu: %s: ",
		     c->task ? c->task->comm : "kernel",
		     c->task ? c->task->pid : 0, domain, gettid(),
		     time / 1000000000, time / 1000 % 1000000, event);
	/* A line is one line, whatever a program is called. */
	for (i = 0; i < n; i++)
		line[i] = line[i] < ' ' ? '?' : line[i];
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - n, format, args);
	va_end(args);
	n = min(n, (int)sizeof(line) - 2);
	line[n++] = '\n';
	line[n] = '\0';
	sink(line, n);
}

const char *trace_symbol(unsigned long value, const struct trace_symbol *list)
{
	static _Thread_local char number[24];

	for (; list->name; list++) {
		if (list->value == value)
			return list->name;
	}
	snprintf(number, sizeof(number), "%#lx", value);

	return number;
}

const char *trace_hex(char *text, const void *bytes, unsigned int count)
{
	const u8 *byte = bytes;
	char *at = text;
	unsigned int i;

	for (i = 0; i < count && i < 64; i++)
		at += sprintf(at, "%s%02x", i ? " " : "", byte[i]);

	return text;
}

/* ---- hypercalls and events ---- */

static void on_grant(const char *name, const struct machine_event *event)
{
	trace_line(name, "domid=%u ref=%u status=%d handle=%u into=%s",
		   event->domain, event->ref, event->status, event->handle,
		   event->user ? "program" : "kernel");
}

static void on_event(const struct machine_event *event, void *arg)
{
	(void)arg;
	switch (event->kind) {
	case MACHINE_EVENT_MAP:
		on_grant("xen_map", event);
		break;
	case MACHINE_EVENT_UNMAP:
		on_grant("xen_unmap", event);
		break;
	case MACHINE_EVENT_COPY:
		trace_line("xen_copy", "domid=%u ref=%u status=%d",
			   event->domain, event->ref, event->status);
		break;
	case MACHINE_EVENT_STORE:
		trace_line("xen_store", "domid=%u ref=%u offset=%llu",
			   event->domain, event->ref,
			   (unsigned long long)event->address);
		break;
	case MACHINE_EVENT_SEND:
		trace_line("xen_send", "domid=%u port=%u", event->domain,
			   event->port);
		break;
	case MACHINE_EVENT_USER:
		break;
	}
}

void machine_trace(void (*line)(const char *line, size_t size))
{
	if (line)
		sink = line;
	machine_watch(line ? on_event : NULL, NULL);
	__atomic_store_n(&trace_on, line != NULL, __ATOMIC_SEQ_CST);
}

bool machine_is_traced(void)
{
	return trace_is_on();
}

void machine_trace_process(pid_t process, pid_t parent, unsigned int run)
{
	if (machine_is_traced())
		trace_line("machine_process", "process=%d parent=%d run=%u",
			   process, parent, run);
}

/* ---- requests of the other devices ---- */

static void read_argument(struct trace_request *t, unsigned int cmd,
			  unsigned long arg)
{
	t->size = min_t(u32, _IOC_SIZE(cmd), sizeof(t->bytes));
	if (!user_read(context()->task, t->bytes, arg, t->size))
		t->size = 0;
}

void trace_request_begin(struct trace_request *t, unsigned int cmd,
			 unsigned long arg)
{
	read_argument(t, cmd, arg);
	t->begun = now();
}

/* The argument has its outputs then, if there are any. */
void trace_request_end(struct trace_request *t, const struct file *file,
		       unsigned int cmd, unsigned long arg, long result)
{
	const struct trace_symbol *names = file->kind->requests;
	u64 ns = now() - t->begun;
	char name[32], text[3 * 64 + 1] = "";
	u32 domid = U32_MAX;
	u16 grantee;

	if (!names)
		return;
	read_argument(t, cmd, arg);
	/* Whom to: the first member. */
	if (file->kind->grants && _IOC_NR(cmd) == 5 && t->size >= 2) {
		memcpy(&grantee, t->bytes, sizeof(grantee));
		domid = grantee;
	}
	snprintf(name, sizeof(name), "%s_request", file->kind->name);
	trace_line(
		name,
		"request=%s number=%#x domid=%u ref=%u result=%ld ns=%llu argument=%s",
		trace_symbol(_IOC_NR(cmd), names), cmd, domid, U32_MAX, result,
		ns, trace_hex(text, t->bytes, t->size));
}
