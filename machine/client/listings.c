// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The C library's functions that list folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "client.h"

_Static_assert(sizeof(struct dirent) == sizeof(struct dirent64),
	       "both are the kernel's");

/* Of the thread's last listing that has ended. */
static __thread struct dirent64 last;

/* What the C library has of a listing, or one more if that is its end. */
static void *entry_of(DIR *dir, void *got)
{
	struct dirent64 *entry = got;
	int fd;

	if (!channel_on())
		return got;
	fd = dirfd(dir);
	if (got) {
		looks_goes_on(fd);
		if (entry->d_type == DT_SOCK)
			entry->d_type = looks_type(fd, entry->d_name);
		return got;
	}
	got = (void *)looks_listed(fd, &last.d_ino, &last.d_type);
	if (!got)
		return NULL;
	strcpy(last.d_name, got);
	last.d_off = INT_MAX;
	last.d_reclen = offsetof(struct dirent64, d_name) + strlen(got) + 1;

	return &last;
}

static DIR *open_at(const char *path)
{
	SCRATCH_ONE(struct lead, lead);

	if (path && places_find(AT_FDCWD, path, true, lead))
		return NEXT(opendir)(lead->at);
	return NEXT(opendir)(path);
}

EXPORT DIR *opendir(const char *path)
{
	return open_at(path);
}

EXPORT struct dirent *readdir(DIR *dir)
{
	return entry_of(dir, NEXT(readdir)(dir));
}

EXPORT struct dirent64 *readdir64(DIR *dir)
{
	return entry_of(dir, NEXT(readdir64)(dir));
}

EXPORT ssize_t getdents64(int fd, void *to, size_t size)
{
	long result;

	looks_call(SYS_getdents64, (const long[]){fd, (long)to, size, 0, 0, 0},
		   &result);

	return result;
}

/* What chooses among the entries is told of sockets. */
static int scan(const char *path, struct dirent ***list,
		int (*chosen)(const struct dirent *),
		int (*compare)(const struct dirent **, const struct dirent **),
		__typeof__(&scandir) next)
{
	struct dirent *entry;
	SCRATCH_ONE(struct lead, lead);
	int count;

	if (!path || !places_find(AT_FDCWD, path, true, lead))
		return next(path, list, chosen, compare);
	count = next(lead->at, list, chosen, compare);
	for (int i = 0; i < count; i++) {
		entry = (*list)[i];
		if (entry->d_type == DT_SOCK)
			entry->d_type =
				looks_type_in(lead->path, entry->d_name);
	}

	return count;
}

EXPORT int scandir(const char *path, struct dirent ***list,
		   int (*chosen)(const struct dirent *),
		   int (*compare)(const struct dirent **,
				  const struct dirent **))
{
	return scan(path, list, chosen, compare, NEXT(scandir));
}

EXPORT int scandir64(const char *path, struct dirent64 ***list,
		     int (*chosen)(const struct dirent64 *),
		     int (*compare)(const struct dirent64 **,
				    const struct dirent64 **))
{
	return scan(path, (void *)list, (void *)chosen, (void *)compare,
		    (__typeof__(&scandir))NEXT(scandir64));
}

/* ---- glob() ---- */

static struct dirent *glob_read(void *dir)
{
	return entry_of(dir, NEXT(readdir)(dir));
}

static void glob_close(void *dir)
{
	NEXT(closedir)(dir);
}

static void *glob_open(const char *path)
{
	return open_at(path);
}

static int status_of(const char *path, struct stat *status, int flags)
{
	const long call[] = {AT_FDCWD, (long)path, (long)status, flags, 0, 0};
	long result;

	if (looks_call(SYS_newfstatat, call, &result))
		return result;

	return raw(SYS_newfstatat, AT_FDCWD, path, status, flags);
}

static int glob_stat(const char *path, struct stat *status)
{
	return status_of(path, status, 0);
}

static int glob_lstat(const char *path, struct stat *status)
{
	return status_of(path, status, AT_SYMLINK_NOFOLLOW);
}

static int glob_with(const char *pattern, int flags,
		     int (*failed)(const char *, int), glob_t *found,
		     __typeof__(&glob) next)
{
	int status;

	if (flags & GLOB_ALTDIRFUNC || !channel_on())
		return next(pattern, flags, failed, found);
	found->gl_readdir = glob_read;
	found->gl_closedir = glob_close;
	found->gl_opendir = glob_open;
	found->gl_stat = glob_stat;
	found->gl_lstat = glob_lstat;
	status = next(pattern, flags | GLOB_ALTDIRFUNC, failed, found);
	found->gl_flags &= ~GLOB_ALTDIRFUNC;

	return status;
}

EXPORT int glob(const char *pattern, int flags,
		int (*failed)(const char *, int), glob_t *found)
{
	return glob_with(pattern, flags, failed, found, NEXT(glob));
}

EXPORT int glob64(const char *pattern, int flags,
		  int (*failed)(const char *, int), glob64_t *found)
{
	return glob_with(pattern, flags, failed, (glob_t *)found,
			 (__typeof__(&glob))NEXT(glob64));
}
