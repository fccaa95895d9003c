/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pages of a program's own that are pinned for long: models. What the machine can
 * hold on to, whatever its program does, are pages of files in memory. So that is
 * what such memory has to be: a memfd, a file of a tmpfs, shared memory. Memory that
 * is a program's alone its library makes such before it asks (client/lend.c).
 */
#ifndef MACHINE_KERNEL_LENT_PAGES_H
#define MACHINE_KERNEL_LENT_PAGES_H

#include "base.h"

struct task;

/* Memory that the library has made a file of has that name. */
#define LENT_MEMFD "gntdev-memory"

/* A file whose pages are a domain's too. Under the hypervisor's lock. */
struct lent_file;
/* Closes all that nothing is in use of. */
void lent_files_stop(void);

/* A piece of a program's memory that such a file is mapped in. */
struct lent_stretch {
	unsigned long start, end;
	u64 offset; /* in the file, of @start */
	struct lent_file *file; /* NULL: none yet */
};

/*
 * What is at @addr, unless @s is that already. False if it cannot be held, with
 * a line in the log.
 */
bool lent_stretch_find(struct task *task, unsigned long addr,
		       struct lent_stretch *s);
struct frame_file;
struct frame_file *lent_stretch_memory(const struct lent_stretch *s);
void lent_stretch_end(struct lent_stretch *s);

#endif /* MACHINE_KERNEL_LENT_PAGES_H */
