// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "disk.h"
#include "process.h"
#include "tap.h"

/*
 * What the lab gives: to dom0, and to a guest, whose disk is memory. Anywhere
 * else a disk is somebody's; a file has to do, which GNTDEV_DISK names.
 */
int disk_open(int flags)
{
	static const char *const disks[] = {"/dev/vda", "/dev/ram0"};
	const char *chosen = getenv("GNTDEV_DISK");
	int fd = -1;

	if (chosen)
		fd = open(chosen, O_RDWR | O_CLOEXEC | flags);
	for (unsigned int i = 0; fd < 0 && getenv("LAB_GUEST") && i < 2; i++)
		fd = open(disks[i], O_RDWR | O_CLOEXEC | flags);
	if (fd < 0)
		SKIP("there is no scratch disk");
	return fd;
}

static void write_out(int plain, const uint8_t *pages, unsigned int count)
{
	CHECK(pwrite(plain, pages, count * PAGE, 0) == (ssize_t)(count * PAGE),
	      "write to the disk: %s", error_name(errno));
	CHECK(!fsync(plain), "fsync of the disk: %s", error_name(errno));
	posix_fadvise(plain, 0, count * PAGE, POSIX_FADV_DONTNEED);
}

void disk_clear(int plain, unsigned int pages)
{
	write_out(plain, pages_alloc(pages), pages);
}

void disk_fill(int plain, unsigned int pages, unsigned int first)
{
	uint8_t *from = pages_alloc(pages);

	for (unsigned int i = 0; i < pages; i++)
		fill_page(from + i * PAGE, first + i);
	write_out(plain, from, pages);
}
