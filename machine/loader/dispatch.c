// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What becomes of a system call. As far as it is about devices, the client's
 * files do it, as they do for the preloaded library. Of those that are not, many
 * programs make a great many, and some have filters of their own that know no
 * other calls: so these cost nothing but the look at them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "loader.h"

/* As the kernel returns it. */
#define RESULT(call)                                  \
	({                                            \
		long value_ = (long)(call);           \
		value_ == -1 ? -(long)errno : value_; \
	})

/* ---- processes ---- */

/* Of fork(): the child goes on here with a copy of all memory, this stack too. */
static long fork_here(struct trap *trap)
{
	uintptr_t stack = trap->number == SYS_clone ? trap->a[1] : 0;
	long a1 = trap->a[1], result;
	sigset_t before;

	/* A stack of its own is for when it is back in the program. */
	if (trap->number == SYS_clone)
		a1 = 0;
	ranges_lock(&before);
	connect_before_fork();
	result = raw_ask(trap->number, trap->a[0], a1, trap->a[2], trap->a[3],
			 trap->a[4], 0);
	connect_after_fork(!result, trap->number == SYS_clone &&
					    trap->a[0] & CLONE_FILES);
	if (!result) {
		trap_after_fork();
		filter_after_fork();
		memory_after_fork();
		lend_after_fork();
		if (stack)
			*trap_sp(trap->context) = stack;
	}
	ranges_unlock(&before);

	return result;
}

static long ask_kernel(const struct trap *trap)
{
	return raw_ask(trap->number, trap->a[0], trap->a[1], trap->a[2],
		       trap->a[3], trap->a[4], trap->a[5]);
}

/* What is reserved counts against it. */
static long limit(struct trap *trap)
{
	bool sets = trap->number == SYS_setrlimit || trap->a[2];
	int resource = trap->number == SYS_setrlimit ? trap->a[0] : trap->a[1];
	long result;

	if (sets && resource == RLIMIT_AS && !connect_is_guest())
		reserve_give_up();
	result = ask_kernel(trap);
	if (!result && sets && resource == RLIMIT_NOFILE) {
		kept_lend();
		kept_regain();
	}

	return result;
}

/* ---- requests and memory ---- */

static enum verdict request(struct trap *trap, long *result)
{
	if (!device_inode(trap->a[0]))
		return CALL_LET;
	filter_devices();
	*result = RESULT(device_ioctl(trap->a[0], trap->a[1],
				      (void *)trap->a[2]));

	return CALL_DONE;
}

static long map_file(struct trap *trap)
{
	const long *a = trap->a;
	long result;

	/*
	 * A device's descriptor is a socket, which no kernel maps: so who maps a
	 * file pays nothing for it.
	 */
	if (!(a[3] & MAP_FIXED)) {
		result = ask_kernel(trap);
		if (result != -ENODEV && result != -EPERM && result != -EACCES)
			return result;
	}

	return RESULT(memory_mmap((void *)a[0], a[1], a[2], a[3], a[4], a[5]));
}

static enum verdict memory(struct trap *trap, long *result)
{
	const long *a = trap->a;
	void *addr = (void *)a[0];

	switch (trap->number) {
	case SYS_mmap:
		*result = map_file(trap);
		break;
	case SYS_munmap:
		*result = RESULT(memory_munmap(addr, a[1]));
		break;
	case SYS_mprotect:
		*result = RESULT(memory_mprotect(addr, a[1], a[2]));
		break;
	case SYS_pkey_mprotect:
		if ((int)a[3] != -1)
			return CALL_LET;
		*result = RESULT(memory_mprotect(addr, a[1], a[2]));
		break;
	case SYS_madvise:
		*result = RESULT(memory_madvise(addr, a[1], a[2]));
		break;
	case SYS_msync:
		*result = RESULT(memory_msync(addr, a[1], a[2]));
		break;
	case SYS_mremap:
		*result = RESULT(memory_mremap(addr, a[1], a[2], a[3],
					       (void *)a[4]));
		break;
	default:
		*result = RESULT(memory_remap_pages(addr, a[1], a[2], a[3],
						    a[4]));
	}

	return CALL_DONE;
}

/* ---- descriptors ---- */

/* In a process that has not used one, it is none that matters. */
static bool is_device(int fd)
{
	return device_any_seen() && device_inode(fd);
}

static enum verdict descriptor(struct trap *trap, long *result)
{
	const long *a = trap->a;

	switch (trap->number) {
	case SYS_close:
		/* The end of another's may take as long as it likes. */
		if (!channel_owns(a[0]) && !is_device(a[0]))
			return CALL_LET;
		*result = RESULT(descriptor_close(a[0], descriptor_by_close));
		return CALL_DONE;
#ifdef SYS_dup2
	case SYS_dup2:
		*result = RESULT(descriptor_dup2(a[0], a[1], -1,
						 descriptor_by_dup3));
		return CALL_DONE;
#endif
	case SYS_dup3:
		*result = RESULT(descriptor_dup2(a[0], a[1],
						 (unsigned int)a[2] & INT32_MAX,
						 descriptor_by_dup3));
		return CALL_DONE;
	case SYS_shutdown:
		if (!device_inode(a[0]))
			return CALL_LET;
		*result = -ENOTSOCK;
		return CALL_DONE;
	case SYS_close_range:
		*result = RESULT(descriptor_close_range(a[0], a[1], a[2]));
		return CALL_DONE;
	case SYS_unshare:
		tables_part();
		return CALL_LET;
	case SYS_pidfd_getfd:
		*result = ask_kernel(trap);
		if (*result >= 0 && device_inode(*result))
			filter_devices();
		return CALL_DONE;
	default:
		*result = ask_kernel(trap);
		if (*result != -ESPIPE || !device_inode(a[0]))
			return CALL_DONE;
		filter_devices();
		*result = RESULT(device_seek(a[0], a[1], a[2]));
		return CALL_DONE;
	}
}

