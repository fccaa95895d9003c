// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
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

#define SWAP_PAGES 256u

/* What mkswap(8) writes: the kernel's union swap_header. */
static void make_swap(int plain)
{
	uint8_t *header = pages_alloc(1);
	uint32_t numbers[] = {1, SWAP_PAGES - 1, 0};

	memset(header, 0, PAGE);
	memcpy(header + 1024, numbers, sizeof(numbers));
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	write_out(plain, header, 1);
}

/* How many have no place in the swap alone. */
static unsigned int resident(const uint8_t *at, unsigned int pages)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned int n = 0;
	uint64_t entry;

	for (unsigned int i = 0; i < pages; i++) {
		CHECK(pread(pagemap, &entry, 8,
			    (off_t)(((uintptr_t)at / PAGE + i) * 8)) == 8,
		      "/proc/self/pagemap: %s", error_name(errno));
		n += !(entry >> 62 & 1);
	}
	close(pagemap);
	return n;
}

static const char *path_of(int plain)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	return path;
}

int disk_swap_through(const uint8_t *at, unsigned int pages)
{
	unsigned int left = pages;
	int plain;

	/* Anywhere else the whole host would swap to it. */
	if (!getenv("LAB_GUEST"))
		SKIP("this is no guest of the lab");
	plain = disk_open(0);

	CHECK(pages < SWAP_PAGES / 2, "%u pages are too many", pages);
	make_swap(plain);
	if (swapon(path_of(plain), 0))
		SKIP("nothing is swapped here: %s", error_name(errno));
	for (int i = 0; i < 100 && left; i++) {
		madvise((void *)at, pages * PAGE, MADV_PAGEOUT);
		usleep(10000);
		left = resident(at, pages);
	}
	if (left)
		disk_swap_off(plain);
	CHECK(!left, "%u of %u pages are not swapped out", left, pages);
	for (unsigned int i = 0; i < pages; i++)
		(void)*(const volatile uint8_t *)(at + i * PAGE);

	return plain;
}

void disk_swap_off(int plain)
{
	CHECK(!swapoff(path_of(plain)), "swapoff: %s", error_name(errno));
	close(plain);
}
