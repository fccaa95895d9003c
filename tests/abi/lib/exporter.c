// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dmabuf.h"
#include "exporter.h"
#include "tap.h"
#include "world.h"

static int open_device(const char *path)
{
	int fd;

	if (world.machine)
		SKIP("%s is the real kernel's, not the machine's", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		SKIP("this kernel has no %s", path);
	return fd;
}

int udmabuf_file(unsigned int pages)
{
	int file = memfd_create("pages", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	CHECK(file >= 0, "memfd_create: %s", error_name(errno));
	CHECK(!ftruncate(file, (off_t)pages * PAGE), "ftruncate: %s",
	      error_name(errno));
	CHECK(!fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), "F_ADD_SEALS: %s",
	      error_name(errno));
	return file;
}

int udmabuf_of(int file, unsigned int first, unsigned int pages)
{
	struct udmabuf_create create = {
		.memfd = file,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = (uint64_t)first * PAGE,
		.size = (uint64_t)pages * PAGE,
	};
	int device = open_device("/dev/udmabuf");
	int fd = ioctl(device, UDMABUF_CREATE, &create);

	if (fd < 0)
		fd = -errno;
	close(device);
	return fd;
}

static int make_udmabuf(unsigned int pages)
{
	int file = udmabuf_file(pages), fd = udmabuf_of(file, 0, pages);

	close(file);
	return fd;
}

static int make_of_heap(unsigned int pages)
{
	struct dma_heap_allocation_data data = {
		.len = (uint64_t)pages * PAGE,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int device = open_device("/dev/dma_heap/system");
	int error = ioctl(device, DMA_HEAP_IOCTL_ALLOC, &data) ? -errno : 0;

	close(device);
	return error ? error : (int)data.fd;
}

static int make_of_vgem(unsigned int pages)
{
	uint32_t handle;

	return drm_try_export(drm_open(), pages, &handle);
}

static int make_of_display(unsigned int pages)
{
	uint32_t handle;

	return drm_try_export(drm_open_display(), pages, &handle);
}

const struct exporter udmabuf = {"udmabuf", make_udmabuf};
const struct exporter heap = {"the system heap", make_of_heap};
const struct exporter vgem = {"vgem", make_of_vgem};
const struct exporter display = {"the display", make_of_display};

int export_of(const struct exporter *exporter, unsigned int pages)
{
	int fd = exporter->make(pages);

	CHECK(fd >= 0, "a dma-buf of %s with %u pages: %s", exporter->name,
	      pages, error_name(fd));
	return fd;
}
