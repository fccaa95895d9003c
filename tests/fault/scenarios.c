// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios.h"

#define RW (PROT_READ | PROT_WRITE)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void open_and_close(void)
{
	struct file *file;

	if (!file_open(world.task, "gntdev", O_RDWR, &file))
		file_close(world.task, file);
}

static void insert_and_remove(void)
{
	uint64_t index;

	if (!req_map(world.file, 0, 3, &index))
		req_unmap(world.file, index, 3);
}

static void insert_and_close(void)
{
	uint64_t index;

	req_map(world.file, 0, 3, &index);
	req_map(world.file, 2, 1, &index);
	file_close(world.task, world.file);
	world.file = NULL;
}

static void map_with(int prot, unsigned int count)
{
	uint64_t index;

	if (req_map(world.file, 0, count, &index))
		return;
	if (!map_index(AT(0), index, count, prot)) {
		peek(AT(0));
		poke(AT(0) + (count - 1) * PAGE, 1);
		task_munmap(world.task, AT(0), count * PAGE);
	}
	req_unmap(world.file, index, count);
}

static void map_three(void)
{
	map_with(RW, 3);
}

static void map_three_readonly(void)
{
	map_with(PROT_READ, 3);
}

static void map_without_access(void)
{
	map_with(PROT_NONE, 2);
}

/* More than one hypercall's worth. */
static void map_many(void)
{
	map_with(RW, 130);
}

static void map_again_after_failure(void)
{
	uint64_t index;
	int i;

	if (req_map(world.file, 0, 2, &index))
		return;
	for (i = 0; i < 3; i++) {
		if (!map_index(AT(i), index, 2, RW))
			task_munmap(world.task, AT(i), 2 * PAGE);
	}
}

static void map_two_and_close_and_exit(void)
{
	map_at(AT(0), 0, 2, RW, NULL);
	map_at(AT(1), 1, 2, PROT_READ, NULL);
	file_close(world.task, world.file);
	world.file = NULL;
	peek(AT(0));
	task_exit(world.task);
	world.task = NULL;
}

static void exit_with_a_mapping(void)
{
	map_at(AT(0), 0, 3, RW, NULL);
	task_exit(world.task);
	world.task = NULL;
}

static void fork_and_exit(void)
{
	struct task *child;
	unsigned char byte;

	map_at(AT(0), 0, 2, RW, NULL);
	if (task_fork(world.task, getpid(), &child))
		return;
	task_munmap(world.task, AT(0), 2 * PAGE);
	task_load(child, AT(0), &byte, 1);
	task_exit(child);
}

/* Entries are taken away and made again, for all reasons there are. */
static void change_the_mapping(void)
{
	map_at(AT(0), 0, 3, RW, NULL);
	task_mprotect(world.task, AT(0), 3 * PAGE, PROT_READ);
	peek(AT(0) + PAGE);
	task_mprotect(world.task, AT(0), 3 * PAGE, RW);
	poke(AT(0) + PAGE, 'x');
	task_madvise(world.task, AT(0) + PAGE, PAGE, MADV_DONTNEED);
	peek(AT(0) + PAGE);
	task_clear_refs(world.task, 4);
	task_invalidate(world.task, AT(0) + 2 * PAGE, PAGE);
	peek(AT(0) + 2 * PAGE);
	task_reap(world.task);
	poke(AT(0), 'y');
	task_munmap(world.task, AT(0), PAGE);
	task_munmap(world.task, AT(0), 3 * PAGE);
}

static void unmap_under_io(void)
{
	struct page *page;
	uint64_t index;
	bool held;

	if (req_map(world.file, 0, 3, &index) || map_index(AT(0), index, 3, RW))
		return;
	held = !page_hold(world.task, AT(0) + PAGE, true, &page);
	task_munmap(world.task, AT(0), 3 * PAGE);
	req_unmap(world.file, index, 3);
	machine_advance(100);
	if (held)
		page_release(page);
	machine_advance(1000);
}

