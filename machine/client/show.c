// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The program's own entries of mapped devices: what the server says is there. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "client.h"

/* How often it is tried to get a descriptor where there are too few. */
#define TRIES 20

void *map(uintptr_t at, size_t length, int prot, int flags, int fd,
	  off_t offset)
{
	return (void *)raw(SYS_mmap, at, length, prot, flags, fd, offset);
}

/* A file of no pages: an access behind its end is SIGBUS. */
static int open_nothing(void)
{
	return raw(SYS_memfd_create, "gntdev", MFD_CLOEXEC);
}

/* A slot of an area may be for reading alone, where others are not. */
static bool show_segment(const struct segment *segment, int prot, int fd,
			 uint64_t offset)
{
	void *at = map(segment->address, segment->pages * PAGE, prot,
		       MAP_SHARED | MAP_FIXED, fd, offset);

	if (at == MAP_FAILED && errno == EACCES)
		at = map(segment->address, segment->pages * PAGE,
			 prot & ~PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 offset);

	return at != MAP_FAILED;
}

void show_packet(const struct answer *answer, const void *bytes, int fd,
		 void *arg)
{
	const struct segment *segment = bytes;
	size_t n = answer->bytes / sizeof(*segment);
	struct show *show = arg;
	int nothing = -1;

	if (answer->value < 0)
		return;
	/* A descriptor that was sent and has not come: there are too many. */
	if (fd < 0 && answer->flags & ANSWER_FD) {
		show->failed = true;
		return;
	}
	if (fd < 0 && n)
		fd = nothing = open_nothing();
	for (; n; n--, segment++) {
		if (!show_segment(segment, show->prot, fd,
				  nothing < 0 ? segment->offset : 0))
			show->failed = true;
	}
	if (nothing >= 0)
		raw(SYS_close, nothing);
}

void hide(uintptr_t start, uintptr_t end)
{
	map(start, end - start, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* A child inherits what the kernel lets it inherit. */
void show_inheritance(const struct range *range)
{
	if (range->no_fork)
		raw(SYS_madvise, range->start, range->end - range->start,
		    MADV_DONTFORK);
}

/*
 * The kernel needs no descriptor for it. So where the program has used up all
 * of them, it is done with those that are kept; others may be as quick to take
 * them.
 */
bool show_again(const struct range *range)
{
	struct timespec pause = {.tv_nsec = 1000000};
	struct request request = {
		.op = OP_VIEW,
		.a = range->start,
		.b = range->end,
	};
	struct show show = {.prot = range->prot};
	int64_t result = -EIO;
	uint32_t flags;

	for (int i = 0; i < TRIES; i++) {
		show.failed = false;
		if (i)
			kept_lend();
		result = channel_stream(&request, show_packet, &show, &flags);
		if (i)
			kept_regain();
		if (!show.failed)
			break;
		raw(SYS_nanosleep, &pause, NULL);
	}
	show_inheritance(range);

	return !show.failed && result >= 0;
}
