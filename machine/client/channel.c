// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Connections to the server. One says that this process is there, from
 * execve() or fork() on; the others carry calls, one each at a time, so that
 * there are as many as threads have been in a call at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

#define LINES 64

/* What the C library calls the program. */
extern char *program_invocation_short_name;

static struct {
	bool on;
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	unsigned int domain, run;
	uint64_t image;
	uint64_t next_image; /* of the child that is being forked */
	int fork_fd; /* its connection */
	atomic_int process_fd;
	struct line lines[LINES];
} channel = {.fork_fd = -1, .process_fd = -1};

/*
 * Zeroed in the child of a fork that pthread_atfork() did not tell of. What is
 * inherited of the connections is the parent's then.
 */
static uint32_t *here;

bool channel_on(void)
{
	return channel.on;
}

const char *channel_folder(void)
{
	return channel.folder;
}

static void complain(const char *what, const char *why)
{
	dprintf(STDERR_FILENO, "gntdev: %s: %s: %s\n", channel.folder, what,
		why);
}

/* Out of the way of a program that counts on low numbers, or closes them. */
static int move_up(int fd)
{
	struct rlimit limit;
	int from = 1024, higher;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 1024)
		from = limit.rlim_cur;
	from = from > 160 ? from - 80 : from / 2;
	higher = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, from);
	if (higher < 0)
		return fd;
	raw(SYS_close, fd);

	return higher;
}

ssize_t channel_receive(int fd, struct answer *answer, void *bytes, size_t size,
			int *passed)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec parts[] = {
		{answer, sizeof(*answer)},
		{bytes, size},
	};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	ssize_t got;

	*passed = -1;
	do {
		got = raw(SYS_recvmsg, fd, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < (ssize_t)sizeof(*answer))
		return -EIO;

	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(passed, CMSG_DATA(header), sizeof(*passed));

	return got - sizeof(*answer);
}

bool channel_send(int fd, const void *bytes, size_t size)
{
	ssize_t sent;

	do {
		sent = raw(SYS_sendto, fd, bytes, size, MSG_NOSIGNAL, NULL, 0);
	} while (sent < 0 && errno == EINTR);

	return sent == (ssize_t)size;
}

static int connect_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	memcpy(address.sun_path, channel.folder, sizeof(address.sun_path));
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

	return move_up(fd);
}

/* The server reads and writes our memory: systems with Yama want to be told. */
static void permit_server(int fd)
{
	struct ucred ucred;
	socklen_t size = sizeof(ucred);

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &size))
		prctl(PR_SET_PTRACER, (unsigned long)ucred.pid, 0, 0, 0);
}

/* A connection whose hello was answered; @why gets what the server says. */
static int connect_as(enum connection_kind kind, uint64_t child, char *why,
		      size_t size)
{
	struct hello hello = {
		.magic = PROTOCOL_MAGIC,
		.version = PROTOCOL_VERSION,
		.kind = kind,
		.image = channel.image,
		.address = (uintptr_t)&channel.image,
		.child = child,
		.domain = channel.domain,
		.run = channel.run,
	};
	struct answer answer;
	int fd, passed;
	ssize_t got;

	if (sizeof(void *) == 4)
		hello.flags |= HELLO_COMPAT;
	if (getenv(ENV_HELPER))
		hello.flags |= HELLO_HELPER;
	strncpy(hello.name, program_invocation_short_name, HELLO_NAME - 1);

	*why = '\0';
	fd = connect_socket();
	if (fd < 0)
		return fd;
	permit_server(fd);
	got = -EIO;
	if (channel_send(fd, &hello, sizeof(hello)))
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
	*here = 1;
}

static void new_image(uint64_t *image)
{
	while (getrandom(image, sizeof(*image), 0) != sizeof(*image))
		;
}

/* Tells the server that this process is there. */
static int register_process(void)
{
	char why[512];
	int fd;

	fd = connect_as(CONNECTION_PROCESS, 0, why, sizeof(why));
	if (fd >= 0) {
		channel.process_fd = fd;
		return 0;
	}
	if (*why)
		complain("cannot join the machine", why);

	return *why ? -EPROTO : fd;
}

