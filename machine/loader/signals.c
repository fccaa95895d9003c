// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Signals that the loader needs for itself. SIGSYS has to come whatever the
 * program does: it is kept out of each mask, and its handler is ours. So are
 * those of SIGSEGV and SIGBUS, which tell whether memory of the program's is
 * there; what is not about that goes to the program's own.
 */
#include <errno.h>
#include <string.h>

#include "loader.h"

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

#define OURS 3

static const int ours[OURS] = {SIGSYS, SIGSEGV, SIGBUS};

/* What the program has, or thinks to have. */
static struct kernel_action own[OURS];
static void (*sigsys)(int, siginfo_t *, void *);

static int place_of(int number)
{
	for (int i = 0; i < OURS; i++) {
		if (ours[i] == number)
			return i;
	}

	return -1;
}

static long set(int number, const struct kernel_action *action,
		struct kernel_action *former)
{
	return raw_ask(SYS_rt_sigaction, number, (long)action, (long)former,
		       sizeof(uint64_t), 0, 0);
}

#ifdef __x86_64__

void signals_return(void);
__asm__(".text\n"
	".globl signals_return\n"
	"signals_return:\n"
	"	movl $15, %eax\n"
	"	syscall\n");

#define RESTORER ((uintptr_t)signals_return)
#define RESTORER_FLAG SA_RESTORER

#else

/* The kernel's own is in its vDSO. */
#define RESTORER 0
#define RESTORER_FLAG 0

#endif

/* ---- memory that may not be there ---- */

size_t nofault_copy_bytes(void *to, const void *from, size_t size);
extern const char nofault_copying[], nofault_copying_end[], nofault_copied[];

#ifdef __x86_64__

__asm__(".text\n"
	".globl nofault_copy_bytes, nofault_copying, nofault_copying_end\n"
	".globl nofault_copied\n"
	"nofault_copy_bytes:\n"
	"	movq %rdx, %rcx\n"
	"nofault_copying:\n"
	"	rep movsb\n"
	"nofault_copying_end:\n"
	"nofault_copied:\n"
	"	movq %rcx, %rax\n"
	"	ret\n");

#else

/* What is left is told too high by up to 16 bytes: it is all or not all. */
__asm__(".text\n"
	".globl nofault_copy_bytes, nofault_copying, nofault_copying_end\n"
	".globl nofault_copied\n"
	"nofault_copy_bytes:\n"
	"nofault_copying:\n"
	"	cmp x2, #16\n"
	"	b.lo 2f\n"
	"1:	ldp x3, x4, [x1], #16\n"
	"	stp x3, x4, [x0], #16\n"
	"	sub x2, x2, #16\n"
	"	cmp x2, #16\n"
	"	b.hs 1b\n"
	"2:	cbz x2, nofault_copied\n"
	"	ldrb w3, [x1], #1\n"
	"	strb w3, [x0], #1\n"
	"	sub x2, x2, #1\n"
	"	b 2b\n"
	"nofault_copying_end:\n"
	"nofault_copied:\n"
	"	mov x0, x2\n"
	"	ret\n");

#endif

bool nofault_copy(void *to, const void *from, size_t size)
{
	return !nofault_copy_bytes(to, from, size);
}

/* Their signals are never blocked here. */
void nofault_begin(sigset_t *mask)
{
	(void)mask;
}

void nofault_end(const sigset_t *mask)
{
	(void)mask;
}

void nofault_after_fork(void)
{
}

static bool was_copying(void *context)
{
	uintptr_t *at = trap_pc(context);

	if (*at < (uintptr_t)nofault_copying ||
	    *at >= (uintptr_t)nofault_copying_end)
		return false;
	*at = (uintptr_t)nofault_copied;

	return true;
}

/* ---- handlers ---- */

typedef void (*handler_fn)(int, siginfo_t *, void *);

