// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Beginning and end of processes. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
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
	connect_before_fork();
}

static void in_parent(void)
{
	sigset_t before = signals;

	if (!channel_on())
		return;
	connect_after_fork(false, false);
	ranges_unlock(&before);
}

static void in_child(void)
{
	sigset_t before = signals;

	if (!channel_on())
		return;
	connect_after_fork(true, false);
	memory_after_fork();
	lend_after_fork();
	ranges_unlock(&before);
}

static __attribute__((constructor)) void begin(void)
{
	process_begin();
}

void process_begin(void)
{
	if (channel_on())
		return;
	channel_begin();
	connect_begin();
	if (!channel_on())
		return;
	reserve_begin();
	exec_begin();
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

static pid_t wait_for(pid_t pid, int *status, int options, struct rusage *usage)
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

EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return wait_for(pid, status, options, usage);
}

EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
	return wait_for(pid, status, options, NULL);
}

EXPORT pid_t wait(int *status)
{
	return wait_for(-1, status, 0, NULL);
}

EXPORT pid_t wait3(int *status, int options, struct rusage *usage)
{
	return wait_for(-1, status, options, usage);
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

/* ---- limits that what is ours counts against ---- */

static void before_limit(int resource)
{
	if (resource == RLIMIT_AS && !connect_is_guest())
		reserve_give_up();
}

/* Those kept below the former limit may be of no use any more. */
static int after_limit(int resource, int error)
{
	if (!error && resource == RLIMIT_NOFILE && channel_on()) {
		kept_lend();
		kept_regain();
	}

	return error;
}

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	before_limit(resource);
	return after_limit(resource, NEXT(setrlimit)(resource, limit));
}

EXPORT int setrlimit64(__rlimit_resource_t resource,
		       const struct rlimit64 *limit)
{
	before_limit(resource);
	return after_limit(resource, NEXT(setrlimit64)(resource, limit));
}

EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource,
		   const struct rlimit *limit, struct rlimit *former)
{
	if (!limit)
		return NEXT(prlimit)(pid, resource, limit, former);
	before_limit(resource);
	return after_limit(resource,
			   NEXT(prlimit)(pid, resource, limit, former));
}

EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource,
		     const struct rlimit64 *limit, struct rlimit64 *former)
{
	if (!limit)
		return NEXT(prlimit64)(pid, resource, limit, former);
	before_limit(resource);
	return after_limit(resource,
			   NEXT(prlimit64)(pid, resource, limit, former));
}

/* Without rights for more, the whole of a process has to fit the limit. */
EXPORT int mlockall(int flags)
{
	reserve_give_up();
	return NEXT(mlockall)(flags);
}
