// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Children that run in their parent's memory, as after vfork(), until they call
 * execve(): their descriptors, limits and handlers are their own. Threads that
 * have left their process's table of descriptors, and children that have their
 * parent's.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "behave.h"

/* From the hypervisor's public headers: GNTCOPY_dest_gref. */
#define COPY_TO_GRANT 2

static void well(int number)
{
	(void)number;
	_exit(0);
}

/* Not in its caller: a function that calls vfork() is not to be returned from. */
static void __attribute__((noinline)) in_guest(void (*act)(struct pair *),
					       struct pair *pair)
{
	pid_t child = vfork();

	if (!child) {
		act(pair);
		_exit(0);
	}
	must_pass(child);
}

static void reset_handler(struct pair *pair)
{
	(void)pair;
	signal(SIGSEGV, SIG_DFL);
}

static void copy_to(struct pair *pair)
{
	char byte = 7;
	struct gntdev_grant_copy_segment segment = {
		.source.virt = &byte,
		.dest.foreign.ref = pair->refs[0],
		.len = 1,
		.flags = COPY_TO_GRANT,
	};
	struct ioctl_gntdev_grant_copy op = {1, &segment};

	CHECK(!ioctl(pair->dev, IOCTL_GNTDEV_GRANT_COPY, &op) &&
		      !segment.status,
	      "GRANT_COPY: %d", segment.status);
}

/* The library's handlers are there from the first copy on. */
static void handlers(void)
{
	struct sigaction now;
	struct pair pair = pair_make(1);

	signal(SIGSEGV, well);
	copy_to(&pair);
	in_guest(reset_handler, &pair);
	CHECK(!sigaction(SIGSEGV, NULL, &now) && now.sa_handler == well,
	      "the handler is the child's");
	raise(SIGSEGV);
	CHECK(false, "no handler was called");
}

/* Who is the first to copy in a child has set no handlers of the parent's. */
static void copies_first(void)
{
	struct pair pair = pair_make(1);

	in_guest(copy_to, &pair);
	CHECK(pair.granted[0] == 7, "nothing was copied");
	CHECK(ioctl(pair.dev, IOCTL_GNTDEV_GRANT_COPY, (void *)8) == -1 &&
		      errno == EFAULT,
	      "a bad pointer: %s", strerror(errno));
	copy_to(&pair);
	pair_end(&pair);
}

static void use_numbers(struct pair *pair)
{
	int other, alloc = pair->alloc;

	close(pair->dev);
	other = open("/dev/null", O_RDWR);
	CHECK(other >= 0 && write(other, "x", 1) == 1, "write: %s",
	      strerror(errno));
	CHECK(fcntl(alloc, F_GETFD) >= 0, "fcntl: %s", strerror(errno));
}

/* What a descriptor of the child's is, the parent's of that number is not. */
static void numbers(void)
{
	struct pair pair = pair_make(1);

	in_guest(use_numbers, &pair);
	CHECK(write(pair.dev, "x", 1) == -1 && errno == EINVAL,
	      "write to the device: %s", strerror(errno));
	pair_end(&pair);
}

static void use_all_numbers(struct pair *pair)
{
	struct rlimit limit;
	struct ioctl_gntdev_set_max_grants max = {.count = 100};

	CHECK(!getrlimit(RLIMIT_NOFILE, &limit), "getrlimit: %s",
	      strerror(errno));
	for (int fd = 100; fd < 1100; fd++)
		dup2(STDIN_FILENO, fd);
	limit.rlim_cur = 50;
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit: %s",
	      strerror(errno));
	/* It is on the machine all the same. */
	CHECK(!ioctl(pair->dev, IOCTL_GNTDEV_SET_MAX_GRANTS, &max),
	      "SET_MAX_GRANTS: %s", strerror(errno));
}

/* The parent has what it had, and its next children have. */
static void connections(void)
{
	struct pair pair = pair_make(1), next;
	int ends[2];
	pid_t child;

	in_guest(use_all_numbers, &pair);
	CHECK(!pipe(ends), "pipe: %s", strerror(errno));
	pair_end(&pair);
	child = fork();
	if (!child) {
		next = pair_make(1);
		pair_end(&next);
		_exit(0);
	}
	must_pass(child);
}

/* ---- tables of descriptors ---- */

#define SOCKETS 64

static void use_devices(int times)
{
	struct pair pair;

	for (int i = 0; i < times; i++) {
		pair = pair_make(1);
		CHECK(*pair.mapped == 1, "wrong data");
		pair_end(&pair);
	}
}

static void *in_table(void *own)
{
	if (own)
		CHECK(!unshare(CLONE_FILES), "unshare: %s", strerror(errno));
	use_devices(100);

	return NULL;
}

/* Each has its numbers, and nothing is sent to, or closed, at another's. */
static void own_tables(void)
{
	struct pair pair = pair_make(1);
	int ends[SOCKETS][2], more[10 * SOCKETS];
	pthread_t threads[6];
	char byte;

	for (int i = 0; i < SOCKETS; i++)
		CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends[i]),
		      "socketpair: %s", strerror(errno));
	for (uintptr_t i = 0; i < 6; i++)
		CHECK(!pthread_create(&threads[i], NULL, in_table,
				      (void *)(i & 1)),
		      "pthread_create");
	for (int i = 0; i < 10 * SOCKETS; i++)
		more[i] = dup(ends[i % SOCKETS][0]);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 10 * SOCKETS; i++)
		CHECK(more[i] >= 0 && fcntl(more[i], F_GETFD) >= 0,
		      "a descriptor is gone");
	for (int i = 0; i < SOCKETS; i++)
		CHECK(recv(ends[i][1], &byte, 1, MSG_DONTWAIT) < 0 &&
			      errno == EAGAIN,
		      "something was sent to a socket");
	CHECK(*pair.mapped == 1, "wrong data");
	pair_end(&pair);
}

static void beside_child(bool uses)
{
	pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (!child) {
		if (uses)
			use_devices(2);
		_exit(0);
	}
	must_pass(child);
}

static void common_table(void)
{
	struct pair pair = pair_make(1);

	for (int i = 0; i < 4; i++) {
		beside_child(i & 1);
		CHECK(*pair.mapped == 1, "wrong data");
		use_devices(2);
	}
	pair_end(&pair);
}

const struct behaviour guest_behaviours[] = {
	{"a vfork()ed child's signal handlers are its own", handlers},
	{"a vfork()ed child may be the first that copies", copies_first},
	{"a vfork()ed child's descriptors are its own", numbers},
	{"a vfork()ed child may use all numbers, and limit them", connections},
	{"threads may have descriptors of their own", own_tables},
	{"a child may have its parent's descriptors", common_table},
	{NULL, NULL},
};
