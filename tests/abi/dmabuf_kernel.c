// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What other drivers see of an exported dma-buf: tests/kernel/dmabuf-user.c is
 * one. It looks when it is loaded, and says what it saw by how that fails. And
 * imports of what other drivers might export: dmabuf-odd.c does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xen/gntdev_more.h>

#include "dmabuf.h"
#include "granter.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* As it is when all was as it must be. */
#define ALL_WELL (-ENODATA)

/* A module of that name for this kernel. 0 or -errno. */
static int insert(const char *name, const char *parameters)
{
	const char *kernel = getenv("LAB_KERNEL");
	char path[48];
	int fd, error;

	if (world.machine)
		SKIP("the kernel that would take %s is the real one", name);
	snprintf(path, sizeof(path), "dmabuf-%s-%s.ko", name, kernel ?: "6.1");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		SKIP("%s is not here (make -C tests/kernel)", path);
	error = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return error;
}

static int load(int dmabuf, bool invert)
{
	char parameters[48];

	snprintf(parameters, sizeof(parameters), "fd=%d invert=%d", dmabuf,
		 invert);
	return insert("user", parameters);
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

/* The kernel would warn of a failure. */
TEST(drivers_see_a_buffer_that_programs_have_mapped_as_often_as_they_may)
{
	struct buffer buffer = export_some(1, 0);
	int windows = 0;

	number_pages(&buffer);
	while (mmap(NULL, PAGE, READ_WRITE, MAP_SHARED, buffer.fd, 0) !=
	       MAP_FAILED)
		windows++;
	tap_note("mmaps: %d", windows);
	EXPECT(load(buffer.fd, false), ALL_WELL);
}

/* ---- how processors see it ---- */

/* Xen's ABI: granted memory is write-back for every processor that maps it. */
static void check_cached(uint32_t flags)
{
	struct buffer buffer = export_some(2, flags);
	uint8_t *at = buffer_mmap(buffer.fd, 2, READ_WRITE);
	char parameters[64];

	fill_page(at, 3);
	snprintf(parameters, sizeof(parameters), "fd=%d at=%lu", buffer.fd,
		 (unsigned long)at);
	EXPECT(insert("prot", parameters), ALL_WELL);
	check_granters_page(buffer.refs[0], 3);
}

TEST(processors_see_a_buffer_write_back)
{
	check_cached(0);
}

TEST(processors_see_a_write_combining_buffer_write_back)
{
	check_cached(GNTDEV_DMA_FLAG_WC);
}

TEST(processors_see_a_coherent_buffer_write_back)
{
	check_cached(GNTDEV_DMA_FLAG_COHERENT);
}

/* ---- devices that see copies ---- */

#define WORD "/sys/module/dmabuf_bounce/parameters/word"

static void bounce_begin(const struct buffer *buffer)
{
	char parameters[32];
	int error;

	/* The kernel copies for a device where it knows no other way: there. */
	if (world.auto_translated || world.domid)
		SKIP("no device sees copies in this domain");
	/* What an earlier test has left. */
	syscall(SYS_delete_module, "dmabuf_bounce", O_NONBLOCK);
	snprintf(parameters, sizeof(parameters), "fd=%d", buffer->fd);
	error = insert("bounce", parameters);
	if (error == -EOPNOTSUPP)
		SKIP("no device sees copies in this domain");
	EXPECT(error, 0);
}

static void bounce_end(void)
{
	EXPECT(syscall(SYS_delete_module, "dmabuf_bounce", O_NONBLOCK) ? -errno
								       : 0,
	       0);
}

static void must_sync(const struct buffer *buffer, uint64_t flags)
{
	struct dma_buf_sync sync = {.flags = flags};

	EXPECT(ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0, 0);
}

static void granter_has(const struct buffer *buffer, uint32_t expected)
{
	uint32_t word;

	granter_read(buffer->refs[0], 0, &word, sizeof(word));
	EQUAL(word, expected);
}

static uint32_t device_has(void)
{
	char text[16];

	CHECK(read_line(WORD, text, sizeof(text)), "%s: %s", WORD,
	      error_name(errno));
	return strtoul(text, NULL, 10);
}

static void device_stores(uint32_t word)
{
	char text[16];
	int fd = open(WORD, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0, "%s: %s", WORD, error_name(errno));
	snprintf(text, sizeof(text), "%u", word);
	CHECK(write(fd, text, strlen(text)) > 0, "%s: %s", WORD,
	      error_name(errno));
	close(fd);
}

TEST(what_the_granter_wrote_survives_a_device_that_sees_copies)
{
	struct buffer buffer = export_some(2, 0);
	uint32_t word = 0x600d;

	bounce_begin(&buffer);
	granter_write(buffer.refs[0], 0, &word, sizeof(word));
	must_sync(&buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	granter_has(&buffer, word);
	must_sync(&buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	granter_has(&buffer, word);
	EQUAL(device_has(), word);
	word++;
	granter_write(buffer.refs[0], 0, &word, sizeof(word));
	bounce_end();
	granter_has(&buffer, word);
}

TEST(syncs_go_the_way_that_the_caller_names)
{
	struct buffer buffer = export_some(2, 0);
	uint32_t *at = (uint32_t *)buffer_mmap(buffer.fd, 2, READ_WRITE);

	bounce_begin(&buffer);
	device_stores(1);
	must_sync(&buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	EQUAL(*at, 1);
	granter_has(&buffer, 1);
	*at = 2;
	must_sync(&buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	EQUAL(device_has(), 1);
	must_sync(&buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	EQUAL(*at, 2);
	must_sync(&buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	EQUAL(device_has(), 2);
	device_stores(3);
	must_sync(&buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	EQUAL(*at, 3);
	bounce_end();
}

/* A module's dma-buf of eight pages, whose scatter list is of that kind. */
static int odd_buffer(const char *kind)
{
	char parameters[32], number[16];
	int error;

	/* What an earlier test has left. */
	syscall(SYS_delete_module, "dmabuf_odd", O_NONBLOCK);
	snprintf(parameters, sizeof(parameters), "kind=%s", kind);
	error = insert("odd", parameters);
	CHECK(!error, "dmabuf-odd: %s", error_name(error));
	CHECK(read_line("/sys/module/dmabuf_odd/parameters/fd", number,
			sizeof(number)),
	      "dmabuf-odd does not tell its descriptor");
	return atoi(number);
}

static void odd_buffer_gone(int fd)
{
	close(fd);
	EXPECT(syscall(SYS_delete_module, "dmabuf_odd", O_NONBLOCK) ? -errno
								    : 0,
	       0);
}

static void check_odd_is_granted(const char *kind)
{
	int device = dev_open(), fd = odd_buffer(kind), peer;
	uint32_t refs[8], number;

	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, 8), 0);
	peer = must_map(refs, 8);
	for (uint32_t i = 0; i < 8; i++) {
		granter_map_read(peer, i * PAGE, &number, sizeof(number));
		EQUAL(number, i);
	}
	granter_unmap(peer);
	EXPECT(dmabuf_release(device, fd), 0);
	odd_buffer_gone(fd);
}

static void check_odd_is_einval(const char *kind)
{
	int device = dev_open(), fd = odd_buffer(kind);
	uint32_t refs[8] = {0};

	for (int i = 0; i < 3; i++)
		EXPECT(dmabuf_import(device, fd, granter_domid(), refs, 8),
		       -EINVAL);
	EXPECT(dmabuf_release(device, fd), -ENOENT);
	odd_buffer_gone(fd);
}

TEST(entries_of_several_pages_are_granted_page_by_page)
{
	check_odd_is_granted("plain");
}

/* Row 53: the device sees fewer entries than the processor. */
TEST(entries_that_a_device_sees_merged_are_granted_once)
{
	check_odd_is_granted("merged");
}

TEST(entry_that_does_not_start_with_its_page_is_einval)
{
	check_odd_is_einval("offset");
}

/* As the vendors' request for it has it. */
static int import_late(int device, int fd, uint32_t *data_ofs)
{
	struct {
		struct ioctl_gntdev_dmabuf_imp_to_refs_v2 op;
		uint32_t more[7];
	} room = {.op = {.fd = fd, .count = 8, .domid = granter_domid()}};

	if (ioctl(device, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2, &room))
		return -errno;
	*data_ofs = room.op.data_ofs;
	return 0;
}

TEST(first_entry_may_begin_within_its_page)
{
	int device = dev_open(), fd = odd_buffer("begins");
	uint32_t refs[8], data_ofs = 0;

	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, 8), -EINVAL);
	EXPECT(import_late(device, fd, &data_ofs), 0);
	EQUAL(data_ofs, 512);
	EXPECT(dmabuf_release(device, fd), 0);
	odd_buffer_gone(fd);
}

TEST(no_entry_of_a_buffer_with_an_offset_ends_within_a_page)
{
	static const char *const kinds[] = {"offset", "short", "fewer", "more"};
	uint32_t data_ofs;
	int device, fd;

	for (int i = 0; i < 4; i++) {
		device = dev_open();
		fd = odd_buffer(kinds[i]);
		EXPECT(import_late(device, fd, &data_ofs), -EINVAL);
		odd_buffer_gone(fd);
	}
}

TEST(entry_that_does_not_end_with_its_page_is_einval)
{
	check_odd_is_einval("short");
}

TEST(entry_that_is_no_memory_is_einval)
{
	check_odd_is_einval("nowhere");
}

TEST(list_of_fewer_pages_than_the_buffer_has_is_einval)
{
	check_odd_is_einval("fewer");
}

TEST(list_of_more_pages_than_the_buffer_has_is_einval)
{
	check_odd_is_einval("more");
}
