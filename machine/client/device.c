// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The devices, and the files beside them, by path and by descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "../../include/xen/gntdev.h"
#include "../../include/xen/gntdev_more.h"
#include "client.h"

#define EVTCHN_RESET _IOC(_IOC_NONE, 'E', 5, 0)

/* The flags that a descriptor can have and that open() was asked for. */
static int finish_open(int fd, int flags)
{
	device_comes(fd);
	if (!(flags & O_CLOEXEC))
		raw(SYS_fcntl, fd, F_SETFD, 0);
	if (flags & O_NONBLOCK)
		raw(SYS_fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);

	return fd;
}

int device_open(enum served_file file, int flags)
{
	struct request request = {
		.op = OP_OPEN,
		.file = file,
		.a = flags,
	};
	int64_t error;
	int fd;

	if (flags & O_DIRECTORY) {
		errno = ENOTDIR;
		return -1;
	}
	if (flags & O_CREAT && flags & O_EXCL) {
		errno = EEXIST;
		return -1;
	}
	fd = channel_call_fd(&request, &error);
	if (fd >= 0)
		return finish_open(fd, flags);
	errno = error < 0 ? -error : EIO;

	return -1;
}

/* The socket's may always be read and written. */
static void correct_flags(char *text, int flags)
{
	char *line = strstr(text, "flags:\t"), *digit;

	digit = line ? strchr(line, '\n') : NULL;
	if (digit)
		digit[-1] = '0' + (((digit[-1] - '0') & ~O_ACCMODE) |
				   (flags & O_ACCMODE));
}

