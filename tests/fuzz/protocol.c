// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What programs and a machine's server say to each other, at random:
 *
 *	gntdev run --machine DIR -- protocol [--seconds N] [--seed N [--rounds N]]
 *
 * Each round is a process that makes connections, sends hellos and requests
 * that are nearly right, wrong or cut short, answers what it is asked or not,
 * and ends. Whatever it does may end its own connections and no more: between
 * rounds the server has to answer others. A round is told by its seed; the same
 * seed sends the same, as far as the answers are the same.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The published header leaves it to its user. */
typedef uint16_t domid_t;
#include <linux/types.h>
#include <xen/evtchn.h>
#include <xen/gntalloc.h>

#include "../../include/xen/gntdev.h"
#include "../../machine/protocol.h"

#define CONNECTIONS 6
#define DEVICES 6
#define ARENA (64 * 4096UL)
#define PLACE(n) (0x700000000000UL + (n) * 0x100000UL)
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct sockaddr_un server;
static uint64_t state;
static int connections[CONNECTIONS];
static struct device {
	int fd;
	uint64_t inode;
} devices[DEVICES];
/* The only memory that the server is told to write to. */
static unsigned char *arena;
static uint64_t image;

static uint32_t number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;

	return state >> 16;
}

static uint32_t below(uint32_t n)
{
	return number() % n;
}

static bool rarely(void)
{
	return !below(12);
}

/* ---- values ---- */

/* What sizes, indexes and addresses are made of. */
static uint64_t odd(void)
{
	static const uint64_t values[] = {
		0,
		1,
		4095,
		4096,
		4097,
		8192,
		65536,
		1ULL << 31,
		1ULL << 32,
		(1ULL << 32) - 1,
		1ULL << 47,
		1ULL << 63,
		~0ULL,
		~4095ULL,
		~0ULL - 4096,
	};

	return below(3) ? values[below(COUNT(values))]
			: (uint64_t)number() << below(33);
}

static uint64_t in_arena(void)
{
	return (uintptr_t)arena + below(ARENA / 64) * 64;
}

static uint64_t place(void)
{
	return PLACE(below(6)) + (rarely() ? odd() : below(4) * 4096);
}

static uint64_t small(void)
{
	return rarely() ? odd() : below(4) * 4096;
}

/* Words that mean something to some request, at random places. */
static void fill_arena(void)
{
	uint32_t *words = (uint32_t *)arena;

	for (int i = 0; i < 64; i++)
		words[below(ARENA / 4)] = below(3) ? below(16) : number();
}

/* A structure for the request in the arena. */
static uint64_t argument(void)
{
	uint64_t at = in_arena();
	uint32_t *words = (uint32_t *)(uintptr_t)at;

	if (rarely())
		return odd();
	if ((unsigned char *)words + 512 > arena + ARENA)
		return (uintptr_t)arena;
	for (int i = 0; i < 32; i++)
		words[i] = rarely() ? number() : below(12);
	if (below(2)) {
		uint64_t pointer = in_arena();

		memcpy(words + 2, &pointer, sizeof(pointer));
	}

	return at;
}

static uint32_t ioctl_number(void)
{
	static const uint32_t numbers[] = {
		IOCTL_GNTDEV_MAP_GRANT_REF,
		IOCTL_GNTDEV_UNMAP_GRANT_REF,
		IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
		IOCTL_GNTDEV_SET_MAX_GRANTS,
		IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
		IOCTL_GNTDEV_GRANT_COPY,
		IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS,
		IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED,
		IOCTL_GNTDEV_DMABUF_IMP_TO_REFS,
		IOCTL_GNTDEV_DMABUF_IMP_RELEASE,
		IOCTL_GNTALLOC_ALLOC_GREF,
		IOCTL_GNTALLOC_DEALLOC_GREF,
		IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
		IOCTL_EVTCHN_BIND_VIRQ,
		IOCTL_EVTCHN_BIND_INTERDOMAIN,
		IOCTL_EVTCHN_BIND_UNBOUND_PORT,
		IOCTL_EVTCHN_UNBIND,
		IOCTL_EVTCHN_NOTIFY,
		IOCTL_EVTCHN_RESET,
		IOCTL_EVTCHN_RESTRICT_DOMID,
		/* Of graphics devices: make, close, pass on, take. */
		0xc02064b2,
		0x40086409,
		0xc00c642d,
		0xc00c642e,
		/* Of dma-bufs: sync. Of privcmd: a hypercall. */
		0x40086200,
		0x00305000,
	};

	return rarely() ? number() : numbers[below(COUNT(numbers))];
}

