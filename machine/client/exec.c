// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that a program starts. The devices are there whatever its
 * environment is; one that cannot be given them runs all the same, as it may
 * not want them; but not without a word.
 *
 * All of it may be called between vfork() and execve(): so nothing is allocated.
 */
#include <alloca.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../program.h"
#include "client.h"

#define PRELOAD "LD_PRELOAD"

extern char **environ;

/* ---- its environment ---- */

/* What a program needs to be on this machine, as it was when this one began. */
static struct {
	const char *name;
	char entry[PATH_MAX]; /* NAME=value; empty: it was not there */
} wanted[] = {
	{.name = PRELOAD},
	{.name = ENV_MACHINE},
	{.name = ENV_DOMAIN},
	{.name = ENV_RUN},
	{.name = ENV_HELPER},
	{.name = ENV_HOW},
	{.name = "XENSTORED_PATH"},
	{.name = "XENSTORED_RUNDIR"},
	{.name = "XENSTORED_ROOTDIR"},
	{.name = "ASAN_OPTIONS"},
};

#define WANTED (sizeof(wanted) / sizeof(*wanted))

/* This library, as the C library's loader was told of it. */
static const char *library;
/* gntdev's loader beside it; empty: it is not to be used. */
static char loader[PATH_MAX];

static void find_loader(void)
{
	const char *slash = library ? strrchr(library, '/') : NULL;
	const char *how = getenv(ENV_HOW);

	if (!PROGRAM_HAS_LOADER || !slash || (how && !strcmp(how, "preload")))
		return;
	snprintf(loader, sizeof(loader), "%.*s/gntdev-loader",
		 (int)(slash - library), library);
}

void exec_begin(void)
{
	const char *value;
	Dl_info info;

	if (dladdr((void *)(uintptr_t)exec_begin, &info))
		library = info.dli_fname;
	find_loader();
	for (size_t i = 0; i < WANTED; i++) {
		value = i ? getenv(wanted[i].name) : library;
		if (value && strlen(value) + strlen(wanted[i].name) + 2 <
				     sizeof(wanted[i].entry))
			snprintf(wanted[i].entry, sizeof(wanted[i].entry),
				 "%s=%s", wanted[i].name, value);
	}
}

static const char *value_in(char *const environment[], const char *name)
{
	size_t length = strlen(name);

	for (; environment && *environment; environment++) {
		if (!strncmp(*environment, name, length) &&
		    (*environment)[length] == '=')
			return *environment + length + 1;
	}

	return NULL;
}

/*
 * How many of them are missing, if it is to be given them. An environment that
 * has our library, or another one in its place, is left as it is.
 */
static size_t count_missing(char *const environment[])
{
	const char *machine = value_in(environment, ENV_MACHINE);
	size_t missing = 0;

	if (!channel_on() || !library || value_in(environment, PRELOAD) ||
	    (machine && strcmp(machine, strchr(wanted[1].entry, '=') + 1)))
		return 0;
	for (size_t i = 0; i < WANTED; i++)
		missing += *wanted[i].entry &&
			   !value_in(environment, wanted[i].name);

	return missing;
}

/* Where a program is, and how it is started. */
struct target {
	bool for_loader;
	int fd; /* the loader's, of the program; -1: it opens it itself */
	char path[PATH_MAX];
	char entry[PATH_MAX + 64]; /* what the loader is told */
};

/* The child of vfork() has its parent's rooms, and gives none back if it starts. */
#define TARGET(name)                                                \
	struct target *name __attribute__((cleanup(scratch_end))) = \
		(connect_is_guest() ? NULL : scratch_take())        \
			?: __builtin_alloca(sizeof(struct target))

static char **fill(char **room, char *const environment[], bool missing,
		   struct target *target)
{
	char **at = room;

	for (; environment && *environment; environment++)
		*at++ = *environment;
	for (size_t i = 0; missing && i < WANTED; i++) {
		if (*wanted[i].entry && !value_in(room, wanted[i].name))
			*at++ = wanted[i].entry;
		*at = NULL;
	}
	if (target->for_loader)
		*at++ = target->entry;
	*at = NULL;

	return room;
}

static size_t length_of(char *const list[])
{
	size_t length = 0;

	while (list && list[length])
		length++;

	return length;
}

/* Of the calling function: the environment with what was missing. */
#define COMPLETE(environment, target)                                   \
	({                                                              \
		size_t missing = count_missing(environment);            \
		size_t size = length_of(environment) + missing + 2;     \
		missing || (target)->for_loader                         \
			? fill(memset(alloca(size * sizeof(char *)), 0, \
				      size * sizeof(char *)),           \
			       environment, missing, target)            \
			: (char **)(environment);                       \
	})

/* ---- what it is ---- */

static void warn(const char *name, const char *why)
{
	dprintf(STDERR_FILENO, "gntdev: %s %s\n", name, why);
}