static bool read_environment(void)
{
	const char *folder = getenv(ENV_MACHINE);
	const char *domain = getenv(ENV_DOMAIN);
	const char *run = getenv(ENV_RUN);

	if (!folder || !*folder)
		return false;
	if (strlen(folder) + sizeof("/" SOCKET_FILE) > sizeof(channel.folder))
		return false;
	strcpy(channel.folder, folder);
	channel.domain = domain ? strtoul(domain, NULL, 10) : 0;
	channel.run = run ? strtoul(run, NULL, 10) : 0;

	return true;
}

void channel_begin(void)
{
	for (int i = 0; i < LINES; i++)
		channel.lines[i].fd = -1;
	if (channel.on || !read_environment())
		return;

	become_here();
	new_image(&channel.image);
	/*
	 * Where the server is gone, `gntdev run` has said so; the devices are
	 * not there then, and all else works.
	 */
	if (register_process() == -EPROTO)
		_exit(125);
	channel.on = true;
}

static void drop_connections(void)
{
	int fd;

	for (int i = 0; i < LINES; i++) {
		fd = atomic_exchange(&channel.lines[i].fd, -1);
		if (fd >= 0)
			raw(SYS_close, fd);
		channel.lines[i].busy = 0;
	}
	fd = atomic_exchange(&channel.process_fd, -1);
	if (fd >= 0)
		raw(SYS_close, fd);
}

/* The child of a fork that nobody told of is a process like a new one. */
static void look_around(void)
{
	if (!here || __atomic_exchange_n(here, 1, __ATOMIC_RELAXED))
		return;
	ranges_reset_lock();
	careful_after_fork();
	copy_after_fork();
	drop_connections();
	new_image(&channel.image);
	register_process();
}

static struct line *take_line(void)
{
	int unused;

	for (int i = 0; i < LINES; i++) {
		unused = 0;
		if (!channel.lines[i].busy &&
		    atomic_compare_exchange_strong(&channel.lines[i].busy,
						   &unused, 1))
			return &channel.lines[i];
	}

	return NULL;
}

/* A connection for a call: a line's, or for this once. */
int channel_begin_call(struct line **line)
{
	char why[512];
	int fd;

	look_around();
	*line = take_line();
	if (*line && (*line)->fd >= 0)
		return (*line)->fd;

	fd = connect_as(CONNECTION_CALLS, 0, why, sizeof(why));
	if (*line) {
		(*line)->fd = fd < 0 ? -1 : fd;
		if (fd < 0)
			(*line)->busy = 0;
	}

	return fd < 0 ? -EIO : fd;
}

void channel_end_call(struct line *line, int fd, bool good)
{
	if (line && good) {
		line->busy = 0;
		return;
	}
	if (line)
		line->fd = -1;
	raw(SYS_close, fd);
	if (line)
		line->busy = 0;
}

/* An answer that is neither followed nor accompanied by anything. */
static bool receive_answer(int fd, struct answer *answer)
{
	ssize_t got;

	do {
		got = raw(SYS_recvfrom, fd, answer, sizeof(*answer), 0, NULL,
			  NULL);
	} while (got < 0 && errno == EINTR);

	return got == sizeof(*answer);
}

/* One packet there and one back: the length of what is behind the answer. */
static ssize_t call(const struct request *request, struct answer *answer,
		    void *bytes, size_t size, int *passed)
{
	int saved = errno;
	struct line *line;
	int fd = channel_begin_call(&line);
	ssize_t got = -EIO;

	*passed = -1;
	if (fd >= 0) {
		if (channel_send(fd, request, sizeof(*request)))
			got = channel_receive(fd, answer, bytes, size, passed);
		channel_end_call(line, fd, got >= 0);
	}
	if (got < 0)
		answer->value = -EIO;
	errno = saved;

	return got;
}

int64_t channel_call(const struct request *request, struct answer *answer)
{
	int saved = errno;
	struct line *line;
	int fd = channel_begin_call(&line);
	bool good = false;

	if (fd >= 0) {
		good = channel_send(fd, request, sizeof(*request)) &&
		       receive_answer(fd, answer);
		channel_end_call(line, fd, good);
	}
	if (!good)
		answer->value = -EIO;
	errno = saved;

	return answer->value;
}

/* The program has it from here on, as any other thread of it may see. */
static bool take_promise(int fd, const struct answer *answer, int passed,
			 struct promise *promise)
{
	struct request reply = {.op = OP_NUMBER, .a = passed};

	/* One that was sent and has not come: there are too many. */
	if (passed < 0)
		reply.a = -EMFILE;
	else if (!(answer->extra & O_CLOEXEC))
		raw(SYS_fcntl, passed, F_SETFD, 0);
	promise->fd = passed;
	promise->inode = passed < 0 ? 0 : device_inode(passed);

