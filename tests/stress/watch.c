// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Looks after threads that make no progress. Of a stuck process only such
 * files are read as need no lock of its memory: the others would hang too.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

#define STUCK_NS 30000000000ull

static void show_file(const char *dir, const char *name)
{
	char path[96], text[4096], *line, *rest;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		say("#   %s: %s", name, line);
}

void watch_dump(pid_t pid)
{
	struct dirent *entry;
	char path[64], dir[96];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return;
	while ((entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(dir, sizeof(dir), "%s/%.16s", path, entry->d_name);
		say("#  task %s of process %d", entry->d_name, pid);
		show_file(dir, "wchan");
		show_file(dir, "syscall");
		show_file(dir, "stack");
	}
	closedir(tasks);
}

static void watch_thread(u32 w, u32 t, u64 now)
{
	struct thread_slot *s = &shm->slot[w][t];
	u32 operation = __atomic_load_n(&s->operation, __ATOMIC_SEQ_CST);
	u64 since = __atomic_load_n(&s->since_ns, __ATOMIC_SEQ_CST);

	if (!operation || s->reported || since > now || now - since < STUCK_NS)
		return;
	s->reported = 1;
	controller_finding(
		FOUND_STUCK,
		"%s has taken %llu s (worker %u generation %u thread %u)",
		operations[operation - 1].name,
		(unsigned long long)(now - since) / 1000000000u, w,
		s->generation, t);
	watch_dump((pid_t)s->pid);
}

void watch_threads(void)
{
	u64 now = now_ns();
	u32 w, t;

	for (w = 0; w < shm->workers; w++)
		for (t = 0; t < shm->threads; t++)
			watch_thread(w, t, now);
}
