// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "tap.h"
#include "world.h"

pid_t child_start(void (*run)(void *), void *argument)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork: %s", error_name(errno));
	if (!child) {
		run(argument);
		_exit(0);
	}
	return child;
}

static int child_status(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child, "waitpid: %s",
	      error_name(errno));
	return status;
}

void child_must_pass(pid_t child)
{
	int status = child_status(child);

	CHECK(!WIFSIGNALED(status), "the child was killed by signal %d",
	      WTERMSIG(status));
	CHECK(!WEXITSTATUS(status), "the child failed");
}

int child_signal(pid_t child)
{
	int status = child_status(child);

	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void child_kill(pid_t child)
{
	kill(child, SIGKILL);
	child_status(child);
}

void in_child(void (*run)(void *), void *argument)
{
	child_must_pass(child_start(run, argument));
}

unsigned int longest_pause_beside(void (*run)(void *), void *argument)
{
	long long before = milliseconds(), now;
	unsigned int longest = 0;
	cpu_set_t one;
	int status;
	pid_t child;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(!sched_setaffinity(0, sizeof(one), &one), "sched_setaffinity: %s",
	      error_name(errno));
	child = child_start(run, argument);
	while (!waitpid(child, &status, WNOHANG)) {
		sleep_ms(1);
		now = milliseconds();
		if (now - before > longest)
			longest = now - before;
		before = now;
	}
	CHECK(!status || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM),
	      "the child failed");
	return longest;
}

struct gate gate_make(void)
{
	struct gate gate;

	CHECK(!pipe(gate.fds), "pipe: %s", error_name(errno));
	return gate;
}

void gate_open(const struct gate *gate)
{
	CHECK(write(gate->fds[1], "", 1) == 1, "write to a pipe: %s",
	      error_name(errno));
}

void gate_wait(const struct gate *gate)
{
	struct pollfd poller = {.fd = gate->fds[0], .events = POLLIN};
	char byte;

	CHECK(poll(&poller, 1, 10000) == 1 && read(gate->fds[0], &byte, 1) == 1,
	      "the other process did not come");
}

static sigjmp_buf after_fault;

static void on_fault(int number)
{
	siglongjmp(after_fault, number);
}

static void catch_faults(bool on)
{
	struct sigaction action = {
		.sa_handler = on ? on_fault : SIG_DFL,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

int read_fault(const volatile uint8_t *at)
{
	int number;

	catch_faults(true);
	number = sigsetjmp(after_fault, 1);
	if (!number)
		(void)*at;
	catch_faults(false);
	return number;
}

int write_fault(volatile uint8_t *at, uint8_t value)
{
	int number;

	catch_faults(true);
	number = sigsetjmp(after_fault, 1);
	if (!number)
		*at = value;
	catch_faults(false);
	return number;
}

void *pages_alloc(unsigned int pages)
{
	uint8_t *at = mmap(NULL, (pages + 2) * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED, "mmap of %u pages: %s", pages,
	      error_name(errno));
	mprotect(at, PAGE, PROT_NONE);
	mprotect(at + (pages + 1) * PAGE, PAGE, PROT_NONE);
	return at + PAGE;
}

void *at_the_end(size_t length)
{
	unsigned int pages = (length + PAGE - 1) / PAGE;

	return (uint8_t *)pages_alloc(pages) + pages * PAGE - length;
}

void send_file(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(sizeof(int)),
		     }};
	struct iovec part = {"", 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	CHECK(sendmsg(socket, &message, 0) == 1, "sendmsg: %s",
	      error_name(errno));
}

int receive_file(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *passed;
	int fd = -1;

	CHECK(recvmsg(socket, &message, 0) == 1, "recvmsg: %s",
	      error_name(errno));
	passed = CMSG_FIRSTHDR(&message);
	if (passed && passed->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(passed), sizeof(fd));
	CHECK(fd >= 0, "no file was passed");
	return fd;
}
