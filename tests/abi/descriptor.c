// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What programs find at a device's descriptor and its mappings that is the
 * kernel's doing rather than the driver's: the same everywhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dev.h"
#include "events.h"
#include "granter.h"
#include "process.h"
#include "tap.h"
#include "world.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#define DONTNEED_LOCKED 24

static const char gntdev[] = "/dev/xen/gntdev";

static int outcome(long result)
{
	return result < 0 ? -errno : (int)result;
}

static int must_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	CHECK(fd >= 0, "%s: %s", path, error_name(errno));
	return fd;
}

/* ---- descriptors ---- */

static void check_path_descriptor(int fd)
{
	uint32_t ref;
	uint64_t index;
	char byte;

	granter_alloc(&ref, 1, true);
	EXPECT(dev_insert(fd, &ref, 1, &index), -EBADF);
	EXPECT(dev_maximum(fd, 1), -EBADF);
	EXPECT(dev_try_mmap(fd, 0, PAGE, PROT_READ, MAP_SHARED), -EBADF);
	EXPECT(outcome(read(fd, &byte, 1)), -EBADF);
	EXPECT(outcome(write(fd, "", 1)), -EBADF);
	close(fd);
}

TEST(request_on_a_path_descriptor_is_ebadf)
{
	char path[64];
	uint64_t index;
	uint32_t ref;
	int device;

	check_path_descriptor(must_open(gntdev, O_PATH));
	check_path_descriptor(must_open(gntdev, O_PATH | O_RDWR));
	device = dev_open();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", device);
	check_path_descriptor(must_open(path, O_PATH));
	granter_alloc(&ref, 1, true);
	EXPECT(dev_insert(device, &ref, 1, &index), 0);
}

static void check_mode(const char *path, int mode)
{
	int fd = must_open(path, mode), other;
	char info[64], line[64] = "";
	FILE *file;

	snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", fd);
	file = fopen(info, "re");
	CHECK(file, "%s: %s", info, error_name(errno));
	while (strncmp(line, "flags:", 6) && fgets(line, sizeof(line), file))
		;
	fclose(file);
	EQUAL(strtoul(line + 6, NULL, 8) & O_ACCMODE, mode);
	EQUAL(fcntl(fd, F_GETFL) & O_ACCMODE, mode);
	other = dup(fd);
	EQUAL(fcntl(other, F_GETFL) & O_ACCMODE, mode);
	close(other);
	other = fcntl(fd, F_DUPFD_CLOEXEC, 200);
	EQUAL(fcntl(other, F_GETFL) & O_ACCMODE, mode);
	EQUAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	EQUAL(fcntl(other, F_GETFL) & (O_ACCMODE | O_NONBLOCK),
	      mode | O_NONBLOCK);
	close(other);
	close(fd);
}

TEST(descriptor_tells_how_it_was_opened)
{
	static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR};

	for (unsigned int i = 0; i < 3; i++) {
		check_mode(gntdev, modes[i]);
		check_mode("/dev/xen/evtchn", modes[i]);
	}
}

static void check_transfer(int fd, int read_error, int write_error)
{
	char bytes[8];
	struct iovec part = {bytes, 8};

	EXPECT(outcome(read(fd, bytes, 8)), -read_error);
	EXPECT(outcome(readv(fd, &part, 1)), -read_error);
	EXPECT(outcome(write(fd, bytes, 8)), -write_error);
	EXPECT(outcome(writev(fd, &part, 1)), -write_error);
}

TEST(gntdev_is_neither_read_nor_written)
{
	int fd = must_open(gntdev, O_RDWR);

	check_transfer(fd, EINVAL, EINVAL);
	check_transfer(dup(fd), EINVAL, EINVAL);
	check_transfer(dup2(fd, 100), EINVAL, EINVAL);
	check_transfer(fcntl(fd, F_DUPFD, 200), EINVAL, EINVAL);
	check_transfer(must_open(gntdev, O_RDONLY), EINVAL, EBADF);
	check_transfer(must_open(gntdev, O_WRONLY), EBADF, EINVAL);
}

/* ---- event channels ---- */

/* A channel of this domain with itself. */
struct loop {
	int fd, other;
	uint32_t port, others;
};

static bool has_event(int fd, int ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, ms) == 1;
}

static struct loop loop_make(int flags)
{
	struct loop loop = {.other = events_open()};
	uint32_t port;