/* ---- packets ---- */

/* Sends it whole, mostly; at times with a descriptor beside it. */
static void send_packet(int fd, const void *bytes, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(sizeof(int)),
		     }};
	int passed = STDERR_FILENO;
	struct iovec part = {(void *)bytes, rarely() ? below(size + 1) : size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (rarely()) {
		memcpy(CMSG_DATA(&control.header), &passed, sizeof(passed));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void keep_device(int fd)
{
	struct device *device = &devices[below(DEVICES)];
	struct stat status;

	if (device->fd >= 0)
		close(device->fd);
	device->fd = fd;
	device->inode = fstat(fd, &status) ? 0 : status.st_ino;
}

/* An answer if one comes soon; a descriptor beside it is kept. */
static bool receive(int fd, struct answer *answer)
{
	static char bytes[65536];
	char space[CMSG_SPACE(sizeof(int))];
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	struct iovec parts[] = {
		{answer, sizeof(*answer)},
		{bytes, sizeof(bytes)},
	};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct cmsghdr *header;
	int passed;

	if (poll(&poller, 1, 40) <= 0 ||
	    recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <
		    (ssize_t)sizeof(*answer))
		return false;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS) {
		memcpy(&passed, CMSG_DATA(header), sizeof(passed));
		keep_device(passed);
	}

	return true;
}

/* What the server asks in the middle of a call, rightly or wrongly. */
static void reply(int fd, const struct answer *answer)
{
	struct request request = {.op = OP_DONE};

	if (answer->flags & ANSWER_RESERVED) {
		request.op = OP_NUMBER;
		request.a = below(2) ? below(64) : odd();
	} else if (!(answer->flags & ANSWER_WAITS)) {
		return;
	}
	if (rarely())
		request.op = below(24);
	send_packet(fd, &request, sizeof(request));
}

static void converse(int fd)
{
	struct answer answer;
	int packets = 0;

	while (packets++ < 20 && receive(fd, &answer)) {
		reply(fd, &answer);
		if (!(answer.flags & (ANSWER_MORE | ANSWER_RESERVED)))
			return;
	}
}

/* ---- steps ---- */

static int connect_server(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&server, sizeof(server)))
		return fd;
	if (fd >= 0)
		close(fd);

	return -1;
}

static struct hello hello_of(enum connection_kind kind)
{
	struct hello hello = {
		.magic = PROTOCOL_MAGIC,
		.version = PROTOCOL_VERSION,
		.kind = kind,
		.image = image,
		.address = (uintptr_t)&image,
	};

	strcpy(hello.name, "protocol");

	return hello;
}

