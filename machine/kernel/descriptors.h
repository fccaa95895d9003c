/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Descriptors of tasks, by number: models. The numbers are in a table here, or
 * a server has them with the programs themselves (struct machine_descriptors).
 */
#ifndef MACHINE_KERNEL_DESCRIPTORS_H
#define MACHINE_KERNEL_DESCRIPTORS_H

#include "base.h"
#include "files.h"

struct files_struct;

int get_unused_fd_flags(unsigned int flags);
void put_unused_fd(unsigned int fd);
void fd_install(unsigned int fd, struct file *file);
/*
 * With a server's numbers @f sees the descriptor @n alone, and must not ask for
 * more.
 */
int iterate_fd(struct files_struct *files, unsigned int n,
	       int (*f)(const void *arg, struct file *file, unsigned int fd),
	       const void *arg);

/* ---- of the machine alone ---- */

/* With a reference, or NULL. */
struct file *descriptor_get(unsigned int fd);
struct files_struct *descriptors_new(struct task *task);
/* NULL: numbers of the table here. */
void descriptors_start(const struct machine_descriptors *numbers);
void descriptors_fork(struct task *parent, struct task *child);
void descriptors_exec(struct task *task);
void descriptors_exit(struct task *task);

#endif /* MACHINE_KERNEL_DESCRIPTORS_H */
