// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What is held: read, and taken apart. A line is a kind and name=value pairs. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holdings.h"
#include "tool.h"

bool host_is_xen(void)
{
	FILE *file = fopen("/sys/hypervisor/type", "re");
	char type[16] = "";
	bool xen;

	xen = file && fgets(type, sizeof(type), file) &&
	      !strncmp(type, "xen", 3);
	if (file)
		fclose(file);

	return xen;
}

void holdings_explain(const char *path, int error)
{
	if (error == EACCES || error == EPERM)
		die(STATUS_FAILED, "%s: %s: only root may look there", path,
		    strerror(error));
	if (error != ENOENT)
		die(STATUS_FAILED, "%s: %s", path, strerror(error));
	if (!host_is_xen())
		die(STATUS_FAILED,
		    "this system does not run on Xen; --machine DIR looks at a machine of gntdev run");
	if (access("/sys/module/xen_gntdev", F_OK))
		die(STATUS_FAILED,
		    "the module xen-gntdev is not loaded: modprobe xen-gntdev");
	die(STATUS_FAILED,
	    "%s: is not there: the module xen-gntdev that is loaded is another driver, which does not tell (see gntdev(4))",
	    path);
}

/* The value of a name in a line, up to the next space; false if it is not there. */
static bool text_of(const char *line, const char *name, char *value,
		    size_t size)
{
	size_t length = strlen(name);
	const char *at = line;

	while ((at = strstr(at, name))) {
		if (at > line && at[-1] == ' ' && at[length] == '=') {
			snprintf(value, size, "%.*s",
				 (int)strcspn(at + length + 1, " \n"),
				 at + length + 1);
			return true;
		}
		at += length;
	}

	return false;
}

static uint64_t number_of(const char *line, const char *name)
{
	char value[32];

	return text_of(line, name, value, sizeof(value))
		       ? strtoull(value, NULL, 10)
		       : 0;
}

/* It is the last of a line and may have anything in it. */
static void take_command(char *line, char *command, size_t size)
{
	char *at = strstr(line, " command=");

	*command = '\0';
	if (!at)
		return;
	snprintf(command, size, "%s", at + strlen(" command="));
	*at = '\0';
}

static void *more(void *rows, size_t count, size_t size)
{
	/* Room for as many again whenever it is full. */
	if (count & (count - 1))
		return rows;
	rows = realloc(rows, (count ? 2 * count : 1) * size);
	if (!rows)
		die(STATUS_FAILED, "no memory");

	return rows;
}

/* Where a number of a line goes. */
struct field {
	const char *name;
	size_t at, size;
};

#define FIELD(type, member, name)             \
	{name, offsetof(struct type, member), \
	 sizeof(((struct type *)NULL)->member)}

static const struct field host_fields[] = {
	FIELD(holdings, mapped, "mapped"),
	FIELD(holdings, deferred, "deferred"),
	FIELD(holdings, kept, "kept"),
	FIELD(holdings, leaked, "leaked"),
	FIELD(holdings, handles, "handles"),
	FIELD(holdings, frames, "grant_frames"),
	FIELD(holdings, max_frames, "max_grant_frames"),
};

static const struct field user_fields[] = {
	FIELD(user, instance, "number"), FIELD(user, owner, "owner"),
	FIELD(user, age, "age"),	 FIELD(user, process, "process"),
	FIELD(user, closed, "closed"),	 FIELD(user, grants, "grants"),
	FIELD(user, maps, "maps"),	 FIELD(user, unmaps, "unmaps"),
	FIELD(user, copies, "copies"),	 FIELD(user, bytes, "bytes"),
};

static const struct field thing_fields[] = {
	FIELD(thing, domain, "domain"),	  FIELD(thing, reference, "reference"),
	FIELD(thing, pages, "count"),	  FIELD(thing, age, "age"),
	FIELD(thing, process, "process"), FIELD(thing, instance, "instance"),
};

static void take_fields(void *row, const struct field *fields, size_t count,
			const char *line)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = number_of(line, fields[i].name);

		/* The lowest bytes are the first, on all that Xen has. */
		memcpy((char *)row + fields[i].at, &value, fields[i].size);
	}
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void parse_host(struct holdings *h, const char *line)
{
	text_of(line, "mode", h->mode, sizeof(h->mode));
	take_fields(h, host_fields, COUNT(host_fields), line);
}