static void step_hello(void)
{
	static const uint32_t domains[] = {
		0, 1, 2, 32751, 32752, 65535, 99999, ~0U,
	};
	static const char *const texts[] = {
		"", "", "", "map:9999=-1", "seed=3", "any%x", ",", "nothing:1",
	};
	int *slot = &connections[below(CONNECTIONS)];
	struct hello hello = hello_of(rarely() ? below(10) : 1 + below(7));

	if (*slot >= 0)
		close(*slot);
	*slot = connect_server();
	if (*slot < 0)
		return;

	if (hello.kind == CONNECTION_PROCESS && below(2))
		image = hello.image = (uint64_t)number() << 32 | number();
	if (rarely())
		hello.image = odd();
	if (rarely())
		hello.address = odd();
	hello.child = below(2) ? image + 1 + below(3) : odd();
	hello.domain = domains[below(below(3) ? 3 : COUNT(domains))];
	hello.run = below(4);
	hello.flags = rarely() ? number() : 0;
	strcpy(hello.text, texts[below(COUNT(texts))]);
	if (rarely())
		memset(hello.name, 'x', sizeof(hello.name));
	if (rarely())
		memset(hello.text, 'x', sizeof(hello.text));
	if (rarely())
		((unsigned char *)&hello)[below(sizeof(hello))] = number();
	send_packet(*slot, &hello, sizeof(hello));
	converse(*slot);
}

static void fill_request(struct request *request)
{
	switch (request->op) {
	case OP_OPEN:
		request->file = rarely() ? odd() : below(SERVED_FILES + 1);
		request->a = rarely() ? odd() : below(4);
		break;
	case OP_IOCTL:
	case OP_COPY:
		request->a = request->op == OP_COPY && below(8)
				     ? IOCTL_GNTDEV_GRANT_COPY
				     : ioctl_number();
		request->b = argument();
		break;
	case OP_MMAP:
		request->a = place();
		request->b = small();
		request->c = rarely() ? odd() : below(4);
		request->d = rarely() ? odd() : MAP_SHARED;
		request->e = small();
		break;
	case OP_NUMBER:
	case OP_SEEK:
	case OP_CLEAR_REFS:
		request->a = odd();
		request->b = below(6);
		break;
	default:
		request->a = place();
		request->b = request->op == OP_VIEW ? place() : small();
		request->c = request->op == OP_MREMAP ? small() : below(32);
		request->d = rarely() ? odd() : below(4);
		request->e = place();
		break;
	}
}

/* What is behind a copy's request. */
static size_t make_offer(unsigned char *to)
{
	struct offer offer = {
		.segments = in_arena(),
		.size = below(8) * sizeof(struct gntdev_grant_copy_segment),
		.counter = in_arena(),
		.number = below(3),
	};
	uint32_t count = below(8);

	for (int i = 0; i < WINDOWS; i++)
		offer.windows[i] = below(2) ? WINDOW(below(3), below(2))
					    : WINDOW_NONE;
	if (rarely())
		offer.size = odd();
	if (rarely())
		offer.counter = odd();
	if (rarely())
		offer.segments = odd();
	memcpy(to, &offer, sizeof(offer));
	to += sizeof(offer);
	memset(to, 0, OFFER_ARGUMENT);
	memcpy(to, &count, sizeof(count));
	memcpy(to + 8, &offer.segments, sizeof(offer.segments));
	to += OFFER_ARGUMENT;
	for (int i = 0; i < 64; i++)
		to[i * 6] = number();

	return sizeof(offer) + OFFER_ARGUMENT +
	       (offer.size < 400 ? offer.size : below(400));
}

static void step_request(void)
{
	unsigned char packet[sizeof(struct request) + sizeof(struct offer) +
			     OFFER_ARGUMENT + 512] = {0};
	int fd = connections[below(CONNECTIONS)];
	struct request request = {0};
	size_t size = sizeof(request);

	if (fd < 0)
		return;
	request.op = rarely() ? below(40) : 1 + below(OP_OVERFLOWN);
	/* Mostly what makes something that others may be about. */
	if (below(2))
		request.op = below(3) ? OP_IOCTL : below(2) ? OP_OPEN : OP_MMAP;
	request.inode = rarely() ? odd() : devices[below(DEVICES)].inode;
	fill_request(&request);
	memcpy(packet, &request, sizeof(request));
	if (request.op == OP_COPY && below(8))
		size += make_offer(packet + size);
	send_packet(fd, packet, size);
	if (below(16))
		converse(fd);
}