/* It goes by the loader then, if that finds the machine. */
static bool take_loader(const char *shown, char *const environment[],
			struct target *target)
{
	/* It may be out of reach by now, as after chroot(). */
	if (!*loader || raw(SYS_faccessat, AT_FDCWD, loader, X_OK) ||
	    (!value_in(environment, ENV_MACHINE) &&
	     !count_missing(environment)))
		return false;
	snprintf(target->entry, sizeof(target->entry),
		 ENV_LOADER "=0:%d:-1::%s", target->fd, shown);
	target->for_loader = true;

	return true;
}

/* @path is where it can be looked at, @shown what people call it. */
static void look_at(const char *path, const char *shown,
		    char *const environment[], struct target *target)
{
	const char *preload = value_in(environment, PRELOAD);
	SCRATCH_PATH(name);
	enum program_kind kind;
	int saved = errno;

	/*
	 * valgrind's own program is, and loads the library for its client. A
	 * `gntdev run` on the machine starts a loader of its own.
	 */
	if (!channel_on() || !path || strlen(path) >= PATH_MAX ||
	    strstr(shown, "/valgrind/") || value_in(environment, ENV_LOADER))
		return;
	strcpy(name, path);
	kind = program_look(name, PATH_MAX);
	if (program_is_for_loader(kind) &&
	    take_loader(shown, environment, target))
		;
	else if (!program_is_for_preload(kind) && kind != PROGRAM_UNREADABLE)
		warn(strcmp(name, path) ? name : shown, program_why(kind));
	else if (preload && library && !strstr(preload, library))
		warn(shown,
		     "is started with an LD_PRELOAD without gntdev's library: so without the machine's devices");
	else if (preload && !value_in(environment, ENV_MACHINE))
		warn(shown, "is started without " ENV_MACHINE
			    ": so without the machine's devices");
	errno = saved;
}

static void look(const char *path, char *const environment[],
		 struct target *target)
{
	target->for_loader = false;
	target->fd = -1;
	look_at(path, path, environment, target);
}

/* The file that a name means by the path. */
static void look_for(const char *name, char *const environment[],
		     struct target *target)
{
	/* As the C library has it where there is none. */
	const char *place = getenv("PATH") ?: "/bin:/usr/bin";
	char *path = target->path;
	size_t length;

	if (!channel_on() || !name || strchr(name, '/')) {
		look(name, environment, target);
		return;
	}
	target->for_loader = false;
	target->fd = -1;
	for (; *place; place += length + (place[length] == ':')) {
		length = strcspn(place, ":");
		if (length + strlen(name) + 2 > sizeof(target->path))
			continue;
		memcpy(path, place, length);
		path[length] = '/';
		strcpy(path + length + 1, name);
		if (!raw(SYS_faccessat, AT_FDCWD, path, X_OK)) {
			look(path, environment, target);
			return;
		}
	}
}

/* It has not been started. */
static int look_failed(struct target *target)
{
	int saved = errno;

	if (target->fd >= 0)
		raw(SYS_close, target->fd);
	target->fd = -1;
	errno = saved;

	return -1;
}

/* As execveat() takes it: a descriptor, or a path from one. */
static void look_from(int folder, const char *path, int flags,
		      char *const environment[], struct target *target)
{
	SCRATCH(char, at, 2 * PATH_MAX);
	char *shown = at + PATH_MAX;
	ssize_t length;
	int saved = errno;

	target->for_loader = false;
	target->fd = -1;
	if (!path || !channel_on())
		return;
	if (*path == '/' || (*path && folder == AT_FDCWD)) {
		look(path, environment, target);
		return;
	}
	if (*path)
		length = snprintf(at, PATH_MAX, "/proc/self/fd/%d/%s", folder,
				  path);
	else
		length = snprintf(at, PATH_MAX, "/proc/self/fd/%d", folder);
	if ((!*path && !(flags & AT_EMPTY_PATH)) || length >= PATH_MAX)
		return;
	length = *path ? -1
		       : raw(SYS_readlinkat, AT_FDCWD, at, shown, PATH_MAX - 1);
	shown[length < 0 ? 0 : length] = '\0';
	/* It may be closed by execve(). */
	target->fd = raw(SYS_openat, AT_FDCWD, at, O_RDONLY);
	look_at(at, length < 0 ? path : shown, environment, target);
	if (!target->for_loader)
		look_failed(target);
	errno = saved;
}

/* ---- starting it ---- */

int exec_by_number(const char *path, char *const arguments[],
		   char *const environment[])
{
	TARGET(target);
	char **complete;

	look(path, environment, target);
	complete = COMPLETE(environment, target);
	return raw(SYS_execve, target->for_loader ? loader : path, arguments,
		   complete);
}

