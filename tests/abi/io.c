// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* I/O of every kind from and to mapped grants: they are memory as any other. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "disk.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(kernel_reads_from_and_writes_to_a_mapping)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);
	uint8_t *copy = pages_alloc(2);
	int fds[2];

	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	EQUAL(write(fds[1], range.at, 2 * PAGE), 2 * PAGE);
	EQUAL(read(fds[0], copy, 2 * PAGE), 2 * PAGE);
	check_page(copy, 0);
	check_page(copy + PAGE, 1);
	EQUAL(write(fds[1], copy, PAGE), PAGE);
	EQUAL(read(fds[0], range.at + 2 * PAGE, PAGE), PAGE);
	check_granters_page(range.refs[2], 0);
}

TEST(sockets_send_from_and_receive_into_a_mapping)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	int fds[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair: %s",
	      error_name(errno));
	EQUAL(send(fds[0], range.at, PAGE, 0), PAGE);
	EQUAL(recv(fds[1], range.at + PAGE, PAGE, MSG_WAITALL), PAGE);
	check_granters_page(range.refs[1], 0);
}

TEST(disk_is_written_directly_from_a_mapping)
{
	int direct = disk_open(O_DIRECT), plain = disk_open(0);
	struct mapped range = map_some(dev_open(), SOME, READ_WRITE);
	uint8_t *check = pages_alloc(SOME);

	disk_clear(plain, SOME);
	EQUAL(pwrite(direct, range.at, SOME * PAGE, 0), SOME * PAGE);
	EQUAL(pread(direct, check, SOME * PAGE, 0), SOME * PAGE);
	for (unsigned int i = 0; i < SOME; i++)
		check_page(check + i * PAGE, i);
	check_whole(&range);
	unmap_some(&range);
}

TEST(disk_is_read_directly_into_a_mapping)
{
	int direct = disk_open(O_DIRECT), plain = disk_open(0);
	struct mapped range = map_some(dev_open(), SOME, READ_WRITE);

	disk_fill(plain, SOME, 40);
	EQUAL(pread(direct, range.at, SOME * PAGE, 0), SOME * PAGE);
	for (unsigned int i = 0; i < SOME; i++) {
		check_granters_page(range.refs[i], 40 + i);
		check_page(range.at + i * PAGE, 40 + i);
	}
	unmap_some(&range);
}

TEST(direct_io_may_start_within_a_page)
{
	int direct = disk_open(O_DIRECT), plain = disk_open(0);
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	uint8_t *check = pages_alloc(1);

	disk_clear(plain, 2);
	EQUAL(pwrite(direct, range.at + 3584, 1024, 512), 1024);
	EQUAL(pread(plain, check, 1024, 512), 1024);
	for (unsigned int i = 0; i < 512; i++) {
		EQUAL(check[i], content(0, 3584 + i));
		EQUAL(check[512 + i], content(1, i));
	}
}

TEST(direct_read_into_a_read_only_mapping_is_efault)
{
	int direct = disk_open(O_DIRECT), plain = disk_open(0);
	struct mapped range = map_some(dev_open(), 1, PROT_READ);

	disk_clear(plain, 1);
	CHECK(pread(direct, range.at, PAGE, 0) < 0, "it was read");
	EQUAL(errno, EFAULT);
	check_whole(&range);
}

TEST(direct_write_from_a_read_only_mapping)
{
	int direct = disk_open(O_DIRECT), plain = disk_open(0);
	uint8_t *check = pages_alloc(1), *at;
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, false);
	granter_fill(&ref, 1, 6);
	at = must_mmap(fd, must_insert(fd, &ref, 1), 1, PROT_READ);
	disk_clear(plain, 1);
	EQUAL(pwrite(direct, at, PAGE, 0), PAGE);
	EQUAL(pread(direct, check, PAGE, 0), PAGE);
	check_page(check, 6);
}

TEST(vmsplice_takes_pages_of_a_mapping)
{
	struct mapped range = map_some(dev_open(), 4, READ_WRITE);
	struct iovec part = {range.at, 4 * PAGE};
	uint8_t *check = pages_alloc(4);
	int fds[2];

	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	EQUAL(vmsplice(fds[1], &part, 1, 0), 4 * PAGE);
	EQUAL(read(fds[0], check, 4 * PAGE), 4 * PAGE);
	for (unsigned int i = 0; i < 4; i++)
		check_page(check + i * PAGE, i);
	unmap_some(&range);
}

/* A process with a mapping, for others to look at. */
struct owner {
	struct gate mapped;
	struct gate over;
	int answer[2];
	struct mapped range;
};

static void own_a_mapping(void *argument)
{
	struct owner *owner = argument;

	owner->range.at = must_mmap(owner->range.fd, owner->range.index,
				    owner->range.pages, READ_WRITE);
	CHECK(write(owner->answer[1], &owner->range.at,
		    sizeof(owner->range.at)) > 0,
	      "write to a pipe: %s", error_name(errno));
	gate_wait(&owner->over);
	check_page(owner->range.at + PAGE, 30);
}

