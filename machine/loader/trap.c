// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A system call that the filter has made a SIGSYS of. What may take long or be
 * interrupted is left to the program: it goes on at a place in the loader's text
 * that makes the call with the program's own registers and mask, on its own
 * stack, and goes back. So signals, their handlers and longjmp() out of them are
 * what they are without the loader.
 */
#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "loader.h"
#include "stacks.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

union stack stacks[STACKS];

/* Below the stack pointer, where the program may have something still. */
#ifdef __x86_64__
#define RED_ZONE 128
#else
#define RED_ZONE 0
#endif

/*
 * What is put on the program's stack for a call of its own, lowest first. The
 * stack stays aligned.
 */
struct frame {
	uint64_t result; /* x86: of a call that is returned from */
	uint64_t saved[5]; /* registers that the call had others in */
	uint64_t pc; /* where the program goes on */
	uint64_t mask;
	uint64_t mask_at, mask_size; /* as pselect6() wants them */
	uint64_t sp; /* the program's */
	uint64_t pad;
};

void trap_run_on(void *top, siginfo_t *info, void *context);
extern char trap_plain[], trap_changed[], trap_again[];

#ifdef __x86_64__

__asm__(".text\n"
	".globl trap_run_on, trap_plain, trap_changed, trap_again\n"
	"trap_run_on:\n"
	"	pushq %rbp\n"
	"	movq %rsp, %rbp\n"
	"	movq %rdi, %rsp\n"
	"	movq %rsi, %rdi\n"
	"	movq %rdx, %rsi\n"
	"	call trap_handle\n"
	"	movq %rbp, %rsp\n"
	"	popq %rbp\n"
	"	ret\n"
	/* The stack pointer is at the frame's pc. */
	"trap_plain:\n"
	"	syscall\n"
	"	ret $168\n"
	/* At the registers. */
	"trap_changed:\n"
	"	syscall\n"
	"	popq %rdi\n"
	"	popq %rdx\n"
	"	popq %r10\n"
	"	popq %r8\n"
	"	popq %r9\n"
	"	ret $168\n"
	/* Above the result. */
	"trap_again:\n"
	"	syscall\n"
	"	pushq %rax\n"
	"	movl $0x676e, %eax\n"
	"	jmp trap_outside\n"
	".section .outside, \"ax\", @progbits\n"
	"trap_outside:\n"
	"	syscall\n"
	"	ud2\n"
	".text\n");

_Static_assert(FILTER_AGAIN == 0x676e, "as above");
_Static_assert(sizeof(struct frame) - offsetof(struct frame, mask) + RED_ZONE ==
		       168,
	       "as above");

static greg_t *registers(ucontext_t *context)
{
	return context->uc_mcontext.gregs;
}

uintptr_t *trap_pc(ucontext_t *context)
{
	return (uintptr_t *)&registers(context)[REG_RIP];
}

uintptr_t *trap_sp(ucontext_t *context)
{
	return (uintptr_t *)&registers(context)[REG_RSP];
}

static const int argument_registers[] = {REG_RDI, REG_RSI, REG_RDX,
					 REG_R10, REG_R8,  REG_R9};

static void read_arguments(struct trap *trap)
{
	for (int i = 0; i < 6; i++)
		trap->a[i] = registers(trap->context)[argument_registers[i]];
}

static void set_argument(struct trap *trap, int i, long value)
{
	registers(trap->context)[argument_registers[i]] = value;
}

void trap_set_result(struct trap *trap, long result)
{
	registers(trap->context)[REG_RAX] = result;
}

/* The number, which is in the result's place. */
static void set_number(struct trap *trap)
{
	registers(trap->context)[REG_RAX] = trap->number;
}

static void save_registers(struct trap *trap, struct frame *frame)
{
	const greg_t *from = registers(trap->context);

	frame->saved[0] = from[REG_RDI];
	frame->saved[1] = from[REG_RDX];
	frame->saved[2] = from[REG_R10];
	frame->saved[3] = from[REG_R8];
	frame->saved[4] = from[REG_R9];
}

#elif defined(__aarch64__)

/*
 * No register is free after a call: a second one outside of the text that is
 * excepted, which is the same but for its first argument, is a SIGSYS that puts
 * everything back. It is at one of these places.
 */
