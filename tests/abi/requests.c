// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What holds for all requests. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

static int request(int fd, unsigned long number, void *argument)
{
	return ioctl(fd, number, argument) < 0 ? -errno : 0;
}

/*
 * Numbers of none of the header's requests. 32 and up are the project's own, 13
 * and 14 vendors'.
 */
TEST(unknown_request_is_enotty)
{
	uint64_t argument[64] = {0};
	int fd = dev_open();

	for (unsigned int number = 0; number < 32; number++) {
		if (number <= 3 || (number >= 7 && number <= 14))
			continue;
		for (unsigned int size = 0; size <= 32; size += 4)
			EXPECT(request(fd, _IOC(_IOC_NONE, 'G', number, size),
				       argument),
			       -ENOTTY);
	}
}

TEST(known_number_with_another_size_is_enotty)
{
	static const unsigned int sizes[][2] = {
		{0, 24}, {1, 16}, {2, 24},  {3, 4},
		{7, 16}, {8, 16}, {13, 24}, {14, 24},
	};
	uint64_t argument[64] = {0};
	int fd = dev_open();

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned int size = 0; size <= 32; size += 4) {
			if (size == sizes[i][1] ||
			    (sizes[i][0] == 8 && size == 8))
				continue;
			EXPECT(request(fd,
				       _IOC(_IOC_NONE, 'G', sizes[i][0], size),
				       argument),
			       -ENOTTY);
		}
}

TEST(other_direction_or_letter_is_enotty)
{
	uint64_t argument[64] = {0};
	int fd = dev_open();

	EXPECT(request(fd, _IOC(_IOC_READ, 'G', 3, 4), argument), -ENOTTY);
	EXPECT(request(fd, _IOC(_IOC_WRITE, 'G', 3, 4), argument), -ENOTTY);
	EXPECT(request(fd, _IOC(_IOC_NONE, 'H', 3, 4), argument), -ENOTTY);
	EXPECT(request(fd, _IOC(_IOC_NONE, 'G', 3 + 32, 4), argument), -ENOTTY);
}

/* All but SET_MAX_GRANTS, for which see limits.c. */
static const unsigned long all[] = {
	IOCTL_GNTDEV_MAP_GRANT_REF,	   IOCTL_GNTDEV_UNMAP_GRANT_REF,
	IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
	IOCTL_GNTDEV_GRANT_COPY,
};

TEST(bad_pointer_is_efault)
{
	uint8_t *page = pages_alloc(1);
	int fd = dev_open();

	for (unsigned int i = 0; i < sizeof(all) / sizeof(*all); i++) {
		EXPECT(request(fd, all[i], NULL), -EFAULT);
		/* Not mapped, and a kernel's address. */
		EXPECT(request(fd, all[i], page + PAGE), -EFAULT);
		EXPECT(request(fd, all[i], (void *)-4096L), -EFAULT);
	}
}

TEST(structure_that_is_cut_off_is_efault)
{
	uint8_t *end = (uint8_t *)pages_alloc(1) + PAGE;
	int fd = dev_open();

	memset(end - PAGE, 0, PAGE);
	for (unsigned int i = 0; i < sizeof(all) / sizeof(*all); i++) {
		size_t size = _IOC_SIZE(all[i]);
		uint8_t *at = end - size / 2;

		/* One grant, so that the references are wanted too. */
		if (all[i] == IOCTL_GNTDEV_MAP_GRANT_REF)
			*(uint32_t *)at = 1;
		EXPECT(request(fd, all[i], at), -EFAULT);
	}
}

