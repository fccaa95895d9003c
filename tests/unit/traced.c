// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the driver's tracepoints tell: of each request its name, which grant it is
 * about, its result and its argument, and where no grant is known, that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "areas.h"
#include "buffers.h"

#define RW (PROT_READ | PROT_WRITE)

/* The domain and the reference where no grant is known. */
#define UNKNOWN "domid=4294967295 ref=4294967295 "
/* No address of any process. */
#define NOWHERE 0x10UL

#define SOURCE_IS_GRANT 1
#define DEST_IS_GRANT 2

static char lines[256 * 1024];
static size_t used;

static void keep(const char *line, size_t size)
{
	if (used + size < sizeof(lines)) {
		memcpy(lines + used, line, size);
		used += size;
		lines[used] = '\0';
	}
}

static void start(unsigned int grants)
{
	world_start();
	grant(grants, false);
	machine_trace(keep);
}

static void stop(void)
{
	machine_trace(NULL);
	world_stop();
}

/*
 * Whether the newest line of that event goes on so, from its name on. Each line is
 * asked for once: the next question is about what comes after it.
 */
static bool told(const char *event, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool told(const char *event, const char *format, ...)
{
	char name[64], wanted[256], *at, *line = NULL;
	bool is_so = false;
	va_list args;

	snprintf(name, sizeof(name), ": %s: ", event);
	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	for (at = lines; (at = strstr(at, name)); at++)
		line = at + strlen(name);
	if (line) {
		line[strcspn(line, "\n")] = '\0';
		is_so = strstr(line, wanted) == line;
	}
	if (!is_so)
		fprintf(stderr, "# %s: expected '%s', it is '%s'\n", event,
			wanted, line ? line : "no line");
	used = 0;
	lines[0] = '\0';

	return is_so;
}

/* Whether the newest request is that one, of that grant, with that result. */
static bool told_request(const char *name, unsigned int number,
			 unsigned int size, unsigned int domid,
			 unsigned int ref, long result)
{
	return told("gntdev_request",
		    "request=%s number=%#x domid=%u ref=%u result=%ld ns=",
		    name, (unsigned int)_IOC(_IOC_NONE, 'G', number, size),
		    domid, ref, result);
}

/* The same of a grant of domain 1. */
static bool told_of(const char *name, unsigned int number, unsigned int size,
		    unsigned int ref, long result)
{
	return told_request(name, number, size, 1, ref, result);
}

/* The same where no grant is known. */
static bool told_of_none(const char *name, unsigned int number,
			 unsigned int size, long result)
{
	return told_request(name, number, size, -1U, -1U, result);
}

static void requests_of_a_range_name_its_first_grant(void)
{
	uint64_t index, offset;
	uint32_t count;
	int16_t status;

	start(3);
	CHECK_EQ(req_map(world.file, 1, 2, &index), 0);
	CHECK(told_of("MAP_GRANT_REF", 0, 24, world.refs[1], 0));
	CHECK_EQ(machine_fail_op(MACHINE_OP_MAP, 2, -1), 0);
	CHECK_EQ(map_index(AT(0), index, 2, PROT_READ), -EINVAL);
	CHECK(told("gntdev_mmap",
		   "index=0 count=2 domid=1 ref=%ld writable=0 err=%d ns=",
		   world.refs[1], -EINVAL));
	CHECK_EQ(map_index(AT(0), index, 2, RW), 0);
	CHECK(told("gntdev_mmap",
		   "index=0 count=2 domid=1 ref=%ld writable=1 err=0 ns=",
		   world.refs[1]));
	CHECK_EQ(req_offset(world.file, AT(0), &offset, &count), 0);
	CHECK(told_of("GET_OFFSET_FOR_VADDR", 2, 24, world.refs[1], 0));
	CHECK_EQ(req_notify(world.file, index + 5, 1, 0), 0);
	CHECK(told_of("SET_UNMAP_NOTIFY", 7, 16, world.refs[1], 0));
	CHECK_EQ(req_status(world.file, index, 0, 1, &status), 0);
	CHECK(told_of("MAP_STATUS", 33, 24, world.refs[1], 0));
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK(told("gntdev_munmap", "index=0 count=2 domid=1 ref=%ld",
		   world.refs[1]));
	/* It is gone then. */
	CHECK_EQ(req_unmap(world.file, index, 2), 0);
	CHECK(told_of("UNMAP_GRANT_REF", 1, 16, world.refs[1], 0));
	CHECK_EQ(req_unmap(world.file, index, 2), -ENOENT);
	CHECK(told_of_none("UNMAP_GRANT_REF", 1, 16, -ENOENT));
	stop();
}

static void requests_of_no_grant_name_none(void)
{
	start(0);
	CHECK_EQ(req_max(world.file, 10), 0);
	CHECK(told_of_none("SET_MAX_GRANTS", 3, 4, 0));
	CHECK_EQ(req_restrict(world.file, 1), 0);
	CHECK(told_of("RESTRICT", 32, 8, -1U, 0));
	stop();
}

/* What could not be read is not made up. */
static void an_argument_that_cannot_be_read_names_nothing(void)
{
	static const struct {
		const char *name;
		unsigned int number, size;
	} requests[] = {
		{"MAP_GRANT_REF", 0, 24},	{"UNMAP_GRANT_REF", 1, 16},
		{"GRANT_COPY", 8, 16},		{"RESTRICT", 32, 8},
		{"GRANT_MEMORY", 34, 32},	{"AREA_MAP", 37, 24},
		{"SET_UNMAP_NOTIFY", 7, 16},	{"DMABUF_EXP_FROM_REFS", 9, 20},
		{"DMABUF_IMP_TO_REFS", 11, 20},
	};

	start(0);
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		unsigned int cmd = _IOC(_IOC_NONE, 'G', requests[i].number,
					requests[i].size);

		CHECK_EQ(file_ioctl(world.task, world.file, cmd, NOWHERE,
				    false),
			 -EFAULT);
		CHECK(strstr(lines, " argument=\n"));
		CHECK(told_of_none(requests[i].name, requests[i].number,
				   requests[i].size, -EFAULT));
	}
	stop();
}