__asm__(".text\n"
	".globl trap_run_on, trap_plain, trap_changed, trap_again\n"
	"trap_run_on:\n"
	"	stp x29, x30, [sp, #-16]!\n"
	"	mov x29, sp\n"
	"	mov sp, x0\n"
	"	mov x0, x1\n"
	"	mov x1, x2\n"
	"	bl trap_handle\n"
	"	mov sp, x29\n"
	"	ldp x29, x30, [sp], #16\n"
	"	ret\n"
	"trap_plain:\n"
	"trap_changed:\n"
	"trap_again:\n"
	"	svc #0\n"
	"	b trap_outside\n"
	".section .outside, \"ax\", @progbits\n"
	".globl trap_outside\n"
	"trap_outside:\n"
	"	svc #0\n"
	"	brk #0\n"
	".text\n");

extern char trap_outside[];

uintptr_t *trap_pc(ucontext_t *context)
{
	return (uintptr_t *)&context->uc_mcontext.pc;
}

uintptr_t *trap_sp(ucontext_t *context)
{
	return (uintptr_t *)&context->uc_mcontext.sp;
}

static void read_arguments(struct trap *trap)
{
	for (int i = 0; i < 6; i++)
		trap->a[i] = trap->context->uc_mcontext.regs[i];
}

static void set_argument(struct trap *trap, int i, long value)
{
	trap->context->uc_mcontext.regs[i] = value;
}

void trap_set_result(struct trap *trap, long result)
{
	trap->context->uc_mcontext.regs[0] = result;
}

static void set_number(struct trap *trap)
{
	trap->context->uc_mcontext.regs[8] = trap->number;
	trap->context->uc_mcontext.regs[0] = trap->a[0];
}

static void save_registers(struct trap *trap, struct frame *frame)
{
	for (int i = 1; i < 6; i++)
		frame->saved[i - 1] = trap->a[i];
}

#endif

/* ---- stacks ---- */

/* Threads that wait for one to be given back; how often that has been. */
static atomic_uint waiting, given_back;

static union stack *free_stack(void)
{
	int unused;

	for (unsigned int i = 0; i < STACKS; i++) {
		unused = 0;
		if (!atomic_load(&stacks[i].busy) &&
		    atomic_compare_exchange_strong(&stacks[i].busy, &unused, 1))
			return &stacks[i];
	}

	return NULL;
}

/* Of one that the kernel gives back nobody is told: it is looked for, too. */
static union stack *take_stack(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	union stack *stack = free_stack();
	unsigned int seen;

	if (stack)
		return stack;
	waiting++;
	while (seen = given_back, !(stack = free_stack()))
		raw_ask(SYS_futex, (long)&given_back, FUTEX_WAIT_PRIVATE, seen,
			(long)&pause, 0, 0);
	waiting--;

	return stack;
}