/* Reading and writing: what is done now, or the program waits for. */
static enum verdict transfer(struct trap *trap, long *result)
{
	size_t size = trap->a[2];
	ssize_t done;

	if (!device_transfer(trap->a[0], trap->number == SYS_write, &size,
			     &done)) {
		*result = RESULT(done);
		return CALL_DONE;
	}
	if (size == (size_t)trap->a[2])
		return CALL_LET;

	return trap_let_changed(trap, 2, size) ? CALL_ARRANGED : CALL_LET;
}

/*
 * Nothing waits here, where all signals are blocked: once it is clear that there may
 * be something to read, the program reads it. It goes on with what is there, where a
 * kernel that has filled a part waits for the next.
 */
static enum verdict receive_parts(struct trap *trap, long *result, bool ports)
{
	const struct iovec *parts = (const struct iovec *)trap->a[1];
	int whole = descriptor_whole_parts(parts, trap->a[2]);
	size_t size = sizeof(uint32_t);
	ssize_t done = whole;

	if (whole < 0 || !device_transfer(trap->a[0], false, &size, &done)) {
		*result = RESULT(done);
		return CALL_DONE;
	}
	if (whole == trap->a[2] || !ports)
		return CALL_LET;
	/* A part of a port that comes first, which nobody asks for, is waited for. */
	if (!whole) {
		*result = RESULT(descriptor_transfer_parts(trap->a[0], false,
							   parts, 1));
		return CALL_DONE;
	}

	return trap_let_changed(trap, 2, whole) ? CALL_ARRANGED : CALL_LET;
}

static enum verdict transfer_parts(struct trap *trap, long *result)
{
	struct device device;

	if (!device_at(trap->a[0], &device))
		return CALL_LET;
	if (trap->number == SYS_readv)
		return receive_parts(trap, result, device.file == FILE_EVTCHN);
	*result = RESULT(descriptor_transfer_parts(
		trap->a[0], trap->number == SYS_writev,
		(const struct iovec *)trap->a[1], trap->a[2]));

	return CALL_DONE;
}

static long by_fcntl(int fd, long command, long argument)
{
	return raw(SYS_fcntl, fd, command, argument);
}

/*
 * A filter of the program's own may forbid what it does not call itself. Where a
 * call that is let go comes again, see trap.c, it may also forbid that.
 */
static enum verdict restrict_calls(struct trap *trap, long *result)
{
	paths_restricted = true;
#ifdef __aarch64__
	*result = ask_kernel(trap);
	return CALL_DONE;
#else
	(void)trap;
	(void)result;
	return CALL_LET;
#endif
}

/* ---- which call is whose ---- */

static enum verdict on_process(struct trap *trap, long *result)
{
	switch (trap->number) {
	case SYS_wait4:
	case SYS_waitid:
		return trap_let_and_return(trap) ? CALL_ARRANGED : CALL_LET;
#ifdef SYS_fork
	case SYS_fork:
#endif
	case SYS_clone:
		*result = fork_here(trap);
		return CALL_DONE;
	case SYS_execve:
	case SYS_execveat:
		*result = exec_program(trap);
		return CALL_DONE;
	case SYS_prlimit64:
	case SYS_setrlimit:
		*result = limit(trap);
		return CALL_DONE;
	case SYS_seccomp:
	case SYS_prctl:
		return restrict_calls(trap, result);
	case SYS_mlockall:
		reserve_give_up();
		return CALL_LET;
	default:
		return paths_call(trap, result);
	}
}

static enum verdict on_signal(struct trap *trap, long *result)
{
	switch (trap->number) {
	case SYS_rt_sigprocmask:
		*result = signals_mask(trap);
		return CALL_DONE;
	case SYS_rt_sigaction:
		*result = signals_action(trap);
		return CALL_DONE;
#ifdef __x86_64__
	case SYS_rt_sigreturn:
		return signals_end(trap);
#endif
	case SYS_rt_sigsuspend:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
#endif
		return signals_wait(trap);
	default:
		return on_process(trap, result);
	}
}

static enum verdict on_descriptor(struct trap *trap, long *result)
{
	switch (trap->number) {
	case SYS_close:
#ifdef SYS_dup2
	case SYS_dup2:
#endif
	case SYS_dup3:
	case SYS_close_range:
	case SYS_unshare:
	case SYS_shutdown:
	case SYS_lseek:
	case SYS_pidfd_getfd:
		return descriptor(trap, result);
	case SYS_read:
	case SYS_write:
		return transfer(trap, result);
	case SYS_readv:
	case SYS_writev:
		return transfer_parts(trap, result);
	case SYS_fcntl:
		*result = RESULT(descriptor_control(trap->a[0], trap->a[1],
						    by_fcntl, trap->a[2]));
		return CALL_DONE;
	default:
		return on_signal(trap, result);
	}
}

enum verdict dispatch(struct trap *trap, long *result)
{
	switch (trap->number) {
	case SYS_ioctl:
		return request(trap, result);
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_madvise:
	case SYS_msync:
	case SYS_mremap:
	case SYS_remap_file_pages:
		return memory(trap, result);
	default:
		return on_descriptor(trap, result);
	}
}
