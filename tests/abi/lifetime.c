// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Instances, descriptors and processes: who may use what, and until when. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"
#include "util.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(mapping_lives_on_after_close)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	close(range.fd);
	check_whole(&range);
	EQUAL(write_fault(range.at, 7), 0);
	EQUAL(granter_byte(range.refs[0], 0), 7);
	EQUAL(granter_busy(range.refs, 3), 3);
	must_munmap(range.at, 3);
	EQUAL(granter_wait_idle(range.refs, 3, 5000), 0);
}

TEST(close_removes_what_is_not_mapped)
{
	struct mapped one, other;
	int fd = dev_open();

	one = map_some(fd, 2, READ_WRITE);
	must_munmap(one.at, 2);
	other = map_some(fd, 2, PROT_NONE);
	close(fd);
	EQUAL(granter_wait_idle(one.refs, 2, 5000), 0);
	EQUAL(granter_wait_idle(other.refs, 2, 5000), 0);
	/* The descriptor's number has a new instance behind it. */
	fd = dev_open();
	EXPECT(dev_remove(fd, one.index, 2), -ENOENT);
	EXPECT(dev_remove(fd, other.index, 2), -ENOENT);
}

TEST(duplicate_of_a_descriptor_is_the_same_instance)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);
	int other = dup(range.fd);

	close(range.fd);
	range.fd = other;
	range.at = must_mmap(other, range.index, 2, READ_WRITE);
	check_whole(&range);
	unmap_some(&range);
}

TEST(closing_a_duplicate_removes_nothing)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	close(dup(range.fd));
	range.at = must_mmap(range.fd, range.index, 2, READ_WRITE);
	check_whole(&range);
}

/* Has a mapping and no descriptor, and forks until it is killed. */
static void fork_for_ever(struct mapped *range)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	range->at = must_mmap(range->fd, range->index, 1, READ_WRITE);
	/* Where a child does not inherit it otherwise. */
	madvise(range->at, PAGE, MADV_DOFORK);
	close(range->fd);
	for (;;) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
	}
}

TEST(dup_and_close_beside_forks_remove_nothing, .timeout = 60)
{
	long long end;
	struct mapped mapped = map_some(dev_open(), 1, PROT_NONE);
	uint64_t index = must_insert(mapped.fd, mapped.refs, 1);
	unsigned long rounds = 0;
	int error = 0;
	pid_t pid = fork();

	if (!pid)
		fork_for_ever(&mapped);
	end = milliseconds() + 4000;
	while (!error && milliseconds() < end) {
		for (int i = 0; i < 100 && !error; i++, rounds++) {
			close(dup(mapped.fd));
			/* Cancels nothing; tells whether the range is there. */
			error = dev_notify(mapped.fd, index, 0, 0);
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	tap_note("%lu rounds", rounds);
	CHECK(!error, "the range is gone: %s", error_name(-error));
	EXPECT(dev_remove(mapped.fd, index, 1), 0);
}

/* What one process does in a shared instance, the other sees. */
static void insert_and_map(void *argument)
{
	struct mapped *range = argument;
	uint64_t own = must_insert(range->fd, range->refs, 2);
	uint8_t *at = must_mmap(range->fd, range->index, 3, READ_WRITE);

	CHECK(own > range->index, "the child was given index %llu",
	      (unsigned long long)own);
	check_page(at + 2 * PAGE, 2);
	EXPECT(dev_remove(range->fd, range->index, 3), -EBUSY);
	at[17] = 0x17;
}

TEST(child_uses_its_parents_instance)
{
	struct mapped range = map_some(dev_open(), 3, PROT_NONE);
	uint64_t childs = range.index + 3 * PAGE;

	in_child(insert_and_map, &range);
	EQUAL(granter_byte(range.refs[0], 17), 0x17);
	EXPECT(dev_remove(range.fd, range.index, 3), 0);
	/* The child's range is still there: the instance is shared. */
	EXPECT(dev_remove(range.fd, childs, 2), 0);
}

TEST(range_of_another_process_is_mapped_once_at_a_time)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	pid_t child = fork();

	if (!child) {
		int error = dev_try_mmap(range.fd, range.index, 2 * PAGE,
					 READ_WRITE, MAP_SHARED);

		_exit(error == -EINVAL ? 0 : 1);
	}
	child_must_pass(child);
	check_whole(&range);
	unmap_some(&range);
}

static int sockets[2];

static void use_passed_descriptor(void *argument)
{
	struct mapped *range = argument;
	int fd = receive_file(sockets[1]);
	uint8_t *at = must_mmap(fd, range->index, 2, READ_WRITE);

	check_page(at, 0);
	must_munmap(at, 2);
	EXPECT(dev_remove(fd, range->index, 2), 0);
}

TEST(descriptor_may_be_passed_to_another_process)
{
	struct mapped range;
	pid_t child;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair: %s",
	      error_name(errno));
	range.index = 0;
	child = child_start(use_passed_descriptor, &range);
	range = map_some(dev_open(), 2, PROT_NONE);
	EQUAL(range.index, 0);
	send_file(sockets[0], range.fd);
	child_must_pass(child);
	EXPECT(dev_remove(range.fd, range.index, 2), -ENOENT);
}

