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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "../../include/xen/gntdev.h"
#include "../../include/xen/gntdev_more.h"
#include "client.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND false
#define VALGRIND_MAKE_MEM_DEFINED(address, size) ((void)(address))
#endif

#define EVTCHN_RESET _IOC(_IOC_NONE, 'E', 5, 0)

static const struct {
	const char *path;
	enum served_file file;
} served[] = {
	{"/dev/xen/gntdev", FILE_GNTDEV},
	{"/dev/xen/gntalloc", FILE_GNTALLOC},
	{"/dev/xen/evtchn", FILE_EVTCHN},
	{"/dev/xen/privcmd", FILE_PRIVCMD},
	{"/dev/xen/xenbus", FILE_XENBUS},
	/* The last one that programs look for: real ones come first. */
	{"/dev/dri/card7", FILE_VGEM},
	{"/proc/xen/privcmd", FILE_PRIVCMD},
	{"/proc/xen/xenbus", FILE_XENBUS},
	{"/proc/xen/capabilities", FILE_CAPABILITIES},
	{"/proc/xen/xsd_port", FILE_XSD_PORT},
	{"/proc/xen/xsd_kva", FILE_XSD_KVA},
	{"/sys/hypervisor/type", FILE_HYPERVISOR_TYPE},
	{"/sys/hypervisor/guest_type", FILE_GUEST_TYPE},
	{"/sys/hypervisor/properties/features", FILE_FEATURES},
	{"/sys/module/xen_gntdev/parameters/limit", FILE_LIMIT},
	{"/sys/module/xen_gntalloc/parameters/limit", FILE_GNTALLOC_LIMIT},
	{"/sys/class/misc/xen!gntdev/mapped", FILE_MAPPED},
	{"/sys/class/misc/xen!gntdev/deferred", FILE_DEFERRED},
	{"/sys/class/misc/xen!gntdev/kept", FILE_KEPT},
	{"/sys/class/misc/xen!gntdev/departed", FILE_DEPARTED},
	{"/sys/class/misc/xen!gntdev/leaked", FILE_LEAKED},
	{"/dev/kmsg", FILE_KMSG},
};

enum served_file device_of(const char *path)
{
	if (!channel_on() || !path || path[0] != '/')
		return 0;
	for (size_t i = 0; i < sizeof(served) / sizeof(*served); i++) {
		if (!strcmp(path, served[i].path))
			return served[i].file;
	}

	return 0;
}

/*
 * Which inodes are of devices that this process has used: a few bits say no
 * for certain. So a close() of another socket costs nothing.
 */
#define KNOWN_BITS 4096
static atomic_ulong known[KNOWN_BITS / (8 * sizeof(long))];

static atomic_ulong *known_word(uint64_t inode, unsigned long *bit)
{
	unsigned int place = inode % KNOWN_BITS;

	*bit = 1UL << place % (8 * sizeof(long));
	return &known[place / (8 * sizeof(long))];
}

void device_know(uint64_t inode)
{
	unsigned long bit;
	atomic_ulong *word = known_word(inode, &bit);

	if (!(*word & bit))
		atomic_fetch_or(word, bit);
}

bool device_is_known(uint64_t inode)
{
	unsigned long bit;
	const atomic_ulong *word = known_word(inode, &bit);

	return inode && *word & bit;
}

uint64_t device_inode(int fd)
{
	struct stat status;
	int saved = errno;

	if (raw(SYS_fstat, fd, &status) < 0 || !S_ISSOCK(status.st_mode)) {
		errno = saved;
		return 0;
	}

	return status.st_ino;
}

/*
 * Descriptors that were once given to a device without read and write. It is a
 * hint, so that reading a file costs nothing: one of these is looked at.
 */
#define HINTS 1024
static atomic_uchar mute[HINTS];

bool device_is_mute(int fd)
{
	if (fd < 0 || fd >= HINTS || !mute[fd])
		return false;
	if (device_is_known(device_inode(fd)))
		return true;
	mute[fd] = false;

	return false;
}

/* The flags that a descriptor can have and that open() was asked for. */
static int finish_open(int fd, int flags)
{
	uint64_t inode = device_inode(fd);

	if (inode)
		device_know(inode);
	if (!(flags & O_CLOEXEC))
		raw(SYS_fcntl, fd, F_SETFD, 0);
	if (flags & O_NONBLOCK)
		raw(SYS_fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);

	return fd;
}

static int open_served(enum served_file file, int flags)
{
	struct request request = {
		.op = OP_OPEN,
		.file = file,
		.a = flags,
	};
	int64_t error;
	int fd = channel_call_fd(&request, &error);

	if (fd >= 0 && fd < HINTS)
		mute[fd] = file == FILE_GNTDEV || file == FILE_GNTALLOC ||
			   file == FILE_PRIVCMD || file == FILE_VGEM;
	if (fd >= 0)
		return finish_open(fd, flags);
	errno = error < 0 ? -error : EIO;

	return -1;
}

