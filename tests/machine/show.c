// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Shows behaviours, as TAP, each in a process of its own. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "behave.h"

static unsigned int number, failed;

static void show(const struct behaviour *behaviour, unsigned int seconds)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (!child) {
		/* Nothing here takes long; a hang is a failure too. */
		alarm(seconds);
		behaviour->show();
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (status)
		failed++;
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	printf("%s %u - %s\n", status ? "not ok" : "ok", ++number,
	       behaviour->name);
}

int show_all(const struct behaviour *const *all, const char *only,
	     unsigned int seconds)
{
	for (; *all; all++)
		for (const struct behaviour *each = *all; each->name; each++)
			if (!only || strstr(each->name, only))
				show(each, seconds);
	printf("1..%u\n", number);

	return failed != 0;
}
