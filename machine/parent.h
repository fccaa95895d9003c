/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Whose child a process is, as /proc tells it. */
#ifndef MACHINE_PARENT_H
#define MACHINE_PARENT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* 0 if it is not there. */
static inline pid_t parent_of(pid_t pid)
{
	char path[64], text[512], *end;
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	/* PID (command) S PPID, where a command may have brackets in it */
	end = strrchr(text, ')');

	return end && strlen(end) > 4 ? atoi(end + 4) : 0;
}

#endif /* MACHINE_PARENT_H */
