// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The domain is checkpointed: suspended, written out, and goes on as it was; or what
 * was written out is made another domain, too, which finds itself restored. The
 * toolstack in the first domain does it when data/suspend asks for it, and says
 * so in data/suspended; tests/suite/52-suspend.t has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"
#include "dev.h"
#include "dmabuf.h"
#include "events.h"
#include "granter.h"
#include "process.h"
#include "tap.h"
#include "world.h"
#include "xenstore.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define BOTH (UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT)
#define A_CHECKPOINT 90000
#define SECONDS 120

/* Another number than the one that this domain began with. */
static bool is_restored(void)
{
	char domid[16];

	return !xenstore_read("domid", domid, sizeof(domid)) &&
	       strtoul(domid, NULL, 10) != world.domid;
}

/*
 * Each has a number of its own: what the last one left does not count. Returns
 * twice where what is written out is restored; true there.
 */
static bool suspend(const char *how)
{
	long long end = milliseconds() + A_CHECKPOINT;
	char asked[32], done[32] = "";

	if (!getenv("ABI_CHECKPOINTS"))
		SKIP("no toolstack suspends this domain");
	snprintf(asked, sizeof(asked), "%s-%lld", how, milliseconds());
	EXPECT(xenstore_write("data/suspend", asked), 0);
	while (strcmp(asked, done)) {
		CHECK(milliseconds() < end, "no checkpoint is made");
		usleep(50000);
		if (is_restored())
			return true;
		if (xenstore_read("data/suspended", done, sizeof(done)))
			strcpy(done, "");
		CHECK(strcmp(done, "failed"), "the toolstack cannot do it");
	}
	return false;
}

static void checkpoint(void)
{
	CHECK(!suspend("checkpoint"), "the domain has been restored");
}

TEST(pages_are_whole_after_a_checkpoint, .timeout = SECONDS)
{
	struct mapped range = map_some(dev_open(), SOME, READ_WRITE);
	struct mapped read_only = map_some(dev_open(), 2, PROT_READ);

	checkpoint();
	check_whole(&range);
	check_whole(&read_only);
	fill_page(range.at, 77);
	check_granters_page(range.refs[0], 77);
	granter_fill(range.refs + 1, 1, 78);
	check_page(range.at + PAGE, 78);
	EQUAL(granter_busy(range.refs, SOME), SOME);
	fill_page(range.at, 0);
	granter_fill(range.refs + 1, 1, 1);
	unmap_some(&range);
	unmap_some(&read_only);
	EQUAL(granter_wait_idle(range.refs, SOME, 5000), 0);
	EQUAL(granter_wait_idle(read_only.refs, 2, 5000), 0);
}

TEST(pages_nobody_looks_at_after_a_checkpoint_are_given_back,
     .timeout = SECONDS)
{
	struct mapped range = map_some(dev_open(), SOME, READ_WRITE);

	checkpoint();
	must_munmap(range.at, SOME);
	EQUAL(granter_wait_idle(range.refs, SOME, 5000), 0);
}

TEST(byte_and_event_come_after_a_checkpoint, .timeout = SECONDS)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	unsigned int granters = granter_port(), port;
	struct seen seen;
	int fd;

	port = bind_port(granters, &fd);
	while (granter_wait_event(granters, range.refs[1], 5, 20).event)
		;
	EXPECT(dev_notify(range.fd, range.index + PAGE + 5, BOTH, port), 0);
	checkpoint();
	check_whole(&range);
	while (granter_wait_event(granters, range.refs[1], 5, 20).event)
		;
	must_munmap(range.at, 2);
	seen = granter_wait_event(granters, range.refs[1], 5, 5000);
	CHECK(seen.event, "no event");
	EQUAL(granter_byte(range.refs[1], 5), 0);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
}

TEST(slots_of_an_area_are_whole_after_a_checkpoint, .timeout = SECONDS)
{
	struct area area = area_make(dev_open(), 4, READ_WRITE);
	struct gntdev_area_op ops[3];
	uint32_t refs[3];

	grants_with_contents(refs, 3);
	for (unsigned int i = 0; i < 3; i++)
		ops[i] = area_op(i, refs[i]);
	area_must_map(&area, ops, 2);
	checkpoint();
	check_page(area.at, 0);
	area_must_map(&area, ops + 2, 1);
	check_page(area.at + PAGE, 1);
	check_page(area.at + 2 * PAGE, 2);
	area_must_unmap(&area, ops, 3);
	EQUAL(granter_wait_idle(refs, 3, 5000), 0);
	area_end(&area);
}

TEST(byte_of_a_slot_is_cleared_after_a_checkpoint, .timeout = SECONDS)
{
	struct area area = area_make(dev_open(), 2, READ_WRITE);
	struct gntdev_area_op ops[2];
	uint32_t refs[2];

	grants_with_contents(refs, 2);
	for (unsigned int i = 0; i < 2; i++)
		ops[i] = area_op(i, refs[i]);
	area_must_map(&area, ops, 2);
	for (unsigned int i = 0; i < 2; i++)
		EXPECT(dev_notify(area.fd, area.index + i * PAGE + 5,
				  UNMAP_NOTIFY_CLEAR_BYTE, 0),
		       0);
	checkpoint();
	EQUAL(granter_byte(refs[0], 5), content(0, 5));
	area_must_unmap(&area, ops, 1);
	EQUAL(granter_byte(refs[0], 5), 0);
	EQUAL(granter_byte(refs[1], 5), content(1, 5));
	area_end(&area);
	EQUAL(granter_byte(refs[1], 5), 0);
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
}

