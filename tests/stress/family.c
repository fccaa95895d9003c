// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Children that operations fork. While one lives it shares the descriptors
 * (and, in an auto-translated domain, perhaps the mappings) of all threads of
 * its parent: a close is not the last one, a range may still be mapped. A
 * thread that sees such an answer waits until the children are gone and asks
 * again before it calls it a finding.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

static u32 started;
static u32 alive;

pid_t family_fork(void)
{
	pid_t pid;

	__atomic_fetch_add(&alive, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
	pid = fork();
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	else if (pid < 0)
		__atomic_fetch_sub(&alive, 1, __ATOMIC_SEQ_CST);
	return pid;
}

/* The child's exit status, or 128 and its signal. */
int family_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	__atomic_fetch_sub(&alive, 1, __ATOMIC_SEQ_CST);
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

u32 family_epoch(void)
{
	u32 epoch = __atomic_load_n(&started, __ATOMIC_SEQ_CST);

	/* One that lives already counts as one that starts. */
	return __atomic_load_n(&alive, __ATOMIC_SEQ_CST) ? epoch - 1 : epoch;
}

/* True: no child lived since the epoch, so the answer stands. */
bool family_quiet(u32 epoch)
{
	int i;

	if (__atomic_load_n(&started, __ATOMIC_SEQ_CST) == epoch)
		return true;
	for (i = 0; i < 2000; i++) {
		if (!__atomic_load_n(&alive, __ATOMIC_SEQ_CST))
			break;
		pause_ms(10);
	}
	return false;
}
