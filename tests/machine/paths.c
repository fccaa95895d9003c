// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The files of a Xen domain are there, whichever way a program asks. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "behave.h"

static const char gntdev[] = "/dev/xen/gntdev";

static void are_devices(void)
{
	struct stat status;
	struct statx more;

	CHECK(!stat(gntdev, &status) && S_ISCHR(status.st_mode), "stat: %s",
	      strerror(errno));
	CHECK(!lstat(gntdev, &status) && S_ISCHR(status.st_mode), "lstat");
	CHECK(!fstatat(AT_FDCWD, gntdev, &status, 0) && S_ISCHR(status.st_mode),
	      "fstatat");
	CHECK(!statx(AT_FDCWD, gntdev, 0, STATX_ALL, &more) &&
		      S_ISCHR(more.stx_mode),
	      "statx");
	CHECK(!access(gntdev, R_OK | W_OK), "access: %s", strerror(errno));
	CHECK(access("/dev/xen/other", F_OK) == -1 && errno == ENOENT,
	      "what is not there: %s", strerror(errno));
}

static void open_ways(void)
{
	int fds[] = {
		open(gntdev, O_RDWR),
		openat(AT_FDCWD, gntdev, O_RDWR),
		openat(0, gntdev, O_RDWR),
		open64(gntdev, O_RDWR),
		syscall(SYS_openat, AT_FDCWD, gntdev, O_RDWR, 0),
	};
	uint32_t count = 1;

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		CHECK(fds[i] >= 0, "way %zu: %s", i, strerror(errno));
		CHECK(!ioctl(fds[i], _IOC(0, 'G', 3, 4), &count),
		      "request, way %zu: %s", i, strerror(errno));
	}
}

static void read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");

	CHECK(file, "%s: %s", path, strerror(errno));
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

static void texts(void)
{
	char text[256];

	read_text("/proc/xen/capabilities", text, sizeof(text));
	CHECK(!strcmp(text, "control_d\n"), "capabilities: %s", text);
	read_text("/sys/hypervisor/type", text, sizeof(text));
	CHECK(!strcmp(text, "xen\n"), "type: %s", text);
	read_text("/sys/class/misc/xen!gntdev/leaked", text, sizeof(text));
	CHECK(!strcmp(text, "0\n"), "leaked: %s", text);
}

/* As the kernel does with a name that is there and is a device's. */
static void refused_ways(void)
{
	static const char path[] = "/dev/xen/gntdev";
	int fd;

	CHECK(open(path, O_RDWR | O_DIRECTORY) == -1 && errno == ENOTDIR,
	      "O_DIRECTORY: %s", strerror(errno));
	CHECK(open(path, O_RDWR | O_CREAT | O_EXCL, 0600) == -1 &&
		      errno == EEXIST,
	      "O_EXCL: %s", strerror(errno));
	fd = creat(path, 0600);
	CHECK(fd >= 0, "creat: %s", strerror(errno));
	close(fd);
}

static void parameter(void)
{
	static const char path[] = "/sys/module/xen_gntdev/parameters/limit";
	char text[32], before[32];
	int fd;

	read_text(path, before, sizeof(before));
	fd = open_or_die(path, O_WRONLY);
	CHECK(write(fd, "77\n", 3) == 3, "write: %s", strerror(errno));
	close(fd);
	read_text(path, text, sizeof(text));
	CHECK(atoi(text) == 77, "limit: %s", text);
	fd = open_or_die(path, O_WRONLY);
	CHECK(write(fd, before, strlen(before)) > 0, "write");
	close(fd);
}

static void fdinfo(void)
{
	struct pair pair = pair_make(2);
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pair.dev);
	read_text(path, text, sizeof(text));
	CHECK(strstr(text, "pos:") && strstr(text, "grants:\t2\n"), "%s", text);
	pair_end(&pair);
}

const struct behaviour path_behaviours[] = {
	{"the devices are character devices", are_devices},
	{"a device is opened in every way", open_ways},
	{"a device is no directory, and cannot be made anew", refused_ways},
	{"the hypervisor's and the driver's files can be read", texts},
	{"the driver's parameter can be set", parameter},
	{"fdinfo has the driver's lines", fdinfo},
	{NULL, NULL},
};
