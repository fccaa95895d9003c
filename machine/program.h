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
	PROGRAM_MIXED, /* the same, and calls libraries, too */
	PROGRAM_OTHER_MACHINE, /* 32 bits, or another processor */
	PROGRAM_OTHER_LOADER, /* another C library */
	PROGRAM_PRIVILEGED, /* set-uid and the like: preloads nothing */
};

/*
 * Looks at the program, or at the interpreter if it is a script: @path gets
 * that one's name. Usable between fork() and execve().
 */
enum program_kind program_look(char *path, size_t size);
/* Whether it is one for the loader, unless the user wants it otherwise. */
bool program_is_for_loader(enum program_kind kind);
/* Whether the preloaded library can serve it, as far as can be seen. */
bool program_is_for_preload(enum program_kind kind);
/* Says in words what is wrong with it, for a line that begins with its name. */
const char *program_why(enum program_kind kind);

#if defined(__x86_64__) || defined(__aarch64__)
#define PROGRAM_HAS_LOADER true
#else
#define PROGRAM_HAS_LOADER false
#endif

#endif /* MACHINE_PROGRAM_H */
