// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Operations that let the kernel do I/O on the pages of a mapping. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stress.h"

#define IO_PAGES (DISK_REGION / PAGE)

static u32 io_pages(const struct range *r)
{
	return r->count < IO_PAGES ? r->count : IO_PAGES;
}

/* The disk's region, read past the page cache into ordinary memory. */
static bool disk_holds(struct ctx *c, struct range *r, u32 pages)
{
	u32 i;

	if (pread64(c->disk, c->local, (size_t)pages * PAGE,
		    (off64_t)c->disk_offset) != (ssize_t)(pages * PAGE)) {
		finding(c, FOUND_CONTRACT, "the disk does not read back: %s",
			strerror(errno));
		return false;
	}
	for (i = 0; i < pages; i++)
		if (memcmp(c->local + (size_t)i * PAGE,
			   shadow_of(c, r->page[i]), PAGE)) {
			finding(c, FOUND_DATA,
				"page %u written to the disk from a mapping is another",
				i);
			return false;
		}
	return true;
}

/* Gives the disk's region new content, and the model what reading it does. */
static bool disk_prepare(struct ctx *c, struct range *r, u32 pages)
{
	u32 i;

	fill_random(c, c->local, pages * PAGE);
	if (pwrite64(c->disk, c->local, (size_t)pages * PAGE,
		     (off64_t)c->disk_offset) != (ssize_t)(pages * PAGE))
		return false;
	/* A page that the range has twice keeps what comes last. */
	for (i = 0; i < pages; i++)
		page_wrote(c, r->page[i], 0, c->local + (size_t)i * PAGE, PAGE);
	return true;
}

/* In one transfer to the disk, two reads into one page have no order. */
static bool has_twins(const struct range *r, u32 pages)
{
	u32 i, j;

	for (i = 0; i < pages; i++)
		for (j = 0; j < i; j++)
			if (r->page[i] == r->page[j])
				return true;
	return false;
}

bool op_direct_write(struct ctx *c)
{
	struct range *r;
	u32 pages;
	ssize_t n;

	if (c->disk < 0)
		return false;
	r = range_want_own(c, WANT_MAPPED);
	if (!r)
		return false;
	pages = io_pages(r);
	range_note(c, r);
	n = pwrite64(c->disk, r->addr, (size_t)pages * PAGE,
		     (off64_t)c->disk_offset);
	if (!EXPECT(c, n < 0 ? -errno : 0, "O_DIRECT write from a mapping", 0))
		return false;
	return disk_holds(c, r, pages) && range_check(c, r);
}

bool op_direct_read(struct ctx *c)
{
	struct range *r;
	u32 pages;
	ssize_t n;

	if (c->disk < 0)
		return false;
	r = range_want_own(c, WANT_WRITABLE);
	if (!r)
		return false;
	pages = has_twins(r, io_pages(r)) ? 1 : io_pages(r);
	if (!disk_prepare(c, r, pages))
		return false;
	range_note(c, r);
	n = pread64(c->disk, r->addr, (size_t)pages * PAGE,
		    (off64_t)c->disk_offset);
	if (!EXPECT(c, n < 0 ? -errno : 0, "O_DIRECT read into a mapping", 0))
		return false;
	return range_check(c, r);
}

static bool aio_start(struct ctx *c, struct range *r, u32 pages, bool write)
{
	struct iocb io = {
		.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = (u32)c->disk,
		.aio_buf = (uintptr_t)r->addr,
		.aio_nbytes = (size_t)pages * PAGE,
		.aio_offset = (long long)c->disk_offset,
	};
	struct iocb *list[1] = {&io};

	if (!c->aio && syscall(SYS_io_setup, 4, &c->aio))
		return false;
	return syscall(SYS_io_submit, c->aio, 1L, list) == 1;
}

static bool aio_finish(struct ctx *c, u32 pages)
{
	struct io_event event;
	long n;

	do {
		n = syscall(SYS_io_getevents, c->aio, 1L, 1L, &event, NULL);
	} while (n < 0 && errno == EINTR);
	if (n != 1 || event.res != (long long)pages * PAGE) {
		finding(c, FOUND_CONTRACT,
			"asynchronous O_DIRECT I/O ended with %ld, %lld", n,
			n == 1 ? (long long)event.res : 0);
		return false;
	}
	return true;
}

/*
 * Disk I/O under way while its mapping goes: munmap and the removal succeed
 * at once, and the I/O ends well, from and to the granter's page.
 */
bool op_direct_in_flight(struct ctx *c)
{
	bool write = chance(c, 50);
	u32 pages, i, epoch = family_epoch();
	struct range *r;

	if (c->disk < 0)
		return false;
	r = range_want_own(c, WANT_WRITABLE);
	if (!r || range_armed(r, 3))
		return false;
	pages = has_twins(r, io_pages(r)) ? 1 : io_pages(r);
	if (!write && !disk_prepare(c, r, pages))
		return false;
	if (!aio_start(c, r, pages, write))
		return false;
	if (!EXPECT(c, device_munmap(r->addr, r->count),
		    "munmap under disk I/O", 0))
		return false;
	r->prot = 0;
	if (r->instance == NO_INSTANCE)
		r->live = false;
	else if (chance(c, 50) && !range_remove(c, r))
		return false;
	if (!aio_finish(c, pages))
		return false;
	/* A child that inherited the mapping may be the last to let go. */
	family_quiet(epoch);
	if (write)
		return disk_holds(c, r, pages);
	for (i = 0; i < pages; i++)
		if (memcmp(granter_view(c, r->page[i]),
			   shadow_of(c, r->page[i]), PAGE))
			finding(c, FOUND_DATA,
				"page %u read from the disk after munmap did not arrive",
				i);
	return !c->trouble;
}

