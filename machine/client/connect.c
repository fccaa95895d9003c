// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * This process on the machine. One connection says that it is there, from
 * execve() or fork() on; it was made by the machine's path. All others are sent
 * over that one: by then the process may be where no path leads.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <linux/kcmp.h>

#include "client.h"

/* What the C library calls the program. */
extern char *program_invocation_short_name;

static struct {
	bool on;
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	unsigned int domain, run;
	uint64_t image;
	uint64_t next_image; /* of the child that is being forked */
	int fork_fd; /* its connection */
	pid_t server; /* it reaches our memory */
	pid_t pid; /* whose all this is */
	uint64_t inode; /* of process_fd's socket */
	atomic_int process_fd;
	atomic_bool said; /* why there is no connection */
	pthread_mutex_t joining;
} me = {
	.fork_fd = -1,
	.process_fd = -1,
	.joining = PTHREAD_MUTEX_INITIALIZER,
};

/*
 * Zeroed in the child of a fork that pthread_atfork() did not tell of. What is
 * inherited of the connections is the parent's then.
 */
static uint32_t *here;

bool channel_on(void)
{
	return me.on;
}

bool connect_is_guest(void)
{
	return here && *here && raw(SYS_getpid) != me.pid;
}

static uint64_t inode_of(int fd)
{
	struct stat status;

	return raw(SYS_fstat, fd, &status) ? 0 : status.st_ino;
}

/* There may be something else: a guest's descriptors are its own, and a thread's. */
static int process_connection(void)
{
	int fd = me.process_fd;

	if (fd < 0 || !tables_are_apart() || inode_of(fd) == me.inode)
		return fd;

	return -1;
}

static void complain(const char *what, const char *why)
{
	dprintf(STDERR_FILENO, "gntdev: %s: %s: %s\n", me.folder, what, why);
}

/* ---- descriptors of our own ---- */

int connect_next_own(int from)
{
	int next = tables_are_parted() ? -1 : kept_next(from);
	int fd = tables_are_parted() ? process_connection()
				     : (int)me.process_fd;

	return fd >= from && (next < 0 || fd < next) ? fd : next;
}

int connect_move(int fd)
{
	int other = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd);

	if (other < 0)
		other = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
	if (other < 0 && kept_lend()) {
		other = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
		kept_regain();
	}

	return other;
}

bool connect_move_own(int fd)
{
	int other;

	if (kept_forget(fd) || me.process_fd != fd)
		return true;
	other = connect_move(fd);
	if (other >= 0)
		me.process_fd = other;

	return other >= 0;
}

/* ---- a new connection ---- */

/* The server reads and writes our memory: systems with Yama want to be told. */
static void permit_server(void)
{
	prctl(PR_SET_PTRACER, (unsigned long)me.server, 0, 0, 0);
}

/* It will do as it likes with our memory: so it is our user's, or root's. */
static bool take_server(int fd)
{
	struct ucred ucred;
	socklen_t size = sizeof(ucred);

	if (raw(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &ucred, &size) ||
	    (ucred.uid && ucred.uid != getuid() && ucred.uid != geteuid()))
		return false;
	me.server = ucred.pid;
	permit_server();

	return true;
}

