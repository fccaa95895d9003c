// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A test in C, which CTest runs by `gntdev run`: it is a program of domain 0, and
 * starts the frontend in domain 1 of its own machine, and the backend in domain 0,
 * when there is something to map.
 *
 * pair FRONT BACK STATUS [FAIL]: the backend's status is to be that, where what FAIL
 * says fails.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *gntdev, *machine;

static pid_t start(char *const command[])
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid)
		return pid;
	execvp(command[0], command);
	err(127, "%s", command[0]);
}

static int status_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");

	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t start_back(char *back, char *fail)
{
	char *command[] = {(char *)gntdev, "run", "--machine", (char *)machine,
			   "--report", "--wait-for",
			   "xenstore:/local/domain/1/data/ready=1",
			   /* Both of these, or neither. */
			   "--fail", fail, "--", back, "1", NULL};

	if (!fail)
		memmove(&command[7], &command[9], 4 * sizeof(*command));

	return start(command);
}

int main(int argc, char **argv)
{
	int status;
	pid_t front, back;

	if (argc < 4 || argc > 5)
		errx(1, "usage: pair FRONT BACK STATUS [FAIL]");
	gntdev = getenv("GNTDEV") ?: "gntdev";
	machine = getenv("GNTDEV_MACHINE");
	if (!machine)
		errx(1, "this is to be run by gntdev run");

	front = start((char *[]){(char *)gntdev, "run", "--machine",
				 (char *)machine, "--domain", "1", "--report",
				 "--", argv[1], "hello", "HELLO", NULL});
	back = start_back(argv[2], argc > 4 ? argv[4] : NULL);
	status = status_of(back);
	if (status != atoi(argv[3]))
		errx(1, "the backend's status is %d", status);
	/* Nobody answers it then. */
	if (status && status != 123)
		kill(front, SIGTERM);
	if (status_of(front) && (!status || status == 123))
		errx(1, "the frontend has failed");

	return 0;
}
