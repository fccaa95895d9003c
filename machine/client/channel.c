// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Calls. Each connection carries one at a time, so that there are as many as
 * threads have been in a call at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "client.h"

/* How long a call waits for another one's connection if it can have none. */
#define PATIENCE_MS 2000

static struct line lines[LINES];

ssize_t channel_receive(int fd, struct answer *answer, void *bytes, size_t size,
			int *passed)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec parts[] = {
		{answer, sizeof(*answer)},
		{bytes, size},
	};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	ssize_t got;

	*passed = -1;
	do {
		got = raw(SYS_recvmsg, fd, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < (ssize_t)sizeof(*answer))
		return -EIO;

	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(passed, CMSG_DATA(header), sizeof(*passed));

	return got - sizeof(*answer);
}

bool channel_send(int fd, const void *bytes, size_t size)
{
	ssize_t sent;

	do {
		sent = raw(SYS_sendto, fd, bytes, size, MSG_NOSIGNAL, NULL, 0);
	} while (sent < 0 && errno == EINTR);

	return sent == (ssize_t)size;
}

void channel_begin(void)
{
	for (int i = 0; i < LINES; i++)
		lines[i].fd = -1;
}

void channel_drop(bool shared)
{
	int fd;

	for (int i = 0; i < LINES; i++) {
		fd = atomic_exchange(&lines[i].fd, -1);
		if (fd >= 0 && !shared)
			raw(SYS_close, fd);
		lines[i].busy = 0;
	}
}

static struct line *take_line(bool connected)
{
	int unused;

	for (int i = 0; i < LINES; i++) {
		unused = 0;
		if (lines[i].busy || (connected && lines[i].fd < 0))
			continue;
		if (atomic_compare_exchange_strong(&lines[i].busy, &unused, 1))
			return &lines[i];
	}

	return NULL;
}

/* One that is connected may get free; false if there is none, or not soon. */
static bool wait_for_line(struct line **line)
{
	struct timespec pause = {.tv_nsec = 1000000};
	bool any = true;

	for (int i = 0; any && i < PATIENCE_MS; i++) {
		*line = take_line(true);
		if (*line && (*line)->fd >= 0)
			return true;
		if (*line)
			(*line)->busy = 0;
		any = false;
		for (int j = 0; j < LINES; j++)
			any |= lines[j].fd >= 0;
		raw(SYS_nanosleep, &pause, NULL);
	}

	return false;
}

/* A connection for a call: a line's, or for this once. */
int channel_begin_call(struct line **line)
{
	int fd;

	connect_look_around();
	*line = NULL;
	if (tables_are_apart())
		return connect_for_calls(false);
	*line = take_line(false);
	if (*line && (*line)->fd >= 0)
		return (*line)->fd;

	fd = connect_for_calls(false);
	if (fd < 0 && *line)
		(*line)->busy = 0;
	/* What is kept is for what cannot wait, but for the first one. */
	if (fd < 0 && fd != -EIO) {
		if (wait_for_line(line))
			return (*line)->fd;
		fd = connect_for_calls(true);
		*line = NULL;
		if (fd >= 0)
			*line = take_line(false);
	}
	if (fd < 0)
		return fd;
	if (*line && (*line)->fd >= 0)
		raw(SYS_close, (*line)->fd);
	if (*line)
		(*line)->fd = fd;

	return fd;
}

int channel_number(const struct line *line)
{
	return line - lines;
}

int channel_fd(const struct line *line, int fd)
{
	return line ? line->fd : fd;
}

void channel_end_call(struct line *line, int fd, bool good)
{
	if (line && good) {
		line->busy = 0;
		return;
	}
	if (line)
		fd = atomic_exchange(&line->fd, -1);
	raw(SYS_close, fd);
	if (line)
		line->busy = 0;
}

/* An answer that is neither followed nor accompanied by anything. */
static bool receive_answer(int fd, struct answer *answer)
{
	ssize_t got;

	do {
		got = raw(SYS_recvfrom, fd, answer, sizeof(*answer), 0, NULL,
			  NULL);
	} while (got < 0 && errno == EINTR);

	return got == sizeof(*answer);
}

/* One packet there and one back: the length of what is behind the answer. */
static ssize_t call(const struct request *request, struct answer *answer,
		    void *bytes, size_t size, int *passed)
{
	int saved = errno;
	struct line *line;
	int fd = channel_begin_call(&line);
	ssize_t got = -EIO;

	*passed = -1;
	answer->flags = 0;
	if (fd >= 0) {
		if (channel_send(fd, request, sizeof(*request)))
			got = channel_receive(channel_fd(line, fd), answer,
					      bytes, size, passed);
		channel_end_call(line, fd, got >= 0);
	}
	if (got < 0)
		answer->value = fd < 0 ? fd : -EIO;
	errno = saved;

	return got;
}