static void notify_and_unmap(void)
{
	struct channel c;
	uint64_t index;

	channel_open(&c);
	if (!req_map(world.file, 0, 3, &index)) {
		req_notify(world.file, index + 5, 3, c.port);
		req_notify(world.file, index + PAGE, 1, 0);
		map_index(AT(0), index, 3, RW);
		req_notify(world.file, index + PAGE + 7, 3, c.port);
		req_notify(world.file, index + 2 * PAGE, 2, c.port);
		req_notify(world.file, index + 2 * PAGE, 0, 0);
		task_munmap(world.task, AT(0), 3 * PAGE);
		req_unmap(world.file, index, 3);
	}
	file_close(world.task, c.evtchn);
}

static void notify_and_close(void)
{
	struct channel c;
	uint64_t index;

	channel_open(&c);
	if (!req_map(world.file, 0, 2, &index))
		req_notify(world.file, index + 5, 3, c.port);
	if (!map_at(AT(0), 2, 1, RW, &index))
		req_notify(world.file, index + 9, 3, c.port);
	file_close(world.task, c.evtchn);
	file_close(world.task, world.file);
	world.file = NULL;
	task_exit(world.task);
	world.task = NULL;
}

static void small_requests(void)
{
	uint64_t offset;
	uint32_t count;
	char text[256];

	req_max(world.file, 1000);
	map_at(AT(0), 0, 1, RW, NULL);
	req_offset(world.file, AT(0), &offset, &count);
	req_notify(world.file, PAGE * 99, 1, 0);
	req_copy(world.file, NULL, 0);
	file_fdinfo(world.file, text, sizeof(text));
	file_ioctl(world.task, world.file, 0, 0, false);
	file_ioctl(world.task, world.file, 0, 0, true);
}

typedef struct gntdev_grant_copy_segment segment_t;

static void set_grant(segment_t *s, bool dest, unsigned int i)
{
	__typeof__(s->source) *side = dest ? &s->dest : &s->source;

	side->foreign.domid = 1;
	side->foreign.ref = world.refs[i];
	side->foreign.offset = 16;
	s->flags |= dest ? 2 : 1;
}

static void copy_both_ways(void)
{
	unsigned char *buf = aligned_alloc(PAGE, 4 * PAGE);
	segment_t s[5];

	memset(s, 0, sizeof(s));
	memset(buf, 0, 4 * PAGE);
	set_grant(&s[0], false, 0);
	s[0].dest.virt = buf + PAGE - 8;
	s[0].len = 100;
	set_grant(&s[1], true, 1);
	s[1].source.virt = buf + 2 * PAGE - 50;
	s[1].len = 100;
	set_grant(&s[2], false, 0);
	set_grant(&s[2], true, 2);
	s[2].len = 64;
	set_grant(&s[3], false, 1);
	s[3].dest.virt = buf + 3 * PAGE;
	s[3].len = 7;
	set_grant(&s[4], false, 1);
	req_copy(world.file, s, 5);
	req_copy(world.file, s, 2);
	free(buf);
}

/* More than the driver does at once. */
static void copies(bool out, unsigned int len)
{
	segment_t *s = calloc(130, sizeof(*s));
	unsigned char buf[130 + PINNED] = {0};
	unsigned int i;

	for (i = 0; i < 130; i++) {
		set_grant(&s[i], out, i % 3);
		if (out)
			s[i].source.virt = buf + i;
		else
			s[i].dest.virt = buf + i;
		s[i].len = len;
	}
	req_copy(world.file, s, 130);
	free(s);
}

static void copy_many(void)
{
	copies(false, PINNED);
}

static void copy_short_in(void)
{
	copies(false, 1);
}

static void copy_short_out(void)
{
	copies(true, 1);
}

static void copy_for_32_bits(void)
{
	struct {
		uint32_t count, segments;
		segment_t s;
		unsigned char byte;
	} *op = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
		     -1, 0);

	set_grant(&op->s, false, 0);
	op->s.dest.virt = &op->byte;
	op->s.len = 1;
	op->count = 1;
	op->segments = (uintptr_t)&op->s;
	file_ioctl(world.task, world.file, 'G' << 8 | 8 | 8 << 16,
		   (unsigned long)op, true);
	munmap(op, PAGE);
}