int exec_at_by_number(int folder, const char *path, char *const arguments[],
		      char *const environment[], int flags)
{
	TARGET(target);
	char **complete;

	look_from(folder, path, flags, environment, target);
	complete = COMPLETE(environment, target);
	if (!target->for_loader)
		return raw(SYS_execveat, folder, path, arguments, complete,
			   flags);
	raw(SYS_execve, loader, arguments, complete);
	return look_failed(target);
}

static int start(const char *path, char *const arguments[],
		 char *const environment[])
{
	TARGET(target);
	char **complete;

	look(path, environment, target);
	complete = COMPLETE(environment, target);
	return NEXT(execve)(target->for_loader ? loader : path, arguments,
			    complete);
}

static int start_by_name(const char *name, char *const arguments[],
			 char *const environment[])
{
	TARGET(target);
	char **complete;

	look_for(name, environment, target);
	complete = COMPLETE(environment, target);
	if (target->for_loader)
		return NEXT(execve)(loader, arguments, complete);
	return NEXT(execvpe)(name, arguments, complete);
}

EXPORT int execve(const char *path, char *const arguments[],
		  char *const environment[])
{
	return start(path, arguments, environment);
}

EXPORT int execv(const char *path, char *const arguments[])
{
	return start(path, arguments, environ);
}

EXPORT int execvp(const char *name, char *const arguments[])
{
	return start_by_name(name, arguments, environ);
}

EXPORT int execvpe(const char *name, char *const arguments[],
		   char *const environment[])
{
	return start_by_name(name, arguments, environment);
}

EXPORT int fexecve(int fd, char *const arguments[], char *const environment[])
{
	TARGET(target);
	char **complete;

	look_from(fd, "", AT_EMPTY_PATH, environment, target);
	complete = COMPLETE(environment, target);
	if (!target->for_loader)
		return NEXT(fexecve)(fd, arguments, complete);
	NEXT(execve)(loader, arguments, complete);
	return look_failed(target);
}

EXPORT int execveat(int folder, const char *path, char *const arguments[],
		    char *const environment[], int flags)
{
	TARGET(target);
	char **complete;

	look_from(folder, path, flags, environment, target);
	complete = COMPLETE(environment, target);
	if (!target->for_loader)
		return NEXT(execveat)(folder, path, arguments, complete, flags);
	NEXT(execve)(loader, arguments, complete);
	return look_failed(target);
}

/* Arguments that come one by one, as a list in the calling function. */
#define LIST(first, list)                                             \
	({                                                            \
		size_t count = 0;                                     \
		char **arguments;                                     \
		va_start(list, first);                                \
		for (const char *each = first; each;                  \
		     each = va_arg(list, const char *))               \
			count++;                                      \
		va_end(list);                                         \
		arguments = alloca((count + 1) * sizeof(*arguments)); \
		va_start(list, first);                                \
		arguments[0] = (char *)(uintptr_t)(first);            \
		for (size_t i = 1; i <= count; i++)                   \
			arguments[i] = va_arg(list, char *);          \
		arguments;                                            \
	})

EXPORT int execl(const char *path, const char *first, ...)
{
	va_list list;
	char **arguments = LIST(first, list);

	va_end(list);
	return start(path, arguments, environ);
}

EXPORT int execlp(const char *name, const char *first, ...)
{
	va_list list;
	char **arguments = LIST(first, list);

	va_end(list);
	return start_by_name(name, arguments, environ);
}

EXPORT int execle(const char *path, const char *first, ...)
{
	va_list list;
	char **arguments = LIST(first, list);
	char **environment = va_arg(list, char **);

	va_end(list);
	return start(path, arguments, environment);
}

EXPORT int posix_spawn(pid_t *pid, const char *path,
		       const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes,
		       char *const arguments[], char *const environment[])
{
	TARGET(target);
	char **complete;

	look(path, environment, target);
	complete = COMPLETE(environment, target);
	return NEXT(posix_spawn)(pid, target->for_loader ? loader : path,
				 actions, attributes, arguments, complete);
}

EXPORT int posix_spawnp(pid_t *pid, const char *name,
			const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes,
			char *const arguments[], char *const environment[])
{
	TARGET(target);
	char **complete;

	look_for(name, environment, target);
	complete = COMPLETE(environment, target);
	if (target->for_loader)
		return NEXT(posix_spawn)(pid, loader, actions, attributes,
					 arguments, complete);
	return NEXT(posix_spawnp)(pid, name, actions, attributes, arguments,
				  complete);
}

/* These take the environment as it is, and start a shell of their own. */
static void warn_of_shell(void)
{
	if (count_missing(environ))
		warn("/bin/sh", "is started without " PRELOAD
				": so without the machine's devices");
}

EXPORT int system(const char *command)
{
	warn_of_shell();
	return NEXT(system)(command);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
	warn_of_shell();
	return NEXT(popen)(command, mode);
}
