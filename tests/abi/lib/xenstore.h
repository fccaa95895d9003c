/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* As much of a xenstore client as two domains need to talk. */
#ifndef ABI_XENSTORE_H
#define ABI_XENSTORE_H

#include <stddef.h>

/* Each process has a connection of its own. All return 0 or -errno. */
int xenstore_read(const char *path, char *value, size_t size);
int xenstore_write(const char *path, const char *value);
/* Nodes at that path and below it are watched from here on. */
int xenstore_watch(const char *path);
/* Readable when something is to be waited for. */
int xenstore_fd(void);
/* Wait until something watched has changed; -ETIMEDOUT. */
int xenstore_wait(unsigned int ms);

#endif
