// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Lines of the kernel's trace, as people read them:
 *
 *	command-thread [cpu] flags seconds: event: name=value ...
 *
 * A machine's have its domain in the processor's place, and for flags a number of
 * the thread that serves it; see machine/kernel/traced.h.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "holdings.h"
#include "trace.h"

#define NOBODY UINT32_MAX
#define KERNEL 65535U /* the domain of the machine's own threads */

#define RED "\033[31m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

struct event {
	char command[32];
	int thread;
	unsigned int domain; /* of a machine; else the processor */
	int server; /* the thread that serves it, on a machine */
	const char *seconds;
	const char *name;
	char *values;
};

static long long number_of(const char *values, const char *name)
{
	size_t length = strlen(name);
	const char *at = values;

	while ((at = strstr(at, name))) {
		if ((at == values || at[-1] == ' ') && at[length] == '=')
			return strtoll(at + length + 1, NULL, 0);
		at += length;
	}

	return 0;
}

/* The processor in brackets, behind a command that may have anything in it. */
static char *find_cpu(char *line)
{
	char *cpu = NULL, *next = strstr(line, " [");

	while (next) {
		cpu = next;
		next = strstr(cpu + 1, " [");
	}

	return cpu;
}

/* Takes a line apart, in place; false if it is none of ours. */
static bool parse(struct event *event, char *line)
{
	static const char *const ours[] = {": gntdev_", ": gntalloc_",
					   ": evtchn_", ": xen_", ": machine_"};
	char *cpu = find_cpu(line), *name = NULL, *dash, *at;

	for (size_t i = 0; cpu && !name && i < sizeof(ours) / sizeof(*ours);
	     i++)
		name = strstr(cpu, ours[i]);
	if (!name)
		return false;
	*name = '\0';
	event->name = name + 2;
	event->values = strchr(event->name, ':');
	if (!event->values)
		return false;
	*event->values++ = '\0';
	event->values += *event->values == ' ';

	at = strrchr(line, ' ');
	event->seconds = at ? at + 1 : line;
	event->domain = strtoul(cpu + 2, &at, 10);
	event->server = *at == ']' ? atoi(at + 1) : 0;
	*cpu = '\0';
	dash = strrchr(line, '-');
	if (!dash)
		return false;
	event->thread = atoi(dash + 1);
	*dash = '\0';
	while (*line == ' ')
		line++;
	snprintf(event->command, sizeof(event->command), "%.31s", line);
	printable(event->command);

	return true;
}

/* Who makes one request at a time. */
static int one_of(const struct decoder *decoder, const struct event *event)
{
	return decoder->machine ? event->server : event->thread;
}

static struct refusal *refusal_of(struct decoder *decoder, int thread)
{
	return &decoder->refusals[thread % 64];
}

static void begin(const struct decoder *decoder, const struct event *event)
{
	fprintf(decoder->out, "%s ", event->seconds);
	if (decoder->machine && event->domain != KERNEL)
		fprintf(decoder->out, "domain %u ", event->domain);
	fprintf(decoder->out, "%s[%d] ", event->command, event->thread);
}

static void print_error(const struct decoder *decoder, long long error)
{
	const char *name = strerrorname_np(error);

	fprintf(decoder->out, "%s-1 ", colour(decoder->terminal, RED));
	if (name)
		fprintf(decoder->out, "%s (%s)", name, strerror(error));
	else
		fprintf(decoder->out, "error %lld", error);
	fputs(colour(decoder->terminal, PLAIN), decoder->out);
}

/* What the hypervisor said meanwhile, if it refused something. */
static void print_refusal(struct decoder *decoder, int thread)
{
	struct refusal *r = refusal_of(decoder, thread);

	if (r->known && r->thread == thread)
		fprintf(decoder->out, ": reference %u of domain %u: %s (%d)",
			r->reference, r->domain, status_name(r->status),
			r->status);
	r->known = false;
}

static void print_grant(const struct decoder *decoder,
			const struct event *event)
{
	uint32_t domain = number_of(event->values, "domid");

	if (domain == NOBODY)
		return;
	fprintf(decoder->out, " [domain %u", domain);
	if ((uint32_t)number_of(event->values, "ref") != NOBODY)
		fprintf(decoder->out, ", reference %u",
			(uint32_t)number_of(event->values, "ref"));
	fputc(']', decoder->out);
}

static void print_time(const struct decoder *decoder, const struct event *event)
{
	long long ns = number_of(event->values, "ns");

	fprintf(decoder->out, " <%lld.%06lld>\n", ns / 1000000000,
		ns / 1000 % 1000000);
}