int64_t channel_call(const struct request *request, struct answer *answer)
{
	int saved = errno;
	struct line *line;
	int fd = channel_begin_call(&line);
	bool good = false;

	if (fd >= 0) {
		good = channel_send(fd, request, sizeof(*request)) &&
		       receive_answer(channel_fd(line, fd), answer);
		channel_end_call(line, fd, good);
	}
	if (!good)
		*answer = (struct answer){.value = fd < 0 ? fd : -EIO};
	errno = saved;

	return answer->value;
}

/* The program has it from here on, as any other thread of it may see. */
static bool take_reserved(int fd, const struct answer *answer, int passed,
			  struct reserved_fd *reserved)
{
	struct request reply = {.op = OP_NUMBER, .a = passed};

	/* One that was sent and has not come: there are too many. */
	if (passed < 0)
		reply.a = -EMFILE;
	else if (!(answer->extra & O_CLOEXEC))
		raw(SYS_fcntl, passed, F_SETFD, 0);
	reserved->fd = passed;
	reserved->inode = passed < 0 ? 0 : device_inode(passed);
	device_comes(passed);

	return channel_send(fd, &reply, sizeof(reply));
}

int64_t channel_call_reserving(const struct request *request,
			       struct answer *answer,
			       struct reserved_fd *reserved)
{
	int saved = errno, passed;
	struct line *line;
	int fd = channel_begin_call(&line);
	bool good = false;

	reserved->fd = -1;
	if (fd >= 0) {
		good = channel_send(fd, request, sizeof(*request));
		while (good) {
			good = channel_receive(channel_fd(line, fd), answer,
					       NULL, 0, &passed) >= 0;
			if (!good || !(answer->flags & ANSWER_RESERVED))
				break;
			good = take_reserved(channel_fd(line, fd), answer,
					     passed, reserved);
		}
		channel_end_call(line, fd, good);
	}
	if (!good)
		*answer = (struct answer){.value = fd < 0 ? fd : -EIO};
	errno = saved;

	return answer->value;
}

int channel_call_fd(const struct request *request, int64_t *value)
{
	struct answer answer;
	int passed;

	call(request, &answer, NULL, 0, &passed);
	*value = answer.value;
	/* One that was sent and has not come: there are too many. */
	if (passed < 0 && answer.flags & ANSWER_FD)
		*value = -EMFILE;

	return passed;
}

size_t channel_text(const struct request *request, char *text, size_t size)
{
	struct answer answer;
	int passed;
	ssize_t got = call(request, &answer, text, size, &passed);

	return got < 0 ? 0 : got;
}

int64_t channel_stream(const struct request *request, packet_fn each, void *arg,
		       uint32_t *flags)
{
	struct answer answer = {.value = -EIO, .flags = ANSWER_MORE};
	SCRATCH(char, bytes, ANSWER_BYTES);
	struct line *line;
	int fd = channel_begin_call(&line);
	int passed;
	bool good;

	*flags = 0;
	if (fd < 0)
		return fd;
	good = channel_send(fd, request, sizeof(*request));
	while (good && answer.flags & ANSWER_MORE) {
		good = channel_receive(channel_fd(line, fd), &answer, bytes,
				       ANSWER_BYTES, &passed) >= 0;
		if (good)
			each(&answer, bytes, passed, arg);
		if (passed >= 0)
			raw(SYS_close, passed);
	}
	channel_end_call(line, fd, good);
	*flags = answer.flags;

	return good ? answer.value : -EIO;
}

void channel_sync(void)
{
	struct request request = {.op = OP_SYNC};
	struct answer answer;

	channel_call(&request, &answer);
}

/* ---- descriptors that the program does not know of ---- */

int channel_next_own(int from)
{
	int next = connect_next_own(from), fd;

	for (int i = 0; i < LINES && !tables_are_parted(); i++) {
		fd = lines[i].fd;
		if (fd >= from && (next < 0 || fd < next))
			next = fd;
	}

	return next;
}

bool channel_owns(int fd)
{
	return channel_on() && fd >= 0 && channel_next_own(fd) == fd &&
	       !connect_is_guest();
}

bool channel_move(int fd)
{
	int other;

	for (int i = 0; i < LINES; i++) {
		if (lines[i].fd != fd)
			continue;
		other = connect_move(fd);
		if (other >= 0)
			lines[i].fd = other;
		return other >= 0;
	}

	return connect_move_own(fd);
}
