// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* AREA_CREATE, AREA_MAP, AREA_UNMAP: slots and what they answer. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"
#include "dev.h"
#include "events.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(slots_show_unrelated_grants_until_they_are_emptied)
{
	struct area area = area_make(dev_open(), 8, READ_WRITE);
	uint32_t refs[3];
	struct gntdev_area_op ops[3];

	grants_with_contents(refs, 3);
	ops[0] = area_op(5, refs[0]);
	ops[1] = area_op(0, refs[2]);
	ops[2] = area_op(7, refs[1]);
	area_must_map(&area, ops, 3);
	check_page(area.at + 5 * PAGE, 0);
	check_page(area.at, 2);
	check_page(area.at + 7 * PAGE, 1);
	EQUAL(granter_busy(refs, 3), 3);
	area.at[5 * PAGE + 9] = 77;
	EQUAL(granter_byte(refs[0], 9), 77);

	area_must_unmap(&area, ops, 2);
	EQUAL(granter_wait_idle(refs, 1, 5000), 0);
	EQUAL(granter_wait_idle(refs + 2, 1, 5000), 0);
	EQUAL(granter_busy(refs + 1, 1), 1);
	check_page(area.at + 7 * PAGE, 1);
	area_must_unmap(&area, ops + 2, 1);
	area_end(&area);
}

TEST(empty_slot_is_sigbus)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op op;
	uint32_t ref;

	grants_with_contents(&ref, 1);
	for (unsigned int i = 0; i < 4; i++)
		EQUAL(read_fault(area.at + i * PAGE), SIGBUS);
	op = area_op(2, ref);
	area_must_map(&area, &op, 1);
	EQUAL(read_fault(area.at + 2 * PAGE), 0);
	EQUAL(read_fault(area.at + PAGE), SIGBUS);
	area_must_unmap(&area, &op, 1);
	EQUAL(read_fault(area.at + 2 * PAGE), SIGBUS);
	EQUAL(write_fault(area.at + 2 * PAGE, 1), SIGBUS);
	area_end(&area);
}

TEST(areas_of_no_sensible_size_are_refused)
{
	int fd = dev_open();
	uint64_t index;

	EXPECT(dev_area_create(fd, 0, 0, &index), -EINVAL);
	EXPECT(dev_area_create(fd, 4, 1, &index), -EINVAL);
	EXPECT(dev_area_create(fd, UINT32_MAX, 0, &index), -EINVAL);
	EXPECT(dev_maximum(fd, 8), 0);
	EXPECT(dev_area_create(fd, 9, 0, &index), -EINVAL);
	EXPECT(dev_area_create(fd, 5, 0, &index), 0);
	EXPECT(dev_area_create(fd, 4, 0, &index), -ENOMEM);
}

TEST(each_operation_of_an_area_has_a_status)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op ops[4];
	uint32_t refs[2], done;

	grants_with_contents(refs, 2);
	ops[0] = area_op(0, refs[0]);
	ops[1] = area_op(1, BAD_REF);
	ops[2] = area_op(2, refs[1]);
	ops[3] = area_op(3, FAR_REF);
	EXPECT(dev_area_map(area.fd, area.index, ops, 4, &done), 0);
	EQUAL(done, 4);
	EQUAL(ops[0].status, GNTST_okay);
	CHECK(ops[1].status < 0, "status %d of a reference that is not granted",
	      ops[1].status);
	EQUAL(ops[2].status, GNTST_okay);
	EQUAL(ops[3].status, GNTST_bad_gntref);
	check_page(area.at, 0);
	EQUAL(read_fault(area.at + PAGE), SIGBUS);
	check_page(area.at + 2 * PAGE, 1);
	/* What was not mapped is free. */
	ops[1] = area_op(1, refs[0]);
	area_must_map(&area, ops + 1, 1);
	check_page(area.at + PAGE, 0);
	area_end(&area);
}

