// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "disk.h"
#include "process.h"
#include "tap.h"

int disk_open(int flags)
{
	/* What the lab gives: to dom0, and to a guest, whose disk is memory. */
	static const char *const disks[] = {"/dev/vda", "/dev/ram0"};

	for (unsigned int i = 0; i < 2; i++) {
		int fd = open(disks[i], O_RDWR | O_CLOEXEC | flags);

		if (fd >= 0)
			return fd;
	}
	SKIP("there is no scratch disk");
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
