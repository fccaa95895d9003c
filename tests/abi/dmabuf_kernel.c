// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What other drivers see of an exported dma-buf: tests/kernel/dmabuf-user.c is
 * one. It looks when it is loaded, and says what it saw by how that fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dmabuf.h"
#include "granter.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* As it is when all was as it must be. */
#define ALL_WELL (-ENODATA)

static int load(int dmabuf, bool invert)
{
	const char *kernel = getenv("LAB_KERNEL");
	char path[48], parameters[48];
	int fd, error;

	snprintf(path, sizeof(path), "dmabuf-user-%s.ko", kernel ?: "6.1");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		SKIP("%s is not here (make -C tests/kernel)", path);
	snprintf(parameters, sizeof(parameters), "fd=%d invert=%d", dmabuf,
		 invert);
	error = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return error;
}

static void number_pages(const struct buffer *buffer)
{
	for (uint32_t i = 0; i < buffer->pages; i++)
		granter_write(buffer->refs[i], 0, &i, sizeof(i));
}

static void check_inverted(const struct buffer *buffer)
{
	for (uint32_t i = 0; i < buffer->pages; i++) {
		uint32_t word;

		granter_read(buffer->refs[i], 0, &word, sizeof(word));
		EQUAL(word, ~i);
	}
}

static void use(unsigned int pages, uint32_t flags)
{
	struct buffer buffer = export_some(pages, flags);
	uint8_t *at = buffer_mmap(buffer.fd, pages, READ_WRITE);

	number_pages(&buffer);
	EXPECT(load(buffer.fd, false), ALL_WELL);
	EXPECT(load(buffer.fd, true), ALL_WELL);
	check_inverted(&buffer);
	/* The program's mapping is none the worse for it. */
	number_pages(&buffer);
	for (uint32_t i = 0; i < pages; i++)
		EQUAL(*(uint32_t *)(at + i * PAGE), i);
	EXPECT(load(buffer.fd, false), ALL_WELL);
	must_munmap(at, pages);
	close(buffer.fd);
	check_given_back(&buffer);
}

TEST(drivers_see_a_buffer_as_one_area_and_its_addresses)
{
	use(SOME, 0);
	use(1, 0);
}

TEST(drivers_see_a_write_combining_buffer)
{
	use(SOME, GNTDEV_DMA_FLAG_WC);
}

TEST(drivers_see_a_coherent_buffer)
{
	use(SOME, GNTDEV_DMA_FLAG_COHERENT);
}

TEST(area_that_drivers_saw_may_be_used_again)
{
	struct buffer buffer = export_some(SOME, 0);

	number_pages(&buffer);
	for (int i = 0; i < 50; i++)
		EXPECT(load(buffer.fd, false), ALL_WELL);
}
