// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Operations that the memory manager offers on any mapping. The rule for all:
 * done with the data whole, or refused; never torn.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "stress.h"

static size_t bytes_of(const struct range *r)
{
	return (size_t)r->count * PAGE;
}

/* Down to less and back; what is refused changes nothing. */
bool op_mprotect(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_WRITABLE);
	int prot = chance(c, 50) ? PROT_READ : PROT_NONE;
	u8 byte = 1;
	long rc;

	if (!r)
		return false;
	range_note(c, r);
	rc = mprotect(r->addr, bytes_of(r), prot) ? -errno : 0;
	if (!EXPECT(c, rc, "mprotect", 0, EINVAL, EACCES))
		return false;
	if (rc)
		return range_check(c, r);
	if (safe_write(c, r->addr, &byte, 1)) {
		finding(c, FOUND_CONTRACT,
			"a write succeeds after mprotect took it away");
		return false;
	}
	if (prot == PROT_READ && !range_check(c, r))
		return false;
	rc = mprotect(r->addr, bytes_of(r), r->prot) ? -errno : 0;
	if (!EXPECT(c, rc, "mprotect back to writable", 0))
		return false;
	return range_check(c, r) && range_write_page(c, r, 0) &&
	       range_check_page(c, r, 0);
}

bool op_mprotect_read_only(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_INSERTED);
	u8 byte = 1;

	if (!r || range_armed(r, 3) || !range_map(c, r, PROT_READ))
		return false;
	if (!EXPECT(c,
		    mprotect(r->addr, bytes_of(r), PROT_READ | PROT_WRITE)
			    ? -errno
			    : 0,
		    "mprotect of a read-only mapping to writable", EACCES))
		return false;
	range_note(c, r);
	if (safe_write(c, r->addr, &byte, 1))
		finding(c, FOUND_CONTRACT,
			"a write to a read-only mapping succeeds");
	return !c->trouble && range_check(c, r) && range_munmap(c, r);
}

/* Would split the mapping, which has to stay one. */
bool op_mprotect_part(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_WRITABLE);
	u32 first, n;

	if (!r || r->count < 2)
		return false;
	first = rnd(c, r->count);
	n = first ? 1 + rnd(c, r->count - first) : 1 + rnd(c, r->count - 1);
	range_note(c, r);
	if (!EXPECT(c,
		    mprotect(range_page(r, first), (size_t)n * PAGE, PROT_READ)
			    ? -errno
			    : 0,
		    "mprotect of a part", EINVAL, EACCES, ENOMEM))
		return false;
	return range_check(c, r) && range_write_page(c, r, first) &&
	       range_check_page(c, r, first);
}

/* All advice but what poisons memory or changes what a child inherits. */
bool op_madvise(struct ctx *c)
{
	static const int advice[] = {
		MADV_NORMAL,
		MADV_RANDOM,
		MADV_SEQUENTIAL,
		MADV_WILLNEED,
		MADV_DONTNEED,
		MADV_REMOVE,
		MADV_DONTFORK,
		MADV_MERGEABLE,
		MADV_UNMERGEABLE,
		MADV_HUGEPAGE,
		MADV_NOHUGEPAGE,
		MADV_DONTDUMP,
		MADV_DODUMP,
		MADV_FREE,
		MADV_WIPEONFORK,
		MADV_KEEPONFORK,
		MADV_COLD,
		MADV_PAGEOUT,
		MADV_DONTNEED,
		22 /* POPULATE_READ */,
		23 /* POPULATE_WRITE */,
		24 /* DONTNEED_LOCKED */,
		25 /* COLLAPSE */,
	};
	struct range *r = range_want_own(c, WANT_MAPPED);
	u32 first = 0, n;
	int a;

	if (!r)
		return false;
	n = r->count;
	if (chance(c, 30)) {
		first = rnd(c, r->count);
		n = 1 + rnd(c, r->count - first);
	}
	a = advice[rnd(c, sizeof(advice) / sizeof(advice[0]))];
	r->before = a == MADV_DONTNEED ? "madvise DONTNEED" : "madvise";
	madvise(range_page(r, first), (size_t)n * PAGE, a);
	if (!range_check(c, r) || !range_check_page(c, r, first))
		return false;
	return !(r->prot & PROT_WRITE) ||
	       (range_write_page(c, r, first) && range_check_page(c, r, first));
}

/* To another address and back: followed, or refused. */
bool op_mremap(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);
	u8 *to;
	void *got;

	if (!r)
		return false;
	to = arena_place(c, r, r->addr == arena_place(c, r, false));
	range_note(c, r);
	got = mremap(r->addr, bytes_of(r), bytes_of(r),
		     MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (!EXPECT(c, got == MAP_FAILED ? -errno : 0, "mremap", 0, EINVAL,
		    EFAULT, ENOMEM))
		return false;
	if (got != MAP_FAILED)
		r->addr = got;
	if (!range_check(c, r))
		return false;
	if (r->prot & PROT_WRITE && !range_write_page(c, r, 0))
		return false;
	return range_check_page(c, r, 0) &&
	       (chance(c, 70) || range_munmap(c, r));
}

