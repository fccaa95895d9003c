// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * speak SOCKET DOMAIN FILE: joins a machine by its protocol as a process of
 * that domain and opens that file, and says what the server answers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../machine/protocol.h"

static uint64_t image = 4711;

/* What one message is answered, or 1 if the connection ends. */
static long ask(int fd, const void *message, size_t size)
{
	char bytes[sizeof(struct answer) + ANSWER_BYTES];
	struct answer answer;

	if (send(fd, message, size, MSG_NOSIGNAL) < 0 ||
	    recv(fd, bytes, sizeof(bytes), 0) < (ssize_t)sizeof(answer))
		return 1;
	memcpy(&answer, bytes, sizeof(answer));

	return answer.value;
}

/* A connection of that kind, or the end. */
static int join(const struct sockaddr_un *address, enum connection_kind kind,
		unsigned int domain)
{
	struct hello hello = {
		.magic = PROTOCOL_MAGIC,
		.version = PROTOCOL_VERSION,
		.kind = kind,
		.image = image,
		.address = (uintptr_t)&image,
		.domain = domain,
		.name = "speak",
	};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	long value;

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address))) {
		perror(address->sun_path);
		exit(2);
	}
	value = ask(fd, &hello, sizeof(hello));
	if (value) {
		printf("hello: %ld\n", value);
		exit(0);
	}

	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct request request = {.op = OP_OPEN};
	unsigned int domain;

	if (argc != 4 || strlen(argv[1]) >= sizeof(address.sun_path)) {
		fprintf(stderr, "usage: speak SOCKET DOMAIN FILE\n");
		return 2;
	}
	strcpy(address.sun_path, argv[1]);
	domain = strtoul(argv[2], NULL, 10);
	request.file = strtoul(argv[3], NULL, 10);

	join(&address, CONNECTION_PROCESS, domain);
	printf("open: %ld\n", ask(join(&address, CONNECTION_CALLS, domain),
				  &request, sizeof(request)));

	return 0;
}
