// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* MAP_STATUS: why an mmap failed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntdev_more.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define NOT_ASKED 1

static int statuses(int fd, uint64_t index, unsigned int first,
		    unsigned int count, int16_t *to)
{
	struct ioctl_gntdev_map_status op = {index, (uintptr_t)to, first,
					     count};

	return ioctl(fd, IOCTL_GNTDEV_MAP_STATUS, &op) ? -errno : 0;
}

/* Grants of which one does not exist. */
static struct mapped one_bad(unsigned int count, unsigned int bad,
			     uint32_t *refs)
{
	struct mapped range = {.fd = dev_open(), .pages = count};

	granter_alloc(refs, SOME, true);
	for (unsigned int i = SOME; i < count; i++)
		refs[i] = refs[i % SOME];
	refs[bad] = FAR_REF;
	range.index = must_insert(range.fd, refs, count);
	return range;
}

TEST(each_grants_status_is_told_after_a_failed_mmap)
{
	uint32_t refs[SOME];
	struct mapped range = one_bad(SOME, 3, refs);
	int16_t told[SOME];

	EXPECT(dev_try_mmap(range.fd, range.index, SOME * PAGE, READ_WRITE,
			    MAP_SHARED),
	       -EINVAL);
	EXPECT(statuses(range.fd, range.index, 0, SOME, told), 0);
	for (unsigned int i = 0; i < SOME; i++)
		EQUAL(told[i], i == 3 ? GNTST_bad_gntref : GNTST_okay);
}

TEST(grants_behind_a_failed_batch_were_not_asked_for)
{
	enum {
		COUNT = 300,
		BAD = 140
	};
	uint32_t refs[COUNT];
	struct mapped range = one_bad(COUNT, BAD, refs);
	int16_t told[COUNT];

	EXPECT(dev_try_mmap(range.fd, range.index, COUNT * PAGE, READ_WRITE,
			    MAP_SHARED),
	       -EINVAL);
	EXPECT(statuses(range.fd, range.index, 0, COUNT, told), 0);
	EQUAL(told[0], GNTST_okay);
	EQUAL(told[BAD - 1], GNTST_okay);
	EQUAL(told[BAD], GNTST_bad_gntref);
	EQUAL(told[COUNT - 1], NOT_ASKED);
}

TEST(statuses_are_of_the_last_mmap)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);
	int16_t told[2] = {7, 7};

	EXPECT(statuses(range.fd, range.index, 0, 2, told), 0);
	EQUAL(told[0], NOT_ASKED);
	EQUAL(told[1], NOT_ASKED);
	range.at = must_mmap(range.fd, range.index, 2, READ_WRITE);
	EXPECT(statuses(range.fd, range.index, 0, 2, told), 0);
	EQUAL(told[1], GNTST_okay);
	must_munmap(range.at, 2);
	EXPECT(statuses(range.fd, range.index, 1, 1, told), 0);
	EQUAL(told[0], GNTST_okay);
	/* A new range has none of an earlier one's. */
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
	range.index = must_insert(range.fd, range.refs, 2);
	EXPECT(statuses(range.fd, range.index, 0, 1, told), 0);
	EQUAL(told[0], NOT_ASKED);
}

TEST(domain_that_is_none_is_told_apart_from_a_bad_reference)
{
	struct ioctl_gntdev_grant_ref refs[2] = {{0x7ef0, 8},
						 {granter_domid(), FAR_REF}};
	int fd = dev_open();
	int16_t told[2];
	uint64_t index;

	EXPECT(dev_insert_refs(fd, refs, 2, &index), 0);
	EXPECT(dev_try_mmap(fd, index, 2 * PAGE, READ_WRITE, MAP_SHARED),
	       -EINVAL);
	EXPECT(statuses(fd, index, 0, 2, told), 0);
	EQUAL(told[0], GNTST_bad_domain);
	EQUAL(told[1], GNTST_bad_gntref);
}

TEST(statuses_of_no_range_are_enoent)
{
	struct mapped range = map_some(dev_open(), 4, PROT_NONE);
	int16_t told[4];

	EXPECT(statuses(range.fd, range.index + PAGE, 0, 1, told), -ENOENT);
	EXPECT(statuses(range.fd, range.index + 4 * PAGE, 0, 1, told), -ENOENT);
	EXPECT(statuses(range.fd, range.index, 4, 1, told), -ENOENT);
	EXPECT(statuses(range.fd, range.index, 0, 5, told), -ENOENT);
	EXPECT(statuses(range.fd, range.index, 2, ~0u - 1, told), -ENOENT);
	EXPECT(statuses(range.fd, range.index, 0, 0, told), -EINVAL);
	EXPECT(dev_remove(range.fd, range.index, 4), 0);
	EXPECT(statuses(range.fd, range.index, 0, 1, told), -ENOENT);
}

TEST(statuses_to_a_bad_pointer_are_efault)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	EXPECT(statuses(range.fd, range.index, 0, 2, NULL), -EFAULT);
	EXPECT(statuses(range.fd, range.index, 0, 2, at_the_end(2)), -EFAULT);
	EXPECT(ioctl(range.fd, IOCTL_GNTDEV_MAP_STATUS, NULL) ? -errno : 0,
	       -EFAULT);
}
