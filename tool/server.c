// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The machine's server: joined where there is one, started where not. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../machine/trust.h"
#include "tool.h"

static const char server_name[] = "gntdev-server";

static int try_connect(const struct machine *machine)
{
	return folder_connect(machine, SOCKET_FILE, SOCK_SEQPACKET);
}

/* The one that is starting or ending has the lock. */
static bool is_locked(const struct machine *machine, int *pid)
{
	char why[1024], text[32] = "";
	bool locked = false;
	int fd;

	/* What else may be there the server complains of. */
	fd = trust_file(machine->directory, LOCK_FILE, 0, why, sizeof(why));
	if (fd < 0)
		return false;
	locked = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	if (read(fd, text, sizeof(text) - 1) >= 0)
		*pid = atoi(text);
	close(fd);

	return locked;
}

static void exec_server(const struct machine *machine, const char *mode,
			const char *path, int ready)
{
	int nowhere = open("/dev/null", O_RDWR);
	char number[16];

	setsid();
	for (int fd = 0; fd < 3 && nowhere >= 0; fd++)
		dup2(nowhere, fd);
	/* Nothing of ours keeps it waiting, and it keeps nothing open. */
	ready = dup2(ready, 3);
	fcntl(ready, F_SETFD, 0);
	close_range(4, ~0U, 0);
	/* For what the loader may have to say; then it has a log. */
	dup2(ready, STDERR_FILENO);
	/* What is to be in the program is not to be in its kernel. */
	if (!getenv(ENV_MACHINE)) {
		unsetenv("LD_PRELOAD");
		unsetenv("LD_AUDIT");
	}
	snprintf(number, sizeof(number), "%d", ready);
	execl(path, server_name, machine->folder, mode ?: "pv", number,
	      machine->private ? "private" : NULL, NULL);
	dprintf(ready, "%s: %s\n", path, strerror(errno));
	_exit(STATUS_FAILED);
}

/* The next one, without its end; false if none comes. */
static bool read_one(int fd, char *line, size_t size)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	size_t got = 0;
	char byte = 0;

	while (byte != '\n' && poll(&poller, 1, PATIENCE_MS) > 0 &&
	       read(fd, &byte, 1) == 1) {
		if (byte != '\n' && got < size - 1)
			line[got++] = byte;
	}
	line[got] = '\0';

	return got || byte == '\n';
}

/*
 * The line that a new server has for us; empty if there is none. Before it the
 * loader may have had something to say that kept nobody from starting it.
 */
static void read_line(int fd, char *line, size_t size)
{
	char next[2048];

	*line = '\0';
	while (read_one(fd, next, sizeof(next))) {
		if (*next)
			snprintf(line, size, "%s", next);
		if (!strcmp(line, "ready") || !strcmp(line, "busy"))
			break;
	}
}