static void parse_user(struct holdings *h, char *line)
{
	struct user *user;

	h->users = more(h->users, h->user_count, sizeof(*user));
	user = &h->users[h->user_count++];
	memset(user, 0, sizeof(*user));
	take_command(line, user->command, sizeof(user->command));
	take_fields(user, user_fields, COUNT(user_fields), line);
}

static void parse_thing(struct holdings *h, char *line)
{
	struct thing *thing;
	char value[32];

	h->things = more(h->things, h->thing_count, sizeof(*thing));
	thing = &h->things[h->thing_count++];
	memset(thing, 0, sizeof(*thing));
	take_command(line, thing->command, sizeof(thing->command));
	take_fields(thing, thing_fields, COUNT(thing_fields), line);
	snprintf(thing->kind, sizeof(thing->kind), "%.*s",
		 (int)strcspn(line, " "), line);
	text_of(line, "state", thing->state, sizeof(thing->state));
	thing->is_index = text_of(line, "index", value, sizeof(value));
	thing->number = number_of(line, thing->is_index ? "index" : "fd");
}

static void parse_line(struct holdings *h, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "host ", 5))
		parse_host(h, line);
	else if (!strncmp(line, "instance ", 9))
		parse_user(h, line);
	else if (*line)
		parse_thing(h, line);
}

/* A machine's server tells the same text; it is kept in memory. */
static FILE *open_machine(const char *folder, char **text)
{
	struct options options = {.machine = folder, .list = true};
	struct machine machine = {.fd = -1};
	size_t size = 0;
	FILE *file;

	folder_choose(&machine, &options);
	file = open_memstream(text, &size);
	if (!file)
		die(STATUS_FAILED, "no memory");
	server_list(&machine, true, file);
	fclose(file);
	free(machine.folder);
	file = size ? fmemopen(*text, size, "r") : NULL;
	if (!file)
		die(STATUS_FAILED, "%s: its server says nothing", folder);

	return file;
}

static int by_domain(const void *left, const void *right)
{
	const struct thing *a = left, *b = right;

	if (a->domain != b->domain)
		return a->domain < b->domain ? -1 : 1;
	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->instance != b->instance)
		return a->instance < b->instance ? -1 : 1;
	if (strcmp(a->kind, b->kind))
		return strcmp(a->kind, b->kind);
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	/* Of rows of one range, the first told is the first. */
	return a < b ? -1 : a > b;
}

/* Rows of a range that are of one domain are one thing. */
static void join(struct holdings *h)
{
	struct thing *last = h->things, *next;

	for (size_t i = 1; i < h->thing_count; i++) {
		next = &h->things[i];
		if (last->is_index && next->is_index &&
		    last->instance == next->instance &&
		    last->domain == next->domain &&
		    last->number == next->number &&
		    !strcmp(last->kind, next->kind))
			last->pages += next->pages;
		else
			*++last = *next;
	}
	if (h->thing_count)
		h->thing_count = last + 1 - h->things;
}

void holdings_read(struct holdings *holdings, const char *machine)
{
	char *line = NULL, *text = NULL;
	size_t size = 0;
	FILE *file;

	memset(holdings, 0, sizeof(*holdings));
	file = machine ? open_machine(machine, &text)
		       : fopen(HOLDINGS_FILE, "re");
	if (!file)
		holdings_explain(HOLDINGS_FILE, errno);
	errno = 0;
	while (getline(&line, &size, file) > 0)
		parse_line(holdings, line);
	if (ferror(file))
		die(STATUS_FAILED, "%s: %s", machine ?: HOLDINGS_FILE,
		    strerror(errno));
	fclose(file);
	free(line);
	free(text);

	qsort(holdings->things, holdings->thing_count, sizeof(struct thing),
	      by_domain);
	join(holdings);
}

void holdings_free(struct holdings *holdings)
{
	free(holdings->things);
	free(holdings->users);
}

const struct user *holdings_user(const struct holdings *holdings,
				 uint64_t instance)
{
	for (size_t i = 0; instance && i < holdings->user_count; i++) {
		if (holdings->users[i].instance == instance)
			return &holdings->users[i];
	}

	return NULL;
}

bool thing_is_mapped(const struct thing *thing)
{
	return strcmp(thing->kind, "memory") && strcmp(thing->kind, "import") &&
	       strcmp(thing->kind, "departed");
}
