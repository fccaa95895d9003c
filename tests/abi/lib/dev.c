// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "tap.h"

static int request(int fd, unsigned long number, void *argument)
{
	return ioctl(fd, number, argument) < 0 ? -errno : 0;
}

int dev_open(void)
{
	int fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0, "/dev/xen/gntdev: %s", error_name(errno));
	return fd;
}

int dev_insert_refs(int fd, const struct ioctl_gntdev_grant_ref *refs,
		    unsigned int count, uint64_t *index)
{
	struct ioctl_gntdev_map_grant_ref *map;
	int error;

	map = calloc(1, sizeof(*map) + count * sizeof(*refs));
	CHECK(map, "no memory for %u references", count);
	map->count = count;
	memcpy(map->refs, refs, count * sizeof(*refs));
	error = request(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map);
	*index = map->index;
	free(map);
	return error;
}

int dev_insert(int fd, const uint32_t *refs, unsigned int count,
	       uint64_t *index)
{
	struct ioctl_gntdev_grant_ref *grants;
	int error;

	grants = calloc(count + 1, sizeof(*grants));
	CHECK(grants, "no memory for %u references", count);
	for (unsigned int i = 0; i < count; i++)
		grants[i] = (struct ioctl_gntdev_grant_ref){
			.domid = granter_domid(),
			.ref = refs[i],
		};
	error = dev_insert_refs(fd, grants, count, index);
	free(grants);
	return error;
}

int dev_remove(int fd, uint64_t index, unsigned int count)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = {
		.index = index,
		.count = count,
	};

	return request(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
}

int dev_offset(int fd, const void *address, uint64_t *index,
	       unsigned int *count)
{
	struct ioctl_gntdev_get_offset_for_vaddr get = {
		.vaddr = (uintptr_t)address,
	};
	int error = request(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &get);

	*index = get.offset;
	*count = get.count;
	return error;
}

int dev_maximum(int fd, unsigned int count)
{
	struct ioctl_gntdev_set_max_grants set = {.count = count};

	return request(fd, IOCTL_GNTDEV_SET_MAX_GRANTS, &set);
}

int dev_notify(int fd, uint64_t byte, unsigned int action, unsigned int port)
{
	struct ioctl_gntdev_unmap_notify notify = {
		.index = byte,
		.action = action,
		.event_channel_port = port,
	};

	return request(fd, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify);
}

int dev_copy(int fd, struct gntdev_grant_copy_segment *segments,
	     unsigned int count)
{
	struct ioctl_gntdev_grant_copy copy = {
		.count = count,
		.segments = segments,
	};

	return request(fd, IOCTL_GNTDEV_GRANT_COPY, &copy);
}

void *dev_mmap(int fd, uint64_t index, unsigned int pages, int prot)
{
	void *at = mmap(NULL, pages * PAGE, prot, MAP_SHARED, fd, index);

	return at == MAP_FAILED ? NULL : at;
}

int dev_try_mmap(int fd, uint64_t index, size_t length, int prot, int flags)
{
	void *at = mmap(NULL, length, prot, flags, fd, index);

	if (at == MAP_FAILED)
		return -errno;
	return dev_munmap(at, length);
}

int dev_munmap(const void *address, size_t length)
{
	return munmap((void *)address, length) < 0 ? -errno : 0;
}

uint64_t must_insert(int fd, const uint32_t *refs, unsigned int count)
{
	uint64_t index;

	EXPECT(dev_insert(fd, refs, count, &index), 0);
	return index;
}

void *must_mmap(int fd, uint64_t index, unsigned int pages, int prot)
{
	void *at = dev_mmap(fd, index, pages, prot);

	CHECK(at, "mmap of %u pages at index %#llx: %s", pages,
	      (unsigned long long)index, error_name(errno));
	return at;
}

void must_munmap(const void *address, unsigned int pages)
{
	EXPECT(dev_munmap(address, pages * PAGE), 0);
}

struct mapped map_some(int fd, unsigned int pages, int prot)
{
	struct mapped range = {.fd = fd, .pages = pages};

	granter_alloc(range.refs, pages, true);
	granter_fill(range.refs, pages, 0);
	range.index = must_insert(fd, range.refs, pages);
	if (prot != PROT_NONE)
		range.at = must_mmap(fd, range.index, pages, prot);
	return range;
}

void check_whole(const struct mapped *range)
{
	for (unsigned int i = 0; i < range->pages; i++) {
		check_granters_page(range->refs[i], i);
		check_page(range->at + i * PAGE, i);
	}
}

void unmap_some(const struct mapped *range)
{
	must_munmap(range->at, range->pages);
	EXPECT(dev_remove(range->fd, range->index, range->pages), 0);
}

/* Never 0: what was cleared, or never written, shows. */
uint8_t content(unsigned int page, unsigned int offset)
{
	return 1 + (page * 37 + offset * 7 + offset / 251) % 255;
}

void fill_page(uint8_t *page, unsigned int number)
{
	for (unsigned int i = 0; i < PAGE; i++)
		page[i] = content(number, i);
}

void granter_fill(const uint32_t *refs, unsigned int count, unsigned int first)
{
	uint8_t page[PAGE];

	for (unsigned int i = 0; i < count; i++) {
		fill_page(page, first + i);
		granter_write(refs[i], 0, page, PAGE);
	}
}

void check_page(const uint8_t *page, unsigned int number)
{
	for (unsigned int i = 0; i < PAGE; i++)
		if (page[i] != content(number, i))
			FAIL("byte %u of page %u is %#x, expected %#x", i,
			     number, page[i], content(number, i));
}

void check_granters_page(uint32_t ref, unsigned int number)
{
	uint8_t page[PAGE];

	granter_read(ref, 0, page, PAGE);
	check_page(page, number);
}

bool is_unmapped(const void *address, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		unsigned char resident;

		if (!mincore((uint8_t *)address + i * PAGE, PAGE, &resident) ||
		    errno != ENOMEM)
			return false;
	}
	return true;
}

int module_users(void)
{
	FILE *file = fopen("/sys/module/xen_gntdev/refcnt", "r");
	int users = -1;

	if (file) {
		if (fscanf(file, "%d", &users) != 1)
			users = -1;
		fclose(file);
	}
	return users;
}

void check_module_stays(int before)
{
	if (before >= 0)
		EQUAL(module_users(), before + 1);
	EXPECT(syscall(SYS_delete_module, "xen_gntdev", O_NONBLOCK) ? -errno
								    : 0,
	       -EAGAIN);
}
