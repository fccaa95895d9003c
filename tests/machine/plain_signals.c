// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Signals, their masks and stacks, and filters of the program's own. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "plain.h"

static volatile sig_atomic_t caught;

static void use_in_handler(int signal)
{
	caught = signal;
	use_device();
}

static void set_handler(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigfillset(&action.sa_mask);
	CHECK(!sigaction(number, &action, NULL), "sigaction: %s",
	      strerror(errno));
}

static void all_blocked(void)
{
	sigset_t all, now;

	sigfillset(&all);
	CHECK(!sigprocmask(SIG_SETMASK, &all, NULL), "sigprocmask");
	use_device();
	CHECK(!sigprocmask(SIG_BLOCK, &all, &now), "sigprocmask");
	CHECK(sigismember(&now, SIGUSR1) == 1 &&
		      sigismember(&now, SIGTERM) == 1,
	      "they are not blocked");
	use_device();
	/* Nobody gets it meanwhile. */
	signal(SIGUSR1, use_in_handler);
	raise(SIGUSR1);
	use_device();
	CHECK(!caught, "it came");
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	CHECK(caught == SIGUSR1, "it did not come");
}

static void handler_blocks_all(void)
{
	set_handler(SIGUSR1, use_in_handler, 0);
	raise(SIGUSR1);
	CHECK(caught == SIGUSR1, "not called");
	set_handler(SIGSEGV, use_in_handler, 0);
	raise(SIGSEGV);
	CHECK(caught == SIGSEGV, "not called");
}

static void block_all_after(int number, siginfo_t *info, void *context)
{
	(void)info;
	caught = number;
	sigfillset(&((ucontext_t *)context)->uc_sigmask);
}

/* All is blocked from the handler's end on, by what it writes into its frame. */
static void handler_changes_mask(void)
{
	struct sigaction action = {
		.sa_sigaction = block_all_after,
		.sa_flags = SA_SIGINFO,
	};
	sigset_t mask;

#ifndef __x86_64__
	return;
#endif
	CHECK(!sigaction(SIGUSR1, &action, NULL), "sigaction");
	raise(SIGUSR1);
	CHECK(caught == SIGUSR1, "not called");
	use_device();
	CHECK(!sigprocmask(SIG_SETMASK, NULL, &mask), "sigprocmask");
	CHECK(sigismember(&mask, SIGUSR2) && sigismember(&mask, SIGTERM),
	      "not blocked");
}

