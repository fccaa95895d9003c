// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Devices that export and import dma-bufs and know nothing of Xen: vgem, and the
 * display that QEMU emulates, through the requests that graphics devices have in
 * common. Their numbers and structures are those of Linux's drm.h and
 * drm_mode.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dmabuf.h"
#include "tap.h"

struct drm_version {
	int major, minor, patch;
	size_t name_length;
	char *name;
	size_t date_length;
	char *date;
	size_t description_length;
	char *description;
};

struct gem_close {
	uint32_t handle;
	uint32_t pad;
};

struct prime_handle {
	uint32_t handle;
	uint32_t flags;
	int32_t fd;
};

struct create_dumb {
	uint32_t height, width, bpp, flags;
	/* Out. */
	uint32_t handle, pitch;
	uint64_t size;
};

struct map_dumb {
	uint32_t handle;
	uint32_t pad;
	/* Out. */
	uint64_t offset;
};

#define DRM_VERSION _IOWR('d', 0x00, struct drm_version)
#define DRM_GEM_CLOSE _IOW('d', 0x09, struct gem_close)
#define DRM_PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct prime_handle)
#define DRM_PRIME_FD_TO_HANDLE _IOWR('d', 0x2e, struct prime_handle)
#define DRM_CREATE_DUMB _IOWR('d', 0xb2, struct create_dumb)
#define DRM_MAP_DUMB _IOWR('d', 0xb3, struct map_dumb)

static int request(int fd, unsigned long number, void *argument)
{
	return ioctl(fd, number, argument) < 0 ? -errno : 0;
}

/* Nobody loads modules by themselves in the lab. */
static void load(const char *module)
{
	pid_t child = fork();

	if (!child) {
		execlp("modprobe", "modprobe", "-q", module, NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

static bool is_of(int fd, const char *driver)
{
	char name[16] = "";
	struct drm_version version = {
		.name_length = sizeof(name) - 1,
		.name = name,
	};

	return !request(fd, DRM_VERSION, &version) && !strcmp(name, driver);
}

static int find(const char *driver)
{
	char path[32];
	int fd;

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && is_of(fd, driver))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/* The device of a driver, which is another name than its module's. */
static int open_card(const char *driver, const char *module)
{
	int fd = find(driver);

	/* Under `gntdev run' that would be the real kernel. */
	if (fd < 0 && !world.machine) {
		load(module);
		fd = find(driver);
	}
	if (fd < 0)
		SKIP("there is no %s device", module);
	return fd;
}

int drm_open(void)
{
	return open_card("vgem", "vgem");
}

/* Without a console on it, which would still be drawn when the power goes. */
int drm_open_display(void)
{
	if (!world.machine) {
		load("drm_kms_helper");
		write_line(
			"/sys/module/drm_kms_helper/parameters/fbdev_emulation",
			"N");
	}
	return open_card("virtio_gpu", "virtio-gpu");
}

int drm_try_export(int drm, unsigned int pages, uint32_t *handle)
{
	struct create_dumb create = {
		.width = PAGE / 4,
		.height = pages,
		.bpp = 32,
	};
	struct prime_handle prime = {.flags = O_RDWR | O_CLOEXEC};
	int error = request(drm, DRM_CREATE_DUMB, &create);

	if (error)
		return error;
	*handle = prime.handle = create.handle;
	error = request(drm, DRM_PRIME_HANDLE_TO_FD, &prime);
	return error ? error : prime.fd;
}

int drm_export(int drm, unsigned int pages)
{
	uint32_t handle;
	int fd = drm_try_export(drm, pages, &handle);

	CHECK(fd >= 0, "a dma-buf of vgem's: %s", error_name(fd));
	return fd;
}

uint32_t drm_import(int drm, int dmabuf)
{
	struct prime_handle prime = {.fd = dmabuf};

	EXPECT(request(drm, DRM_PRIME_FD_TO_HANDLE, &prime), 0);
	return prime.handle;
}

void drm_close(int drm, uint32_t handle)
{
	struct gem_close op = {.handle = handle};

	EXPECT(request(drm, DRM_GEM_CLOSE, &op), 0);
}

uint8_t *drm_mmap(int drm, uint32_t handle, unsigned int pages)
{
	struct map_dumb map = {.handle = handle};
	void *at;

	EXPECT(request(drm, DRM_MAP_DUMB, &map), 0);
	at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, drm,
		  map.offset);
	CHECK(at != MAP_FAILED, "mmap through vgem: %s", error_name(errno));
	return at;
}
