// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Which system calls are a SIGSYS: those that name a path, and those of others
 * whose arguments say that they may be about a device, or about what is the
 * loader's own. The filter sees numbers, and nothing of what they point to.
 *
 * A kernel remembers which calls are allowed whatever their arguments are (from
 * 5.11 on): so the number is looked at first, and then all else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "loader.h"

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* What is looked at once the number has matched. */
enum look {
	LOOK_NOT, /* always a SIGSYS */
	LOOK_REFUSE, /* ENOSYS: there is an older call for it */
	LOOK_WITHOUT, /* EINVAL if argument @argument has that value */
	LOOK_VALUE, /* whether argument @argument has that value */
	LOOK_BITS, /* whether it has such bits */
	LOOK_SET, /* whether it is a pointer to something */
	LOOK_TYPE, /* ioctl: the type of the request */
	LOOK_WINDOW, /* an address and a length */
	LOOK_MAP, /* mmap */
	LOOK_REMAP, /* mremap */
	LOOK_PROCESS, /* clone: whether it shares memory */
	LOOK_MASK, /* rt_sigprocmask */
	LOOK_ACTION, /* rt_sigaction */
	LOOK_LIMIT, /* a resource in argument @argument */
};

/* ARCH_SHSTK_ENABLE, which is younger than the headers here. */
#define SHADOW_STACK_ENABLE 0x5001

struct rule {
	unsigned int number;
	enum look look;
	unsigned int argument, value;
};

static const struct rule rules[] = {
	{SYS_openat, LOOK_NOT, 0, 0},
#ifdef SYS_open
	{SYS_open, LOOK_NOT, 0, 0},
	{SYS_creat, LOOK_NOT, 0, 0},
	{SYS_stat, LOOK_NOT, 0, 0},
	{SYS_lstat, LOOK_NOT, 0, 0},
	{SYS_access, LOOK_NOT, 0, 0},
	{SYS_readlink, LOOK_NOT, 0, 0},
	{SYS_chmod, LOOK_NOT, 0, 0},
	{SYS_chown, LOOK_NOT, 0, 0},
	{SYS_lchown, LOOK_NOT, 0, 0},
	{SYS_fork, LOOK_NOT, 0, 0},
	/* On arm64 that is in the vDSO, also for ours. */
	{SYS_rt_sigreturn, LOOK_NOT, 0, 0},
	/* A shadow stack would not know where a call returns that is let go. */
	{SYS_arch_prctl, LOOK_WITHOUT, 0, SHADOW_STACK_ENABLE},
	{SYS_dup2, LOOK_NOT, 0, 0},
#endif
	{SYS_newfstatat, LOOK_NOT, 0, 0},
	{SYS_fstat, LOOK_NOT, 0, 0},
	{SYS_mmap, LOOK_MAP, 0, 0},
	{SYS_munmap, LOOK_WINDOW, 0, 0},
	{SYS_mprotect, LOOK_WINDOW, 0, 0},
	{SYS_madvise, LOOK_WINDOW, 0, 0},
	{SYS_ioctl, LOOK_TYPE, 0, 0},
	{SYS_rt_sigprocmask, LOOK_MASK, 0, 0},
	{SYS_rt_sigaction, LOOK_ACTION, 0, 0},
	{SYS_clone, LOOK_PROCESS, 0, 0},
	{SYS_clone3, LOOK_REFUSE, 0, 0},
	{SYS_execve, LOOK_NOT, 0, 0},
	{SYS_execveat, LOOK_NOT, 0, 0},
	{SYS_openat2, LOOK_NOT, 0, 0},
	{SYS_statx, LOOK_NOT, 0, 0},
	{SYS_faccessat, LOOK_NOT, 0, 0},
	{SYS_faccessat2, LOOK_NOT, 0, 0},
	{SYS_readlinkat, LOOK_NOT, 0, 0},
	{SYS_getdents64, LOOK_NOT, 0, 0},
	{SYS_getcwd, LOOK_NOT, 0, 0},
	{SYS_chdir, LOOK_NOT, 0, 0},
	{SYS_statfs, LOOK_NOT, 0, 0},
	{SYS_getxattr, LOOK_NOT, 0, 0},
	{SYS_lgetxattr, LOOK_NOT, 0, 0},
	{SYS_listxattr, LOOK_NOT, 0, 0},
	{SYS_llistxattr, LOOK_NOT, 0, 0},
	{SYS_inotify_add_watch, LOOK_NOT, 0, 0},
	{SYS_fchmodat, LOOK_NOT, 0, 0},
	{SYS_fchownat, LOOK_NOT, 0, 0},
	{SYS_pkey_mprotect, LOOK_WINDOW, 0, 0},
	{SYS_msync, LOOK_WINDOW, 0, 0},
	{SYS_mremap, LOOK_REMAP, 0, 0},
	{SYS_remap_file_pages, LOOK_WINDOW, 0, 0},
	{SYS_close, LOOK_NOT, 0, 0},
	{SYS_dup3, LOOK_NOT, 0, 0},
	{SYS_close_range, LOOK_NOT, 0, 0},
	{SYS_unshare, LOOK_BITS, 0, CLONE_FILES},
	{SYS_shutdown, LOOK_NOT, 0, 0},
	{SYS_lseek, LOOK_VALUE, 2, SEEK_END},
	{SYS_pidfd_getfd, LOOK_NOT, 0, 0},
	{SYS_seccomp, LOOK_NOT, 0, 0},
	{SYS_prctl, LOOK_VALUE, 0, PR_SET_SECCOMP},
	{SYS_rt_sigsuspend, LOOK_NOT, 0, 0},
	{SYS_ppoll, LOOK_SET, 3, 0},
	{SYS_pselect6, LOOK_SET, 5, 0},
	{SYS_epoll_pwait, LOOK_SET, 4, 0},
#ifdef SYS_epoll_pwait2
	{SYS_epoll_pwait2, LOOK_SET, 4, 0},
#endif
	{SYS_wait4, LOOK_NOT, 0, 0},
	{SYS_waitid, LOOK_NOT, 0, 0},
	{SYS_prlimit64, LOOK_LIMIT, 1, 0},
	{SYS_setrlimit, LOOK_LIMIT, 0, 0},
	{SYS_mlockall, LOOK_NOT, 0, 0},
	{FILTER_AGAIN, LOOK_NOT, 0, 0},
};

