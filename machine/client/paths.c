// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The C library's functions that name a path or look at a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "client.h"

_Static_assert(sizeof(struct stat) == sizeof(struct stat64),
	       "both are the kernel's");

static bool look(const long *call, long *result)
{
	return looks_call(call[0], call + 1, result);
}

/*
 * Whether the kernel's answer leaves it open that the path leads to a file of the
 * machine's, by a link. @status is what it has said, if that tells the type.
 */
static bool is_open(long result, bool follow, const struct stat *status)
{
	if (!follow || !channel_on())
		return false;

	return result < 0 ? errno == ENOENT || errno == ENXIO
			  : status && S_ISSOCK(status->st_mode);
}

/*
 * Returns what the machine's files answer to the system call of that number, if the
 * path is one of theirs; else what the next function does. The call's arguments are
 * such as it has.
 */
#define ANSWER(next, status, folder, path, follow, ...)            \
	do {                                                       \
		const long call_[] = {__VA_ARGS__, 0, 0, 0, 0, 0}; \
		bool named_ = places_maybe(folder, path, follow);  \
		long answer_, result_;                             \
		int errno_;                                        \
		if (named_ && look(call_, &answer_))               \
			return answer_;                            \
		result_ = next;                                    \
		errno_ = errno;                                    \
		if (!named_ && is_open(result_, follow, status) && \
		    look(call_, &answer_))                         \
			return answer_;                            \
		errno = errno_;                                    \
		return result_;                                    \
	} while (0)

#define LOOK(next, folder, path, follow, ...) \
	ANSWER(next, NULL, folder, path, follow, __VA_ARGS__)

static bool follows(int flags)
{
	return !(flags & O_NOFOLLOW) && !(flags & O_CREAT && flags & O_EXCL);
}

static int try_open(int folder, const char *path, int flags, mode_t mode)
{
	long call[] = {folder, (long)path, flags, mode, 0, 0}, fd;

	return looks_call(SYS_openat, call, &fd) ? fd : -2;
}

/* What would be created behind a link has to be known before. */
int paths_open(int folder, const char *path, int flags, mode_t mode)
{
	if (!path || (strncmp(path, "/proc/", 6) && !(flags & O_CREAT) &&
		      !places_maybe(folder, path, follows(flags))))
		return -2;

	return try_open(folder, path, flags, mode);
}

int paths_opened(int fd, int folder, const char *path, int flags, mode_t mode)
{
	int saved = errno, other;

	if (!is_open(fd, follows(flags), NULL))
		return fd;
	other = try_open(folder, path, flags, mode);
	if (other != -2)
		return other;
	errno = saved;

	return fd;
}

/* ---- stat ---- */

#define AT(next, folder, path, status, flags)                            \
	ANSWER(next, (const struct stat *)(status), folder, path,        \
	       !((flags) & AT_SYMLINK_NOFOLLOW), SYS_newfstatat, folder, \
	       (long)(path), (long)(status), flags)

/* The status of a descriptor, when the kernel has told of it. */
static int told(int error, int fd, void *status)
{
	if (!error)
		looks_correct(fd, status);

	return error;
}

/* It is the descriptor that is meant. */
static bool is_fd(const char *path, int flags)
{
	return flags & AT_EMPTY_PATH && (!path || !*path);
}

EXPORT int stat(const char *path, struct stat *status)
{
	AT(NEXT(stat)(path, status), AT_FDCWD, path, status, 0);
}

EXPORT int lstat(const char *path, struct stat *status)
{
	AT(NEXT(lstat)(path, status), AT_FDCWD, path, status,
	   AT_SYMLINK_NOFOLLOW);
}

EXPORT int fstat(int fd, struct stat *status)
{
	return told(NEXT(fstat)(fd, status), fd, status);
}

