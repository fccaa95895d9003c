// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Exports and imports of dma-bufs whose data begin within their first page. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntdev_more.h>

#include "dev.h"
#include "dmabuf.h"
#include "granter.h"
#include "tap.h"
#include "util.h"

#define OFFSET 512u

/* The descriptor, or -errno. */
static int export_with(int fd, const uint32_t *refs, unsigned int count,
		       unsigned int data_ofs, unsigned int flags)
{
	char room[sizeof(struct ioctl_gntdev_dmabuf_exp_from_refs_v2) +
		  SOME * 4];
	struct ioctl_gntdev_dmabuf_exp_from_refs_v2 *op = (void *)room;

	memset(room, 0, sizeof(room));
	op->flags = flags;
	op->count = count;
	op->data_ofs = data_ofs;
	op->domid = granter_domid();
	memcpy(op->refs, refs, count * sizeof(refs[0]));
	if (ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2, op))
		return -errno;
	return op->fd;
}

/* 0 or -errno; as libraries ask, with what was there in the reserved field. */
static int import_with(int fd, int dmabuf, unsigned int count, uint32_t *refs,
		       unsigned int *data_ofs)
{
	char room[sizeof(struct ioctl_gntdev_dmabuf_imp_to_refs_v2) + SOME * 4];
	struct ioctl_gntdev_dmabuf_imp_to_refs_v2 *op = (void *)room;

	memset(room, 0xee, sizeof(room));
	op->fd = dmabuf;
	op->count = count;
	op->domid = granter_domid();
	if (ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2, op))
		return -errno;
	memcpy(refs, op->refs, count * sizeof(refs[0]));
	*data_ofs = op->data_ofs;
	return 0;
}

static struct buffer export_some_with(unsigned int pages, unsigned int data_ofs)
{
	struct buffer buffer = {.device = dev_open(), .pages = pages};

	granter_alloc(buffer.refs, pages, true);
	granter_fill(buffer.refs, pages, 0);
	buffer.fd = export_with(buffer.device, buffer.refs, pages, data_ofs, 0);
	CHECK(buffer.fd >= 0, "export: %s", error_name(-buffer.fd));
	return buffer;
}

TEST(programs_map_whole_pages_of_a_buffer_with_an_offset)
{
	struct buffer buffer = export_some_with(3, OFFSET);
	uint8_t *at = buffer_mmap(buffer.fd, 3, PROT_READ | PROT_WRITE);

	EQUAL(lseek(buffer.fd, 0, SEEK_END), 3 * PAGE);
	check_buffer(&buffer, at);
	munmap(at, 3 * PAGE);
	close(buffer.fd);
	check_given_back(&buffer);
}

TEST(import_tells_where_the_data_of_a_buffer_begin)
{
	struct buffer buffer = export_some_with(3, OFFSET);
	unsigned int data_ofs = 7;
	uint32_t refs[3];

	EXPECT(dmabuf_import(buffer.device, buffer.fd, granter_domid(), refs,
			     3),
	       -EINVAL);
	EXPECT(import_with(buffer.device, buffer.fd, 3, refs, &data_ofs), 0);
	EQUAL(data_ofs, OFFSET);
	EXPECT(dmabuf_release(buffer.device, buffer.fd), 0);
	EXPECT(import_with(buffer.device, buffer.fd, 2, refs, &data_ofs),
	       -EINVAL);
	close(buffer.fd);
	check_given_back(&buffer);
}

TEST(import_of_a_buffer_without_an_offset_tells_none)
{
	struct buffer buffer = export_some_with(2, 0);
	unsigned int data_ofs = 7;
	uint32_t refs[2];

	EXPECT(import_with(buffer.device, buffer.fd, 2, refs, &data_ofs), 0);
	EQUAL(data_ofs, 0);
	EXPECT(dmabuf_release(buffer.device, buffer.fd), 0);
	close(buffer.fd);
	check_given_back(&buffer);
}

TEST(data_must_begin_in_the_first_page)
{
	struct buffer buffer = export_some_with(2, PAGE - 1);
	struct buffer other = {.device = dev_open(), .pages = 2};

	granter_alloc(other.refs, 2, true);
	EXPECT(export_with(other.device, other.refs, 2, PAGE, 0), -EINVAL);
	EXPECT(export_with(other.device, other.refs, 2, ~0u, 0), -EINVAL);
	EXPECT(export_with(other.device, other.refs, 0, 0, 0), -EINVAL);
	EXPECT(export_with(other.device, other.refs, 2, 0, 8), -EINVAL);
	check_given_back(&other);
	close(buffer.fd);
	check_given_back(&buffer);
}

TEST(bad_pointers_to_requests_with_an_offset_are_efault)
{
	int fd = dev_open();

	EXPECT(ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2, NULL) ? -errno
								     : 0,
	       -EFAULT);
	EXPECT(ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2, NULL) ? -errno : 0,
	       -EFAULT);
}
