// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* starter WAY PROGRAM: becomes the program, or waits for it, in one of the ways. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int spawn(const char *program, char **environment)
{
	char *const arguments[] = {(char *)program, NULL};
	int status = 1;
	pid_t child;

	errno = posix_spawn(&child, program, NULL, NULL, arguments,
			    environment);
	if (errno)
		return 1;
	waitpid(child, &status, 0);
	return status != 0;
}

/* Comes back where it has failed, or where it knows no such way. */
static void become(const char *way, const char *program)
{
	char *const arguments[] = {(char *)program, NULL};
	int fd = open(program, O_RDONLY | O_CLOEXEC);

	if (!strcmp(way, "execve"))
		execve(program, arguments, environ);
	if (!strcmp(way, "execv"))
		execv(program, arguments);
	if (!strcmp(way, "execl"))
		execl(program, program, "--", NULL);
	if (!strcmp(way, "execlp"))
		execlp(program, program, NULL);
	if (!strcmp(way, "execle"))
		execle(program, program, "--", NULL, environ);
	if (!strcmp(way, "fexecve"))
		fexecve(fd, arguments, environ);
	if (!strcmp(way, "execveat"))
		execveat(AT_FDCWD, program, arguments, environ, 0);
	if (!strcmp(way, "execveat-fd"))
		execveat(fd, "", arguments, environ, AT_EMPTY_PATH);
	if (!strcmp(way, "syscall-execve"))
		syscall(SYS_execve, program, arguments, environ);
	if (!strcmp(way, "syscall-execveat"))
		syscall(SYS_execveat, fd, "", arguments, environ,
			AT_EMPTY_PATH);
}

/* The same, with another environment than it has. */
static void become_bare(const char *way, const char *program)
{
	char *nothing[] = {NULL}, *other[] = {"LD_PRELOAD=", NULL};
	char *const arguments[] = {(char *)program, NULL};
	int fd = open(program, O_RDONLY | O_CLOEXEC);

	if (!strcmp(way, "empty-execve"))
		execve(program, arguments, nothing);
	if (!strcmp(way, "empty-execle"))
		execle(program, program, NULL, nothing);
	if (!strcmp(way, "empty-null"))
		syscall(SYS_execve, program, arguments, NULL);
	if (!strcmp(way, "empty-fexecve"))
		fexecve(fd, arguments, nothing);
	if (!strcmp(way, "no-preload"))
		execve(program, arguments, other);
	if (!strcmp(way, "no-machine")) {
		unsetenv("GNTDEV_MACHINE");
		execv(program, arguments);
	}
}

/* Whether requests are EFAULT where the server may not see the process. */
static int undumpable(void)
{
	int fd;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	fd = open("/dev/xen/gntdev", O_RDWR);
	if (ioctl(fd, _IOC(0, 'G', 3, 4), (int[]){5}) < 0 && errno == EFAULT)
		return 0;

	return 3;
}

int main(int argc, char **argv)
{
	char *nothing[] = {NULL};
	const char *way = argv[1], *program = argv[2];

	if (argc != 3)
		return 2;
	become(way, program);
	become_bare(way, program);
	if (!strcmp(way, "spawn"))
		return spawn(program, environ);
	if (!strcmp(way, "empty-spawn"))
		return spawn(program, nothing);
	if (!strcmp(way, "system")) {
		clearenv();
		return system(program);
	}
	if (!strcmp(way, "popen")) {
		clearenv();
		return pclose(popen(program, "r"));
	}
	if (!strcmp(way, "undumpable"))
		return undumpable();
	perror(way);

	return 1;
}
