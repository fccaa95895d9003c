// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GRANT_COPY: the server decides what is copied, this process does it. To reach
 * its memory from the server takes the kernel longer than all the copying.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../include/xen/gntdev.h"

#include "client.h"
#include "../base/delegated_copy.h"

_Static_assert(sizeof(struct work) +
			       DELEGATED_COPIES *
				       sizeof(struct delegated_copy) +
			       OFFER_BYTES <=
		       ROOM_BYTES,
	       "what an answer says");

/* All of a domain's memory. They are only ever added. */
static struct window {
	uint32_t name; /* WINDOW() */
	char *memory;
	size_t size;
} windows[WINDOWS];
static atomic_uint count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * Not at once with its rights: where the program has all that it maps held in
 * memory, the kernel would fetch all of it.
 */
static void add_window(uint32_t name, int fd)
{
	struct window window = {.name = name};
	int prot = name >> 16 ? PROT_READ | PROT_WRITE : PROT_READ;
	struct stat status;

	if (raw(SYS_fstat, fd, &status) || status.st_size > WINDOW_BYTES)
		return;
	window.size = status.st_size;
	window.memory = reserve_window(count);
	if (!window.memory ||
	    (void *)raw(SYS_mmap, window.memory, window.size, PROT_NONE,
			MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return;
	raw(SYS_munlock, window.memory, window.size);
	if (raw(SYS_mprotect, window.memory, window.size, prot))
		return;
	raw(SYS_madvise, window.memory, window.size, MADV_DONTDUMP);
	windows[count] = window;
	count++;
}

/* The same domain may have been offered to two threads. */
static void take_window(uint32_t name, int fd)
{
	bool known = false;
	sigset_t all, mask;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < count; i++)
		known |= windows[i].name == name;
	if (!known && count < WINDOWS)
		add_window(name, fd);
	pthread_mutex_unlock(&lock);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	raw(SYS_close, fd);
}

static const struct window *find_window(const struct delegated_copy *copy)
{
	const struct window *window = windows;

	for (; window < windows + count; window++) {
		if (window->name == WINDOW(copy->domid, 1u) ||
		    (copy->in && window->name == WINDOW(copy->domid, 0u)))
			return window;
	}

	return NULL;
}

static bool one_copy(const struct delegated_copy *copy)
{
	const struct window *window = find_window(copy);
	void *here = (void *)(uintptr_t)copy->addr;

	if (!window)
		return false;
	if (copy->in)
		return nofault_copy(here, window->memory + copy->offset,
				    copy->size);

	return nofault_copy(window->memory + copy->offset, here, copy->size);
}

/* False if some of it has gone since the server looked: as if it had seen it. */
static bool do_work(const struct work *work)
{
	const struct delegated_copy *copy =
		(const struct delegated_copy *)(work + 1);
	const struct delegated_copy *end = copy + work->copies;
	bool all = true;

	for (; copy < end; copy++)
		all &= one_copy(copy);
	if (work->bytes)
		all &= nofault_copy((void *)(uintptr_t)work->at, end,
				    work->bytes);

	return all;
}

/* The request with all that it reads: what is not there, the kernel finds. */
static bool send_offer(int fd, const struct line *line,
		       const struct request *request,
		       const struct ioctl_gntdev_grant_copy *op)
{
	size_t size = sizeof(*op->segments) * (size_t)op->count;
	struct offer offer = {
		.segments = (uintptr_t)op->segments,
		.size = size < OFFER_BYTES ? size : OFFER_BYTES,
		.counter = (uintptr_t)&line->counter,
		.number = line->counter + 1,
	};
	struct iovec parts[] = {
		{(void *)request, sizeof(*request)},
		{&offer, sizeof(offer)},
		{(void *)op, OFFER_ARGUMENT},
		{op->segments, offer.size},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 4};
	unsigned int known = count;
	ssize_t sent;

	for (unsigned int i = 0; i < WINDOWS; i++)
		offer.windows[i] = i < known ? windows[i].name : WINDOW_NONE;
	do {
		sent = raw(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);

	return sent >= 0;
}

/* Does what the answers say, until the last one. */
static bool take_answers(struct line *line, struct answer *answer)
{
	struct request done = {.op = OP_DONE};
	void *room = reserve_room(channel_number(line));
	bool all = true;
	int passed;

	for (;;) {
		if (channel_receive(line->fd, answer, room, ROOM_BYTES,
				    &passed) < 0)
			return false;
		if (answer->flags & ANSWER_WORK)
			all &= do_work(room);
		if (!(answer->flags & ANSWER_MORE))
			break;
		if (answer->flags & ANSWER_WAITS &&
		    !channel_send(line->fd, &done, sizeof(done)))
			return false;
	}
	line->counter++;
	if (passed >= 0)
		take_window(answer->extra, passed);
	if (!all && !answer->value)
		answer->value = -EFAULT;

	return true;
}

/* False: nothing was sent. */
static bool offer(const struct request *request, struct answer *answer)
{
	struct request copy = *request;
	struct ioctl_gntdev_grant_copy op;
	struct line *line;
	bool offered, good;
	int fd;

	_Static_assert(sizeof(op) == OFFER_ARGUMENT, "as the server takes it");
	if (!nofault_copy(&op, (void *)(uintptr_t)request->b, sizeof(op)))
		return false;
	fd = channel_begin_call(&line);
	if (fd < 0)
		return false;
	copy.op = OP_COPY;
	offered = line && reserve_room(channel_number(line)) &&
		  send_offer(fd, line, &copy, &op);
	good = !offered || take_answers(line, answer);
	channel_end_call(line, fd, good);
	if (!good)
		answer->value = -EIO;

	return offered;
}

/* Whoever was adding a window is not in the child. */
void copy_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
}

bool copy_call(const struct request *request, struct answer *answer)
{
	int saved = errno;
	sigset_t mask;
	bool offered;

	/* It complains of bytes that nobody has to set: a status, what fills up. */
	if (valgrind_is_here() || connect_is_guest())
		return false;
	nofault_begin(&mask);
	offered = offer(request, answer);
	nofault_end(&mask);
	errno = saved;

	return offered;
}
