// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Operations on instances that all threads of a worker, or all workers, use
 * at once. Nothing is known about what the others do, so an answer is only
 * held against all that the contract allows; what counts is that nothing
 * breaks.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arena.h"
#include "stress.h"
#include "xen_abi.h"

struct board own_board;

static struct board *board_of(u32 n)
{
	return n == BOARDS - 1 ? &own_board : &shm->board[n];
}

/* An index that somebody has been given once; it may be gone by now. */
static bool recall(struct ctx *c, u32 *board, u64 *index, u32 *count)
{
	u32 first = rnd(c, BOARD_ENTRIES), i;
	u64 entry = 0;

	*board = rnd(c, BOARDS);
	for (i = 0; i < BOARD_ENTRIES && !entry; i++)
		entry = __atomic_load_n(
			&board_of(*board)->entry[(first + i) % BOARD_ENTRIES],
			__ATOMIC_RELAXED);
	*index = (entry >> 16) * PAGE;
	*count = (u32)(entry & 0xffff);
	return *count > 0;
}

bool op_common_map(struct ctx *c)
{
	u32 board = rnd(c, BOARDS), count = 1 + rnd(c, 16), refs[16], i;
	u64 *entry = &board_of(board)->entry[rnd(c, BOARD_ENTRIES)], index, old;
	long rc;

	for (i = 0; i < count; i++)
		refs[i] = shm->ref[rnd(c, COMMON_PAGES)];
	if (chance(c, 10))
		refs[rnd(c, count)] = NO_GRANT;
	rc = device_map(c, common_fd[board], count, refs, &index);
	/* EINVAL: somebody has set a maximum below the count. */
	if (!EXPECT(c, rc, "MAP into a common instance", 0, ENOMEM, EINVAL))
		return false;
	if (rc)
		return true;
	old = __atomic_exchange_n(entry, (index / PAGE) << 16 | count,
				  __ATOMIC_RELAXED);
	if (!old)
		return true;
	rc = device_unmap(c, common_fd[board], (old >> 16) * PAGE,
			  (u32)(old & 0xffff));
	return EXPECT(c, rc, "UNMAP of a common range", 0, ENOENT, EBUSY);
}

bool op_common_unmap(struct ctx *c)
{
	u32 board, count;
	u64 index;

	return recall(c, &board, &index, &count) &&
	       EXPECT(c, device_unmap(c, common_fd[board], index, count),
		      "UNMAP of a common range", 0, ENOENT, EBUSY);
}

bool op_common_mmap(struct ctx *c)
{
	int prot = chance(c, 60) ? PROT_READ | PROT_WRITE : PROT_READ;
	u32 board, count, page;
	u64 index, tag[2];
	u8 *addr, byte = 1;
	long rc;

	if (!recall(c, &board, &index, &count))
		return false;
	rc = device_mmap(&addr, NULL, count, prot, MAP_SHARED, common_fd[board],
			 index);
	if (!EXPECT(c, rc, "mmap of a common range", 0, EINVAL, ENOMEM))
		return false;
	if (rc)
		return true;
	page = rnd(c, count);
	if (!safe_read(c, tag, addr + (size_t)page * PAGE, sizeof(tag)))
		finding(c, FOUND_DATA, "a common range faults");
	else if (tag[0] != (TAG_MAGIC ^ shm->seed) || tag[1] >= COMMON_PAGES)
		finding(c, FOUND_DATA,
			"a common range shows the tag 0x%llx, 0x%llx",
			(unsigned long long)tag[0], (unsigned long long)tag[1]);
	if (prot & PROT_WRITE &&
	    !safe_write(c, addr + (size_t)page * PAGE + TAG_BYTES, &byte, 1))
		finding(c, FOUND_DATA, "a write to a common range faults");
	if (chance(c, 20))
		pause_ms(rnd(c, 5));
	return EXPECT(c, device_munmap(addr, count), "munmap", 0) &&
	       !c->trouble;
}

bool op_common_notify(struct ctx *c)
{
	u32 action = rnd(c, c->near_port ? 4 : 2), board, count;
	u64 index;

	if (!recall(c, &board, &index, &count))
		return false;
	index += (u64)rnd(c, count) * PAGE + TAG_BYTES +
		 rnd(c, PAGE - TAG_BYTES);
	return EXPECT(c,
		      device_notify(c, common_fd[board], index, action,
				    c->near_port),
		      "SET_UNMAP_NOTIFY on a common range", 0, ENOENT, EINVAL);
}

bool op_common_set_max(struct ctx *c)
{
	static const u32 some[] = {10, 100, 400, 1000, 4000};

	return EXPECT(c,
		      device_set_max(c, common_fd[rnd(c, BOARDS)],
				     some[rnd(c, 5)]),
		      "SET_MAX_GRANTS", 0);
}

