// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The C library's own functions, which this library stands before. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

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