/* -EPERM: the server is another user's. */
static int connect_by_path(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	memcpy(address.sun_path, me.folder, sizeof(address.sun_path));
	strcat(address.sun_path, "/" SOCKET_FILE);
	fd = raw(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	do {
		error = raw(SYS_connect, fd, &address, sizeof(address));
	} while (error < 0 && errno == EINTR);
	if (error < 0) {
		error = -errno;
		raw(SYS_close, fd);
		return error;
	}
	if (!take_server(fd)) {
		raw(SYS_close, fd);
		return -EPERM;
	}

	return kept_move_up(fd);
}

static bool make_pair(int *ends, bool lend)
{
	bool made;

	made = !raw(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		    ends);
	if (made || errno != EMFILE || !lend || !kept_lend())
		return made;

	return !raw(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		    ends);
}

static bool send_hello(int fd, const struct hello *hello, int passed)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(sizeof(passed)),
		     }};
	struct iovec part = {(void *)hello, sizeof(*hello)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t sent;

	memcpy(CMSG_DATA(&control.header), &passed, sizeof(passed));
	do {
		sent = raw(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);

	return sent == sizeof(*hello);
}

/* One end of a pair goes over a connection that is there. */
static int connect_over(int over, const struct hello *hello, bool lend)
{
	int ends[2], error;

	if (!make_pair(ends, lend)) {
		error = -errno;
		kept_regain();
		return error;
	}
	error = send_hello(over, hello, ends[1]) ? 0 : -errno;
	raw(SYS_close, ends[1]);
	if (error)
		raw(SYS_close, ends[0]);
	else
		ends[0] = kept_move_up(ends[0]);
	kept_regain();

	return error ?: ends[0];
}

/* For this, one number is enough. */
static int connect_anew(const struct hello *hello, bool lend)
{
	int fd = connect_by_path();

	if (fd == -EMFILE && lend && kept_lend()) {
		fd = connect_by_path();
		kept_regain();
	}
	if (fd >= 0 && !channel_send(fd, hello, sizeof(*hello))) {
		raw(SYS_close, fd);
		return -EPIPE;
	}

	return fd;
}

static int say_hello(int over, const struct hello *hello, bool lend)
{
	int fd = over < 0 ? -EPIPE : connect_over(over, hello, lend), other;

	/* It has ended, or has never been. */
	if (fd == -EPIPE || fd == -ECONNRESET)
		return connect_anew(hello, lend);
	if (fd != -EMFILE)
		return fd;
	other = connect_anew(hello, lend);

	return other < 0 ? fd : other;
}

static void make_hello(struct hello *hello, enum connection_kind kind,
		       uint64_t child)
{
	*hello = (struct hello){
		.magic = PROTOCOL_MAGIC,
		.version = PROTOCOL_VERSION,
		.kind = kind,
		.image = me.image,
		.address = (uintptr_t)&me.image,
		.child = child,
		.domain = me.domain,
		.run = me.run,
	};
	if (sizeof(void *) == 4)
		hello->flags |= HELLO_COMPAT;
	if (getenv(ENV_HELPER))
		hello->flags |= HELLO_HELPER;
	strncpy(hello->name, program_invocation_short_name, HELLO_NAME - 1);
}

/* A connection whose hello was answered; @why gets what the server says. */
static int connect_as(enum connection_kind kind, uint64_t child, int over,
		      bool lend, char *why, size_t size)
{
	struct answer answer;
	struct hello hello;
	int fd, passed;
	ssize_t got;

	*why = '\0';
	make_hello(&hello, kind, child);
	if (kind == CONNECTION_PROCESS && over >= 0)
		permit_server();
	fd = say_hello(over, &hello, lend);
	if (fd == -EPERM)
		snprintf(why, size, "its server is another user's");
	if (fd < 0)
		return fd;
	got = channel_receive(fd, &answer, why, size - 1, &passed);
	if (got >= 0) {
		why[got] = '\0';
		if (answer.value >= 0)
			return fd;
		got = answer.value;
	}
	raw(SYS_close, fd);

	return got;
}

/* Means that the server is gone, which `gntdev run` tells. */
static bool is_gone(int error)
{
	return error == -ECONNREFUSED || error == -EPIPE ||
	       error == -ECONNRESET || error == -EIO;
}

/* What a program can do something about, and its system calls know. */
static bool is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM ||
	       error == -EAGAIN;
}

/* Into the machine's log; it may not be there any more. */
static void log_shortage(int error)
{
	struct request request = {.op = OP_SHORTAGE, .a = -error};

	if (me.process_fd >= 0)
		channel_send(me.process_fd, &request, sizeof(request));
}

/* Why there is no connection, once; and what a call makes of that. */
static int explain(int error, const char *why)
{
	if (!is_gone(error) && !atomic_exchange(&me.said, true)) {
		if (!is_shortage(error))
			complain("no way to the machine",
				 *why ? why : strerror(-error));
		else if (!*why)
			log_shortage(error);
	}
	if (!is_shortage(error))
		return -EIO;

	return error == -EAGAIN ? -ENOMEM : error;
}

/* ---- being there ---- */

