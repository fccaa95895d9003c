// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies from or to memory of the program, which another thread of it may take
 * away at any time. The kernel would just stop there; here it is a signal. Its
 * handler is ours from the first such copy on, and all that is not about these
 * copies goes to the program's own, which sigaction() has in our place.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "client.h"

#define SIGNALS 2

static const int signals[SIGNALS] = {SIGSEGV, SIGBUS};

static struct {
	pthread_mutex_t lock;
	atomic_bool ours; /* the handlers are */
	/* What the program has, or thinks to have; read in handlers. */
	struct sigaction own[SIGNALS];
} handlers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int place_of(int number)
{
	for (int i = 0; i < SIGNALS; i++) {
		if (signals[i] == number)
			return i;
	}

	return -1;
}

/* ---- the copy ---- */

#ifdef __x86_64__

/* One instruction, so that it is easily seen whether a fault was in it. */
size_t nofault_copy_bytes(void *to, const void *from, size_t size);
extern const char nofault_copying[], nofault_copied[];
__asm__(".text\n"
	".type nofault_copy_bytes, @function\n"
	".hidden nofault_copy_bytes, nofault_copying, nofault_copied\n"
	".globl nofault_copy_bytes, nofault_copying, nofault_copied\n"
	"nofault_copy_bytes:\n"
	"	movq %rdx, %rcx\n"
	"nofault_copying:\n"
	"	rep movsb\n"
	"nofault_copied:\n"
	"	movq %rcx, %rax\n"
	"	ret\n"
	".size nofault_copy_bytes, . - nofault_copy_bytes\n");

/* If the fault was in the copy, it ends where it is. */
static bool was_copying(void *context)
{
	ucontext_t *where = context;
	greg_t *at = &where->uc_mcontext.gregs[REG_RIP];

	if (*at != (greg_t)(uintptr_t)nofault_copying)
		return false;
	*at = (greg_t)(uintptr_t)nofault_copied;

	return true;
}

static bool needs_handlers(void)
{
	return true;
}

#else

/* The kernel does it, at a third of the speed. */
static size_t nofault_copy_bytes(void *to, const void *from, size_t size)
{
	struct iovec here = {(void *)from, size};
	struct iovec there = {to, size};
	ssize_t done =
		raw(SYS_process_vm_writev, getpid(), &here, 1, &there, 1, 0);

	return done < 0 ? size : size - done;
}

static bool was_copying(void *context)
{
	(void)context;
	return false;
}

static bool needs_handlers(void)
{
	return false;
}

#endif

/* ---- the handlers ---- */

static void set(int number, const struct sigaction *action)
{
	NEXT(sigaction)(number, action, NULL);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	struct sigaction *own = &handlers.own[place_of(number)];
	bool sent = info->si_code <= 0;
	struct sigaction program;

	if (!sent && was_copying(context))
		return;
	if (own->sa_handler == SIG_IGN && sent)
		return;
	if (own->sa_handler == SIG_IGN || own->sa_handler == SIG_DFL) {
		/* It happens again, and the kernel does what it does. */
		set(number, &(struct sigaction){.sa_handler = SIG_DFL});
		if (sent)
			raw(SYS_rt_tgsigqueueinfo, getpid(), raw(SYS_gettid),
			    number, info);
		return;
	}
	program = *own;
	if (program.sa_flags & SA_RESETHAND)
		own->sa_handler = SIG_DFL;
	if (program.sa_flags & SA_SIGINFO)
		program.sa_sigaction(number, info, context);
	else
		program.sa_handler(number);
}

/* Ours in the place of the program's, with the same flags and mask. */
static void put_ours(int i)
{
	struct sigaction ours = handlers.own[i];

	ours.sa_sigaction = on_signal;
	ours.sa_flags &= ~SA_RESETHAND;
	ours.sa_flags |= SA_SIGINFO;
	set(signals[i], &ours);
}

static void lock_handlers(sigset_t *mask)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, mask);
	pthread_mutex_lock(&handlers.lock);
}

static void unlock_handlers(const sigset_t *mask)
{
	pthread_mutex_unlock(&handlers.lock);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static void install(void)
{
	sigset_t mask;

	lock_handlers(&mask);
	for (int i = 0; !handlers.ours && i < SIGNALS; i++)
		NEXT(sigaction)(signals[i], NULL, &handlers.own[i]);
	for (int i = 0; !handlers.ours && i < SIGNALS; i++)
		put_ours(i);
	handlers.ours = true;
	unlock_handlers(&mask);
}

/* A fault with its signal blocked ends the process. */
void nofault_begin(sigset_t *mask)
{
	sigset_t wanted;

	if (!needs_handlers())
		return;
	if (!handlers.ours)
		install();
	sigemptyset(&wanted);
	for (int i = 0; i < SIGNALS; i++)
		sigaddset(&wanted, signals[i]);
	pthread_sigmask(SIG_UNBLOCK, &wanted, mask);
}

void nofault_end(const sigset_t *mask)
{
	if (needs_handlers() &&
	    (sigismember(mask, SIGSEGV) == 1 || sigismember(mask, SIGBUS) == 1))
		pthread_sigmask(SIG_SETMASK, mask, NULL);
}

bool nofault_copy(void *to, const void *from, size_t size)
{
	return !nofault_copy_bytes(to, from, size);
}

void nofault_after_fork(void)
{
	pthread_mutex_init(&handlers.lock, NULL);
}

/* ---- what the program sees of it ---- */

/* A guest has handlers of its own, which begin as its parent's. */
static int change_guests(int number, const struct sigaction *action,
			 struct sigaction *former)
{
	struct sigaction real;
	int error = NEXT(sigaction)(number, action, &real);

	if (!error && former)
		*former = real.sa_sigaction == on_signal
				  ? handlers.own[place_of(number)]
				  : real;

	return error;
}

static int change(int number, const struct sigaction *action,
		  struct sigaction *former)
{
	int i = place_of(number);
	struct sigaction wanted;
	sigset_t mask;

	if (i < 0 || !handlers.ours)
		return NEXT(sigaction)(number, action, former);
	if (connect_is_guest())
		return change_guests(number, action, former);
	if (action)
		wanted = *action;
	lock_handlers(&mask);
	if (former)
		*former = handlers.own[i];
	if (action) {
		handlers.own[i] = wanted;
		put_ours(i);
	}
	unlock_handlers(&mask);

	return 0;
}

EXPORT int sigaction(int number, const struct sigaction *action,
		     struct sigaction *former)
{
	return change(number, action, former);
}

EXPORT __sighandler_t signal(int number, __sighandler_t handler)
{
	struct sigaction action = {.sa_handler = handler,
				   .sa_flags = SA_RESTART};
	struct sigaction former;

	if (place_of(number) < 0 || !handlers.ours)
		return NEXT(signal)(number, handler);
	sigaddset(&action.sa_mask, number);
	if (change(number, &action, &former))
		return SIG_ERR;

	return former.sa_handler;
}
