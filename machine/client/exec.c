// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that a program starts: one that cannot be given the devices runs
 * all the same, as it may not want them; but not without a word.
 */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../program.h"
#include "client.h"

/* Called between fork() and execve(), too: so nothing is allocated. */
static void look(const char *path)
{
	char name[PATH_MAX];
	enum program_kind kind;
	int saved = errno;

	/* valgrind's own program is, and loads the library for its client. */
	if (channel_on() && path && strlen(path) < sizeof(name) &&
	    !strstr(path, "/valgrind/")) {
		strcpy(name, path);
		kind = program_look(name, sizeof(name));
		if (kind != PROGRAM_GOOD && kind != PROGRAM_UNREADABLE)
			dprintf(STDERR_FILENO, "gntdev: %s %s\n", name,
				program_why(kind));
	}
	errno = saved;
}

/* The file that a name means by the path. */
static void look_for(const char *name)
{
	const char *place = getenv("PATH");
	char path[PATH_MAX];
	size_t length;

	if (!channel_on() || !name || strchr(name, '/') || !place) {
		look(name);
		return;
	}
	for (; *place; place += length + (place[length] == ':')) {
		length = strcspn(place, ":");
		if (length + strlen(name) + 2 > sizeof(path))
			continue;
		memcpy(path, place, length);
		path[length] = '/';
		strcpy(path + length + 1, name);
		if (!access(path, X_OK)) {
			look(path);
			return;
		}
	}
}

EXPORT int execve(const char *path, char *const arguments[],
		  char *const environment[])
{
	look(path);
	return NEXT(execve)(path, arguments, environment);
}

EXPORT int execv(const char *path, char *const arguments[])
{
	look(path);
	return NEXT(execv)(path, arguments);
}

EXPORT int execvp(const char *name, char *const arguments[])
{
	look_for(name);
	return NEXT(execvp)(name, arguments);
}

EXPORT int execvpe(const char *name, char *const arguments[],
		   char *const environment[])
{
	look_for(name);
	return NEXT(execvpe)(name, arguments, environment);
}

EXPORT int posix_spawn(pid_t *pid, const char *path,
		       const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes,
		       char *const arguments[], char *const environment[])
{
	look(path);
	return NEXT(posix_spawn)(pid, path, actions, attributes, arguments,
				 environment);
}

EXPORT int posix_spawnp(pid_t *pid, const char *name,
			const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes,
			char *const arguments[], char *const environment[])
{
	look_for(name);
	return NEXT(posix_spawnp)(pid, name, actions, attributes, arguments,
				  environment);
}
