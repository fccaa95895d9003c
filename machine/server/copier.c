// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies that the calling process does. The server's part: what the process
 * sent along goes to the machine, and the copies that the machine delegates go to the process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server.h"

/* Of one connection for calls. */
struct copier {
	struct delegated_copies delegated;
	int fd;
	pid_t pid;
	uint64_t counter, number; /* see struct offer */
	uint32_t windows[WINDOWS];
	uint32_t wanted; /* a window that would have been of use */
	bool lost; /* nobody is there any more */
	struct {
		struct offer offer;
		unsigned char argument[OFFER_ARGUMENT];
		unsigned char segments[OFFER_BYTES];
	} room;
};

static struct copier *copier_of(struct delegated_copies *delegated)
{
	return (struct copier *)((char *)delegated -
				 offsetof(struct copier, delegated));
}

static bool reaches(struct delegated_copies *delegated, unsigned int domid,
		    bool write)
{
	struct copier *copier = copier_of(delegated);

	for (int i = 0; i < WINDOWS; i++) {
		if (copier->windows[i] == WINDOW(domid, 1u) ||
		    (!write && copier->windows[i] == WINDOW(domid, 0u)))
			return true;
	}
	copier->wanted = WINDOW(domid, (uint32_t)write);

	return false;
}

/* What there is to be done, behind an answer; @pieces: and to be put back. */
static bool send_work(const struct copier *copier, struct answer *answer,
		      bool pieces, int passed)
{
	union passed control;
	const struct delegated_copies *delegated = &copier->delegated;
	/* The request's own structure never changes. */
	const struct delegated_piece *piece = &delegated->pieces[1];
	struct work work = {
		.copies = delegated->count,
		.bytes = pieces ? piece->last - piece->first : 0,
		.at = piece->addr + piece->first,
	};
	struct iovec parts[] = {
		{answer, sizeof(*answer)},
		{&work, sizeof(work)},
		{(void *)delegated->copies,
		 delegated->count * sizeof(*delegated->copies)},
		{piece->bytes + piece->first, work.bytes},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 4};

	answer->flags |= ANSWER_WORK;
	answer->bytes = parts[1].iov_len + parts[2].iov_len + parts[3].iov_len;
	pass(&message, &control, passed);

	return sendmsg(copier->fd, &message, MSG_NOSIGNAL) >= 0;
}

static void begin(struct delegated_copies *delegated)
{
	struct copier *copier = copier_of(delegated);
	struct answer answer = {.flags = ANSWER_MORE};

	if (!copier->lost)
		copier->lost = !send_work(copier, &answer, false, -1);
}

static void run(struct delegated_copies *delegated)
{
	struct copier *copier = copier_of(delegated);
	struct answer answer = {.flags = ANSWER_MORE | ANSWER_WAITS};
	struct request done;

	if (copier->lost)
		return;
	copier->lost = !send_work(copier, &answer, true, -1) ||
		       recv(copier->fd, &done, sizeof(done), 0) !=
			       sizeof(done) ||
		       done.op != OP_DONE;
}

static bool is_done(struct delegated_copies *delegated)
{
	const struct copier *copier = copier_of(delegated);
	uint64_t number = 0;
	struct iovec here = {&number, sizeof(number)};
	struct iovec there = {(void *)(uintptr_t)copier->counter,
			      sizeof(number)};

	return process_vm_readv(copier->pid, &here, 1, &there, 1, 0) !=
		       sizeof(number) ||
	       number >= copier->number;
}

struct copier *copier_new(int fd, pid_t pid)
{
	struct copier *copier = must_alloc(sizeof(*copier));

	copier->fd = fd;
	copier->pid = pid;
	copier->delegated.reaches = reaches;
	copier->delegated.run = run;
	copier->delegated.begin = begin;
	copier->delegated.is_done = is_done;

	return copier;
}

void copier_free(struct copier *copier)
{
	if (!copier)
		return;
	copier_end(copier);
	free(copier);
}

void *copier_room(struct copier *copier, size_t *size)
{
	*size = copier ? sizeof(copier->room) : 0;

	return copier ? &copier->room : NULL;
}

void copier_end(struct copier *copier)
{
	if (copier)
		delegated_end(&copier->delegated);
}

/* Whether what came is what its offer says. */
static bool take_offer(struct copier *copier, const struct request *request,
		       size_t bytes)
{
	const struct offer *offer = &copier->room.offer;
	struct delegated_copies *delegated = &copier->delegated;

	if (bytes < sizeof(*offer) + OFFER_ARGUMENT ||
	    offer->size != bytes - sizeof(*offer) - OFFER_ARGUMENT)
		return false;
	copier->counter = offer->counter;
	copier->number = offer->number;
	memcpy(copier->windows, offer->windows, sizeof(copier->windows));
	/* Left by the last call, all of which its caller has done. */
	delegated->count = 0;
	delegated->size = 0;
	delegated->begun = false;
	delegated->pieces[0] = (struct delegated_piece){
		.addr = request->b,
		.size = OFFER_ARGUMENT,
		.bytes = copier->room.argument,
	};
	delegated->pieces[1] = (struct delegated_piece){
		.addr = offer->segments,
		.size = offer->size,
		.bytes = copier->room.segments,
	};

	return true;
}

int64_t copier_ioctl(struct copier *copier, struct task *task,
		     struct file *file, const struct request *request,
		     size_t bytes)
{
	copier->wanted = WINDOW_NONE;
	if (!take_offer(copier, request, bytes))
		return -EPROTO;

	return file_ioctl_delegating(task, file, request->a, request->b, false,
				     &copier->delegated);
}

/* The window that was missed, if the process has room for one more. */
static int window(const struct copier *copier)
{
	struct domain *domain;
	int memory;

	if (copier->wanted == WINDOW_NONE ||
	    copier->windows[WINDOWS - 1] != WINDOW_NONE)
		return -1;
	domain = domain_get(copier->wanted & 0xffff);
	memory = domain_memfd(domain);

	return copier->wanted >> 16 ? memory : view_reader(memory);
}

bool copier_answer(struct copier *copier, int64_t value)
{
	struct answer answer = {.value = value, .extra = copier->wanted};
	int passed = window(copier);

	if (passed >= 0)
		answer.flags |= ANSWER_FD;

	return !copier->lost && send_work(copier, &answer, true, passed);
}
