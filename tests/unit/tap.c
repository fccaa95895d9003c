// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

enum machine_mode test_mode;
const void **tap_arg;

/* Longer than that and a test hangs. */
#define TEST_SECONDS 300

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* What the child writes to stderr, shown as comments if @show. */
static bool has_message(int fd, const char *message, bool show)
{
	char text[16384];
	size_t used = 0;
	ssize_t n;
	char *line, *rest;

	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += n;
	text[used] = 0;
	if (message && strstr(text, message))
		return true;
	for (line = text; show && *line; line = rest) {
		rest = strchrnul(line, '\n');
		if (*rest)
			*rest++ = 0;
		printf("#   %s\n", line);
	}

	return false;
}

/* Whether the test did what was expected of it. */
static bool run(const struct test *test)
{
	int fds[2], status;
	bool said;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds))
		abort();
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		alarm(TEST_SECONDS);
		if (tap_arg)
			*tap_arg = test->arg;
		test->run();
		exit(0);
	}
	close(fds[1]);
	said = has_message(fds[0], test->dies, true);
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (test->dies) {
		if (!said)
			printf("# expected: %s\n", test->dies);
		return said && status != 0;
	}
	if (WIFSIGNALED(status))
		printf("# killed by signal %d\n", WTERMSIG(status));

	return status == 0;
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strstr(name, argv[i]))
			return true;
	}

	return argc < 2;
}

static int run_in(const struct test *test, enum machine_mode mode,
		  const char *suffix, int *n)
{
	bool good;

	test_mode = mode;
	good = run(test);
	printf("%sok %d - %s%s\n", good ? "" : "not ", ++*n, test->name,
	       suffix);

	return !good;
}

int tap_main(int argc, char **argv, const struct test *tests, size_t count)
{
	int n = 0, failed = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!wanted(tests[i].name, argc, argv))
			continue;
		if (tests[i].modes & IN_PV)
			failed += run_in(&tests[i], MACHINE_PV, " (pv)", &n);
		if (tests[i].modes & IN_XLAT)
			failed += run_in(&tests[i], MACHINE_XLAT,
					 " (auto-translated)", &n);
		if (tests[i].modes & IN_ANY)
			failed += run_in(&tests[i], MACHINE_PV, "", &n);
	}
	printf("1..%d\n", n);

	return failed != 0;
}