/* Whether a server is there now; one that was faster may have the lock. */
static bool start(struct machine *machine, const char *mode)
{
	char *path = folder_part(server_name);
	char line[2048];
	int ready[2];

	if (pipe2(ready, O_CLOEXEC))
		die(STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
	machine->server = fork();
	if (machine->server < 0)
		die(STATUS_FAILED, "cannot start the server: fork: %s",
		    strerror(errno));
	if (!machine->server)
		exec_server(machine, mode, path, ready[1]);
	close(ready[1]);
	read_line(ready[0], line, sizeof(line));
	close(ready[0]);
	free(path);

	if (!strcmp(line, "ready"))
		return true;
	waitpid(machine->server, NULL, *line ? 0 : WNOHANG);
	machine->server = 0;
	if (!strcmp(line, "busy"))
		return false;
	folder_remove(machine);
	die(STATUS_FAILED, "%s: %s", machine->folder,
	    *line ? line : "the server ended, or hangs, before it was ready");
}

bool server_receive(int fd, struct answer *answer, char *text, size_t size)
{
	struct iovec parts[] = {
		{answer, sizeof(*answer)},
		{text, size - 1},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t got;

	do {
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < (ssize_t)sizeof(*answer))
		return false;
	text[got - sizeof(*answer)] = '\0';

	return true;
}

static void set_patience(int fd, int seconds)
{
	struct timeval patience = {.tv_sec = seconds};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

void server_hurry(int fd)
{
	set_patience(fd, PATIENCE_MS / 1000);
}

void server_wait(int fd)
{
	set_patience(fd, 0);
}

static void __attribute__((noreturn)) die_silent(const struct machine *machine)
{
	die(STATUS_FAILED, "%s: its server has not answered for %d seconds",
	    machine->folder, PATIENCE_MS / 1000);
}

/* 0, or -1 if the server went away before it answered. */
static int say_hello(struct machine *machine, const struct options *options)
{
	struct hello hello = {
		.magic = PROTOCOL_MAGIC,
		.version = PROTOCOL_VERSION,
		.kind = CONNECTION_RUN,
		.domain = options->domain,
	};
	char text[ANSWER_BYTES + 1];
	struct answer answer;

	if (options->mode)
		hello.flags = !strcmp(options->mode, "pv")    ? HELLO_PV
			      : !strcmp(options->mode, "pvh") ? HELLO_PVH
							      : HELLO_XLAT;
	if (options->fail)
		strcpy(hello.text, options->fail);

	errno = 0;
	if (send(machine->fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
	    !server_receive(machine->fd, &answer, text, sizeof(text))) {
		if (errno == EAGAIN)
			die_silent(machine);
		return -1;
	}
	server_wait(machine->fd);
	if (answer.value < 0)
		die(STATUS_FAILED, "%s: %s", machine->folder, text);
	machine->run = answer.value;

	return 0;
}

/* The last line of the log, which says most. */
static void read_log(const struct machine *machine, char *line, size_t size)
{
	char why[1024], next[1024];
	FILE *file = NULL;
	int fd;

	*line = '\0';
	fd = trust_file(machine->directory, LOG_FILE, 0, why, sizeof(why));
	if (fd >= 0)
		file = fdopen(fd, "r");
	while (file && fgets(next, sizeof(next), file)) {
		next[strcspn(next, "\n")] = '\0';
		if (*next)
			snprintf(line, size, "%s", next);
	}
	if (file)
		fclose(file);
}

/* Whether it is ours and has ended: it may be about to. */
static bool has_ended(const struct machine *machine, int *status)
{
	for (int ms = 0; machine->server && ms < 2000; ms += 10) {
		if (waitpid(machine->server, status, WNOHANG) ==
		    machine->server)
			return true;
		usleep(10000);
	}

	return false;
}

static void explain(const struct machine *machine, int status)
{
	char line[1024], how[64] = "ended";

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was ended by signal %d",
			 WTERMSIG(status));
	read_log(machine, line, sizeof(line));
	complain("%s: the machine is lost: its server %s%s%s", machine->folder,
		 how, *line ? "; its log ends: " : "", line);
}

void server_explain(const struct machine *machine)
{
	int status = 0;

	has_ended(machine, &status);
	explain(machine, status);
}

static void give_up(const struct machine *machine, int status)
{
	explain(machine, status);
	folder_remove(machine);
	exit(STATUS_FAILED);
}

static bool try_join(struct machine *machine, const struct options *options)
{
	machine->fd = try_connect(machine);
	if (machine->fd < 0)
		return false;
	if (!say_hello(machine, options))
		return true;
	close(machine->fd);
	machine->fd = -1;

	return false;
}

void server_join(struct machine *machine, const struct options *options)
{
	int pid = 0, status = 0;

	for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
		if (try_join(machine, options))
			return;
		/* One that is ending has to be gone first. */
		if (!is_locked(machine, &pid) &&
		    start(machine, options->mode)) {
			if (try_join(machine, options))
				return;
			/* Others may have come and gone meanwhile, and it. */
			if (has_ended(machine, &status) && status)
				give_up(machine, status);
		}
		usleep(10000);
	}

	die(STATUS_FAILED,
	    "%s: a server (process %d) has it, but does not answer",
	    machine->folder, pid);
}

void server_list(struct machine *machine, bool holdings, FILE *out)
{
	struct hello hello = {
		.magic = PROTOCOL_MAGIC,
		.version = PROTOCOL_VERSION,
		.kind = holdings ? CONNECTION_HOLDINGS : CONNECTION_LIST,
	};
	char text[ANSWER_BYTES + 1];
	struct answer answer;

	machine->fd = try_connect(machine);
	if (machine->fd < 0)
		die(STATUS_FAILED, "%s: no machine is there", machine->folder);
	errno = 0;
	if (send(machine->fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN)
		die(STATUS_FAILED, "%s: %s", machine->folder, strerror(errno));
	do {
		if (!server_receive(machine->fd, &answer, text, sizeof(text))) {
			if (errno == EAGAIN)
				die_silent(machine);
			die(STATUS_FAILED, "%s: its server has ended",
			    machine->folder);
		}
		if (answer.value < 0)
			die(STATUS_FAILED, "%s: %s", machine->folder, text);
		fputs(text, out);
	} while (answer.flags & ANSWER_MORE);
	close(machine->fd);
	machine->fd = -1;
}
