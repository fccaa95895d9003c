// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* gntdev list: who maps, exports and grants what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdings.h"
#include "tool.h"

static const char usage[] =
	"usage: gntdev list [OPTION]...\n"
	"\n"
	"Shows what programs hold through the Xen grant device: pages of other\n"
	"domains that are mapped, and pages that other domains may use.\n"
	"\n"
	"  --domain N       only what is of domain N, or granted to it\n"
	"  --json           for scripts: one JSON object\n"
	"  --machine DIR    of the machine in DIR, not of this Xen host\n"
	"  --help           show this\n"
	"\n"
	"See gntdev(1) for what the columns mean.\n";

#define BOLD "\033[1m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

struct list {
	struct view view;
	bool json;
	bool terminal;
};

static bool is_wanted(const struct list *list, const struct thing *thing)
{
	return list->view.domain < 0 ||
	       thing->domain == (uint32_t)list->view.domain;
}

/* ---- JSON ---- */

static void print_string(const char *name, const char *value)
{
	printf("\"%s\": \"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
	putchar('"');
}

static void print_json_thing(const struct holdings *h,
			     const struct thing *thing, bool first)
{
	const struct user *user = holdings_user(h, thing->instance);

	printf("%s\n    {", first ? "" : ",");
	print_string("kind", thing->kind);
	printf(", \"domain\": %u, \"first_reference\": %u, \"pages\": %llu, ",
	       thing->domain, thing->reference,
	       (unsigned long long)thing->pages);
	print_string("state", thing->state);
	printf(", \"age\": %u, \"process\": %d, ", thing->age, thing->process);
	print_string("command", thing->command);
	if (thing->instance)
		printf(", \"instance\": %llu, \"%s\": %llu",
		       (unsigned long long)thing->instance,
		       thing->is_index ? "index" : "fd",
		       (unsigned long long)thing->number);
	if (user)
		printf(", \"owner\": %u", user->owner);
	putchar('}');
}

static void print_json_user(const struct user *user, bool first)
{
	printf("%s\n    {\"instance\": %llu, \"process\": %d, ",
	       first ? "" : ",", (unsigned long long)user->instance,
	       user->process);
	print_string("command", user->command);
	printf(", \"owner\": %u, \"age\": %u, \"closed\": %s, \"grants\": %llu",
	       user->owner, user->age, user->closed ? "true" : "false",
	       (unsigned long long)user->grants);
	printf(", \"maps\": %llu, \"unmaps\": %llu, \"copies\": %llu, \"bytes\": %llu}",
	       (unsigned long long)user->maps, (unsigned long long)user->unmaps,
	       (unsigned long long)user->copies,
	       (unsigned long long)user->bytes);
}

static void print_json(const struct list *list, const struct holdings *h)
{
	bool first = true;

	printf("{\n  \"host\": {");
	print_string("mode", h->mode);
	printf(", \"mapped\": %ld, \"deferred\": %ld, \"kept\": %ld, \"leaked\": %ld",
	       h->mapped, h->deferred, h->kept, h->leaked);
	printf(", \"handles\": %ld, \"grant_frames\": %lu, \"max_grant_frames\": %lu},\n",
	       h->handles, h->frames, h->max_frames);

	printf("  \"instances\": [");
	for (size_t i = 0; i < h->user_count; i++)
		print_json_user(&h->users[i], !i);
	printf("],\n  \"holdings\": [");
	for (size_t i = 0; i < h->thing_count; i++) {
		if (!is_wanted(list, &h->things[i]))
			continue;
		print_json_thing(h, &h->things[i], first);
		first = false;
	}
	printf("]\n}\n");
}

/* ---- the table ---- */

static void print_row(const struct list *list, const struct holdings *h,
		      const struct thing *thing, int columns)
{
	const struct user *user = holdings_user(h, thing->instance);
	char age[TEXT], owner[TEXT] = "-", pages[TEXT], row[256];
	bool odd = !strcmp(thing->state, "waiting") || (user && user->closed);

	if (user)
		user_name(user->owner, owner);
	snprintf(row, sizeof(row), "%6u %-8s %9s %10u %-8s %5s %7d %-8.8s %s",
		 thing->domain, thing->kind, with_commas(thing->pages, pages),
		 thing->reference, thing->state, short_age(thing->age, age),
		 thing->process, owner, thing->command);
	printf("%s%.*s%s\n", colour(list->terminal && odd, YELLOW), columns,
	       row, colour(list->terminal && odd, PLAIN));
}

static void print_limits(const struct holdings *h)
{
	char one[TEXT], other[TEXT];

	printf("handles: %s in use by this driver; Xen allows a domain %s, unless told otherwise\n",
	       with_commas(h->handles, one), with_commas(USUAL_HANDLES, other));
	if (h->max_frames)
		printf("grant frames: %lu of %lu in use\n", h->frames,
		       h->max_frames);
	if (h->leaked)
		printf("leaked: %s pages that the hypervisor would not unmap\n",
		       with_commas(h->leaked, one));
}

static void print_table(const struct list *list, const struct holdings *h)
{
	uint64_t mapped = 0, granted = 0;
	char one[TEXT], other[TEXT];
	int columns = 256;
	size_t rows = 0;

	if (list->terminal)
		columns = terminal_columns(1);
	for (size_t i = 0; i < h->thing_count; i++) {
		const struct thing *thing = &h->things[i];

		if (!is_wanted(list, thing))
			continue;
		if (!rows++)
			printf("%s%6s %-8s %9s %10s %-8s %5s %7s %-8s %s%s\n",
			       colour(list->terminal, BOLD), "DOMAIN", "KIND",
			       "PAGES", "FIRST REF", "STATE", "AGE", "PID",
			       "USER", "COMMAND",
			       colour(list->terminal, PLAIN));
		print_row(list, h, thing, columns);
		if (thing_is_mapped(thing))
			mapped += thing->pages;
		else
			granted += thing->pages;
	}
	if (rows)
		putchar('\n');
	if (list->view.domain >= 0 && !rows)
		printf("nothing of domain %d is held, and nothing granted to it, through this device\n",
		       list->view.domain);
	else
		printf("%s pages of other domains held, %s granted to them\n",
		       with_commas(mapped, one), with_commas(granted, other));
	print_limits(h);
}

static void parse(struct list *list, int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		VIEW_OPTIONS,
	};

	while (view_option(&list->view, argc, argv, "", known, usage) == 'j')
		list->json = true;
	view_no_more(&list->view, argc, argv);
}

int list_main(int argc, char **argv)
{
	struct list list = {
		.view = {.command = "list", .domain = -1},
		.terminal = is_terminal(1),
	};
	struct holdings holdings;

	parse(&list, argc, argv);
	holdings_read(&holdings, list.view.machine);
	if (list.json)
		print_json(&list, &holdings);
	else
		print_table(&list, &holdings);
	holdings_free(&holdings);
	output_end("the list");

	return 0;
}
