// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Mapped devices. The server keeps the kernel's side: what may be done with a
 * range, and what the hypervisor knows of it. Here the program's own entries
 * follow: pages of the granter's memory, in the place that the kernel chose.
 */
#include <errno.h>
#include <sys/mman.h>

#include "client.h"

static void count_packet(const struct answer *answer, const void *bytes, int fd,
			 void *arg)
{
	(void)bytes;
	(void)fd;
	if (answer->value >= 0)
		*(size_t *)arg += answer->bytes / sizeof(struct segment);
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
int memory_evict(uintptr_t start, uintptr_t end)
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
	if (result == -EMFILE || result == -ENFILE)
		result = -ENOMEM;
	if (!result) {
		ranges_remove(start, end);
		return 0;
	}

	for (range = ranges_from(start); whole && range && range->start < end;
	     range = ranges_from(range->end))
		show_again(range);

	return result;
}

/* Is there a range between? Takes the lock only if it may be. */
bool memory_begin(uintptr_t start, uintptr_t end, sigset_t *before)
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

/* Which places the kernel may choose. */
#ifdef MAP_32BIT
#define CHOICE MAP_32BIT
#else
#define CHOICE 0
#endif

/* An address that is ours until the server has said what comes there. */
static void *reserve(void *addr, size_t length, int flags)
{
	void *at;

	flags &= MAP_FIXED_NOREPLACE | CHOICE;
	at = flags ? MAP_FAILED : place_reserve(length);
	if (at != MAP_FAILED)
		return at;

	return map((uintptr_t)addr, length, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

/* Whether it takes a mapping there, but that something may be in its place. */
static bool takes(uintptr_t start, uintptr_t end)
{
	void *at = reserve((void *)start, end - start, MAP_FIXED_NOREPLACE);

	if (at != MAP_FAILED)
		raw(SYS_munmap, at, end - start);

	return at != MAP_FAILED || errno == EEXIST;
}

/*
 * Whether there are such addresses, which the kernel looks at first. That it
 * takes no mapping at all now, where a range is, has other reasons.
 */
static bool are_addresses(uintptr_t start, uintptr_t end)
{
	return takes(start, end) || !takes(start, start + PAGE);
}

int memory_munmap(void *addr, size_t length)
{
	uintptr_t start = (uintptr_t)addr, end = page_up(start + length);
	int error = -EINVAL, saved = errno;
	sigset_t before;

	if (start & (PAGE - 1) || end <= start ||
	    !memory_begin(start, end, &before))
		return raw(SYS_munmap, addr, length);

	if (are_addresses(start, end))
		error = memory_evict(start, end);
	errno = saved;
	if (error)
		error = fail(error);
	else
		error = raw(SYS_munmap, addr, length);
	ranges_unlock(&before);

	return error;
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
	if (!ranges_add(&range) || (show.failed && !show_again(&range))) {
		ranges_remove(start, end);
		tell(OP_MUNMAP, start, end, 0);
		*result = -ENOMEM;
		return true;
	}
	show_inheritance(&range);

	return true;
}

/*
 * A fixed place is left as it is until the server has said yes; but if nothing
 * is there, nobody else may take it meanwhile. MAP_FAILED if it cannot be one.
 */
static void *hold(void *addr, size_t length, bool *held)
{
	void *at = reserve(addr, length, MAP_FIXED_NOREPLACE);

	*held = at == addr;
	if (at == MAP_FAILED && errno != EEXIST)
		return at;
	if (at != MAP_FAILED && !*held)
		raw(SYS_munmap, at, length);

	return addr;
}

/* What the kernel says of flags that no such file can have. */
static int check_flags(int flags)
{
	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE &&
	    flags & (MAP_SYNC | MAP_FIXED_NOREPLACE))
		return EOPNOTSUPP;

	return flags & (MAP_HUGETLB | MAP_GROWSDOWN) ? EINVAL : 0;
}

static void *mmap_device(void *addr, size_t length, int flags,
			 struct request *request, bool *is_device)
{
	uintptr_t start = (uintptr_t)addr;
	bool held = true;
	int64_t result;
	void *at;

	*is_device = true;
	if (!length) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if (flags & MAP_FIXED &&
	    (start & (PAGE - 1) || start + length < start)) {
		errno = start & (PAGE - 1) ? EINVAL : ENOMEM;
		return MAP_FAILED;
	}
	at = flags & MAP_FIXED ? hold(addr, length, &held)
			       : reserve(addr, length, flags);
	if (at == MAP_FAILED)
		return at;
	start = (uintptr_t)at;

	*is_device = map_device(start, start + length, request, &result);
	if (*is_device && !result)
		return at;

	if (held)
		raw(SYS_munmap, at, length);
	else if (*is_device && overlaps(start, start + length))
		forget_lost(start, start + length);
	errno = -result;

	return MAP_FAILED;
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

	if (fd >= 0 && !(flags & MAP_ANONYMOUS) && length &&
	    !(offset & (PAGE - 1)))
		request.inode = device_inode(fd);
	if (request.inode && check_flags(flags)) {
		errno = check_flags(flags);
		return MAP_FAILED;
	}
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
		error = replace_by_map(&(struct map){start, length, prot, flags,
						     fd, offset});
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

	if (memory_begin(start, page_up(start + length), &before)) {
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
	if (!show_again(range))
		return raw(SYS_mprotect, start, end - start, prot);

	return 0;
}

/* PROT_SEM, and what arm64 has; a device's mapping does not grow. */
#define PROT_BITS (PROT_READ | PROT_WRITE | PROT_EXEC | 0x8 | 0x30)

int memory_mprotect(void *addr, size_t length, int prot)
{
	uintptr_t start = (uintptr_t)addr, end = page_up(start + length);
	sigset_t before;
	int64_t result;

	if (start & (PAGE - 1) || !memory_begin(start, end, &before))
		return raw(SYS_mprotect, addr, length, prot);
	if (prot & ~PROT_BITS) {
		ranges_unlock(&before);
		return fail(-EINVAL);
	}

	result = tell(OP_MPROTECT, start, end, prot);
	if (!result && ranges_split(start) && ranges_split(end))
		result = walk(start, end, protect_part, prot);
	else
		result = fail(result ?: -ENOMEM);
	ranges_unlock(&before);

	return result;
}

/* Files without fsync() cannot be written back; devices are such. */
int memory_msync(void *addr, size_t length, int flags)
{
	uintptr_t start = (uintptr_t)addr, end = page_up(start + length);
	sigset_t before;
	int error = raw(SYS_msync, addr, length, flags);

	if ((error && errno != ENOMEM) || !(flags & MS_SYNC) ||
	    !memory_begin(start, end, &before))
		return error;
	ranges_unlock(&before);
	errno = EINVAL;

	return -1;
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

	if (start & (PAGE - 1) || !memory_begin(start, end, &before))
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
	show_again(&range);

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
	sigset_t before;
	int error = 0;
	void *at;

	if (memory_begin(start, page_up(start + (old_length ?: 1)), &before)) {
		at = mremap_range(start, old_length, new_length, flags,
				  new_addr);
		ranges_unlock(&before);
		return at;
	}

	if (flags & MREMAP_FIXED)
		error = replace_by_move(&(struct move){
			start, (uintptr_t)new_addr, old_length, new_length,
			flags});
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
			show_again(range);
		range = ranges_from(end);
	}
}

/* All entries go and come back; nobody may look in between. */
