// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Starts workers, kills them at random times and starts them anew. It has one
 * thread and touches the grant device no more than to open and close it, so
 * that it lives whatever happens to the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define TICK_MS 50u
#define PROGRESS_NS 5000000000ull
#define RENEW_NS 7000000000ull
#define DIE_NS 30000000000ull
#define OVERTIME_NS 180000000000ull
#define MS 1000000ull

struct worker {
	pid_t pid; /* leader of the group; 0: none */
	bool leader_gone;
	bool lost; /* does not die: left alone */
	u32 generation;
	u64 kill_at;
	u64 killed_at;
	u64 start_at;
};

int common_fd[BOARDS] = {-1, -1, -1};

static struct worker worker[WORKERS_MAX];
static const char *program;
static u32 kill_ms, kills, starts;
static u64 dice;

static u32 roll(u32 below)
{
	dice = mix(dice);
	return below ? (u32)(dice >> 32) % below : 0;
}

/* The other program gets its descriptors by number. */
static void exec_worker(u32 w)
{
	const int pages = shm->remote ? shm_fd : pool_fd;
	const int fds[] = {shm_fd, pages, common_fd[0], common_fd[1]};
	char number[2][16];
	u32 i;

	for (i = 0; i < 4; i++)
		if (dup2(fds[i], WORKER_FD + (int)i) < 0)
			_exit(73);
	snprintf(number[0], sizeof(number[0]), "%u", w);
	snprintf(number[1], sizeof(number[1]), "%u", worker[w].generation);
	execl(program, "stress", "--worker", number[0], number[1],
	      (char *)NULL);
	_exit(74);
}

static void start(u32 w)
{
	struct worker *p = &worker[w];
	pid_t pid;

	p->generation++;
	pid = fork();
	if (pid < 0)
		return;
	if (pid == 0) {
		setpgid(0, 0);
		if (program && w % 2)
			exec_worker(w);
		_exit(worker_main(w, p->generation));
	}
	setpgid(pid, pid);
	starts++;
	p->pid = pid;
	p->leader_gone = false;
	p->killed_at = 0;
	p->kill_at = kill_ms ? now_ns() + (100 + roll(2 * kill_ms)) * MS
			     : ~0ull;
}

static struct worker *by_pid(pid_t pid)
{
	u32 w;

	for (w = 0; w < shm->workers; w++)
		if (worker[w].pid == pid)
			return &worker[w];
	return NULL;
}

static void judge_end(struct worker *p, int status)
{
	u32 w = (u32)(p - worker);

	p->leader_gone = true;
	if (p->killed_at && WIFSIGNALED(status))
		return;
	if (WIFSIGNALED(status))
		controller_finding(FOUND_STUCK, "worker %u died by signal %d",
				   w, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		controller_finding(FOUND_STUCK, "worker %u ended with %d", w,
				   WEXITSTATUS(status));
}

/* Reaps whoever died; a worker is gone when all of its children are, too. */
static void reap(void)
{
	struct worker *p;
	int status;
	pid_t pid;
	u32 w, t;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		p = by_pid(pid);
		if (p)
			judge_end(p, status);
	}
	for (w = 0; w < shm->workers; w++) {
		p = &worker[w];
		if (!p->pid || !p->leader_gone)
			continue;
		if (!kill(-p->pid, SIGKILL) || errno != ESRCH)
			continue;
		for (t = 0; t < shm->threads; t++)
			memset(&shm->slot[w][t], 0, sizeof(shm->slot[w][t]));
		p->pid = 0;
		p->start_at = now_ns() + (50 + roll(400)) * MS;
	}
}

static void kill_worker(struct worker *p)
{
	/* All of it, or its leader first and the children by themselves. */
	kill(roll(3) ? -p->pid : p->pid, SIGKILL);
	p->killed_at = now_ns();
	p->kill_at = ~0ull;
	kills++;
}

/* A process that SIGKILL does not end in time sits in the kernel for ever. */
static void check_dying(struct worker *p)
{
	if (!p->pid || !p->killed_at || p->lost ||
	    now_ns() - p->killed_at < DIE_NS)
		return;
	p->lost = true;
	controller_finding(FOUND_STUCK,
			   "worker %u does not die by SIGKILL (process %d)",
			   (u32)(p - worker), p->pid);
	watch_dump(p->pid);
}