static void give_back(union stack *stack)
{
	stack->busy = 0;
	if (!waiting)
		return;
	given_back++;
	raw_ask(SYS_futex, (long)&given_back, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static union stack *own_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	return (union stack *)(here & -(uintptr_t)STACK_BYTES);
}

void trap_after_fork(void)
{
	for (int i = 0; i < STACKS; i++) {
		if (&stacks[i] != own_stack())
			stacks[i].busy = 0;
	}
	waiting = 0;
}

/*
 * Of a child that shares this memory, the kernel clears the word when it leaves
 * the memory: the stack is in use until then. Otherwise the memory goes.
 */
void trap_before_exec(bool guest)
{
	if (guest)
		raw(SYS_set_tid_address, &own_stack()->busy);
}

void trap_exec_failed(bool guest)
{
	if (guest)
		raw(SYS_set_tid_address, NULL);
}

/* ---- calls that the program makes itself ---- */

/* False if the program's stack takes no more. */
static bool push(struct trap *trap, struct frame *frame, uintptr_t *at)
{
	*at = ((*trap_sp(trap->context) - RED_ZONE) & -16ul) - sizeof(*frame);
#ifdef __x86_64__
	/* It is unwound by a number that is written into an instruction. */
	*at = *trap_sp(trap->context) - RED_ZONE - sizeof(*frame);
#endif
	frame->pc = *trap_pc(trap->context);
	frame->sp = *trap_sp(trap->context);
	save_registers(trap, frame);

	return nofault_copy((void *)*at, frame, sizeof(*frame));
}

static void go(struct trap *trap, uintptr_t sp, const char *where)
{
	*trap_sp(trap->context) = sp;
	*trap_pc(trap->context) = (uintptr_t)where;
	set_number(trap);
}

/* On other processors a frame begins where the stack pointer is. */
static uintptr_t frame_sp(uintptr_t at, size_t part)
{
#ifdef __x86_64__
	return at + part;
#else
	(void)part;
	return at;
#endif
}

bool trap_let(struct trap *trap)
{
	struct frame frame = {0};
	uintptr_t at;

	if (!push(trap, &frame, &at))
		return false;
	go(trap, frame_sp(at, offsetof(struct frame, pc)), trap_plain);

	return true;
}

bool trap_let_masked(struct trap *trap, int i, uint64_t mask)
{
	struct frame frame = {.mask = mask, .mask_size = sizeof(mask)};
	uintptr_t at;

	at = *trap_sp(trap->context) - RED_ZONE - sizeof(frame);
#ifndef __x86_64__
	at &= -16ul;
#endif
	frame.mask_at = at + offsetof(struct frame, mask);
	if (!push(trap, &frame, &at))
		return false;
	/* pselect6() is given where the mask is, and how long. */
	set_argument(trap, i,
		     at + (i == 5 ? offsetof(struct frame, mask_at)
				  : offsetof(struct frame, mask)));
#ifndef __x86_64__
	if (!i)
		trap->a[0] = at + offsetof(struct frame, mask);
#endif
	go(trap, frame_sp(at, offsetof(struct frame, saved)), trap_changed);

	return true;
}

bool trap_let_changed(struct trap *trap, int i, long value)
{
	struct frame frame = {0};
	uintptr_t at;

	if (!push(trap, &frame, &at))
		return false;
	set_argument(trap, i, value);
	go(trap, frame_sp(at, offsetof(struct frame, saved)), trap_changed);

	return true;
}

bool trap_let_and_return(struct trap *trap)
{
	struct frame frame = {0};
	uintptr_t at;

	if (!push(trap, &frame, &at))
		return false;
	go(trap, frame_sp(at, offsetof(struct frame, saved)), trap_again);

	return true;
}

/* What has been waited for may have held something, see process.c. */
static void after(long number)
{
	if (number == SYS_wait4 || number == SYS_waitid)
		channel_sync();
}

/* The second trap of such a call: everything is put back. */
static bool is_again(struct trap *trap)
{
	struct frame frame;
	uintptr_t at = *trap_sp(trap->context);

#ifdef __x86_64__
	if (trap->number != FILTER_AGAIN ||
	    !nofault_copy(&frame, (void *)at, sizeof(frame)))
		return false;
	trap_set_result(trap, frame.result);
	*trap_sp(trap->context) = frame.sp;
	*trap_pc(trap->context) = frame.pc;
	/* Only those are let go on like this. */
	if ((long)frame.result > 0 || !frame.result)
		after(SYS_wait4);
#else
	if (*trap_pc(trap->context) != (uintptr_t)trap_outside + 4 ||
	    !nofault_copy(&frame, (void *)at, sizeof(frame)))
		return false;
	for (int i = 1; i < 6; i++)
		trap->context->uc_mcontext.regs[i] = frame.saved[i - 1];
	*trap_sp(trap->context) = frame.sp;
	*trap_pc(trap->context) = frame.pc;
	if (trap->a[0] >= 0)
		after(trap->number);
#endif

	return true;
}

void trap_handle(siginfo_t *info, void *context)
{
	struct trap trap = {
		.number = info->si_syscall,
		.info = info,
		.context = context,
	};
	long result;

	read_arguments(&trap);
	signals_take_faults(context);
	if (is_again(&trap))
		return;
	switch (dispatch(&trap, &result)) {
	case CALL_DONE:
		trap_set_result(&trap, result);
		return;
	case CALL_ARRANGED:
		return;
	case CALL_LET:
		if (trap_let(&trap))
			return;
	}
	/* Without a stack of the program's, with its signals blocked. */
	result = raw_ask(trap.number, trap.a[0], trap.a[1], trap.a[2],
			 trap.a[3], trap.a[4], trap.a[5]);
	trap_set_result(&trap, result);
}

static void on_sigsys(int number, siginfo_t *info, void *context)
{
	union stack *stack;

	if (info->si_code != SYS_SECCOMP || info->si_errno != FILTER_MARK) {
		signals_pass(number, info, context);
		return;
	}
	stack = take_stack();
	trap_run_on(stack + 1, info, context);
	give_back(stack);
}

void trap_begin(void)
{
	signals_begin(on_sigsys);
}
