/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How a guest tells domain 0 where it is, and waits until that has heard: a node
 * of each, whose changes the other one is told of. Nobody looks again and again,
 * which would be counted.
 */
#ifndef STORE_H
#define STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#define SAID_BY_GUEST "/local/domain/%u/data/bench"
#define SAID_BY_HOST "/local/domain/0/data/bench"

static inline void store_say(struct xs_handle *xs, const char *node,
			     const char *words)
{
	if (!xs_write(xs, XBT_NULL, node, words, strlen(words))) {
		perror(node);
		exit(1);
	}
}

/* What a node says, which has changed or may have; the caller's to free. */
static inline char *store_hear(struct xs_handle *xs, const char *node)
{
	unsigned int length;
	char **event = xs_read_watch(xs, &length);

	free(event);
	return xs_read(xs, XBT_NULL, node, &length);
}

#endif /* STORE_H */
