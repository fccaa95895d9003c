// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* UNMAP_GRANT_REF and GET_OFFSET_FOR_VADDR. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(unmap_removes_a_range)
{
	struct mapped range = map_some(dev_open(), 3, PROT_NONE);

	EXPECT(dev_remove(range.fd, range.index, 3), 0);
	EXPECT(dev_remove(range.fd, range.index, 3), -ENOENT);
	EXPECT(dev_try_mmap(range.fd, range.index, 3 * PAGE, PROT_READ,
			    MAP_SHARED),
	       -EINVAL);
}

TEST(unmap_succeeds_after_munmap)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	must_munmap(range.at, 3);
	EXPECT(dev_remove(range.fd, range.index, 3), 0);
	EQUAL(granter_wait_idle(range.refs, 3, 5000), 0);
}

TEST(unmap_while_mapped_is_busy)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	EXPECT(dev_remove(range.fd, range.index, 3), -EBUSY);
	EXPECT(dev_remove(range.fd, range.index, 3), -EBUSY);
	check_whole(&range);
	EQUAL(write_fault(range.at, 1), 0);
	must_munmap(range.at, 3);
	EXPECT(dev_remove(range.fd, range.index, 3), 0);
}

TEST(unmap_with_another_count_is_enoent)
{
	static const unsigned int counts[] = {1,	  2,	   4,	      5,
					      0xffffffff, 0x10003, 0x80000003};
	struct mapped range = map_some(dev_open(), 3, PROT_NONE);

	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		EXPECT(dev_remove(range.fd, range.index, counts[i]), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index, 3), 0);
}

TEST(unmap_with_count_zero_is_enoent)
{
	struct mapped range = map_some(dev_open(), 3, PROT_NONE);

	EXPECT(dev_remove(range.fd, range.index, 0), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index, 3), 0);
}

TEST(unmap_with_another_index_is_enoent)
{
	struct mapped range = map_some(dev_open(), 3, PROT_NONE);

	EXPECT(dev_remove(range.fd, range.index + PAGE, 3), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index + PAGE, 2), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index + 3 * PAGE, 3), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index + 1, 3), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index + 4095, 3), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index - PAGE, 3), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index, 3), 0);
}

TEST(unmap_of_another_instances_range_is_enoent)
{
	struct mapped range = map_some(dev_open(), 3, PROT_NONE);

	EXPECT(dev_remove(dev_open(), range.index, 3), -ENOENT);
	EXPECT(dev_remove(range.fd, range.index, 3), 0);
}

TEST(unmap_leaves_the_neighbours)
{
	struct mapped ranges[5];
	int fd = dev_open();

	for (int i = 0; i < 5; i++)
		ranges[i] = map_some(fd, 2, READ_WRITE);
	unmap_some(&ranges[2]);
	unmap_some(&ranges[0]);
	EXPECT(dev_remove(fd, ranges[2].index, 2), -ENOENT);
	for (int i = 1; i < 5; i += i == 1 ? 2 : 1) {
		check_whole(&ranges[i]);
		unmap_some(&ranges[i]);
	}
}

TEST(unmap_of_an_empty_table_is_enoent)
{
	EXPECT(dev_remove(dev_open(), 0, 1), -ENOENT);
	EXPECT(dev_remove(dev_open(), 0, 0), -ENOENT);
}

TEST(offset_names_the_range)
{
	int fd = dev_open();
	struct mapped ranges[4];

	for (int i = 0; i < 4; i++)
		ranges[i] = map_some(fd, i + 1, READ_WRITE);
	for (int i = 0; i < 4; i++) {
		unsigned int count = 0;
		uint64_t index = ~0ULL;

		EXPECT(dev_offset(fd, ranges[i].at, &index, &count), 0);
		EQUAL(index, ranges[i].index);
		EQUAL(count, i + 1);
	}
}

/* As the header says it is for: nothing of the range was kept. */
TEST(offset_is_enough_to_unmap)
{
	struct mapped range = map_some(dev_open(), 4, READ_WRITE);
	unsigned int count;
	uint64_t index;

	EXPECT(dev_offset(range.fd, range.at, &index, &count), 0);
	must_munmap(range.at, count);
	EXPECT(dev_remove(range.fd, index, count), 0);
}

static int offset_error(int fd, const void *address)
{
	unsigned int count;
	uint64_t index;

	return dev_offset(fd, address, &index, &count);
}

TEST(offset_of_an_address_inside_is_einval)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	EXPECT(offset_error(range.fd, range.at + PAGE), -EINVAL);
	EXPECT(offset_error(range.fd, range.at + 2 * PAGE), -EINVAL);
	EXPECT(offset_error(range.fd, range.at + 3 * PAGE), -EINVAL);
	EXPECT(offset_error(range.fd, range.at + 1), -EINVAL);
	EXPECT(offset_error(range.fd, range.at + 4095), -EINVAL);
}

