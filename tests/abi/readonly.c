// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Read-only mappings and read-only grants. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(store_to_a_read_only_mapping_is_a_fault)
{
	struct mapped range = map_some(dev_open(), 2, PROT_READ);

	EQUAL(write_fault(range.at + PAGE + 5, 1), SIGSEGV);
	check_whole(&range);
	unmap_some(&range);
}

TEST(read_only_mapping_cannot_be_made_writable)
{
	struct mapped range = map_some(dev_open(), 2, PROT_READ);

	CHECK(mprotect(range.at, 2 * PAGE, READ_WRITE) < 0,
	      "mprotect succeeded");
	EQUAL(errno, EACCES);
	EQUAL(write_fault(range.at, 1), SIGSEGV);
	check_whole(&range);
	unmap_some(&range);
}

TEST(page_of_a_read_only_mapping_cannot_be_made_writable)
{
	struct mapped range = map_some(dev_open(), 3, PROT_READ);

	CHECK(mprotect(range.at + PAGE, PAGE, READ_WRITE) < 0,
	      "mprotect succeeded");
	CHECK(errno == EACCES || errno == EINVAL,
	      "mprotect gave %s, expected EACCES", error_name(errno));
	check_whole(&range);
	unmap_some(&range);
}

TEST(read_only_grant_maps_read_only)
{
	uint32_t refs[2];
	int fd = dev_open();
	uint8_t *at;

	granter_alloc(refs, 2, false);
	granter_fill(refs, 2, 4);
	at = must_mmap(fd, must_insert(fd, refs, 2), 2, PROT_READ);
	check_page(at, 4);
	check_page(at + PAGE, 5);
	EQUAL(write_fault(at, 1), SIGSEGV);
	CHECK(mprotect(at, 2 * PAGE, READ_WRITE) < 0, "mprotect succeeded");
	must_munmap(at, 2);
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
}

TEST(read_only_grant_does_not_map_writable)
{
	int fd = dev_open();
	uint64_t index;
	uint32_t ref;

	granter_alloc(&ref, 1, false);
	index = must_insert(fd, &ref, 1);
	EXPECT(dev_try_mmap(fd, index, PAGE, READ_WRITE, MAP_SHARED), -EINVAL);
	EQUAL(granter_wait_idle(&ref, 1, 2000), 0);
}

TEST(read_only_grant_maps_read_only_after_it_was_refused)
{
	int fd = dev_open();
	uint64_t index;
	uint32_t ref;

	granter_alloc(&ref, 1, false);
	index = must_insert(fd, &ref, 1);
	EXPECT(dev_try_mmap(fd, index, PAGE, READ_WRITE, MAP_SHARED), -EINVAL);
	EXPECT(dev_try_mmap(fd, index, PAGE, PROT_READ, MAP_SHARED), 0);
}

TEST(one_read_only_grant_fails_the_whole_writable_mmap)
{
	int fd = dev_open();
	uint32_t refs[3];
	uint64_t index;

	granter_alloc(refs, 3, true);
	granter_free(&refs[1], 1);
	granter_alloc(&refs[1], 1, false);
	index = must_insert(fd, refs, 3);
	EXPECT(dev_try_mmap(fd, index, 3 * PAGE, READ_WRITE, MAP_SHARED),
	       -EINVAL);
	EQUAL(granter_wait_idle(refs, 3, 2000), 0);
}

TEST(range_once_mapped_read_only_may_be_mapped_writable)
{
	struct mapped range = map_some(dev_open(), 2, PROT_READ);

	must_munmap(range.at, 2);
	range.at = must_mmap(range.fd, range.index, 2, READ_WRITE);
	check_whole(&range);
	EQUAL(write_fault(range.at + 77, 3), 0);
	EQUAL(granter_byte(range.refs[0], 77), 3);
	must_munmap(range.at, 2);
	range.at = must_mmap(range.fd, range.index, 2, PROT_READ);
	EQUAL(write_fault(range.at + 77, 3), SIGSEGV);
}

TEST(device_opened_for_reading_maps_read_only)
{
	int fd = open("/dev/xen/gntdev", O_RDONLY | O_CLOEXEC);
	uint64_t index;
	uint8_t *at;
	uint32_t ref;

	CHECK(fd >= 0, "/dev/xen/gntdev: %s", error_name(errno));
	granter_alloc(&ref, 1, false);
	granter_fill(&ref, 1, 2);
	index = must_insert(fd, &ref, 1);
	EXPECT(dev_try_mmap(fd, index, PAGE, READ_WRITE, MAP_SHARED), -EACCES);
	at = must_mmap(fd, index, 1, PROT_READ);
	check_page(at, 2);
	CHECK(mprotect(at, PAGE, READ_WRITE) < 0, "mprotect succeeded");
	EQUAL(errno, EACCES);
}

/* Whatever is asked for with it, writing is not given. */
TEST(mapping_without_access_cannot_be_made_writable)
{
	struct mapped range = map_some(dev_open(), 1, PROT_NONE);
	uint8_t *at = dev_mmap(range.fd, range.index, 1, PROT_NONE);

	if (!at) {
		EQUAL(errno, EINVAL);
		return;
	}
	CHECK(mprotect(at, PAGE, READ_WRITE) < 0, "mprotect succeeded");
	EQUAL(errno, EACCES);
}

/* Writes of the kernel's on the program's behalf are none of its rights. */
TEST(kernel_does_not_write_to_a_read_only_mapping)
{
	struct mapped range = map_some(dev_open(), 1, PROT_READ);
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC), fds[2];

	CHECK(!pipe(fds) && write(fds[1], "xyz", 3) == 3, "no pipe");
	CHECK(read(fds[0], range.at, 3) < 0, "read() wrote to the mapping");
	EQUAL(errno, EFAULT);
	CHECK(memory >= 0, "/proc/self/mem: %s", error_name(errno));
	CHECK(pwrite(memory, "xyz", 3, (uintptr_t)range.at) < 0,
	      "/proc/self/mem wrote to the mapping");
	check_whole(&range);
}
