// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Descriptors of devices are descriptors like others. */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef uint16_t domid_t;
#include <linux/types.h>
#include <xen/evtchn.h>
#include <xen/gntdev.h>

#include "behave.h"

/* Two ends of an event channel, each of a device of its own. */
struct ends {
	int fds[2];
	unsigned int ports[2];
};

static struct ends ends_make(int flags)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {0};
	struct ioctl_evtchn_bind_interdomain bind = {0};
	struct ends ends;

	for (int i = 0; i < 2; i++)
		ends.fds[i] = open_or_die("/dev/xen/evtchn", O_RDWR | flags);
	ends.ports[0] =
		ioctl(ends.fds[0], IOCTL_EVTCHN_BIND_UNBOUND_PORT, &unbound);
	bind.remote_port = ends.ports[0];
	ends.ports[1] =
		ioctl(ends.fds[1], IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	CHECK((int)ends.ports[0] > 0 && (int)ends.ports[1] > 0, "bind: %s",
	      strerror(errno));
	return ends;
}

static int notify(int fd, unsigned int port)
{
	struct ioctl_evtchn_notify request = {.port = port};

	return ioctl(fd, IOCTL_EVTCHN_NOTIFY, &request);
}

/* A new channel's two ends may have an event already: theirs and ours. */
static void drain(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	uint32_t port;

	while (poll(&poller, 1, 0) == 1) {
		CHECK(read(fd, &port, 4) == 4, "read: %s", strerror(errno));
		CHECK(write(fd, &port, 4) == 4, "write: %s", strerror(errno));
	}
}

static bool has_event(int fd, int ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, ms) == 1 && poller.revents & POLLIN;
}

static void duplicate(void)
{
	struct pair pair = pair_make(2);
	int other = dup(pair.dev);
	uint64_t index;

	close(pair.dev);
	pair.dev = other;
	CHECK(munmap(pair_map(&pair, &index, PROT_READ), 2 * PAGE) == 0,
	      "munmap: %s", strerror(errno));
	CHECK(index > pair.index, "an index came back: %llu",
	      (unsigned long long)index);
	pair_end(&pair);
}

