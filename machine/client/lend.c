// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory that a program grants (GRANT_MEMORY). A kernel pins its pages; the
 * server can hold on to pages of files only. So what is the program's alone
 * becomes a memfd's before the server is asked, in its place, with what is in it.
 *
 * That is done a few pages at a time: what another thread stores in these very
 * pages just then is lost. A child of a fork gets copies, made in the child: it
 * sees what its parent has stored until then. After MADV_DONTNEED such memory is
 * what it was, not zero.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../../include/xen/gntdev_more.h"
#include "client.h"

/* Name of the memfds: the server knows it, and a child. */
#define MEMFD "gntdev-memory"
/* Bytes that are copied before they are put in their place. */
#define STEP (16 * PAGE)
/* Of /proc/self/maps at once. */
#define MAPS_BYTES 8192
/* What the library may come to use of a stack. */
#define STACK (64 * PAGE)
/* Huge pages go together; what the kernel calls them. */
#define HUGE (512 * PAGE)
#define HUGE_NAME "/anon_hugepage"

/* Whether there is such memory, so that a child has to look. */
static bool lent;

/* A line of /proc/self/maps. */
struct mapped_line {
	uintptr_t start, end;
	char perms[5];
	char name[64];
};

static int prot_of(const struct mapped_line *line)
{
	return (line->perms[0] == 'r' ? PROT_READ : 0) |
	       (line->perms[1] == 'w' ? PROT_WRITE : 0) |
	       (line->perms[2] == 'x' ? PROT_EXEC : 0);
}

static const char *parse_address(const char *text, uintptr_t *address)
{
	for (*address = 0; *text && !strchr(" -", *text); text++)
		*address = *address * 16 +
			   (*text <= '9' ? *text - '0' : *text - 'a' + 10);

	return text + (*text != '\0');
}

/* As much of @text as there is room for; behind it, @to is zeros already. */
static void take(char *to, size_t size, const char *text)
{
	size_t length = strlen(text);

	memcpy(to, text, length < size ? length : size - 1);
}

/* start-end perms offset device inode, and the name behind spaces. */
static void parse(const char *text, struct mapped_line *line)
{
	memset(line, 0, sizeof(*line));
	text = parse_address(text, &line->start);
	text = parse_address(text, &line->end);
	take(line->perms, sizeof(line->perms), text);
	for (int fields = 0; *text && fields < 4; fields++) {
		while (*text && *text != ' ')
			text++;
		while (*text == ' ')
			text++;
	}
	take(line->name, sizeof(line->name), text);
}

static int open_maps(void)
{
	return raw(SYS_openat, AT_FDCWD, "/proc/self/maps",
		   O_RDONLY | O_CLOEXEC);
}

/*
 * Calls @each for each mapping; the kernel goes on after the last address that it
 * told, so what is changed there does no harm.
 */
static void
each_mapping(void (*each)(const struct mapped_line *line, void *arg), void *arg)
{
	int fd = open_maps();
	bool helped = fd < 0 && errno == EMFILE;
	SCRATCH(char, text, MAPS_BYTES);
	char *line, *end;
	size_t kept = 0;
	struct mapped_line parsed;
	ssize_t got;

	/* Some are kept for a program that has used up all descriptors. */
	if (helped) {
		kept_lend();
		fd = open_maps();
	}
	while (fd >= 0 && (got = raw(SYS_read, fd, text + kept,
				     MAPS_BYTES - 1 - kept)) > 0) {
		text[kept + got] = '\0';
		for (line = text; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			parse(line, &parsed);
			each(&parsed, arg);
		}
		kept = strlen(line);
		memmove(text, line, kept);
	}
	if (fd >= 0)
		raw(SYS_close, fd);
	if (helped)
		kept_regain();
}

/*
 * The program's limit of files' sizes is not about ours, and to run into it is a
 * signal: where that cannot be put aside for a moment, nothing is written.
 */
long lend_write(int fd, const void *bytes, size_t size, off_t offset)
{
	struct rlimit was, none;
	bool limited = !raw(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &was) &&
		       offset + size > was.rlim_cur;
	long written;

	if (limited && offset + size > was.rlim_max) {
		errno = EFBIG;
		return -1;
	}
	none = (struct rlimit){was.rlim_max, was.rlim_max};
	if (limited)
		raw(SYS_prlimit64, 0, RLIMIT_FSIZE, &none, NULL);
	written = raw(SYS_pwrite64, fd, bytes, size, offset);
	if (limited)
		raw(SYS_prlimit64, 0, RLIMIT_FSIZE, &was, NULL);

	return written;
}

