// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The client's end of a granter behind a socket. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"
#include "wire.h"

static struct sockaddr_un address = {.sun_family = AF_UNIX};

/*
 * A connection for each process: a child that is killed in the middle of a
 * call leaves nothing behind in its parent's.
 */
static int connection(void)
{
	static pid_t owner;
	static int fd = -1;

	if (owner == getpid())
		return fd;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	owner = getpid();
	return fd;
}

/* The server may just have been started. */
void socket_connect(const char *path)
{
	long long limit = milliseconds() + 10000;
	int error;

	if (strlen(path) >= sizeof(address.sun_path)) {
		fprintf(stderr, "%s: too long for the path of a socket\n",
			path);
		exit(2);
	}
	strcpy(address.sun_path, path);
	while ((error = connection()) < 0 && milliseconds() < limit)
		sleep_ms(20);
	if (error < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(-error));
		exit(2);
	}
}

int socket_call(struct wire *wire, int *fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {wire, sizeof(*wire)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int server = connection();
	struct cmsghdr *passed;

	if (server < 0)
		return server;
	if (sendmsg(server, &message, MSG_NOSIGNAL) < 0)
		return -errno;
	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	if (recvmsg(server, &message, MSG_CMSG_CLOEXEC) != sizeof(*wire))
		return -EPIPE;
	passed = CMSG_FIRSTHDR(&message);
	if (fd)
		*fd = -1;
	if (fd && passed && passed->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(passed), sizeof(*fd));
	return 0;
}