void send_fd(int to, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec part = {"", 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	CHECK(sendmsg(to, &message, 0) == 1, "sendmsg: %s", strerror(errno));
}

int receive_fd(int from)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int fd;

	CHECK(recvmsg(from, &message, 0) == 1, "recvmsg: %s", strerror(errno));
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* The child was there before the device was. */
static void passed(void)
{
	struct pair pair;
	int sockets[2];
	pid_t child;

	socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
	child = fork();
	if (!child) {
		uint64_t index;

		pair.pages = 1;
		CHECK(read(sockets[1], pair.refs, 4) == 4, "read");
		pair.dev = receive_fd(sockets[1]);
		CHECK(*pair_map(&pair, &index, PROT_READ) == 1, "wrong data");
		_exit(0);
	}
	pair = pair_make(1);
	CHECK(write(sockets[0], pair.refs, 4) == 4, "write");
	send_fd(sockets[0], pair.dev);
	must_pass(child);
	pair_end(&pair);
}

static void poll_and_read(void)
{
	struct ends ends = ends_make(O_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);
	uint32_t port;

	epoll_ctl(epoll, EPOLL_CTL_ADD, ends.fds[0], &event);
	drain(ends.fds[0]);
	CHECK(read(ends.fds[0], &port, 4) == -1 && errno == EAGAIN,
	      "read without an event: %s", strerror(errno));
	CHECK(!epoll_wait(epoll, &event, 1, 0), "epoll sees an event");
	CHECK(!notify(ends.fds[1], ends.ports[1]), "notify");
	CHECK(epoll_wait(epoll, &event, 1, 0) == 1, "epoll sees no event");
	CHECK(read(ends.fds[0], &port, 4) == 4 && port == ends.ports[0],
	      "read: port %u", port);

	/* Masked until it is written back; then what was missed comes. */
	CHECK(!notify(ends.fds[1], ends.ports[1]), "notify");
	CHECK(!has_event(ends.fds[0], 50), "an event of a masked port");
	CHECK(write(ends.fds[0], &port, 4) == 4, "write");
	CHECK(has_event(ends.fds[0], 1000), "no event after unmasking");
}

static void reads_wait(void)
{
	struct ends ends = ends_make(0);
	uint32_t port;
	pid_t child;

	drain(ends.fds[0]);
	child = fork();
	if (!child) {
		usleep(50000);
		CHECK(!notify(ends.fds[1], ends.ports[1]), "notify");
		_exit(0);
	}
	CHECK(read(ends.fds[0], &port, 4) == 4 && port == ends.ports[0],
	      "read: port %u", port);
	must_pass(child);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* What waits for a whole part may be interrupted, and be ended. */
static void reads_in_parts_wait(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct ends ends = ends_make(0);
	uint32_t port[2] = {0};
	struct iovec parts[] = {{NULL, 0}, {port, 4}, {port + 1, 0}};
	pid_t child;
	int status;

	drain(ends.fds[0]);
	child = fork();
	if (!child) {
		alarm(0);
		readv(ends.fds[0], parts, 3);
		_exit(0);
	}
	usleep(50000);
	kill(child, SIGTERM);
	alarm(10);
	CHECK(waitpid(child, &status, 0) == child, "it goes on waiting");
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
	      "it has ended with %#x", status);
	sigaction(SIGALRM, &action, NULL);
	ualarm(50000, 0);
	CHECK(readv(ends.fds[0], parts, 3) == -1 && errno == EINTR, "readv: %s",
	      strerror(errno));
	CHECK(!notify(ends.fds[1], ends.ports[1]), "notify");
	CHECK(readv(ends.fds[0], parts, 3) == 4 && port[0] == ends.ports[0],
	      "readv: port %u", port[0]);
}

static void bad_parts(void)
{
	/* Volatile, or the compiler refuses them itself. */
	struct iovec *volatile bad = (void *)1;
	struct iovec only = {NULL, 0}, *volatile none = &only;
	volatile int less = -1, more = 1025;
	struct ends ends = ends_make(O_NONBLOCK);

	drain(ends.fds[0]);
	CHECK(readv(ends.fds[0], bad, 1) == -1 && errno == EFAULT, "readv: %s",
	      strerror(errno));
	CHECK(writev(ends.fds[0], bad, 1) == -1 && errno == EFAULT,
	      "writev: %s", strerror(errno));
	CHECK(readv(ends.fds[0], none, less) == -1 && errno == EINVAL,
	      "readv: %s", strerror(errno));
	CHECK(writev(ends.fds[0], none, more) == -1 && errno == EINVAL,
	      "writev: %s", strerror(errno));
	CHECK(!readv(ends.fds[0], none, 1) &&
		      !readv(ends.fds[0], bad, less + 1),
	      "readv: %s", strerror(errno));
}

/* An unmapped range with a notification: its removal sends an event. */
static void arm(struct pair *pair, const struct ends *ends)
{
	struct ioctl_gntdev_unmap_notify request = {
		.index = pair->index,
		.action = UNMAP_NOTIFY_SEND_EVENT,
		.event_channel_port = ends->ports[1],
	};

	drain(ends->fds[0]);
	munmap(pair->mapped, pair->pages * PAGE);
	CHECK(!ioctl(pair->dev, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &request),
	      "SET_UNMAP_NOTIFY: %s", strerror(errno));
	CHECK(!has_event(ends->fds[0], 0), "an event before the close");
}

static void closes_at_once(void)
{
	struct ends ends = ends_make(0);
	struct pair pair = pair_make(1);
	int other;

	arm(&pair, &ends);
	other = dup(pair.dev);
	close(pair.dev);
	CHECK(!has_event(ends.fds[0], 50), "closed with a descriptor left");
	close(other);
	CHECK(has_event(ends.fds[0], 0), "not closed when close() returned");
}

static void dup2_closes(void)
{
	struct ends ends = ends_make(0);
	struct pair pair = pair_make(1);

	arm(&pair, &ends);
	CHECK(dup2(0, pair.dev) == pair.dev, "dup2: %s", strerror(errno));
	CHECK(has_event(ends.fds[0], 0), "not closed when dup2() returned");
}

static void all_closed(void)
{
	struct pair pair = pair_make(1);

	for (int fd = 3; fd < 2048; fd++)
		close(fd);
	CHECK(pair.mapped[0] == 1, "the mapping is gone");
	CHECK(!munmap(pair.mapped, PAGE), "munmap: %s", strerror(errno));
	CHECK(!munmap(pair.granted, PAGE), "munmap: %s", strerror(errno));
	pair = pair_make(1);
	CHECK(!close_range(3, ~0U, 0), "close_range: %s", strerror(errno));
	pair = pair_make(1);
	closefrom(3);
	pair = pair_make(1);
	pair_end(&pair);
}

static void foreign_sockets(void)
{
	uint32_t count = 1;
	int sockets[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
	CHECK(ioctl(sockets[0], IOCTL_GNTDEV_SET_MAX_GRANTS, &count) == -1 &&
		      errno == ENOTTY,
	      "a request on a socket: %s", strerror(errno));
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, sockets[0], 0) ==
			      MAP_FAILED &&
		      errno == ENODEV,
	      "mmap of a socket: %s", strerror(errno));
	CHECK(write(sockets[0], "x", 1) == 1, "write: %s", strerror(errno));
	close(sockets[0]);
}