static void soon(void)
{
	struct itimerval timer = {.it_value.tv_usec = 20000};

	caught = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* With all signals blocked but one while it waits, and in that one's handler. */
static void waits_with_masks(void)
{
	struct timespec second = {.tv_sec = 1};
	struct epoll_event event;
	sigset_t all, but_alarm;
	int epoll = epoll_create1(0);

	set_handler(SIGALRM, use_in_handler, 0);
	sigfillset(&all);
	but_alarm = all;
	sigdelset(&but_alarm, SIGALRM);
	sigprocmask(SIG_SETMASK, &all, NULL);
	soon();
	CHECK(sigsuspend(&but_alarm) && errno == EINTR && caught, "sigsuspend");
	soon();
	CHECK(ppoll(NULL, 0, &second, &but_alarm) && errno == EINTR && caught,
	      "ppoll");
	soon();
	CHECK(pselect(0, NULL, NULL, NULL, &second, &but_alarm) &&
		      errno == EINTR && caught,
	      "pselect");
	soon();
	CHECK(epoll_pwait(epoll, &event, 1, 1000, &but_alarm) &&
		      errno == EINTR && caught,
	      "epoll_pwait");
	soon();
	CHECK(!ppoll(NULL, 0, &(struct timespec){.tv_nsec = 50000000}, &all) &&
		      !caught,
	      "ppoll with all blocked");
	sigsuspend(&but_alarm);
}

static void own_sigsys(void)
{
	struct sigaction now;

	CHECK(signal(SIGSYS, use_in_handler) == SIG_DFL, "it had a handler");
	use_device();
	CHECK(!sigaction(SIGSYS, NULL, &now) &&
		      now.sa_handler == use_in_handler,
	      "it has another handler");
	CHECK(!caught, "it came");
	raise(SIGSYS);
	CHECK(caught == SIGSYS, "it did not come");
	use_device();
}

/* ---- calls that wait ---- */

static char fifo[64];

static void make_fifo(void)
{
	snprintf(fifo, sizeof(fifo), "/tmp/gntdev-plain.%d", getpid());
	CHECK(!mkfifo(fifo, 0600), "mkfifo: %s", strerror(errno));
}

static sigjmp_buf back;

static void jump(int signal)
{
	siglongjmp(back, signal);
}

static void is_interrupted(void)
{
	int fd;

	make_fifo();
	set_handler(SIGALRM, use_in_handler, 0);
	soon();
	fd = open(fifo, O_RDONLY);
	unlink(fifo);
	CHECK(fd < 0 && errno == EINTR && caught, "open: %d", fd);
}

/* The handler opens the other end. */
static void other_end(int signal)
{
	caught = signal;
	open(fifo, O_RDWR);
}

static void is_restarted(void)
{
	int fd;

	make_fifo();
	set_handler(SIGALRM, other_end, SA_RESTART);
	soon();
	fd = open(fifo, O_RDONLY);
	unlink(fifo);
	CHECK(fd >= 0 && caught, "open: %s", strerror(errno));
}

/* More often than the loader has stacks. */
static void is_left(void)
{
	volatile int times = 0;

	make_fifo();
	set_handler(SIGALRM, jump, 0);
	for (; times < 150; times++) {
		if (sigsetjmp(back, 1))
			continue;
		ualarm(2000, 0);
		open(fifo, O_RDONLY);
	}
	unlink(fifo);
	use_device();
}

/* ---- stacks ---- */

static void small_stack(void)
{
	size_t size = sysconf(_SC_MINSIGSTKSZ) + 8192;
	stack_t stack = {.ss_size = size};

	stack.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(!sigaltstack(&stack, NULL), "sigaltstack: %s", strerror(errno));
	set_handler(SIGUSR1, use_in_handler, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(caught == SIGUSR1, "not called");
	use_device();
}

static void fault(int signal)
{
	siglongjmp(back, signal);
}

static void bad_pointers(void)
{
	char *none = mmap(NULL, 2 * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(open(none, O_RDONLY) < 0 && errno == EFAULT, "open");
	CHECK(access(none, R_OK) && errno == EFAULT, "access");
	CHECK(syscall(SYS_execve, none, NULL, NULL) && errno == EFAULT,
	      "execve");
	CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, none, NULL, 8) &&
		      errno == EFAULT,
	      "rt_sigprocmask");
	CHECK(syscall(SYS_rt_sigaction, SIGUSR1, none, NULL, 8) &&
		      errno == EFAULT,
	      "rt_sigaction");
	/* A path that ends where its page ends. */
	mprotect(none, PAGE, PROT_READ | PROT_WRITE);
	strcpy(none + PAGE - sizeof("/dev/null"), "/dev/null");
	CHECK(open(none + PAGE - sizeof("/dev/null"), O_RDONLY) >= 0, "%s",
	      strerror(errno));
	set_handler(SIGSEGV, fault, 0);
	if (!sigsetjmp(back, 1)) {
		none[PAGE] = 1;
		CHECK(false, "no fault");
	}
}

/* ---- a filter of its own ---- */

static volatile sig_atomic_t trapped;

static void on_trap(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	trapped = info->si_syscall;
}

#define ALLOW(name)                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* All that is not said here is the program's end. */
static void restrict_calls(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(openat),
		ALLOW(close),
		ALLOW(newfstatat),
		ALLOW(fstat),
		ALLOW(faccessat),
		ALLOW(mmap),
		ALLOW(munmap),
		ALLOW(rt_sigaction),
		ALLOW(rt_sigprocmask),
		ALLOW(rt_sigreturn),
		ALLOW(exit_group),
#ifdef SYS_access
		ALLOW(access),
#endif
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | 5),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unlinkat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = {sizeof(rules) / sizeof(*rules), rules};

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
		      !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter),
	      "seccomp: %s", strerror(errno));
}

static void own_filter(void)
{
	struct sigaction action = {.sa_sigaction = on_trap,
				   .sa_flags = SA_SIGINFO};
	struct stat status;
	sigset_t all;
	int fd;

	sigaction(SIGSYS, &action, NULL);
	restrict_calls();
	syscall(SYS_getppid);
	CHECK(trapped == SYS_getppid, "its own trap did not come");
	CHECK(unlinkat(AT_FDCWD, "/nowhere", 0) && errno == EXDEV,
	      "its own error did not come");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	fd = open("/etc/passwd", O_RDONLY);
	CHECK(fd >= 0 && !fstat(fd, &status) && !stat("/etc/passwd", &status) &&
		      !access("/etc/passwd", R_OK),
	      "%s", strerror(errno));
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED,
	      "mmap: %s", strerror(errno));
	signal(SIGUSR1, SIG_IGN);
	CHECK(open("/nowhere", O_RDONLY) < 0 && errno == ENOENT, "open");
	close(fd);
}

const struct behaviour signal_behaviours[] = {
	{"all signals are blocked, and calls work", all_blocked},
	{"a handler may block all", handler_blocks_all},
	{"or have all blocked after it", handler_changes_mask},
	{"calls that wait with a mask of their own", waits_with_masks},
	{"SIGSYS is the program's", own_sigsys},
	{"an open that waits is interrupted", is_interrupted},
	{"or is restarted", is_restarted},
	{"or is left by longjmp", is_left},
	{"a handler on a small stack", small_stack},
	{"bad pointers are EFAULT, and faults the program's", bad_pointers},
	{"a filter of the program's own", own_filter},
	{0},
};
