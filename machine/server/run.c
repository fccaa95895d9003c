// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Runs: a `gntdev run` each, its program and what that started. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server.h"

/* How long a run may take to read what was left. */
#define PATIENCE_S 5

static LIST_HEAD(, run) runs = LIST_HEAD_INITIALIZER(runs);
static uint32_t numbers;
static int last_run = -1;

struct run *run_find(uint32_t number)
{
	struct run *run;

	pthread_mutex_lock(&state);
	LIST_FOREACH(run, &runs, entry)
	{
		if (run->number == number)
			break;
	}
	if (run)
		run->refs++;
	pthread_mutex_unlock(&state);

	return run;
}

void run_put(struct run *run)
{
	bool last;

	pthread_mutex_lock(&state);
	last = --run->refs == 0;
	pthread_mutex_unlock(&state);
	if (!last)
		return;

	fclose(run->left_file);
	free(run->left);
	free(run);
}

unsigned int run_count(void)
{
	struct run *run;
	unsigned int count = 0;

	pthread_mutex_lock(&state);
	LIST_FOREACH(run, &runs, entry)
	count++;
	pthread_mutex_unlock(&state);

	return count;
}

/* From here on no process of it is asked about. */
static void end(struct run *run)
{
	watch_close(&run->connection);
	pthread_mutex_lock(&state);
	LIST_REMOVE(run, entry);
	pthread_mutex_unlock(&state);
	run_put(run);
}

void run_left(struct run *run, struct domain *domain, pid_t pid,
	      const char *name, const char *lines, unsigned int count)
{
	pthread_mutex_lock(&state);
	run->left_count += count;
	while (*lines) {
		int length = strcspn(lines, "\n");

		fprintf(run->left_file, "domain %u, process %d (%s): %.*s\n",
			domain_id(domain), pid, name, length, lines);
		lines += length;
		lines += *lines == '\n';
	}
	pthread_mutex_unlock(&state);
}

/* Everybody waits meanwhile: so not for ever for who reads nothing of it. */
static void send_lines(int fd, unsigned int count, const char *lines,
		       size_t size, uint32_t flags)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct answer answer = {.value = count};
	bool sent;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));

	do {
		answer.bytes = size < ANSWER_BYTES ? size : ANSWER_BYTES;
		size -= answer.bytes;
		answer.flags = flags | (size ? ANSWER_MORE : 0);
		sent = answer_send(fd, &answer, lines, -1);
		lines += answer.bytes;
	} while (size && sent);
}

/* Its program has ended. */
static void conclude(struct run *run)
{
	uint32_t flags = 0;

	/* Its connection may end while others' ends are done with. */
	watch_stop(&run->connection);
	/* That it was seen to end does not mean that it is done with. */
	process_settle();
	process_report(run);
	device_report(run);

	if (run_count() == 1 && !process_count() && !device_count())
		flags = ANSWER_LAST;
	fflush(run->left_file);
	send_lines(run->connection.fd, run->left_count, run->left,
		   run->left_size, flags);

	if (flags)
		last_run = dup(run->connection.fd);
	end(run);
}

static void on_connection(struct watch *watch, uint32_t events)
{
	struct run *run = (struct run *)((char *)watch -
					 offsetof(struct run, connection));
	struct request request;
	ssize_t size;

	(void)events;
	size = recv(watch->fd, &request, sizeof(request), MSG_DONTWAIT);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size == sizeof(request) && request.op == OP_END)
		conclude(run);
	else
		end(run);
}

int run_take_last(void)
{
	int fd = last_run;

	last_run = -1;
	return fd;
}

/* If it has read what it was told before: nobody is waited for. */
void run_tell(struct run *run, const char *text)
{
	struct answer answer = {
		.flags = ANSWER_TEXT,
		.bytes = strlen(text),
	};
	struct iovec parts[] = {
		{&answer, sizeof(answer)},
		{(void *)text, 0},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	if (answer.bytes > ANSWER_BYTES)
		answer.bytes = ANSWER_BYTES;
	parts[1].iov_len = answer.bytes;
	sendmsg(run->connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Whoever calls may hold any lock, and does not come back. */
void run_tell_all(const char *text)
{
	struct run *run;

	LIST_FOREACH(run, &runs, entry)
	run_tell(run, text);
}

static int check_mode(uint32_t flags, char *why, size_t size)
{
	static const char *const names[] = {
		[MACHINE_PV] = "pv",
		[MACHINE_XLAT] = "xlat",
		[MACHINE_PVH] = "pvh",
	};
	enum machine_mode asked = flags & HELLO_PV     ? MACHINE_PV
				  : flags & HELLO_XLAT ? MACHINE_XLAT
				  : flags & HELLO_PVH  ? MACHINE_PVH
						       : server.mode;

	if (asked == server.mode)
		return 0;
	snprintf(why, size, "the machine in %s is in mode %s, not %s",
		 server.folder, names[server.mode], names[asked]);

	return -EINVAL;
}

int run_begin(int fd, const struct hello *hello, char *why, size_t size)
{
	struct run *run;
	int error;

	error = check_mode(hello->flags, why, size);
	if (error)
		return error;
	if (!domain_get(hello->domain)) {
		error = limits_error(-errno);
		snprintf(why, size, "domain %u: %s", hello->domain,
			 strerror(-error));
		return error;
	}
	if (*hello->text) {
		error = machine_fail_spec(hello->text, why, size);
		if (error)
			return error;
	}

	run = must_alloc(sizeof(*run));
	run->refs = 1;
	run->connection.fd = fd;
	run->connection.ready = on_connection;
	run->left_file = open_memstream(&run->left, &run->left_size);
	if (!run->left_file)
		server_fail("no memory");

	pthread_mutex_lock(&ending);
	pthread_mutex_lock(&state);
	run->number = ++numbers;
	LIST_INSERT_HEAD(&runs, run, entry);
	pthread_mutex_unlock(&state);
	answer_now(fd, run->number);
	if (watch_add(&run->connection, EPOLLIN))
		end(run);
	pthread_mutex_unlock(&ending);

	return 0;
}