/* Two digits a byte, with spaces between most of them. */
static size_t parse_bytes(const char *text, uint8_t *bytes, size_t size)
{
	char digits[3] = "";
	size_t count = 0;

	for (; count < size; text += 2) {
		text += *text == ' ';
		if (!isxdigit((unsigned char)text[0]) ||
		    !isxdigit((unsigned char)text[1]))
			break;
		memcpy(digits, text, 2);
		bytes[count++] = strtoul(digits, NULL, 16);
	}

	return count;
}

static void on_request(struct decoder *decoder, const struct event *event)
{
	const char *bytes_text = strstr(event->values, "argument=");
	long long result = number_of(event->values, "result");
	char name[64] = "", out[128];
	uint8_t bytes[64];
	struct argument a = {
		.number = number_of(event->values, "number"),
		.bytes = bytes,
		.done = !result,
	};

	sscanf(event->values, "request=%63s", name);
	if (bytes_text)
		a.size = parse_bytes(bytes_text + strlen("argument="), bytes,
				     sizeof(bytes));
	begin(decoder, event);
	fputs(colour(decoder->terminal, BOLD), decoder->out);
	/* Of a device that has numbers of its own. */
	if (!strcmp(event->name, "evtchn_request"))
		a.number += REQUEST_EVTCHN;
	request_print(decoder->out, name, &a, out, sizeof(out));
	fprintf(decoder->out, "%s = ", colour(decoder->terminal, PLAIN));
	if (result < 0)
		print_error(decoder, -result);
	else
		fprintf(decoder->out, "%lld", result);
	fputs(out, decoder->out);
	print_refusal(decoder, one_of(decoder, event));
	/* Where the arguments do not name it. */
	if (!strstr("MAP_GRANT_REF GRANT_COPY RESTRICT AREA_MAP ALLOC_GREF",
		    name))
		print_grant(decoder, event);
	print_time(decoder, event);
}

static void on_mmap(struct decoder *decoder, const struct event *event)
{
	long long error = number_of(event->values, "err");

	begin(decoder, event);
	fprintf(decoder->out, "%smmap(index=%llu, pages=%lld, %s)%s = ",
		colour(decoder->terminal, BOLD),
		(unsigned long long)number_of(event->values, "index"),
		number_of(event->values, "count"),
		number_of(event->values, "writable") ? "writable" : "read-only",
		colour(decoder->terminal, PLAIN));
	if (error)
		print_error(decoder, -error);
	else
		fputc('0', decoder->out);
	print_refusal(decoder, one_of(decoder, event));
	print_grant(decoder, event);
	print_time(decoder, event);
}

static void on_munmap(struct decoder *decoder, const struct event *event)
{
	begin(decoder, event);
	fprintf(decoder->out, "munmap(index=%llu, pages=%lld)",
		(unsigned long long)number_of(event->values, "index"),
		number_of(event->values, "count"));
	print_grant(decoder, event);
	fputc('\n', decoder->out);
}

static void on_defer(struct decoder *decoder, const struct event *event)
{
	begin(decoder, event);
	fprintf(decoder->out,
		"... %lld of %lld pages are still used by I/O: given back later",
		number_of(event->values, "held"),
		number_of(event->values, "count"));
	print_grant(decoder, event);
	fputc('\n', decoder->out);
}

static void on_released(struct decoder *decoder, const struct event *event)
{
	begin(decoder, event);
	fprintf(decoder->out,
		"... the dma-buf that was %lld is released, %lld pages",
		number_of(event->values, "fd"),
		number_of(event->values, "count"));
	print_grant(decoder, event);
	fputc('\n', decoder->out);
}

static void on_refused(struct decoder *decoder, const struct event *event)
{
	int thread = one_of(decoder, event);
	struct refusal *r = refusal_of(decoder, thread);

	/* A request tells its first one. */
	if (r->known && r->thread == thread)
		return;
	*r = (struct refusal){
		.thread = thread,
		.domain = number_of(event->values, "domid"),
		.reference = number_of(event->values, "ref"),
		.status = number_of(event->values, "status"),
		.known = true,
	};
}

/* ---- of a machine: what the hypervisor does ---- */

static void print_status(const struct decoder *decoder,
			 const struct event *event)
{
	int status = number_of(event->values, "status");

	fprintf(decoder->out, " = %s%s%s",
		colour(decoder->terminal, status ? RED : ""),
		status_name(status), colour(decoder->terminal, PLAIN));
}

