// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What is at a descriptor: it tells itself, by the name of its socket. So
 * nothing is remembered that a close(), an exec() or another process could make
 * wrong, but which descriptors were seen to be none of ours; and that is asked
 * again of each one that a device may have come to.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/close_range.h>

#include "client.h"

#define NUMBERS 65536 /* of descriptors that are remembered */
#define BITS (8 * sizeof(long))

/* Set: an ordinary one. Those with higher numbers are asked each time. */
static atomic_ulong ordinary[NUMBERS / BITS];

static bool is_ordinary(int fd)
{
	return fd < 0 ||
	       (fd < NUMBERS && ordinary[fd / BITS] & 1UL << fd % BITS &&
		!tables_are_parted());
}

static void set_ordinary(int fd)
{
	if (fd < NUMBERS)
		atomic_fetch_or(&ordinary[fd / BITS], 1UL << fd % BITS);
}

void device_comes(int fd)
{
	if (fd >= 0 && fd < NUMBERS && is_ordinary(fd))
		atomic_fetch_and(&ordinary[fd / BITS], ~(1UL << fd % BITS));
}

/* Whether there has been one. */
static atomic_bool any_seen;

bool device_any_seen(void)
{
	return any_seen;
}

bool device_at(int fd, struct device *device)
{
	struct sockaddr_un address;
	struct device_name name;
	socklen_t size = sizeof(address);
	int saved = errno;

	if (!channel_on() || fd < 0)
		return false;
	if (raw(SYS_getsockname, fd, &address, &size) < 0) {
		errno = saved;
		return false;
	}
	if (size != offsetof(struct sockaddr_un, sun_path) + sizeof(name) ||
	    address.sun_family != AF_UNIX)
		return false;
	memcpy(&name, address.sun_path, sizeof(name));
	if (name.abstract ||
	    memcmp(name.magic, DEVICE_MAGIC, sizeof(name.magic)))
		return false;
	device->inode = name.inode;
	device->file = name.file;
	device->flags = name.flags;
	any_seen = true;

	return true;
}

uint64_t device_inode(int fd)
{
	struct device device;

	return device_at(fd, &device) ? device.inode : 0;
}

bool device_is_another(int fd, uint64_t *inode)
{
	uint64_t former = *inode;

	*inode = device_inode(fd);

	return *inode && *inode != former;
}

/* If one comes while this looks, what it has set is the last word. */
bool device_quickly(int fd, struct device *device)
{
	if (!channel_on() || is_ordinary(fd))
		return false;
	if (!descriptors_are_seen() || tables_are_apart())
		return device_at(fd, device);
	set_ordinary(fd);
	if (!device_at(fd, device))
		return false;
	device_comes(fd);

	return true;
}

/* ---- reading and writing ---- */

static bool may(const struct device *device, bool write)
{
	int access = device->flags & O_ACCMODE;

	return access != (write ? O_RDONLY : O_WRONLY);
}

/* The descriptor of a device without read and write is a socket all the same. */
static bool has_no_io(const struct device *device)
{
	return device->file == FILE_GNTDEV || device->file == FILE_GNTALLOC ||
	       device->file == FILE_PRIVCMD || device->file == FILE_VGEM ||
	       device->file == FILE_DMABUF;
}

/* As long as a ring that has overflown is not reset. */
static bool is_overflown(const struct device *device)
{
	struct request request = {
		.op = OP_OVERFLOWN,
		.inode = device->inode,
	};
	struct answer answer = {0};

	return device->flags & (int)DEVICE_MAY_OVERFLOW &&
	       channel_call(&request, &answer) == -EFBIG;
}

bool device_transfer(int fd, bool write, size_t *size, ssize_t *result)
{
	struct device device;

	if (!device_quickly(fd, &device))
		return true;
	*result = -1;
	if (!may(&device, write)) {
		errno = EBADF;
		return false;
	}
	if (has_no_io(&device)) {
		errno = EINVAL;
		return false;
	}
	if (device.file != FILE_EVTCHN)
		return true;
	if (!write && *size >= sizeof(uint32_t) && is_overflown(&device)) {
		errno = EFBIG;
		return false;
	}
	/* Whole ports, and no more than a page of them. */
	*size = *size < PAGE ? *size & ~(sizeof(uint32_t) - 1) : PAGE;
	*result = 0;

	return *size;
}

static bool take_part(const struct iovec *parts, int i, struct iovec *part)
{
	sigset_t mask;
	bool taken;

	nofault_begin(&mask);
	taken = nofault_copy(part, parts + i, sizeof(*part));
	nofault_end(&mask);

	return taken;
}