TEST(exit_gives_everything_back)
{
	struct mapped range = map_some(dev_open(), 3, PROT_NONE);
	pid_t child = fork();

	if (!child) {
		must_mmap(range.fd, range.index, 3, READ_WRITE);
		_exit(0);
	}
	child_must_pass(child);
	EQUAL(granter_wait_idle(range.refs, 3, 5000), 0);
	range.at = must_mmap(range.fd, range.index, 3, READ_WRITE);
	check_whole(&range);
}

TEST(exec_gives_mappings_back)
{
	uint32_t refs[2];
	pid_t child;

	granter_alloc(refs, 2, true);
	child = fork();
	if (!child) {
		int fd = dev_open();

		must_mmap(fd, must_insert(fd, refs, 2), 2, READ_WRITE);
		EQUAL(granter_busy(refs, 2), 2);
		close(STDOUT_FILENO);
		execl("/proc/self/exe", program_name, "--list", NULL);
		_exit(1);
	}
	child_signal(child);
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
}

/* In a child of a process with a mapping, at the same address. */
static void look_at_inherited(void *argument)
{
	struct mapped *range = argument;

	if (!world.auto_translated) {
		CHECK(is_unmapped(range->at, range->pages),
		      "the child has the mapping too");
		EQUAL(read_fault(range->at), SIGSEGV);
	} else if (!read_fault(range->at)) {
		check_whole(range);
	}
}

TEST(child_does_not_inherit_a_mapping_in_a_pv_domain)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	if (world.auto_translated)
		SKIP("this domain is auto-translated");
	in_child(look_at_inherited, &range);
	check_whole(&range);
	EQUAL(granter_busy(range.refs, 2), 2);
	unmap_some(&range);
}

TEST(child_sees_the_right_data_or_none)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	in_child(look_at_inherited, &range);
	check_whole(&range);
	unmap_some(&range);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
}

/* Asked for, the child may have it, or fault; the parent is as before. */
TEST(fork_after_madvise_dofork_does_no_harm)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	pid_t child;

	madvise(range.at, 2 * PAGE, MADV_DOFORK);
	child = fork();
	if (!child) {
		if (!read_fault(range.at))
			check_whole(&range);
		if (!write_fault(range.at + PAGE - 1, content(0, PAGE - 1)))
			check_whole(&range);
		_exit(0);
	}
	child_must_pass(child);
	check_whole(&range);
	EQUAL(write_fault(range.at, content(0, 0)), 0);
	unmap_some(&range);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
}

/* Of linux/userfaultfd.h, which may be older than the kernel. */
#define EVENT_FORK (1 << 1)
#define WP_ASYNC (1 << 15)

/*
 * A descriptor in which the mapping takes part, as some kernels allow; -1 where
 * it may not. What is in it has its entries copied by fork, if asked for.
 */
