// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Tasks whose memory is another process's, as a server has them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define RW (PROT_READ | PROT_WRITE)

typedef struct gntdev_grant_copy_segment segment_t;

/* What lies in the other process, at the same address as here before fork. */
static struct arena {
	struct ioctl_gntdev_map_grant_ref map;
	struct ioctl_gntdev_grant_copy copy;
	segment_t segments[80];
	unsigned char bytes[80];
} *arena;
static unsigned char *pages; /* four: writable, writable, read-only, none */

static pid_t child;
static struct task *task;
static struct file *file;

/* A process that only is there; @prepare runs in it. */
static void start(void (*prepare)(void))
{
	int fds[2];
	char byte;

	world_start();
	grant(3, false);
	arena = mmap(NULL, sizeof(*arena), RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	pages = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(pipe(fds), 0);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		mprotect(pages + 2 * PAGE, PAGE, PROT_READ);
		mprotect(pages + 3 * PAGE, PAGE, PROT_NONE);
		prepare();
		CHECK_EQ(write(fds[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], &byte, 1), 1);
	task = task_new(world.mapper, child);
	CHECK_EQ(file_open(task, "gntdev", O_RDWR, &file), 0);
}

static void stop(void)
{
	task_exit(task);
	file_close(NULL, file);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	world_stop();
}

static void prepare_map(void)
{
	arena->map.count = 1;
	arena->map.refs[0].domid = 1;
	arena->map.refs[0].ref = world.refs[0];
}

static void requests_read_and_write_the_callers_memory(void)
{
	start(prepare_map);
	CHECK_EQ(arena->map.count, 0);
	CHECK_EQ(file_ioctl(task, file, IOCTL_GNTDEV_MAP_GRANT_REF,
			    (unsigned long)&arena->map, false),
		 0);
	CHECK_EQ(task_mmap(task, file, AT(0), PAGE, RW, MAP_SHARED, 0, NULL),
		 0);
	CHECK_EQ(file_ioctl(task, file, IOCTL_GNTDEV_MAP_GRANT_REF,
			    (unsigned long)(pages + 3 * PAGE), false),
		 -EFAULT);
	stop();
}

static void add(unsigned int i, unsigned int ref, bool to_grant, void *at,
		unsigned int len)
{
	segment_t *s = &arena->segments[i];

	s->flags = to_grant ? 2 : 1;
	s->len = len;
	if (to_grant) {
		s->dest.foreign.domid = 1;
		s->dest.foreign.ref = world.refs[ref];
		s->source.virt = at;
	} else {
		s->source.foreign.domid = 1;
		s->source.foreign.ref = world.refs[ref];
		s->dest.virt = at;
	}
}

static void prepare_copy(void)
{
	unsigned int i;

	memset(pages, 'p', 2 * PAGE);
	for (i = 0; i < 40; i++)
		add(i, 0, false, &arena->bytes[i], 1);
	for (; i < 79; i++)
		add(i, 1, true, pages + PAGE - 16, 32);
	add(79, 2, true, pages + 2 * PAGE, 1);
	arena->copy.count = 80;
	arena->copy.segments = arena->segments;
}

static long copy(unsigned int first, unsigned int count)
{
	struct ioctl_gntdev_grant_copy op;
	char name[64];
	long ret;
	int fd;

	/* The other process changes its mind. */
	op.count = count;
	op.segments = arena->segments + first;
	snprintf(name, sizeof(name), "/proc/%d/mem", (int)child);
	fd = open(name, O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, &op, sizeof(op), (off_t)(uintptr_t)&arena->copy),
		 sizeof(op));
	ret = file_ioctl(task, file, IOCTL_GNTDEV_GRANT_COPY,
			 (unsigned long)&arena->copy, false);
	CHECK_EQ(pread(fd, arena->segments, sizeof(arena->segments),
		       (off_t)(uintptr_t)arena->segments),
		 sizeof(arena->segments));
	CHECK_EQ(pread(fd, arena->bytes, sizeof(arena->bytes),
		       (off_t)(uintptr_t)arena->bytes),
		 sizeof(arena->bytes));
	close(fd);

	return ret;
}

static void copies_reach_the_callers_memory(void)
{
	unsigned int i;

	start(prepare_copy);
	CHECK_EQ(copy(0, 80), 0);
	for (i = 0; i < 80; i++)
		CHECK_EQ(arena->segments[i].status, 0);
	CHECK_EQ(arena->bytes[39], 'A');
	CHECK_EQ(arena->bytes[40], 0);
	CHECK_EQ(granted(1)[31], 'p');
	stop();
}

static void prepare_bad_copy(void)
{
	add(0, 0, false, pages + 2 * PAGE - 4, 8);
	add(1, 0, true, pages + 2 * PAGE - 4, 8);
	add(2, 0, true, pages + 3 * PAGE - 4, 8);
	add(3, 0, false, pages + PAGE - 4, 8);
	add(4, 0, false, NULL, 8);
}

static void what_the_caller_may_not_write_is_efault(void)
{
	start(prepare_bad_copy);
	CHECK_EQ(copy(0, 1), -EFAULT);
	CHECK_EQ(copy(1, 1), 0);
	CHECK_EQ(copy(2, 1), -EFAULT);
	CHECK_EQ(copy(3, 1), 0);
	CHECK_EQ(copy(4, 1), -EFAULT);
	stop();
}

static void nothing(void)
{
}

static void a_process_that_is_gone_is_efault(void)
{
	start(nothing);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK_EQ(file_ioctl(task, file, IOCTL_GNTDEV_MAP_GRANT_REF,
			    (unsigned long)&arena->map, false),
		 -EFAULT);
	stop();
}

static const struct test tests[] = {
	TEST(requests_read_and_write_the_callers_memory),
	TEST(copies_reach_the_callers_memory),
	TEST(what_the_caller_may_not_write_is_efault),
	TEST(a_process_that_is_gone_is_efault),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
