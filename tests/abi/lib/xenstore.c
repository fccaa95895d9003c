// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The protocol of xenstore over /dev/xen/xenbus: a header and a payload each
 * way; events of watches come between answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util.h"
#include "xenstore.h"

#define MAX_PAYLOAD 4096u

enum {
	READ = 2,
	WATCH = 4,
	WRITE = 11,
	WATCH_EVENT = 15,
	ERROR = 16
};

struct header {
	uint32_t type;
	uint32_t request;
	uint32_t transaction;
	uint32_t length;
};

static char payload[MAX_PAYLOAD + 1];
static bool changed;

static int connection(void)
{
	static pid_t owner;
	static int fd = -1;

	if (owner == getpid())
		return fd;
	fd = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	owner = getpid();
	changed = false;
	return fd;
}

static int read_all(int fd, void *to, size_t length)
{
	char *bytes = to;

	while (length) {
		ssize_t got = read(fd, bytes, length);

		if (got <= 0)
			return got < 0 ? -errno : -EPIPE;
		bytes += got;
		length -= got;
	}
	return 0;
}

/* One message, its payload in payload. */
static int receive(int fd, struct header *header)
{
	int error = read_all(fd, header, sizeof(*header));

	if (error)
		return error;
	if (header->length > MAX_PAYLOAD)
		return -EMSGSIZE;
	payload[header->length] = '\0';
	return read_all(fd, payload, header->length);
}

/* Errors are told by name. */
static int error_of(const char *name)
{
	for (int error = 1; error < 200; error++)
		if (strerrorname_np(error) &&
		    !strcmp(strerrorname_np(error), name))
			return -error;
	return -EIO;
}

static int ask(uint32_t type, const struct iovec *parts, int count)
{
	static uint32_t request;
	struct header header = {.type = type, .request = ++request};
	struct iovec all[4] = {{&header, sizeof(header)}};
	int fd = connection(), error;
	struct header answer;

	if (fd < 0)
		return fd;
	for (int i = 0; i < count; i++) {
		all[i + 1] = parts[i];
		header.length += parts[i].iov_len;
	}
	/* The kernel puts a message together from as many writes as it takes. */
	for (int i = 0; i <= count; i++)
		if (all[i].iov_len &&
		    write(fd, all[i].iov_base, all[i].iov_len) < 0)
			return -errno;
	for (;;) {
		error = receive(fd, &answer);
		if (error)
			return error;
		if (answer.type == WATCH_EVENT)
			changed = true;
		else if (answer.request == header.request)
			break;
	}
	return answer.type == ERROR ? error_of(payload) : 0;
}

static struct iovec string(const char *text, bool with_end)
{
	return (struct iovec){(char *)text, strlen(text) + with_end};
}

int xenstore_read(const char *path, char *value, size_t size)
{
	struct iovec parts[] = {string(path, true)};
	int error = ask(READ, parts, 1);

	if (!error)
		snprintf(value, size, "%s", payload);
	return error;
}

int xenstore_write(const char *path, const char *value)
{
	struct iovec parts[] = {string(path, true), string(value, false)};

	return ask(WRITE, parts, 2);
}

int xenstore_watch(const char *path)
{
	struct iovec parts[] = {string(path, true), string("w", true)};

	return ask(WATCH, parts, 2);
}

int xenstore_fd(void)
{
	return connection();
}

int xenstore_wait(unsigned int ms)
{
	struct pollfd poller = {.fd = connection(), .events = POLLIN};
	long long limit = milliseconds() + ms;
	struct header header;

	if (poller.fd < 0)
		return poller.fd;
	while (!changed) {
		long long left = limit - milliseconds();
		int ready = poll(&poller, 1, left > 0 ? left : 0), error;

		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0) {
			error = receive(poller.fd, &header);
			if (error)
				return error;
			changed = header.type == WATCH_EVENT;
		} else if (left <= 0) {
			return -ETIMEDOUT;
		}
	}
	changed = false;
	return 0;
}