/*
 * In a process that has used a device: its descriptor is a socket for the kernel,
 * which is read and written as none of the devices is.
 */
static const struct rule device_rules[] = {
	{SYS_read, LOOK_NOT, 0, 0},  {SYS_write, LOOK_NOT, 0, 0},
	{SYS_readv, LOOK_NOT, 0, 0}, {SYS_writev, LOOK_NOT, 0, 0},
	{SYS_lseek, LOOK_NOT, 0, 0}, {SYS_fcntl, LOOK_VALUE, 1, F_GETFL},
};

/* In one that has mapped a device outside of the window. */
static const struct rule wide_rules[] = {
	{SYS_munmap, LOOK_NOT, 0, 0},
	{SYS_mprotect, LOOK_NOT, 0, 0},
	{SYS_madvise, LOOK_NOT, 0, 0},
	{SYS_pkey_mprotect, LOOK_NOT, 0, 0},
	{SYS_msync, LOOK_NOT, 0, 0},
	{SYS_mremap, LOOK_NOT, 0, 0},
	{SYS_remap_file_pages, LOOK_NOT, 0, 0},
	{SYS_mmap, LOOK_BITS, 3, MAP_FIXED},
};

#define COUNT(rules) (sizeof(rules) / sizeof(*(rules)))
#define MOST 512

/* Made with the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sock_filter program[MOST];
static unsigned int length;

static void add(uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	program[length++] = (struct sock_filter){code, yes, no, k};
}

#define FIELD(name) offsetof(struct seccomp_data, name)
/* Both processors have the lower half first. */
#define LOWER(i) (FIELD(args) + (i) * 8)
#define UPPER(i) (LOWER(i) + 4)