static void step_device(void)
{
	struct device *device = &devices[below(DEVICES)];
	unsigned char bytes[64];

	if (device->fd < 0)
		return;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = rarely() ? number() : below(4);
	switch (below(6)) {
	case 0:
		close(device->fd);
		device->fd = -1;
		break;
	case 1:
		shutdown(device->fd, SHUT_RDWR);
		break;
	case 2:
		recv(device->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		break;
	default:
		send(device->fd, bytes, below(sizeof(bytes)),
		     MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

/* A connection for calls of a process, so that there is mostly one. */
static void begin_well(void)
{
	struct hello hello = hello_of(CONNECTION_PROCESS);

	image = hello.image = (uint64_t)number() << 32 | number();
	hello.domain = below(3);
	for (int i = 0; i < 2; i++) {
		connections[i] = connect_server();
		if (connections[i] < 0)
			continue;
		send(connections[i], &hello, sizeof(hello), MSG_NOSIGNAL);
		converse(connections[i]);
		hello.kind = CONNECTION_CALLS;
	}
}

static void round_of(uint64_t seed)
{
	uint32_t steps;

	/* Whoever hangs is ended; that is the parent's to judge. */
	alarm(30);
	state = seed * 0x9e3779b97f4a7c15ULL | 1;
	for (int i = 0; i < 8; i++)
		number();
	for (int i = 0; i < CONNECTIONS; i++)
		connections[i] = -1;
	for (int i = 0; i < DEVICES; i++)
		devices[i].fd = -1;
	fill_arena();

	begin_well();
	for (steps = 20 + below(100); steps; steps--) {
		switch (below(16)) {
		case 0:
			step_hello();
			break;
		case 1:
			step_device();
			break;
		default:
			step_request();
		}
	}
	_exit(0);
}

/* ---- rounds ---- */

/* Whether the server still serves others: it lists what it has. */
static bool answers(void)
{
	struct hello hello = hello_of(CONNECTION_LIST);
	struct timeval patience = {.tv_sec = 20};
	char bytes[sizeof(struct answer) + ANSWER_BYTES];
	int fd = connect_server();
	ssize_t got;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	got = send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0
		      ? -1
		      : recv(fd, bytes, sizeof(bytes), 0);
	close(fd);

	return got > (ssize_t)sizeof(struct answer);
}

static bool try(uint64_t seed)
{
	pid_t child = fork();
	int status;

	if (!child)
		round_of(seed);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("protocol: fork");
		return false;
	}
	if (WIFSIGNALED(status))
		printf("seed %llu: its program ended by signal %d\n",
		       (unsigned long long)seed, WTERMSIG(status));
	else if (answers())
		return true;
	else
		printf("seed %llu: the server does not answer\n",
		       (unsigned long long)seed);

	return false;
}

int main(int argc, char **argv)
{
	const char *folder = getenv(ENV_MACHINE);
	uint64_t seed = time(NULL), seconds = 20, rounds = 0, done = 0;
	time_t end;

	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 10);

		if (!strcmp(argv[i], "--seed"))
			seed = value;
		if (!strcmp(argv[i], "--seconds"))
			seconds = value;
		if (!strcmp(argv[i], "--rounds"))
			rounds = value;
	}
	if (!folder) {
		fprintf(stderr, "protocol: to be run by gntdev run\n");
		return 2;
	}
	server.sun_family = AF_UNIX;
	snprintf(server.sun_path, sizeof(server.sun_path), "%s/%s", folder,
		 SOCKET_FILE);
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	signal(SIGPIPE, SIG_IGN);

	printf("protocol: from seed %llu on\n", (unsigned long long)seed);
	fflush(stdout);
	end = time(NULL) + seconds;
	while (rounds ? done < rounds : time(NULL) < end) {
		if (!try(seed + done))
			return 1;
		done++;
	}
	printf("protocol: %llu rounds, and the server still answers\n",
	       (unsigned long long)done);

	return 0;
}
