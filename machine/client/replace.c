// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Something else comes where devices are mapped, by MAP_FIXED or mremap(). Their
 * mappings end before; but if the kernel then said no, they would be gone for
 * nothing: so it is asked first.
 */
#include <sys/mman.h>

#include "client.h"

/* Whether mmap() will do it: what it is to replace is gone if it does not. */
static int may_map(const void *arg)
{
	const struct map *wanted = arg;
	int flags = wanted->flags & ~(MAP_FIXED | MAP_POPULATE | MAP_LOCKED);
	void *at;

	/* Something is there, which is the last thing to be found out. */
	at = map(wanted->start, wanted->length, wanted->prot,
		 flags | MAP_FIXED_NOREPLACE, wanted->fd, wanted->offset);
	if (at == MAP_FAILED && errno != EEXIST)
		return -errno;
	if (at != MAP_FAILED)
		raw(SYS_munmap, at, wanted->length);
	if (flags & MAP_HUGETLB || !reserve_page())
		return 0;

	at = map((uintptr_t)reserve_page(), PAGE, wanted->prot,
		 flags | MAP_FIXED, wanted->fd, wanted->offset);
	if (at == MAP_FAILED)
		return -errno;
	hide((uintptr_t)at, (uintptr_t)at + PAGE);

	return 0;
}

/* The same for mremap(). */
static int may_move(const void *arg)
{
	const struct move *wanted = arg;
	uintptr_t from = wanted->from, from_end, to_end;

	from_end = page_up(from + (wanted->old_length ?: 1));
	to_end = page_up(wanted->to + wanted->new_length);
	if (wanted->flags &
		    ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) ||
	    !(wanted->flags & MREMAP_MAYMOVE) || from & (PAGE - 1) ||
	    wanted->to & (PAGE - 1) || !wanted->new_length ||
	    to_end <= wanted->to || (from < to_end && wanted->to < from_end))
		return -EINVAL;
	if (raw(SYS_msync, from, from_end - from, MS_ASYNC))
		return -EFAULT;

	return 0;
}

/*
 * What is mapped over ranges takes their place, if it can be mapped at all:
 * @may says that of @wanted.
 */
static int make_way(uintptr_t start, uintptr_t end,
		    int (*may)(const void *wanted), const void *wanted)
{
	sigset_t before;
	int error;

	if (start & (PAGE - 1) || end <= start ||
	    !memory_begin(start, end, &before))
		return 0;
	error = may(wanted);
	if (!error)
		error = memory_evict(start, end);
	ranges_unlock(&before);

	return error;
}

int replace_by_map(const struct map *wanted)
{
	return make_way(wanted->start, page_up(wanted->start + wanted->length),
			may_map, wanted);
}

int replace_by_move(const struct move *wanted)
{
	return make_way(wanted->to, page_up(wanted->to + wanted->new_length),
			may_move, wanted);
}
