// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What comes on a process's connection, beside whatever it may be. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

/* One descriptor goes with a packet; who sends more has them closed. */
static void take_descriptors(const struct cmsghdr *passed, int *first)
{
	const int *fd = (const int *)CMSG_DATA(passed);
	const int *end = (const int *)((const char *)passed + passed->cmsg_len);

	for (; fd < end; fd++) {
		if (*first < 0)
			*first = *fd;
		else
			close(*fd);
	}
}

void packet_receive(int fd, struct packet *packet)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred)) +
			   CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {&packet->hello, sizeof(packet->hello)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *passed;
	struct ucred ucred;

	packet->pid = 0;
	packet->fd = -1;
	packet->size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (packet->size < 0)
		return;
	for (passed = CMSG_FIRSTHDR(&message); passed;
	     passed = CMSG_NXTHDR(&message, passed)) {
		if (passed->cmsg_type == SCM_RIGHTS)
			take_descriptors(passed, &packet->fd);
		if (passed->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&ucred, CMSG_DATA(passed), sizeof(ucred));
		packet->pid = ucred.pid;
	}
}
