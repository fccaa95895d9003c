// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Files of programs whose pages are granted: how they are found and kept open. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "context.h"
#include "lent_pages.h"
#include "vm.h"
#include "../base/lists.h"
#include "../xen/xen.h"

/* As linux/magic.h has it. */
#define TMPFS 0x01021994

struct lent_file {
	struct list_head node;
	struct frame_file memory;
	dev_t dev;
	ino_t inode;
	/*
	 * Nobody else has a descriptor of what a library has made: it is to be
	 * found again as long as its program has it mapped.
	 */
	pid_t pid;
};

static LIST_HEAD(files); /* under the hypervisor's lock */

/* A line of /proc/PID/maps. */
struct line {
	unsigned long start, end;
	char perms[5];
	unsigned long long offset;
	dev_t dev;
	ino_t inode;
	char name[64];
};

static bool parse(const char *text, struct line *line)
{
	unsigned int major, minor;
	unsigned long long inode;
	int got;

	line->name[0] = '\0';
	got = sscanf(text, "%lx-%lx %4s %llx %x:%x %llu %63[^\n]", &line->start,
		     &line->end, line->perms, &line->offset, &major, &minor,
		     &inode, line->name);
	line->dev = makedev(major, minor);
	line->inode = inode;

	return got >= 7;
}

/* The first line that is at an address, or of a file; false if there is none. */
static bool find_line(pid_t pid, unsigned long addr,
		      const struct lent_file *file, struct line *line)
{
	char path[64], text[4352];
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && !found && fgets(text, sizeof(text), maps)) {
		if (!parse(text, line))
			continue;
		found = file ? line->dev == file->dev &&
					line->inode == file->inode
			     : line->start <= addr && addr < line->end;
	}
	if (maps)
		fclose(maps);

	return found;
}

static void close_file(struct lent_file *file)
{
	close(file->memory.fds[0]);
	close(file->memory.fds[1]);
	free(file);
}

/* Closes what no page is in use of and no program has. */
static void collect(bool all)
{
	struct lent_file *file, *next;
	LIST_HEAD(gone);
	struct line line;

	hypervisor_lock();
	list_for_each_entry_safe(file, next, &files, node) {
		if (file->memory.users ||
		    (!all && file->pid && find_line(file->pid, 0, file, &line)))
			continue;
		list_del(&file->node);
		list_add_tail(&file->node, &gone);
	}
	hypervisor_unlock();
	list_for_each_entry_safe(file, next, &gone, node)
		close_file(file);
}

void lent_files_stop(void)
{
	collect(true);
}

/* With a user more; or NULL. */
static struct lent_file *find_known(const struct line *line)
{
	struct lent_file *file, *found = NULL;

	hypervisor_lock();
	list_for_each_entry(file, &files, node) {
		if (file->dev == line->dev && file->inode == line->inode)
			found = file;
	}
	if (found)
		found->memory.users++;
	hypervisor_unlock();

	return found;
}

static bool is_that(int fd, const struct line *line)
{
	struct stat stat;

	return fd >= 0 && !fstat(fd, &stat) && stat.st_dev == line->dev &&
	       stat.st_ino == line->inode;
}

/* By the mapping, which needs rights; or by any descriptor of the program's. */
static int open_it(pid_t pid, const struct line *line)
{
	const struct dirent *entry;
	char path[320];
	struct stat stat;
	int fd = -1;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", (int)pid,
		 line->start, line->end);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (is_that(fd, line))
		return fd;
	if (fd >= 0)
		close(fd);
	fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	while (folder && fd < 0 && (entry = readdir(folder))) {
		if (fstatat(dirfd(folder), entry->d_name, &stat, 0) ||
		    stat.st_dev != line->dev || stat.st_ino != line->inode)
			continue;
		fd = openat(dirfd(folder), entry->d_name, O_RDWR | O_CLOEXEC);
	}
	if (folder)
		closedir(folder);

	return fd;
}

static struct lent_file *open_file(pid_t pid, const struct line *line)
{
	struct lent_file *file = calloc(1, sizeof(*file));
	struct statfs statfs;
	char path[64];

	if (!file)
		machine_fatal("no memory for a file of a program's");
	file->memory.fds[0] = open_it(pid, line);
	file->memory.fds[1] = -1;
	if (file->memory.fds[0] >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d",
			 file->memory.fds[0]);
		file->memory.fds[1] = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (file->memory.fds[1] < 0 || fstatfs(file->memory.fds[0], &statfs) ||
	    statfs.f_type != TMPFS) {
		close_file(file);
		return NULL;
	}
	file->dev = line->dev;
	file->inode = line->inode;
	file->memory.users = 1;
	if (!strncmp(line->name, "/memfd:" LENT_MEMFD,
		     strlen("/memfd:" LENT_MEMFD)))
		file->pid = pid;
	hypervisor_lock();
	list_add_tail(&file->node, &files);
	hypervisor_unlock();

	return file;
}

static void refuse(pid_t pid, const struct line *line)
{
	pr_notice(
		"process %d: memory at %#lx (%s%s) cannot be granted on a machine\n",
		(int)pid, line->start,
		line->perms[3] == 's' ? "shared" : "private",
		line->name[0] ? ", of a file that is not in memory or not open"
			      : "");
}

bool lent_stretch_find(struct task *task, unsigned long addr,
		       struct lent_stretch *s)
{
	struct line line;

	if (s->file && s->start <= addr && addr < s->end)
		return true;
	if (!s->file)
		collect(false);
	lent_stretch_end(s);
	if (!find_line(task->pid, addr, NULL, &line) || line.perms[1] != 'w')
		return false;
	if (line.perms[3] == 's' && line.inode) {
		s->file = find_known(&line);
		if (!s->file)
			s->file = open_file(task->pid, &line);
	}
	if (!s->file) {
		refuse(task->pid, &line);
		return false;
	}
	s->start = line.start;
	s->end = line.end;
	s->offset = line.offset;

	return true;
}

struct frame_file *lent_stretch_memory(const struct lent_stretch *s)
{
	return &s->file->memory;
}

void lent_stretch_end(struct lent_stretch *s)
{
	if (!s->file)
		return;
	hypervisor_lock();
	s->file->memory.users--;
	hypervisor_unlock();
	s->file = NULL;
}