/* Many threads copy on one instance side by side. */
bool op_common_copy(struct ctx *c)
{
	struct gntdev_grant_copy_segment s[8];
	u32 count = 1 + rnd(c, 8), i, n = 0;

	memset(s, 0, sizeof(s));
	for (i = 0; i < count; i++) {
		s[i].source.foreign.ref = shm->ref[rnd(c, COMMON_PAGES)];
		s[i].source.foreign.domid = (u16)shm->domid;
		s[i].source.foreign.offset = TAG_BYTES;
		s[i].len = (u16)rnd(c, PAGE - TAG_BYTES);
		s[i].flags = GNTCOPY_source_gref;
		s[i].dest.virt = c->local + (size_t)i * PAGE;
		if (chance(c, 50))
			continue;
		s[i].flags |= GNTCOPY_dest_gref;
		s[i].dest.foreign = s[i].source.foreign;
		s[i].dest.foreign.ref = shm->ref[rnd(c, COMMON_PAGES)];
	}
	if (!EXPECT(c, device_copy(c, common_fd[rnd(c, BOARDS)], count, s),
		    "GRANT_COPY on a common instance", 0))
		return false;
	for (i = 0; i < count; i++)
		n += s[i].status != 0;
	if (n)
		finding(c, FOUND_CONTRACT,
			"%u of %u good segments of a copy failed", n, count);
	return !n;
}

/* The worker's own common instance is replaced while others are in it. */
bool op_common_reopen(struct ctx *c)
{
	long fd = device_open();

	if (!EXPECT(c, fd < 0 ? fd : 0, "open", 0))
		return false;
	dup3((int)fd, common_fd[BOARDS - 1], O_CLOEXEC);
	close((int)fd);
	return true;
}

bool op_window_mmap(struct ctx *c)
{
	u8 *at = window(rnd(c, WINDOWS)), *addr;
	u32 board, count;
	u64 index;
	long rc;

	if (!recall(c, &board, &index, &count) || count > WINDOW_PAGES)
		return false;
	if (chance(c, 20))
		at += (size_t)rnd(c, 8) * PAGE;
	rc = device_mmap(&addr, at, count,
			 chance(c, 60) ? PROT_READ | PROT_WRITE : PROT_READ,
			 MAP_SHARED | MAP_FIXED, common_fd[board], index);
	return EXPECT(c, rc, "mmap in a window", 0, EINVAL, ENOMEM);
}

bool op_window_munmap(struct ctx *c)
{
	u32 pages = chance(c, 70) ? 2 * WINDOW_PAGES : 1 + rnd(c, WINDOW_PAGES);

	return EXPECT(c, device_munmap(window(rnd(c, WINDOWS)), pages),
		      "munmap in a window", 0, EINVAL);
}

bool op_window_access(struct ctx *c)
{
	u8 *at = window(rnd(c, WINDOWS)) + (size_t)rnd(c, 8) * PAGE;
	u8 data[32];
	u32 i;

	for (i = 0; i < 4; i++) {
		safe_read(c, data, at, sizeof(data));
		safe_write(c, at + TAG_BYTES + rnd(c, 1000), data,
			   sizeof(data));
	}
	return true;
}

bool op_window_protect(struct ctx *c)
{
	static const int prots[] = {PROT_READ, PROT_NONE,
				    PROT_READ | PROT_WRITE,
				    PROT_READ | PROT_EXEC};

	mprotect(window(rnd(c, WINDOWS)),
		 (size_t)(1 + rnd(c, WINDOW_PAGES)) * PAGE, prots[rnd(c, 4)]);
	return true;
}

bool op_window_advise(struct ctx *c)
{
	static const int advice[] = {MADV_DONTNEED, MADV_PAGEOUT,
				     MADV_COLD,	    MADV_WILLNEED,
				     MADV_RANDOM,   MADV_DONTDUMP};

	madvise(window(rnd(c, WINDOWS)),
		(size_t)(1 + rnd(c, WINDOW_PAGES)) * PAGE, advice[rnd(c, 6)]);
	return true;
}

bool op_window_mremap(struct ctx *c)
{
	size_t bytes = (size_t)(1 + rnd(c, 16)) * PAGE;
	u8 *from = window(rnd(c, WINDOWS)), *to = window(rnd(c, WINDOWS));

	if (from == to)
		to += bytes;
	mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	return true;
}

bool op_window_offset(struct ctx *c)
{
	u64 offset;
	u32 count;

	return EXPECT(c,
		      device_offset(c, common_fd[rnd(c, BOARDS)],
				    window(rnd(c, WINDOWS)), &offset, &count),
		      "GET_OFFSET_FOR_VADDR in a window", 0, EINVAL);
}

/* Reads the windows of any worker: they have the same addresses in all. */
bool op_window_peek(struct ctx *c)
{
	u32 w = rnd(c, shm->workers);
	pid_t pid = (pid_t)shm->slot[w][0].pid;
	struct iovec near = {c->local, (size_t)4 * PAGE};
	struct iovec far = {window(rnd(c, WINDOWS)), (size_t)4 * PAGE};

	return pid > 0 && process_vm_readv(pid, &near, 1, &far, 1, 0) >= -1;
}
