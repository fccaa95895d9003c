// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A library to preload: writes down what a program asks of the grant device and
 * of gntalloc, and how long each call took, when asked.h's flag is set. Else its
 * functions are the C library's with a look at that flag.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "asked.h"

#define PAGE 4096
#define MOST_MAPPINGS 256u

static struct asked *asked;
static dev_t devices[2];
static uint64_t overhead;
static void *mappings[MOST_MAPPINGS]; /* of a device of these */

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

__attribute__((constructor)) static void start(void)
{
	char name[128];
	struct stat info;
	void *at;
	int fd;

	if (!stat("/dev/xen/gntdev", &info))
		devices[0] = info.st_rdev;
	if (!stat("/dev/xen/gntalloc", &info))
		devices[1] = info.st_rdev;
	snprintf(name, sizeof(name), ASKED_FILE "%s",
		 getenv("ASKED_NAME") ?: program_invocation_short_name);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*asked)))
		return;
	at = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	syscall(SYS_close, fd);
	if (at == MAP_FAILED)
		return;
	overhead = ~0ull;
	for (int i = 0; i < 100; i++) {
		uint64_t begun = now(), spent = now() - begun;

		if (spent < overhead)
			overhead = spent;
	}
	asked = at;
}

static bool is_on(void)
{
	return asked && __atomic_load_n(&asked->on, __ATOMIC_RELAXED);
}

static bool is_device(int fd)
{
	int error = errno;
	struct stat info;
	bool is = !fstat(fd, &info) && S_ISCHR(info.st_mode) && info.st_rdev &&
		  (info.st_rdev == devices[0] || info.st_rdev == devices[1]);

	errno = error;
	return is;
}

static void note(uint32_t kind, uint32_t size, uint64_t begun)
{
	uint64_t spent = now() - begun;
	uint32_t i = __atomic_fetch_add(&asked->count, 1, __ATOMIC_RELAXED);

	if (i < ASKED_MOST)
		asked->calls[i] = (struct asked_call){
			kind, size, spent > overhead ? spent - overhead : 0};
}

/* The first word of these requests is how many; others are of one. */
static uint32_t size_of(unsigned long request, const void *argument)
{
	switch (request) {
	case IOCTL_GNTDEV_GRANT_COPY:
	case IOCTL_GNTDEV_MAP_GRANT_REF:
		return *(const uint32_t *)argument;
	default:
		return 1;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	uint64_t begun;
	void *argument;
	int result;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (!is_on() || _IOC_TYPE(request) != 'G' || !is_device(fd))
		return syscall(SYS_ioctl, fd, request, argument);
	begun = now();
	result = syscall(SYS_ioctl, fd, request, argument);
	note(_IOC_NR(request), size_of(request, argument), begun);
	return result;
}

/* Where a device is mapped is kept, whether it is timed or not. */
static void keep(void *at)
{
	for (unsigned int i = 0; i < MOST_MAPPINGS; i++) {
		void *none = NULL;

		if (__atomic_compare_exchange_n(&mappings[i], &none, at, false,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return;
	}
}

static bool forget(void *at)
{
	for (unsigned int i = 0; i < MOST_MAPPINGS; i++) {
		void *expected = at;

		if (__atomic_compare_exchange_n(&mappings[i], &expected, NULL,
						false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd,
	   off_t index)
{
	uint64_t begun;
	void *result;

	if (!asked || fd < 0 || !is_device(fd))
		return (void *)syscall(SYS_mmap, at, size, protection, flags,
				       fd, index);
	begun = now();
	result = (void *)syscall(SYS_mmap, at, size, protection, flags, fd,
				 index);
	if (is_on())
		note(ASKED_MMAP, size / PAGE, begun);
	if (result != MAP_FAILED)
		keep(result);
	return result;
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd,
	     off_t index) __attribute__((alias("mmap")));

int munmap(void *at, size_t size)
{
	bool timed = asked && forget(at) && is_on();
	uint64_t begun;
	int result;

	if (!timed)
		return syscall(SYS_munmap, at, size);
	begun = now();
	result = syscall(SYS_munmap, at, size);
	note(ASKED_MUNMAP, size / PAGE, begun);
	return result;
}

int close(int fd)
{
	uint64_t begun;
	int result;

	if (!is_on() || !is_device(fd))
		return syscall(SYS_close, fd);
	begun = now();
	result = syscall(SYS_close, fd);
	note(ASKED_CLOSE, 1, begun);
	return result;
}
