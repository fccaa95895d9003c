// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * granter: grants pages to a program that tests, on its request.
 *
 *	granter --socket PATH	to programs of this domain
 *	granter --peer DOMID	to programs of that domain
 *
 * It runs until it is killed; what it granted goes with it.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "events.h"
#include "peer.h"
#include "wire.h"

#define MAX_CLIENTS 32

static unsigned int own_domid;

static void die(const char *what, int error)
{
	fprintf(stderr, "granter: %s: %s\n", what, strerror(-error));
	exit(1);
}

/* A bound port as an open file: returns the file. */
static int serve_bind(struct wire *wire)
{
	int fd = events_open();
	int port = fd < 0 ? fd : events_bind(fd, own_domid, wire->args[0]);

	wire->error = port < 0 ? port : 0;
	wire->value = port;
	return fd;
}

static void serve(struct wire *wire, int *passed)
{
	*passed = -1;
	wire->error = 0;
	if (wire->op == WIRE_HELLO)
		wire->value = own_domid;
	else if (wire->op == WIRE_BIND)
		*passed = serve_bind(wire);
	else
		local_serve(wire);
}

static void answer(int client, struct wire *wire, int passed)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(sizeof(int)),
		     }};
	struct iovec part = {wire, sizeof(*wire)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (passed >= 0) {
		memcpy(CMSG_DATA(&control.header), &passed, sizeof(passed));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	/* A client that is gone needs no answer. */
	(void)!sendmsg(client, &message, MSG_NOSIGNAL);
	if (passed >= 0)
		close(passed);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		die(path, -ENAMETOOLONG);
	strcpy(address.sun_path, path);
	unlink(path);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, MAX_CLIENTS) < 0)
		die(path, -errno);
	return fd;
}

/* One request of one client; false when the client is gone. */
static bool serve_client(int client)
{
	struct wire wire;
	int passed;

	if (recv(client, &wire, sizeof(wire), 0) != sizeof(wire))
		return false;
	serve(&wire, &passed);
	answer(client, &wire, passed);
	return true;
}

static void serve_socket(const char *path)
{
	struct pollfd fds[1 + MAX_CLIENTS] = {
		{.fd = listen_at(path), .events = POLLIN},
	};
	int count = 1;

	for (;;) {
		if (poll(fds, count, -1) < 0)
			die("poll", -errno);
		for (int i = count - 1; i > 0; i--) {
			if (!fds[i].revents || serve_client(fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--count];
		}
		if (fds[0].revents && count <= MAX_CLIENTS) {
			int client = accept(fds[0].fd, NULL, NULL);

			if (client >= 0)
				fds[count++] = (struct pollfd){
					.fd = client,
					.events = POLLIN,
				};
		}
	}
}

/* A file cannot be passed to another domain. */
static void serve_other_domain(struct wire *wire)
{
	int passed;

	serve(wire, &passed);
	if (passed >= 0)
		close(passed);
}

int main(int argc, char **argv)
{
	const char *domid = getenv("LAB_DOMID");

	if (argc != 3 ||
	    (strcmp(argv[1], "--socket") && strcmp(argv[1], "--peer"))) {
		fprintf(stderr,
			"usage: granter --socket PATH | --peer DOMID\n");
		return 2;
	}
	own_domid = domid ? strtoul(domid, NULL, 10) : 0;
	if (!strcmp(argv[1], "--socket")) {
		local_init(own_domid);
		serve_socket(argv[2]);
	} else {
		local_init(strtoul(argv[2], NULL, 10));
		peer_serve(strtoul(argv[2], NULL, 10), serve_other_domain);
	}
	return 0;
}
