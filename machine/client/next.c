// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"

void *next_find(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found) {
		dprintf(STDERR_FILENO,
			"gntdev: the C library has no function %s\n", name);
		_exit(125);
	}

	return found;
}

long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
	static long (*next)(long number, ...);

	if (!next)
		next = (long (*)(long, ...))(uintptr_t)next_find("syscall");

	return next(number, a, b, c, d, e, f);
}
