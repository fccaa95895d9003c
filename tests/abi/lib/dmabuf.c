// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dmabuf.h"
#include "granter.h"
#include "tap.h"

static int request(int fd, unsigned long number, void *argument)
{
	return ioctl(fd, number, argument) < 0 ? -errno : 0;
}

int dmabuf_export_from(int fd, unsigned int domid, uint32_t flags,
		       const uint32_t *refs, unsigned int count)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs *op;
	int result;

	op = calloc(1, sizeof(*op) + count * sizeof(*refs));
	CHECK(op, "no memory for %u references", count);
	op->flags = flags;
	op->count = count;
	op->domid = domid;
	op->fd = -1;
	memcpy(op->refs, refs, count * sizeof(*refs));
	result = request(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, op);
	if (!result)
		result = op->fd;
	free(op);
	return result;
}

int dmabuf_wait(int fd, int dmabuf, unsigned int ms)
{
	struct ioctl_gntdev_dmabuf_exp_wait_released op = {
		.fd = dmabuf,
		.wait_to_ms = ms,
	};

	return request(fd, IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, &op);
}

int dmabuf_import(int fd, int dmabuf, unsigned int domid, uint32_t *refs,
		  unsigned int count)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs *op;
	int error;

	op = calloc(1, sizeof(*op) + count * sizeof(*refs));
	CHECK(op, "no memory for %u references", count);
	op->fd = dmabuf;
	op->count = count;
	op->domid = domid;
	error = request(fd, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, op);
	if (!error)
		memcpy(refs, op->refs, count * sizeof(*refs));
	free(op);
	return error;
}

int dmabuf_release(int fd, int dmabuf)
{
	struct ioctl_gntdev_dmabuf_imp_release op = {.fd = dmabuf};

	return request(fd, IOCTL_GNTDEV_DMABUF_IMP_RELEASE, &op);
}

struct buffer export_some(unsigned int pages, uint32_t flags)
{
	struct buffer buffer = {.device = dev_open(), .pages = pages};

	CHECK(pages <= SOME, "%u pages are too many for a test", pages);
	granter_alloc(buffer.refs, pages, true);
	granter_fill(buffer.refs, pages, 0);
	buffer.fd = dmabuf_export_from(buffer.device, granter_domid(), flags,
				       buffer.refs, pages);
	CHECK(buffer.fd >= 0, "EXP_FROM_REFS: %s", error_name(buffer.fd));
	return buffer;
}

int buffer_try_mmap(int fd, unsigned int first, unsigned int pages, int prot,
		    int flags)
{
	void *at = mmap(NULL, pages * PAGE, prot, flags, fd, first * PAGE);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, pages * PAGE);
	return 0;
}

uint8_t *buffer_mmap(int fd, unsigned int pages, int prot)
{
	void *at = mmap(NULL, pages * PAGE, prot, MAP_SHARED, fd, 0);

	CHECK(at != MAP_FAILED, "mmap of the dma-buf: %s", error_name(errno));
	return at;
}

void check_buffer(const struct buffer *buffer, const uint8_t *at)
{
	for (unsigned int i = 0; i < buffer->pages; i++) {
		check_page(at + i * PAGE, i);
		check_granters_page(buffer->refs[i], i);
	}
}

void check_given_back(const struct buffer *buffer)
{
	EQUAL(granter_wait_idle(buffer->refs, buffer->pages, 5000), 0);
}

bool is_granted(uint32_t ref)
{
	int peer = granter_map(&ref, 1);

	if (peer >= 0)
		granter_unmap(peer);
	return peer >= 0;
}

int must_map(const uint32_t *refs, unsigned int count)
{
	int peer = granter_map(refs, count);

	CHECK(peer >= 0, "the other side cannot map: %s", error_name(peer));
	return peer;
}

void check_as_peer(int peer, unsigned int place, unsigned int number)
{
	uint8_t page[PAGE];

	granter_map_read(peer, place * PAGE, page, PAGE);
	check_page(page, number);
}

unsigned int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	CHECK(dir, "/proc/self/fd: %s", error_name(errno));
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}