EXPORT int fstatat(int folder, const char *path, struct stat *status, int flags)
{
	if (is_fd(path, flags))
		return told(NEXT(fstatat)(folder, path, status, flags), folder,
			    status);
	AT(NEXT(fstatat)(folder, path, status, flags), folder, path, status,
	   flags);
}

EXPORT int stat64(const char *path, struct stat64 *status)
{
	AT(NEXT(stat64)(path, status), AT_FDCWD, path, status, 0);
}

EXPORT int lstat64(const char *path, struct stat64 *status)
{
	AT(NEXT(lstat64)(path, status), AT_FDCWD, path, status,
	   AT_SYMLINK_NOFOLLOW);
}

EXPORT int fstat64(int fd, struct stat64 *status)
{
	return told(NEXT(fstat64)(fd, status), fd, status);
}

EXPORT int fstatat64(int folder, const char *path, struct stat64 *status,
		     int flags)
{
	if (is_fd(path, flags))
		return told(NEXT(fstatat64)(folder, path, status, flags),
			    folder, status);
	AT(NEXT(fstatat64)(folder, path, status, flags), folder, path, status,
	   flags);
}

/* What programs call that were built with an older C library. */
int __xstat(int version, const char *path, struct stat *status);
int __lxstat(int version, const char *path, struct stat *status);
int __fxstat(int version, int fd, struct stat *status);
int __fxstatat(int version, int folder, const char *path, struct stat *status,
	       int flags);
int __xstat64(int version, const char *path, struct stat64 *status);
int __lxstat64(int version, const char *path, struct stat64 *status);
int __fxstat64(int version, int fd, struct stat64 *status);
int __fxstatat64(int version, int folder, const char *path,
		 struct stat64 *status, int flags);

EXPORT int __xstat(int version, const char *path, struct stat *status)
{
	AT(NEXT(__xstat)(version, path, status), AT_FDCWD, path, status, 0);
}

EXPORT int __lxstat(int version, const char *path, struct stat *status)
{
	AT(NEXT(__lxstat)(version, path, status), AT_FDCWD, path, status,
	   AT_SYMLINK_NOFOLLOW);
}

EXPORT int __fxstat(int version, int fd, struct stat *status)
{
	return told(NEXT(__fxstat)(version, fd, status), fd, status);
}

EXPORT int __fxstatat(int version, int folder, const char *path,
		      struct stat *status, int flags)
{
	if (is_fd(path, flags))
		return told(NEXT(__fxstatat)(version, folder, path, status,
					     flags),
			    folder, status);
	AT(NEXT(__fxstatat)(version, folder, path, status, flags), folder, path,
	   status, flags);
}

EXPORT int __xstat64(int version, const char *path, struct stat64 *status)
{
	AT(NEXT(__xstat64)(version, path, status), AT_FDCWD, path, status, 0);
}

EXPORT int __lxstat64(int version, const char *path, struct stat64 *status)
{
	AT(NEXT(__lxstat64)(version, path, status), AT_FDCWD, path, status,
	   AT_SYMLINK_NOFOLLOW);
}

EXPORT int __fxstat64(int version, int fd, struct stat64 *status)
{
	return told(NEXT(__fxstat64)(version, fd, status), fd, status);
}

EXPORT int __fxstatat64(int version, int folder, const char *path,
			struct stat64 *status, int flags)
{
	if (is_fd(path, flags))
		return told(NEXT(__fxstatat64)(version, folder, path, status,
					       flags),
			    folder, status);
	AT(NEXT(__fxstatat64)(version, folder, path, status, flags), folder,
	   path, status, flags);
}

EXPORT int statx(int folder, const char *path, int flags, unsigned int mask,
		 struct statx *status)
{
	bool follow = !(flags & AT_SYMLINK_NOFOLLOW);
	long call[] = {folder, (long)path, flags, mask, (long)status, 0}, told;
	bool named = is_fd(path, flags) || places_maybe(folder, path, follow);
	struct stat type = {0};
	int error, saved;