/* Below the mapping there is nothing, and nothing must be found there. */
TEST(offset_of_an_address_in_the_hole_below_is_einval)
{
	uint8_t *place = mmap(NULL, 8 * PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mapped range = map_some(dev_open(), 1, PROT_NONE);

	munmap(place, 8 * PAGE);
	range.at = mmap(place + 4 * PAGE, PAGE, READ_WRITE,
			MAP_SHARED | MAP_FIXED, range.fd, range.index);
	CHECK(range.at == place + 4 * PAGE, "mmap: %s", error_name(errno));
	for (int i = 0; i < 4; i++)
		EXPECT(offset_error(range.fd, place + i * PAGE), -EINVAL);
	EXPECT(offset_error(range.fd, range.at - 1), -EINVAL);
	EXPECT(offset_error(range.fd, range.at), 0);
}

TEST(offset_of_other_memory_is_einval)
{
	uint8_t *other = pages_alloc(1);
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(offset_error(range.fd, other), -EINVAL);
	EXPECT(offset_error(range.fd, NULL), -EINVAL);
	EXPECT(offset_error(range.fd, &other), -EINVAL);
	EXPECT(offset_error(range.fd, (void *)-4096L), -EINVAL);
}

TEST(offset_of_an_address_with_another_high_bit_is_einval)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct ioctl_gntdev_get_offset_for_vaddr get = {0};

	for (unsigned int bit = 48; bit < 64; bit++) {
		get.vaddr = (uintptr_t)range.at ^ 1ULL << bit;
		CHECK(ioctl(range.fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &get) <
			      0,
		      "bit %u of the address was lost", bit);
		EQUAL(errno, EINVAL);
	}
}

TEST(offset_of_another_instances_mapping_is_einval)
{
	struct mapped one = map_some(dev_open(), 1, READ_WRITE);
	struct mapped other = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(offset_error(one.fd, other.at), -EINVAL);
	EXPECT(offset_error(other.fd, one.at), -EINVAL);
	EXPECT(offset_error(one.fd, one.at), 0);
}

TEST(offset_after_munmap_is_einval)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	must_munmap(range.at, 1);
	EXPECT(offset_error(range.fd, range.at), -EINVAL);
}

struct other_process {
	struct gate mapped;
	struct gate asked;
	int fd;
	void *at;
};

static void ask_from_outside(void *argument)
{
	struct other_process *other = argument;

	gate_wait(&other->mapped);
	EXPECT(offset_error(other->fd, other->at), -EINVAL);
	gate_open(&other->asked);
}

/* The child was there before the mapping, so it has no part in it. */
TEST(offset_of_another_processs_mapping_is_einval)
{
	struct other_process other = {
		.mapped = gate_make(),
		.asked = gate_make(),
		.fd = dev_open(),
		/* Where the child has nothing mapped either. */
		.at = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0),
	};
	struct mapped range = map_some(other.fd, 1, PROT_NONE);
	pid_t child;

	munmap(other.at, PAGE);
	child = child_start(ask_from_outside, &other);
	CHECK(mmap(other.at, PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED, range.fd,
		   range.index) == other.at,
	      "mmap: %s", error_name(errno));
	gate_open(&other.mapped);
	child_must_pass(child);
	EXPECT(offset_error(range.fd, other.at), 0);
}

TEST(unreadable_answer_of_offset_is_efault)
{
	struct ioctl_gntdev_get_offset_for_vaddr *get = pages_alloc(1);
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	get->vaddr = (uintptr_t)range.at;
	mprotect(get, PAGE, PROT_READ);
	CHECK(ioctl(range.fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, get) < 0,
	      "a read-only structure was written to");
	EQUAL(errno, EFAULT);
	check_whole(&range);
}

struct race {
	struct mapped *range;
	void *volatile place;
	volatile bool over;
};

static void *ask_all_the_time(void *argument)
{
	struct race *race = argument;

	while (!race->over) {
		int error = offset_error(race->range->fd, race->place);

		CHECK(!error || error == -EINVAL,
		      "GET_OFFSET_FOR_VADDR gave %s", error_name(error));
	}
	return NULL;
}

TEST(offset_may_race_with_munmap)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct race race = {.range = &range, .place = range.at};
	pthread_t thread;

	EQUAL(pthread_create(&thread, NULL, ask_all_the_time, &race), 0);
	for (int i = 0; i < 200; i++) {
		unmap_some(&range);
		range.index = must_insert(range.fd, range.refs, 2);
		range.at = must_mmap(range.fd, range.index, 2, READ_WRITE);
		race.place = range.at;
	}
	race.over = true;
	pthread_join(thread, NULL);
	unmap_some(&range);
}