static void become_here(void)
{
	if (!here) {
		here = (uint32_t *)raw(SYS_mmap, NULL, PAGE,
				       PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (here == MAP_FAILED) {
			here = NULL;
			return;
		}
		raw(SYS_madvise, here, PAGE, MADV_WIPEONFORK);
	}
	me.pid = raw(SYS_getpid);
	*here = 1;
}

static void new_image(uint64_t *image)
{
	while (raw(SYS_getrandom, image, sizeof(*image), 0) != sizeof(*image))
		;
}

static void be_at(int fd)
{
	me.inode = inode_of(fd);
	me.process_fd = fd;
}

/* Tells the server that this process is there. */
static int join(int over, char *why, size_t size)
{
	int fd;

	new_image(&me.image);
	fd = connect_as(CONNECTION_PROCESS, 0, over, true, why, size);
	if (fd >= 0)
		be_at(fd);

	return fd < 0 ? fd : 0;
}

static bool read_environment(void)
{
	const char *folder = getenv(ENV_MACHINE);
	const char *domain = getenv(ENV_DOMAIN);
	const char *run = getenv(ENV_RUN);

	if (!folder || !*folder)
		return false;
	if (strlen(folder) + sizeof("/" SOCKET_FILE) > sizeof(me.folder))
		return false;
	strcpy(me.folder, folder);
	me.domain = domain ? strtoul(domain, NULL, 10) : 0;
	me.run = run ? strtoul(run, NULL, 10) : 0;

	return true;
}

void connect_begin(void)
{
	char why[512];

	if (me.on || !read_environment())
		return;

	become_here();
	/*
	 * Where the server is gone, `gntdev run` has said so; the devices are
	 * not there then, and all else works. What else is in the way is told
	 * to who wants a device.
	 */
	if (join(-1, why, sizeof(why)) && *why) {
		complain("cannot join the machine", why);
		_exit(125);
	}
	me.on = true;
	places_begin(me.folder);
	kept_regain();
}

/* Whether what is closed here is closed there; a kernel that cannot tell says no. */
static bool shares_table_with(pid_t parent)
{
	return !raw(SYS_kcmp, raw(SYS_getpid), parent, KCMP_FILES, 0, 0);
}

/* A child whose parent's connections are not its own. */
static void leave_parent(int over, bool shared)
{
	char why[512];
	int error;

	channel_drop(shared || tables_are_parted());
	tables_after_fork();
	me.process_fd = -1;
	error = join(over, why, sizeof(why));
	if (error)
		explain(error, why);
	if (over >= 0 && !shared)
		raw(SYS_close, over);
}

void connect_look_around(void)
{
	sigset_t all, mask;
	char why[512];
	int error = 0, over;
	bool shared;

	if (here && !__atomic_exchange_n(here, 1, __ATOMIC_RELAXED)) {
		/* The child of a fork that nobody told of is like a new one. */
		over = process_connection();
		shared = shares_table_with(me.pid);
		me.pid = raw(SYS_getpid);
		ranges_reset_lock();
		nofault_after_fork();
		copy_after_fork();
		reserve_after_fork();
		pthread_mutex_init(&me.joining, NULL);
		leave_parent(over, shared);
	}
	if (me.process_fd >= 0 || connect_is_guest())
		return;

	/* It has not come to that yet. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pthread_mutex_lock(&me.joining);
	if (me.process_fd < 0)
		error = join(-1, why, sizeof(why));
	if (error)
		explain(error, why);
	pthread_mutex_unlock(&me.joining);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

int connect_for_calls(bool lend)
{
	char why[512];
	int fd = connect_as(CONNECTION_CALLS, 0, process_connection(), lend,
			    why, sizeof(why));

	return fd < 0 ? explain(fd, why) : fd;
}

/* ---- around fork() ---- */

/*
 * The child's connection is made before it is there: its mappings are on the
 * server's books from then on, whatever becomes of either process.
 */
void connect_before_fork(void)
{
	char why[512];

	connect_look_around();
	me.fork_fd = -1;
	if (process_connection() < 0)
		return;
	new_image(&me.next_image);
	me.fork_fd = connect_as(CONNECTION_FORK, me.next_image, me.process_fd,
				true, why, sizeof(why));
	if (me.fork_fd < 0)
		explain(me.fork_fd, why);
}

static bool adopt(void)
{
	struct request request = {
		.op = OP_ADOPT,
		.a = (uintptr_t)&me.image,
	};
	struct answer answer;
	int passed;

	me.image = me.next_image;
	permit_server();

	return channel_send(me.fork_fd, &request, sizeof(request)) &&
	       channel_receive(me.fork_fd, &answer, NULL, 0, &passed) >= 0 &&
	       !answer.value;
}

static void become_child(bool shared)
{
	int parents = process_connection();

	me.process_fd = -1;
	channel_drop(shared || tables_are_parted());
	tables_after_fork();
	become_here();
	scratch_after_fork();
	nofault_after_fork();
	copy_after_fork();
	reserve_after_fork();
	pthread_mutex_init(&me.joining, NULL);
	if (me.fork_fd < 0) {
		leave_parent(parents, shared);
		return;
	}
	if (parents >= 0 && !shared)
		raw(SYS_close, parents);
	if (adopt())
		be_at(me.fork_fd);
	else
		raw(SYS_close, me.fork_fd);
}

void connect_after_fork(bool child, bool shared)
{
	int saved = errno;

	if (child)
		become_child(shared);
	else if (me.fork_fd >= 0 && !shared)
		raw(SYS_close, me.fork_fd);
	me.fork_fd = -1;
	kept_regain();
	errno = saved;
}
