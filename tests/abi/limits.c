// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* How many: the module's limit, the instance's maximum. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev.h"
#include "dmabuf.h"
#include "granter.h"
#include "kernel_log.h"
#include "process.h"
#include "tap.h"
#include "util.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define DEFAULT_LIMIT 65536u
#define DEFAULT_HANDLES 131072u

/* One reference over and over: nothing is mapped here. */
static int insert_count(int fd, unsigned int count, uint64_t *index)
{
	uint32_t *refs = calloc(count, sizeof(*refs));
	int error;

	CHECK(refs, "no memory for %u references", count);
	for (unsigned int i = 0; i < count; i++)
		refs[i] = BAD_REF;
	error = dev_insert(fd, refs, count, index);
	free(refs);
	return error;
}

/* With a parameter set so, in a child: it is set back whatever happens. */
static void with_parameter(const char *path, const char *value,
			   void (*run)(void *))
{
	char before[32];
	pid_t child;
	int end;

	CHECK(read_line(path, before, sizeof(before)), "%s cannot be read",
	      path);
	EXPECT(write_line(path, value), 0);
	child = child_start(run, NULL);
	end = child_signal(child);
	EXPECT(write_line(path, before), 0);
	EQUAL(end, 0);
}

static void with_limit(const char *limit, void (*run)(void *))
{
	with_parameter(LIMIT_PATH, limit, run);
}

TEST(limit_is_a_parameter_of_the_module)
{
	struct stat parameter;
	char line[32];

	CHECK(!stat(LIMIT_PATH, &parameter), "%s: %s", LIMIT_PATH,
	      error_name(errno));
	EQUAL(parameter.st_mode & 07777, 0644);
	CHECK(read_line(LIMIT_PATH, line, sizeof(line)), "it cannot be read");
	EQUAL(strtoul(line, NULL, 10), DEFAULT_LIMIT);
}

TEST(map_of_as_many_as_the_limit_succeeds)
{
	uint64_t index;
	int fd = dev_open();

	EXPECT(insert_count(fd, DEFAULT_LIMIT, &index), 0);
	EXPECT(dev_remove(fd, index, DEFAULT_LIMIT), 0);
}

TEST(map_of_more_than_the_limit_is_einval)
{
	uint64_t index;
	int fd = dev_open();

	EXPECT(insert_count(fd, DEFAULT_LIMIT + 1, &index), -EINVAL);
	EXPECT(insert_count(fd, 1, &index), 0);
	EQUAL(index, 0);
}

static void check_limit_of_10(void *argument)
{
	uint64_t index;
	int fd = dev_open();

	(void)argument;
	EXPECT(insert_count(fd, 11, &index), -EINVAL);
	EXPECT(insert_count(fd, 10, &index), 0);
	EXPECT(insert_count(fd, 10, &index), 0);
}

TEST(limit_may_be_changed_while_running)
{
	with_limit("10", check_limit_of_10);
}

static void check_huge_counts(void *argument)
{
	static const uint32_t counts[] = {0xffffffff, 0x80000000, 0x40000001,
					  0x20000000, 0x10000001, 0x08000000};
	int fd = dev_open();
	uint64_t index;

	(void)argument;
	EXPECT(insert_count(fd, DEFAULT_LIMIT + 1, &index), 0);
	EXPECT(dev_remove(fd, index, DEFAULT_LIMIT + 1), 0);
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct ioctl_gntdev_map_grant_ref map = {.count = counts[i]};
		int error = 0;

		if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &map) < 0)
			error = errno;
		CHECK(error == EINVAL || error == ENOMEM,
		      "%u grants gave %s, expected EINVAL or ENOMEM", counts[i],
		      error_name(error));
	}
	EXPECT(insert_count(fd, 1, &index), 0);
}

TEST(huge_limit_does_no_harm)
{
	with_limit("4294967295", check_huge_counts);
}

static void check_imports(void *argument)
{
	int device = dev_open(), fd = drm_export(drm_open(), 11);
	uint32_t refs[11];

	(void)argument;
	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, 11), -EINVAL);
	EXPECT(dmabuf_import(device, drm_export(drm_open(), 10),
			     granter_domid(), refs, 10),
	       0);
}

TEST(import_of_more_than_the_limit_is_einval)
{
	with_limit("10", check_imports);
}