/* What is longer than any request is told as far as there is place for it. */
static void requests_that_are_unknown_are_told_too(void)
{
	unsigned int bytes[32] = {0x04030201, 0, NOWHERE, 0};
	unsigned int cmd = _IOC(_IOC_NONE, 'G', 8, sizeof(bytes));

	start(0);
	CHECK_EQ(file_ioctl(world.task, world.file, cmd, (unsigned long)bytes,
			    false),
		 -ENOTTY);
	CHECK(strstr(lines, " argument=01 02 03 04 00 00 00 00 10 00 "));
	CHECK_EQ(strlen(strstr(lines, " argument=")), 10 + 64 * 3);
	CHECK(told_of_none("GRANT_COPY", 8, sizeof(bytes), -ENOTTY));
	cmd = _IOC(_IOC_NONE, 'G', 99, 4);
	CHECK_EQ(file_ioctl(world.task, world.file, cmd, (unsigned long)bytes,
			    false),
		 -ENOTTY);
	CHECK(told_of_none("0x63", 99, 4, -ENOTTY));
	stop();
}

static struct gntdev_grant_copy_segment segment(unsigned int flags, void *local)
{
	struct gntdev_grant_copy_segment seg = {.len = 8, .flags = flags};

	if (flags & SOURCE_IS_GRANT) {
		seg.source.foreign.domid = 1;
		seg.source.foreign.ref = world.refs[0];
	} else {
		seg.source.virt = local;
	}
	if (flags & DEST_IS_GRANT) {
		seg.dest.foreign.domid = 1;
		seg.dest.foreign.ref = world.refs[1];
	} else {
		seg.dest.virt = local;
	}

	return seg;
}

static void copies_name_the_grant_of_their_first_segment(void)
{
	struct gntdev_grant_copy_segment seg;
	char local[8];

	start(2);
	seg = segment(SOURCE_IS_GRANT, local);
	CHECK_EQ(req_copy(world.file, &seg, 1), 0);
	CHECK(told_of("GRANT_COPY", 8, 16, world.refs[0], 0));
	seg = segment(DEST_IS_GRANT, local);
	CHECK_EQ(req_copy(world.file, &seg, 1), 0);
	CHECK(told_of("GRANT_COPY", 8, 16, world.refs[1], 0));
	seg = segment(SOURCE_IS_GRANT | DEST_IS_GRANT, NULL);
	CHECK_EQ(req_copy(world.file, &seg, 1), 0);
	CHECK(told_of("GRANT_COPY", 8, 16, world.refs[0], 0));
	seg = segment(0, local);
	CHECK_EQ(req_copy(world.file, &seg, 1), -EINVAL);
	CHECK(told_of_none("GRANT_COPY", 8, 16, -EINVAL));
	/* No segment, and one that is not there. */
	seg = segment(SOURCE_IS_GRANT, local);
	CHECK_EQ(req_copy(world.file, &seg, 0), 0);
	CHECK(told_of_none("GRANT_COPY", 8, 16, 0));
	CHECK_EQ(req_copy(world.file, (void *)NOWHERE, 1), -EFAULT);
	CHECK(told_of_none("GRANT_COPY", 8, 16, -EFAULT));
	stop();
}

