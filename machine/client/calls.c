// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The C library's functions that this library stands before. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"

/* ---- open ---- */

static mode_t mode_of(int flags, va_list list)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

#define WITH_MODE(flags, mode)               \
	do {                                 \
		va_list list;                \
		va_start(list, flags);       \
		mode = mode_of(flags, list); \
		va_end(list);                \
	} while (0)

/* Returns a file of the machine's, if the path is one's, or what the next function opens. */
#define OPEN(next, folder, path, flags, mode)                         \
	do {                                                          \
		int fd_ = paths_open(folder, path, flags, mode);      \
		if (fd_ != -2)                                        \
			return fd_;                                   \
		return paths_opened(next, folder, path, flags, mode); \
	} while (0)

EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode;

	WITH_MODE(flags, mode);
	OPEN(NEXT(open)(path, flags, mode), AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
	mode_t mode;

	WITH_MODE(flags, mode);
	OPEN(NEXT(open64)(path, flags, mode), AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int folder, const char *path, int flags, ...)
{
	mode_t mode;

	WITH_MODE(flags, mode);
	OPEN(NEXT(openat)(folder, path, flags, mode), folder, path, flags,
	     mode);
}

EXPORT int openat64(int folder, const char *path, int flags, ...)
{
	mode_t mode;

	WITH_MODE(flags, mode);
	OPEN(NEXT(openat64)(folder, path, flags, mode), folder, path, flags,
	     mode);
}

#define CREATION (O_CREAT | O_WRONLY | O_TRUNC)

EXPORT int creat(const char *path, mode_t mode)
{
	OPEN(NEXT(creat)(path, mode), AT_FDCWD, path, CREATION, mode);
}

EXPORT int creat64(const char *path, mode_t mode)
{
	OPEN(NEXT(creat64)(path, mode), AT_FDCWD, path, CREATION, mode);
}

/* What a compiler makes of these with _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
	OPEN(NEXT(__open_2)(path, flags), AT_FDCWD, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags)
{
	OPEN(NEXT(__open64_2)(path, flags), AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int folder, const char *path, int flags)
{
	OPEN(NEXT(__openat_2)(folder, path, flags), folder, path, flags, 0);
}

EXPORT int __openat64_2(int folder, const char *path, int flags)
{
	OPEN(NEXT(__openat64_2)(folder, path, flags), folder, path, flags, 0);
}

static int flags_of(const char *mode)
{
	int flags = *mode == 'r' ? O_RDONLY : O_WRONLY;

	if (strchr(mode, '+'))
		flags = O_RDWR;
	if (strchr(mode, 'e'))
		flags |= O_CLOEXEC;

	return flags;
}

static FILE *stream_of(int fd, const char *mode)
{
	FILE *file = fd < 0 ? NULL : fdopen(fd, mode);

	if (!file && fd >= 0)
		raw(SYS_close, fd);

	return file;
}

static FILE *open_stream(const char *path, const char *mode,
			 __typeof__(&fopen) next)
{
	int flags = flags_of(mode), fd;
	FILE *file;

	fd = paths_open(AT_FDCWD, path, flags, 0666);
	if (fd != -2)
		return stream_of(fd, mode);
	file = next(path, mode);

	return file
		       ?: stream_of(paths_opened(-1, AT_FDCWD, path, flags,
						 0666),
				    mode);
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	return open_stream(path, mode, NEXT(fopen));
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
	return open_stream(path, mode, NEXT(fopen64));
}

/* ---- requests and memory ---- */

EXPORT ssize_t read(int fd, void *bytes, size_t size)
{
	ssize_t done;

	if (!device_transfer(fd, false, &size, &done))
		return done;
	return NEXT(read)(fd, bytes, size);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
	ssize_t done;

	if (!device_transfer(fd, true, &size, &done))
		return done;
	return NEXT(write)(fd, bytes, size);
}

ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room);

EXPORT ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room)
{
	ssize_t done;

	if (size <= room && !device_transfer(fd, false, &size, &done))
		return done;
	return NEXT(__read_chk)(fd, bytes, size, room);
}

EXPORT ssize_t readv(int fd, const struct iovec *parts, int count)
{
	struct device device;

	if (device_quickly(fd, &device))
		return descriptor_transfer_parts(fd, false, parts, count);
	return NEXT(readv)(fd, parts, count);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	struct device device;

	if (device_quickly(fd, &device))
		return descriptor_transfer_parts(fd, true, parts, count);
	return NEXT(writev)(fd, parts, count);
}

