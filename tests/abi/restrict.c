// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* RESTRICT: an instance that serves one domain alone. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntdev_more.h>

#include "dev.h"
#include "dmabuf.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

static int restrict_to(int fd, unsigned int domid)
{
	struct ioctl_gntdev_restrict op = {domid, 0};

	return ioctl(fd, IOCTL_GNTDEV_RESTRICT, &op) ? -errno : 0;
}

/* Not the granter, and it need not exist. */
static unsigned int another(void)
{
	return granter_domid() + 1;
}

TEST(restricted_instance_serves_its_domain)
{
	int fd = dev_open();
	struct mapped range;

	EXPECT(restrict_to(fd, granter_domid()), 0);
	range = map_some(fd, 2, READ_WRITE);
	check_whole(&range);
	unmap_some(&range);
}

TEST(request_that_names_another_domain_is_eacces)
{
	struct gntdev_grant_copy_segment segment = {
		.flags = GNTCOPY_source_gref,
		.len = 8,
	};
	struct ioctl_gntdev_grant_ref refs[2] = {{granter_domid(), 8},
						 {another(), 8}};
	uint64_t index;
	char byte[8];
	int fd = dev_open();

	EXPECT(restrict_to(fd, granter_domid()), 0);
	EXPECT(dev_insert_refs(fd, refs + 1, 1, &index), -EACCES);
	EXPECT(dev_insert_refs(fd, refs, 2, &index), -EACCES);
	segment.source.foreign.domid = another();
	segment.source.foreign.ref = 8;
	segment.dest.virt = byte;
	EXPECT(dev_copy(fd, &segment, 1), -EACCES);
	segment.flags = GNTCOPY_dest_gref;
	segment.source.virt = byte;
	segment.dest.foreign.domid = another();
	segment.dest.foreign.ref = 8;
	EXPECT(dev_copy(fd, &segment, 1), -EACCES);
	/* The first index is still to be given. */
	EQUAL(map_some(fd, 1, PROT_NONE).index, 0);
}

TEST(grants_of_memory_to_another_domain_are_eacces)
{
	struct ioctl_gntdev_grant_memory op = {
		.addr = (uintptr_t)pages_alloc(1),
		.count = 1,
		.domid = another(),
	};
	int fd = dev_open();

	EXPECT(restrict_to(fd, granter_domid()), 0);
	EXPECT(ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, &op) ? -errno : 0, -EACCES);
}

TEST(buffers_of_another_domain_are_eacces)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs op = {
		.count = 1,
		.domid = another(),
		.refs = {8},
	};
	int fd = dev_open();

	if (world.without_dmabufs)
		SKIP("no dma-bufs");
	EXPECT(restrict_to(fd, granter_domid()), 0);
	EXPECT(ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, &op) ? -errno : 0,
	       -EACCES);
}

TEST(restriction_cannot_be_undone)
{
	int fd = dev_open();

	EXPECT(restrict_to(fd, granter_domid()), 0);
	EXPECT(restrict_to(fd, another()), -EPERM);
	EXPECT(restrict_to(fd, granter_domid()), 0);
}

TEST(restriction_is_the_instances_own)
{
	int fd = dev_open(), other = dev_open(), copy;
	struct mapped range;

	EXPECT(restrict_to(fd, another()), 0);
	range = map_some(other, 1, READ_WRITE);
	check_whole(&range);
	copy = dup(fd);
	granter_alloc(range.refs, 1, true);
	EXPECT(dev_insert(copy, range.refs, 1, &range.index), -EACCES);
}

TEST(restriction_with_another_domains_ranges_is_ebusy)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(restrict_to(range.fd, another()), -EBUSY);
	EXPECT(restrict_to(range.fd, granter_domid()), 0);
	must_munmap(range.at, 1);
	range.at = must_mmap(range.fd, range.index, 1, READ_WRITE);
	check_whole(&range);
}

TEST(restriction_with_a_range_of_several_domains_is_ebusy)
{
	struct ioctl_gntdev_grant_ref refs[2] = {{granter_domid(), 8},
						 {another(), 8}};
	int fd = dev_open();
	uint64_t index;

	EXPECT(dev_insert_refs(fd, refs, 2, &index), 0);
	EXPECT(restrict_to(fd, granter_domid()), -EBUSY);
	EXPECT(restrict_to(fd, another()), -EBUSY);
	EXPECT(dev_remove(fd, index, 2), 0);
	EXPECT(restrict_to(fd, another()), 0);
}

TEST(bad_restrictions_are_refused)
{
	struct ioctl_gntdev_restrict op = {granter_domid(), 1};
	int fd = dev_open();

	EXPECT(ioctl(fd, IOCTL_GNTDEV_RESTRICT, &op) ? -errno : 0, -EINVAL);
	EXPECT(restrict_to(fd, 0x8000), -EINVAL);
	EXPECT(restrict_to(fd, 0x10000 + granter_domid()), -EINVAL);
	EXPECT(ioctl(fd, IOCTL_GNTDEV_RESTRICT, NULL) ? -errno : 0, -EFAULT);
	/* None of them restricted anything. */
	EXPECT(restrict_to(fd, another()), 0);
}