/* All that such a caller names has to be where 32 bits reach. */
struct low {
	struct {
		uint32_t count, segments;
	} op;
	struct gntdev_grant_copy_segment segment;
	char local[8];
};

static long copy_compat(struct low *low)
{
	return file_ioctl(world.task, world.file,
			  _IOC(_IOC_NONE, 'G', 8, sizeof(low->op)),
			  (unsigned long)&low->op, true);
}

static void copies_of_32_bit_callers_name_it_too(void)
{
	struct low *low;

	low = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
		   0);
	CHECK(low != MAP_FAILED);
	start(2);
	low->segment = segment(DEST_IS_GRANT, low->local);
	low->op.segments = (uint32_t)(uintptr_t)&low->segment;
	low->op.count = 1;
	CHECK_EQ(copy_compat(low), 0);
	CHECK(told_of("GRANT_COPY", 8, 8, world.refs[1], 0));
	low->op.count = 0;
	CHECK_EQ(copy_compat(low), 0);
	CHECK(told_of_none("GRANT_COPY", 8, 8, 0));
	stop();
	munmap(low, PAGE);
}

/* What the hypervisor refused comes before its request. */
static void refused_grants_are_told_with_their_status(void)
{
	struct gntdev_grant_copy_segment seg[2];
	struct gntdev_area_op ops[2];
	char local[8];
	uint64_t index;

	start(1);
	seg[0] = segment(SOURCE_IS_GRANT, local);
	seg[1] = seg[0];
	seg[1].source.foreign.ref = 1500;
	CHECK_EQ(req_copy(world.file, seg, 2), 0);
	CHECK_EQ(seg[0].status, 0);
	CHECK(seg[1].status < 0);
	CHECK(told("gntdev_refused", "domid=1 ref=1500 status=%d",
		   seg[1].status));
	CHECK_EQ(area_at(AT(0), 4, RW, &index), 0);
	ops[0] = op_of(2, 0);
	ops[1] = op_of(1, 0);
	ops[1].ref = 1501;
	CHECK_EQ(req_area_map(world.file, index, ops, 2, NULL), 0);
	CHECK_EQ(ops[0].status, 0);
	CHECK(ops[1].status < 0);
	CHECK(told("gntdev_refused", "domid=1 ref=1501 status=%d",
		   ops[1].status));
	world.refs[0] = 1502;
	CHECK_EQ(map_at(AT(1), 0, 1, RW, &index), -EINVAL);
	CHECK(told("gntdev_refused", "domid=1 ref=1502 status=-"));
	world.grants = 0;
	machine_trace(NULL);
	task_exit(world.task);
	world.task = NULL;
	file_close(NULL, world.file);
	world.file = NULL;
	machine_advance(10000);
	CHECK_EQ(machine_stop(stderr), 0);
}

