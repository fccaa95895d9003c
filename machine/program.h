/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Whether a program can be given the machine's devices. */
#ifndef MACHINE_PROGRAM_H
#define MACHINE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum program_kind {
	PROGRAM_GOOD, /* as far as can be seen */
	PROGRAM_UNREADABLE, /* errno says why */
	PROGRAM_STATIC,
	PROGRAM_GO, /* makes system calls of its own */
	PROGRAM_OTHER_MACHINE, /* 32 bits, or another processor */
	PROGRAM_OTHER_LOADER, /* another C library */
	PROGRAM_PRIVILEGED, /* set-uid and the like: preloads nothing */
};

/*
 * Looks at the program, or at the interpreter if it is a script: @path gets
 * that one's name. Usable between fork() and execve().
 */
enum program_kind program_look(char *path, size_t size);
/* Says in words what is wrong with it, for a line that begins with its name. */
const char *program_why(enum program_kind kind);
#endif /* MACHINE_PROGRAM_H */
