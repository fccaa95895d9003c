// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Processes killed in any state: every grant comes back. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
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
#include "util.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define PAGES 8u

struct victim {
	uint32_t refs[PAGES];
	unsigned int seed;
	int fd;
};

/* All there is to do, again and again, until killed. */
static void *work(void *argument)
{
	struct victim *victim = argument;
	unsigned int seed = victim->seed;
	uint8_t *local = pages_alloc(2);

	for (;;) {
		int fd = rand_r(&seed) % 4 ? victim->fd : dev_open();
		unsigned int first = rand_r(&seed) % PAGES;
		unsigned int pages = 1 + rand_r(&seed) % (PAGES - first);
		struct gntdev_grant_copy_segment segment = {
			.source.foreign = {victim->refs[first], 0,
					   granter_domid()},
			.dest.virt = local + 100,
			.len = PAGE,
			.flags = GNTCOPY_source_gref,
		};
		uint64_t index;
		void *at;

		if (dev_insert(fd, victim->refs + first, pages, &index))
			FAIL("insertion failed");
		dev_notify(fd, index + rand_r(&seed) % (pages * PAGE),
			   UNMAP_NOTIFY_CLEAR_BYTE, 0);
		at = dev_mmap(fd, index, pages, READ_WRITE);
		dev_copy(fd, &segment, 1);
		if (at && rand_r(&seed) % 8)
			munmap(at, pages * PAGE);
		dev_remove(fd, index, pages);
		if (fd != victim->fd)
			close(fd);
	}
	return NULL;
}

static void work_alone(void *argument)
{
	work(argument);
}

static void work_in_threads(void *argument)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, work, argument);
	work(argument);
}

static void kill_at_random_times(void (*run)(void *), unsigned int rounds)
{
	struct victim victim = {.seed = milliseconds()};
	unsigned int seed = victim.seed;

	tap_note("seed %u", seed);
	granter_alloc(victim.refs, PAGES, true);
	for (unsigned int i = 0; i < rounds; i++) {
		pid_t child;

		victim.fd = dev_open();
		victim.seed = rand_r(&seed);
		child = child_start(run, &victim);
		usleep(rand_r(&seed) % 30000);
		child_kill(child);
		close(victim.fd);
		EQUAL(granter_wait_idle(victim.refs, PAGES, 5000), 0);
	}
}

TEST(process_killed_at_random_times_gives_all_back, .timeout = 60)
{
	kill_at_random_times(work_alone, 40);
}

TEST(threads_killed_at_random_times_give_all_back, .timeout = 60)
{
	kill_at_random_times(work_in_threads, 25);
}

/* Fills slots of a new area and empties some; the rest goes with it. */
static void use_area(int fd, const struct victim *victim, unsigned int *seed)
{
	struct ioctl_gntdev_area_create create = {.slots = PAGES};
	struct gntdev_area_op ops[PAGES];
	struct ioctl_gntdev_area_op op = {.ops = (uintptr_t)ops};
	void *at;

	if (ioctl(fd, IOCTL_GNTDEV_AREA_CREATE, &create))
		FAIL("an area: %s", error_name(errno));
	at = dev_mmap(fd, create.index, PAGES, READ_WRITE);
	op.index = create.index;
	for (unsigned int i = 0; i < PAGES; i++)
		ops[i] = (struct gntdev_area_op){
			.slot = (i * 3) % PAGES,
			.domid = granter_domid(),
			.ref = victim->refs[i],
		};
	op.count = 1 + rand_r(seed) % PAGES;
	ioctl(fd, IOCTL_GNTDEV_AREA_MAP, &op);
	dev_notify(fd, create.index + rand_r(seed) % PAGE,
		   UNMAP_NOTIFY_CLEAR_BYTE, 0);
	op.count = rand_r(seed) % (op.count + 1);
	ioctl(fd, IOCTL_GNTDEV_AREA_UNMAP, &op);
	if (at)
		munmap(at, PAGES * PAGE);
	dev_remove(fd, create.index, PAGES);
}

