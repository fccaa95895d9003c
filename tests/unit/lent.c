// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Own memory granted, instances restricted, statuses told. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "world.h"

#define RW (PROT_READ | PROT_WRITE)
#define WRITABLE GNTDEV_GRANT_WRITABLE
/* GNTCOPY_source_gref, GNTCOPY_dest_gref */
#define COPY_FROM_GRANT 1
#define COPY_TO_GRANT 2
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A program of domain 1. */
static struct {
	struct task *task;
	struct file *file;
} peer;

static void start(void)
{
	world_start();
	peer.task = task_new(world.granter, getpid());
	CHECK_EQ(file_open(peer.task, "gntdev", O_RDWR, &peer.file), 0);
}

static void stop(void)
{
	task_exit(peer.task);
	file_close(NULL, peer.file);
	world_stop();
}

static long peer_maps(uint32_t ref, int prot)
{
	struct ioctl_gntdev_map_grant_ref op = {.count = 1};
	long ret;

	op.refs[0].ref = ref;
	ret = file_ioctl(peer.task, peer.file, IOCTL_GNTDEV_MAP_GRANT_REF,
			 (unsigned long)&op, false);
	if (ret)
		return ret;
	return task_mmap(peer.task, peer.file, AT(5), PAGE, prot, MAP_SHARED,
			 op.index, NULL);
}

static int peer_reads(unsigned int offset)
{
	unsigned char byte;

	return task_load(peer.task, AT(5) + offset, &byte, 1) ? -1 : byte;
}

static void peer_unmaps(void)
{
	CHECK_EQ(task_munmap(peer.task, AT(5), PAGE), 0);
}

static void memory_is_seen_by_the_other_domain(void)
{
	unsigned char *at, byte = 'p';
	uint32_t refs[3];
	uint64_t index;

	start();
	at = lendable(3);
	at[2 * PAGE + 7] = 'x';
	CHECK_EQ(req_lend(world.file, at, 3, WRITABLE, &index, refs), 0);
	CHECK_EQ(peer_maps(refs[2], RW), 0);
	CHECK_EQ(peer_reads(7), 'x');
	CHECK_EQ(task_store(peer.task, AT(5) + 8, &byte, 1), 0);
	CHECK_EQ(at[2 * PAGE + 8], 'p');
	CHECK_EQ(req_unlend(world.file, index, 3), 0);
	/* It is in use: pages stay what they are until the other side ends. */
	lendable_free(at, 3);
	machine_advance(5000);
	CHECK_EQ(peer_reads(7), 'x');
	CHECK(machine_driver_users() > 0);
	peer_unmaps();
	machine_advance(5000);
	CHECK_EQ(peer_maps(refs[2], RW), -EINVAL);
	stop();
}

static void memory_is_copied_by_the_other_domain(void)
{
	struct gntdev_grant_copy_segment s = {
		.flags = COPY_FROM_GRANT,
		.len = 400,
	};
	struct ioctl_gntdev_grant_copy op = {.count = 1, .segments = &s};
	unsigned char *at, got[400];
	uint32_t ref;

	start();
	at = lendable(1);
	memset(at, 'c', PAGE);
	CHECK_EQ(req_lend(world.file, at, 1, 0, NULL, &ref), 0);
	s.source.foreign.ref = ref;
	s.dest.virt = got;
	CHECK_EQ(file_ioctl(peer.task, peer.file, IOCTL_GNTDEV_GRANT_COPY,
			    (unsigned long)&op, false),
		 0);
	CHECK_EQ(s.status, 0);
	CHECK_EQ(got[399], 'c');
	/* It is granted for reading only. */
	s.flags = COPY_TO_GRANT;
	s.source.virt = got;
	s.dest.foreign.ref = ref;
	s.dest.foreign.domid = 0;
	s.dest.foreign.offset = 0;
	CHECK_EQ(file_ioctl(peer.task, peer.file, IOCTL_GNTDEV_GRANT_COPY,
			    (unsigned long)&op, false),
		 0);
	CHECK(s.status < 0);
	lendable_free(at, 1);
	stop();
}

/* Of memory granted for reading only too: the page has to be marked dirty. */
static void byte_is_cleared_in_memory_that_is_unmapped(void)
{
	unsigned char *at;
	uint64_t index;
	uint32_t ref;

	start();
	at = lendable(1);
	at[9] = 1;
	CHECK_EQ(req_lend(world.file, at, 1, 0, &index, &ref), 0);
	CHECK_EQ(req_notify(world.file, index + 9, UNMAP_NOTIFY_CLEAR_BYTE, 0),
		 0);
	CHECK_EQ(peer_maps(ref, PROT_READ), 0);
	CHECK_EQ(req_unlend(world.file, index, 1), 0);
	CHECK_EQ(at[9], 0);
	CHECK_EQ(peer_reads(9), 0);
	peer_unmaps();
	lendable_free(at, 1);
	stop();
}

static void event_is_sent_when_memory_is_taken_back(void)
{
	struct channel c;
	unsigned char *at;
	uint64_t index;

	start();
	channel_open(&c);
	at = lendable(2);
	CHECK_EQ(req_lend(world.file, at, 2, WRITABLE, &index, NULL), 0);
	CHECK_EQ(req_notify(world.file, index + PAGE, UNMAP_NOTIFY_SEND_EVENT,
			    c.port),
		 0);
	CHECK_EQ(channel_events(&c), 0);
	CHECK_EQ(req_unlend(world.file, index, 2), 0);
	CHECK_EQ(channel_events(&c), 1);
	lendable_free(at, 2);
	file_close(world.task, c.evtchn);
	stop();
}