struct lending {
	uintptr_t start, end;
	uintptr_t frame; /* of who lends: what is above it waits */
	int fd; /* the memfd; -1: none yet */
};

/*
 * What changes while it is copied: the stack from the lending function on. What
 * its callers have there stays as it is until they go on.
 */
static bool is_stack(const struct lending *l, uintptr_t start, uintptr_t end)
{
	return start < l->frame && end > l->frame - STACK;
}

/* A private mapping's part, from @start on; what is not done stays as it was. */
static void lend_part(struct lending *l, uintptr_t start, uintptr_t end,
		      int prot, uintptr_t step)
{
	uintptr_t at, size;
	off_t offset;

	if (l->fd < 0) {
		l->fd = raw(SYS_memfd_create, MEMFD, MFD_CLOEXEC);
		if (l->fd < 0)
			return;
		lent = true;
	}
	for (at = start; at < end; at += size) {
		size = end - at < step ? end - at : step;
		offset = at - l->start / HUGE * HUGE;
		if (lend_write(l->fd, (void *)at, size, offset) != (long)size ||
		    map(at, size, prot, MAP_SHARED | MAP_FIXED, l->fd,
			offset) == MAP_FAILED)
			return;
	}
}

static void lend_mapping(const struct mapped_line *line, void *arg)
{
	struct lending *l = arg;
	uintptr_t start = line->start > l->start ? line->start : l->start;
	uintptr_t end = line->end < l->end ? line->end : l->end;

	if (start >= end || line->perms[3] != 'p' || line->perms[0] != 'r' ||
	    line->perms[1] != 'w' || is_stack(l, start, end))
		return;
	if (strncmp(line->name, HUGE_NAME, sizeof(HUGE_NAME) - 1) != 0)
		lend_part(l, start, end, prot_of(line), STEP);
	else
		lend_part(l, start / HUGE * HUGE,
			  (end + HUGE - 1) / HUGE * HUGE, prot_of(line), HUGE);
}

int lend_begin(const void *argument)
{
	struct ioctl_gntdev_grant_memory op;
	const size_t size = offsetof(struct ioctl_gntdev_grant_memory, refs);
	struct iovec to = {&op, size}, from = {(void *)argument, size};
	struct lending l = {
		.frame = (uintptr_t)__builtin_frame_address(0),
		.fd = -1,
	};
	int saved = errno;
	sigset_t before;

	/* A bad pointer is the server's to tell. */
	if (raw(SYS_process_vm_readv, raw(SYS_getpid), &to, 1, &from, 1, 0) !=
		    (long)size ||
	    op.addr & (PAGE - 1) || op.addr > UINTPTR_MAX)
		return -1;
	l.start = op.addr;
	if (__builtin_add_overflow(l.start, (uint64_t)op.count * PAGE, &l.end))
		return -1;
	ranges_lock(&before);
	each_mapping(lend_mapping, &l);
	ranges_unlock(&before);
	errno = saved;

	return l.fd;
}

void lend_end(int fd)
{
	int saved = errno;

	if (fd >= 0)
		raw(SYS_close, fd);
	errno = saved;
}

/* A copy in the place of what a child has inherited. */
static void copy_mapping(const struct mapped_line *line, void *arg)
{
	size_t size = line->end - line->start;
	void *copy;

	(void)arg;
	if (strncmp(line->name, "/memfd:" MEMFD, sizeof("/memfd:" MEMFD) - 1))
		return;
	copy = map(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	if (copy == MAP_FAILED)
		return;
	if (line->perms[0] != 'r')
		raw(SYS_mprotect, line->start, size, PROT_READ);
	memcpy(copy, (void *)line->start, size);
	raw(SYS_mprotect, copy, size, prot_of(line));
	if (raw(SYS_mremap, copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		line->start) < 0)
		raw(SYS_munmap, copy, size);
}

void lend_after_fork(void)
{
	if (lent)
		each_mapping(copy_mapping, NULL);
	lent = false;
}
