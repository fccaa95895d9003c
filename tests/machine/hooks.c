// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Functions of the C library that a program, or another library to preload, has
 * of its own and that end in syscall(): as allocators and tracers have them.
 * Built as both. A program that uses a device with each: hooks [COUNT], where
 * COUNT is how many functions are to have been called at least.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef USES

/* Exported by both, so that the program can ask. */
unsigned int hooks_called(void);

static unsigned int called;

unsigned int hooks_called(void)
{
	return __builtin_popcount(called);
}

#define CALLED(which) (called |= 1u << (which))

void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	CALLED(0);
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}

void *mmap64(void *addr, size_t length, int prot, int flags, int fd,
	     off64_t offset)
{
	CALLED(0);
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}

int munmap(void *addr, size_t length)
{
	CALLED(1);
	return syscall(SYS_munmap, addr, length);
}

int mprotect(void *addr, size_t length, int prot)
{
	CALLED(2);
	return syscall(SYS_mprotect, addr, length, prot);
}

int open(const char *path, int flags, ...)
{
	CALLED(3);
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

int open64(const char *path, int flags, ...)
{
	CALLED(3);
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

int close(int fd)
{
	CALLED(4);
	return syscall(SYS_close, fd);
}

ssize_t read(int fd, void *bytes, size_t size)
{
	CALLED(5);
	return syscall(SYS_read, fd, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	CALLED(6);
	return syscall(SYS_write, fd, bytes, size);
}

int ioctl(int fd, unsigned long number, ...)
{
	va_list list;
	void *argument;

	va_start(list, number);
	argument = va_arg(list, void *);
	va_end(list);
	CALLED(7);
	return syscall(SYS_ioctl, fd, number, argument);
}

int dup2(int fd, int to)
{
	CALLED(8);
	return syscall(SYS_dup3, fd, to, 0);
}

int access(const char *path, int how)
{
	CALLED(9);
	return syscall(SYS_faccessat, AT_FDCWD, path, how);
}

#endif

#ifndef LIBRARY

#define CHECK(condition, what)        \
	do {                          \
		if (!(condition)) {   \
			perror(what); \
			exit(1);      \
		}                     \
	} while (0)

int main(int argc, char **argv)
{
	uint32_t count = 8;
	unsigned int wanted = argc > 1 ? atoi(argv[1]) : 0;
	unsigned int (*hooks_called)(void);
	char *memory, byte;
	int fd, ends[2];

	fd = open("/dev/xen/gntdev", O_RDWR);
	CHECK(fd >= 0, "open");
	CHECK(!ioctl(fd, _IOC(0, 'G', 3, 4), &count), "ioctl");
	CHECK(!pipe(ends) && write(ends[1], "x", 1) == 1, "write");
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x', "read");
	memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED, "mmap");
	CHECK(!mprotect(memory, 4096, PROT_READ), "mprotect");
	CHECK(!munmap(memory, 8192), "munmap");
	CHECK(dup2(ends[0], ends[1]) == ends[1], "dup2");
	CHECK(!access("/", R_OK), "access");
	CHECK(!system("true"), "system");
	CHECK(!close(fd), "close");
	hooks_called = (unsigned int (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT,
								"hooks_called");
	if (!wanted || (hooks_called && hooks_called() >= wanted))
		return 0;
	printf("%u functions were called, expected %u\n",
	       hooks_called ? hooks_called() : 0, wanted);
	return 1;
}

#endif