/* Of a socket the kernel knows no place: but of a dma-buf's there is a size. */
static off64_t seek(off64_t at, int fd, off64_t offset, int whence)
{
	if (at >= 0 || errno != ESPIPE)
		return at;
	return device_seek(fd, offset, whence);
}

EXPORT off64_t lseek64(int fd, off64_t offset, int whence)
{
	return seek(NEXT(lseek64)(fd, offset, whence), fd, offset, whence);
}

EXPORT off_t lseek(int fd, off_t offset, int whence)
{
	return seek(NEXT(lseek)(fd, offset, whence), fd, offset, whence);
}

EXPORT int ioctl(int fd, unsigned long number, ...)
{
	void *argument;
	va_list list;

	va_start(list, number);
	argument = va_arg(list, void *);
	va_end(list);

	return device_ioctl(fd, number, argument);
}

EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd,
		  off_t offset)
{
	return memory_mmap(addr, length, prot, flags, fd, offset);
}

EXPORT void *mmap64(void *addr, size_t length, int prot, int flags, int fd,
		    off64_t offset)
{
	return memory_mmap(addr, length, prot, flags, fd, offset);
}

EXPORT int munmap(void *addr, size_t length)
{
	return memory_munmap(addr, length);
}

EXPORT int mprotect(void *addr, size_t length, int prot)
{
	return memory_mprotect(addr, length, prot);
}

/* Protection keys are the program's entries', of which the server has none. */
EXPORT int pkey_mprotect(void *addr, size_t length, int prot, int key)
{
	if (key == -1)
		return memory_mprotect(addr, length, prot);
	return NEXT(pkey_mprotect)(addr, length, prot, key);
}

EXPORT int remap_file_pages(void *addr, size_t length, int prot, size_t offset,
			    int flags)
{
	return memory_remap_pages(addr, length, prot, offset, flags);
}

EXPORT int msync(void *addr, size_t length, int flags)
{
	return memory_msync(addr, length, flags);
}

EXPORT int madvise(void *addr, size_t length, int advice)
{
	return memory_madvise(addr, length, advice);
}

EXPORT void *mremap(void *addr, size_t old_length, size_t new_length, int flags,
		    ...)
{
	void *new_addr = NULL;
	va_list list;

	if (flags & MREMAP_FIXED) {
		va_start(list, flags);
		new_addr = va_arg(list, void *);
		va_end(list);
	}

	return memory_mremap(addr, old_length, new_length, flags, new_addr);
}

/* ---- descriptors ---- */

static long next_close(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return NEXT(close)(fd);
}

static long next_dup(int fd, long to, long flags)
{
	(void)to;
	(void)flags;
	return NEXT(dup)(fd);
}

static long next_dup2(int fd, long to, long flags)
{
	(void)flags;
	return NEXT(dup2)(fd, to);
}

static long next_dup3(int fd, long to, long flags)
{
	return NEXT(dup3)(fd, to, flags);
}

static long next_fcntl(int fd, long command, long argument)
{
	return NEXT(fcntl)(fd, command, argument);
}

static long next_fcntl64(int fd, long command, long argument)
{
	return NEXT(fcntl64)(fd, command, argument);
}

/* Of a device's socket it would be the end of the device. */
EXPORT int shutdown(int fd, int how)
{
	if (!device_inode(fd))
		return NEXT(shutdown)(fd, how);
	errno = ENOTSOCK;
	return -1;
}

EXPORT int close(int fd)
{
	return descriptor_close(fd, next_close);
}

EXPORT int dup(int fd)
{
	int result = next_dup(fd, 0, 0);

	device_comes(result);

	return result;
}

EXPORT int dup2(int fd, int to)
{
	return descriptor_dup2(fd, to, 0, next_dup2);
}

EXPORT int dup3(int fd, int to, int flags)
{
	return descriptor_dup2(fd, to, flags, next_dup3);
}

EXPORT int fcntl(int fd, int command, ...)
{
	va_list list;
	long argument;

	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);

	return descriptor_control(fd, command, next_fcntl, argument);
}

EXPORT int fcntl64(int fd, int command, ...)
{
	va_list list;
	long argument;

	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);

	return descriptor_control(fd, command, next_fcntl64, argument);
}

EXPORT int unshare(int flags)
{
	if (flags & CLONE_FILES)
		tables_part();
	return NEXT(unshare)(flags);
}

EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	return descriptor_close_range(first, last, flags);
}

EXPORT void closefrom(int first)
{
	descriptor_close_range(first < 0 ? 0 : first, ~0U, 0);
}
