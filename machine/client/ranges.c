// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where devices are mapped in this process, ordered by address. Most programs
 * map and unmap a great deal that is none of it: two bounds answer for that.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "client.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct range *ranges;
static size_t count;
/* All ranges are between; both 0 if there is none. */
static atomic_uintptr_t lowest, highest;

void ranges_lock(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
	pthread_mutex_lock(&lock);
}

void ranges_unlock(const sigset_t *before)
{
	pthread_mutex_unlock(&lock);
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

void ranges_reset_lock(void)
{
	pthread_mutex_init(&lock, NULL);
}

bool ranges_maybe(uintptr_t start, uintptr_t end)
{
	return start < highest && end > lowest;
}

bool ranges_any(void)
{
	return count;
}

static void set_bounds(void)
{
	lowest = count ? ranges[0].start : 0;
	highest = count ? ranges[count - 1].end : 0;
}

/* More than the kernel lets a process have, unless it is told to. */
static bool make_room(void)
{
	if (!ranges)
		ranges = reserve_ranges();

	return ranges && count < RANGES_BYTES / sizeof(*ranges);
}

/* The place of the first range that ends above an address. */
static size_t place_of(uintptr_t from)
{
	size_t low = 0, high = count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (ranges[middle].end > from)
			high = middle;
		else
			low = middle + 1;
	}

	return low;
}

struct range *ranges_from(uintptr_t from)
{
	size_t place = place_of(from);

	return place < count ? &ranges[place] : NULL;
}

bool ranges_add(const struct range *range)
{
	size_t place = place_of(range->start);

	if (!make_room())
		return false;
	memmove(ranges + place + 1, ranges + place,
		(count - place) * sizeof(*ranges));
	ranges[place] = *range;
	count++;
	set_bounds();
	place_used(range->start, range->end);

	return true;
}

bool ranges_split(uintptr_t at)
{
	struct range *range = ranges_from(at), rest;

	if (!range || range->start >= at)
		return true;
	rest = *range;
	rest.start = at;
	if (!make_room())
		return false;
	ranges_from(at)->end = at;

	return ranges_add(&rest);
}

void ranges_remove(uintptr_t start, uintptr_t end)
{
	size_t first, last;

	if (!count)
		return;
	ranges_split(start);
	ranges_split(end);
	first = place_of(start);
	for (last = first; last < count && ranges[last].end <= end;)
		last++;
	memmove(ranges + first, ranges + last,
		(count - last) * sizeof(*ranges));
	count -= last - first;
	set_bounds();
}