TEST(buffer_is_whole_after_a_checkpoint, .timeout = SECONDS)
{
	struct buffer buffer = export_some(3, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 3, READ_WRITE);

	check_buffer(&buffer, at);
	checkpoint();
	check_buffer(&buffer, at);
	must_munmap(at, 3);
	close(buffer.fd);
	check_given_back(&buffer);
}

static atomic_bool over;

static void *map_and_unmap(void *unused)
{
	int fd = dev_open();

	(void)unused;
	while (!over) {
		struct mapped range = map_some(fd, 4, READ_WRITE);

		check_whole(&range);
		unmap_some(&range);
		granter_free(range.refs, 4);
	}
	return NULL;
}

TEST(programs_may_be_at_work_at_a_checkpoint, .timeout = SECONDS)
{
	pthread_t thread;

	EQUAL(pthread_create(&thread, NULL, map_and_unmap, NULL), 0);
	checkpoint();
	over = true;
	pthread_join(thread, NULL);
}

/*
 * The domain that is restored has nobody who serves it, nor the harness: it says on
 * its console what it finds, and stays until it is destroyed.
 */
static void say_and_stay(const char *what, bool good)
{
	int console = open("/dev/hvc0", O_WRONLY | O_CLOEXEC);

	dprintf(console, "\nrestored %s: %s\n", good ? "ok" : "not ok", what);
	if (good)
		return;
	for (;;)
		pause();
}

static bool departed_soon(void)
{
	for (int i = 0; i < 50; i++) {
		int fd = open("/sys/class/misc/xen!gntdev/departed",
			      O_RDONLY | O_CLOEXEC);
		char none = 0;

		if (fd < 0 || read(fd, &none, 1) != 1)
			return false;
		close(fd);
		if (none == '0')
			return true;
		usleep(100000);
	}
	return false;
}

/* The domain's own page, which the kernel maps too as the access is changed. */
static bool slot_is_given_back(int fd)
{
	struct ioctl_gntdev_grant_memory op = {.count = 1, .flags = 1};
	struct gntdev_area_op slot = {0};
	struct area area = {.fd = fd, .slots = 2};
	uint8_t *page = mmap(NULL, PAGE, READ_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char domid[16];
	uint32_t done;

	if (xenstore_read("domid", domid, sizeof(domid)))
		return false;
	memset(page, 0x5a, PAGE);
	op.addr = (uintptr_t)page;
	op.domid = (uint16_t)atoi(domid);
	if (ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, &op) ||
	    dev_area_create(fd, area.slots, 0, &area.index))
		return false;
	area.at = dev_mmap(fd, area.index, area.slots, READ_WRITE);
	slot.domid = op.domid;
	slot.ref = op.refs[0];
	if (!area.at || dev_area_map(fd, area.index, &slot, 1, &done) ||
	    area.at[5] != 0x5a || mprotect(area.at, 2 * PAGE, PROT_READ) ||
	    area.at[5] != 0x5a)
		return false;
	slot.status = 1;
	if (dev_area_unmap(fd, area.index, &slot, 1, &done) || slot.status)
		return false;
	/* And one that goes with its area. */
	if (dev_area_map(fd, area.index, &slot, 1, &done) ||
	    mprotect(area.at, 2 * PAGE, PROT_NONE) ||
	    dev_munmap(area.at, 2 * PAGE))
		return false;

	return !ioctl(fd, IOCTL_GNTDEV_UNGRANT_MEMORY,
		      &(struct ioctl_gntdev_ungrant_memory){op.index, 1, 0}) &&
	       departed_soon();
}

static void look_at_restored(const struct mapped *range,
			     const struct area *area)
{
	uint64_t index;
	int fd;

	say_and_stay("an access to a page that was mapped is a SIGBUS",
		     read_fault(range->at) == SIGBUS);
	say_and_stay("so is one to a slot", read_fault(area->at) == SIGBUS);
	say_and_stay("they are unmapped",
		     !dev_munmap(range->at, range->pages * PAGE) &&
			     !dev_munmap(area->at, area->slots * PAGE));
	say_and_stay("the range is removed",
		     !dev_remove(range->fd, range->index, range->pages));
	close(range->fd);
	fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	say_and_stay("a reference to what is another domain's is refused",
		     !dev_insert(fd, range->refs, 1, &index) &&
			     dev_try_mmap(fd, index, PAGE, READ_WRITE,
					  MAP_SHARED) == -EINVAL);
	say_and_stay("slots are filled and given back", slot_is_given_back(fd));
	close(fd);
	say_and_stay("all", true);
	for (;;)
		pause();
}

TEST(restored_domain_has_none_of_the_grants, .timeout = SECONDS)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);
	struct area area = area_make(dev_open(), 2, READ_WRITE);
	struct gntdev_area_op op;
	uint32_t ref;

	grants_with_contents(&ref, 1);
	op = area_op(0, ref);
	area_must_map(&area, &op, 1);
	if (suspend("restore"))
		look_at_restored(&range, &area);
	check_whole(&range);
	check_page(area.at, 0);
}