/* As a server that opens a device for each client, and closes it. */
static void many_devices(void)
{
	int sockets[2], fds[2], read_end;
	char byte;

	for (int i = 0; i < 5000; i++) {
		fds[0] = open_or_die("/dev/xen/gntdev", O_RDWR);
		fds[1] = open_or_die("/dev/xen/evtchn", O_RDWR);
		close(fds[0]);
		close(fds[1]);
	}
	for (int i = 0; i < 1000; i++) {
		CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets),
		      "socketpair");
		read_end = sockets[i & 1];
		CHECK(write(sockets[!(i & 1)], "x", 1) == 1, "write: %s",
		      strerror(errno));
		CHECK(read(read_end, &byte, 1) == 1, "read: %s",
		      strerror(errno));
		close(sockets[0]);
		close(sockets[1]);
	}
}

static bool is_silent(int fd)
{
	char byte;

	return read(fd, &byte, 1) == -1 && errno == EINVAL;
}

/* A number that was a device's is another one's, and the other way. */
static void numbers_change(void)
{
	int device = open_or_die("/dev/xen/gntdev", O_RDWR), ends[2],
	    sockets[2];
	int child;
	char byte;

	CHECK(!pipe(ends) && write(ends[1], "abcdef", 6) == 6, "pipe");
	for (int i = 0; i < 2; i++) {
		CHECK(is_silent(device), "read: %s", strerror(errno));
		CHECK(dup2(ends[0], device) == device, "dup2");
		CHECK(read(device, &byte, 1) == 1, "dup2: %s", strerror(errno));
		CHECK(!close_range(device, device, 0), "close_range");
		CHECK(open("/dev/xen/gntdev", O_RDWR) == device, "open");
		CHECK(is_silent(device), "read: %s", strerror(errno));
		CHECK(dup3(ends[0], device, O_CLOEXEC) == device, "dup3");
		CHECK(read(device, &byte, 1) == 1, "dup3: %s", strerror(errno));
		close(device);
		CHECK(open("/dev/xen/gntdev", O_RDWR) == device, "open");
	}
	/* By a message, to a number that was read from before. */
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
	send_fd(sockets[0], device);
	child = dup(ends[0]);
	CHECK(read(child, &byte, 1) == 1, "read: %s", strerror(errno));
	syscall(SYS_close, child);
	CHECK(receive_fd(sockets[1]) == child, "another number");
	CHECK(is_silent(child), "passed: %s", strerror(errno));
	CHECK(is_silent(fcntl(device, F_DUPFD, 0)), "F_DUPFD");
}

