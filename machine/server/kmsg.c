// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The kernel's log: in the machine's log, for people, and as records for programs
 * that read /dev/kmsg.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server.h"

/* Under the library's own lock of its log. */
static int records = -1;
static unsigned long long number;

/* By the level's name, as the library says it; -1 if it has none. */
static int priority(const char *line, size_t length)
{
	static const struct {
		const char *name;
		int priority;
	} levels[] = {
		{"err: ", 3}, {"warn: ", 4}, {"notice: ", 5}, {"info: ", 6}};
	size_t i, n;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		n = strlen(levels[i].name);
		if (length > n && !strncmp(line, levels[i].name, n))
			return levels[i].priority;
	}

	return -1;
}

/* A line of the log, with its end. */
static ssize_t take(void *cookie, const char *line, size_t length)
{
	int level = priority(line, length);

	(void)cookie;
	fwrite(line, 1, length, stderr);
	if (level >= 0 && records >= 0) {
		const char *text = strchr(line, ' ') + 1;

		dprintf(records, "%d,%llu,0,-;%.*s", level, number++,
			(int)(line + length - text), text);
	}

	return length;
}

void kmsg_start(void)
{
	static const cookie_io_functions_t functions = {.write = take};
	FILE *log = fopencookie(NULL, "w", functions);

	records = memfd_create("kmsg", MFD_CLOEXEC);
	if (!log || records < 0)
		server_fail("no memory for the kernel's log");
	setvbuf(log, NULL, _IOLBF, 0);
	machine_log_to(log);
}

/* Each reader has a place of its own in it. */
int kmsg_open(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", records);
	fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