static int take_part(uint8_t *at, size_t size)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = EVENT_FORK | WP_ASYNC,
	};
	struct uffdio_register part = {
		.range = {(uintptr_t)at, size},
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		SKIP("userfaultfd: %s", error_name(errno));
	if (ioctl(fd, UFFDIO_API, &api))
		SKIP("userfaultfd without protection of any memory: %s",
		     error_name(errno));
	if (!ioctl(fd, UFFDIO_REGISTER, &part))
		return fd;
	tap_note("userfaultfd does not take the mapping: %s",
		 error_name(errno));
	close(fd);
	return -1;
}

/* A fork waits until its event has been read. */
static void *read_event(void *argument)
{
	struct uffd_msg message;

	EQUAL(read(*(int *)argument, &message, sizeof(message)),
	      sizeof(message));
	EQUAL(message.event, UFFD_EVENT_FORK);
	return NULL;
}

TEST(fork_beside_userfaultfd_does_no_harm)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	int fd = take_part(range.at, 2 * PAGE);
	pthread_t reader;
	pid_t child;

	madvise(range.at, 2 * PAGE, MADV_DOFORK);
	if (fd >= 0)
		EQUAL(pthread_create(&reader, NULL, read_event, &fd), 0);
	child = fork();
	if (!child) {
		if (!read_fault(range.at))
			check_whole(&range);
		_exit(0);
	}
	if (fd >= 0)
		pthread_join(reader, NULL);
	child_must_pass(child);
	check_whole(&range);
	unmap_some(&range);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
}

/* Where a child shares the mapping, the range is mapped as long as it lives. */
TEST(mapping_that_a_child_shares_is_unmapped_with_the_last)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct gate parted = gate_make(), over = gate_make();
	pid_t child;

	madvise(range.at, 2 * PAGE, MADV_DOFORK);
	child = fork();
	if (!child) {
		gate_wait(&parted);
		if (!read_fault(range.at))
			check_whole(&range);
		gate_wait(&over);
		_exit(0);
	}
	must_munmap(range.at, 2);
	gate_open(&parted);
	if (granter_wait_idle(range.refs, 2, 200))
		EXPECT(dev_remove(range.fd, range.index, 2), -EBUSY);
	gate_open(&over);
	child_must_pass(child);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
}

/* A page of the granter's as two mappings, unmapped at the same time. */
static void *unmap_in_thread(void *argument)
{
	must_munmap(argument, 1);
	return NULL;
}

TEST(page_mapped_twice_is_in_use_until_the_last_munmap)
{
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	for (int i = 0; i < 30; i++) {
		pthread_t threads[2];
		void *at[2];

		for (int j = 0; j < 2; j++)
			at[j] = must_mmap(fd, must_insert(fd, &ref, 1), 1,
					  READ_WRITE);
		EQUAL(granter_busy(&ref, 1), 1);
		if (i % 2) {
			must_munmap(at[i / 2 % 2], 1);
			EQUAL(granter_busy(&ref, 1), 1);
			must_munmap(at[!(i / 2 % 2)], 1);
		} else {
			for (int j = 0; j < 2; j++)
				EQUAL(pthread_create(&threads[j], NULL,
						     unmap_in_thread, at[j]),
				      0);
			for (int j = 0; j < 2; j++)
				pthread_join(threads[j], NULL);
		}
		EQUAL(granter_wait_idle(&ref, 1, 5000), 0);
	}
}

/* The granter's own mapping goes first, then the other way round. */
TEST(granter_and_mapper_let_go_in_either_order)
{
	for (int i = 0; i < 6; i++) {
		struct mapped range = map_some(dev_open(), 2, READ_WRITE);

		if (i % 2) {
			unmap_some(&range);
			granter_free(range.refs, 2);
		} else {
			granter_free(range.refs, 2);
			check_page(range.at, 0);
			unmap_some(&range);
		}
		close(range.fd);
	}
}