static void areas_name_the_grant_of_a_slot(void)
{
	struct gntdev_area_op ops[2];
	uint64_t index;

	start(2);
	CHECK_EQ(req_area_create(world.file, 4, &index), 0);
	CHECK(told_of_none("AREA_CREATE", 36, 16, 0));
	CHECK_EQ(map_index(AT(0), index, 4, RW), 0);
	/* Nobody's page is in it. */
	CHECK(told("gntdev_mmap",
		   "index=0 count=4 " UNKNOWN "writable=1 err=0 ns="));
	ops[0] = op_of(2, 1);
	ops[1] = op_of(3, 0);
	CHECK_EQ(req_area_map(world.file, index, ops, 2, NULL), 0);
	CHECK(told_of("AREA_MAP", 37, 24, world.refs[1], 0));
	CHECK_EQ(req_notify(world.file, index + 3 * PAGE, 1, 0), 0);
	CHECK(told_of("SET_UNMAP_NOTIFY", 7, 16, world.refs[0], 0));
	CHECK_EQ(req_notify(world.file, index + 2 * PAGE + 9, 1, 0), 0);
	CHECK(told_of("SET_UNMAP_NOTIFY", 7, 16, world.refs[1], 0));
	/* An empty slot. */
	(void)req_notify(world.file, index + PAGE, 0, 0);
	CHECK(strstr(lines, "request=SET_UNMAP_NOTIFY"));
	CHECK(strstr(lines, UNKNOWN));
	/* Its first operation is behind it: slot 2. */
	CHECK_EQ(req_area_unmap(world.file, index, ops, 1, NULL), 0);
	CHECK(strstr(lines, "request=AREA_UNMAP"));
	CHECK(strstr(lines,
		     " 01 00 00 00 01 00 00 00 02 00 00 00 01 00 00 00 "));
	CHECK_EQ(req_area_map(world.file, index, ops, 0, NULL), 0);
	CHECK(told_of_none("AREA_MAP", 37, 24, 0));
	CHECK_EQ(req_area_map(world.file, index, (void *)NOWHERE, 1, NULL),
		 -EFAULT);
	CHECK(told_of_none("AREA_MAP", 37, 24, -EFAULT));
	stop();
}

static void granted_memory_names_its_first_reference(void)
{
	unsigned char *at = lendable(2);
	uint32_t refs[2];
	uint64_t index;

	start(0);
	CHECK_EQ(req_lend(world.file, at, 2, 0, &index, refs), 0);
	CHECK(told_of("GRANT_MEMORY", 34, 32, refs[0], 0));
	/* It has none yet. */
	CHECK_EQ(req_lend(world.file, (void *)NOWHERE, 1, 0, NULL, NULL),
		 -EINVAL);
	CHECK(told_of("GRANT_MEMORY", 34, 32, -1U, -EINVAL));
	CHECK_EQ(req_unlend(world.file, index, 2), 0);
	CHECK(told_of("UNGRANT_MEMORY", 35, 16, refs[0], 0));
	stop();
	lendable_free(at, 2);
}

static void dma_bufs_name_their_first_reference(void)
{
	uint32_t refs[2];
	long fd, own;

	start(2);
	fd = req_export(world.file, 0, 0, 2);
	CHECK(fd >= 0);
	CHECK(strstr(lines, ": gntdev_export: "));
	CHECK(told_of("DMABUF_EXP_FROM_REFS", 9, 20, world.refs[0], 0));
	CHECK_EQ(req_wait(world.file, fd, 1), -ETIMEDOUT);
	CHECK(told_of_none("DMABUF_EXP_WAIT_RELEASED", 10, 8, -ETIMEDOUT));
	close_buffer(fd);
	CHECK(told("gntdev_released", "fd=%ld count=2 domid=1 ref=%ld", fd,
		   world.refs[0]));
	own = foreign_export(2);
	CHECK(own >= 0);
	CHECK_EQ(req_import(world.file, own, 2, refs), 0);
	CHECK(told_of("DMABUF_IMP_TO_REFS", 11, 20, refs[0], 0));
	/* That reference is an answer, which there is none of. */
	CHECK_EQ(req_import(world.file, own, 3, NULL), -EINVAL);
	CHECK(told_of("DMABUF_IMP_TO_REFS", 11, 20, -1U, -EINVAL));
	CHECK_EQ(req_release(world.file, own), 0);
	CHECK(strstr(lines, ": gntdev_import_end: "));
	CHECK(told_of_none("DMABUF_IMP_RELEASE", 12, 8, 0));
	close_buffer(own);
	stop();
}

static const struct test tests[] = {
	TEST(requests_of_a_range_name_its_first_grant),
	TEST_IN(IN_ANY, requests_of_no_grant_name_none),
	TEST_IN(IN_ANY, an_argument_that_cannot_be_read_names_nothing),
	TEST_IN(IN_ANY, requests_that_are_unknown_are_told_too),
	TEST(copies_name_the_grant_of_their_first_segment),
	TEST_IN(IN_ANY, copies_of_32_bit_callers_name_it_too),
	TEST(refused_grants_are_told_with_their_status),
	TEST(areas_name_the_grant_of_a_slot),
	TEST(granted_memory_names_its_first_reference),
	TEST(dma_bufs_name_their_first_reference),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
