// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DMABUF_IMP_TO_REFS and DMABUF_IMP_RELEASE. The buffers are vgem's; the other
 * side is the granter of the other tests, be it this domain or another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dmabuf.h"
#include "foreign.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(imported_pages_are_granted)
{
	struct foreign foreign = import_some(7);
	int peer = must_map(foreign.refs, 7);
	uint8_t page[PAGE];

	for (unsigned int i = 0; i < 7; i++)
		check_as_peer(peer, i, i);
	fill_page(page, 50);
	granter_map_write(peer, 6 * PAGE, page, PAGE);
	check_as_peer(peer, 6, 50);
	if (foreign.at) {
		check_page(foreign.at + 6 * PAGE, 50);
		fill_page(foreign.at, 51);
		check_as_peer(peer, 0, 51);
	}
	granter_unmap(peer);
}

TEST(every_page_of_an_import_has_a_reference_of_its_own)
{
	struct foreign foreign = import_some(SOME);

	for (unsigned int i = 0; i < SOME; i++) {
		CHECK(foreign.refs[i] >= 8, "reference %u is set aside",
		      foreign.refs[i]);
		for (unsigned int j = 0; j < i; j++)
			CHECK(foreign.refs[i] != foreign.refs[j],
			      "pages %u and %u have reference %u", j, i,
			      foreign.refs[i]);
	}
}

TEST(release_ends_the_access)
{
	struct foreign foreign = import_some(3);

	CHECK(is_granted(foreign.refs[1]), "it was not granted at all");
	EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
	for (int i = 0; i < 3; i++)
		CHECK(!is_granted(foreign.refs[i]), "page %d still is", i);
	EXPECT(dmabuf_release(foreign.device, foreign.fd), -ENOENT);
}

TEST(close_of_the_instance_ends_the_access)
{
	struct foreign foreign = import_some(3);

	close(foreign.device);
	for (int i = 0; i < 3; i++)
		CHECK(!is_granted(foreign.refs[i]), "page %d still is", i);
}

static void import_and_die(void *argument)
{
	struct foreign *foreign = argument;

	*foreign = import_some(2);
	sleep_ms(60000);
}

