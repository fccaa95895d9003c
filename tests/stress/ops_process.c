// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Operations with other processes, and signals. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "arena.h"
#include "stress.h"

enum {
	CHILD_FINE,
	CHILD_HAS_MAPPING,
	CHILD_SEES_OTHER_DATA,
	CHILD_COULD_REMOVE,
	CHILD_NO_REQUEST,
};

static const char *const child_says[] = {
	"",
	"a child of a paravirtual domain reaches the grant",
	"a child sees other data in the mapping",
	"a child could remove what its parent has mapped",
	"a child cannot use the instance",
};

/* In the child of a process with many threads: system calls alone. */
static int child_look(struct ctx *c, struct range *r)
{
	unsigned char present[RANGE_PAGES];
	u8 first[64];
	bool mapped = !mincore(r->addr, (size_t)r->count * PAGE, present);
	int fd = r->instance == NO_INSTANCE ? -1 : c->instance[r->instance].fd;
	long rc;

	/* It may have the addresses (MADV_DOFORK), not what is behind them. */
	if (mapped && safe_read(c, first, r->addr, sizeof(first))) {
		if (shm->paravirtual)
			return CHILD_HAS_MAPPING;
		if (memcmp(first, shadow_of(c, r->page[0]), sizeof(first)))
			return CHILD_SEES_OTHER_DATA;
	}
	if (fd < 0)
		return CHILD_FINE;
	rc = device_unmap(c, fd, r->index, r->count);
	if (rc != -EBUSY)
		return CHILD_COULD_REMOVE;
	rc = device_unmap(c, fd, r->index, r->count + 1);
	return rc == -ENOENT ? CHILD_FINE : CHILD_NO_REQUEST;
}

static bool fork_and_look(struct ctx *c, struct range *r)
{
	pid_t pid = family_fork();
	int status;

	if (pid < 0)
		return false;
	if (pid == 0) {
		status = child_look(c, r);
		if (chance(c, 30))
			munmap(r->addr, (size_t)r->count * PAGE);
		_exit(status);
	}
	if (chance(c, 50) && r->prot & PROT_WRITE)
		range_write_page(c, r, r->count - 1);
	status = family_wait(pid);
	if (status >= 128)
		finding(c, FOUND_STUCK, "a forked child died by signal %d",
			status - 128);
	else if (status)
		finding(c, FOUND_CONTRACT, "%s", child_says[status]);
	return !c->trouble && range_check(c, r);
}

bool op_fork(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);

	if (!r)
		return false;
	range_note(c, r);
	return fork_and_look(c, r);
}

/*
 * The program asks that a child inherit the mapping after all. The range is
 * unmapped afterwards, so that no other child is asked about it.
 */
bool op_fork_dofork(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_MAPPED);

	if (!r)
		return false;
	range_note(c, r);
	madvise(r->addr, (size_t)r->count * PAGE, MADV_DOFORK);
	return fork_and_look(c, r) && range_munmap(c, r);
}

/* A child that starts another program at once: its copies go in exec. */
bool op_exec(struct ctx *c)
{
	char *const argv[] = {"stress", "--version", NULL};
	struct range *r = range_want_own(c, WANT_MAPPED);
	int status;
	pid_t pid;

	if (!r)
		return false;
	pid = family_fork();
	if (pid < 0)
		return false;
	if (pid == 0) {
		close(STDOUT_FILENO);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	status = family_wait(pid);
	if (status)
		finding(c, FOUND_STUCK, "a child that ran exec ended with %d",
			status);
	return !c->trouble && range_check(c, r);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/*
 * The first mmap of a process makes the kernel register it for notifications,
 * which a signal interrupts. The program must not see that; and what the
 * driver had begun must be undone.
 */
static int child_first_mmap(struct ctx *c)
{
	struct itimerval soon = {{0, 0}, {0, 1 + (suseconds_t)rnd(c, 3000)}};
	u32 count = 1 + rnd(c, 16), refs[16], i;
	long fd = device_open();
	u64 index;
	u8 *addr;
	long rc;

	for (i = 0; i < count; i++)
		refs[i] = shm->ref[rnd(c, COMMON_PAGES)];
	rc = device_map(c, (int)fd, count, refs, &index);
	if (rc)
		return rc == -ENOMEM ? 0 : (int)-rc;
	/* A signal that is ignored interrupts nothing. */
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	rc = device_mmap(&addr, NULL, count, PROT_READ, MAP_SHARED, (int)fd,
			 index);
	if (rc)
		return rc == -ENOMEM ? 0 : (int)-rc;
	return chance(c, 50) ? 0 : (int)-device_munmap(addr, count);
}

bool op_first_mmap(struct ctx *c)
{
	pid_t pid = family_fork();
	int status;

	if (pid < 0)
		return false;
	if (pid == 0)
		_exit(child_first_mmap(c));
	status = family_wait(pid);
	if (status)
		finding(c, FOUND_CONTRACT,
			"the first mmap of a process, with a signal on its way: %s",
			status < 128 ? strerror(status) : "killed");
	return !c->trouble;
}

/* Interrupts whatever another thread of this worker is in. */
bool op_signal(struct ctx *c)
{
	u32 t = rnd(c, shm->threads);
	u32 tid =
		__atomic_load_n(&shm->slot[c->worker][t].tid, __ATOMIC_RELAXED);

	if (t == c->thread || !tid)
		return false;
	return !syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
}