static void progress(u64 began)
{
	u64 now = now_ns(), done = 0, seconds = (now - began) / 1000000000u;
	u32 i, found = 0;

	for (i = 0; i < operation_count; i++)
		done += shm->done[i];
	for (i = 0; i < FOUND_CLASSES; i++)
		found += shm->findings[i];
	say("# %llu s: %llu operations, %llu mmaps, %u workers started, %u killed, %u findings",
	    (unsigned long long)seconds, (unsigned long long)done,
	    (unsigned long long)shm->mapped, starts, kills, found);
}

/* The instances that all workers share, replaced for those that start anew. */
static void renew_common(void)
{
	u32 i;
	long fd;

	for (i = 0; i < BOARDS - 1; i++) {
		if (common_fd[i] >= 0)
			close(common_fd[i]);
		fd = device_open();
		if (fd < 0)
			controller_finding(FOUND_CONTRACT,
					   "/dev/xen/gntdev: %s",
					   strerror((int)-fd));
		common_fd[i] = (int)fd;
	}
	memset(shm->board, 0, sizeof(shm->board));
}

static void compact_memory(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		say("# compact_memory: %s", strerror(errno));
	close(fd);
}

static void tick(void)
{
	bool kill_on = shm->enabled[operation_find("kill")] && !shm->overtime;
	u64 now = now_ns();
	struct worker *p;
	u32 w;

	reap();
	for (w = 0; w < shm->workers; w++) {
		p = &worker[w];
		check_dying(p);
		if (!p->pid && now >= p->start_at)
			start(w);
		else if (p->pid && !p->killed_at && now >= p->kill_at &&
			 kill_on)
			kill_worker(p);
	}
	watch_threads();
	log_scan();
}

static u32 living(void)
{
	u32 n = 0, w;

	for (w = 0; w < shm->workers; w++)
		n += worker[w].pid && !worker[w].lost;
	return n;
}

/* All stop by themselves; who does not is killed. */
static void stop_all(void)
{
	u64 end = now_ns() + DIE_NS;
	u32 w;

	__atomic_store_n(&shm->stop, 1, __ATOMIC_SEQ_CST);
	while (living() && now_ns() < end) {
		reap();
		watch_threads();
		pause_ms(TICK_MS);
	}
	for (w = 0; w < shm->workers; w++)
		if (worker[w].pid && !worker[w].killed_at)
			kill_worker(&worker[w]);
	while (living()) {
		reap();
		for (w = 0; w < shm->workers; w++)
			check_dying(&worker[w]);
		pause_ms(TICK_MS);
	}
	log_scan();
}

/*
 * A slow machine gets more time for what it has not come to, as all that the table
 * has is to be done. Nobody is killed in it, and what is common is not replaced:
 * many operations need what others have made.
 */
static bool goes_on(u64 end, u32 seconds)
{
	u64 now = now_ns(), longest = 4 * (u64)seconds * 1000 * MS;
	u32 i;

	if (now < end)
		return true;
	if (longest > OVERTIME_NS)
		longest = OVERTIME_NS;
	for (i = 0; i < operation_count; i++)
		if (operation_lacks(i))
			break;
	shm->overtime = i < operation_count && now < end + longest;
	return shm->overtime;
}

int controller_run(u32 seconds, u32 mean_ms, const char *other)
{
	u64 began = now_ns(), end = began + seconds * 1000 * MS;
	u64 next = began + PROGRESS_NS, renew = began;
	bool compact = shm->enabled[operation_find("compact_memory")];
	u32 i;

	program = other;
	kill_ms = mean_ms;
	dice = shm->seed;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (goes_on(end, seconds)) {
		if (now_ns() >= renew && !shm->overtime) {
			renew_common();
			if (compact)
				compact_memory();
			renew = now_ns() + RENEW_NS;
		}
		tick();
		if (now_ns() >= next) {
			progress(began);
			next += PROGRESS_NS;
		}
		pause_ms(TICK_MS);
	}
	stop_all();
	progress(began);
	for (i = 0; i < BOARDS - 1; i++)
		close(common_fd[i]);
	for (i = 0; i < shm->workers; i++)
		if (worker[i].lost)
			return -1;
	return 0;
}