TEST(slot_in_use_is_eexist_and_done_tells)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op ops[4];
	uint32_t refs[4], done;

	grants_with_contents(refs, 4);
	ops[0] = area_op(2, refs[0]);
	area_must_map(&area, ops, 1);
	for (unsigned int i = 0; i < 4; i++)
		ops[i] = area_op(i, refs[i]);
	EXPECT(dev_area_map(area.fd, area.index, ops, 4, &done), -EEXIST);
	EQUAL(done, 2);
	check_page(area.at, 0);
	check_page(area.at + PAGE, 1);
	check_page(area.at + 2 * PAGE, 0);
	EQUAL(read_fault(area.at + 3 * PAGE), SIGBUS);
	/* The same slot twice in one call. */
	ops[0] = area_op(3, refs[3]);
	ops[1] = area_op(3, refs[3]);
	EXPECT(dev_area_map(area.fd, area.index, ops, 2, &done), -EEXIST);
	EQUAL(done, 1);
	check_page(area.at + 3 * PAGE, 3);
	area_end(&area);
}

TEST(bad_operations_of_an_area_are_einval_and_done_tells)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op ops[2], good;
	uint32_t ref, done;

	grants_with_contents(&ref, 1);
	good = area_op(0, ref);
	for (unsigned int i = 0; i < 4; i++) {
		ops[0] = good;
		ops[1] = area_op(1, ref);
		if (i == 0)
			ops[1].slot = 4;
		if (i == 1)
			ops[1].slot = UINT32_MAX;
		if (i == 2)
			ops[1].flags = 2;
		if (i == 3)
			ops[1].domid = 0x8000;
		EXPECT(dev_area_map(area.fd, area.index, ops, 2, &done),
		       -EINVAL);
		EQUAL(done, 1);
		EQUAL(ops[0].status, GNTST_okay);
		check_page(area.at, 0);
		ops[1] = area_op(4, ref);
		EXPECT(dev_area_unmap(area.fd, area.index, ops, 2, &done),
		       -EINVAL);
		EQUAL(done, 1);
		EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
	}
	area_end(&area);
}

TEST(area_must_be_mmapped)
{
	int fd = dev_open();
	struct gntdev_area_op op;
	uint32_t ref, done;
	uint64_t index, other;
	uint8_t *at;

	grants_with_contents(&ref, 1);
	EXPECT(dev_area_create(fd, 2, 0, &index), 0);
	op = area_op(0, ref);
	EXPECT(dev_area_map(fd, index, &op, 1, &done), -EINVAL);
	EQUAL(done, 0);
	EXPECT(dev_area_unmap(fd, index, &op, 1, &done), -EINVAL);
	at = must_mmap(fd, index, 2, READ_WRITE);
	EXPECT(dev_area_map(fd, index + PAGE, &op, 1, &done), -ENOENT);
	EXPECT(dev_area_map(fd, index, &op, 1, &done), 0);
	EQUAL(op.status, GNTST_okay);
	EXPECT(dev_remove(fd, index, 2), -EBUSY);
	must_munmap(at, 2);
	EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
	EXPECT(dev_area_map(fd, index, &op, 1, &done), -EINVAL);

	/* And again, empty. */
	at = must_mmap(fd, index, 2, READ_WRITE);
	EQUAL(read_fault(at), SIGBUS);
	must_munmap(at, 2);
	EXPECT(dev_remove(fd, index, 2), 0);
	EXPECT(dev_area_map(fd, index, &op, 1, &done), -ENOENT);

	/* A range is no area. */
	other = must_insert(fd, &ref, 1);
	EXPECT(dev_area_map(fd, other, &op, 1, &done), -ENOENT);
}

TEST(unmapping_an_empty_slot_is_okay)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op ops[3];
	uint32_t ref;

	grants_with_contents(&ref, 1);
	ops[0] = area_op(1, ref);
	area_must_map(&area, ops, 1);
	ops[0] = area_op(0, 0);
	ops[1] = area_op(1, 0);
	ops[2] = area_op(1, 0);
	/* The slot's number is all that counts. */
	ops[1].domid = UINT32_MAX;
	ops[1].flags = UINT16_MAX;
	area_must_unmap(&area, ops, 3);
	EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
	area_end(&area);
}

TEST(more_slots_than_a_hypercall_takes)
{
	enum {
		SLOTS = 300
	};
	struct area area = area_make(dev_open(), SLOTS, READ_WRITE);
	static struct gntdev_area_op ops[SLOTS];
	uint32_t refs[SOME];

	grants_with_contents(refs, SOME);
	for (unsigned int i = 0; i < SLOTS; i++)
		ops[i] = area_op(SLOTS - 1 - i, refs[i % SOME]);
	area_must_map(&area, ops, SLOTS);
	for (unsigned int i = 0; i < SLOTS; i++)
		check_page(area.at + (SLOTS - 1 - i) * PAGE, i % SOME);
	area_must_unmap(&area, ops, SLOTS);
	EQUAL(granter_wait_idle(refs, SOME, 5000), 0);
	area_must_map(&area, ops, SLOTS);
	must_munmap(area.at, SLOTS);
	EQUAL(granter_wait_idle(refs, SOME, 5000), 0);
}

