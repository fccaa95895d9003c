/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Stacks of the loader's own. A signal may come on a small one of the program's
 * (Go's, Rust's and Java's are a few KiB), so that a call is done on one of these.
 */
#ifndef LOADER_STACKS_H
#define LOADER_STACKS_H

#include <stdatomic.h>

#define STACK_BYTES 65536
#define STACKS 64

union stack {
	struct {
		/* Not 0: in use. The kernel clears it, see trap_before_exec(). */
		atomic_int busy;
		int error; /* errno of who runs on it */
	};
	char room[STACK_BYTES];
} __attribute__((aligned(STACK_BYTES)));

extern union stack stacks[STACKS];

#endif /* LOADER_STACKS_H */