TEST(pads_are_ignored)
{
	struct mapped range = map_some(dev_open(), 1, PROT_READ);
	struct ioctl_gntdev_get_offset_for_vaddr get = {
		.vaddr = (uintptr_t)range.at,
		.offset = ~0ULL,
		.count = ~0U,
		.pad = ~0U,
	};
	struct ioctl_gntdev_unmap_grant_ref unmap = {
		.index = range.index,
		.count = 1,
		.pad = ~0U,
	};

	EXPECT(request(range.fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &get), 0);
	EQUAL(get.offset, range.index);
	EQUAL(get.count, 1);
	must_munmap(range.at, 1);
	EXPECT(request(range.fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap), 0);
}

/* One of each, with what it needs: 32-bit callers get the same service. */
TEST(every_request_is_served)
{
	struct gntdev_grant_copy_segment segment;
	struct mapped range;
	unsigned int count;
	uint8_t copied[64];
	uint64_t index;
	int fd = dev_open();

	EXPECT(dev_maximum(fd, 8), 0);
	range = map_some(fd, 2, PROT_READ | PROT_WRITE);
	EXPECT(dev_offset(fd, range.at, &index, &count), 0);
	EQUAL(index, range.index);
	EQUAL(count, 2);
	EXPECT(dev_notify(fd, range.index + 100, UNMAP_NOTIFY_CLEAR_BYTE, 0),
	       0);

	segment = (struct gntdev_grant_copy_segment){
		.source.foreign = {range.refs[1], 10, granter_domid()},
		.dest.virt = copied,
		.len = sizeof(copied),
		.flags = GNTCOPY_source_gref,
		.status = 99,
	};
	EXPECT(dev_copy(fd, &segment, 1), 0);
	EQUAL(segment.status, GNTST_okay);
	for (unsigned int i = 0; i < sizeof(copied); i++)
		EQUAL(copied[i], content(1, 10 + i));

	unmap_some(&range);
	EQUAL(granter_byte(range.refs[0], 100), 0);
	EQUAL(granter_byte(range.refs[0], 101), content(0, 101));
}

TEST(dma_bufs_are_enotty_where_the_kernel_has_none)
{
	static const unsigned long numbers[] = {
		IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS,
		IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED,
		IOCTL_GNTDEV_DMABUF_IMP_TO_REFS,
		IOCTL_GNTDEV_DMABUF_IMP_RELEASE,
	};
	uint32_t structure[8] = {0};
	int fd = dev_open();

	if (!world.without_dmabufs && !world.distribution)
		SKIP("this kernel has dma-bufs");
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		EXPECT(request(fd, numbers[i], structure), -ENOTTY);
		EXPECT(request(fd, numbers[i], NULL), -ENOTTY);
	}
}

/* A structure may lie anywhere. */
TEST(structures_at_odd_addresses_are_taken)
{
	uint8_t *at = (uint8_t *)pages_alloc(1) + 4;
	struct ioctl_gntdev_map_grant_ref map = {.count = 1};
	struct ioctl_gntdev_unmap_grant_ref unmap = {.count = 1};
	uint32_t ref;
	int fd = dev_open();

	granter_alloc(&ref, 1, true);
	map.refs[0] = (struct ioctl_gntdev_grant_ref){granter_domid(), ref};
	for (unsigned int odd = 0; odd < 4; odd++) {
		memcpy(at + odd, &map, sizeof(map));
		CHECK(!ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, at + odd),
		      "MAP_GRANT_REF: %s", error_name(errno));
		memcpy(&unmap.index,
		       at + odd +
			       offsetof(struct ioctl_gntdev_map_grant_ref,
					index),
		       sizeof(unmap.index));
		memcpy(at + odd, &unmap, sizeof(unmap));
		CHECK(!ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, at + odd),
		      "UNMAP_GRANT_REF: %s", error_name(errno));
	}
}

TEST(read_and_write_are_no_requests)
{
	char byte = 0;
	int fd = dev_open();

	CHECK(read(fd, &byte, 1) < 0, "read() succeeded");
	EQUAL(errno, EINVAL);
	CHECK(write(fd, &byte, 1) < 0, "write() succeeded");
	EQUAL(errno, EINVAL);
}
