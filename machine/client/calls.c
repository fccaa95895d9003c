// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The C library's functions that this library stands before. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode;
	int fd = device_open(path, flags);

	WITH_MODE(flags, mode);
	return fd != -2 ? fd : NEXT(open)(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
	mode_t mode;
	int fd = device_open(path, flags);

	WITH_MODE(flags, mode);
	return fd != -2 ? fd : NEXT(open64)(path, flags, mode);
}

EXPORT int openat(int folder, const char *path, int flags, ...)
{
	mode_t mode;
	int fd = device_open(path, flags);

	WITH_MODE(flags, mode);
	return fd != -2 ? fd : NEXT(openat)(folder, path, flags, mode);
}

EXPORT int openat64(int folder, const char *path, int flags, ...)
{
	mode_t mode;
	int fd = device_open(path, flags);

	WITH_MODE(flags, mode);
	return fd != -2 ? fd : NEXT(openat64)(folder, path, flags, mode);
}

/* What a compiler makes of these with _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
	int fd = device_open(path, flags);

	return fd != -2 ? fd : NEXT(__open_2)(path, flags);
}

EXPORT int __open64_2(const char *path, int flags)
{
	int fd = device_open(path, flags);

	return fd != -2 ? fd : NEXT(__open64_2)(path, flags);
}

EXPORT int __openat_2(int folder, const char *path, int flags)
{
	int fd = device_open(path, flags);

	return fd != -2 ? fd : NEXT(__openat_2)(folder, path, flags);
}

EXPORT int __openat64_2(int folder, const char *path, int flags)
{
	int fd = device_open(path, flags);

	return fd != -2 ? fd : NEXT(__openat64_2)(folder, path, flags);
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

static FILE *open_stream(const char *path, const char *mode, bool *is_ours)
{
	int fd = device_open(path, flags_of(mode));
	FILE *file;

	*is_ours = fd != -2;
	if (fd < 0)
		return NULL;
	file = fdopen(fd, mode);
	if (!file)
		close(fd);

	return file;
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	bool is_ours;
	FILE *file = open_stream(path, mode, &is_ours);

	return is_ours ? file : NEXT(fopen)(path, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
	bool is_ours;
	FILE *file = open_stream(path, mode, &is_ours);

	return is_ours ? file : NEXT(fopen64)(path, mode);
}

/* ---- requests and memory ---- */

static int no_such_call(void)
{
	errno = EINVAL;
	return -1;
}

EXPORT ssize_t read(int fd, void *bytes, size_t size)
{
	if (device_is_mute(fd))
		return no_such_call();
	return NEXT(read)(fd, bytes, size);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
	if (device_is_mute(fd))
		return no_such_call();
	return NEXT(write)(fd, bytes, size);
}

ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room);

EXPORT ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room)
{
	if (device_is_mute(fd))
		return no_such_call();
	return NEXT(__read_chk)(fd, bytes, size, room);
}

/* Of a socket the kernel knows no place: but of a dma-buf's there is a size. */
EXPORT off64_t lseek64(int fd, off64_t offset, int whence)
{
	off64_t at = NEXT(lseek64)(fd, offset, whence);

	if (at >= 0 || errno != ESPIPE)
		return at;
	return device_seek(fd, offset, whence);
}

EXPORT off_t lseek(int fd, off_t offset, int whence)
{
	return lseek64(fd, offset, whence);
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

/* ---- descriptors that end ---- */

/* The device at a descriptor, which is about to be closed. */
static bool is_device(int fd)
{
	return channel_on() && device_is_known(device_inode(fd));
}

static void closed(bool was_device)
{
	int saved = errno;

	if (was_device)
		channel_sync();
	errno = saved;
}

EXPORT int close(int fd)
{
	bool was_device;
	int error;

	if (channel_owns(fd)) {
		errno = EBADF;
		return -1;
	}
	was_device = is_device(fd);
	error = NEXT(close)(fd);
	closed(was_device);

	return error;
}

EXPORT int dup2(int fd, int to)
{
	bool was_device = fd != to && is_device(to);
	int result;

	if (channel_owns(to))
		channel_move(to);
	result = NEXT(dup2)(fd, to);
	closed(was_device);

	return result;
}

EXPORT int dup3(int fd, int to, int flags)
{
	bool was_device = fd != to && is_device(to);
	int result;

	if (channel_owns(to))
		channel_move(to);
	result = NEXT(dup3)(fd, to, flags);
	closed(was_device);

	return result;
}

/* All but ours. */
EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	int own, error = 0;

	while (!error && channel_on() && first <= last) {
		own = channel_next_own(first);
		if (own < 0 || (unsigned int)own > last)
			break;
		if ((unsigned int)own > first)
			error = NEXT(close_range)(first, own - 1, flags);
		first = own + 1;
	}
	if (!error && first <= last)
		error = NEXT(close_range)(first, last, flags);
	closed(channel_on());

	return error;
}

EXPORT void closefrom(int first)
{
	close_range(first < 0 ? 0 : first, ~0U, 0);
}

/* ---- system calls by number ---- */

EXPORT long syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);

	switch (number) {
#ifdef SYS_open
	case SYS_open:
		return open((const char *)a[0], a[1], (mode_t)a[2]);
#endif
	case SYS_openat:
		return openat(a[0], (const char *)a[1], a[2], (mode_t)a[3]);
	case SYS_close:
		return close(a[0]);
	case SYS_lseek:
		return lseek(a[0], a[1], a[2]);
	case SYS_ioctl:
		return ioctl(a[0], a[1], a[2]);
	case SYS_mmap:
		return (long)mmap((void *)a[0], a[1], a[2], a[3], a[4], a[5]);
	case SYS_munmap:
		return munmap((void *)a[0], a[1]);
	case SYS_mprotect:
		return mprotect((void *)a[0], a[1], a[2]);
	case SYS_madvise:
		return madvise((void *)a[0], a[1], a[2]);
	case SYS_mremap:
		return (long)memory_mremap((void *)a[0], a[1], a[2], a[3],
					   (void *)a[4]);
	case SYS_remap_file_pages:
		return remap_file_pages((void *)a[0], a[1], a[2], a[3], a[4]);
	case SYS_pkey_mprotect:
		return pkey_mprotect((void *)a[0], a[1], a[2], a[3]);
	case SYS_read:
		return read(a[0], (void *)a[1], a[2]);
	case SYS_write:
		return write(a[0], (void *)a[1], a[2]);
#ifdef SYS_dup2
	case SYS_dup2:
		return dup2(a[0], a[1]);
#endif
	case SYS_dup3:
		return dup3(a[0], a[1], a[2]);
	case SYS_close_range:
		return close_range(a[0], a[1], a[2]);
	default:
		return raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
}