/* What /proc says of a descriptor of a device, and what the driver adds. */
static int open_fdinfo(const char *path, int fd)
{
	struct request request = {.op = OP_FDINFO};
	SCRATCH(char, text, 2 * ANSWER_BYTES);
	struct device device;
	int from, to;
	ssize_t size;

	if (!device_at(fd, &device))
		return -2;
	request.inode = device.inode;
	from = raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return -1;
	size = raw(SYS_read, from, text, ANSWER_BYTES - 1);
	raw(SYS_close, from);
	if (size < 0)
		return -1;
	text[size] = '\0';
	correct_flags(text, device.flags);
	size += channel_text(&request, text + size, ANSWER_BYTES);

	to = raw(SYS_memfd_create, "fdinfo", MFD_CLOEXEC);
	if (to < 0)
		return -1;
	lend_write(to, text, size, 0);

	return to;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

int device_open_proc(const char *path, int flags)
{
	char own[32];
	int length, fd;

	length = snprintf(own, sizeof(own), "/proc/%d/", getpid());
	if (!strncmp(path, "/proc/self/", 11))
		path += 11;
	else if (!strncmp(path, own, length))
		path += length;
	else
		return -2;

	/* Its effect on mapped devices is the kernel's matter. */
	if (!strcmp(path, "clear_refs") && (flags & O_ACCMODE) != O_RDONLY)
		memory_clear_refs(4);
	if (!strncmp(path, "fdinfo/", 7) && path[7]) {
		for (path += 7, fd = 0; is_digit(*path) && fd < INT_MAX / 10;)
			fd = fd * 10 + *path++ - '0';
		if (*path)
			return -2;
		snprintf(own, sizeof(own), "/proc/self/fdinfo/%d", fd);
		return open_fdinfo(own, fd);
	}

	return -2;
}

/* Ports that were delivered and not read yet are as good as never sent. */
static void drain(int fd)
{
	char bytes[1024];

	while (raw(SYS_recvfrom, fd, bytes, sizeof(bytes), MSG_DONTWAIT, NULL,
		   NULL) > 0)
		;
}

/* Those that give the program a descriptor. */
static bool gives_descriptor(unsigned long number)
{
	/* DRM_IOCTL_PRIME_HANDLE_TO_FD */
	return (uint32_t)number == IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS ||
	       (uint32_t)number == IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2 ||
	       (_IOC_TYPE(number) == 'd' && _IOC_NR(number) == 0x2d);
}

/* It is the program's now, or is taken back if it still is what it was. */
static void settle(const struct reserved_fd *reserved, int64_t result)
{
	if (reserved->fd < 0)
		return;
	if (result < 0 && device_inode(reserved->fd) == reserved->inode)
		raw(SYS_close, reserved->fd);
}

static int64_t ask(const struct request *request, struct answer *answer)
{
	struct reserved_fd reserved;
	int64_t result;
	int memory;

	if (request->a == IOCTL_GNTDEV_GRANT_MEMORY) {
		memory = lend_begin((void *)(uintptr_t)request->b);
		result = channel_call(request, answer);
		lend_end(memory);
		return result;
	}
	if (request->a == IOCTL_GNTDEV_GRANT_COPY && copy_call(request, answer))
		return answer->value;
	if (!gives_descriptor(request->a))
		return channel_call(request, answer);
	result = channel_call_reserving(request, answer, &reserved);
	settle(&reserved, result);

	return result;
}

off64_t device_seek(int fd, off64_t offset, int whence)
{
	struct request request = {
		.op = OP_SEEK,
		.a = offset,
		.b = whence,
	};
	struct answer answer = {0};
	int64_t result = -ESPIPE;

	request.inode = device_inode(fd);
	if (request.inode)
		result = channel_call(&request, &answer);
	if (answer.flags & ANSWER_UNKNOWN)
		result = -ESPIPE;
	if (result < 0) {
		errno = -result;
		return -1;
	}

	return result;
}

/* Requests of the devices, of dma-bufs and of graphics devices. */
static bool may_be_ours(unsigned int type)
{
	return type == 'G' || type == 'E' || type == 'P' || type == 'b' ||
	       type == 'd';
}

static bool take(void *to, const void *argument, size_t size)
{
	sigset_t mask;
	bool told;

	nofault_begin(&mask);
	told = nofault_copy(to, argument, size);
	nofault_end(&mask);

	return told;
}

/* Requests of privcmd that show frames; they have in common what they begin with. */
#define MMAPBATCH _IOC(_IOC_NONE, 'P', 3, 24)
#define MMAPBATCH_V2 _IOC(_IOC_NONE, 'P', 4, 32)

struct batch {
	uint32_t count;
	uint16_t domid;
	uint64_t at;
};

/*
 * What the request has changed of what is mapped. Also after a failure: @done of
 * an area's operations may have changed something.
 */
static void show_changes(const struct request *request, void *argument)
{
	struct ioctl_gntdev_area_op op;
	struct batch batch;

	switch (request->a) {
	case IOCTL_GNTDEV_AREA_MAP:
	case IOCTL_GNTDEV_AREA_UNMAP:
		if (take(&op, argument, sizeof(op)))
			memory_area_changed(request->inode, op.index);
		break;
	case MMAPBATCH:
	case MMAPBATCH_V2:
		if (take(&batch, argument, sizeof(batch)))
			memory_frames_changed(batch.at);
		break;
	}
}

/* A process may make its memory nobody else's, the server's neither. */
static void explain_fault(void)
{
	static atomic_bool said;

	if (raw(SYS_prctl, PR_GET_DUMPABLE) == 1 ||
	    atomic_exchange(&said, true))
		return;
	dprintf(STDERR_FILENO,
		"gntdev: process %d is not dumpable, by PR_SET_DUMPABLE or another user's rights: so the machine's server cannot reach its memory, and requests fail with EFAULT\n",
		getpid());
}

int device_ioctl(int fd, unsigned long number, void *argument)
{
	struct request request = {
		.op = OP_IOCTL,
		.a = number & 0xffffffff,
		.b = (uintptr_t)argument,
	};
	struct answer answer = {0};
	int64_t result;

	if (may_be_ours(_IOC_TYPE(number)))
		request.inode = device_inode(fd);
	if (!request.inode)
		return raw(SYS_ioctl, fd, number, argument);

	if (request.a == EVTCHN_RESET)
		drain(fd);
	do {
		result = ask(&request, &answer);
	} while (answer.flags & ANSWER_UNKNOWN &&
		 device_is_another(fd, &request.inode));
	if (answer.flags & ANSWER_UNKNOWN)
		return raw(SYS_ioctl, fd, number, argument);

	show_changes(&request, argument);
	if (result == -EFAULT)
		explain_fault();
	if (result < 0) {
		errno = -result;
		return -1;
	}
	valgrind_tell(number, argument);

	return result;
}
