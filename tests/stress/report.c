// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Findings, and the check of an answer against what the contract allows. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

#define PRINTED_MAX 60u

static void put_line(const char *line, int n, int room)
{
	if (n >= room)
		n = room - 1;
	/* One write a line: lines of many processes do not mix. */
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		_exit(3);
}

void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	put_line(line, n, sizeof(line));
}

static bool count_finding(enum finding_class class)
{
	__atomic_fetch_add(&shm->findings[class], 1, __ATOMIC_RELAXED);
	return __atomic_fetch_add(&shm->printed, 1, __ATOMIC_RELAXED) <
	       PRINTED_MAX;
}

void finding(struct ctx *c, enum finding_class class, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	c->trouble = true;
	if (!count_finding(class))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say("# finding: %s: %s [seed 0x%llx worker %u generation %u thread %u, its operation %llu]",
	    operations[c->operation].name, text, (unsigned long long)shm->seed,
	    c->worker, c->generation, c->thread,
	    (unsigned long long)c->slot->done);
}

void controller_finding(enum finding_class class, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (!count_finding(class))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say("# finding: %s [seed 0x%llx]", text, (unsigned long long)shm->seed);
}

static void name_errno(char *to, size_t room, int e)
{
	const char *name = e ? strerrorname_np(e) : "success";

	if (name)
		snprintf(to, room, "%s", name);
	else
		snprintf(to, room, "errno %d", e);
}

/*
 * rc is what a call returned (a negative errno on failure), allowed the
 * numbers that the contract allows here, 0 for success, ended by -1.
 */
bool expect(struct ctx *c, long rc, const char *what, const int *allowed)
{
	int e = rc < 0 ? (int)-rc : 0;
	char got[24], list[120] = "";
	size_t used = 0;
	int i;

	for (i = 0; allowed[i] != -1; i++)
		if (allowed[i] == e)
			return true;
	for (i = 0; allowed[i] != -1 && used < sizeof(list) - 24; i++) {
		name_errno(got, sizeof(got), allowed[i]);
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 "%s%s", i ? " or " : "", got);
	}
	name_errno(got, sizeof(got), e);
	finding(c, FOUND_CONTRACT, "%s answered %s, expected %s", what, got,
		list);
	return false;
}