/* Growing, shrinking, doubling, moving a part: none can be honoured. */
bool op_mremap_size(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);
	size_t old, new;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	void *from, *got;

	if (!r)
		return false;
	from = r->addr;
	old = new = bytes_of(r);
	switch (rnd(c, r->count > 1 ? 6 : 3)) {
	case 0:
		new += PAGE;
		break;
	case 1:
		old = 0;
		break;
	case 2:
		flags |= MREMAP_DONTUNMAP;
		break;
	case 3:
		new -= PAGE;
		flags = 0;
		break;
	case 4:
		old = new = PAGE;
		break;
	default:
		from = range_page(r, 1);
		old = new = PAGE;
	}
	range_note(c, r);
	got = mremap(from, old, new, flags,
		     arena_place(c, r, r->addr == arena_place(c, r, false)));
	if (!EXPECT(c, got == MAP_FAILED ? -errno : 0,
		    "mremap that changes the size", EINVAL, EFAULT, ENOMEM))
		return false;
	return range_check(c, r);
}

/* The old way to map a file's pages again at the same place. */
bool op_remap_pages(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);
	u32 epoch = family_epoch();
	long rc;

	if (!r || range_armed(r, 3) || r->instance == NO_INSTANCE)
		return false;
	range_note(c, r);
	rc = syscall(SYS_remap_file_pages, r->addr, bytes_of(r), 0,
		     (unsigned long)(r->index / PAGE), 0);
	rc = rc ? -errno : 0;
	if (!rc)
		return range_check(c, r);
	/* Unmapped first, refused then: the mapping is gone, nothing else. */
	family_quiet(epoch);
	if (!EXPECT(c, rc, "remap_file_pages", EINVAL, ENOMEM, ENOSYS))
		return false;
	munmap(arena_place(c, r, false), (size_t)2 * PLACE_BYTES);
	r->prot = 0;
	return range_remove(c, r);
}

static bool read_all(const char *path)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
	return true;
}

/* What walks page tables, and what prints descriptors. */
bool op_page_walk(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);
	unsigned char present[RANGE_PAGES];
	u64 entries[16];
	char path[64];
	int fd;

	if (!r)
		return false;
	range_note(c, r);
	switch (rnd(c, 5)) {
	case 0:
		read_all("/proc/self/smaps");
		break;
	case 1:
		read_all("/proc/self/numa_maps");
		break;
	case 2:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
			 c->instance[rnd(c, INSTANCES)].fd);
		if (!read_all(path))
			finding(c, FOUND_CONTRACT, "cannot read %s", path);
		break;
	case 3:
		mincore(r->addr, bytes_of(r), present);
		break;
	default:
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return false;
		if (pread64(fd, entries, sizeof(entries),
			    (off64_t)((uintptr_t)r->addr / PAGE * 8)) < 0)
			entries[0] = 0;
		close(fd);
	}
	return !c->trouble && range_check(c, r);
}

static bool clear_bits(struct ctx *c, char what)
{
	struct range *r = range_want_own(c, WANT_WRITABLE);
	int fd;

	if (!r)
		return false;
	range_note(c, r);
	fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (write(fd, &what, 1) != 1 && errno != EINVAL && errno != EINTR)
		finding(c, FOUND_CONTRACT, "clear_refs %c: %s", what,
			strerror(errno));
	close(fd);
	return range_check(c, r) && range_write_page(c, r, 0) &&
	       range_check_page(c, r, 0);
}

/* Write protection, behind a notification. */
bool op_soft_dirty(struct ctx *c)
{
	return clear_bits(c, '4');
}

/* A write to each page-table entry, without any notification. */
bool op_clear_refs(struct ctx *c)
{
	return clear_bits(c, "1235"[rnd(c, 4)]);
}

bool op_mlock(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);

	if (!r)
		return false;
	range_note(c, r);
	if (chance(c, 50)) {
		mlock(r->addr, bytes_of(r));
		munlock(r->addr, bytes_of(r));
	} else {
		mlock(r->addr, PAGE);
		munlock(r->addr, PAGE);
		msync(r->addr, bytes_of(r), MS_SYNC | MS_INVALIDATE);
	}
	return range_check(c, r);
}

/* Policies and page migration, which have nothing to move here. */
bool op_mbind(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);
	unsigned long nodes = 1;
	void *page;
	int node = 0, status;

	if (!r)
		return false;
	range_note(c, r);
	page = r->addr;
	if (chance(c, 50))
		syscall(SYS_move_pages, 0, 1ul, &page, &node, &status,
			MPOL_MF_MOVE);
	else
		syscall(SYS_mbind, r->addr,
			chance(c, 50) ? bytes_of(r) : (size_t)PAGE, MPOL_BIND,
			&nodes, 8ul, MPOL_MF_MOVE | MPOL_MF_STRICT);
	return range_check(c, r);
}

/* A futex in a grant: woken or refused, and no walk for ever. */
bool op_futex(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_WRITABLE);
	struct timespec brief = {0, 1000000};
	u32 value;

	if (!r)
		return false;
	range_note(c, r);
	memcpy(&value, shadow_of(c, r->page[0]), sizeof(value));
	syscall(SYS_futex, r->addr, FUTEX_WAKE, 1, NULL, NULL, 0);
	if (chance(c, 30))
		syscall(SYS_futex, r->addr, FUTEX_WAIT, value, &brief, NULL, 0);
	return range_check(c, r);
}