static void check_limit_of_zero(void *argument)
{
	uint64_t index;

	(void)argument;
	EXPECT(insert_count(dev_open(), 1, &index), -EINVAL);
}

TEST(limit_of_zero_lets_nothing_in)
{
	with_limit("0", check_limit_of_zero);
}

TEST(maximum_of_zero_is_einval)
{
	uint64_t index;
	int fd = dev_open();

	EXPECT(dev_maximum(fd, 0), -EINVAL);
	EXPECT(insert_count(fd, 100, &index), 0);
}

TEST(any_other_maximum_is_taken)
{
	static const unsigned int counts[] = {
		1, 2, 1024, 65536, 65537, 0x7fffffff, 0xffffffff};
	int fd = dev_open();

	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		EXPECT(dev_maximum(fd, counts[i]), 0);
}

TEST(unreadable_maximum_is_efault)
{
	int fd = dev_open();

	EXPECT(ioctl(fd, IOCTL_GNTDEV_SET_MAX_GRANTS, NULL) < 0 ? -errno : 0,
	       -EFAULT);
	EXPECT(ioctl(fd, IOCTL_GNTDEV_SET_MAX_GRANTS,
		     (uint8_t *)pages_alloc(1) + PAGE - 2) < 0
		       ? -errno
		       : 0,
	       -EFAULT);
}

TEST(map_of_more_than_the_maximum_is_einval)
{
	uint64_t index;
	int fd = dev_open();

	EXPECT(dev_maximum(fd, 5), 0);
	EXPECT(insert_count(fd, 6, &index), -EINVAL);
	EXPECT(insert_count(fd, 5, &index), 0);
	EQUAL(index, 0);
}

TEST(map_beyond_the_maximum_with_what_is_there_is_enomem)
{
	uint64_t first, second;
	int fd = dev_open();

	EXPECT(dev_maximum(fd, 5), 0);
	EXPECT(insert_count(fd, 3, &first), 0);
	EXPECT(insert_count(fd, 3, &second), -ENOMEM);
	EXPECT(insert_count(fd, 2, &second), 0);
	EXPECT(insert_count(fd, 1, &second), -ENOMEM);
	EXPECT(insert_count(fd, 6, &second), -EINVAL);
}

TEST(removal_makes_room_under_the_maximum)
{
	uint64_t first, second;
	int fd = dev_open();

	EXPECT(dev_maximum(fd, 4), 0);
	EXPECT(insert_count(fd, 4, &first), 0);
	for (int i = 0; i < 10; i++) {
		EXPECT(insert_count(fd, 1, &second), -ENOMEM);
		EXPECT(dev_remove(fd, first, 4), 0);
		EXPECT(insert_count(fd, 4, &first), 0);
	}
}

/* It is the table that counts: what is munmapped is still in it. */
TEST(mapped_and_unmapped_ranges_count_alike)
{
	struct mapped range;
	int fd = dev_open();
	uint64_t index;

	EXPECT(dev_maximum(fd, 2), 0);
	range = map_some(fd, 2, READ_WRITE);
	EXPECT(insert_count(fd, 1, &index), -ENOMEM);
	must_munmap(range.at, 2);
	EXPECT(insert_count(fd, 1, &index), -ENOMEM);
	EXPECT(dev_remove(fd, range.index, 2), 0);
	EXPECT(insert_count(fd, 2, &index), 0);
}

TEST(later_maximum_governs_from_then_on)
{
	uint64_t index;
	int fd = dev_open();

	EXPECT(insert_count(fd, 10, &index), 0);
	EXPECT(dev_maximum(fd, 12), 0);
	EXPECT(insert_count(fd, 3, &index), -ENOMEM);
	EXPECT(insert_count(fd, 2, &index), 0);
	EXPECT(dev_maximum(fd, 20), 0);
	EXPECT(insert_count(fd, 8, &index), 0);
	EXPECT(insert_count(fd, 1, &index), -ENOMEM);
}

TEST(maximum_below_what_is_there_takes_nothing_away)
{
	struct mapped range;
	uint64_t index;
	int fd = dev_open();

	range = map_some(fd, 4, READ_WRITE);
	EXPECT(dev_maximum(fd, 2), 0);
	check_whole(&range);
	EXPECT(insert_count(fd, 1, &index), -ENOMEM);
	must_munmap(range.at, 4);
	range.at = must_mmap(fd, range.index, 4, READ_WRITE);
	unmap_some(&range);
	EXPECT(insert_count(fd, 3, &index), -EINVAL);
	EXPECT(insert_count(fd, 2, &index), 0);
}

