// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that the program starts. The filter goes with it: so it is the
 * loader that is started, which is told of the program in the environment. What
 * the kernel would refuse is found out before, for the error to be the kernel's.
 *
 * All of it may be called by a child that shares its parent's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../program.h"
#include "loader.h"
#include "stacks.h"

#ifndef AT_EACCESS
#define AT_EACCESS 0x200
#endif

/* What the program asks for. */
struct call {
	int folder, flags;
	long path, arguments, environment;
};

struct program {
	char path[PATH_MAX]; /* as the program is to know it */
	int fd;
};

/* ---- what it is ---- */

bool exec_script(int fd, struct script *script)
{
	long got =
		raw(SYS_pread64, fd, script->line, sizeof(script->line) - 1, 0);
	char *at, *end;

	if (got < 2 || script->line[0] != '#' || script->line[1] != '!')
		return false;
	script->line[got] = '\0';
	end = strchr(script->line, '\n') ?: script->line + got;
	while (end > script->line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	for (at = script->line + 2; *at == ' ' || *at == '\t';)
		at++;
	script->interpreter = at;
	while (*at && *at != ' ' && *at != '\t')
		at++;
	script->argument = NULL;
	if (*at) {
		*at++ = '\0';
		while (*at == ' ' || *at == '\t')
			at++;
		script->argument = *at ? at : NULL;
	}

	return *script->interpreter;
}

/* 0, or what execve() says of a file that nobody may run. */
static long may_run(int fd)
{
	struct stat status;
	char name[32];
	long error;

	if (raw(SYS_fstat, fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EACCES;
	error = raw_ask(SYS_faccessat2, fd, (long)"", 1,
			AT_EMPTY_PATH | AT_EACCESS, 0, 0);
	if (error != -ENOSYS)
		return error;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);

	return raw_ask(SYS_faccessat, AT_FDCWD, (long)name, 1, 0, 0, 0);
}

static int open_program(int folder, const char *path, int flags)
{
	return raw(SYS_openat, folder, path,
		   O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
			   (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0));
}

enum kind {
	KIND_LOADED,
	KIND_KERNELS, /* the kernel knows what to say, or to do */
};

/* Looks at a script's interpreter, and its interpreter. @fd stays the caller's. */
static long look(int fd, enum kind *kind)
{
	struct script script;
	char interpreter[PATH_MAX];
	int next = -1, at = fd;
	long error = may_run(fd);

	*kind = KIND_KERNELS;
	for (int depth = 0; !error && exec_script(at, &script); depth++) {
		error = depth == SCRIPTS ? -ELOOP : 0;
		if (error)
			break;
		next = open_program(AT_FDCWD, paths_exe(script.interpreter), 0);
		error = next < 0 ? -errno : may_run(next);
		if (at != fd)
			raw(SYS_close, at);
		at = next;
	}
	if (!error && image_look(at, interpreter, sizeof(interpreter))) {
		*kind = KIND_LOADED;
		if (*interpreter)
			error = raw_ask(SYS_faccessat, AT_FDCWD,
					(long)interpreter, 1, 0, 0, 0);
	}
	if (at != fd && at >= 0)
		raw(SYS_close, at);

	return error;
}

/* ---- its arguments ---- */

static long count_of(long list)
{
	long count = 0, entry;

	for (; list; count++) {
		if (!nofault_copy(&entry, (long *)list + count, sizeof(entry)))
			return -EFAULT;
		if (!entry)
			break;
	}

	return count;
}

/* What the loader reads of it in start.c. */
static void describe(char *text, size_t size, const struct trap *trap,
		     const struct program *program, int loader)
{
	snprintf(text, size, "%s=1:%d:%d:%lx:%s", ENV_LOADER, program->fd,
		 loader, *(unsigned long *)&trap->context->uc_sigmask,
		 program->path);
}

/* The loader, by its path; where that leads nowhere, by its descriptor. */
static long start_loader(struct trap *trap, const struct program *program,
			 long arguments, char **environment, char *entry,
			 size_t size)
{
	int self = kept_held();
	long error;

	error = raw_ask(SYS_execve, (long)loader_path, arguments,
			(long)environment, 0, 0, 0);
	if (self < 0 ||
	    (error != -ENOENT && error != -ENOTDIR && error != -EACCES))
		return error;
	describe(entry, size, trap, program, self);
	raw(SYS_fcntl, self, F_SETFD, 0);
	error = raw_ask(SYS_execveat, self, (long)"", arguments,
			(long)environment, AT_EMPTY_PATH, 0);
	raw(SYS_fcntl, self, F_SETFD, FD_CLOEXEC);

	return error;
}

/* The program's environment and what is missing in it, with room for that. */
static long start_with(struct trap *trap, const struct call *call,
		       const struct program *program, char **environment,
		       size_t count)
{
	char entry[PATH_MAX + 64];
	bool guest = connect_is_guest();
	long error;

	if (!nofault_copy(environment, (void *)call->environment,
			  count * sizeof(*environment)))
		return -EFAULT;
	describe(entry, sizeof(entry), trap, program, -1);
	count = settings_add(environment, count);
	environment[count] = entry;
	environment[count + 1] = NULL;

	trap_before_exec(guest);
	error = start_loader(trap, program, call->arguments, environment, entry,
			     sizeof(entry));
	trap_exec_failed(guest);

	return error;
}

/*
 * On our stack, if it takes that: what is mapped by the child of vfork() would be
 * its parent's for ever.
 */
static long start(struct trap *trap, const struct call *call,
		  const struct program *program)
{
	long count = count_of(call->environment), error;
	char **environment;
	size_t size;

	if (count < 0)
		return count;
	size = (count + SETTINGS + 2) * sizeof(*environment);
	if (size <= STACK_BYTES / 4)
		return start_with(trap, call, program, __builtin_alloca(size),
				  count);
	environment = map(0, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (environment == MAP_FAILED)
		return -ENOMEM;
	error = start_with(trap, call, program, environment, count);
	raw(SYS_munmap, environment, size);

	return error;
}

/* As the program has asked for it. */
static long by_kernel(struct trap *trap)
{
	uint64_t *mask = (uint64_t *)&trap->context->uc_sigmask, all;
	bool guest = connect_is_guest();
	long error;

	trap_before_exec(guest);
	raw(SYS_rt_sigprocmask, SIG_SETMASK, mask, &all, sizeof(all));
	error = raw_ask(trap->number, trap->a[0], trap->a[1], trap->a[2],
			trap->a[3], trap->a[4], 0);
	raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	trap_exec_failed(guest);

	return error;
}

/* ---- which it is ---- */

static void read_call(const struct trap *trap, struct call *call)
{
	bool at = trap->number == SYS_execveat;
	const long *a = trap->a + at;

	*call = (struct call){
		.folder = at ? trap->a[0] : AT_FDCWD,
		.flags = at ? trap->a[4] : 0,
		.path = a[0],
		.arguments = a[1],
		.environment = a[2],
	};
}

/* How the kernel calls what is started by a descriptor. */
static void name_by_descriptor(const struct call *call, const char *path,
			       struct program *program)
{
	if (*path)
		snprintf(program->path, sizeof(program->path), "/dev/fd/%d/%s",
			 call->folder, path);
	else
		snprintf(program->path, sizeof(program->path), "/dev/fd/%d",
			 call->folder);
}

static long find(const struct call *call, struct program *program)
{
	char path[PATH_MAX], link[32];
	const char *real;

	if (!paths_read(call->path, path, sizeof(path)))
		return -EFAULT;
	real = paths_exe(path);
	if (!*path && call->flags & AT_EMPTY_PATH) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", call->folder);
		program->fd = open_program(AT_FDCWD, link, 0);
	} else {
		program->fd = open_program(call->folder, real, call->flags);
	}
	if (*path == '/' || (*path && call->folder == AT_FDCWD))
		strcpy(program->path, path);
	else
		name_by_descriptor(call, path, program);

	return program->fd < 0 ? -errno : 0;
}

/* What runs all the same, but not as it would. */
static void warn(const struct program *program, enum kind kind)
{
	struct stat status;

	if (raw(SYS_fstat, program->fd, &status))
		return;
	if (kind == KIND_KERNELS) {
		if (image_is_others(program->fd))
			say_line(program->path,
				 " is for another processor or word size than gntdev: so without the machine's devices",
				 NULL);
		return;
	}
	if ((status.st_mode & S_ISUID && status.st_uid != geteuid()) ||
	    (status.st_mode & S_ISGID && status.st_mode & S_IXGRP &&
	     status.st_gid != getegid()))
		say_line(program->path,
			 " is set-uid or set-gid: the loader starts it without these rights",
			 NULL);
}

/* Only the loader could start it, which would have to read it. */
static long refuse_unreadable(const struct program *program)
{
	say_line(program->path,
		 " may be run, but not read: so it cannot be given the machine's devices",
		 NULL);
	return -EACCES;
}

/* A `gntdev run` that the program has started starts a loader of its own. */
static bool is_loaders(const struct call *call)
{
	const long *environment = (const long *)call->environment;
	const char *entry;

	for (; environment; environment++) {
		if (!nofault_copy(&entry, environment, sizeof(entry)) || !entry)
			break;
		if (settings_is(entry, ENV_LOADER))
			return true;
	}

	return false;
}

long exec_program(struct trap *trap)
{
	struct program program;
	struct call call;
	enum kind kind;
	long error;

	read_call(trap, &call);
	if (call.flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) ||
	    is_loaders(&call))
		return by_kernel(trap);
	error = find(&call, &program);
	if (error == -EACCES &&
	    !raw(SYS_faccessat, call.folder, program.path, 1))
		return refuse_unreadable(&program);
	if (error)
		return by_kernel(trap);
	error = look(program.fd, &kind);
	if (!error)
		warn(&program, kind);
	if (!error && kind == KIND_KERNELS) {
		raw(SYS_close, program.fd);
		return by_kernel(trap);
	}
	if (!error) {
		/* Its number is the lowest that is free, as a leader's may be. */
		raw(SYS_fcntl, program.fd, F_SETFD, 0);
		error = start(trap, &call, &program);
	}
	raw(SYS_close, program.fd);

	return error;
}
