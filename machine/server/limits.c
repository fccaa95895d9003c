// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where the server is out of descriptors, threads or memory: who asks is told
 * as by a kernel that is, the log has a line, and the server goes on. Some
 * descriptors are kept for what it does on its own, as looking into /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

/* Of a limit that has so many, kept for the server itself. */
#define KEPT 32
/* Between lines about the same thing. */
#define QUIET_S 5

static int most; /* descriptors that others may cause */

/* Given up for a connection, so that who comes can be told of the limit. */
static int spare = -1;

static void keep_spare(void)
{
	if (spare < 0)
		spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void limits_start(void)
{
	struct rlimit limit = {.rlim_cur = 1024};
	int all;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	all = limit.rlim_cur < 1 << 30 ? limit.rlim_cur : 1 << 30;
	most = all - (all / 8 < KEPT ? all / 8 : KEPT);
	keep_spare();
}

static void tell(int error)
{
	static time_t last[2];
	bool files = error == -ENFILE;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&state);
	error = last[files] && now.tv_sec - last[files] < QUIET_S;
	if (!error)
		last[files] = now.tv_sec;
	pthread_mutex_unlock(&state);
	if (error)
		return;
	if (files)
		server_log(
			"the machine's server is out of descriptors: it has %d (ulimit -n), programs are told ENFILE",
			most);
	else
		server_log(
			"the machine's server is out of threads or memory: programs are told ENOMEM");
}

int limits_error(int error)
{
	/* Its limit of descriptors is the system's to a program. */
	if (error == -EMFILE)
		error = -ENFILE;
	/* No device says that: programs would ask again for ever. */
	if (error == -EAGAIN || error == -ENOSPC)
		error = -ENOMEM;
	if (error == -ENFILE || error == -ENOMEM)
		tell(error);

	return error;
}

bool limits_reached(int fd)
{
	return fd >= most;
}

int server_accept(const struct watch *listener, bool *refused)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

	*refused = fd >= 0 && limits_reached(fd);
	if (fd >= 0 || errno == EAGAIN || errno == EINTR ||
	    errno == ECONNABORTED)
		return fd;
	limits_error(-errno);
	if (errno == EMFILE || errno == ENFILE) {
		if (spare >= 0)
			close(spare);
		spare = -1;
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
		*refused = fd >= 0;
	}
	/* Nothing can be done but wait, and not in a hurry. */
	if (fd < 0)
		usleep(10000);

	return fd;
}

void server_refused(int fd)
{
	close(fd);
	keep_spare();
}
