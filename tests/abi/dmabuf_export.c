// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* DMABUF_EXP_FROM_REFS: what the dma-buf is to a program, and its mappings. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "dmabuf.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(buffer_shows_the_granters_pages)
{
	struct buffer buffer = export_some(5, 0);

	check_buffer(&buffer, buffer_mmap(buffer.fd, 5, READ_WRITE));
}

TEST(granter_sees_what_is_written_to_a_buffer)
{
	struct buffer buffer = export_some(3, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 3, READ_WRITE);

	for (unsigned int i = 0; i < 3; i++)
		fill_page(at + i * PAGE, 20 + i);
	for (unsigned int i = 0; i < 3; i++)
		check_granters_page(buffer.refs[i], 20 + i);
	granter_fill(buffer.refs, 3, 40);
	for (unsigned int i = 0; i < 3; i++)
		check_page(at + i * PAGE, 40 + i);
}

TEST(size_of_a_buffer_is_what_lseek_tells)
{
	struct buffer buffer = export_some(7, 0);

	EQUAL(lseek(buffer.fd, 0, SEEK_END), 7 * PAGE);
	EQUAL(lseek(buffer.fd, 0, SEEK_SET), 0);
}

TEST(descriptor_of_a_buffer_is_close_on_exec)
{
	struct buffer buffer = export_some(1, 0);

	EQUAL(fcntl(buffer.fd, F_GETFD), FD_CLOEXEC);
}

TEST(buffer_may_be_mapped_read_only)
{
	struct buffer buffer = export_some(2, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 2, PROT_READ);

	check_buffer(&buffer, at);
	CHECK(write_fault(at, 1), "a read-only mapping was written to");
	check_buffer(&buffer, at);
}

TEST(read_only_mapping_of_a_buffer_cannot_be_made_writable)
{
	struct buffer buffer = export_some(2, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 2, PROT_READ);

	EXPECT(mprotect(at, 2 * PAGE, READ_WRITE) ? -errno : 0, -EACCES);
	CHECK(write_fault(at, 1), "a read-only mapping was written to");
}

TEST(private_mapping_of_a_buffer_is_einval)
{
	struct buffer buffer = export_some(2, 0);

	EXPECT(buffer_try_mmap(buffer.fd, 0, 2, PROT_READ, MAP_PRIVATE),
	       -EINVAL);
	EXPECT(buffer_try_mmap(buffer.fd, 0, 2, READ_WRITE, MAP_PRIVATE),
	       -EINVAL);
}

TEST(buffer_may_be_mapped_many_times_at_once)
{
	struct buffer buffer = export_some(3, 0);
	uint8_t *at[5];

	for (int i = 0; i < 5; i++)
		at[i] = buffer_mmap(buffer.fd, 3,
				    i % 2 ? PROT_READ : READ_WRITE);
	at[0][123] ^= 0xff;
	for (int i = 1; i < 5; i++)
		EQUAL(at[i][123], at[0][123]);
	at[0][123] ^= 0xff;
	for (int i = 0; i < 5; i += 2)
		must_munmap(at[i], 3);
	check_buffer(&buffer, at[1]);
	check_buffer(&buffer, at[3]);
	must_munmap(at[3], 3);
	check_buffer(&buffer, at[1]);
}

TEST(part_of_a_buffer_may_be_mapped)
{
	struct buffer buffer = export_some(5, 0);
	uint8_t *at = mmap(NULL, 2 * PAGE, READ_WRITE, MAP_SHARED, buffer.fd,
			   2 * PAGE);

	CHECK(at != MAP_FAILED, "mmap: %s", error_name(errno));
	check_page(at, 2);
	check_page(at + PAGE, 3);
	fill_page(at + PAGE, 77);
	check_granters_page(buffer.refs[3], 77);
	check_granters_page(buffer.refs[4], 4);
	/* Also when the entries come back by faults. */
	EXPECT(madvise(at, 2 * PAGE, MADV_DONTNEED) ? -errno : 0, 0);
	check_page(at, 2);
	check_page(at + PAGE, 77);
}