	if (named && looks_call(SYS_statx, call, &told))
		return told;

	error = NEXT(statx)(folder, path, flags, mask, status);
	saved = errno;
	type.st_mode = error ? 0 : status->stx_mode;
	if (!named && is_open(error, follow, &type) &&
	    looks_call(SYS_statx, call, &told))
		return told;
	errno = saved;

	return error;
}

/* ---- access ---- */

EXPORT int access(const char *path, int how)
{
	LOOK(NEXT(access)(path, how), AT_FDCWD, path, true, SYS_faccessat,
	     AT_FDCWD, (long)path, how);
}

static int access_at(int folder, const char *path, int how, int flags)
{
	LOOK(NEXT(faccessat)(folder, path, how, flags), folder, path,
	     !(flags & AT_SYMLINK_NOFOLLOW),
	     flags ? SYS_faccessat2 : SYS_faccessat, folder, (long)path, how,
	     flags);
}

EXPORT int euidaccess(const char *path, int how)
{
	return access_at(AT_FDCWD, path, how, AT_EACCESS);
}

EXPORT int eaccess(const char *path, int how)
{
	return access_at(AT_FDCWD, path, how, AT_EACCESS);
}

EXPORT int faccessat(int folder, const char *path, int how, int flags)
{
	return access_at(folder, path, how, flags);
}

/* ---- links, and the folder that the process is in ---- */

/* Nothing is written behind what a link says: many rely on that. */
static ssize_t link_at(int folder, const char *path, char *to, size_t size)
{
	long call[] = {folder, (long)path, (long)to, size, 0, 0}, result;
	char first = 0;

	if (channel_on() && path &&
	    raw(SYS_readlinkat, folder, path, &first, 1) < 0 &&
	    !places_maybe(folder, path, false))
		return -1;
	/* Other links are to what is no device and not in the tree. */
	if ((first == '/' || first == 's' || !first) &&
	    looks_call(SYS_readlinkat, call, &result))
		return result;

	return NEXT(readlinkat)(folder, path, to, size);
}

EXPORT ssize_t readlink(const char *path, char *to, size_t size)
{
	return link_at(AT_FDCWD, path, to, size);
}

EXPORT ssize_t readlinkat(int folder, const char *path, char *to, size_t size)
{
	return link_at(folder, path, to, size);
}

/* Those of _FORTIFY_SOURCE. */
ssize_t __readlink_chk(const char *path, char *to, size_t size, size_t room);
ssize_t __readlinkat_chk(int folder, const char *path, char *to, size_t size,
			 size_t room);
char *__getcwd_chk(char *to, size_t size, size_t room);
char *__realpath_chk(const char *path, char *to, size_t room);

EXPORT ssize_t __readlink_chk(const char *path, char *to, size_t size,
			      size_t room)
{
	return size > room ? NEXT(__readlink_chk)(path, to, size, room)
			   : link_at(AT_FDCWD, path, to, size);
}

EXPORT ssize_t __readlinkat_chk(int folder, const char *path, char *to,
				size_t size, size_t room)
{
	return size > room
		       ? NEXT(__readlinkat_chk)(folder, path, to, size, room)
		       : link_at(folder, path, to, size);
}

static char *renamed(char *path)
{
	if (path)
		places_rename(path);

	return path;
}

static char *current(char *to, size_t size)
{
	SCRATCH_PATH(path);
	long result;

	/* Where the real name is too long, the other may still fit. */
	if (!to || !looks_call(SYS_getcwd,
			       (const long[]){(long)path, PATH_MAX, 0, 0, 0, 0},
			       &result))
		return renamed(NEXT(getcwd)(to, size));
	if ((size_t)result > size) {
		errno = size ? ERANGE : EINVAL;
		return NULL;
	}

	return memcpy(to, path, result);
}

EXPORT char *getcwd(char *to, size_t size)
{
	return current(to, size);
}