static void load(uint32_t offset)
{
	add(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void answer(uint32_t action)
{
	add(BPF_RET | BPF_K, action, 0, 0);
}

#define TRAP (SECCOMP_RET_TRAP | FILTER_MARK)

/* What a comparison says of the accumulator, at once. */
static void trap_if(uint16_t comparison, uint32_t k)
{
	add(BPF_JMP | comparison | BPF_K, k, 0, 1);
	answer(TRAP);
}

static void trap_if_not(uint16_t comparison, uint32_t k)
{
	add(BPF_JMP | comparison | BPF_K, k, 1, 0);
	answer(TRAP);
}

static void look_at_pointer(unsigned int argument)
{
	load(LOWER(argument));
	trap_if_not(BPF_JEQ, 0);
	load(UPPER(argument));
	trap_if_not(BPF_JEQ, 0);
	answer(SECCOMP_RET_ALLOW);
}

/*
 * By the upper half of the address: in the window, or just below, so that what
 * is shorter than 4 GiB may reach into it. What is longer is looked at anyway.
 */
static void look_at_window(unsigned int address, unsigned int size)
{
	load(UPPER(size));
	trap_if_not(BPF_JEQ, 0);
	load(UPPER(address));
	add(BPF_JMP | BPF_JGE | BPF_K, (WINDOW_START >> 32) - 1, 0, 2);
	add(BPF_JMP | BPF_JGE | BPF_K, WINDOW_END >> 32, 1, 0);
	answer(TRAP);
}

static void look_at_type(void)
{
	static const char types[] = {'G', 'E', 'P', 'b', 'd'};

	load(LOWER(1));
	add(BPF_ALU | BPF_RSH | BPF_K, 8, 0, 0);
	add(BPF_ALU | BPF_AND | BPF_K, 0xff, 0, 0);
	for (size_t i = 0; i < sizeof(types); i++)
		trap_if(BPF_JEQ, types[i]);
	answer(SECCOMP_RET_ALLOW);
}

/* Files, and what is put where a device may be. */
static void look_at_map(void)
{
	load(LOWER(3));
	trap_if_not(BPF_JSET, MAP_ANONYMOUS);
	add(BPF_JMP | BPF_JSET | BPF_K, MAP_FIXED, 1, 0);
	answer(SECCOMP_RET_ALLOW);
	look_at_window(0, 1);
	answer(SECCOMP_RET_ALLOW);
}

static void look_at_remap(void)
{
	look_at_window(0, 1);
	load(LOWER(3));
	add(BPF_JMP | BPF_JSET | BPF_K, MREMAP_FIXED, 1, 0);
	answer(SECCOMP_RET_ALLOW);
	look_at_window(4, 2);
	answer(SECCOMP_RET_ALLOW);
}

static void look_at_limit(unsigned int resource)
{
	load(LOWER(resource));
	trap_if(BPF_JEQ, RLIMIT_AS);
	trap_if(BPF_JEQ, RLIMIT_NOFILE);
	answer(SECCOMP_RET_ALLOW);
}

/* One that only takes signals out of it makes no difference. */
static void look_at_mask(void)
{
	load(LOWER(0));
	add(BPF_JMP | BPF_JEQ | BPF_K, SIG_UNBLOCK, 0, 1);
	answer(SECCOMP_RET_ALLOW);
	look_at_pointer(1);
}

static void look_at_action(void)
{
	load(LOWER(0));
	trap_if(BPF_JEQ, SIGSYS);
	trap_if(BPF_JEQ, SIGSEGV);
	trap_if(BPF_JEQ, SIGBUS);
	look_at_pointer(1);
}

static void look_at_value(uint16_t comparison, const struct rule *rule)
{
	load(LOWER(rule->argument));
	trap_if(comparison, rule->value);
	answer(SECCOMP_RET_ALLOW);
}

static void look_at(const struct rule *rule)
{
	switch (rule->look) {
	case LOOK_NOT:
		answer(TRAP);
		break;
	case LOOK_REFUSE:
		answer(SECCOMP_RET_ERRNO | ENOSYS);
		break;
	case LOOK_WITHOUT:
		load(LOWER(rule->argument));
		add(BPF_JMP | BPF_JEQ | BPF_K, rule->value, 0, 1);
		answer(SECCOMP_RET_ERRNO | EINVAL);
		answer(SECCOMP_RET_ALLOW);
		break;
	case LOOK_VALUE:
		look_at_value(BPF_JEQ, rule);
		break;
	case LOOK_BITS:
		look_at_value(BPF_JSET, rule);
		break;
	case LOOK_SET:
		look_at_pointer(rule->argument);
		break;
	case LOOK_TYPE:
		look_at_type();
		break;
	case LOOK_WINDOW:
		look_at_window(0, 1);
		answer(SECCOMP_RET_ALLOW);
		break;
	case LOOK_MAP:
		look_at_map();
		break;
	case LOOK_REMAP:
		look_at_remap();
		break;
	case LOOK_PROCESS:
		load(LOWER(0));
		trap_if_not(BPF_JSET, CLONE_VM);
		answer(SECCOMP_RET_ALLOW);
		break;
	case LOOK_MASK:
		look_at_mask();
		break;
	case LOOK_ACTION:
		look_at_action();
		break;
	case LOOK_LIMIT:
		look_at_limit(rule->argument);
		break;
	}
}

static void begin(void)
{
	length = 0;
	load(FIELD(arch));
	add(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	answer(SECCOMP_RET_ALLOW);
	load(FIELD(nr));
}

/* @wanted numbers follow, each of which is one jump away from what is after. */
static void except_own(void)
{
	answer(SECCOMP_RET_ALLOW);
	load(FIELD(instruction_pointer) + 4);
	add(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4);
	load(FIELD(instruction_pointer));
	add(BPF_JMP | BPF_JGE | BPF_K, TEXT_START, 0, 2);
	add(BPF_JMP | BPF_JGE | BPF_K, TEXT_END, 1, 0);
	answer(SECCOMP_RET_ALLOW);
	load(FIELD(nr));
}

static void make(const struct rule *rules, size_t count)
{
	unsigned int start;

	begin();
	for (size_t i = 0; i < count; i++)
		add(BPF_JMP | BPF_JEQ | BPF_K, rules[i].number, count - i, 0);
	except_own();
	for (size_t i = 0; i < count; i++) {
		start = length;
		add(BPF_JMP | BPF_JEQ | BPF_K, rules[i].number, 0, 0);
		look_at(&rules[i]);
		program[start].jf = length - start - 1;
	}
	answer(SECCOMP_RET_ALLOW);
}

static long install(unsigned int flags)
{
	struct sock_fprog filter = {length, program};

	return raw_ask(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
		       (long)&filter, 0, 0, 0);
}

/*
 * Who may do it without promising that no program gains rights does not promise:
 * so a set-uid program that root starts is one.
 */
int filter_install(void)
{
	long error;

	make(rules, COUNT(rules));
	error = install(0);
	if (error == -EACCES) {
		raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		error = install(0);
	}

	return error;
}

/* One more for all threads; once. */
static int extend(const struct rule *more, size_t count, bool *done)
{
	long error = 0;

	pthread_mutex_lock(&lock);
	if (!*done) {
		make(more, count);
		error = install(SECCOMP_FILTER_FLAG_TSYNC);
		/* A thread with a filter of its own is in the way. */
		if (error > 0)
			error = install(0);
		/* A child in this memory has done it for itself. */
		*done = !error && !connect_is_guest();
	}
	pthread_mutex_unlock(&lock);

	return error;
}

int filter_widen(void)
{
	static bool wide;

	return extend(wide_rules, COUNT(wide_rules), &wide);
}

int filter_devices(void)
{
	static bool there;

	return there ? 0 : extend(device_rules, COUNT(device_rules), &there);
}

void filter_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
}