TEST(mapping_beyond_a_buffer_is_einval)
{
	struct buffer buffer = export_some(3, 0);

	EXPECT(buffer_try_mmap(buffer.fd, 0, 4, PROT_READ, MAP_SHARED),
	       -EINVAL);
	EXPECT(buffer_try_mmap(buffer.fd, 1, 3, PROT_READ, MAP_SHARED),
	       -EINVAL);
	EXPECT(buffer_try_mmap(buffer.fd, 3, 1, PROT_READ, MAP_SHARED),
	       -EINVAL);
}

TEST(munmap_of_a_part_of_a_buffer_is_einval)
{
	struct buffer buffer = export_some(3, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 3, READ_WRITE);

	EXPECT(dev_munmap(at, PAGE), -EINVAL);
	EXPECT(dev_munmap(at + PAGE, PAGE), -EINVAL);
	EXPECT(dev_munmap(at + 2 * PAGE, PAGE), -EINVAL);
	check_buffer(&buffer, at);
	must_munmap(at, 3);
}

TEST(mapping_of_a_buffer_that_is_moved_is_refused_or_followed)
{
	struct buffer buffer = export_some(3, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 3, READ_WRITE);
	uint8_t *moved = mremap(at, 3 * PAGE, 3 * PAGE,
				MREMAP_MAYMOVE | MREMAP_FIXED, pages_alloc(3));

	if (moved == MAP_FAILED)
		moved = at;
	check_buffer(&buffer, moved);
	fill_page(moved, 9);
	check_granters_page(buffer.refs[0], 9);
	must_munmap(moved, 3);
	close(buffer.fd);
	check_given_back(&buffer);
}

