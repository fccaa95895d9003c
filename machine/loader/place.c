// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where devices are mapped: in the window that the filter looks at, unless the
 * program says where. Then the filter has to look everywhere.
 */
#include <errno.h>
#include <sys/mman.h>

#include "loader.h"

/* How many places are tried. */
#define TRIES 4096
#define STEP 65536ul

/* What dup() and recvmsg() bring it is not. */
bool descriptors_are_seen(void)
{
	return false;
}

void *place_reserve(size_t length)
{
	static uintptr_t next = WINDOW_START;
	uintptr_t at = next;
	const struct range *range;
	void *got;

	for (int i = 0; i < TRIES; i++) {
		if (at + length > WINDOW_END || at + length < at)
			at = WINDOW_START;
		if (at + length > WINDOW_END || at + length < at)
			break;
		got = map(at, length, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				  MAP_FIXED_NOREPLACE,
			  -1, 0);
		if ((uintptr_t)got == at) {
			/* What runs over the end is to be seen. */
			next = at + length + PAGE;
			return got;
		}
		if (got != MAP_FAILED)
			raw(SYS_munmap, got, length);
		else if (errno != EEXIST)
			break;
		range = ranges_from(at);
		at = range && range->start <= at ? range->end + PAGE
						 : at + STEP;
	}

	return MAP_FAILED;
}

void place_used(uintptr_t start, uintptr_t end)
{
	if (start >= WINDOW_START && end <= WINDOW_END)
		return;
	if (filter_widen())
		say_line("a device is mapped where the loader cannot see it unmapped",
			 NULL);
}

bool place_read(const char *from, char path[PATH_MAX])
{
	return from && paths_read((long)from, path, PATH_MAX);
}

bool place_take(void *to, const void *from, size_t size)
{
	return nofault_copy(to, from, size);
}

bool place_give(void *to, const void *from, size_t size)
{
	return nofault_copy(to, from, size);
}

bool place_may_look(void)
{
	return !paths_restricted;
}
