// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * System calls by number. They end in the kernel, not in the C library: who
 * calls so may be what stands before the C library's function himself.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>

#include "client.h"

static long by_fcntl(int fd, long command, long argument)
{
	return raw(SYS_fcntl, fd, command, argument);
}

static long ask(long number, const long *a)
{
	return raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static long transfer(long number, const long *a)
{
	size_t size = a[2];
	ssize_t done;

	if (!device_transfer(a[0], number == SYS_write, &size, &done))
		return done;
	return raw(number, a[0], a[1], size);
}

static long transfer_parts(long number, const long *a)
{
	struct device device;

	if (!device_quickly(a[0], &device))
		return ask(number, a);
	return descriptor_transfer_parts(a[0], number == SYS_writev,
					 (const struct iovec *)a[1], a[2]);
}

static long seek(const long *a)
{
	long at = ask(SYS_lseek, a);

	if (at >= 0 || errno != ESPIPE)
		return at;
	return device_seek(a[0], a[1], a[2]);
}

static long duplicate(const long *a)
{
	long fd = ask(SYS_dup, a);

	device_comes(fd);

	return fd;
}

static bool call_file(long number, const long *a, long *result)
{
	switch (number) {
	case SYS_lseek:
		*result = seek(a);
		return true;
	case SYS_ioctl:
		*result = device_ioctl(a[0], a[1], (void *)a[2]);
		return true;
	case SYS_read:
	case SYS_write:
		*result = transfer(number, a);
		return true;
	case SYS_readv:
	case SYS_writev:
		*result = transfer_parts(number, a);
		return true;
	default:
		return false;
	}
}

static bool call_memory(long number, const long *a, long *result)
{
	void *addr = (void *)a[0];

	switch (number) {
	case SYS_mmap:
		*result = (long)memory_mmap(addr, a[1], a[2], a[3], a[4], a[5]);
		return true;
	case SYS_munmap:
		*result = memory_munmap(addr, a[1]);
		return true;
	case SYS_mprotect:
		*result = memory_mprotect(addr, a[1], a[2]);
		return true;
	case SYS_pkey_mprotect:
		*result = (int)a[3] == -1 ? memory_mprotect(addr, a[1], a[2])
					  : ask(number, a);
		return true;
	case SYS_madvise:
		*result = memory_madvise(addr, a[1], a[2]);
		return true;
	case SYS_msync:
		*result = memory_msync(addr, a[1], a[2]);
		return true;
	case SYS_mremap:
		*result = (long)memory_mremap(addr, a[1], a[2], a[3],
					      (void *)a[4]);
		return true;
	case SYS_remap_file_pages:
		*result = memory_remap_pages(addr, a[1], a[2], a[3], a[4]);
		return true;
	default:
		return false;
	}
}

static bool call_descriptor(long number, const long *a, long *result)
{
	switch (number) {
	case SYS_close:
		*result = descriptor_close(a[0], descriptor_by_close);
		return true;
	case SYS_dup:
		*result = duplicate(a);
		return true;
#ifdef SYS_dup2
	case SYS_dup2:
		*result = descriptor_dup2(a[0], a[1], -1, descriptor_by_dup3);
		return true;
#endif
	case SYS_dup3:
		*result = descriptor_dup2(a[0], a[1],
					  (unsigned int)a[2] & INT32_MAX,
					  descriptor_by_dup3);
		return true;
	case SYS_fcntl:
		*result = descriptor_control(a[0], a[1], by_fcntl, a[2]);
		return true;
	case SYS_close_range:
		*result = descriptor_close_range(a[0], a[1], a[2]);
		return true;
	case SYS_unshare:
		if (a[0] & CLONE_FILES)
			tables_part();
		return false;
	case SYS_execve:
		*result = exec_by_number((const char *)a[0],
					 (char *const *)a[1],
					 (char *const *)a[2]);
		return true;
	case SYS_execveat:
		*result = exec_at_by_number(a[0], (const char *)a[1],
					    (char *const *)a[2],
					    (char *const *)a[3], a[4]);
		return true;
	default:
		return false;
	}
}

EXPORT long syscall(long number, ...)
{
	long a[6], result;
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (looks_call(number, a, &result) || call_file(number, a, &result) ||
	    call_memory(number, a, &result) ||
	    call_descriptor(number, a, &result))
		return result;

	return ask(number, a);
}