TEST(mapping_of_a_buffer_does_not_grow)
{
	struct buffer buffer = export_some(3, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 3, READ_WRITE);

	CHECK(mremap(at, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	      "it grew");
	CHECK(mremap(at, 0, 3 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	      "it was doubled");
	check_buffer(&buffer, at);
}

TEST(mprotect_and_madvise_keep_a_buffers_data)
{
	struct buffer buffer = export_some(4, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 4, READ_WRITE);

	EXPECT(mprotect(at, 4 * PAGE, PROT_READ) ? -errno : 0, 0);
	check_buffer(&buffer, at);
	CHECK(write_fault(at, 1), "it is writable");
	EXPECT(mprotect(at, 4 * PAGE, PROT_NONE) ? -errno : 0, 0);
	CHECK(read_fault(at), "it is readable");
	EXPECT(mprotect(at, 4 * PAGE, READ_WRITE) ? -errno : 0, 0);
	check_buffer(&buffer, at);
	EXPECT(madvise(at, 4 * PAGE, MADV_DONTNEED) ? -errno : 0, 0);
	check_buffer(&buffer, at);
	EQUAL(write_fault(at, at[0]), 0);
	check_buffer(&buffer, at);
}

static void look_or_die(void *argument)
{
	uint8_t *at = argument;

	if (!read_fault(at))
		check_page(at, 0);
}

TEST(child_sees_a_buffers_data_or_none)
{
	struct buffer buffer = export_some(2, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 2, READ_WRITE);

	in_child(look_or_die, at);
	check_buffer(&buffer, at);
	/* Newer kernels refuse that for memory of a driver's. */
	if (madvise(at, 2 * PAGE, MADV_DOFORK))
		EQUAL(errno, EINVAL);
	in_child(look_or_die, at);
	check_buffer(&buffer, at);
	must_munmap(at, 2);
}

static void map_and_check(void *argument)
{
	const struct buffer *buffer = argument;

	check_buffer(buffer, buffer_mmap(buffer->fd, buffer->pages, PROT_READ));
}

TEST(child_may_map_an_inherited_buffer)
{
	struct buffer buffer = export_some(2, 0);

	in_child(map_and_check, &buffer);
	check_buffer(&buffer, buffer_mmap(buffer.fd, 2, READ_WRITE));
}

TEST(cpu_access_is_begun_and_ended)
{
	struct buffer buffer = export_some(2, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 2, READ_WRITE);
	struct dma_buf_sync sync = {DMA_BUF_SYNC_RW | DMA_BUF_SYNC_START};

	EXPECT(ioctl(buffer.fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0, 0);
	fill_page(at, 3);
	sync.flags = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END;
	EXPECT(ioctl(buffer.fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0, 0);
	check_granters_page(buffer.refs[0], 3);
}

TEST(buffer_is_written_to_and_read_from_a_pipe)
{
	struct buffer buffer = export_some(2, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 2, READ_WRITE);
	int fds[2];

	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	EQUAL(write(fds[1], at, 2 * PAGE), 2 * PAGE);
	memset(at, 0, 2 * PAGE);
	EQUAL(read(fds[0], at, 2 * PAGE), 2 * PAGE);
	check_buffer(&buffer, at);
}

TEST(disk_is_written_and_read_directly_through_a_buffer)
{
	struct buffer buffer = export_some(4, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 4, READ_WRITE);
	int disk = disk_open(O_RDWR | O_DIRECT);

	EQUAL(pwrite(disk, at, 4 * PAGE, 0), 4 * PAGE);
	granter_fill(buffer.refs, 4, 60);
	EQUAL(pread(disk, at, 4 * PAGE, 0), 4 * PAGE);
	check_buffer(&buffer, at);
}

/* A page in a pipe stands for any I/O: it stays until it is read. */
static int hold(const uint8_t *at, unsigned int pages)
{
	struct iovec part = {(void *)at, pages * PAGE};
	int fds[2];

	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	CHECK(vmsplice(fds[1], &part, 1, 0) == (ssize_t)(pages * PAGE),
	      "vmsplice: %s", error_name(errno));
	return fds[0];
}

TEST(munmap_of_a_buffer_returns_at_once_and_its_grants_follow_later)
{
	struct buffer buffer = export_some(3, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 3, READ_WRITE);
	int held = hold(at + PAGE, 1);
	long long before = milliseconds();
	uint8_t page[PAGE];

	must_munmap(at, 3);
	close(buffer.fd);
	CHECK(milliseconds() - before < 1000, "it took %lld ms",
	      milliseconds() - before);
	/* It is released all the same: nobody can reach it any more. */
	EQUAL(granter_wait_idle(buffer.refs, 3, 200), 1);
	EQUAL(read(held, page, PAGE), PAGE);
	check_page(page, 1);
	check_given_back(&buffer);
}

static void check_flagged(uint32_t flags)
{
	struct buffer buffer = export_some(9, flags);
	uint8_t *at = buffer_mmap(buffer.fd, 9, READ_WRITE);

	check_buffer(&buffer, at);
	fill_page(at + 8 * PAGE, 3);
	check_granters_page(buffer.refs[8], 3);
	EXPECT(madvise(at, 9 * PAGE, MADV_DONTNEED) ? -errno : 0, 0);
	check_page(at, 0);
	check_page(at + 8 * PAGE, 3);
	must_munmap(at, 9);
	close(buffer.fd);
	check_given_back(&buffer);
}

TEST(write_combining_buffer_shows_the_granters_pages)
{
	check_flagged(GNTDEV_DMA_FLAG_WC);
}

TEST(coherent_buffer_shows_the_granters_pages)
{
	check_flagged(GNTDEV_DMA_FLAG_COHERENT);
}

TEST(disk_is_read_directly_into_a_coherent_buffer)
{
	struct buffer buffer = export_some(4, GNTDEV_DMA_FLAG_COHERENT);
	uint8_t *at = buffer_mmap(buffer.fd, 4, READ_WRITE);
	int plain = disk_open(O_RDWR), direct = disk_open(O_RDONLY | O_DIRECT);

	disk_fill(plain, 4, 30);
	EQUAL(pread(direct, at, 4 * PAGE, 0), 4 * PAGE);
	for (unsigned int i = 0; i < 4; i++)
		check_granters_page(buffer.refs[i], 30 + i);
}

/* Row 59: what had no memory behind it would be given out, and crash. */
TEST(memory_of_dma_backed_buffers_comes_back_whole)
{
	for (int round = 0; round < 8; round++) {
		struct buffer buffer =
			export_some(SOME, round % 2 ? GNTDEV_DMA_FLAG_WC
						    : GNTDEV_DMA_FLAG_COHERENT);

		check_buffer(&buffer, buffer_mmap(buffer.fd, SOME, PROT_READ));
		munmap(buffer_mmap(buffer.fd, SOME, READ_WRITE), SOME * PAGE);
		close(buffer.fd);
		close(buffer.device);
	}
	for (int i = 0; i < 4; i++) {
		size_t size = 16 << 20;
		uint8_t *memory = malloc(size);

		CHECK(memory, "no memory");
		memset(memory, 0x5a, size);
		for (size_t at = 0; at < size; at += PAGE / 2)
			EQUAL(memory[at], 0x5a);
		free(memory);
	}
}

/* Grants of a few pages many times over, but not as often as Xen forbids. */
struct large {
	unsigned int count;
	uint32_t *refs;
	/* When the export begins, by the clock. */
	volatile long long begun;
};

static struct large *large_alloc(unsigned int count, unsigned int different)
{
	struct large *large =
		mmap(NULL, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	large->count = count;
	large->refs = calloc(count, sizeof(*large->refs));
	CHECK(large->refs, "no memory for %u references", count);
	granter_alloc(large->refs, different, true);
	for (unsigned int i = different; i < count; i++)
		large->refs[i] = large->refs[i - different];
	return large;
}

static void export_large(void *argument)
{
	struct large *large = argument;
	int fd = dev_open();

	large->begun = milliseconds();
	dmabuf_export_from(fd, granter_domid(), GNTDEV_DMA_FLAG_COHERENT,
			   large->refs, large->count);
}

TEST(export_of_much_dma_memory_is_killable, .timeout = 120)
{
	struct large *large = large_alloc(48000, 480);
	long long before;
	pid_t child = child_start(export_large, large);

	while (!large->begun)
		sleep_ms(1);
	sleep_ms(30);
	before = milliseconds();
	child_kill(child);
	tap_note("dead after %lld ms", milliseconds() - before);
	CHECK(milliseconds() - before < 1000, "it took %lld ms",
	      milliseconds() - before);
	EQUAL(granter_wait_idle(large->refs, 480, 5000), 0);
}

static void have_memory(void *argument)
{
	size_t size = 96 << 20;
	char *memory = malloc(size);

	CHECK(memory, "no memory");
	memset(memory, 0x5a, size);
	*(volatile bool *)argument = true;
	sleep_ms(120000);
}

/* Who asks for more than there is gets nothing; nobody else is killed for it. */
TEST(export_of_too_much_dma_memory_is_enomem_and_kills_nobody, .timeout = 200)
{
	const unsigned int pages = 8000;
	volatile bool *ready =
		mmap(NULL, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct large *large = large_alloc(pages, 2000);
	int device = dev_open(), fd, exports = 0;
	pid_t child = child_start(have_memory, (void *)ready);

	while (!*ready)
		sleep_ms(1);
	do {
		fd = dmabuf_export_from(device, granter_domid(),
					GNTDEV_DMA_FLAG_COHERENT, large->refs,
					pages);
	} while (fd >= 0 && ++exports < 30);
	tap_note("exports of %u pages: %d", pages, exports);
	if (fd >= 0)
		SKIP("there is too much memory");
	EXPECT(fd, -ENOMEM);
	CHECK(!kill(child, 0) && waitpid(child, NULL, WNOHANG) == 0,
	      "another process was killed");
	child_kill(child);
}

TEST(failed_export_of_dma_memory_gives_it_back)
{
	uint32_t refs[3];
	int fd = dev_open();

	granter_alloc(refs, 3, true);
	refs[2] = BAD_REF;
	for (int i = 0; i < 20; i++) {
		EXPECT(dmabuf_export_from(fd, granter_domid(),
					  GNTDEV_DMA_FLAG_COHERENT, refs, 3),
		       -EINVAL);
		EXPECT(dmabuf_export_from(fd, granter_domid(),
					  GNTDEV_DMA_FLAG_WC, refs, 3),
		       -EINVAL);
	}
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
}
