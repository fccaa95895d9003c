// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What is said of the devices' paths by those who only ask. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "client.h"

/* Numbers such as misc devices have. */
#define MISC_MAJOR 10
#define FIRST_MINOR 64

#define WHEN(path, say)                          \
	enum served_file file = device_of(path); \
	if (file) {                              \
		say;                             \
		return 0;                        \
	}

void paths_describe(struct stat *status, enum served_file file)
{
	memset(status, 0, sizeof(*status));
	status->st_ino = file;
	status->st_nlink = 1;
	status->st_uid = geteuid();
	status->st_gid = getegid();
	status->st_blksize = PAGE;
	if (file < FILE_CAPABILITIES) {
		status->st_mode = S_IFCHR | 0600;
		status->st_rdev = makedev(MISC_MAJOR, FIRST_MINOR + file);
	} else {
		status->st_mode = S_IFREG | 0644;
		status->st_size = PAGE;
	}
}

static void describe64(struct stat64 *status, enum served_file file)
{
	struct stat same;

	paths_describe(&same, file);
	memset(status, 0, sizeof(*status));
	status->st_ino = same.st_ino;
	status->st_nlink = same.st_nlink;
	status->st_uid = same.st_uid;
	status->st_gid = same.st_gid;
	status->st_blksize = same.st_blksize;
	status->st_mode = same.st_mode;
	status->st_rdev = same.st_rdev;
	status->st_size = same.st_size;
}

EXPORT int stat(const char *path, struct stat *status)
{
	WHEN(path, paths_describe(status, file));
	return NEXT(stat)(path, status);
}

EXPORT int lstat(const char *path, struct stat *status)
{
	WHEN(path, paths_describe(status, file));
	return NEXT(lstat)(path, status);
}

EXPORT int fstatat(int folder, const char *path, struct stat *status, int flags)
{
	WHEN(path, paths_describe(status, file));
	return NEXT(fstatat)(folder, path, status, flags);
}

EXPORT int stat64(const char *path, struct stat64 *status)
{
	WHEN(path, describe64(status, file));
	return NEXT(stat64)(path, status);
}

EXPORT int lstat64(const char *path, struct stat64 *status)
{
	WHEN(path, describe64(status, file));
	return NEXT(lstat64)(path, status);
}

EXPORT int fstatat64(int folder, const char *path, struct stat64 *status,
		     int flags)
{
	WHEN(path, describe64(status, file));
	return NEXT(fstatat64)(folder, path, status, flags);
}

/* What programs call that were built with an older C library. */
int __xstat(int version, const char *path, struct stat *status);
int __lxstat(int version, const char *path, struct stat *status);
int __xstat64(int version, const char *path, struct stat64 *status);
int __lxstat64(int version, const char *path, struct stat64 *status);

EXPORT int __xstat(int version, const char *path, struct stat *status)
{
	WHEN(path, paths_describe(status, file));
	return NEXT(__xstat)(version, path, status);
}

EXPORT int __lxstat(int version, const char *path, struct stat *status)
{
	WHEN(path, paths_describe(status, file));
	return NEXT(__lxstat)(version, path, status);
}

EXPORT int __xstat64(int version, const char *path, struct stat64 *status)
{
	WHEN(path, describe64(status, file));
	return NEXT(__xstat64)(version, path, status);
}

EXPORT int __lxstat64(int version, const char *path, struct stat64 *status)
{
	WHEN(path, describe64(status, file));
	return NEXT(__lxstat64)(version, path, status);
}

void paths_describe_extended(struct statx *status, enum served_file file)
{
	struct stat same;

	paths_describe(&same, file);
	memset(status, 0, sizeof(*status));
	status->stx_mask = STATX_BASIC_STATS;
	status->stx_ino = same.st_ino;
	status->stx_nlink = same.st_nlink;
	status->stx_uid = same.st_uid;
	status->stx_gid = same.st_gid;
	status->stx_blksize = same.st_blksize;
	status->stx_mode = same.st_mode;
	status->stx_rdev_major = major(same.st_rdev);
	status->stx_rdev_minor = minor(same.st_rdev);
	status->stx_size = same.st_size;
}

EXPORT int statx(int folder, const char *path, int flags, unsigned int mask,
		 struct statx *status)
{
	enum served_file file = device_of(path);

	if (!file)
		return NEXT(statx)(folder, path, flags, mask, status);
	paths_describe_extended(status, file);

	return 0;
}

static int may(int how)
{
	if (!(how & X_OK))
		return 0;
	errno = EACCES;
	return -1;
}

EXPORT int access(const char *path, int how)
{
	return device_of(path) ? may(how) : NEXT(access)(path, how);
}

EXPORT int euidaccess(const char *path, int how)
{
	return device_of(path) ? may(how) : NEXT(euidaccess)(path, how);
}

EXPORT int faccessat(int folder, const char *path, int how, int flags)
{
	if (device_of(path))
		return may(how);
	return NEXT(faccessat)(folder, path, how, flags);
}