	if (sizeof(long) == 4)
		SKIP("the kernel's event channel device serves no 32-bit callers");
	loop.fd = must_open("/dev/xen/evtchn", flags);
	loop.port = events_unbound(loop.fd, world.domid);
	loop.others = events_bind(loop.other, world.domid, loop.port);
	CHECK((int)loop.port > 0 && (int)loop.others > 0, "no channel");
	/* The binding itself may have sent one. */
	while (flags == O_RDWR && has_event(loop.fd, 20)) {
		EQUAL(read(loop.fd, &port, 4), 4);
		EQUAL(write(loop.fd, &port, 4), 4);
	}
	return loop;
}

TEST(event_channels_are_read_by_whole_ports)
{
	struct loop loop = loop_make(O_RDWR);
	uint8_t bytes[16];
	uint32_t port;

	EXPECT(events_notify(loop.other, loop.others), 0);
	CHECK(has_event(loop.fd, 5000), "no event");
	EQUAL(read(loop.fd, bytes, 0), 0);
	EQUAL(read(loop.fd, bytes, 3), 0);
	memset(bytes, 0xee, sizeof(bytes));
	EQUAL(read(loop.fd, bytes, 7), 4);
	memcpy(&port, bytes, 4);
	EQUAL(port, loop.port);
	for (int i = 4; i < 16; i++)
		EQUAL(bytes[i], 0xee);
	CHECK(!has_event(loop.fd, 50), "a piece of a port is left");
}

TEST(event_channels_are_written_by_whole_ports)
{
	struct loop loop = loop_make(O_RDWR);
	uint32_t ports[2] = {loop.port, loop.port}, port;

	EXPECT(events_notify(loop.other, loop.others), 0);
	CHECK(has_event(loop.fd, 5000), "no event");
	EQUAL(read(loop.fd, &port, 4), 4);
	EXPECT(events_notify(loop.other, loop.others), 0);
	EQUAL(write(loop.fd, ports, 0), 0);
	EQUAL(write(loop.fd, ports, 3), 0);
	CHECK(!has_event(loop.fd, 50), "a piece of a port unmasks it");
	EQUAL(write(loop.fd, ports, 7), 4);
	CHECK(has_event(loop.fd, 5000), "a port and a piece do not unmask it");
	EQUAL(read(loop.fd, &port, 4), 4);
	EQUAL(port, loop.port);
	/* The piece is not the beginning of the next one. */
	EXPECT(events_notify(loop.other, loop.others), 0);
	EQUAL(write(loop.fd, ports, 4), 4);
	CHECK(has_event(loop.fd, 5000), "the next port is torn");
}

TEST(event_channels_that_may_only_be_read_are_not_written)
{
	struct loop loop = loop_make(O_RDONLY);
	uint32_t port;

	EXPECT(events_notify(loop.other, loop.others), 0);
	CHECK(has_event(loop.fd, 5000), "no event");
	EQUAL(read(loop.fd, &port, 4), 4);
	EQUAL(port, loop.port);
	EXPECT(outcome(write(loop.fd, &port, 4)), -EBADF);
	EXPECT(outcome(write(dup(loop.fd), &port, 4)), -EBADF);
	EXPECT(events_notify(loop.other, loop.others), 0);
	CHECK(!has_event(loop.fd, 50), "it was unmasked");
	EXPECT(outcome(read(must_open("/dev/xen/evtchn", O_WRONLY), &port, 4)),
	       -EBADF);
}

/* ---- mappings ---- */

TEST(mapping_cannot_be_written_back)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	EXPECT(outcome(msync(range.at, 2 * PAGE, MS_SYNC)), -EINVAL);
	EXPECT(outcome(msync(range.at + PAGE, PAGE, MS_SYNC)), -EINVAL);
	EXPECT(outcome(msync(range.at, 2 * PAGE, MS_ASYNC)), 0);
	check_whole(&range);
	unmap_some(&range);
}

static int advise(const struct mapped *range, int advice)
{
	return outcome(madvise(range->at, range->pages * PAGE, advice));
}