TEST(kill_of_the_importer_ends_the_access)
{
	struct foreign *foreign =
		mmap(NULL, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = child_start(import_and_die, foreign);

	for (int i = 0; i < 100 && !foreign->refs[1]; i++)
		sleep_ms(20);
	CHECK(is_granted(foreign->refs[1]), "it was not granted at all");
	child_kill(child);
	CHECK(!is_granted(foreign->refs[0]), "a page still is granted");
}

TEST(buffer_may_be_imported_again_after_release)
{
	struct foreign foreign = import_some(3);

	for (int i = 0; i < 10; i++) {
		EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
		EXPECT(dmabuf_import(foreign.device, foreign.fd,
				     granter_domid(), foreign.refs, 3),
		       0);
	}
	CHECK(is_granted(foreign.refs[2]), "it is not granted");
}

TEST(each_import_of_a_buffer_is_one_of_its_own)
{
	struct foreign foreign = import_some(2);
	int copy = dup(foreign.fd);
	uint32_t refs[2];

	EXPECT(dmabuf_import(foreign.device, copy, granter_domid(), refs, 2),
	       0);
	EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
	CHECK(!is_granted(foreign.refs[0]), "what was released is granted");
	CHECK(is_granted(refs[0]), "the other one is not granted");
	EXPECT(dmabuf_release(foreign.device, copy), 0);
	CHECK(!is_granted(refs[0]), "what was released is granted");
}

TEST(import_is_released_by_its_number_after_the_close)
{
	struct foreign foreign = import_some(2);

	close(foreign.fd);
	CHECK(is_granted(foreign.refs[0]), "it is not granted any more");
	EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
	CHECK(!is_granted(foreign.refs[0]), "it still is granted");
}

TEST(release_of_a_number_used_again_is_of_the_buffer_that_has_it)
{
	struct foreign first = import_some(2), second = foreign_some(2);

	EQUAL(dup2(second.fd, first.fd), first.fd);
	EXPECT(dmabuf_import(first.device, first.fd, granter_domid(),
			     second.refs, 2),
	       0);
	EXPECT(dmabuf_release(first.device, first.fd), 0);
	CHECK(!is_granted(second.refs[0]), "the second one still is granted");
	CHECK(is_granted(first.refs[0]), "the first one is not granted");
	EXPECT(dmabuf_release(first.device, first.fd), 0);
	CHECK(!is_granted(first.refs[0]), "the first one still is granted");
}

TEST(release_of_what_was_not_imported_is_enoent)
{
	struct foreign foreign = foreign_some(1);

	EXPECT(dmabuf_release(foreign.device, foreign.fd), -ENOENT);
	EXPECT(dmabuf_release(foreign.device, -1), -ENOENT);
	EXPECT(dmabuf_release(foreign.device, 0), -ENOENT);
	EXPECT(dmabuf_import(foreign.device, foreign.fd, granter_domid(),
			     foreign.refs, 1),
	       0);
	EXPECT(dmabuf_release(dev_open(), foreign.fd), -ENOENT);
}

TEST(import_of_no_dma_buf_is_enoent)
{
	int fd = dev_open();
	uint32_t ref;

	EXPECT(dmabuf_import(fd, fd, granter_domid(), &ref, 1), -ENOENT);
	EXPECT(dmabuf_import(fd, -1, granter_domid(), &ref, 1), -ENOENT);
	EXPECT(dmabuf_import(fd, 1000, granter_domid(), &ref, 1), -ENOENT);
}

TEST(import_with_another_count_is_einval)
{
	static const unsigned int counts[] = {1, 2, 4, 16};
	struct foreign foreign = foreign_some(3);
	struct ioctl_gntdev_dmabuf_imp_to_refs op = {
		.fd = foreign.fd,
		.domid = granter_domid(),
	};

	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		EXPECT(dmabuf_import(foreign.device, foreign.fd,
				     granter_domid(), foreign.refs, counts[i]),
		       -EINVAL);
	for (unsigned int i = 0; i < 3; i++) {
		op.count = (const unsigned int[]){0, 0xffffffff, 0x100003}[i];
		EXPECT(ioctl(foreign.device, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS,
			     &op)
			       ? -errno
			       : 0,
		       -EINVAL);
	}
}

/* Row 50. */
TEST(reserved_fields_of_imports_must_be_zero)
{
	struct foreign foreign = foreign_some(1);
	struct ioctl_gntdev_dmabuf_imp_to_refs op = {
		.fd = foreign.fd,
		.count = 1,
		.domid = granter_domid(),
		.reserved = 1,
	};
	struct ioctl_gntdev_dmabuf_imp_release release = {
		.fd = foreign.fd,
		.reserved = 0x80000000,
	};

	EXPECT(ioctl(foreign.device, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, &op)
		       ? -errno
		       : 0,
	       -EINVAL);
	op.reserved = 0;
	EXPECT(ioctl(foreign.device, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, &op)
		       ? -errno
		       : 0,
	       0);
	EXPECT(ioctl(foreign.device, IOCTL_GNTDEV_DMABUF_IMP_RELEASE, &release)
		       ? -errno
		       : 0,
	       -EINVAL);
	EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
}

TEST(import_for_a_domid_above_16_bits_is_einval)
{
	struct foreign foreign = foreign_some(1);

	EXPECT(dmabuf_import(foreign.device, foreign.fd,
			     granter_domid() + 0x10000, foreign.refs, 1),
	       -EINVAL);
	EXPECT(dmabuf_import(foreign.device, foreign.fd, 0x8000, foreign.refs,
			     1),
	       -EINVAL);
}

/* Row 49: nothing is left that another thread might have seen. */
TEST(failed_copy_out_of_an_import_leaves_nothing)
{
	struct foreign foreign = foreign_some(4);
	struct ioctl_gntdev_dmabuf_imp_to_refs *op =
		at_the_end(offsetof(typeof(*op), refs) + 2 * sizeof(uint32_t));

	memset(op, 0, offsetof(typeof(*op), refs));
	op->fd = foreign.fd;
	op->count = 4;
	op->domid = granter_domid();
	for (int i = 0; i < 5; i++)
		EXPECT(ioctl(foreign.device, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS,
			     op)
			       ? -errno
			       : 0,
		       -EFAULT);
	EXPECT(dmabuf_release(foreign.device, foreign.fd), -ENOENT);
	/* What could be written was: these grants are gone. */
	CHECK(!is_granted(op->refs[0]), "a page still is granted");
}

struct race {
	int device;
	int fd;
	volatile bool stop;
	unsigned long released;
};

static void *release_all(void *argument)
{
	struct race *race = argument;

	while (!race->stop)
		race->released += !dmabuf_release(race->device, race->fd);
	return NULL;
}

/* Row 49. */
TEST(import_races_with_its_release, .timeout = 120)
{
	struct foreign foreign = foreign_some(4);
	struct race race = {.device = foreign.device, .fd = foreign.fd};
	pthread_t thread;
	int i;

	CHECK(!pthread_create(&thread, NULL, release_all, &race),
	      "pthread_create");
	for (i = 0; i < 300; i++)
		EXPECT(dmabuf_import(foreign.device, foreign.fd,
				     granter_domid(), foreign.refs, 4),
		       0);
	race.stop = true;
	pthread_join(thread, NULL);
	while (!dmabuf_release(foreign.device, foreign.fd))
		race.released++;
	EQUAL(race.released, i);
}

/* Row 52. */
TEST(release_does_not_wait_for_the_other_side)
{
	struct foreign foreign = import_some(3);
	int peer = must_map(foreign.refs, 3);
	long long before = milliseconds();

	EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
	CHECK(milliseconds() - before < 1000, "it took %lld ms",
	      milliseconds() - before);
	EXPECT(dmabuf_release(foreign.device, foreign.fd), -ENOENT);
	granter_unmap(peer);
	sleep_ms(600);
	CHECK(!is_granted(foreign.refs[0]), "it still is granted");
}

/* Row 52: of the buffer nothing is left but what the other side has mapped. */
TEST(pages_stay_while_the_other_side_has_them_mapped)
{
	struct foreign foreign = import_some(3);
	int peer = must_map(foreign.refs, 3);
	size_t size = 16 << 20;
	uint8_t *memory;

	EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
	if (foreign.at)
		must_munmap(foreign.at, 3);
	close(foreign.fd);
	close(foreign.device);
	memory = malloc(size);
	memset(memory, 0xa5, size);
	for (unsigned int i = 0; i < 3; i++)
		check_as_peer(peer, i, i);
	granter_unmap(peer);
	sleep_ms(600);
	CHECK(!is_granted(foreign.refs[0]), "it still is granted");
}

/* Row 48: whatever is granted and not, no reference is counted wrong. */
TEST(largest_buffer_is_granted_until_there_are_no_references, .timeout = 240)
{
	const unsigned int pages = 65536;
	int drm = drm_open(), device = dev_open(), fd;
	uint32_t *refs = calloc(pages, sizeof(*refs)), handle;
	unsigned int imports = 0;
	struct foreign small;
	int error;

	fd = drm_try_export(drm, pages, &handle);
	if (fd < 0)
		SKIP("there is no memory for so large a buffer");
	for (;;) {
		error = dmabuf_import(device, fd, granter_domid(), refs, pages);
		if (!imports && error == -ENOMEM)
			SKIP("there is no memory for so large a buffer");
		if (error)
			break;
		imports++;
		CHECK(is_granted(refs[0]), "the first page is not granted");
		CHECK(is_granted(refs[65535]), "the last page is not granted");
	}
	tap_note("imports of 65,536 pages: %u", imports);
	EXPECT(error, -ENOSPC);
	for (; imports; imports--)
		EXPECT(dmabuf_release(device, fd), 0);
	EXPECT(dmabuf_release(device, fd), -ENOENT);
	/* The kernel's list of free references is whole. */
	for (int i = 0; i < 20; i++) {
		small = import_some(SOME);
		CHECK(is_granted(small.refs[SOME - 1]), "it is not granted");
	}
}

/*
 * Row 53: many neighbouring pages are one entry of a scatter list, and their
 * frames need not be neighbours.
 */
TEST(each_page_of_a_merged_scatter_list_is_granted)
{
	const unsigned int pages = 500;
	int fd = drm_export(drm_open(), pages), device = dev_open(), peer;
	uint32_t refs[500];

	foreign_fill(device, fd, pages);
	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, pages), 0);
	peer = must_map(refs, pages);
	for (unsigned int i = 0; i < pages; i++)
		check_as_peer(peer, i, i);
	granter_unmap(peer);
}

/* Another dma-buf of this driver's. */
TEST(buffer_of_this_device_is_imported)
{
	struct buffer buffer = export_some(3, 0);
	uint32_t refs[3];
	int peer;

	EXPECT(dmabuf_import(buffer.device, buffer.fd, granter_domid(), refs,
			     3),
	       0);
	close(buffer.fd);
	peer = granter_map(refs, 3);
	/*
	 * Whether a page may be granted on is the hypervisor's to say: not
	 * another domain's, nor where it keeps account of who mapped what.
	 */
	tap_note("granting on: %s", peer < 0 ? "no" : "yes");
	if (peer >= 0) {
		for (unsigned int i = 0; i < 3; i++)
			check_as_peer(peer, i, i);
		granter_unmap(peer);
	}
	EQUAL(granter_wait_idle(buffer.refs, 3, 0), 3);
	EXPECT(dmabuf_release(buffer.device, buffer.fd), 0);
	check_given_back(&buffer);
}

TEST(bad_pointers_to_imports_are_efault)
{
	int fd = dev_open();

	EXPECT(ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, NULL) ? -errno : 0,
	       -EFAULT);
	EXPECT(ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_RELEASE, NULL) ? -errno : 0,
	       -EFAULT);
}
