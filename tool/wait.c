// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* --wait-for: a program starts when the other side is ready. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define XENSTORE "xenstore:"
/* How long it may take, and how long between two looks. */
#define PATIENCE_S 60
#define LOOK_MS 50

/* The wire protocol of xenstore: facts of the hypervisor's public headers. */
struct wire {
	uint32_t type, request, transaction, length;
	char payload[4096];
};
#define WIRE_HEADER offsetof(struct wire, payload)
#define WIRE_READ 2
#define WIRE_ERROR 16

bool wait_is_good(const char *what)
{
	if (!strncmp(what, XENSTORE, strlen(XENSTORE)))
		return what[strlen(XENSTORE)] == '/' &&
		       strlen(what) < sizeof(((struct wire *)0)->payload);

	return strchr(what, '/');
}

static bool receive(int fd, void *to, size_t size)
{
	return !size || recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

/* Whether xenstore has the node, with that value if one is wanted. */
static bool has_node(const struct machine *machine, int fd, const char *what)
{
	const char *value = strchr(what, '=');
	size_t length = value ? (size_t)(value - what) : strlen(what);
	struct wire wire = {.type = WIRE_READ, .length = length + 1};

	memcpy(wire.payload, what, length);
	if (send(fd, &wire, WIRE_HEADER + wire.length, MSG_NOSIGNAL) < 0 ||
	    !receive(fd, &wire, WIRE_HEADER) ||
	    wire.length >= sizeof(wire.payload) ||
	    !receive(fd, wire.payload, wire.length))
		die(STATUS_FAILED, "%s: its xenstore does not answer",
		    machine->folder);
	wire.payload[wire.length] = '\0';
	if (wire.type != WIRE_ERROR)
		return !value || !strcmp(wire.payload, value + 1);
	if (strcmp(wire.payload, "ENOENT"))
		die(STATUS_FAILED, "--wait-for " XENSTORE "%s: %s", what,
		    wire.payload);

	return false;
}

/* A pause, in which the machine may have something to say, or end. */
static void pause_a_little(struct machine *machine)
{
	struct pollfd poller = {.fd = machine->fd, .events = POLLIN};
	char text[ANSWER_BYTES + 1];
	struct answer answer;

	if (poll(&poller, 1, LOOK_MS) <= 0)
		return;
	if (!server_receive(machine->fd, &answer, text, sizeof(text))) {
		server_explain(machine);
		exit(STATUS_FAILED);
	}
	complain("%s", text);
}

void wait_for_other(struct machine *machine, const char *what)
{
	struct timespec begun, now;
	bool there = false;
	int fd = -1;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	if (!strncmp(what, XENSTORE, strlen(XENSTORE))) {
		fd = folder_connect(machine, XENSTORE_FILE, SOCK_STREAM);
		if (fd < 0)
			die(STATUS_FAILED, "%s: it has no xenstore",
			    machine->folder);
	}
	for (;;) {
		there = fd < 0 ? !access(what, F_OK)
			       : has_node(machine, fd, what + strlen(XENSTORE));
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (there || now.tv_sec - begun.tv_sec >= PATIENCE_S)
			break;
		pause_a_little(machine);
	}
	if (fd >= 0)
		close(fd);
	if (!there)
		die(STATUS_FAILED, "--wait-for %s: not there after %d seconds",
		    what, PATIENCE_S);
}
