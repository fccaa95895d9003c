/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The loader: programs that no library can be given are started by it. It has no
 * C library, stays in the process, and takes those system calls for itself that
 * may be about the machine's devices: a seccomp filter makes a SIGSYS of them,
 * but where its own text makes them. What a device is to a program is what it is
 * in the preloaded library, whose files (machine/client) are also linked here.
 *
 * Its text and data are at a fixed address. A filter is inherited by fork() and
 * execve(), and can never be taken back: so each program that is started from
 * here on is started by the loader, at the very addresses that the filter knows.
 */
#ifndef LOADER_H
#define LOADER_H

#include <elf.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <ucontext.h>

#include "../client/client.h"

/* ---- addresses ---- */

/*
 * What the filter lets make system calls: machine/loader/loader.ld has it, too. It
 * is below the shadows of sanitizers, and where TSan expects a program.
 */
#define TEXT_START 0x7c000000u
#define TEXT_END 0x7c100000u

/*
 * Where devices are mapped: whole 4 GiB, of which the filter has to look at the
 * upper half of an address only. Nothing is there before: below any program that
 * is placed by the kernel or the loader, and no sanitizer's shadow.
 */
#ifdef __x86_64__
#define WINDOW_START 0x550000000000ul
#define WINDOW_END 0x551000000000ul
#else
#define WINDOW_START 0xaaac00000000ul
#define WINDOW_END 0xaaaf00000000ul
#endif
/* Where programs are that can be anywhere: where a kernel puts them, and so far up. */
#ifdef __x86_64__
#define PROGRAM_BASE 0x555555554000ul
#define PROGRAM_SPREAD (1ul << 40)
#else
#define PROGRAM_BASE 0xaaaaaaaaa000ul
#define PROGRAM_SPREAD (1ul << 32)
#endif

/* ---- libc.c: what machine/client wants of a C library ---- */

long parse_long(const char *text, const char **end);
/* gntdev: and the parts, as one line; the last one is NULL. */
void say_line(const char *first, ...);
/* The program's name, for people. */
extern char *program_invocation_short_name;

/* ---- settings.c: what the program is to have in its environment ---- */

void settings_read(char **environment);
/* Whether an entry of the program's has that name. */
bool settings_is(const char *entry, const char *name);
/* As many may be added to an environment. */
#define SETTINGS 7
/* Adds what an environment of @count entries has not, and NULL; their number. */
size_t settings_add(char **environment, size_t count);

/* ---- image.c: a program into memory ---- */

struct image {
	uintptr_t entry; /* where to begin */
	uintptr_t base; /* of the interpreter; 0: there is none */
	uintptr_t own_entry; /* the program's */
	uintptr_t headers;
	size_t header_count;
	uintptr_t end; /* of all its segments */
	uintptr_t code_start, code_end, data_start, data_end;
	bool executable_stack;
};

/* NULL, or why not. */
const char *image_load(int fd, struct image *image);
/* Whether it is one that can be loaded; its interpreter's name, or "". */
bool image_look(int fd, char *interpreter, size_t size);
/* Whether it is a program, but for other processors or words. */
bool image_is_others(int fd);

/* ---- filter.c ---- */

/* What SIGSYS says if it is of our filter. */
#define FILTER_MARK 0x6e74
/* A call that is none: the second half of one that has waited, see trap.c. */
#define FILTER_AGAIN 0x676e

/* A negative errno. */
int filter_install(void);
/* From now on for memory calls at any address. */
int filter_widen(void);
/* For reading and writing, too. */
int filter_devices(void);
void filter_after_fork(void);

/* ---- trap.c ---- */

struct trap {
	long number;
	long a[6];
	siginfo_t *info;
	ucontext_t *context;
};

void trap_begin(void);
/* Of the processor's. */
uintptr_t *trap_pc(ucontext_t *context);
uintptr_t *trap_sp(ucontext_t *context);
void trap_set_result(struct trap *trap, long result);
/*
 * The program makes the call itself, as if it had not been asked; false if it
 * has no stack for that.
 */
bool trap_let(struct trap *trap);
/* The same with @mask in the place of what argument @at points to. */
bool trap_let_masked(struct trap *trap, int at, uint64_t mask);
/* The same with another value of that argument. */
bool trap_let_changed(struct trap *trap, int at, long value);
/* The same, and what has to be done then follows. */
bool trap_let_and_return(struct trap *trap);
/* In the child of a fork: who was in calls is not here. */
void trap_after_fork(void);
/* Others may have the stack of this call as soon as execve() has worked. */
void trap_before_exec(bool guest);
void trap_exec_failed(bool guest);

/* ---- dispatch.c ---- */

enum verdict {
	CALL_DONE, /* @result is 0 or more, or a negative errno */
	CALL_LET, /* the program makes it itself */
	CALL_ARRANGED, /* so it does already */
};

enum verdict dispatch(struct trap *trap, long *result);

/* ---- paths.c ---- */

/* The program has a filter of its own: no call beside those that it makes. */
extern bool paths_restricted;
/* False if it cannot be read. */
bool paths_read(long address, char *path, size_t size);
/* Calls that are about a path. */
enum verdict paths_call(struct trap *trap, long *result);
/* What the program is, for those who look at /proc/self/exe. */
void paths_begin(int fd, const char *path);
/* The file of the program if it is /proc/self/exe that is meant, or @path. */
const char *paths_exe(const char *path);

/* ---- exec.c ---- */

/* What begins a script: the interpreter, and an argument or NULL. */
struct script {
	char line[256];
	char *interpreter, *argument;
};
/* As many may be on top of each other. */
#define SCRIPTS 5

/* False if it is none. */
bool exec_script(int fd, struct script *script);
/* A negative errno, if it returns. */
long exec_program(struct trap *trap);

/* ---- start.c ---- */

/* How it is started again. */
extern char loader_path[];

/* ---- signals.c ---- */

#define MASK_SIGSYS (1ul << (SIGSYS - 1))

struct kernel_action {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

void signals_begin(void (*on_sigsys)(int, siginfo_t *, void *));
/* Those of faults come, also where the program has blocked them. */
void signals_take_faults(ucontext_t *context);
long signals_action(struct trap *trap);
long signals_mask(struct trap *trap);
/* Calls that wait with another mask. */
enum verdict signals_wait(struct trap *trap);
#ifdef __x86_64__
/* A handler of the program's has ended. */
enum verdict signals_end(struct trap *trap);
#endif
/* A SIGSYS that is none of ours. */
void signals_pass(int number, siginfo_t *info, void *context);

#endif /* LOADER_H */
