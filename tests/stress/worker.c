// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* One worker process and its threads. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena.h"
#include "stress.h"

#define REQUEST_BYTES 65536u

__thread struct ctx *self;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (self && self->guarded)
		siglongjmp(self->fault, 1);
	if (self)
		finding(self, FOUND_STUCK, "signal %d at %p", signal,
			info->si_addr);
	_exit(70);
}

static void on_nudge(int signal)
{
	(void)signal;
}

static void take_signals(void)
{
	struct sigaction fault = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	struct sigaction nudge = {.sa_handler = on_nudge};

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGUSR1, &nudge, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void open_devices(struct ctx *c)
{
	c->evtchn = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (c->evtchn >= 0)
		evtchn_pair(c->evtchn, c->evtchn, &c->near_port, &c->far_port);
	c->copy_fd = (int)device_open();
	/*
	 * On x86 an auto-translated domain that maps its own page loses it at
	 * its old address.
	 */
	c->gntalloc = -1;
	if (!shm->remote || shm->paravirtual)
		c->gntalloc = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	c->disk = -1;
	if (!shm->has_disk)
		return;
	c->disk = open(shm->disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (c->disk < 0)
		finding(c, FOUND_STUCK, "%s cannot be opened", shm->disk);
	c->disk_offset =
		(u64)(c->worker * THREADS_MAX + c->thread) * DISK_REGION;
}

static bool prepare(struct ctx *c)
{
	/* By turns, so that what a dead worker left cannot disturb. */
	c->first_page =
		COMMON_PAGES + ((c->worker * shm->threads + c->thread) * 2 +
				c->generation % 2) *
				       OWN_PAGES;
	c->arena = arena_of(c->thread);
	c->shadow = malloc(OWN_PAGES * PAGE);
	c->request = malloc(REQUEST_BYTES);
	c->local = mmap(NULL, LOCAL_PAGES * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	c->request_fd = memfd_create("request", MFD_CLOEXEC);
	c->seen = malloc(PAGE);
	if (!c->shadow || !c->request || !c->seen || c->local == MAP_FAILED ||
	    c->request_fd < 0 || ftruncate(c->request_fd, 8 * PAGE))
		return false;
	open_devices(c);
	own_pages_reset(c);
	return true;
}

static void *thread_main(void *arg)
{
	struct ctx *c = arg;
	u32 i;

	self = c;
	c->slot = &shm->slot[c->worker][c->thread];
	c->slot->operation = 0;
	c->slot->generation = c->generation;
	c->slot->tid = (u32)syscall(SYS_gettid);
	c->slot->pid = (u32)getpid();
	c->rng = mix(shm->seed ^ mix((u64)c->worker << 48 ^
				     (u64)c->thread << 32 ^ c->generation));
	if (!prepare(c)) {
		finding(c, FOUND_STUCK, "a thread cannot get its memory");
		return NULL;
	}
	__atomic_store_n(&c->slot->port, c->near_port, __ATOMIC_SEQ_CST);
	for (i = 0; i < INSTANCES; i++)
		if (!instance_open(c, i))
			return NULL;
	while (!__atomic_load_n(&shm->stop, __ATOMIC_RELAXED))
		operation_run(c, operation_pick(c));
	/* Half of them leave all to the kernel. */
	if (chance(c, 50))
		abandon(c);
	return NULL;
}

static bool is_on(const char *name)
{
	return shm->enabled[operation_find(name)];
}

int worker_main(u32 worker, u32 generation)
{
	static struct ctx ctx[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	u32 i, n = 0;
	long fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	take_signals();
	fault_in_request = is_on("fault_in_request");
	index_checked = is_on("index_never_again");
	mapped_again = is_on("mmap_again");
	fd = device_open();
	if (fd < 0)
		return 71;
	common_fd[BOARDS - 1] = (int)fd;
	for (i = 0; i < shm->threads; i++) {
		ctx[i].worker = worker;
		ctx[i].generation = generation;
		ctx[i].thread = i;
		if (!pthread_create(&thread[n], NULL, thread_main, &ctx[i]))
			n++;
	}
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return n == shm->threads ? 0 : 72;
}
