// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Grants of this very domain, whoever else grants to the other tests. On x86 an
 * auto-translated domain would lose the page for good: there they are refused.
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
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

struct own {
	int device; /* the pages go with it */
	uint8_t *at;
	uint32_t ref;
	uint64_t index;
};

static struct own grant_own(void)
{
	struct ioctl_gntalloc_alloc_gref alloc = {
		.domid = world.domid,
		.flags = GNTALLOC_FLAG_WRITABLE,
		.count = 1,
	};
	struct own own = {
		.device = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC)};

	CHECK(own.device >= 0 &&
		      !ioctl(own.device, IOCTL_GNTALLOC_ALLOC_GREF, &alloc),
	      "/dev/xen/gntalloc: %s", error_name(errno));
	own.at = mmap(NULL, PAGE, READ_WRITE, MAP_SHARED, own.device,
		      alloc.index);
	CHECK(own.at != MAP_FAILED, "mmap of /dev/xen/gntalloc: %s",
	      error_name(errno));
	own.ref = alloc.gref_ids[0];
	own.index = alloc.index;
	fill_page(own.at, 5);
	return own;
}

/* It is as it was, and still its granter's to write. */
static void check_own(const struct own *own)
{
	check_page(own->at, 5);
	fill_page(own->at, 6);
	check_page(own->at, 6);
	fill_page(own->at, 5);
}

/* -errno, or 0 with the range. */
static int map_own(int fd, const struct own *own, unsigned int domid,
		   struct ioctl_gntdev_grant_ref *other, uint8_t **at)
{
	struct ioctl_gntdev_grant_ref refs[2] = {{domid, own->ref}};
	unsigned int count = other ? 2 : 1;
	uint64_t index;

	if (other)
		refs[1] = *other;
	EXPECT(dev_insert_refs(fd, refs, count, &index), 0);
	*at = mmap(NULL, count * PAGE, READ_WRITE, MAP_SHARED, fd, index);
	return *at == MAP_FAILED ? -errno : 0;
}

TEST(own_grant_is_mapped_or_refused_where_its_page_would_be_lost)
{
	struct own own = grant_own();
	int fd = dev_open(), error;
	uint8_t *at;

	error = map_own(fd, &own, world.domid, NULL, &at);
	EXPECT(error, world.own_grants_vanish ? -EINVAL : 0);
	check_own(&own);
	if (error)
		return;
	check_page(at, 5);
	at[1] = 0x77;
	EQUAL(own.at[1], 0x77);
	munmap(at, PAGE);
	EQUAL(own.at[1], 0x77);
	fill_page(own.at, 5);
	check_own(&own);
}

/* Nor are the others of its range mapped. */
TEST(own_grant_among_others_is_no_exception)
{
	struct ioctl_gntdev_grant_ref other = {granter_domid(), 0};
	struct own own = grant_own();
	int fd = dev_open(), error;
	uint8_t *at;

	granter_alloc(&other.ref, 1, true);
	granter_fill(&other.ref, 1, 1);
	error = map_own(fd, &own, world.domid, &other, &at);
	EXPECT(error, world.own_grants_vanish ? -EINVAL : 0);
	check_own(&own);
	if (error) {
		EQUAL(granter_busy(&other.ref, 1), 0);
		return;
	}
	check_page(at, 5);
	check_page(at + PAGE, 1);
	munmap(at, 2 * PAGE);
	check_own(&own);
}

TEST(own_grant_is_exported_or_refused_where_its_page_would_be_lost)
{
	struct own own = grant_own();
	uint8_t *at;
	int fd;

	fd = dmabuf_export_from(dev_open(), world.domid, 0, &own.ref, 1);
	if (world.own_grants_vanish) {
		EXPECT(fd, -EINVAL);
	} else {
		CHECK(fd >= 0, "export: %s", error_name(-fd));
		at = buffer_mmap(fd, 1, READ_WRITE);
		check_page(at, 5);
		munmap(at, PAGE);
		close(fd);
	}
	check_own(&own);
}

TEST(import_for_oneself_is_granted_or_refused_where_pages_would_be_lost)
{
	int buffer = drm_export(drm_open(), 1), fd = dev_open(), error;
	uint32_t ref;

	error = dmabuf_import(fd, buffer, world.domid, &ref, 1);
	EXPECT(error, world.own_grants_vanish ? -EINVAL : 0);
	if (!error)
		EXPECT(dmabuf_release(fd, buffer), 0);
}

/* Nothing is mapped for that. */
TEST(own_grant_is_copied_from_and_to)
{
	struct own own = grant_own();
	uint8_t *local = pages_alloc(1);
	struct gntdev_grant_copy_segment segment = {
		.source.foreign = {own.ref, 0, world.domid},
		.dest.virt = local,
		.len = PAGE,
		.flags = GNTCOPY_source_gref,
	};

	EXPECT(dev_copy(dev_open(), &segment, 1), 0);
	EQUAL(segment.status, GNTST_okay);
	check_page(local, 5);
	check_own(&own);
}