static void memory_is_granted_again_and_twice(void)
{
	unsigned char *at;
	uint64_t first, second;
	uint32_t refs[2];

	start();
	at = lendable(1);
	CHECK_EQ(req_lend(world.file, at, 1, WRITABLE, &first, refs), 0);
	CHECK_EQ(req_lend(world.file, at, 1, WRITABLE, &second, refs + 1), 0);
	CHECK(refs[0] != refs[1]);
	at[3] = 's';
	CHECK_EQ(peer_maps(refs[0], RW), 0);
	CHECK_EQ(peer_reads(3), 's');
	peer_unmaps();
	CHECK_EQ(req_unlend(world.file, first, 1), 0);
	CHECK_EQ(peer_maps(refs[1], RW), 0);
	CHECK_EQ(peer_reads(3), 's');
	peer_unmaps();
	CHECK_EQ(req_unlend(world.file, second, 1), 0);
	CHECK_EQ(req_lend(world.file, at, 1, WRITABLE, &first, refs), 0);
	lendable_free(at, 1);
	stop();
}

/* A page of gntalloc's is the domain's own, and outlives its mapping. */
static void page_of_gntalloc_is_granted_on(void)
{
	struct {
		uint16_t domid, flags;
		uint32_t count;
		uint64_t index;
		uint32_t ref;
	} alloc = {1, 1, 1, 0, 0};
	struct file *gntalloc;
	unsigned char byte = 'g';
	uint64_t index;
	uint32_t ref;

	start();
	CHECK_EQ(file_open(world.task, "gntalloc", O_RDWR, &gntalloc), 0);
	CHECK_EQ(file_ioctl(world.task, gntalloc, 'G' << 8 | 5 | 24 << 16,
			    (unsigned long)&alloc, false),
		 0);
	CHECK_EQ(task_mmap(world.task, gntalloc, AT(0), PAGE, RW, MAP_SHARED,
			   alloc.index, NULL),
		 0);
	CHECK_EQ(task_store(world.task, AT(0), &byte, 1), 0);
	CHECK_EQ(req_lend(world.file, (void *)AT(0), 1, 0, &index, &ref), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	file_close(world.task, gntalloc);
	CHECK_EQ(peer_maps(ref, PROT_READ), 0);
	CHECK_EQ(peer_reads(0), 'g');
	peer_unmaps();
	stop();
}

static void memory_that_cannot_be_held_is_refused(void)
{
	unsigned char *at;

	start();
	at = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at[0] = 1;
	CHECK_EQ(req_lend(world.file, at, 1, 0, NULL, NULL), -EFAULT);
	CHECK(strstr(machine_log(), "cannot be granted on a machine"));
	munmap(at, PAGE);
	stop();
}

static void restricted_instance_is_of_one_domain(void)
{
	unsigned char *at;
	uint64_t index;

	start();
	at = lendable(1);
	grant(2, false);
	CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	CHECK_EQ(req_restrict(world.file, 2), -EBUSY);
	CHECK_EQ(req_unmap(world.file, index, 1), 0);
	CHECK_EQ(req_lend(world.file, at, 1, 0, &index, NULL), 0);
	CHECK_EQ(req_restrict(world.file, 2), -EBUSY);
	CHECK_EQ(req_unlend(world.file, index, 1), 0);
	CHECK_EQ(req_restrict(world.file, 2), 0);
	CHECK_EQ(req_restrict(world.file, 2), 0);
	CHECK_EQ(req_restrict(world.file, 1), -EPERM);
	CHECK_EQ(req_map(world.file, 0, 1, &index), -EACCES);
	CHECK_EQ(req_lend(world.file, at, 1, 0, &index, NULL), -EACCES);
	lendable_free(at, 1);
	stop();
}

static void statuses_are_those_of_the_hypervisor(void)
{
	int16_t told[4];
	uint64_t index;

	start();
	grant(4, false);
	domain_revoke(world.granter, world.refs[2]);
	CHECK_EQ(req_map(world.file, 0, 4, &index), 0);
	CHECK_EQ(req_status(world.file, index, 0, 4, told), 0);
	CHECK_EQ(told[0], 1);
	CHECK(map_index(AT(0), index, 4, RW) < 0);
	CHECK_EQ(req_status(world.file, index, 0, 4, told), 0);
	CHECK_EQ(told[1], 0);
	CHECK(told[2] < 0);
	CHECK_EQ(told[3], 0);
	CHECK_EQ(req_status(world.file, index, 1, 4, told), -ENOENT);
	stop();
}

static const struct test tests[] = {
	TEST(memory_is_seen_by_the_other_domain),
	TEST(memory_is_copied_by_the_other_domain),
	TEST(byte_is_cleared_in_memory_that_is_unmapped),
	TEST(event_is_sent_when_memory_is_taken_back),
	TEST(memory_is_granted_again_and_twice),
	TEST(page_of_gntalloc_is_granted_on),
	TEST(memory_that_cannot_be_held_is_refused),
	TEST(restricted_instance_is_of_one_domain),
	TEST(statuses_are_those_of_the_hypervisor),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