static pid_t owner_start(struct owner *owner)
{
	pid_t child;

	*owner = (struct owner){
		.mapped = gate_make(),
		.over = gate_make(),
		.range = map_some(dev_open(), 2, PROT_NONE),
	};
	CHECK(!pipe(owner->answer), "pipe: %s", error_name(errno));
	child = child_start(own_a_mapping, owner);
	CHECK(read(owner->answer[0], &owner->range.at,
		   sizeof(owner->range.at)) > 0,
	      "the child did not map");
	return child;
}

TEST(another_process_reads_and_writes_with_process_vm)
{
	uint8_t *local = pages_alloc(1);
	struct iovec here = {local, PAGE}, there;
	struct owner owner;
	pid_t child = owner_start(&owner);

	there = (struct iovec){owner.range.at, PAGE};
	EQUAL(process_vm_readv(child, &here, 1, &there, 1, 0), PAGE);
	check_page(local, 0);
	fill_page(local, 30);
	there.iov_base = owner.range.at + PAGE;
	EQUAL(process_vm_writev(child, &here, 1, &there, 1, 0), PAGE);
	check_granters_page(owner.range.refs[1], 30);
	gate_open(&owner.over);
	child_must_pass(child);
}

/* Readers of a mapping whose entries others take away and bring back. */
struct contest {
	struct mapped range;
	volatile bool over;
	unsigned int failures; /* only of the one reader */
};

static void *take_entries(void *arg)
{
	struct contest *c = arg;

	while (!c->over)
		madvise(c->range.at, c->range.pages * PAGE, MADV_DONTNEED);
	return NULL;
}

static void *bring_entries(void *arg)
{
	const struct contest *c = arg;
	unsigned int i;

	while (!c->over)
		for (i = 0; i < c->range.pages; i++)
			(void)*(const volatile uint8_t *)(c->range.at +
							  i * PAGE);
	return NULL;
}

static void *read_by_kernel(void *arg)
{
	struct contest *c = arg;
	size_t size = c->range.pages * PAGE;
	uint8_t *local = pages_alloc(c->range.pages);
	struct iovec here = {local, size}, there = {c->range.at, size};

	while (!c->over) {
		if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) !=
		    (ssize_t)size)
			c->failures++;
	}
	return NULL;
}

/* An entry that somebody has just seen is there until he has its page. */
TEST(kernel_reads_a_mapping_whose_entries_come_and_go, .timeout = 60)
{
	void *(*const run[])(void *) = {read_by_kernel, take_entries,
					take_entries, bring_entries};
	struct contest c = {.range = map_some(dev_open(), 4, READ_WRITE)};
	pthread_t threads[4];

	for (unsigned int i = 0; i < 4; i++)
		EQUAL(pthread_create(&threads[i], NULL, run[i], &c), 0);
	sleep(15);
	c.over = true;
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EQUAL(c.failures, 0);
	check_whole(&c.range);
	unmap_some(&c.range);
}

TEST(debugger_reads_and_writes_with_ptrace)
{
	struct owner owner;
	pid_t child = owner_start(&owner);
	long word, wanted;
	uint8_t page[PAGE];
	int status;

	CHECK(!ptrace(PTRACE_ATTACH, child, NULL, NULL), "ptrace: %s",
	      error_name(errno));
	EQUAL(waitpid(child, &status, 0), child);
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, child, owner.range.at + 64, NULL);
	EQUAL(errno, 0);
	for (unsigned int i = 0; i < sizeof(word); i++)
		EQUAL(((uint8_t *)&word)[i], content(0, 64 + i));
	fill_page(page, 30);
	for (unsigned int i = 0; i < PAGE; i += sizeof(wanted)) {
		memcpy(&wanted, page + i, sizeof(wanted));
		EXPECT(ptrace(PTRACE_POKEDATA, child, owner.range.at + PAGE + i,
			      wanted) < 0
			       ? -errno
			       : 0,
		       0);
	}
	ptrace(PTRACE_DETACH, child, NULL, NULL);
	check_granters_page(owner.range.refs[1], 30);
	gate_open(&owner.over);
	child_must_pass(child);
}

TEST(mapping_is_seen_in_proc_mem)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint8_t *local = pages_alloc(1);

	CHECK(memory >= 0, "/proc/self/mem: %s", error_name(errno));
	EQUAL(pread(memory, local, PAGE, (uintptr_t)range.at), PAGE);
	check_page(local, 0);
	fill_page(local, 31);
	EQUAL(pwrite(memory, local, PAGE, (uintptr_t)range.at + PAGE), PAGE);
	check_granters_page(range.refs[1], 31);
}

/* From one mapped range straight into another. */
TEST(process_vm_copies_between_two_ranges)
{
	int fd = dev_open();
	struct mapped one = map_some(fd, 3, READ_WRITE);
	struct mapped other = map_some(fd, 3, READ_WRITE);
	struct iovec here = {one.at, 3 * PAGE};
	struct iovec there = {other.at, 3 * PAGE};

	granter_fill(other.refs, 3, 70);
	EQUAL(process_vm_readv(getpid(), &here, 1, &there, 1, 0), 3 * PAGE);
	for (unsigned int i = 0; i < 3; i++)
		check_granters_page(one.refs[i], 70 + i);
	unmap_some(&one);
	unmap_some(&other);
}
