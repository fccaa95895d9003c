// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Requests' arguments by name: one row a member, in the order of reading. */
#include <stdio.h>
#include <string.h>

#include "trace.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define COPY 8
#define AREA_MAP 37
#define AREA_UNMAP 38

enum form {
	FORM_NUMBER,
	FORM_ADDRESS,
	FORM_GRANT, /* u32 domid, u32 ref: the first of a row */
	FORM_REF, /* the first of a row of references */
	FORM_ACTION, /* UNMAP_NOTIFY_* */
	FORM_DMA, /* GNTDEV_DMA_FLAG_* */
	FORM_WRITABLE, /* GNTDEV_GRANT_WRITABLE, GNTALLOC_FLAG_WRITABLE */
};

struct member {
	unsigned char request;
	const char *name;
	unsigned char at, size;
	enum form form;
	bool out; /* told behind the result */
};

static const struct member members[] = {
	{0, "count", 0, 4, FORM_NUMBER, false},
	{0, "refs", 16, 8, FORM_GRANT, false},
	{0, "index", 8, 8, FORM_NUMBER, true},
	{1, "index", 0, 8, FORM_NUMBER, false},
	{1, "count", 8, 4, FORM_NUMBER, false},
	{2, "vaddr", 0, 8, FORM_ADDRESS, false},
	{2, "offset", 8, 8, FORM_NUMBER, true},
	{2, "count", 16, 4, FORM_NUMBER, true},
	{3, "count", 0, 4, FORM_NUMBER, false},
	{5, "domid", 0, 2, FORM_NUMBER, false},
	{5, "flags", 2, 2, FORM_WRITABLE, false},
	{5, "count", 4, 4, FORM_NUMBER, false},
	{5, "index", 8, 8, FORM_NUMBER, true},
	{5, "refs", 16, 4, FORM_REF, true},
	{6, "index", 0, 8, FORM_NUMBER, false},
	{6, "count", 8, 4, FORM_NUMBER, false},
	{7, "index", 0, 8, FORM_NUMBER, false},
	{7, "action", 8, 4, FORM_ACTION, false},
	{7, "event_channel_port", 12, 4, FORM_NUMBER, false},
	{9, "flags", 0, 4, FORM_DMA, false},
	{9, "count", 4, 4, FORM_NUMBER, false},
	{9, "domid", 12, 4, FORM_NUMBER, false},
	{9, "refs", 16, 4, FORM_REF, false},
	{9, "fd", 8, 4, FORM_NUMBER, true},
	{10, "fd", 0, 4, FORM_NUMBER, false},
	{10, "wait_to_ms", 4, 4, FORM_NUMBER, false},
	{11, "fd", 0, 4, FORM_NUMBER, false},
	{11, "count", 4, 4, FORM_NUMBER, false},
	{11, "domid", 8, 4, FORM_NUMBER, false},
	{11, "refs", 16, 4, FORM_REF, true},
	{12, "fd", 0, 4, FORM_NUMBER, false},
	{13, "flags", 0, 4, FORM_DMA, false},
	{13, "count", 4, 4, FORM_NUMBER, false},
	{13, "data_ofs", 8, 4, FORM_NUMBER, false},
	{13, "domid", 16, 4, FORM_NUMBER, false},
	{13, "refs", 20, 4, FORM_REF, false},
	{13, "fd", 12, 4, FORM_NUMBER, true},
	{14, "fd", 0, 4, FORM_NUMBER, false},
	{14, "count", 4, 4, FORM_NUMBER, false},
	{14, "domid", 8, 4, FORM_NUMBER, false},
	{14, "data_ofs", 16, 4, FORM_NUMBER, true},
	{14, "refs", 20, 4, FORM_REF, true},
	{32, "domid", 0, 4, FORM_NUMBER, false},
	{32, "flags", 4, 4, FORM_NUMBER, false},
	{33, "index", 0, 8, FORM_NUMBER, false},
	{33, "statuses", 8, 8, FORM_ADDRESS, false},
	{33, "first", 16, 4, FORM_NUMBER, false},
	{33, "count", 20, 4, FORM_NUMBER, false},
	{34, "addr", 0, 8, FORM_ADDRESS, false},
	{34, "count", 8, 4, FORM_NUMBER, false},
	{34, "domid", 12, 2, FORM_NUMBER, false},
	{34, "flags", 14, 2, FORM_WRITABLE, false},
	{34, "index", 16, 8, FORM_NUMBER, true},
	{34, "refs", 24, 4, FORM_REF, true},
	{35, "index", 0, 8, FORM_NUMBER, false},
	{35, "count", 8, 4, FORM_NUMBER, false},
	{36, "slots", 0, 4, FORM_NUMBER, false},
	{36, "flags", 4, 4, FORM_NUMBER, false},
	{36, "index", 8, 8, FORM_NUMBER, true},
	{37, "index", 0, 8, FORM_NUMBER, false},
	{37, "count", 16, 4, FORM_NUMBER, false},
	{37, "done", 20, 4, FORM_NUMBER, true},
	{38, "index", 0, 8, FORM_NUMBER, false},
	{38, "count", 16, 4, FORM_NUMBER, false},
	{38, "done", 20, 4, FORM_NUMBER, true},
	{REQUEST_EVTCHN + 0, "virq", 0, 4, FORM_NUMBER, false},
	{REQUEST_EVTCHN + 1, "remote_domain", 0, 4, FORM_NUMBER, false},
	{REQUEST_EVTCHN + 1, "remote_port", 4, 4, FORM_NUMBER, false},
	{REQUEST_EVTCHN + 2, "remote_domain", 0, 4, FORM_NUMBER, false},
	{REQUEST_EVTCHN + 3, "port", 0, 4, FORM_NUMBER, false},
	{REQUEST_EVTCHN + 4, "port", 0, 4, FORM_NUMBER, false},
	{REQUEST_EVTCHN + 6, "domid", 0, 2, FORM_NUMBER, false},
};

