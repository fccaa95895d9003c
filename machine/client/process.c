// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Beginning and end of processes. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

/* Of the thread that forks: there is one at a time. */
static sigset_t signals;

static void before_fork(void)
{
	sigset_t before;

	if (!channel_on())
		return;
	ranges_lock(&before);
	signals = before;
	channel_before_fork();
}

static void in_parent(void)
{
	sigset_t before = signals;

	if (!channel_on())
		return;
	channel_after_fork(false);
	ranges_unlock(&before);
}

static void in_child(void)
{
	sigset_t before = signals;

	if (!channel_on())
		return;
	channel_after_fork(true);
	memory_after_fork();
	ranges_unlock(&before);
}

static __attribute__((constructor)) void begin(void)
{
	channel_begin();
	if (!channel_on())
		return;
	ranges_begin();
	pthread_atfork(before_fork, in_parent, in_child);
}

/*
 * Who has seen a process end expects that what it held is given back: the
 * kernel does that before it tells. The server may be a moment behind.
 */
static void seen(int status)
{
	int saved = errno;

	if (channel_on() && (WIFEXITED(status) || WIFSIGNALED(status)))
		channel_sync();
	errno = saved;
}

EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	int own = 0;
	pid_t ended = NEXT(wait4)(pid, &own, options, usage);

	if (ended > 0) {
		seen(own);
		if (status)
			*status = own;
	}

	return ended;
}

EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
	return wait4(pid, status, options, NULL);
}

EXPORT pid_t wait(int *status)
{
	return wait4(-1, status, 0, NULL);
}

EXPORT pid_t wait3(int *status, int options, struct rusage *usage)
{
	return wait4(-1, status, options, usage);
}

EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	siginfo_t own = {0};
	int error = NEXT(waitid)(type, id, &own, options);

	if (!error && own.si_pid && options & WEXITED)
		seen(0);
	if (!error && info)
		*info = own;

	return error;
}