/* It happens again, and the kernel does what it does. */
static void by_default(int number, siginfo_t *info, bool sent)
{
	set(number, &(struct kernel_action){.handler = (uintptr_t)SIG_DFL},
	    NULL);
	if (sent)
		raw_ask(SYS_rt_tgsigqueueinfo,
			raw_ask(SYS_getpid, 0, 0, 0, 0, 0, 0),
			raw_ask(SYS_gettid, 0, 0, 0, 0, 0, 0), number,
			(long)info, 0, 0);
}

/* The program's handler has the mask that it wants, not that of ours. */
static void set_mask(const struct kernel_action *action, ucontext_t *context)
{
	uint64_t mask = *(uint64_t *)&context->uc_sigmask | action->mask;

	mask &= ~MASK_SIGSYS;
	raw_ask(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof(mask),
		0, 0);
}

/* The number is one of ours: no other signal has a handler that comes here. */
void signals_pass(int number, siginfo_t *info, void *context)
{
	int i = place_of(number);
	struct kernel_action *action;
	bool sent = info->si_code <= 0 || number == SIGSYS;
	uintptr_t handler;

	if (i < 0)
		return;
	action = &own[i];
	handler = action->handler;
	if (handler == (uintptr_t)SIG_IGN && sent)
		return;
	if (handler == (uintptr_t)SIG_DFL || handler == (uintptr_t)SIG_IGN) {
		by_default(number, info, sent);
		return;
	}
	if (action->flags & SA_RESETHAND)
		action->handler = (uintptr_t)SIG_DFL;
	if (number == SIGSYS)
		set_mask(action, context);
	/* As the last thing: the program's finds the stack as without us. */
	((handler_fn)handler)(number, info, context);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	if (info->si_code > 0 && was_copying(context))
		return;
	signals_pass(number, info, context);
}

/* Ours in the place of the program's, with the same flags and mask. */
static long put_ours(int i)
{
	struct kernel_action action = own[i];

	if (action.handler == (uintptr_t)SIG_DFL ||
	    action.handler == (uintptr_t)SIG_IGN) {
		action.flags = SA_ONSTACK | SA_NODEFER;
		action.mask = 0;
	}
	if (!(action.flags & SA_RESTORER)) {
		action.flags |= RESTORER_FLAG;
		action.restorer = RESTORER;
	}
	action.handler = (uintptr_t)on_fault;
	action.flags &= ~(unsigned long)SA_RESETHAND;
	action.flags |= SA_SIGINFO;
	action.mask &= ~MASK_SIGSYS;
	if (!i) {
		/* All is blocked but faults of our own. */
		action.handler = (uintptr_t)sigsys;
		action.flags = SA_SIGINFO | SA_ONSTACK | RESTORER_FLAG;
		action.restorer = RESTORER;
		action.mask = ~(1ul << (SIGSEGV - 1) | 1ul << (SIGBUS - 1));
	}

	return set(ours[i], &action, NULL);
}

void signals_begin(void (*on_sigsys)(int, siginfo_t *, void *))
{
	uint64_t mask = MASK_SIGSYS | 1ul << (SIGSEGV - 1) |
			1ul << (SIGBUS - 1);

	sigsys = on_sigsys;
	for (int i = 0; i < OURS; i++) {
		set(ours[i], NULL, &own[i]);
		put_ours(i);
	}
	mask = MASK_SIGSYS;
	raw(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, NULL, sizeof(mask));
}

void signals_take_faults(ucontext_t *context)
{
	const uint64_t *mask = (uint64_t *)&context->uc_sigmask;
	uint64_t faults = 1ul << (SIGSEGV - 1) | 1ul << (SIGBUS - 1);

	if (*mask & faults)
		raw_ask(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&faults, 0,
			sizeof(faults), 0, 0);
}

/* ---- what the program asks ---- */

/* A child in its parent's memory has handlers of its own, which go at execve(). */
static long guests_action(int i, const struct kernel_action *action,
			  struct kernel_action *former)
{
	struct kernel_action real;
	long error;

