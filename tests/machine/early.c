// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* A library to preload, which opens a device before the program begins. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static __attribute__((constructor)) void begin(void)
{
	int fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);

	dprintf(STDOUT_FILENO, "early: %s\n",
		fd < 0 ? strerror(errno) : "well");
}