int descriptor_whole_parts(const struct iovec *parts, int count)
{
	struct iovec part;
	int whole = 0;

	if (count < 0 || count > IOV_MAX) {
		errno = EINVAL;
		return -1;
	}
	for (int i = 0; i < count; i++) {
		if (!take_part(parts, i, &part)) {
			errno = EFAULT;
			return -1;
		}
		if (whole == i && part.iov_len % sizeof(uint32_t) == 0 &&
		    part.iov_len <= PAGE)
			whole++;
	}

	return whole;
}

/* As the kernel does for a device: part by part, until one is not filled. */
ssize_t descriptor_transfer_parts(int fd, bool write, const struct iovec *parts,
				  int count)
{
	ssize_t total = 0, done = -1;
	struct iovec part;
	size_t size;

	if (descriptor_whole_parts(parts, count) < 0)
		return -1;
	for (int i = 0; i < count && take_part(parts, i, &part); i++) {
		size = part.iov_len;
		if (device_transfer(fd, write, &size, &done))
			done = raw(write ? SYS_write : SYS_read, fd,
				   part.iov_base, size);
		if (done < 0)
			return total ?: done;
		total += done;
		if ((size_t)done != part.iov_len)
			break;
	}

	return total;
}

/* ---- descriptors that come and go ---- */

static void closed(bool was_device)
{
	int saved = errno;

	if (was_device)
		channel_sync();
	errno = saved;
}

/* One that is about to be closed. */
static bool is_device(int fd)
{
	struct device device;

	return !is_ordinary(fd) && device_at(fd, &device);
}

long descriptor_by_close(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return raw(SYS_close, fd);
}

long descriptor_by_dup3(int fd, long to, long flags)
{
#ifdef SYS_dup2
	/* Of the same number that one makes nothing, and dup3() an error. */
	if (flags < 0)
		return raw(SYS_dup2, fd, to);
#endif
	return raw(SYS_dup3, fd, to, flags);
}

long descriptor_close(int fd, ask_fn ask)
{
	bool was_device;
	long error;

	if (channel_owns(fd)) {
		errno = EBADF;
		return -1;
	}
	was_device = is_device(fd);
	error = ask(fd, 0, 0);
	/* What comes there next may come in a way that nobody sees. */
	device_comes(fd);
	closed(was_device);

	return error;
}

long descriptor_dup2(int fd, int to, int flags, ask_fn ask)
{
	bool was_device = fd != to && is_device(to);
	long result;

	if (channel_owns(fd)) {
		errno = EBADF;
		return -1;
	}
	if (channel_owns(to) && !channel_move(to)) {
		errno = EMFILE;
		return -1;
	}
	result = ask(fd, to, flags);
	device_comes(result);
	closed(was_device);

	return result;
}

static void forget_numbers(unsigned int first, unsigned int last)
{
	for (; first <= last && first < NUMBERS; first++)
		device_comes(first);
}

/* All but ours. */
long descriptor_close_range(unsigned int first, unsigned int last, int flags)
{
	unsigned int from = first;
	int own, error = 0;

	if (first > last ||
	    flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) {
		errno = EINVAL;
		return -1;
	}
	if (flags & CLOSE_RANGE_UNSHARE)
		tables_part();
	while (!error && channel_on() && first <= last) {
		own = first > INT32_MAX ? -1 : channel_next_own(first);
		if (own < 0 || (unsigned int)own > last)
			break;
		if ((unsigned int)own > first)
			error = raw(SYS_close_range, first, own - 1, flags);
		first = own + 1;
	}
	if (!error && first <= last)
		error = raw(SYS_close_range, first, last, flags);
	forget_numbers(from, last);
	closed(channel_on());

	return error;
}

long descriptor_control(int fd, long command, ask_fn ask, long argument)
{
	struct device device;
	long result = ask(fd, command, argument);

	if (result < 0)
		return result;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		device_comes(result);
	if (command == F_GETFL && device_quickly(fd, &device))
		result = (result & ~O_ACCMODE) | (device.flags & O_ACCMODE);

	return result;
}

/* ---- those that other processes send ---- */

static void look_at_message(const struct msghdr *message)
{
	struct msghdr copy = *message;
	struct cmsghdr *part;
	const int *fd, *end;

	for (part = CMSG_FIRSTHDR(&copy); part;
	     part = CMSG_NXTHDR(&copy, part)) {
		if (part->cmsg_level != SOL_SOCKET ||
		    part->cmsg_type != SCM_RIGHTS)
			continue;
		fd = (const int *)CMSG_DATA(part);
		end = (const int *)((char *)part + part->cmsg_len);
		for (; fd < end; fd++)
			device_comes(*fd);
	}
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t size = NEXT(recvmsg)(fd, message, flags);

	if (size >= 0 && channel_on())
		look_at_message(message);

	return size;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count,
		    int flags, struct timespec *timeout)
{
	int got = NEXT(recvmmsg)(fd, messages, count, flags, timeout);

	for (int i = 0; i < got && channel_on(); i++)
		look_at_message(&messages[i].msg_hdr);

	return got;
}