TEST(slots_are_used_again_and_again)
{
	struct area area = area_make(dev_open(), 2, READ_WRITE);
	uint32_t refs[SOME];

	grants_with_contents(refs, SOME);
	for (unsigned int i = 0; i < 500; i++) {
		struct gntdev_area_op op = area_op(i % 2, refs[i % SOME]);

		area_must_map(&area, &op, 1);
		if (i % 3)
			EQUAL(area.at[i % 2 * PAGE + 7], content(i % SOME, 7));
		area_must_unmap(&area, &op, 1);
	}
	EQUAL(granter_wait_idle(refs, SOME, 5000), 0);
	area_end(&area);
}

TEST(readonly_slot_cannot_be_written)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op ops[2];
	uint32_t refs[2];
	int fds[2];

	grants_with_contents(refs, 2);
	ops[0] = area_op(0, refs[0]);
	ops[0].flags = GNTDEV_AREA_READONLY;
	ops[1] = area_op(1, refs[1]);
	area_must_map(&area, ops, 2);
	check_page(area.at, 0);
	CHECK(write_fault(area.at, 1), "a read-only slot was written");
	EQUAL(write_fault(area.at + PAGE, 1), 0);
	check_page(area.at, 0);

	/* Nor by the kernel: neither by a store, nor by a page that it takes. */
	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	EQUAL(write(fds[1], "x", 1), 1);
	CHECK(read(fds[0], area.at, 1) == -1 && errno == EFAULT,
	      "read(2) into a read-only slot did not fail");
	check_granters_page(refs[0], 0);
	EQUAL(write(fds[1], area.at, 1), 1);
	area_end(&area);
}

TEST(readonly_grant_needs_a_readonly_slot)
{
	struct area area = area_make(dev_open(), 2, READ_WRITE);
	struct gntdev_area_op op;
	uint32_t ref, done;

	granter_alloc(&ref, 1, false);
	op = area_op(0, ref);
	EXPECT(dev_area_map(area.fd, area.index, &op, 1, &done), 0);
	CHECK(op.status < 0, "a read-only grant was mapped writable");
	op.flags = GNTDEV_AREA_READONLY;
	area_must_map(&area, &op, 1);
	EQUAL(read_fault(area.at), 0);
	CHECK(write_fault(area.at, 1), "a read-only slot was written");
	area_end(&area);
}

TEST(readonly_area_takes_readonly_grants_alone)
{
	struct area area = area_make(dev_open(), 2, PROT_READ);
	struct gntdev_area_op op;
	uint32_t ref, done;

	grants_with_contents(&ref, 1);
	op = area_op(0, ref);
	EXPECT(dev_area_map(area.fd, area.index, &op, 1, &done), -EINVAL);
	EQUAL(done, 0);
	op.flags = GNTDEV_AREA_READONLY;
	area_must_map(&area, &op, 1);
	check_page(area.at, 0);
	CHECK(mprotect(area.at, 2 * PAGE, READ_WRITE) == -1,
	      "a read-only area was made writable");
	area_end(&area);
}

TEST(restricted_instance_fills_slots_with_that_domains_grants_alone)
{
	struct area area = area_make(dev_open(), 2, READ_WRITE);
	struct ioctl_gntdev_restrict restriction = {.domid = granter_domid()};
	struct gntdev_area_op ops[2];
	uint32_t ref, done;

	grants_with_contents(&ref, 1);
	CHECK(!ioctl(area.fd, IOCTL_GNTDEV_RESTRICT, &restriction),
	      "RESTRICT: %s", error_name(errno));
	ops[0] = area_op(0, ref);
	ops[1] = area_op(1, ref);
	ops[1].domid = granter_domid() + 1;
	EXPECT(dev_area_map(area.fd, area.index, ops, 2, &done), -EACCES);
	EQUAL(done, 1);
	check_page(area.at, 0);
	area_end(&area);
}

