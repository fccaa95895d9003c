// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "world.h"

/* From the hypervisor's features.h. */
#define XENFEAT_AUTO_TRANSLATED 2

struct world world;

bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool found;

	if (!file)
		return false;
	found = fgets(line, size, file);
	fclose(file);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

int write_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, line, strlen(line)) < 0)
		error = -errno;
	close(fd);
	return error;
}

/*
 * The hypervisor's own word decides. Where sysfs does not have it, everything
 * but a PV guest of x86 is auto-translated.
 */
static bool is_auto_translated(void)
{
	const char *guest = getenv("LAB_GUEST");
	const char *arch = getenv("LAB_ARCH");
	char line[64];

	if (read_line("/sys/hypervisor/properties/features", line,
		      sizeof(line)))
		return strtoul(line, NULL, 16) >> XENFEAT_AUTO_TRANSLATED & 1;
	if (arch && !strcmp(arch, "arm64"))
		return true;
	return guest && !strcmp(guest, "pvh");
}

/* Those of x86, as opposed to arm64; of a machine, its word. */
static bool own_grants_vanish(void)
{
	char line[64];
	struct utsname name;

	if (!world.auto_translated)
		return false;
	if (world.machine)
		return read_line("/sys/hypervisor/guest_type", line,
				 sizeof(line)) &&
		       !strcmp(line, "PVH");
	return !uname(&name) && !strcmp(name.machine, "x86_64");
}

void world_init(void)
{
	const char *domid = getenv("LAB_DOMID");
	const char *driver = getenv("LAB_DRIVER");

	world.domid = domid ? strtoul(domid, NULL, 10) : 0;
	world.distribution = driver && !strcmp(driver, "distribution");
	world.without_dmabufs = driver && !strcmp(driver, "without-dma-buf");
	world.machine = getenv("GNTDEV_MACHINE");
	world.auto_translated = is_auto_translated();
	world.own_grants_vanish = own_grants_vanish();
}