EXPORT char *__getcwd_chk(char *to, size_t size, size_t room)
{
	return size > room ? NEXT(__getcwd_chk)(to, size, room)
			   : current(to, size);
}

EXPORT char *get_current_dir_name(void)
{
	return renamed(NEXT(get_current_dir_name)());
}

EXPORT int chdir(const char *path)
{
	LOOK(NEXT(chdir)(path), AT_FDCWD, path, true, SYS_chdir, (long)path);
}

static char *real(const char *path, char *to)
{
	SCRATCH_ONE(struct lead, lead);

	if (!path || !places_find(AT_FDCWD, path, true, lead))
		return renamed(NEXT(realpath)(path, to));
	return renamed(NEXT(realpath)(lead->at, to));
}

EXPORT char *realpath(const char *path, char *to)
{
	return real(path, to);
}

EXPORT char *__realpath_chk(const char *path, char *to, size_t room)
{
	return room < PATH_MAX ? NEXT(__realpath_chk)(path, to, room)
			       : real(path, to);
}

EXPORT char *canonicalize_file_name(const char *path)
{
	return real(path, NULL);
}

/* ---- what else is asked of a path ---- */

EXPORT int statfs(const char *path, struct statfs *status)
{
	LOOK(NEXT(statfs)(path, status), AT_FDCWD, path, true, SYS_statfs,
	     (long)path, (long)status);
}

EXPORT int statfs64(const char *path, struct statfs64 *status)
{
	LOOK(NEXT(statfs64)(path, status), AT_FDCWD, path, true, SYS_statfs,
	     (long)path, (long)status);
}

EXPORT ssize_t getxattr(const char *path, const char *name, void *value,
			size_t size)
{
	LOOK(NEXT(getxattr)(path, name, value, size), AT_FDCWD, path, true,
	     SYS_getxattr, (long)path, (long)name, (long)value, size);
}

EXPORT ssize_t lgetxattr(const char *path, const char *name, void *value,
			 size_t size)
{
	LOOK(NEXT(lgetxattr)(path, name, value, size), AT_FDCWD, path, false,
	     SYS_lgetxattr, (long)path, (long)name, (long)value, size);
}

EXPORT ssize_t listxattr(const char *path, char *names, size_t size)
{
	LOOK(NEXT(listxattr)(path, names, size), AT_FDCWD, path, true,
	     SYS_listxattr, (long)path, (long)names, size);
}

EXPORT ssize_t llistxattr(const char *path, char *names, size_t size)
{
	LOOK(NEXT(llistxattr)(path, names, size), AT_FDCWD, path, false,
	     SYS_llistxattr, (long)path, (long)names, size);
}

EXPORT int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	LOOK(NEXT(inotify_add_watch)(fd, path, mask), AT_FDCWD, path, true,
	     SYS_inotify_add_watch, fd, (long)path, mask);
}

EXPORT int chmod(const char *path, mode_t mode)
{
	LOOK(NEXT(chmod)(path, mode), AT_FDCWD, path, true, SYS_fchmodat,
	     AT_FDCWD, (long)path, mode);
}

EXPORT int fchmodat(int folder, const char *path, mode_t mode, int flags)
{
	LOOK(NEXT(fchmodat)(folder, path, mode, flags), folder, path, true,
	     SYS_fchmodat, folder, (long)path, mode);
}

EXPORT int chown(const char *path, uid_t owner, gid_t group)
{
	LOOK(NEXT(chown)(path, owner, group), AT_FDCWD, path, true,
	     SYS_fchownat, AT_FDCWD, (long)path, owner, group, 0);
}

EXPORT int fchownat(int folder, const char *path, uid_t owner, gid_t group,
		    int flags)
{
	LOOK(NEXT(fchownat)(folder, path, owner, group, flags), folder, path,
	     !(flags & AT_SYMLINK_NOFOLLOW), SYS_fchownat, folder, (long)path,
	     owner, group, flags);
}