	if (!i) {
		if (former)
			*former = own[i];
		return 0;
	}
	error = set(ours[i], action, &real);
	if (!error && former)
		*former = real.handler == (uintptr_t)on_fault ? own[i] : real;

	return error;
}

static long change(int number, const struct kernel_action *action,
		   struct kernel_action *former)
{
	int i = place_of(number);
	struct kernel_action wanted;

	if (i < 0)
		return set(number, action, former);
	if (connect_is_guest())
		return guests_action(i, action, former);
	if (action)
		wanted = *action;
	if (former)
		*former = own[i];
	if (!action)
		return 0;
	own[i] = wanted;

	return put_ours(i);
}

/* Only what sets one comes here, and what asks for one of ours. */
long signals_action(struct trap *trap)
{
	struct kernel_action action = {0}, former = {0};
	long error;

	if (trap->a[3] != sizeof(action.mask))
		return -EINVAL;
	if (trap->a[1] &&
	    !nofault_copy(&action, (void *)trap->a[1], sizeof(action)))
		return -EFAULT;
	action.mask &= ~MASK_SIGSYS;
	error = change(trap->a[0], trap->a[1] ? &action : NULL, &former);
	if (error || !trap->a[2])
		return error;

	return nofault_copy((void *)trap->a[2], &former, sizeof(former))
		       ? 0
		       : -EFAULT;
}

/* The mask is what the signal's end restores. */
long signals_mask(struct trap *trap)
{
	uint64_t *mask = (uint64_t *)&trap->context->uc_sigmask, set, was;

	if (trap->a[3] != sizeof(set))
		return -EINVAL;
	if (!nofault_copy(&set, (void *)trap->a[1], sizeof(set)))
		return -EFAULT;
	was = *mask;
	switch ((int)trap->a[0]) {
	case SIG_BLOCK:
		*mask |= set;
		break;
	case SIG_UNBLOCK:
		*mask &= ~set;
		break;
	case SIG_SETMASK:
		*mask = set;
		break;
	default:
		return -EINVAL;
	}
	*mask &= ~MASK_SIGSYS;
	if (trap->a[2] && !nofault_copy((void *)trap->a[2], &was, sizeof(was)))
		return -EFAULT;

	return 0;
}

/* Where the argument is that points to a mask. */
static int mask_argument(long number)
{
	switch (number) {
	case SYS_rt_sigsuspend:
		return 0;
	case SYS_ppoll:
		return 3;
	case SYS_pselect6:
		return 5;
	default:
		return 4;
	}
}

enum verdict signals_wait(struct trap *trap)
{
	int i = mask_argument(trap->number);
	uintptr_t at = trap->a[i], parts[2];
	uint64_t mask;

	/* pselect6() has the address of an address. */
	if (i == 5) {
		if (!nofault_copy(parts, (void *)at, sizeof(parts)))
			return CALL_LET;
		at = parts[0];
	}
	if (!at || !nofault_copy(&mask, (void *)at, sizeof(mask)) ||
	    !(mask & MASK_SIGSYS))
		return CALL_LET;

	/* A handler that comes while it waits runs with that mask, too. */
	return trap_let_masked(trap, i, mask & ~MASK_SIGSYS) ? CALL_ARRANGED
							     : CALL_LET;
}

#ifdef __x86_64__

/* It may have changed the mask that is restored then, with all else of a frame. */
enum verdict signals_end(struct trap *trap)
{
	uintptr_t at =
		*trap_sp(trap->context) + offsetof(ucontext_t, uc_sigmask);
	uint64_t mask;

	if (nofault_copy(&mask, (void *)at, sizeof(mask)) &&
	    mask & MASK_SIGSYS) {
		mask &= ~MASK_SIGSYS;
		nofault_copy((void *)at, &mask, sizeof(mask));
	}
	*trap_pc(trap->context) = (uintptr_t)signals_return;

	return CALL_ARRANGED;
}

#endif
