// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a program is given of its environment: kept here, as the program may
 * write over its own, and given again to each program that it starts.
 */
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "loader.h"

static struct {
	const char *name;
	char entry[PATH_MAX]; /* NAME=value; empty: it was not there */
} settings[SETTINGS] = {
	{.name = ENV_MACHINE},
	{.name = ENV_DOMAIN},
	{.name = ENV_RUN},
	{.name = ENV_HELPER},
	{.name = "XENSTORED_PATH"},
	{.name = "XENSTORED_RUNDIR"},
	{.name = "XENSTORED_ROOTDIR"},
};

static const char *value_of(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(entry, name, length) && entry[length] == '='
		       ? entry + length + 1
		       : NULL;
}

/* For machine/client, which asks for these only. */
char *getenv(const char *name)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		if (!strcmp(settings[i].name, name) && *settings[i].entry)
			return (char *)value_of(settings[i].entry, name);
	}

	return NULL;
}

void settings_read(char **environment)
{
	for (; *environment; environment++) {
		for (size_t i = 0; i < SETTINGS; i++) {
			if (value_of(*environment, settings[i].name) &&
			    strlen(*environment) < sizeof(settings[i].entry))
				strcpy(settings[i].entry, *environment);
		}
	}
}

/* These are the program's, which may have given us anything. */
bool settings_is(const char *entry, const char *name)
{
	char start[32] = "";
	size_t length = strlen(name) + 1;

	return nofault_copy(start, entry, length) && value_of(start, name);
}

static bool is_there(char *const environment[], size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (settings_is(environment[i], name))
			return true;
	}

	return false;
}

/*
 * Whether it is on another machine, or on none on purpose: without a machine, but
 * with the rest.
 */
static bool is_elsewhere(char *const environment[], size_t count)
{
	char entry[PATH_MAX];

	for (size_t i = 0; i < count; i++) {
		if (settings_is(environment[i], ENV_MACHINE))
			return !paths_read((long)environment[i], entry,
					   sizeof(entry)) ||
			       strcmp(entry, settings[0].entry);
	}

	return is_there(environment, count, ENV_RUN);
}

size_t settings_add(char **environment, size_t count)
{
	bool other = is_elsewhere(environment, count);
	size_t had = count;

	for (size_t i = 0; !other && i < SETTINGS; i++) {
		if (*settings[i].entry &&
		    !is_there(environment, had, settings[i].name))
			environment[count++] = settings[i].entry;
	}
	environment[count] = NULL;

	return count;
}
