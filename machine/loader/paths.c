// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Calls that name a path. The devices' are not there for the kernel, so a path
 * is brought to the one spelling that machine/client knows, as far as it may be
 * one of theirs. /proc/self/exe is the loader for the kernel, and the program for
 * the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "loader.h"

/* As many as the kernel follows. */
#define LINKS 40

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

/* ---- one spelling ---- */

/* Slashes, dots and what they take back; of an absolute path. */
static void shorten(char *path)
{
	char *to = path, *from = path, *end;

	while (*from) {
		while (*from == '/')
			from++;
		for (end = from; *end && *end != '/';)
			end++;
		if (end == from)
			break;
		if (end - from == 1 && *from == '.') {
			from = end;
		} else if (end - from == 2 && from[0] == '.' &&
			   from[1] == '.') {
			while (to > path && *--to != '/')
				;
			from = end;
		} else {
			*to++ = '/';
			while (from < end)
				*to++ = *from++;
		}
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

/* A name that the devices have, or the folder of theirs. */
static bool is_of_interest(const char *path)
{
	static const char *const names[] = {
		"gntdev", "gntalloc", "evtchn", "privcmd",
		"xenbus", "card7",    "exe",	"kmsg",
	};
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(name, names[i]))
			return true;
	}

	return false;
}

/* Puts the folder's name before a relative path; false if it has none. */
static bool make_absolute(int folder, char *path)
{
	char link[32], at[PATH_MAX];
	long length;

	if (folder == AT_FDCWD)
		strcpy(link, "/proc/self/cwd");
	else
		snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
	length = raw(SYS_readlinkat, AT_FDCWD, link, at, sizeof(at) - 1);
	if (length <= 0 || *at != '/' || length + strlen(path) + 2 > sizeof(at))
		return false;
	at[length] = '\0';
	strcat(at, "/");
	strcat(at, path);
	strcpy(path, at);

	return true;
}

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

/* Its target in the path's place, if it is a link to something else. */
static bool follow(int folder, char *path)
{
	char target[PATH_MAX], *slash;
	long length;

	if (paths_restricted || !strncmp(path, "/proc/", 6))
		return false;
	length = raw(SYS_readlinkat, folder, path, target, sizeof(target) - 1);
	if (length <= 0)
		return false;
	target[length] = '\0';
	slash = strrchr(path, '/');
	if (*target != '/' && slash) {
		if (slash - path + 1 + length >= PATH_MAX)
			return false;
		strcpy(slash + 1, target);
	} else {
		strcpy(path, target);
	}

	return true;
}

struct place {
	char path[PATH_MAX]; /* in the one spelling */
	enum served_file file;
	bool exe; /* it is /proc/self/exe */
};

static bool is_known(int folder, struct place *place)
{
	if (*place->path != '/' && (!is_of_interest(place->path) ||
				    !make_absolute(folder, place->path)))
		return false;
	shorten(place->path);
	place->file = device_of(place->path);
	place->exe = !strncmp(place->path, "/proc/", 6) && is_exe(place->path);

	return place->file || place->exe;
}

/* Whether the path at @address is one that is not the kernel's alone. */
static bool find(int folder, long address, bool follows, struct place *place)
{
	place->file = 0;
	place->exe = false;
	if (!paths_read(address, place->path, sizeof(place->path)))
		*place->path = '\0';
	if (!*place->path)
		return false;
	for (int i = 0; i < LINKS; i++) {
		if (is_known(folder, place))
			return true;
		if (!follows || !follow(folder, place->path))
			return false;
	}

	return false;
}

/* ---- open ---- */

static long result_of(long value)
{
	return value == -1 ? -(long)errno : value;
}

/* A device that is open, by the name of its descriptor: opened once more. */
static bool is_descriptor(const char *path, struct device *device)
{
	const char *name, *end;
	long fd;

	if (!strncmp(path, "/proc/self/fd/", 14))
		name = path + 14;
	else if (!strncmp(path, "/dev/fd/", 8))
		name = path + 8;
	else
		return false;
	fd = parse_long(name, &end);

	return end != name && !*end && device_at(fd, device);
}

static enum verdict open_path(int folder, long address, int flags, long mode,
			      long *result)
{
	struct device device;
	struct place place;
	int fd = -2;

	if (find(folder, address, !(flags & O_NOFOLLOW), &place)) {
		*result = place.exe && !(flags & O_NOFOLLOW)
				  ? raw_ask(SYS_openat, AT_FDCWD, (long)program,
					    flags, mode, 0, 0)
				  : result_of(device_open(place.path, flags));
		if (*result >= 0 && place.file < FILE_CAPABILITIES)
			filter_devices();
		return *result == -2 ? CALL_LET : CALL_DONE;
	}
	if (!channel_on() || (strncmp(place.path, "/proc/", 6) &&
			      strncmp(place.path, "/dev/fd/", 8)))
		return CALL_LET;
	if (is_descriptor(place.path, &device))
		fd = device_open_again(&device, flags);
	else
		fd = device_open(place.path, flags);
	*result = result_of(fd);

	return fd == -2 ? CALL_LET : CALL_DONE;
}