TEST(maximum_is_the_instances_own)
{
	int one = dev_open(), other = dev_open();
	uint64_t index;

	EXPECT(dev_maximum(one, 1), 0);
	EXPECT(insert_count(one, 2, &index), -EINVAL);
	EXPECT(insert_count(other, 2, &index), 0);
}

/* Handles of a page that is mmapped: the kernel may need one beside it. */
static unsigned int handles_a_page(void)
{
	return world.auto_translated ? 1 : 2;
}

static void check_share_of_handles(void *argument)
{
	unsigned int most = 16 / handles_a_page();
	struct mapped range, more;
	int fd = dev_open(), other = dev_open(), log = kernel_log_watch();

	(void)argument;
	range = map_some(fd, most, READ_WRITE);
	more = map_some(fd, 1, PROT_NONE);
	EXPECT(dev_try_mmap(fd, more.index, PAGE, READ_WRITE, MAP_SHARED),
	       -ENOMEM);
	CHECK(kernel_log_said(log, "the parameter handles allows 16"),
	      "the kernel did not say why");
	/* It is the instance's own. */
	more = map_some(other, most, READ_WRITE);
	check_whole(&range);
	unmap_some(&more);
	unmap_some(&range);
	range = map_some(fd, most, READ_WRITE);
	check_whole(&range);
	unmap_some(&range);
}

TEST(instance_has_no_more_than_its_share_of_handles)
{
	with_parameter(HANDLES_PATH, "16", check_share_of_handles);
}

/* Each is a mapping of its own to the hypervisor, in a PV domain. */
static void check_share_of_buffers(void *argument)
{
	struct buffer buffer = export_some(4, 0);
	int error = world.auto_translated ? 0 : -ENOMEM;
	uint8_t *at = buffer_mmap(buffer.fd, 4, READ_WRITE);

	(void)argument;
	buffer_mmap(buffer.fd, 4, PROT_READ);
	EXPECT(buffer_try_mmap(buffer.fd, 0, 1, PROT_READ, MAP_SHARED), error);
	must_munmap(at, 4);
	EXPECT(buffer_try_mmap(buffer.fd, 0, 4, PROT_READ, MAP_SHARED), 0);
}

TEST(mmaps_of_buffers_take_from_the_exporters_share)
{
	with_parameter(HANDLES_PATH, "16", check_share_of_buffers);
}

TEST(share_of_handles_is_a_parameter_of_the_module)
{
	char line[32];

	CHECK(read_line(HANDLES_PATH, line, sizeof(line)), "it cannot be read");
	EQUAL(strtoul(line, NULL, 10), DEFAULT_HANDLES);
}

static void check_told(const char *what, uint32_t domid, uint32_t ref,
		       const char *expected)
{
	struct ioctl_gntdev_grant_ref grant = {domid, ref};
	long long until = milliseconds() + 15000;
	int fd = dev_open(), log = kernel_log_watch();
	bool told = false;
	uint64_t index;

	EXPECT(dev_insert_refs(fd, &grant, 1, &index), 0);
	/* Such lines are few in five seconds, and others may have had them. */
	while (!told && milliseconds() < until) {
		EXPECT(dev_try_mmap(fd, index, PAGE, READ_WRITE, MAP_SHARED),
		       -EINVAL);
		usleep(50000);
		told = kernel_log_said(log, expected);
	}
	CHECK(told, "%s: no line with '%s'", what, expected);
	close(fd);
	close(log);
}

/* The program gets EINVAL for all of them; who runs the host gets to know. */
TEST(mapping_that_fails_is_told_in_the_kernels_log)
{
	char expected[100];

	snprintf(expected, sizeof(expected),
		 "mapping reference %u of domain %u: hypervisor status -",
		 BAD_REF, granter_domid());
	check_told("a bad reference", granter_domid(), BAD_REF, expected);
	check_told(
		"a wrong domain", 9999, 8,
		"mapping reference 8 of domain 9999: hypervisor status -2 (unrecognised domain id), expected 0");
}
