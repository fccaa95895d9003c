// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Traces: all that happens, a line each, for whoever has asked. Lines come from where
 * nobody may wait, so they are kept until their reader's thread has sent them.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "server.h"

/* What waits for one reader, at most. */
#define MOST_BYTES (32u << 20)
#define PATIENCE_S 5
#define LOOK_MS 100

struct tracer {
	LIST_ENTRY(tracer) entry;
	char *lines;
	size_t size, room;
	unsigned long lost; /* lines that there was no room for */
};

/* Within all others: lines come from anywhere. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static LIST_HEAD(, tracer) tracers = LIST_HEAD_INITIALIZER(tracers);
static bool stopped;

static bool make_room(struct tracer *tracer, size_t size)
{
	size_t room = tracer->room ?: 65536;
	char *lines;

	while (room < tracer->size + size)
		room *= 2;
	if (room == tracer->room)
		return true;
	lines = room > MOST_BYTES ? NULL : realloc(tracer->lines, room);
	if (!lines)
		return false;
	tracer->lines = lines;
	tracer->room = room;

	return true;
}

static void keep(struct tracer *tracer, const char *line, size_t size)
{
	if (!make_room(tracer, size)) {
		tracer->lost++;
		return;
	}
	memcpy(tracer->lines + tracer->size, line, size);
	tracer->size += size;
}

static void take_line(const char *line, size_t size)
{
	struct tracer *tracer;

	pthread_mutex_lock(&lock);
	LIST_FOREACH(tracer, &tracers, entry)
	keep(tracer, line, size);
	pthread_cond_broadcast(&more);
	pthread_mutex_unlock(&lock);
}

/* Its lines, which are then the caller's; waits for some for a while. */
static char *get_lines(struct tracer *tracer, size_t *size)
{
	char text[64], *lines;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;

	pthread_mutex_lock(&lock);
	while (!tracer->size && !stopped &&
	       pthread_cond_timedwait(&more, &lock, &until) != ETIMEDOUT)
		;
	lines = tracer->lines;
	*size = tracer->size;
	tracer->lines = NULL;
	tracer->size = tracer->room = 0;
	if (tracer->lost) {
		/* As the kernel says it. */
		snprintf(text, sizeof(text), "[LOST %lu EVENTS]\n",
			 tracer->lost);
		tracer->lost = 0;
		keep(tracer, text, strlen(text));
	}
	pthread_mutex_unlock(&lock);

	return lines;
}

static bool send_lines(int fd, const char *lines, size_t size)
{
	struct answer answer = {.flags = ANSWER_MORE};

	for (; size; size -= answer.bytes, lines += answer.bytes) {
		answer.bytes = size < ANSWER_BYTES ? size : ANSWER_BYTES;
		if (!answer_send(fd, &answer, lines, -1))
			return false;
	}

	return true;
}

/* Whether the reader says that it is enough, or has gone, or all ends. */
static bool is_over(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	bool over;

	pthread_mutex_lock(&lock);
	over = stopped;
	pthread_mutex_unlock(&lock);

	return over || poll(&poller, 1, 0) > 0;
}

static void serve(int fd, struct tracer *tracer)
{
	bool over, good;
	size_t size;
	char *lines;

	do {
		/* What was told before that is sent. */
		over = is_over(fd);
		do {
			lines = get_lines(tracer, &size);
			good = send_lines(fd, lines, size);
			free(lines);
		} while (good && size);
	} while (good && !over);
}

void trace_serve(int fd)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct tracer *tracer = must_alloc(sizeof(*tracer));

	/* What had ended before is no part of it. */
	watch_drain();
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&tracers, tracer, entry);
	machine_trace(take_line);
	pthread_mutex_unlock(&lock);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (answer_value(fd, 0))
		serve(fd, tracer);

	pthread_mutex_lock(&lock);
	LIST_REMOVE(tracer, entry);
	if (LIST_EMPTY(&tracers))
		machine_trace(NULL);
	pthread_mutex_unlock(&lock);
	free(tracer->lines);
	free(tracer);
}

void trace_stop(void)
{
	pthread_mutex_lock(&lock);
	stopped = true;
	pthread_cond_broadcast(&more);
	pthread_mutex_unlock(&lock);
}
