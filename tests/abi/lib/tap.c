// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Runs tests and reports them as TAP. Each test runs in a child process that
 * leads a process group, so that a crash fails that test alone and whatever it
 * left running is ended with it. A test that hangs is killed and fails by name,
 * even if the kernel does not let it die. After each test the granter must be
 * able to end access to all it granted, and the kernel must not have complained.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "granter.h"
#include "kernel_log.h"
#include "tap.h"
#include "util.h"
#include "world.h"

#define USUAL_TIMEOUT 20u
#define EXIT_SKIPPED 77

enum outcome {
	PASSED,
	FAILED,
	SKIPPED
};

extern const struct test *const __start_tests[];
extern const struct test *const __stop_tests[];

const char *program_name;

/* What a child has to say to the process that runs it. */
static char *message;
#define MESSAGE_SIZE 4096u

/* One write a line: children of a test may speak at the same time. */
static void comment(const char *format, va_list args)
{
	char line[1024] = "# ";
	int length = vsnprintf(line + 2, sizeof(line) - 3, format, args) + 2;

	if (length > (int)sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length] = '\n';
	if (write(STDOUT_FILENO, line, length + 1) < 0)
		_exit(1);
}

void tap_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	comment(format, args);
	va_end(args);
}

void tap_fail(const char *file, int line, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tap_note("%s:%d: %s", file, line, text);
	_exit(1);
}

void tap_expect(const char *file, int line, const char *call, int found,
		int expected)
{
	char wanted[16];

	if (found == expected)
		return;
	snprintf(wanted, sizeof(wanted), "%s", error_name(expected));
	tap_fail(file, line, "%s gave %s, expected %s", call, error_name(found),
		 wanted);
}

void tap_equal(const char *file, int line, const char *what, long long found,
	       long long expected)
{
	if (found != expected)
		tap_fail(file, line,
			 "%s is %lld (%#llx), expected %lld (%#llx)", what,
			 found, found, expected, expected);
}

void tap_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message, MESSAGE_SIZE, format, args);
	va_end(args);
	_exit(EXIT_SKIPPED);
}

/* The child's part: nothing of it returns. */
static void run_in_child(const struct test *test)
{
	setpgid(0, 0);
	test->run();
	_exit(0);
}

/* Wait for a child; false if it did not end in time. */
static bool ended_within(pid_t child, unsigned int ms, int *status)
{
	long long limit = milliseconds() + ms;
	unsigned int pause = 1;

	for (;;) {
		if (waitpid(child, status, WNOHANG) == child)
			return true;
		if (milliseconds() >= limit)
			return false;
		sleep_ms(pause);
		if (pause < 20)
			pause++;
	}
}

/*
 * Killing the group ends what the test left running. The group is gone only
 * when every member was reaped by whoever inherited it, so this does not wait.
 */
static enum outcome run_test(const struct test *test)
{
	unsigned int timeout = test->timeout ? test->timeout : USUAL_TIMEOUT;
	int status = 0;
	bool ended;
	pid_t child;

	message[0] = '\0';
	fflush(stdout);
	child = fork();
	if (child < 0) {
		tap_note("fork: %s", strerror(errno));
		return FAILED;
	}
	if (!child)
		run_in_child(test);
	setpgid(child, child);

	ended = ended_within(child, timeout * 1000, &status);
	kill(-child, SIGKILL);
	if (!ended) {
		tap_note("no end after %u seconds", timeout);
		if (!ended_within(child, 5000, &status))
			tap_note("process %d cannot be killed", (int)child);
		return FAILED;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
		return SKIPPED;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return PASSED;
	if (WIFSIGNALED(status))
		tap_note("killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	return FAILED;
}

/* What must be true after any test. */
static bool left_clean(void)
{
	unsigned int busy = granter_finish(5000);
	bool clean = true;

	if (busy) {
		tap_note("%u grants are still in use after the end of the test",
			 busy);
		clean = false;
	}
	if (kernel_log_complaints())
		clean = false;
	return clean;
}

/* A line of TAP; returns true if it says ok. */
static bool report(unsigned int number, const char *name, enum outcome outcome)
{
	struct difference difference;
	const struct difference *known = NULL;

	if (difference_of(name, &difference))
		known = &difference;

	/* On the machine, what cannot be done is listed too. */
	if (outcome == SKIPPED && !(known && known->where & ON_MACHINE)) {
		printf("ok %u - %s # SKIP %s\n", number, name, message);
		return true;
	}
	if (known && (outcome != PASSED || known->where & SOMETIMES)) {
		printf("ok %u - %s # known difference%s: %s\n", number, name,
		       outcome != PASSED ? "" : " (not this time)",
		       known->rule);
		return true;
	}
	if (known) {
		printf("not ok %u - %s # listed as a difference (%s), but passed\n",
		       number, name, known->rule);
		return false;
	}
	printf("%s %u - %s\n", outcome == PASSED ? "ok" : "not ok", number,
	       name);
	return outcome == PASSED;
}

static bool run_and_report(unsigned int number, const struct test *test,
			   bool by_name)
{
	struct difference known;
	enum outcome outcome;

	if (!by_name && difference_of(test->name, &known) &&
	    known.where & TAKES_DOWN) {
		printf("ok %u - %s # not run on the distribution's driver: "
		       "takes the machine down (%s)\n",
		       number, test->name, known.rule);
		return true;
	}
	kernel_log_begin();
	outcome = run_test(test);
	for (unsigned int i = 1; i < test->rounds && outcome == PASSED; i++)
		outcome = run_test(test);
	if (!left_clean() && outcome != SKIPPED)
		outcome = FAILED;
	return report(number, test->name, outcome);
}

static const struct test *find(const char *name)
{
	for (const struct test *const *t = __start_tests; t < __stop_tests; t++)
		if (!strcmp((*t)->name, name))
			return *t;
	fprintf(stderr, "%s: no test is called %s; --list lists them\n",
		program_name, name);
	exit(2);
}

static void list_tests(void)
{
	for (const struct test *const *t = __start_tests; t < __stop_tests; t++)
		puts((*t)->name);
	exit(0);
}

int main(int argc, char **argv)
{
	unsigned int number = 0, failed = 0;
	const char *slash = strrchr(argv[0], '/');

	program_name = slash ? slash + 1 : argv[0];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "--list"))
		list_tests();
	for (int i = 1; i < argc; i++)
		find(argv[i]);

	message = mmap(NULL, MESSAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (message == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	world_init();
	granter_init();

	printf("1..%d\n",
	       argc > 1 ? argc - 1 : (int)(__stop_tests - __start_tests));
	for (int i = 1; i < argc; i++)
		failed += !run_and_report(++number, find(argv[i]), true);
	if (argc == 1)
		for (const struct test *const *t = __start_tests;
		     t < __stop_tests; t++)
			failed += !run_and_report(++number, *t, false);
	if (failed)
		printf("# %s: %u of %u failed\n", program_name, failed, number);
	return failed ? 1 : 0;
}