	return channel_send(fd, &reply, sizeof(reply));
}

int64_t channel_call_promise(const struct request *request,
			     struct answer *answer, struct promise *promise)
{
	int saved = errno, passed;
	struct line *line;
	int fd = channel_begin_call(&line);
	bool good = false;

	promise->fd = -1;
	if (fd >= 0) {
		good = channel_send(fd, request, sizeof(*request));
		while (good) {
			good = channel_receive(fd, answer, NULL, 0, &passed) >=
			       0;
			if (!good || !(answer->flags & ANSWER_PROMISE))
				break;
			good = take_promise(fd, answer, passed, promise);
		}
		channel_end_call(line, fd, good);
	}
	if (!good)
		answer->value = -EIO;
	errno = saved;

	return answer->value;
}

int channel_call_fd(const struct request *request, int64_t *value)
{
	struct answer answer;
	int passed;

	call(request, &answer, NULL, 0, &passed);
	*value = answer.value;

	return passed;
}

size_t channel_text(const struct request *request, char *text, size_t size)
{
	struct answer answer;
	int passed;
	ssize_t got = call(request, &answer, text, size, &passed);

	return got < 0 ? 0 : got;
}

int64_t channel_stream(const struct request *request, packet_fn each, void *arg,
		       uint32_t *flags)
{
	struct answer answer = {.value = -EIO, .flags = ANSWER_MORE};
	char bytes[ANSWER_BYTES];
	struct line *line;
	int fd = channel_begin_call(&line);
	int passed;
	bool good;

	*flags = 0;
	if (fd < 0)
		return fd;
	good = channel_send(fd, request, sizeof(*request));
	while (good && answer.flags & ANSWER_MORE) {
		good = channel_receive(fd, &answer, bytes, sizeof(bytes),
				       &passed) >= 0;
		if (good)
			each(&answer, bytes, passed, arg);
		if (passed >= 0)
			raw(SYS_close, passed);
	}
	channel_end_call(line, fd, good);
	*flags = answer.flags;

	return good ? answer.value : -EIO;
}

void channel_sync(void)
{
	struct request request = {.op = OP_SYNC};
	struct answer answer;

	channel_call(&request, &answer);
}

int channel_next_own(int from)
{
	int next = -1, fd;

	for (int i = -1; i < LINES; i++) {
		fd = i < 0 ? channel.process_fd : channel.lines[i].fd;
		if (fd >= from && (next < 0 || fd < next))
			next = fd;
	}

	return next;
}

bool channel_owns(int fd)
{
	return channel.on && fd >= 0 && channel_next_own(fd) == fd;
}

void channel_move(int fd)
{
	int other = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd);

	if (other < 0)
		return;
	if (channel.process_fd == fd)
		channel.process_fd = other;
	for (int i = 0; i < LINES; i++) {
		if (channel.lines[i].fd == fd)
			channel.lines[i].fd = other;
	}
}

/*
 * The child's connection is made before it is there: its mappings are on the
 * server's books from then on, whatever becomes of either process.
 */
void channel_before_fork(void)
{
	char why[512];

	look_around();
	channel.fork_fd = -1;
	if (channel.process_fd < 0)
		return;
	new_image(&channel.next_image);
	channel.fork_fd = connect_as(CONNECTION_FORK, channel.next_image, why,
				     sizeof(why));
}

static void adopt(void)
{
	struct request request = {
		.op = OP_ADOPT,
		.a = (uintptr_t)&channel.image,
	};
	struct answer answer;
	int passed;

	drop_connections();
	become_here();
	careful_after_fork();
	copy_after_fork();
	channel.image = channel.next_image;
	if (channel.fork_fd < 0)
		return;
	permit_server(channel.fork_fd);
	if (channel_send(channel.fork_fd, &request, sizeof(request)) &&
	    channel_receive(channel.fork_fd, &answer, NULL, 0, &passed) >= 0 &&
	    !answer.value)
		channel.process_fd = channel.fork_fd;
	else
		raw(SYS_close, channel.fork_fd);
}

void channel_after_fork(bool child)
{
	int saved = errno;

	if (child)
		adopt();
	else if (channel.fork_fd >= 0)
		raw(SYS_close, channel.fork_fd);
	channel.fork_fd = -1;
	errno = saved;
}
