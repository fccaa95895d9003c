// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The preloaded library sees all calls: so devices may be anywhere. */
#include <string.h>
#include <sys/mman.h>

#include "client.h"

bool descriptors_are_seen(void)
{
	return true;
}

void *place_reserve(size_t length)
{
	(void)length;
	return MAP_FAILED;
}

void place_used(uintptr_t start, uintptr_t end)
{
	(void)start;
	(void)end;
}

bool place_read(const char *from, char path[PATH_MAX])
{
	size_t length = from ? strnlen(from, PATH_MAX) : PATH_MAX;

	if (length == PATH_MAX)
		return false;
	memcpy(path, from, length + 1);

	return true;
}

bool place_take(void *to, const void *from, size_t size)
{
	return place_give(to, from, size);
}

bool place_give(void *to, const void *from, size_t size)
{
	if (!to || !from)
		return false;
	memcpy(to, from, size);

	return true;
}

bool place_may_look(void)
{
	return true;
}