TEST(pages_are_populated_as_they_may_be_reached)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct mapped readable = map_some(dev_open(), 2, PROT_READ);
	int known = advise(&range, MADV_POPULATE_READ);

	if (known)
		SKIP("this kernel populates none: %s", error_name(known));
	EXPECT(advise(&range, MADV_POPULATE_WRITE), 0);
	EXPECT(advise(&readable, MADV_POPULATE_READ), 0);
	EXPECT(advise(&readable, MADV_POPULATE_WRITE), -EINVAL);
	check_whole(&range);
	check_whole(&readable);
	unmap_some(&range);
	unmap_some(&readable);
}

TEST(advice_that_changes_nothing_is_taken)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	EXPECT(advise(&range, MADV_KEEPONFORK), 0);
	EXPECT(advise(&range, MADV_WIPEONFORK), -EINVAL);
	check_whole(&range);
	unmap_some(&range);
}

TEST(dontneed_of_locked_pages_is_taken_and_keeps_the_data)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	EXPECT(advise(&range, DONTNEED_LOCKED), 0);
	check_whole(&range);
	unmap_some(&range);
}

static void *map_over(const struct mapped *range, int prot, int flags, int fd,
		      off_t offset)
{
	return mmap(range->at, range->pages * PAGE, prot, flags | MAP_FIXED, fd,
		    offset);
}

#define REFUSED(call, error)                                           \
	do {                                                           \
		errno = 0;                                             \
		CHECK((call) == MAP_FAILED, "%s: it was done", #call); \
		CHECK(errno == (error), "%s: %s, expected %s", #call,  \
		      error_name(errno), error_name(error));           \
	} while (0)

TEST(failed_mmap_over_a_mapping_leaves_it)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	int readable = must_open("/proc/self/exe", O_RDONLY);
	int device = must_open(gntdev, O_RDONLY);

	REFUSED(map_over(&range, READ_WRITE, MAP_SHARED, -1, 0), EBADF);
	REFUSED(map_over(&range, READ_WRITE, MAP_SHARED, readable, 0), EACCES);
	REFUSED(map_over(&range, READ_WRITE, MAP_SHARED, device, 0), EACCES);
	REFUSED(map_over(&range, READ_WRITE, MAP_SHARED, range.fd, 1), EINVAL);
	REFUSED(map_over(&range, READ_WRITE, MAP_ANONYMOUS, -1, 0), EINVAL);
	REFUSED(mmap(range.at, 0, READ_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		EINVAL);
	REFUSED(mmap(range.at, (size_t)-1 << 30, PROT_READ,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		ENOMEM);
	check_whole(&range);
	EQUAL(granter_busy(range.refs, 2), 2);
	unmap_some(&range);
}

TEST(munmap_of_more_addresses_than_there_are_leaves_a_mapping)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	/* To the last address, be they 32 or 64 bits wide. */
	size_t all = (size_t)0 - 16 * PAGE - (uintptr_t)range.at;

	EXPECT(outcome(munmap(range.at, all)), -EINVAL);
	EXPECT(outcome(munmap(range.at, 0)), -EINVAL);
	EXPECT(outcome(munmap(range.at + 1, PAGE)), -EINVAL);
	check_whole(&range);
	EQUAL(granter_busy(range.refs, 2), 2);
	unmap_some(&range);
}

TEST(failed_mremap_over_a_mapping_leaves_it)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	uint8_t *other = pages_alloc(2);

	REFUSED(mremap(other, 2 * PAGE, 2 * PAGE, MREMAP_FIXED, range.at),
		EINVAL);
	REFUSED(mremap(other, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       range.at + 1),
		EINVAL);
	REFUSED(mremap(other, 2 * PAGE, 0, MREMAP_MAYMOVE | MREMAP_FIXED,
		       range.at),
		EINVAL);
	munmap(other, 2 * PAGE);
	REFUSED(mremap(other, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       range.at),
		EFAULT);
	check_whole(&range);
	EQUAL(granter_busy(range.refs, 2), 2);
	unmap_some(&range);
}

/* Where a program can say so. */
#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

TEST(mapping_may_be_wanted_below_two_gibibytes)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	if (!MAP_32BIT)
		SKIP("this architecture has no MAP_32BIT");
	range.at = mmap(NULL, 2 * PAGE, READ_WRITE, MAP_SHARED | MAP_32BIT,
			range.fd, range.index);
	CHECK(range.at != MAP_FAILED, "mmap: %s", error_name(errno));
	CHECK((uintptr_t)range.at < 1UL << 31, "it is at %p", range.at);
	check_whole(&range);
	unmap_some(&range);
}