static enum verdict open_how(const struct trap *trap, long *result)
{
	struct open_how how;

	if (!nofault_copy(&how, (void *)trap->a[2], sizeof(how)) ||
	    how.resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH))
		return CALL_LET;

	return open_path(trap->a[0], trap->a[1], how.flags, how.mode, result);
}

/* ---- what is said of it ---- */

long paths_fstat(int fd, void *to)
{
	struct device device;
	struct stat status;
	long error = raw_ask(SYS_fstat, fd, (long)&status, 0, 0, 0, 0);

	if (error)
		return error;
	if (S_ISSOCK(status.st_mode) && device_at(fd, &device))
		paths_describe(&status, device.file);

	return nofault_copy(to, &status, sizeof(status)) ? 0 : -EFAULT;
}

static long describe(const struct place *place, void *to)
{
	struct stat status;

	paths_describe(&status, place->file);

	return nofault_copy(to, &status, sizeof(status)) ? 0 : -EFAULT;
}

static enum verdict status_of(int folder, long address, long to, long flags,
			      long *result)
{
	struct place place;
	char first;

	if (flags & AT_EMPTY_PATH && folder >= 0 &&
	    (!address ||
	     (nofault_copy(&first, (void *)address, 1) && !first))) {
		*result = paths_fstat(folder, (void *)to);
		return CALL_DONE;
	}
	if (!find(folder, address, !(flags & AT_SYMLINK_NOFOLLOW), &place))
		return CALL_LET;
	if (place.file)
		*result = describe(&place, (void *)to);
	else if (flags & AT_SYMLINK_NOFOLLOW)
		return CALL_LET;
	else
		*result = raw_ask(SYS_newfstatat, AT_FDCWD, (long)program, to,
				  0, 0, 0);

	return CALL_DONE;
}

static enum verdict statx_of(const struct trap *trap, long *result)
{
	const long *a = trap->a;
	enum served_file file = 0;
	struct device device;
	struct statx status;
	struct place place;
	char first = 1;

	if (a[2] & AT_EMPTY_PATH)
		nofault_copy(&first, (void *)a[1], 1);
	if (!first || !a[1]) {
		if (!device_at(a[0], &device))
			return CALL_LET;
		file = device.file;
	} else if (find(a[0], a[1], !(a[2] & AT_SYMLINK_NOFOLLOW), &place)) {
		file = place.file;
	}
	if (!file)
		return CALL_LET;
	paths_describe_extended(&status, file);
	*result = nofault_copy((void *)a[4], &status, sizeof(status)) ? 0
								      : -EFAULT;

	return CALL_DONE;
}

static enum verdict access_of(int folder, long address, long how, long *result)
{
	struct place place;

	if (!find(folder, address, true, &place))
		return CALL_LET;
	if (!place.file)
		*result = raw_ask(SYS_faccessat, AT_FDCWD, (long)program, how,
				  0, 0, 0);
	else
		*result = how & 1 /* X_OK */ ? -EACCES : 0;

	return CALL_DONE;
}

static enum verdict link_of(int folder, long address, long to, long size,
			    long *result)
{
	struct place place;
	long length = strlen(program);

	if (!find(folder, address, false, &place))
		return CALL_LET;
	*result = -EINVAL;
	if (!place.exe || size <= 0)
		return CALL_DONE;
	if (length > size)
		length = size;
	*result = nofault_copy((void *)to, program, length) ? length : -EFAULT;

	return CALL_DONE;
}

enum verdict paths_call(struct trap *trap, long *result)
{
	const long *a = trap->a;

	switch (trap->number) {
#ifdef SYS_open
	case SYS_open:
		return open_path(AT_FDCWD, a[0], a[1], a[2], result);
	case SYS_creat:
		return open_path(AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC,
				 a[1], result);
	case SYS_stat:
		return status_of(AT_FDCWD, a[0], a[1], 0, result);
	case SYS_lstat:
		return status_of(AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW,
				 result);
	case SYS_access:
		return access_of(AT_FDCWD, a[0], a[1], result);
	case SYS_readlink:
		return link_of(AT_FDCWD, a[0], a[1], a[2], result);
#endif
	case SYS_openat:
		return open_path(a[0], a[1], a[2], a[3], result);
	case SYS_openat2:
		return open_how(trap, result);
	case SYS_newfstatat:
		return status_of(a[0], a[1], a[2], a[3], result);
	case SYS_statx:
		return statx_of(trap, result);
	case SYS_faccessat:
	case SYS_faccessat2:
		return access_of(a[0], a[1], a[2], result);
	case SYS_readlinkat:
		return link_of(a[0], a[1], a[2], a[3], result);
	default:
		return CALL_LET;
	}
}