static uint64_t value_at(const struct argument *a, size_t at, size_t size)
{
	uint64_t value = 0;

	if (at + size <= a->size)
		memcpy(&value, a->bytes + at, size);

	return value;
}

const char *status_name(int status)
{
	static const char *const names[] = {
		"GNTST_okay",
		"GNTST_general_error",
		"GNTST_bad_domain",
		"GNTST_bad_gntref",
		"GNTST_bad_handle",
		"GNTST_bad_virt_addr",
		"GNTST_bad_dev_addr",
		"GNTST_no_device_space",
		"GNTST_permission_denied",
		"GNTST_bad_page",
		"GNTST_bad_copy_arg",
		"GNTST_address_too_big",
		"GNTST_eagain",
		"GNTST_no_space",
	};

	if (status <= 0 && -status < (int)COUNT(names))
		return names[-status];

	return "not tried";
}

/* How many there are in the row that a member is the first of. */
static uint64_t row_length(const struct argument *a)
{
	switch (a->number & 0xff) {
	case 0:
		return value_at(a, 0, 4);
	case 34:
		return value_at(a, 8, 4);
	default:
		return value_at(a, 4, 4);
	}
}

static void print_flags(FILE *file, uint64_t value, const char *one,
			const char *two)
{
	if (value & 1)
		fputs(one, file);
	if (value & 2)
		fprintf(file, "%s%s", value & 1 ? "|" : "", two);
	if (value & ~3ULL)
		fprintf(file, "%s%#llx", value & 3 ? "|" : "",
			(unsigned long long)(value & ~3ULL));
	if (!value)
		fputc('0', file);
}

static void print_member(FILE *file, const struct member *m,
			 const struct argument *a)
{
	uint64_t value = value_at(a, m->at, m->size);

	fprintf(file, "%s=", m->name);
	switch (m->form) {
	case FORM_NUMBER:
		fprintf(file, "%llu", (unsigned long long)value);
		break;
	case FORM_ADDRESS:
		fprintf(file, "%#llx", (unsigned long long)value);
		break;
	case FORM_GRANT:
		fprintf(file, "{{domid=%u, ref=%u}%s}",
			(unsigned int)value_at(a, m->at, 4),
			(unsigned int)value_at(a, m->at + 4, 4),
			row_length(a) > 1 ? ", ..." : "");
		break;
	case FORM_REF:
		fprintf(file, "{%u%s}", (unsigned int)value,
			row_length(a) > 1 ? ", ..." : "");
		break;
	case FORM_ACTION:
		print_flags(file, value, "CLEAR_BYTE", "SEND_EVENT");
		break;
	case FORM_DMA:
		print_flags(file, value, "WC", "COHERENT");
		break;
	case FORM_WRITABLE:
		print_flags(file, value, "WRITABLE", "2");
		break;
	}
}

