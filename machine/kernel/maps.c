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
	FILE *file;
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
	if (maps->file)
		fclose(maps->file);
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

static void read_all(struct user_maps *maps)
{
	char line[4352];

	while (fgets(line, sizeof(line), maps->file))
		add_line(maps, line);
	maps->complete = true;
}

static const struct stretch *ask(struct user_maps *maps, unsigned long addr)
{
	struct procmap_query query = {
		.size = sizeof(query),
		.query_addr = addr,
	};
	struct stretch s;

	if (ioctl(fileno(maps->file), PROCMAP_QUERY, &query)) {
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

static struct user_maps *maps_of(struct task *task)
{
	struct context *c = context();
	char path[64];

	if (c->maps)
		return c->maps;
	c->maps = calloc(1, sizeof(*c->maps));
	if (!c->maps)
		machine_fatal("no memory for a program's maps");
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)task->pid);
	c->maps->file = fopen(path, "re");

	return c->maps;
}

const struct stretch *maps_find(struct task *task, unsigned long addr)
{
	struct user_maps *maps = maps_of(task);
	const struct stretch *found = look_up(maps, addr);

	if (found || !maps->file || maps->complete)
		return found;

	return ask(maps, addr) ?: look_up(maps, addr);
}
