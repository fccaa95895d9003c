// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* DMABUF_IMP_TO_REFS: how much may be imported, and for how long it counts. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>

#include "dmabuf.h"
#include "foreign.h"
#include "granter.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* What the module counts of all instances, in pages. */
static long departed(void)
{
	char text[24];

	CHECK(read_line("/sys/class/misc/xen!gntdev/departed", text,
			sizeof(text)),
	      "departed: %s", error_name(errno));
	return atol(text);
}

TEST(imports_count_towards_the_maximum)
{
	struct foreign foreign = foreign_some(4);
	uint32_t refs[4];
	uint64_t index;

	granter_alloc(refs, 4, true);
	EXPECT(dev_maximum(foreign.device, 3), 0);
	EXPECT(dmabuf_import(foreign.device, foreign.fd, granter_domid(),
			     foreign.refs, 4),
	       -EINVAL);
	EXPECT(dev_maximum(foreign.device, 7), 0);
	EXPECT(dmabuf_import(foreign.device, foreign.fd, granter_domid(),
			     foreign.refs, 4),
	       0);
	EXPECT(dmabuf_import(foreign.device, foreign.fd, granter_domid(),
			     foreign.refs, 4),
	       -ENOMEM);
	EXPECT(dev_insert(foreign.device, refs, 4, &index), -ENOMEM);
	EXPECT(dmabuf_export_from(foreign.device, granter_domid(), 0, refs, 4),
	       -ENOMEM);
	EXPECT(dev_insert(foreign.device, refs, 3, &index), 0);
	EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
	EXPECT(dev_insert(foreign.device, refs, 4, &index), 0);
}

/* One page that the other side keeps holds the whole buffer. */
TEST(released_import_counts_until_the_other_side_lets_go)
{
	struct foreign foreign = import_some(4);
	int peer = must_map(foreign.refs + 2, 1);
	long before = departed();

	EXPECT(dev_maximum(foreign.device, 7), 0);
	EXPECT(dmabuf_release(foreign.device, foreign.fd), 0);
	EQUAL(departed(), before + 4);
	EXPECT(dmabuf_import(foreign.device, foreign.fd, granter_domid(),
			     foreign.refs, 4),
	       -ENOMEM);
	granter_unmap(peer);
	for (int i = 0; i < 100 && departed() != before; i++)
		sleep_ms(20);
	EQUAL(departed(), before);
	EXPECT(dmabuf_import(foreign.device, foreign.fd, granter_domid(),
			     foreign.refs, 4),
	       0);
}

/* Ranges that are mmapped live on; an import has nothing of the kind. */
TEST(imports_end_with_the_last_descriptor_though_a_range_is_mmapped)
{
	struct foreign foreign = import_some(3);
	struct mapped range = map_some(foreign.device, 2, READ_WRITE);
	int copy = dup(foreign.device);

	close(foreign.device);
	CHECK(is_granted(foreign.refs[0]), "it was not granted any more");
	close(copy);
	for (int i = 0; i < 3; i++)
		CHECK(!is_granted(foreign.refs[i]), "page %d still is", i);
	check_whole(&range);
	must_munmap(range.at, 2);
}

static void import_until_enospc(int drm, int device, unsigned int pages)
{
	int fd = drm_export(drm, pages), error;
	uint32_t *refs = calloc(pages, sizeof(*refs));
	unsigned int imports = 0;

	do {
		error = dmabuf_import(device, fd, granter_domid(), refs, pages);
	} while (!error && ++imports < 100000);
	tap_note("imports of %u pages: %u", pages, imports);
	EXPECT(error, -ENOSPC);
	free(refs);
}

/* Disks, networks and other programs of this domain have pages to grant too. */
TEST(last_references_of_the_domain_are_left_to_others, .timeout = 240)
{
	int drm = drm_open(), device = dev_open();
	struct {
		struct ioctl_gntalloc_alloc_gref op;
		uint32_t refs[256];
	} alloc = {.op = {.domid = granter_domid(), .count = 256}};
	int gntalloc = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);

	CHECK(gntalloc >= 0, "/dev/xen/gntalloc: %s", error_name(errno));
	import_until_enospc(drm, device, 4096);
	import_until_enospc(drm, device, 64);
	import_until_enospc(drm, device, 1);
	if (ioctl(gntalloc, IOCTL_GNTALLOC_ALLOC_GREF, &alloc) &&
	    errno == ENOTTY)
		SKIP("this kernel's /dev/xen/gntalloc does not serve 32-bit "
		     "callers");
	CHECK(alloc.op.index || alloc.op.gref_ids[0], "ALLOC_GREF: %s",
	      error_name(errno));
}

TEST(module_stays_while_the_other_side_has_imports_mapped)
{
	struct foreign foreign = import_some(3);
	int peer = must_map(foreign.refs, 3);
	/* The other side may be this program, which has the device open then. */
	int before = module_users();

	if (foreign.at)
		must_munmap(foreign.at, 3);
	close(foreign.fd);
	/* From now on the import alone is in the place of the instance. */
	close(foreign.device);
	check_module_stays(before - 1);
	sleep_ms(600);
	check_module_stays(before - 1);
	granter_unmap(peer);
	for (int i = 0; i < 100 && module_users() > before - 1; i++)
		sleep_ms(20);
	CHECK(module_users() <= before - 1, "it is still in use");
}
