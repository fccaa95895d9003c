// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a program's address space is like, as the real kernel tells it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "context.h"
#include "maps.h"
#include "vm.h"

struct user_maps {
	int fd; /* the task's */
	bool complete; /* all stretches are known, from the text */
	size_t count, size;
	struct stretch *stretches;
};

/*
 * One stretch by its address, without the text of all: since Linux 6.11. Not
 * all systems' headers have it; the layout is the kernel's.
 */
struct procmap_query {
	__u64 size;
	__u64 query_flags;
	__u64 query_addr;
	__u64 vma_start, vma_end;
	__u64 vma_flags;
	__u64 vma_page_size;
	__u64 vma_offset;
	__u64 inode;
	__u32 dev_major, dev_minor;
	__u32 vma_name_size, build_id_size;
	__u64 vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)
#define VMA_READABLE 1
#define VMA_WRITABLE 2

void user_maps_free(struct user_maps *maps)
{
	if (!maps)
		return;
	free(maps->stretches);
	free(maps);
}

static const struct stretch *add(struct user_maps *maps,
				 const struct stretch *stretch)
{
	struct stretch *more;

	if (maps->count == maps->size) {
		maps->size = maps->size ? 2 * maps->size : 64;
		more = realloc(maps->stretches, maps->size * sizeof(*more));
		if (!more)
			machine_fatal("no memory for a program's maps");
		maps->stretches = more;
	}
	maps->stretches[maps->count] = *stretch;

	return &maps->stretches[maps->count++];
}

/* Such memory is there when it is touched; other may have nothing behind it. */
static bool is_plain(const struct stretch *s, unsigned long long inode)
{
	return !inode && s->read && s->write;
}

static void add_line(struct user_maps *maps, const char *line)
{
	unsigned long long inode;
	struct stretch s;
	char perms[5];

	if (sscanf(line, "%lx-%lx %4s %*x %*s %llu", &s.start, &s.end, perms,
		   &inode) != 4)
		return;
	s.read = perms[0] == 'r';
	s.write = perms[1] == 'w';
	s.plain = is_plain(&s, inode);
	add(maps, &s);
}

/* The text from its beginning: several calls may be reading the same file. */
static void read_all(struct user_maps *maps)
{
	char path[64], line[4352];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", maps->fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		add_line(maps, line);
	if (file)
		fclose(file);
	maps->complete = true;
}

static const struct stretch *ask(struct user_maps *maps, unsigned long addr)
{
	struct procmap_query query = {
		.size = sizeof(query),
		.query_addr = addr,
	};
	struct stretch s;

	if (ioctl(maps->fd, PROCMAP_QUERY, &query)) {
		if (errno == ENOTTY)
			read_all(maps);
		return NULL;
	}
	s.start = query.vma_start;
	s.end = query.vma_end;
	s.read = query.vma_flags & VMA_READABLE;
	s.write = query.vma_flags & VMA_WRITABLE;
	s.plain = is_plain(&s, query.inode);

	return add(maps, &s);
}

static const struct stretch *look_up(const struct user_maps *maps,
				     unsigned long addr)
{
	size_t i;

	for (i = 0; i < maps->count; i++) {
		if (maps->stretches[i].start <= addr &&
		    addr < maps->stretches[i].end)
			return &maps->stretches[i];
	}

	return NULL;
}

void user_maps_forget(struct task *task)
{
	int fd = __atomic_exchange_n(&task->maps, -1, __ATOMIC_ACQ_REL);

	if (fd >= 0)
		close(fd);
}

/* Opened once: that takes longer than a question. */
static int open_maps(struct task *task)
{
	int fd = __atomic_load_n(&task->maps, __ATOMIC_ACQUIRE), none = -1;
	char path[64];

	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)task->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 ||
	    __atomic_compare_exchange_n(&task->maps, &none, fd, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fd;
	close(fd);

	return none;
}

static struct user_maps *maps_of(struct task *task)
{
	struct context *c = context();

	if (c->maps)
		return c->maps;
	c->maps = calloc(1, sizeof(*c->maps));
	if (!c->maps)
		machine_fatal("no memory for a program's maps");
	c->maps->fd = open_maps(task);

	return c->maps;
}

const struct stretch *maps_find(struct task *task, unsigned long addr)
{
	struct user_maps *maps = maps_of(task);
	const struct stretch *found = look_up(maps, addr);

	if (found || maps->fd < 0 || maps->complete)
		return found;

	return ask(maps, addr) ?: look_up(maps, addr);
}