static bool read_full(int fd, u8 *to, size_t bytes)
{
	size_t got = 0;
	ssize_t n;

	while (got < bytes) {
		n = read(fd, to + got, bytes - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

/* A pipe holds the pages themselves while everything else goes. */
bool op_vmsplice_in_flight(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);
	u32 pages, i, n, epoch = family_epoch();
	struct iovec iov;
	int pipe_fd[2];
	ssize_t held;

	if (!r || range_armed(r, 3) || pipe2(pipe_fd, O_CLOEXEC))
		return false;
	pages = r->count < 8 ? r->count : 8;
	iov.iov_base = r->addr;
	iov.iov_len = (size_t)pages * PAGE;
	held = vmsplice(pipe_fd[1], &iov, 1, 0);
	EXPECT(c, held < 0 ? -errno : 0, "vmsplice from a mapping", 0);
	if (!c->trouble)
		EXPECT(c, device_munmap(r->addr, r->count),
		       "munmap of a page in a pipe", 0);
	r->prot = c->trouble ? r->prot : 0;
	n = r->instance;
	if (n == NO_INSTANCE)
		r->live = false;
	else if (!c->trouble && chance(c, 70) && range_remove(c, r) &&
		 chance(c, 20)) {
		instance_close(c, n);
		instance_open(c, n);
	}
	if (chance(c, 20))
		pause_ms(rnd(c, 50));
	if (!c->trouble && chance(c, 80)) {
		if (!read_full(pipe_fd[0], c->local, (size_t)held))
			finding(c, FOUND_DATA, "a pipe lost spliced pages");
		for (i = 0; i < (u32)held / PAGE && !c->trouble; i++)
			if (memcmp(c->local + (size_t)i * PAGE,
				   shadow_of(c, r->page[i]), PAGE))
				finding(c, FOUND_DATA,
					"page %u in a pipe changed after munmap",
					i);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	family_quiet(epoch);
	return !c->trouble;
}

/* Plain system calls that copy from and to a mapping. */
bool op_pipe_copy(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_WRITABLE);
	u32 to, offset, bytes;
	int pipe_fd[2];
	u8 data[512];

	if (!r || pipe2(pipe_fd, O_CLOEXEC))
		return false;
	to = rnd(c, r->count);
	bytes = 1 + rnd(c, sizeof(data));
	offset = rnd(c, PAGE - bytes);
	memcpy(data, shadow_of(c, r->page[0]) + 100, bytes);
	range_note(c, r);
	if (write(pipe_fd[1], r->addr + 100, bytes) != (ssize_t)bytes)
		finding(c, FOUND_DATA, "write from a mapping: %s",
			strerror(errno));
	else if (!read_full(pipe_fd[0], range_page(r, to) + offset, bytes))
		finding(c, FOUND_DATA, "read into a mapping: %s",
			strerror(errno));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	if (c->trouble)
		return false;
	page_wrote(c, r->page[to], offset, data, bytes);
	return range_check_page(c, r, to);
}

/* As a debugger or another process reads and writes. */
bool op_process_vm(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_WRITABLE);
	struct iovec near, far;
	u32 i, offset, bytes;
	ssize_t n;

	if (!r)
		return false;
	i = rnd(c, r->count);
	bytes = 1 + rnd(c, PAGE);
	offset = rnd(c, PAGE - bytes + 1);
	near.iov_base = c->local;
	far.iov_base = range_page(r, i) + offset;
	near.iov_len = far.iov_len = bytes;
	range_note(c, r);
	n = process_vm_readv(getpid(), &near, 1, &far, 1, 0);
	if (!EXPECT(c, n < 0 ? -errno : 0, "process_vm_readv", 0))
		return false;
	if (memcmp(c->local, shadow_of(c, r->page[i]) + offset, bytes))
		finding(c, FOUND_DATA, "process_vm_readv reads another page");
	fill_random(c, c->local, bytes);
	n = process_vm_writev(getpid(), &near, 1, &far, 1, 0);
	if (!EXPECT(c, n < 0 ? -errno : 0, "process_vm_writev", 0))
		return false;
	page_wrote(c, r->page[i], offset, c->local, bytes);
	return range_check_page(c, r, i);
}

bool op_proc_mem(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_WRITABLE);
	u8 *at, data[128];
	bool fine;
	int fd;
	u32 i;

	if (!r)
		return false;
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	i = rnd(c, r->count);
	at = range_page(r, i) + 512;
	range_note(c, r);
	fine = pread64(fd, data, sizeof(data), (off64_t)(uintptr_t)at) ==
		       (ssize_t)sizeof(data) &&
	       !memcmp(data, shadow_of(c, r->page[i]) + 512, sizeof(data));
	if (!fine)
		finding(c, FOUND_DATA, "/proc/self/mem does not read a grant");
	fill_random(c, data, sizeof(data));
	if (fine && pwrite64(fd, data, sizeof(data), (off64_t)(uintptr_t)at) !=
			    (ssize_t)sizeof(data))
		finding(c, FOUND_DATA, "/proc/self/mem does not write a grant");
	close(fd);
	if (c->trouble)
		return false;
	page_wrote(c, r->page[i], 512, data, sizeof(data));
	return range_check_page(c, r, i);
}