static void bad_close_range(void)
{
	CHECK(close_range(5, 3, 0) == -1 && errno == EINVAL, "5 to 3: %s",
	      strerror(errno));
	CHECK(close_range(5, 6, 1 << 20) == -1 && errno == EINVAL, "flags: %s",
	      strerror(errno));
	CHECK(syscall(SYS_close_range, 5, 3, 0) == -1 && errno == EINVAL,
	      "by number: %s", strerror(errno));
}

static void open_flags(void)
{
	int fd = open_or_die("/dev/xen/evtchn", O_RDWR);

	CHECK(fcntl(fd, F_GETFD) == 0, "O_CLOEXEC without being asked for");
	CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK), "O_NONBLOCK likewise");
	CHECK(fd == 3, "descriptor %d, expected the lowest one, 3", fd);
	close(fd);
	fd = open_or_die("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC, "no O_CLOEXEC");
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK, "no O_NONBLOCK");
}

static void unknown_request(void)
{
	int fd = open_or_die("/dev/xen/gntdev", O_RDWR);

	CHECK(ioctl(fd, _IO('G', 200), 0) == -1 && errno == ENOTTY,
	      "an unknown request of its own: %s", strerror(errno));
	CHECK(ioctl(fd, _IO('x', 1), 0) == -1 && errno == ENOTTY,
	      "an unknown request: %s", strerror(errno));
	CHECK(!isatty(fd), "it is a terminal");
}

static void no_socket(void)
{
	struct pair pair = pair_make(1);

	CHECK(shutdown(pair.dev, SHUT_RDWR) == -1 && errno == ENOTSOCK,
	      "shutdown: %s", strerror(errno));
	pair_end(&pair);
}

/* By a way that the library does not see. */
static void fetched(void)
{
	int events = open_or_die("/dev/xen/evtchn", O_RDWR);
	int self = syscall(SYS_pidfd_open, getpid(), 0);
	int former, fd;

	CHECK(self >= 0, "pidfd_open: %s", strerror(errno));
	former = open_or_die("/dev/null", O_RDWR);
	CHECK(write(former, "xyz", 3) == 3, "write: %s", strerror(errno));
	close(former);
	fd = syscall(SYS_pidfd_getfd, self, events, 0);
	CHECK(fd == former, "pidfd_getfd: %d, %s", fd, strerror(errno));
	/* No whole port: a socket would take it. */
	CHECK(!write(fd, "xyz", 3), "bytes were written");
	close(fd);
	fd = open_or_die("/dev/null", O_RDWR);
	CHECK(fd == former && write(fd, "xyz", 3) == 3, "write: %s",
	      strerror(errno));
	close_range(fd, fd, 0);
	fd = syscall(SYS_pidfd_getfd, self, events, 0);
	CHECK(fd == former && !write(fd, "xyz", 3), "bytes were written");
}

const struct behaviour descriptor_behaviours[] = {
	{"a duplicated descriptor is the same device", duplicate},
	{"a descriptor is passed to another process", passed},
	{"poll, epoll and read see events; a port told is masked",
	 poll_and_read},
	{"read waits for an event", reads_wait},
	{"readv waits, and can be interrupted and ended", reads_in_parts_wait},
	{"bad parts are refused as the kernel refuses them", bad_parts},
	{"the last close has its effects when it returns", closes_at_once},
	{"dup2 onto a device closes it", dup2_closes},
	{"a program may close all descriptors and go on", all_closed},
	{"sockets that are no devices are left alone", foreign_sockets},
	{"sockets are left alone after thousands of devices", many_devices},
	{"what is at a number is what came there last", numbers_change},
	{"close_range refuses what the kernel refuses", bad_close_range},
	{"open gives the lowest descriptor with the flags asked for",
	 open_flags},
	{"an unknown request is ENOTTY", unknown_request},
	{"a device is no socket to shutdown", no_socket},
	{"a device that is fetched by pidfd_getfd is one", fetched},
	{NULL, NULL},
};
