// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Connections: what each is for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../trust.h"
#include "server.h"

/* How long one may take to say what it is for. */
#define PATIENCE_S 5

struct connection {
	int fd;
	pid_t pid;
	bool known; /* the hello is there already */
	struct hello hello;
};

static void refuse(int fd, int error, const char *why)
{
	struct answer answer = {
		.value = error,
		.bytes = strlen(why),
		.extra = PROTOCOL_VERSION,
	};

	answer_send(fd, &answer, why, -1);
}

bool hello_is_welcome(int fd, pid_t *pid)
{
	char why[256];

	if (trust_peer(fd, pid, why, sizeof(why)))
		return true;
	server_log("process %d is refused: %s", *pid, why);
	refuse(fd, -EPERM, why);

	return false;
}

/* True if it is one that this server understands. */
static bool check_hello(struct connection *connection, ssize_t size)
{
	struct hello *hello = &connection->hello;
	char why[128];

	if (size < (ssize_t)offsetof(struct hello, kind) ||
	    memcmp(hello->magic, PROTOCOL_MAGIC, sizeof(hello->magic)))
		return false;

	if (hello->version != PROTOCOL_VERSION) {
		snprintf(why, sizeof(why),
			 "its server speaks version %u of the protocol, this program %u: they are of different releases",
			 PROTOCOL_VERSION, hello->version);
		refuse(connection->fd, -EPROTO, why);
		return false;
	}
	hello->name[HELLO_NAME - 1] = '\0';
	hello->text[HELLO_TEXT - 1] = '\0';

	return size == sizeof(*hello);
}

static bool read_hello(struct connection *connection)
{
	struct hello *hello = &connection->hello;
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct timeval ever = {0};
	ssize_t size = sizeof(*hello);

	if (!connection->known) {
		setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			   sizeof(patience));
		size = recv(connection->fd, hello, sizeof(*hello), 0);
		setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &ever,
			   sizeof(ever));
	}

	return check_hello(connection, size);
}

static const char *why_no_process(int error, char *why, size_t size)
{
	switch (error) {
	case -EPERM:
		snprintf(
			why, size,
			"the machine's server may not read this process's memory: is process_vm_readv() forbidden (seccomp), or the program set-uid?");
		break;
	case -ESRCH:
		snprintf(
			why, size,
			"the machine's server does not find this process: is it in another container?");
		break;
	case -EINVAL:
		snprintf(why, size,
			 "there is no such domain: they are numbered 0 to 32751");
		break;
	default:
		snprintf(why, size, "%s", strerror(-error));
	}

	return why;
}

static void serve_calls(const struct connection *connection)
{
	struct process *process = process_find(connection->hello.image);

	if (!process) {
		refuse(connection->fd, -ESRCH, "process unknown");
		return;
	}
	if (process->helper)
		server_thread_helps(1);
	if (answer_value(connection->fd, 0))
		call_serve(connection->fd, process);
	if (process->helper)
		server_thread_helps(-1);
	process_put(process);
}

/* What @tell writes, once all that has ended is done with. */
static void serve_text(const struct connection *connection,
		       void (*tell)(FILE *out))
{
	struct answer answer = {0};
	char *text = NULL;
	size_t size = 0, sent;
	FILE *out;

	watch_drain();
	out = open_memstream(&text, &size);
	if (!out)
		return;
	tell(out);
	fclose(out);

	for (sent = 0; sent < size || !sent; sent += answer.bytes) {
		answer.bytes = size - sent < ANSWER_BYTES ? size - sent
							  : ANSWER_BYTES;
		answer.flags = sent + answer.bytes < size ? ANSWER_MORE : 0;
		if (!answer_send(connection->fd, &answer, text + sent, -1) ||
		    !size)
			break;
	}
	free(text);
}

/* Returns whether the connection is somebody else's now. */
static bool serve(const struct connection *connection)
{
	const struct hello *hello = &connection->hello;
	char why[2048] = "";
	int error;

	switch (hello->kind) {
	case CONNECTION_PROCESS:
		error = process_register(connection->fd, hello,
					 connection->pid);
		break;
	case CONNECTION_FORK:
		error = process_fork(connection->fd, hello);
		break;
	case CONNECTION_RUN:
		error = run_begin(connection->fd, hello, why, sizeof(why));
		break;
	case CONNECTION_CALLS:
		serve_calls(connection);
		return false;
	case CONNECTION_LIST:
		serve_text(connection, machine_list);
		return false;
	case CONNECTION_HOLDINGS:
		serve_text(connection, machine_holdings);
		return false;
	case CONNECTION_TRACE:
		/* To be watched is no life. */
		server_thread_helps(1);
		trace_serve(connection->fd);
		server_thread_helps(-1);
		return false;
	default:
		error = -EPROTO;
	}
	if (!error)
		return true;
	if (!*why)
		why_no_process(error, why, sizeof(why));
	refuse(connection->fd, error, why);

	return false;
}

static void *thread(void *arg)
{
	struct connection *connection = arg;

	/* One that came over another connection was welcome there. */
	if (!read_hello(connection) ||
	    (!connection->known &&
	     !hello_is_welcome(connection->fd, &connection->pid)) ||
	    !serve(connection))
		close(connection->fd);
	free(connection);
	server_thread_done();

	return NULL;
}

/* Whoever it is has sent its hello already, or sends it in a moment. */
void hello_refuse(int fd, int error, const char *what)
{
	struct timeval patience = {.tv_usec = 200000};
	struct hello hello;
	char why[128];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)!recv(fd, &hello, sizeof(hello), 0);
	snprintf(why, sizeof(why), "%s: %s", what, strerror(-error));
	refuse(fd, error, why);
}

static void take(struct connection *connection)
{
	int fd = connection->fd, error = server_thread(thread, connection);

	if (error) {
		hello_refuse(fd, error,
			     "the machine's server cannot start another thread");
		close(fd);
		free(connection);
	}
}

void hello_take(int fd)
{
	struct connection *connection = must_alloc(sizeof(*connection));

	connection->fd = fd;
	take(connection);
}

void hello_take_passed(int fd, pid_t pid, const struct hello *hello)
{
	struct connection *connection = must_alloc(sizeof(*connection));

	connection->fd = fd;
	connection->pid = pid;
	connection->known = true;
	connection->hello = *hello;
	take(connection);
}
