// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Dma-bufs that the other side makes of this domain's pages: what a display
 * server in dom0 does with the window of a guest. The other side is the granter
 * of the other tests, be it this domain or another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>

#include "dmabuf.h"
#include "granter.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* Pages of this program, granted to the other side. */
struct window {
	int device;
	uint64_t index;
	unsigned int pages;
	uint8_t *at;
	uint32_t refs[SOME];
};

static struct window window_make(unsigned int pages, bool writable)
{
	struct window window = {.pages = pages};
	union {
		struct ioctl_gntalloc_alloc_gref alloc;
		uint32_t space[8 + SOME];
	} op = {.alloc = {
			.domid = granter_domid(),
			.flags = writable ? GNTALLOC_FLAG_WRITABLE : 0,
			.count = pages,
		}};

	window.device = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	CHECK(window.device >= 0, "/dev/xen/gntalloc: %s", error_name(errno));
	if (ioctl(window.device, IOCTL_GNTALLOC_ALLOC_GREF, &op)) {
		if (errno == ENOTTY)
			SKIP("this kernel's /dev/xen/gntalloc does not serve "
			     "32-bit callers");
		FAIL("ALLOC_GREF: %s", error_name(errno));
	}
	window.index = op.alloc.index;
	memcpy(window.refs, op.alloc.gref_ids, pages * sizeof(*window.refs));
	window.at = mmap(NULL, pages * PAGE, READ_WRITE, MAP_SHARED,
			 window.device, window.index);
	CHECK(window.at != MAP_FAILED, "mmap of granted pages: %s",
	      error_name(errno));
	for (unsigned int i = 0; i < pages; i++)
		fill_page(window.at + i * PAGE, i);
	return window;
}

static int must_export(const uint32_t *refs, unsigned int count)
{
	int peer = granter_export(refs, count);

	CHECK(peer >= 0, "the other side cannot export: %s", error_name(peer));
	return peer;
}

static void write_as_peer(int peer, unsigned int place, unsigned int number)
{
	uint8_t page[PAGE];

	fill_page(page, number);
	granter_map_write(peer, place * PAGE, page, PAGE);
}

TEST(other_side_shows_this_domains_pages_in_a_dma_buf)
{
	struct window window = window_make(9, true);
	int peer = must_export(window.refs, 9);

	for (unsigned int i = 0; i < 9; i++)
		check_as_peer(peer, i, i);
	fill_page(window.at + 8 * PAGE, 70);
	check_as_peer(peer, 8, 70);
	write_as_peer(peer, 0, 71);
	check_page(window.at, 71);
	granter_unmap(peer);
	/* And once more, when the first is gone. */
	peer = must_export(window.refs, 9);
	check_as_peer(peer, 0, 71);
	granter_unmap(peer);
}

TEST(other_side_may_have_many_dma_bufs_of_the_same_pages)
{
	struct window window = window_make(3, true);
	int first = must_export(window.refs, 3);
	int second = must_export(window.refs + 1, 2);
	int third = must_map(window.refs, 3);

	write_as_peer(first, 1, 60);
	check_as_peer(second, 0, 60);
	check_as_peer(third, 1, 60);
	granter_unmap(first);
	check_as_peer(second, 1, 2);
	granter_unmap(third);
	check_as_peer(second, 0, 60);
	granter_unmap(second);
}

TEST(dma_buf_of_the_other_side_outlives_this_ones_end)
{
	struct window window = window_make(4, true);
	int peer = must_export(window.refs, 4);

	must_munmap(window.at, 4);
	close(window.device);
	for (unsigned int i = 0; i < 4; i++)
		check_as_peer(peer, i, i);
	granter_unmap(peer);
}

TEST(other_side_exports_no_read_only_grants)
{
	struct window window = window_make(2, false);

	EXPECT(granter_export(window.refs, 2), -EINVAL);
	granter_unmap(must_export(window_make(2, true).refs, 2));
}

TEST(other_side_exports_all_or_nothing)
{
	struct window window = window_make(4, true);
	uint32_t wrong[4];

	memcpy(wrong, window.refs, sizeof(wrong));
	wrong[3] = BAD_REF;
	EXPECT(granter_export(wrong, 4), -EINVAL);
	granter_unmap(must_export(window.refs, 4));
}

/* Of a dma-buf here, by way of grants, to a dma-buf there. */
TEST(imported_buffer_is_exported_by_the_other_side)
{
	int device = dev_open(), fd = drm_export(drm_open(), 5), drawn, peer;
	uint32_t refs[5];

	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, 5), 0);
	/* Not every program sees vgem's buffers: the other side draws. */
	drawn = must_map(refs, 5);
	for (unsigned int i = 0; i < 5; i++)
		write_as_peer(drawn, i, i);
	peer = must_export(refs, 5);
	granter_unmap(drawn);
	for (unsigned int i = 0; i < 5; i++)
		check_as_peer(peer, i, i);
	/* Row 52: what is shown stays, though the importer is gone. */
	EXPECT(dmabuf_release(device, fd), 0);
	close(fd);
	close(device);
	for (unsigned int i = 0; i < 5; i++)
		check_as_peer(peer, i, i);
	granter_unmap(peer);
	sleep_ms(600);
	CHECK(!is_granted(refs[0]), "it still is granted");
}
