// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Mapped devices. The server keeps the kernel's side: what may be done with a
 * range, and what the hypervisor knows of it. Here the program's own entries
 * follow: pages of the granter's memory, in the place that the kernel chose.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"

/* Showing what the server says is mapped. */
struct show {
	int prot;
	bool failed;
};

static void *map(uintptr_t at, size_t length, int prot, int flags, int fd,
		 off_t offset)
{
	return (void *)raw(SYS_mmap, at, length, prot, flags, fd, offset);
}

static uintptr_t page_up(uintptr_t value)
{
	return (value + PAGE - 1) & -PAGE;
}

/* A file of no pages: an access behind its end is SIGBUS. */
static int open_nothing(void)
{
	return raw(SYS_memfd_create, "gntdev", MFD_CLOEXEC);
}

static void count_packet(const struct answer *answer, const void *bytes, int fd,
			 void *arg)
{
	(void)bytes;
	(void)fd;
	if (answer->value >= 0)
		*(size_t *)arg += answer->bytes / sizeof(struct segment);
}

/* A slot of an area may be for reading alone, where others are not. */
static bool show_segment(const struct segment *segment, int prot, int fd,
			 uint64_t offset)
{
	void *at = map(segment->address, segment->pages * PAGE, prot,
		       MAP_SHARED | MAP_FIXED, fd, offset);

	if (at == MAP_FAILED && errno == EACCES)
		at = map(segment->address, segment->pages * PAGE,
			 prot & ~PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 offset);

	return at != MAP_FAILED;
}

static void show_packet(const struct answer *answer, const void *bytes, int fd,
			void *arg)
{
	const struct segment *segment = bytes;
	size_t n = answer->bytes / sizeof(*segment);
	struct show *show = arg;
	int nothing = -1;

	if (answer->value < 0)
		return;
	/* A descriptor that was sent and has not come: there are too many. */
	if (fd < 0 && answer->flags & ANSWER_FD) {
		show->failed = true;
		return;
	}
	if (fd < 0 && n)
		fd = nothing = open_nothing();
	for (; n; n--, segment++)
		show->failed |=
			!show_segment(segment, show->prot, fd,
				      nothing < 0 ? segment->offset : 0);
	if (nothing >= 0)
		raw(SYS_close, nothing);
}