TEST(area_counts_and_is_found_as_a_range_is)
{
	struct area area = area_make(dev_open(), 3, READ_WRITE);
	unsigned int count;
	uint64_t index;

	EXPECT(dev_offset(area.fd, area.at, &index, &count), 0);
	EQUAL(index, area.index);
	EQUAL(count, 3);
	EXPECT(dev_try_mmap(area.fd, area.index, 3 * PAGE, READ_WRITE,
			    MAP_SHARED),
	       -EINVAL);
	EXPECT(dev_munmap(area.at + PAGE, PAGE), -EINVAL);
	CHECK(mremap(area.at, 3 * PAGE, 2 * PAGE, 0) == MAP_FAILED,
	      "an area was made shorter");
	area_end(&area);
	EXPECT(dev_try_mmap(area.fd, area.index, 3 * PAGE, READ_WRITE,
			    MAP_SHARED),
	       -EINVAL);
}

TEST(operations_that_cannot_be_read_are_efault)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op *ops = at_the_end(2 * sizeof(*ops));
	struct gntdev_area_op *readonly = pages_alloc(1);
	uint32_t refs[2], done = 9;

	grants_with_contents(refs, 2);
	ops[0] = area_op(0, refs[0]);
	ops[1] = area_op(1, refs[1]);
	EXPECT(dev_area_map(area.fd, area.index, NULL, 2, &done), -EFAULT);
	EQUAL(done, 0);
	EXPECT(dev_area_map(area.fd, area.index, ops, 3, &done), -EFAULT);
	EQUAL(done, 0);
	EQUAL(read_fault(area.at), SIGBUS);

	/* What was done is told, though the status could not be. */
	readonly[0] = ops[0];
	CHECK(!mprotect(readonly, PAGE, PROT_READ), "mprotect: %s",
	      error_name(errno));
	EXPECT(dev_area_map(area.fd, area.index, readonly, 1, &done), -EFAULT);
	EQUAL(done, 1);
	check_page(area.at, 0);
	area_end(&area);
}

/* ---- notifications ---- */

TEST(byte_of_a_slot_is_cleared_when_it_is_emptied)
{
	struct area area = area_make(dev_open(), 3, READ_WRITE);
	struct gntdev_area_op ops[2];
	uint32_t refs[2];

	grants_with_contents(refs, 2);
	ops[0] = area_op(0, refs[0]);
	ops[1] = area_op(2, refs[1]);
	area_must_map(&area, ops, 2);
	EXPECT(dev_notify(area.fd, area.index + 2 * PAGE + 10,
			  UNMAP_NOTIFY_CLEAR_BYTE, 0),
	       0);
	area_must_unmap(&area, ops, 2);
	EQUAL(granter_byte(refs[1], 10), 0);
	check_granters_page(refs[0], 0);

	/* Once: it is spent. */
	granter_fill(refs + 1, 1, 1);
	area_must_map(&area, ops, 2);
	area_must_unmap(&area, ops, 2);
	check_granters_page(refs[1], 1);
	area_end(&area);
}

TEST(byte_of_a_slot_is_cleared_at_munmap)
{
	struct area area = area_make(dev_open(), 3, READ_WRITE);
	struct gntdev_area_op op;
	uint32_t refs[2];

	grants_with_contents(refs, 2);
	op = area_op(1, refs[0]);
	area_must_map(&area, &op, 1);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(dev_notify(area.fd, area.index + i * PAGE + 11,
				  UNMAP_NOTIFY_CLEAR_BYTE, 0),
		       0);
	must_munmap(area.at, 3);
	EQUAL(granter_byte(refs[0], 11), 0);
	EQUAL(granter_wait_idle(refs, 1, 5000), 0);
}

TEST(event_of_a_slot_comes_after_its_unmapping)
{
	struct area area = area_make(dev_open(), 2, READ_WRITE);
	unsigned int port = granter_port(), mine;
	struct gntdev_area_op op;
	struct seen seen;
	uint32_t ref;
	int fd;

	grants_with_contents(&ref, 1);
	mine = bind_port(port, &fd);
	op = area_op(1, ref);
	area_must_map(&area, &op, 1);
	EXPECT(dev_notify(area.fd, area.index + PAGE + 12,
			  UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
			  mine),
	       0);
	area_must_unmap(&area, &op, 1);
	seen = granter_wait_event(port, ref, 12, 5000);
	CHECK(seen.event, "no event came");
	EQUAL(seen.byte, 0);
	CHECK(!seen.busy, "the page was still mapped");
	area_end(&area);
}
