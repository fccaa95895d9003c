// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* MAP_GRANT_REF: what goes into an instance's table, and under which index. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

/* The request as it is, for structures that dev_insert() would not make. */
static int insert_raw(int fd, void *map)
{
	return ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map) < 0 ? -errno : 0;
}

static struct ioctl_gntdev_map_grant_ref one_grant(uint32_t ref)
{
	return (struct ioctl_gntdev_map_grant_ref){
		.count = 1,
		.refs = {{.domid = granter_domid(), .ref = ref}},
	};
}

TEST(first_index_is_zero)
{
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	EQUAL(must_insert(dev_open(), &ref, 1), 0);
}

TEST(every_instance_begins_at_index_zero)
{
	int one = dev_open(), other = dev_open();
	uint32_t refs[3];

	granter_alloc(refs, 3, true);
	EQUAL(must_insert(one, refs, 3), 0);
	EQUAL(must_insert(other, refs, 2), 0);
}

TEST(index_is_a_multiple_of_the_page_size)
{
	int fd = dev_open();
	uint32_t refs[5];

	granter_alloc(refs, 5, true);
	for (unsigned int count = 1; count <= 5; count++)
		EQUAL(must_insert(fd, refs, count) % PAGE, 0);
}

TEST(ranges_do_not_overlap)
{
	uint64_t index[20];
	unsigned int count[20];
	int fd = dev_open();
	uint32_t refs[7];

	granter_alloc(refs, 7, true);
	for (int i = 0; i < 20; i++) {
		count[i] = 1 + i * 3 % 7;
		index[i] = must_insert(fd, refs, count[i]);
		for (int j = 0; j < i; j++)
			CHECK(index[i] >= index[j] + count[j] * PAGE ||
				      index[j] >= index[i] + count[i] * PAGE,
			      "range %d at %#llx overlaps range %d at %#llx", i,
			      (unsigned long long)index[i], j,
			      (unsigned long long)index[j]);
	}
}

TEST(index_is_never_given_twice)
{
	int fd = dev_open();
	uint64_t last = 0;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	for (int i = 0; i < 1000; i++) {
		uint64_t index = must_insert(fd, &ref, 1);

		CHECK(!i || index > last, "index %#llx after %#llx",
		      (unsigned long long)index, (unsigned long long)last);
		last = index;
		EXPECT(dev_remove(fd, index, 1), 0);
	}
}

TEST(stale_index_hits_no_later_range)
{
	int fd = dev_open();
	uint64_t stale;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	stale = must_insert(fd, &ref, 1);
	EXPECT(dev_remove(fd, stale, 1), 0);
	must_insert(fd, &ref, 1);

	EXPECT(dev_remove(fd, stale, 1), -ENOENT);
	EXPECT(dev_try_mmap(fd, stale, PAGE, PROT_READ, MAP_SHARED), -EINVAL);
	EXPECT(dev_notify(fd, stale, UNMAP_NOTIFY_CLEAR_BYTE, 0), -ENOENT);
}

TEST(map_maps_nothing)
{
	uint32_t refs[4];

	granter_alloc(refs, 4, true);
	must_insert(dev_open(), refs, 4);
	EQUAL(granter_busy(refs, 4), 0);
}

TEST(map_does_not_look_at_the_grants)
{
	uint32_t bad[] = {BAD_REF, FAR_REF};

	must_insert(dev_open(), bad, 2);
}

TEST(map_of_no_grants_is_einval)
{
	uint64_t index;

	EXPECT(dev_insert(dev_open(), NULL, 0, &index), -EINVAL);
}

TEST(same_grant_may_be_in_many_ranges)
{
	int fd = dev_open();
	uint32_t refs[3];

	granter_alloc(refs, 1, true);
	refs[1] = refs[2] = refs[0];
	must_insert(fd, refs, 3);
	must_insert(fd, refs, 1);
}

TEST(domid_above_16_bits_is_einval)
{
	static const uint32_t above[] = {0x10000, 0x20000, 0x80000000,
					 0xffff0000};
	int fd = dev_open();
	uint64_t index;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	for (unsigned int i = 0; i < 4; i++) {
		struct ioctl_gntdev_grant_ref grant = {
			.domid = above[i] + granter_domid(),
			.ref = ref,
		};

		EXPECT(dev_insert_refs(fd, &grant, 1, &index), -EINVAL);
	}
}

TEST(domid_of_a_later_grant_is_checked_too)
{
	struct ioctl_gntdev_grant_ref grants[600];
	uint32_t ref;
	uint64_t index;
	int fd = dev_open();

	granter_alloc(&ref, 1, true);
	for (unsigned int i = 0; i < 600; i++)
		grants[i] =
			(struct ioctl_gntdev_grant_ref){granter_domid(), ref};
	grants[599].domid += 0x10000;
	EXPECT(dev_insert_refs(fd, grants, 600, &index), -EINVAL);
	EXPECT(dev_insert_refs(fd, grants, 599, &index), 0);
}

