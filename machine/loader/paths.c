// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Calls that name a path. What the machine serves machine/client knows; here is
 * what /proc/self/exe is: the loader for the kernel, and the program for the
 * program.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "loader.h"

bool paths_restricted;

static char program[PATH_MAX];

void paths_begin(int fd, const char *path)
{
	char link[32];
	long length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = raw(SYS_readlinkat, AT_FDCWD, link, program,
		     sizeof(program) - 1);
	if (length < 0)
		strncpy(program, path, sizeof(program) - 1);
	else
		program[length] = '\0';
}

bool paths_read(long address, char *path, size_t size)
{
	size_t got = 0, part;

	while (got < size) {
		/* What is behind the string may not be there. */
		part = PAGE - ((address + got) & (PAGE - 1));
		if (part > 128)
			part = 128;
		if (part > size - got)
			part = size - got;
		if (!nofault_copy(path + got, (char *)address + got, part))
			return false;
		for (; part; part--) {
			if (!path[got++])
				return true;
		}
	}

	return false;
}

/* ---- the program's own file ---- */

static bool is_exe(const char *path)
{
	char own[32];

	snprintf(own, sizeof(own), "/proc/%d/exe", getpid());

	return !strcmp(path, "/proc/self/exe") ||
	       !strcmp(path, "/proc/thread-self/exe") || !strcmp(path, own);
}

const char *paths_exe(const char *path)
{
	return !strncmp(path, "/proc/", 6) && is_exe(path) ? program : path;
}

/* Which arguments of a call say what it is about. */
struct about {
	int folder; /* -1: it has none */
	int path;
	int flags; /* -1: it follows links */
	long no_follow; /* a bit of them */
};

static bool about_path(long number, struct about *about)
{
	switch (number) {
	case SYS_openat:
		*about = (struct about){0, 1, 2, O_NOFOLLOW};
		return true;
	case SYS_newfstatat:
		*about = (struct about){0, 1, 3, AT_SYMLINK_NOFOLLOW};
		return true;
	case SYS_statx:
		*about = (struct about){0, 1, 2, AT_SYMLINK_NOFOLLOW};
		return true;
	case SYS_faccessat:
	case SYS_faccessat2:
		*about = (struct about){0, 1, -1, 0};
		return true;
#ifdef SYS_open
	case SYS_open:
		*about = (struct about){-1, 0, 1, O_NOFOLLOW};
		return true;
	case SYS_stat:
	case SYS_access:
		*about = (struct about){-1, 0, -1, 0};
		return true;
#endif
	default:
		return false;
	}
}

static bool names_exe(long address)
{
	char path[PATH_MAX];

	return paths_read(address, path, sizeof(path)) && *path == '/' &&
	       paths_exe(path) == program;
}

/* The program's file for the loader's. */
static bool call_exe(struct trap *trap, long *result)
{
	struct about about;
	long a[6];

	if (!about_path(trap->number, &about) ||
	    (about.flags >= 0 && trap->a[about.flags] & about.no_follow) ||
	    !names_exe(trap->a[about.path]))
		return false;
	memcpy(a, trap->a, sizeof(a));
	a[about.path] = (long)program;
	*result = raw_ask(trap->number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return true;
}

static bool link_exe(struct trap *trap, long *result)
{
	const long *a = trap->a;
	long path = a[1], to = a[2], size = a[3], length = strlen(program);

#ifdef SYS_readlink
	if (trap->number == SYS_readlink) {
		path = a[0];
		to = a[1];
		size = a[2];
	} else
#endif
		if (trap->number != SYS_readlinkat)
		return false;
	if (size <= 0 || !names_exe(path))
		return false;
	if (length > size)
		length = size;
	*result = nofault_copy((void *)to, program, length) ? length : -EFAULT;

	return true;
}

static bool opens(long number)
{
#ifdef SYS_open
	if (number == SYS_open || number == SYS_creat)
		return true;
#endif
	return number == SYS_openat || number == SYS_openat2;
}

enum verdict paths_call(struct trap *trap, long *result)
{
	struct device device;

	if (link_exe(trap, result) || call_exe(trap, result))
		return CALL_DONE;
	if (!looks_call(trap->number, trap->a, result))
		return CALL_LET;
	if (*result == -1)
		*result = -(long)errno;
	if (opens(trap->number) && *result >= 0 && device_at(*result, &device))
		filter_devices();

	return CALL_DONE;
}