/* What /proc says of a descriptor of a device, and what the driver adds. */
static int open_fdinfo(const char *path, int fd)
{
	uint64_t inode = device_inode(fd);
	struct request request = {.op = OP_FDINFO, .inode = inode};
	char text[2 * ANSWER_BYTES];
	int from, to;
	ssize_t size;

	if (!device_is_known(inode))
		return -2;
	from = raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return -1;
	size = raw(SYS_read, from, text, sizeof(text) / 2);
	raw(SYS_close, from);
	if (size < 0)
		return -1;
	size += channel_text(&request, text + size, sizeof(text) / 2);

	to = raw(SYS_memfd_create, "fdinfo", MFD_CLOEXEC);
	if (to < 0)
		return -1;
	raw(SYS_write, to, text, size);
	raw(SYS_lseek, to, 0, SEEK_SET);

	return to;
}

static int open_proc(const char *path, int flags)
{
	char own[32];
	int length, fd, end = 0;

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
	if (sscanf(path, "fdinfo/%d%n", &fd, &end) == 1 && end && !path[end]) {
		snprintf(own, sizeof(own), "/proc/self/fdinfo/%d", fd);
		return open_fdinfo(own, fd);
	}

	return -2;
}

int device_open(const char *path, int flags)
{
	enum served_file file = device_of(path);

	if (file)
		return open_served(file, flags);
	if (channel_on() && path && !strncmp(path, "/proc/", 6))
		return open_proc(path, flags);

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

/* Whether another device is there now than the one that was asked for. */
bool device_is_another(int fd, uint64_t *inode)
{
	uint64_t former = *inode;

	*inode = device_inode(fd);

	return *inode && *inode != former;
}

/*
 * The server has written into the program's memory, where valgrind does not
 * see it. Costs a few instructions without valgrind.
 */
static void tell_valgrind(unsigned long number, void *argument)
{
	struct ioctl_gntalloc_alloc_gref *alloc = argument;
	struct ioctl_gntdev_dmabuf_imp_to_refs *import = argument;
	struct ioctl_gntdev_grant_copy *copy = argument;

	if (!RUNNING_ON_VALGRIND)
		return;
	if (argument)
		VALGRIND_MAKE_MEM_DEFINED(argument, _IOC_SIZE(number));
	if (number == IOCTL_GNTALLOC_ALLOC_GREF)
		VALGRIND_MAKE_MEM_DEFINED(alloc->gref_ids,
					  alloc->count * sizeof(uint32_t));
	if (number == IOCTL_GNTDEV_DMABUF_IMP_TO_REFS)
		VALGRIND_MAKE_MEM_DEFINED(import->refs,
					  import->count * sizeof(uint32_t));
	if (number != IOCTL_GNTDEV_GRANT_COPY)
		return;
	for (unsigned int i = 0; i < copy->count; i++)
		VALGRIND_MAKE_MEM_DEFINED(&copy->segments[i].status,
					  sizeof(copy->segments[i].status));
}

/* Those that give the program a descriptor. */
static bool gives_descriptor(unsigned long number)
{
	/* DRM_IOCTL_PRIME_HANDLE_TO_FD */
	return (uint32_t)number == IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS ||
	       (_IOC_TYPE(number) == 'd' && _IOC_NR(number) == 0x2d);
}

/* It is the program's now, or is taken back if it still is what it was. */
static void settle(const struct promise *promise, int64_t result)
{
	if (promise->fd < 0)
		return;
	if (result >= 0) {
		device_know(promise->inode);
		if (promise->fd < HINTS)
			mute[promise->fd] = true;
	} else if (device_inode(promise->fd) == promise->inode) {
		raw(SYS_close, promise->fd);
	}
}

static int64_t ask(const struct request *request, struct answer *answer)
{
	struct promise promise;
	int64_t result;

	if (request->a == IOCTL_GNTDEV_GRANT_COPY && copy_call(request, answer))
		return answer->value;
	if (!gives_descriptor(request->a))
		return channel_call(request, answer);
	result = channel_call_promise(request, answer, &promise);
	settle(&promise, result);

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

	if (channel_on())
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

/* Also after a failure: @done of the operations may have changed something. */
static void area_changed(uint64_t inode, void *argument)
{
	struct ioctl_gntdev_area_op op;
	sigset_t mask;
	bool told;

	if (RUNNING_ON_VALGRIND && argument)
		VALGRIND_MAKE_MEM_DEFINED(argument, sizeof(op));
	careful_begin(&mask);
	told = careful_copy(&op, argument, sizeof(op));
	careful_end(&mask);
	if (!told)
		return;
	if (RUNNING_ON_VALGRIND)
		VALGRIND_MAKE_MEM_DEFINED((void *)(uintptr_t)op.ops,
					  op.done *
						  sizeof(struct gntdev_area_op));
	memory_area_changed(inode, op.index);
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

	if (channel_on() && may_be_ours(_IOC_TYPE(number)))
		request.inode = device_inode(fd);
	if (!request.inode)
		return raw(SYS_ioctl, fd, number, argument);

	if (request.a == EVTCHN_RESET && device_is_known(request.inode))
		drain(fd);
	do {
		result = ask(&request, &answer);
	} while (answer.flags & ANSWER_UNKNOWN &&
		 device_is_another(fd, &request.inode));
	if (answer.flags & ANSWER_UNKNOWN)
		return raw(SYS_ioctl, fd, number, argument);

	device_know(request.inode);
	if (request.a == IOCTL_GNTDEV_AREA_MAP ||
	    request.a == IOCTL_GNTDEV_AREA_UNMAP)
		area_changed(request.inode, argument);
	if (result < 0) {
		errno = -result;
		return -1;
	}
	tell_valgrind(number, argument);

	return result;
}
