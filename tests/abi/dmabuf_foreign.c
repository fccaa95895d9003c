// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DMABUF_IMP_TO_REFS of the buffers of everybody who exports them: udmabuf, the
 * system's heap, a display. Where a kernel lacks one, its tests are skipped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dmabuf.h"
#include "exporter.h"
#include "granter.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define LARGEST 65536u

/* A dma-buf that this program sees, with contents of their own. */
static uint8_t *make_filled(const struct exporter *exporter, unsigned int pages,
			    int *fd)
{
	uint8_t *at;

	*fd = export_of(exporter, pages);
	at = buffer_mmap(*fd, pages, READ_WRITE);
	for (unsigned int i = 0; i < pages; i++)
		fill_page(at + i * PAGE, i);
	return at;
}

static void check_granted(const struct exporter *exporter)
{
	int device = dev_open(), fd, peer;
	uint8_t *at = make_filled(exporter, 7, &fd), page[PAGE];
	uint32_t refs[7];

	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, 7), 0);
	peer = must_map(refs, 7);
	for (unsigned int i = 0; i < 7; i++)
		check_as_peer(peer, i, i);
	fill_page(page, 50);
	granter_map_write(peer, 6 * PAGE, page, PAGE);
	check_page(at + 6 * PAGE, 50);
	fill_page(at, 51);
	check_as_peer(peer, 0, 51);
	granter_unmap(peer);
	EXPECT(dmabuf_release(device, fd), 0);
	for (int i = 0; i < 7; i++)
		CHECK(!is_granted(refs[i]), "page %d still is granted", i);
}

TEST(pages_of_udmabuf_are_granted)
{
	check_granted(&udmabuf);
}

TEST(pages_of_the_system_heap_are_granted)
{
	check_granted(&heap);
}

TEST(pages_of_a_displays_dumb_buffer_are_granted)
{
	check_granted(&display);
}

static void check_sizes(const struct exporter *exporter)
{
	static const unsigned int counts[] = {1, 2, 4, 16};
	int device = dev_open(), fd = export_of(exporter, 3);
	uint32_t refs[SOME];

	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		EXPECT(dmabuf_import(device, fd, granter_domid(), refs,
				     counts[i]),
		       -EINVAL);
	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, 3), 0);
	EXPECT(dmabuf_release(device, fd), 0);
}

TEST(another_count_than_udmabufs_is_einval)
{
	check_sizes(&udmabuf);
}

TEST(another_count_than_the_system_heaps_is_einval)
{
	check_sizes(&heap);
}

TEST(another_count_than_a_displays_is_einval)
{
	check_sizes(&display);
}

/* Row 52, for exporters that give their pages back to the kernel at once. */
static void check_stay(const struct exporter *exporter)
{
	int device = dev_open(), fd, peer;
	uint8_t *at = make_filled(exporter, 3, &fd), *memory;
	size_t size = 16 << 20;
	uint32_t refs[3];

	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, 3), 0);
	peer = must_map(refs, 3);
	EXPECT(dmabuf_release(device, fd), 0);
	must_munmap(at, 3);
	close(fd);
	close(device);
	memory = malloc(size);
	CHECK(memory, "no memory");
	memset(memory, 0xa5, size);
	for (unsigned int i = 0; i < 3; i++)
		check_as_peer(peer, i, i);
	granter_unmap(peer);
	sleep_ms(600);
	CHECK(!is_granted(refs[0]), "it still is granted");
}

TEST(pages_of_udmabuf_stay_while_the_other_side_has_them)
{
	check_stay(&udmabuf);
}

TEST(pages_of_the_system_heap_stay_while_the_other_side_has_them)
{
	check_stay(&heap);
}

TEST(pages_of_a_display_stay_while_the_other_side_has_them)
{
	check_stay(&display);
}

/* The buffer starts somewhere in the memory that it is of. */
TEST(part_of_a_file_is_granted_from_its_offset_on)
{
	int file = udmabuf_file(9), fd = udmabuf_of(file, 4, 3), peer;
	uint8_t page[PAGE];
	uint32_t refs[3];

	CHECK(fd >= 0, "UDMABUF_CREATE: %s", error_name(fd));
	for (unsigned int i = 0; i < 9; i++) {
		fill_page(page, i);
		EQUAL(pwrite(file, page, PAGE, i * PAGE), PAGE);
	}
	EXPECT(dmabuf_import(dev_open(), fd, granter_domid(), refs, 3), 0);
	peer = must_map(refs, 3);
	for (unsigned int i = 0; i < 3; i++)
		check_as_peer(peer, i, 4 + i);
	granter_unmap(peer);
}

/* Row 53: an entry of the heap's scatter list is of up to 256 pages. */
TEST(each_page_of_the_system_heaps_merged_list_is_granted)
{
	const unsigned int pages = 500;
	uint32_t refs[500];
	int fd, peer;

	make_filled(&heap, pages, &fd);
	EXPECT(dmabuf_import(dev_open(), fd, granter_domid(), refs, pages), 0);
	peer = must_map(refs, pages);
	for (unsigned int i = 0; i < pages; i++)
		check_as_peer(peer, i, i);
	granter_unmap(peer);
}

/* Each page begins with its number. */
static void number_pages(int fd, unsigned int pages)
{
	uint8_t *at = buffer_mmap(fd, pages, READ_WRITE);

	for (uint32_t i = 0; i < pages; i++)
		memcpy(at + (size_t)i * PAGE, &i, sizeof(i));
	munmap(at, (size_t)pages * PAGE);
}

/* 512 of the pages, so many apart, are what they are to the other side too. */
static void check_numbers(const uint32_t *refs, unsigned int first,
			  unsigned int apart)
{
	uint32_t some[512], number;
	int peer;

	for (unsigned int i = 0; i < 512; i++)
		some[i] = refs[first + i * apart];
	peer = must_map(some, 512);
	for (unsigned int i = 0; i < 512; i++) {
		granter_map_read(peer, i * PAGE, &number, sizeof(number));
		EQUAL(number, first + i * apart);
	}
	granter_unmap(peer);
}

static int compare_refs(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

	return (a > b) - (a < b);
}

/* Row 48. */
TEST(largest_buffer_of_the_system_heap_is_granted_whole, .timeout = 240)
{
	uint32_t *refs = calloc(LARGEST, sizeof(*refs));
	int device = dev_open(), fd = heap.make(LARGEST), error;

	if (fd < 0)
		SKIP("there is no memory for so large a buffer");
	number_pages(fd, LARGEST);
	error = dmabuf_import(device, fd, granter_domid(), refs, LARGEST);
	if (error == -ENOSPC || error == -ENOMEM)
		SKIP("this domain cannot grant so much: %s", error_name(error));
	EXPECT(error, 0);
	check_numbers(refs, 0, LARGEST / 512);
	check_numbers(refs, LARGEST / 512 - 1, LARGEST / 512);
	check_numbers(refs, 40000, 1);
	EXPECT(dmabuf_release(device, fd), 0);
	CHECK(!is_granted(refs[LARGEST - 1]), "it still is granted");
	qsort(refs, LARGEST, sizeof(*refs), compare_refs);
	for (unsigned int i = 1; i < LARGEST; i++)
		CHECK(refs[i - 1] != refs[i], "two pages have reference %u",
		      refs[i]);
	CHECK(refs[0] >= 8, "reference %u is set aside", refs[0]);
}