static void use_memory(int fd, uint8_t *memory, unsigned int *seed)
{
	union {
		struct ioctl_gntdev_grant_memory op;
		char space[sizeof(struct ioctl_gntdev_grant_memory) + 8];
	} lend = {.op = {
			  .addr = (uintptr_t)memory,
			  .count = 2,
			  .domid = granter_domid(),
			  .flags = rand_r(seed) % 2,
		  }};
	struct ioctl_gntdev_ungrant_memory back = {.count = 2};

	if (ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, &lend.op))
		return;
	back.index = lend.op.index;
	if (rand_r(seed) % 4)
		ioctl(fd, IOCTL_GNTDEV_UNGRANT_MEMORY, &back);
}

static void use_the_rest(int fd, const struct victim *victim,
			 unsigned int *seed)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs_v2 export = {
		.count = 1,
		.data_ofs = 16,
		.domid = granter_domid(),
		.refs = {victim->refs[0]},
	};
	struct ioctl_gntdev_restrict only = {.domid = granter_domid()};
	const uint32_t wrong = FAR_REF;
	struct ioctl_gntdev_map_status status = {.count = 1};
	int16_t said;
	uint64_t index;

	/* Each is a line in the kernel's log. */
	if (rand_r(seed) % 64 == 0 && !dev_insert(fd, &wrong, 1, &index)) {
		(void)dev_mmap(fd, index, 1, READ_WRITE);
		status.index = index;
		status.statuses = (uintptr_t)&said;
		ioctl(fd, IOCTL_GNTDEV_MAP_STATUS, &status);
		dev_remove(fd, index, 1);
	}
	if (!ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2, &export))
		close(export.fd);
	ioctl(fd, IOCTL_GNTDEV_RESTRICT, &only);
}

/* The same with the requests that are this driver's own. */
static void work_with_own_requests(void *argument)
{
	const struct victim *victim = argument;
	unsigned int seed = victim->seed;
	uint8_t *memory = pages_alloc(2);

	for (;;) {
		int fd = rand_r(&seed) % 4 ? victim->fd : dev_open();

		use_area(fd, victim, &seed);
		use_memory(fd, memory, &seed);
		use_the_rest(fd, victim, &seed);
		if (fd != victim->fd)
			close(fd);
	}
}

TEST(process_killed_in_any_own_request_gives_all_back, .timeout = 60)
{
	kill_at_random_times(work_with_own_requests, 40);
}

/* The instance lives on here: its mappings are what ends. */
TEST(mappings_of_a_killed_process_end_though_the_device_is_open, .timeout = 60)
{
	struct victim victim = {.fd = dev_open()};
	unsigned int seed = milliseconds();

	tap_note("seed %u", seed);
	granter_alloc(victim.refs, PAGES, true);
	for (unsigned int i = 0; i < 20; i++) {
		pid_t child;

		victim.seed = rand_r(&seed);
		child = child_start(work_alone, &victim);
		usleep(rand_r(&seed) % 20000);
		child_kill(child);
		EQUAL(granter_wait_idle(victim.refs, PAGES, 5000), 0);
	}
}

static void map_for_ever(void *argument)
{
	struct victim *victim = argument;
	int fd = dev_open();

	for (unsigned int i = 0; i < 50; i++)
		must_mmap(fd, must_insert(fd, victim->refs, PAGES), PAGES,
			  READ_WRITE);
	EQUAL(write(victim->fd, "", 1), 1);
	pause();
}

TEST(many_mappings_of_a_killed_process_end)
{
	struct victim victim = {0};
	struct gate mapped = gate_make();
	pid_t child;

	victim.fd = mapped.fds[1];
	granter_alloc(victim.refs, PAGES, true);
	child = child_start(map_for_ever, &victim);
	gate_wait(&mapped);
	EQUAL(granter_busy(victim.refs, PAGES), PAGES);
	child_kill(child);
	EQUAL(granter_wait_idle(victim.refs, PAGES, 5000), 0);
}