static void copy_into_a_mapping(void)
{
	segment_t s = {.len = PINNED};

	if (map_at(AT(0), 0, 1, RW, NULL))
		return;
	set_grant(&s, false, 1);
	s.dest.virt = (void *)AT(0);
	req_copy(world.file, &s, 1);
	task_invalidate(world.task, AT(0), PAGE);
	req_copy(world.file, &s, 1);
}

static void restrict_it(void)
{
	uint64_t index;

	req_restrict(world.file, 1);
	req_map(world.file, 0, 2, &index);
	req_restrict(world.file, 2);
}

static void tell_statuses(void)
{
	int16_t told[3];
	uint64_t index;

	domain_revoke(world.granter, world.refs[1]);
	if (req_map(world.file, 0, 3, &index))
		return;
	map_index(AT(0), index, 3, RW);
	req_status(world.file, index, 0, 3, told);
	req_unmap(world.file, index, 3);
}

/* Memory that this process has, granted and taken back; what is left closes. */
static void lend_memory(void)
{
	unsigned char *at = lendable(3);
	uint64_t index;

	if (!req_lend(world.file, at, 3, 1, &index, NULL)) {
		req_notify(world.file, index + 5, UNMAP_NOTIFY_CLEAR_BYTE, 0);
		req_unlend(world.file, index, 3);
	}
	req_lend(world.file, at + PAGE, 2, 0, &index, NULL);
	lendable_free(at, 3);
}

/* The other domain has it mapped when its granter ends. */
static void lend_and_close(void)
{
	struct ioctl_gntdev_map_grant_ref op = {.count = 1};
	struct task *peer = task_new(world.granter, getpid());
	unsigned char *at = lendable(2);
	struct file *file = NULL;
	uint32_t refs[2];
	bool mapped = false;

	if (!req_lend(world.file, at, 2, 1, NULL, refs) &&
	    !file_open(peer, "gntdev", O_RDWR, &file)) {
		op.refs[0].ref = refs[1];
		mapped = !file_ioctl(peer, file, IOCTL_GNTDEV_MAP_GRANT_REF,
				     (unsigned long)&op, false) &&
			 !task_mmap(peer, file, AT(2), PAGE, RW, MAP_SHARED,
				    op.index, NULL);
	}
	lendable_free(at, 2);
	file_close(world.task, world.file);
	world.file = NULL;
	task_exit(world.task);
	world.task = NULL;
	machine_advance(300);
	if (mapped)
		task_munmap(peer, AT(2), PAGE);
	task_exit(peer);
	if (file)
		file_close(NULL, file);
}

#define IN(modes, name) {#name, name, modes, false}

const struct scenario scenarios[] = {
	IN(IN_ANY, open_and_close),
	IN(IN_ANY, insert_and_remove),
	IN(IN_ANY, insert_and_close),
	IN(IN_BOTH, map_three),
	IN(IN_BOTH, map_three_readonly),
	IN(IN_BOTH, map_without_access),
	{"map_many", map_many, IN_BOTH, true},
	IN(IN_BOTH, map_again_after_failure),
	IN(IN_BOTH, map_two_and_close_and_exit),
	IN(IN_BOTH, exit_with_a_mapping),
	IN(IN_BOTH, fork_and_exit),
	IN(IN_BOTH, change_the_mapping),
	IN(IN_BOTH, unmap_under_io),
	IN(IN_BOTH, notify_and_unmap),
	IN(IN_BOTH, notify_and_close),
	IN(IN_BOTH, small_requests),
	IN(IN_ANY, copy_both_ways),
	{"copy_many", copy_many, IN_ANY, true},
	{"copy_short_in", copy_short_in, IN_ANY, true},
	{"copy_short_out", copy_short_out, IN_ANY, true},
	IN(IN_ANY, copy_for_32_bits),
	IN(IN_BOTH, copy_into_a_mapping),
	IN(IN_ANY, restrict_it),
	IN(IN_BOTH, tell_statuses),
	IN(IN_ANY, lend_memory),
	IN(IN_BOTH, lend_and_close),
};

const size_t nscenarios = ARRAY_SIZE(scenarios);