static void hide(uintptr_t start, uintptr_t end)
{
	map(start, end - start, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* A child inherits what the kernel lets it inherit. */
static void set_inheritance(const struct range *range)
{
	if (range->no_fork)
		raw(SYS_madvise, range->start, range->end - range->start,
		    MADV_DONTFORK);
}

void range_show(const struct range *range)
{
	struct request request = {
		.op = OP_VIEW,
		.a = range->start,
		.b = range->end,
	};
	struct show show = {.prot = range->prot};
	uint32_t flags;

	channel_stream(&request, show_packet, &show, &flags);
	set_inheritance(range);
}

static int64_t tell(uint32_t op, uintptr_t start, uintptr_t end, uint64_t c)
{
	struct request request = {
		.op = op,
		.a = start,
		.b = end - start,
		.c = c,
	};
	struct answer answer;

	return channel_call(&request, &answer);
}

/* Whether all ranges between are in it as wholes. */
static bool are_whole(uintptr_t start, uintptr_t end)
{
	const struct range *range = ranges_from(start);

	if (range && range->start < start)
		return false;
	range = ranges_from(end);

	return !range || range->start >= end;
}

/*
 * Before the server ends a mapping and tells the granter, the program must not
 * be able to reach it; but the addresses must not be anybody else's yet. Parts
 * of ranges are the server's to allow first.
 */
static int evict(uintptr_t start, uintptr_t end)
{
	const struct range *range;
	bool whole = are_whole(start, end);
	int64_t result;

	for (range = ranges_from(start); whole && range && range->start < end;
	     range = ranges_from(range->end))
		hide(range->start, range->end);

	result = tell(OP_MUNMAP, start, end, 0);
	/* Without a server nobody has a say in it. */
	if (result == -EIO)
		result = 0;
	if (!result) {
		ranges_remove(start, end);
		return 0;
	}

	for (range = ranges_from(start); whole && range && range->start < end;
	     range = ranges_from(range->end))
		range_show(range);

	return result;
}

/* Is there a range between? Takes the lock only if it may be. */
static bool begin(uintptr_t start, uintptr_t end, sigset_t *before)
{
	const struct range *range;

	if (!channel_on() || !ranges_maybe(start, end))
		return false;
	ranges_lock(before);
	range = ranges_from(start);
	if (range && range->start < end)
		return true;
	ranges_unlock(before);

	return false;
}

static int fail(int64_t error)
{
	errno = -error;
	return -1;
}

int memory_munmap(void *addr, size_t length)
{
	uintptr_t start = (uintptr_t)addr, end = page_up(start + length);
	sigset_t before;
	int error;

	if (start & (PAGE - 1) || end <= start || !begin(start, end, &before))
		return raw(SYS_munmap, addr, length);

	error = evict(start, end);
	if (error)
		error = fail(error);
	else
		error = raw(SYS_munmap, addr, length);
	ranges_unlock(&before);

	return error;
}

/* An address that is ours until the server has said what comes there. */
static void *reserve(void *addr, size_t length, int flags)
{
	flags &= MAP_FIXED | MAP_FIXED_NOREPLACE;

	return map((uintptr_t)addr, length, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

/* Ranges between that the server knows no more. */
static void forget_lost(uintptr_t start, uintptr_t end)
{
	struct request request = {.op = OP_VIEW};
	const struct range *range;
	uintptr_t at, to;
	uint32_t flags;
	size_t known;

	for (at = start; at < end; at = to) {
		range = ranges_from(at);
		if (!range || range->start >= end)
			break;
		to = range->end;
		request.a = range->start;
		request.b = to;
		known = 0;
		channel_stream(&request, count_packet, &known, &flags);
		if (known)
			continue;
		raw(SYS_munmap, range->start, to - range->start);
		ranges_remove(range->start, to);
	}
}

static bool overlaps(uintptr_t start, uintptr_t end)
{
	const struct range *range = ranges_from(start);

	return range && range->start < end;
}

/* At a chosen place; returns false if the descriptor is of no device. */
static bool map_device(uintptr_t start, uintptr_t end, struct request *request,
		       int64_t *result)
{
	struct range range = {
		.start = start,
		.end = end,
		.prot = request->c,
		.inode = request->inode,
		.offset = request->e,
	};
	struct show show = {.prot = range.prot};
	uint32_t flags;

	request->op = OP_MMAP;
	request->a = start;
	request->b = end - start;
	*result = channel_stream(request, show_packet, &show, &flags);
	if (flags & ANSWER_UNKNOWN)
		return false;
	if (*result)
		return true;

	/* What it was mapped over, if anything, has ended. */
	ranges_remove(start, end);
	range.no_fork = flags & ANSWER_NO_FORK;
	if (show.failed || !ranges_add(&range)) {
		tell(OP_MUNMAP, start, end, 0);
		*result = -ENOMEM;
		return true;
	}
	set_inheritance(&range);
	device_know(request->inode);

	return true;
}

/*
 * A fixed place is left as it is until the server has said yes: it is the
 * caller's, so nobody else takes it. Any other one is reserved meanwhile.
 */
static void *mmap_device(void *addr, size_t length, int flags,
			 struct request *request, bool *is_device)
{
	bool fixed = flags & MAP_FIXED;
	uintptr_t start;
	int64_t result;
	void *at = addr;

	*is_device = true;
	if (!fixed)
		at = reserve(addr, length, flags);
	if (at == MAP_FAILED)
		return at;
	start = (uintptr_t)at;
	if (start & (PAGE - 1) || start + length < start) {
		errno = EINVAL;
		return MAP_FAILED;
	}

	*is_device = map_device(start, start + length, request, &result);
	if (*is_device && !result)
		return at;

	if (!fixed)
		raw(SYS_munmap, at, length);
	else if (*is_device && overlaps(start, start + length))
		forget_lost(start, start + length);
	errno = -result;

	return MAP_FAILED;
}

/* What is mapped over ranges takes their place. */
static int make_way(uintptr_t start, uintptr_t end)
{
	sigset_t before;
	int error;

	if (start & (PAGE - 1) || !begin(start, end, &before))
		return 0;
	error = evict(start, end);
	ranges_unlock(&before);

	return error;
}

void *memory_mmap(void *addr, size_t length, int prot, int flags, int fd,
		  off_t offset)
{
	struct request request = {
		.c = prot,
		.d = flags,
		.e = offset,
	};
	uintptr_t start = (uintptr_t)addr;
	bool is_device = false;
	sigset_t before;
	int error = 0;
	void *at;

	if (channel_on() && fd >= 0 && !(flags & MAP_ANONYMOUS) && length &&
	    !(offset & (PAGE - 1)))
		request.inode = device_inode(fd);
	if (request.inode) {
		ranges_lock(&before);
		do {
			at = mmap_device(addr, page_up(length), flags, &request,
					 &is_device);
		} while (!is_device && device_is_another(fd, &request.inode));
		ranges_unlock(&before);
		if (is_device)
			return at;
	}

	if (flags & MAP_FIXED)
		error = make_way(start, page_up(start + length));
	if (error) {
		errno = -error;
		return MAP_FAILED;
	}

	return map(start, length, prot, flags, fd, offset);
}

/* A range's pages have their order; the kernel would map it over itself. */
int memory_remap_pages(void *addr, size_t length, int prot, size_t offset,
		       int flags)
{
	uintptr_t start = (uintptr_t)addr;
	sigset_t before;

	if (begin(start, page_up(start + length), &before)) {
		ranges_unlock(&before);
		errno = EINVAL;
		return -1;
	}

	return raw(SYS_remap_file_pages, addr, length, prot, offset, flags);
}

/*
 * Calls @each for what is of no range between, and with the range for what is.
 * The first error ends it.
 */
static int walk(uintptr_t start, uintptr_t end,
		int (*each)(uintptr_t start, uintptr_t end, struct range *range,
			    int arg),
		int arg)
{
	struct range *range;
	uintptr_t next;
	int error = 0;

	for (; start < end && !error; start = next) {
		range = ranges_from(start);
		if (range && range->start <= start) {
			next = range->end;
		} else {
			next = range && range->start < end ? range->start : end;
			range = NULL;
		}
		if (next > end)
			next = end;
		error = each(start, next, range, arg);
	}

	return error;
}

static int protect_part(uintptr_t start, uintptr_t end, struct range *range,
			int prot)
{
	if (!range)
		return raw(SYS_mprotect, start, end - start, prot);

	range->prot = prot;
	range_show(range);

	return 0;
}

int memory_mprotect(void *addr, size_t length, int prot)
{
	uintptr_t start = (uintptr_t)addr, end = page_up(start + length);
	sigset_t before;
	int64_t result;

	if (start & (PAGE - 1) || !begin(start, end, &before))
		return raw(SYS_mprotect, addr, length, prot);

	result = tell(OP_MPROTECT, start, end, prot);
	if (!result && ranges_split(start) && ranges_split(end))
		result = walk(start, end, protect_part, prot);
	else
		result = fail(result ?: -ENOMEM);
	ranges_unlock(&before);

	return result;
}

/* What other advice does is up to the server, or is of no effect. */
static bool is_harmless(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_DONTDUMP:
		return true;
	default:
		return false;
	}
}

static int advise_part(uintptr_t start, uintptr_t end, struct range *range,
		       int advice)
{
	if (range && !is_harmless(advice))
		return 0;
	if (range && advice == MADV_DONTFORK)
		range->no_fork = true;
	if (range && advice == MADV_DOFORK && range->no_fork) {
		range->no_fork = false;
		range->look = true;
	}

	return raw(SYS_madvise, start, end - start, advice);
}

int memory_madvise(void *addr, size_t length, int advice)
{
	uintptr_t start = (uintptr_t)addr, end = page_up(start + length);
	sigset_t before;
	int64_t result;

	if (start & (PAGE - 1) || !begin(start, end, &before))
		return raw(SYS_madvise, addr, length, advice);

	result = tell(OP_MADVISE, start, end, advice);
	if (!result)
		result = walk(start, end, advise_part, advice);
	else
		result = fail(result);
	ranges_unlock(&before);

	return result;
}

/* The server has moved it, and ended what was there before. */
static void *follow(uintptr_t start, size_t length, uintptr_t to)
{
	struct range range = *ranges_from(start);

	ranges_remove(start, start + length);
	raw(SYS_munmap, start, length);
	ranges_remove(to, to + length);
	range.start = to;
	range.end = to + length;
	if (!ranges_add(&range)) {
		tell(OP_MUNMAP, to, to + length, 0);
		errno = ENOMEM;
		return MAP_FAILED;
	}
	range_show(&range);

	return (void *)to;
}

/* Where ranges may go and how long they are, the server says. */
static void *mremap_range(uintptr_t start, size_t old_length, size_t new_length,
			  int flags, void *new_addr)
{
	struct request request = {
		.op = OP_MREMAP,
		.a = start,
		.b = old_length,
		.c = new_length,
		.d = flags,
		.e = (uintptr_t)new_addr,
	};
	struct answer answer;
	int64_t result = channel_call(&request, &answer);

	if (result < 0) {
		errno = -result;
		return MAP_FAILED;
	}
	if ((uint64_t)result != start)
		return follow(start, page_up(new_length), result);
	if (page_up(new_length) < page_up(old_length)) {
		ranges_remove(start + page_up(new_length),
			      start + page_up(old_length));
		raw(SYS_munmap, start + page_up(new_length),
		    page_up(old_length) - page_up(new_length));
	}

	return (void *)start;
}

void *memory_mremap(void *addr, size_t old_length, size_t new_length, int flags,
		    void *new_addr)
{
	uintptr_t start = (uintptr_t)addr;
	uintptr_t to = (uintptr_t)new_addr;
	sigset_t before;
	int error = 0;
	void *at;

	if (begin(start, page_up(start + (old_length ?: 1)), &before)) {
		at = mremap_range(start, old_length, new_length, flags,
				  new_addr);
		ranges_unlock(&before);
		return at;
	}

	if (flags & MREMAP_FIXED)
		error = make_way(to, page_up(to + new_length));
	if (error) {
		errno = -error;
		return MAP_FAILED;
	}

	return (void *)raw(SYS_mremap, addr, old_length, new_length, flags,
			   new_addr);
}

/* The lock is held: it was taken before the fork. */
void memory_after_fork(void)
{
	struct range *range = ranges_from(0);
	uintptr_t end;

	while (range) {
		end = range->end;
		if (range->no_fork)
			ranges_remove(range->start, end);
		else if (range->look)
			range_show(range);
		range = ranges_from(end);
	}
}

/* All entries go and come back; nobody may look in between. */
