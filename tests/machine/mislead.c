// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * mislead SOCKET WAY: a process of the machine that breaks its protocol's rules
 * in one of the ways, and then stays until its standard input ends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../machine/protocol.h"

#define MANY 1000

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static uint64_t image = 4712;

static struct hello hello_of(enum connection_kind kind)
{
	return (struct hello){
		.magic = PROTOCOL_MAGIC,
		.version = PROTOCOL_VERSION,
		.kind = kind,
		.image = image,
		.address = (uintptr_t)&image,
		.name = "mislead",
	};
}

static int join(enum connection_kind kind)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct hello hello = hello_of(kind);
	struct answer answer;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) != sizeof(answer) ||
	    answer.value < 0) {
		fprintf(stderr, "mislead: no connection\n");
		exit(2);
	}

	return fd;
}

/* Asks until nobody takes it any more, and reads no answer. */
static void flood(int fd, const void *message, size_t size)
{
	for (int waited = 0; waited < 50;) {
		if (send(fd, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
			waited = 0;
			continue;
		}
		if (errno != EAGAIN)
			return;
		usleep(1000);
		waited++;
	}
}

static void send_descriptors(int to, enum connection_kind kind, int fd,
			     int count)
{
	struct hello hello = hello_of(kind);
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
	struct iovec part = {&hello, sizeof(hello)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * count),
	};
	struct cmsghdr *header = (struct cmsghdr *)control;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * count);
	for (int i = 0; i < count; i++)
		((int *)CMSG_DATA(header))[i] = fd;
	sendmsg(to, &message, MSG_NOSIGNAL);
}

/* More descriptors than one beside each hello. */
static void send_too_many(void)
{
	int process = join(CONNECTION_PROCESS), ends[2];

	for (int i = 0; i < MANY; i++) {
		socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
		send_descriptors(process, CONNECTION_CALLS, ends[1], 1 + i % 8);
		close(ends[0]);
		close(ends[1]);
	}
}

/* The same connection again and again, whose answers nobody reads. */
static void send_again(void)
{
	int process = join(CONNECTION_PROCESS), ends[2];

	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
	for (int i = 0; i < MANY; i++)
		send_descriptors(process, CONNECTION_FORK, ends[1], 1);
}

static void adopt_again(void)
{
	const struct request request = {.op = OP_ADOPT};

	flood(join(CONNECTION_PROCESS), &request, sizeof(request));
}

/* Its caller ends in a call, but not what its connection is open in. */
static void leave_a_call(void)
{
	const struct request request = {.op = OP_VIEW, .b = 4096};
	pid_t child = fork();
	int process, calls;

	if (child)
		return;
	process = join(CONNECTION_PROCESS);
	calls = join(CONNECTION_CALLS);
	if (fork()) {
		flood(calls, &request, sizeof(request));
		_exit(0);
	}
	close(process);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*go)(void);
	} ways[] = {
		{"descriptors", send_too_many},
		{"answers", send_again},
		{"adopt", adopt_again},
		{"call", leave_a_call},
	};

	if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(argv[2], ways[i].name))
			continue;
		ways[i].go();
		(void)!read(STDIN_FILENO, argv[1], 1);
		return 0;
	}

	return 2;
}