static void on_map(struct decoder *decoder, const struct event *event)
{
	bool mapped = !number_of(event->values, "status");

	begin(decoder, event);
	fprintf(decoder->out, "xen map(domid=%lld, ref=%lld, %s)",
		number_of(event->values, "domid"),
		number_of(event->values, "ref"),
		strstr(event->values, "into=program") ? "program" : "kernel");
	print_status(decoder, event);
	if (mapped)
		fprintf(decoder->out, " handle=%lld",
			number_of(event->values, "handle"));
	fputc('\n', decoder->out);
}

static void on_unmap(struct decoder *decoder, const struct event *event)
{
	begin(decoder, event);
	fprintf(decoder->out, "xen unmap(handle=%lld)",
		number_of(event->values, "handle"));
	print_status(decoder, event);
	print_grant(decoder, event);
	fputc('\n', decoder->out);
}

static void on_copy(struct decoder *decoder, const struct event *event)
{
	begin(decoder, event);
	fprintf(decoder->out, "xen copy(domid=%lld, ref=%lld)",
		number_of(event->values, "domid"),
		number_of(event->values, "ref"));
	print_status(decoder, event);
	fputc('\n', decoder->out);
}

static void on_store(struct decoder *decoder, const struct event *event)
{
	begin(decoder, event);
	fprintf(decoder->out, "... byte %lld is cleared",
		number_of(event->values, "offset"));
	print_grant(decoder, event);
	fputc('\n', decoder->out);
}

static void on_send(struct decoder *decoder, const struct event *event)
{
	begin(decoder, event);
	fprintf(decoder->out, "... event on port %lld of domain %lld\n",
		number_of(event->values, "port"),
		number_of(event->values, "domid"));
}

static void on_process(struct decoder *decoder, const struct event *event)
{
	record_process(decoder, number_of(event->values, "process"),
		       number_of(event->values, "parent"),
		       number_of(event->values, "run"));
}

/* ---- which of them ---- */

static const struct {
	const char *name;
	enum kind kind;
	void (*print)(struct decoder *decoder, const struct event *event);
} known[] = {
	{"gntdev_request", KIND_REQUEST, on_request},
	{"gntalloc_request", KIND_REQUEST, on_request},
	{"evtchn_request", KIND_REQUEST, on_request},
	{"gntdev_mmap", KIND_MAPPING, on_mmap},
	{"gntdev_munmap", KIND_MAPPING, on_munmap},
	{"gntdev_refused", KIND_ANY, on_refused},
	{"gntdev_defer", KIND_MAPPING, on_defer},
	{"gntdev_released", KIND_MAPPING, on_released},
	{"xen_map", KIND_HYPERCALL, on_map},
	{"xen_unmap", KIND_HYPERCALL, on_unmap},
	{"xen_copy", KIND_HYPERCALL, on_copy},
	{"xen_store", KIND_EVENT, on_store},
	{"xen_send", KIND_EVENT, on_send},
};

unsigned int decode_kinds(const char *text)
{
	static const char *const names[] = {"request", "mapping", "hypercall",
					    "event"};
	unsigned int kinds = 0;
	size_t length;

	for (; *text; text += length + (text[length] == ',')) {
		size_t i = 0;

		length = strcspn(text, ",");
		while (i < sizeof(names) / sizeof(*names) &&
		       (strlen(names[i]) != length ||
			strncmp(names[i], text, length) != 0))
			i++;
		if (i == sizeof(names) / sizeof(*names))
			return 0;
		kinds |= 1U << i;
	}

	return kinds;
}

/* On a host the kernel has chosen already. */
static bool is_wanted(const struct decoder *decoder, const struct event *event,
		      enum kind kind)
{
	if (kind != KIND_ANY && decoder->kinds && !(decoder->kinds & kind))
		return false;
	if (!decoder->machine)
		return true;
	if (!record_is_wanted(decoder, event->thread))
		return false;

	return decoder->domain < 0 ||
	       number_of(event->values, "domid") == decoder->domain ||
	       event->domain == (unsigned int)decoder->domain;
}

static void decode_line(struct decoder *decoder, char *line)
{
	const char *lost = strstr(line, "[LOST ");
	struct event event;

	if (lost)
		decoder->lost += strtoul(lost + strlen("[LOST "), NULL, 10);
	if (!parse(&event, line))
		return;
	if (!strcmp(event.name, "machine_process"))
		on_process(decoder, &event);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(event.name, known[i].name) &&
		    is_wanted(decoder, &event, known[i].kind))
			known[i].print(decoder, &event);
	}
}

void decode_bytes(struct decoder *decoder, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != '\n') {
			if (decoder->used < sizeof(decoder->line) - 1)
				decoder->line[decoder->used++] = bytes[i];
			continue;
		}
		decoder->line[decoder->used] = '\0';
		decoder->used = 0;
		decode_line(decoder, decoder->line);
	}
}