TEST(refused_map_leaves_the_first_index_zero)
{
	struct ioctl_gntdev_grant_ref wide = {0x10000, 1};
	int fd = dev_open();
	uint64_t index;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	EXPECT(dev_insert(fd, NULL, 0, &index), -EINVAL);
	EXPECT(dev_insert_refs(fd, &wide, 1, &index), -EINVAL);
	EXPECT(insert_raw(fd, NULL), -EFAULT);
	EQUAL(must_insert(fd, &ref, 1), 0);
}

TEST(unreadable_structure_is_efault)
{
	struct ioctl_gntdev_map_grant_ref *map = pages_alloc(1);
	int fd = dev_open();

	*map = one_grant(BAD_REF);
	mprotect(map, PAGE, PROT_NONE);
	EXPECT(insert_raw(fd, map), -EFAULT);
	EXPECT(insert_raw(fd, (void *)16), -EFAULT);
}

TEST(unreadable_reference_is_efault_and_leaves_nothing)
{
	struct ioctl_gntdev_map_grant_ref *map = at_the_end(sizeof(*map));
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	*map = one_grant(ref);
	map->count = 2;
	EXPECT(insert_raw(fd, map), -EFAULT);
	EXPECT(dev_remove(fd, 0, 2), -ENOENT);
	EQUAL(must_insert(fd, &ref, 1), 0);
}

TEST(structure_may_end_where_memory_ends)
{
	struct ioctl_gntdev_map_grant_ref *map = at_the_end(sizeof(*map));
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	*map = one_grant(ref);
	EXPECT(insert_raw(dev_open(), map), 0);
}

/* A request whose answer cannot be told: EFAULT. */
static void insert_read_only(int fd, uint32_t ref)
{
	struct ioctl_gntdev_map_grant_ref *map = pages_alloc(1);

	*map = one_grant(ref);
	mprotect(map, PAGE, PROT_READ);
	EXPECT(insert_raw(fd, map), -EFAULT);
}

TEST(failed_copy_out_is_efault_and_leaves_nothing)
{
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	insert_read_only(fd, ref);
	EXPECT(dev_remove(fd, 0, 1), -ENOENT);
	EXPECT(dev_try_mmap(fd, 0, PAGE, PROT_READ, MAP_SHARED), -EINVAL);
}

TEST(failed_copy_out_leaves_the_first_index_zero)
{
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	insert_read_only(fd, ref);
	EQUAL(must_insert(fd, &ref, 1), 0);
}

TEST(failed_copy_out_does_not_count_towards_the_maximum)
{
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	EXPECT(dev_maximum(fd, 1), 0);
	for (int i = 0; i < 3; i++)
		insert_read_only(fd, ref);
	must_insert(fd, &ref, 1);
}

TEST(pad_and_old_index_are_ignored)
{
	struct ioctl_gntdev_map_grant_ref map;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	map = one_grant(ref);
	map.pad = 0xdeadbeef;
	map.index = ~0ULL;
	EXPECT(insert_raw(dev_open(), &map), 0);
	EQUAL(map.index, 0);
}

TEST(absurd_counts_are_refused)
{
	static const uint32_t counts[] = {
		0xffffffff, 0xfffffffe, 0x80000000, 0x80000001, 0x40000001,
		0x20000000, 0x20000001, 0x15555556, 0x10000001, 0x08000001,
	};
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct ioctl_gntdev_map_grant_ref map = one_grant(ref);

		map.count = counts[i];
		EXPECT(insert_raw(fd, &map), -EINVAL);
	}
	EQUAL(must_insert(fd, &ref, 1), 0);
}

/* The console's is 0. The first domain has none and lends the entry. */
TEST(grant_reference_zero_is_valid)
{
	uint32_t ref, zero = 0;
	int fd = dev_open();
	uint64_t index;
	uint8_t *at;

	granter_alloc(&ref, 1, true);
	granter_fill(&ref, 1, 5);
	if (!granter_swap(ref, 0))
		SKIP("the granter's reference 0 is in use");
	index = must_insert(fd, &zero, 1);
	at = must_mmap(fd, index, 1, PROT_READ | PROT_WRITE);
	check_page(at, 5);
	must_munmap(at, 1);
	EXPECT(dev_remove(fd, index, 1), 0);
	CHECK(granter_swap(ref, 0), "reference 0 is still in use");
}

TEST(grants_of_one_range_keep_their_order)
{
	struct mapped range = map_some(dev_open(), SOME, PROT_READ);

	check_whole(&range);
}

/* Domains 32,000 and so on do not exist. */
TEST(range_may_name_several_domains)
{
	struct ioctl_gntdev_grant_ref grants[2];
	int fd = dev_open();
	uint64_t index;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	grants[0] = (struct ioctl_gntdev_grant_ref){granter_domid(), ref};
	grants[1] = (struct ioctl_gntdev_grant_ref){32000, ref};
	EXPECT(dev_insert_refs(fd, grants, 2, &index), 0);
	EXPECT(dev_try_mmap(fd, index, 2 * PAGE, PROT_READ, MAP_SHARED),
	       -EINVAL);
	EQUAL(granter_busy(&ref, 1), 0);
}