static void print_side(FILE *file, const char *name, const uint8_t *side,
		       bool foreign)
{
	struct argument a = {.bytes = side, .size = 8};

	if (foreign)
		fprintf(file, "%s={domid=%u, ref=%u, offset=%u}", name,
			(unsigned int)value_at(&a, 6, 2),
			(unsigned int)value_at(&a, 0, 4),
			(unsigned int)value_at(&a, 4, 2));
	else
		fprintf(file, "%s=%#llx", name,
			(unsigned long long)value_at(&a, 0, 8));
}

/* Of a copy the first segment is behind the structure, whatever its size. */
static void print_copy(FILE *file, const struct argument *a)
{
	const size_t own = a->number >> 16 & 0x3fff;
	struct argument s;
	unsigned int flags;

	fprintf(file, "count=%u", (unsigned int)value_at(a, 0, 4));
	if (a->size < own + 24)
		return;
	s = (struct argument){.bytes = a->bytes + own, .size = a->size - own};
	flags = value_at(&s, 18, 2);
	fputs(", segments={{", file);
	print_side(file, "source", s.bytes, flags & 1);
	fputs(", ", file);
	print_side(file, "dest", s.bytes + 8, flags & 2);
	fprintf(file, ", len=%u, status=%s}%s}",
		(unsigned int)value_at(&s, 16, 2),
		a->done ? status_name((int16_t)value_at(&s, 20, 2)) : "?",
		value_at(a, 0, 4) > 1 ? ", ..." : "");
}

/* Of an area's operations too. */
static void print_area_op(FILE *file, const struct argument *a)
{
	const size_t own = 24;

	if (a->size < own + 16)
		return;
	fprintf(file, ", ops={{slot=%u", (unsigned int)value_at(a, own, 4));
	if ((a->number & 0xff) == AREA_MAP)
		fprintf(file, ", domid=%u, ref=%u%s",
			(unsigned int)value_at(a, own + 4, 4),
			(unsigned int)value_at(a, own + 8, 4),
			value_at(a, own + 12, 2) & 1 ? ", READONLY" : "");
	if (a->done)
		fprintf(file, ", status=%s",
			status_name((int16_t)value_at(a, own + 14, 2)));
	fprintf(file, "}%s}", value_at(a, 16, 4) > 1 ? ", ..." : "");
}

static void print_outputs(const struct argument *a, char *out, size_t size)
{
	FILE *file = fmemopen(out, size, "w");

	if (!file)
		return;
	for (size_t i = 0; i < COUNT(members); i++) {
		if (members[i].request != (a->number & 0xff) || !members[i].out)
			continue;
		fputc(' ', file);
		print_member(file, &members[i], a);
	}
	fclose(file);
}

void request_print(FILE *file, const char *name, const struct argument *a,
		   char *out, size_t size)
{
	const unsigned int number = a->number & 0xff;
	const char *comma = "";

	memset(out, 0, size);
	fprintf(file, "%s(", name);
	if (!a->size) {
		/* Nothing, or what could not be read. */
		if (a->number >> 16 & 0x3fff)
			fputs("?", file);
	} else if (number == COPY) {
		print_copy(file, a);
	} else {
		for (size_t i = 0; i < COUNT(members); i++) {
			if (members[i].request != number || members[i].out)
				continue;
			fputs(comma, file);
			print_member(file, &members[i], a);
			comma = ", ";
		}
		if (number == AREA_MAP || number == AREA_UNMAP)
			print_area_op(file, a);
		/* How far an area's came is told in any case. */
		if (a->done || number == AREA_MAP || number == AREA_UNMAP)
			print_outputs(a, out, size - 1);
	}
	fputc(')', file);
}
