// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A granter in this domain, through /dev/xen/gntalloc and /dev/xen/evtchn.
 *
 * Its books are in memory shared with its children: a test, which is a child of
 * the harness, grants, and the harness takes back what is left when the test
 * has ended, however it ended. For that the harness holds the open device.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>

#include "events.h"
#include "hypercall.h"
#include "util.h"
#include "wire.h"

#define PAGE 4096u
#define MAX_GRANTS 4096u
#define MAX_PORTS 64u
#define MAX_SWAPS 8u

/*
 * An entry of this domain's grant table that nobody uses: the first eight are
 * set aside for the toolstack, which uses the first two.
 */
#define EMPTY_REF 5u

struct grant {
	uint32_t ref;
	bool alive;
	/* Where its page is mapped, in the process that granted. */
	uint8_t *page;
	pid_t owner;
	/* Of the grant in the device. */
	uint64_t index;
};

struct swap {
	uint32_t one;
	uint32_t other;
};

struct books {
	/* Robust: whoever holds it may be killed. Guards EMPTY_REF too. */
	pthread_mutex_t lock;
	/* Exchanged references, to be exchanged back in reverse order. */
	unsigned int swaps;
	struct swap swap[MAX_SWAPS];
	unsigned int grants;
	struct grant grant[MAX_GRANTS];
};

/* Ports are the test's own: they go with its process. */
struct port {
	unsigned int number;
	int fd;
};

static struct books *books;
static struct port ports[MAX_PORTS];
static unsigned int port_count;
static unsigned int mapper;
static int device = -1;

void local_init(unsigned int mapper_domid)
{
	pthread_mutexattr_t attributes;

	mapper = mapper_domid;
	books = mmap(NULL, sizeof(*books), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (books == MAP_FAILED) {
		perror("granter: mmap");
		exit(2);
	}
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&books->lock, &attributes);

	device = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	if (device < 0) {
		perror("granter: /dev/xen/gntalloc");
		exit(2);
	}
}

static void lock(void)
{
	if (pthread_mutex_lock(&books->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&books->lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&books->lock);
}

static struct grant *find(uint32_t ref)
{
	for (unsigned int i = 0; i < books->grants; i++)
		if (books->grant[i].alive && books->grant[i].ref == ref)
			return &books->grant[i];
	return NULL;
}

static void give_up(struct grant *grant)
{
	struct ioctl_gntalloc_dealloc_gref dealloc = {
		.index = grant->index,
		.count = 1,
	};

	ioctl(device, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc);
	grant->alive = false;
}

/* The page comes into this process when it is first looked at. */
static int map_page(struct grant *grant)
{
	void *page;

	if (grant->page)
		return 0;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		    grant->index);
	if (page == MAP_FAILED)
		return -errno;
	grant->page = page;
	grant->owner = getpid();
	return 0;
}

/* Up to WIRE_REFS grants by one request, as its answer wants them. */
static int grant_pages(unsigned int count, bool writable, uint32_t *refs)
{
	union {
		struct ioctl_gntalloc_alloc_gref alloc;
		uint8_t space[sizeof(struct ioctl_gntalloc_alloc_gref) +
			      WIRE_DATA];
	} request = {.alloc = {
			     .domid = mapper,
			     .flags = writable ? GNTALLOC_FLAG_WRITABLE : 0,
			     .count = count,
		     }};

	if (books->grants + count > MAX_GRANTS)
		return -ENOSPC;
	if (ioctl(device, IOCTL_GNTALLOC_ALLOC_GREF, &request) < 0)
		return -errno;
	memcpy(refs,
	       request.space +
		       offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids),
	       count * sizeof(*refs));
	for (unsigned int i = 0; i < count; i++)
		books->grant[books->grants++] = (struct grant){
			.ref = refs[i],
			.alive = true,
			.index = request.alloc.index + i * PAGE,
		};
	return 0;
}

static void serve_alloc(struct wire *wire)
{
	unsigned int count = wire->args[0];

	if (count > WIRE_REFS) {
		wire->error = -E2BIG;
		return;
	}
	wire->error = grant_pages(count, wire->args[1], wire->refs);
	/*
	 * A few are mapped at once, so that the children of the test have them
	 * too; a large number is there to be counted.
	 */
	for (unsigned int i = 0; i < count && count <= 64 && !wire->error; i++)
		wire->error =
			map_page(&books->grant[books->grants - count + i]);
	wire->length = count * sizeof(uint32_t);
}

static void serve_free(struct wire *wire)
{
	for (unsigned int i = 0; i < wire->length / sizeof(uint32_t); i++) {
		struct grant *grant = find(wire->refs[i]);

		if (!grant) {
			wire->error = -ENOENT;
			return;
		}
		if (grant->page)
			munmap(grant->page, PAGE);
		give_up(grant);
	}
	wire->length = 0;
}

static void serve_access(struct wire *wire)
{
	struct grant *grant = find(wire->args[0]);
	unsigned int offset = wire->args[1];
	unsigned int length = wire->length;

	if (wire->op == WIRE_READ)
		length = wire->args[2];
	if (!grant || offset > PAGE || length > PAGE - offset ||
	    length > WIRE_DATA) {
		wire->error = grant ? -EINVAL : -ENOENT;
		return;
	}
	wire->error = map_page(grant);
	if (wire->error)
		return;
	if (wire->op == WIRE_READ) {
		memcpy(wire->data, grant->page + offset, length);
		wire->length = length;
	} else {
		memcpy(grant->page + offset, wire->data, length);
		wire->length = 0;
	}
}

static int is_busy(uint32_t ref)
{
	return hypercall_swap(ref, EMPTY_REF, 1);
}

static void serve_busy(struct wire *wire)
{
	wire->value = 0;
	for (unsigned int i = 0; i < wire->length / sizeof(uint32_t); i++) {
		int error = is_busy(wire->refs[i]);

		if (error == -EBUSY)
			wire->value++;
		else if (error)
			wire->error = error;
	}
	wire->length = 0;
}

static void serve_port(struct wire *wire)
{
	struct port *port = &ports[port_count];
	int fd, number;

	if (port_count == MAX_PORTS) {
		wire->error = -ENOSPC;
		return;
	}
	fd = events_open();
	if (fd < 0) {
		wire->error = fd;
		return;
	}
	number = events_unbound(fd, mapper);
	if (number < 0) {
		close(fd);
		wire->error = number;
		return;
	}
	*port = (struct port){.number = number, .fd = fd};
	port_count++;
	wire->value = number;
}

static void serve_wait_event(struct wire *wire)
{
	struct wire_seen seen = {0};
	struct grant *grant = find(wire->args[1]);
	int fd = -1, error;

	for (unsigned int i = 0; i < port_count; i++)
		if (ports[i].number == wire->args[0])
			fd = ports[i].fd;
	if (fd < 0 || !grant || map_page(grant)) {
		wire->error = -ENOENT;
		return;
	}
	/* The lock is not held meanwhile: the answer may be long in coming. */
	unlock();
	error = events_wait(fd, wire->args[3]);
	lock();
	wire->value = error >= 0;
	if (error >= 0) {
		error = is_busy(grant->ref);
		seen.busy = error == -EBUSY;
		seen.byte = *(volatile uint8_t *)(grant->page + wire->args[2]);
	}
	if (error < 0 && error != -EBUSY && error != -ETIMEDOUT)
		wire->error = error;
	wire->seen = seen;
	wire->length = sizeof(seen);
}

static void serve_swap(struct wire *wire)
{
	struct swap swap = {wire->args[0], wire->args[1]};
	struct swap *last = NULL;

	if (books->swaps)
		last = &books->swap[books->swaps - 1];
	if (books->swaps == MAX_SWAPS)
		wire->error = -ENOSPC;
	if (!wire->error)
		wire->error = hypercall_swap(swap.one, swap.other, 0);
	if (wire->error)
		return;
	if (last && last->one == swap.one && last->other == swap.other)
		books->swaps--;
	else
		books->swap[books->swaps++] = swap;
}

/* What the end of a test leaves exchanged would take away a wrong page. */
static unsigned int swap_back(long long limit)
{
	unsigned int failed = 0;

	while (books->swaps) {
		const struct swap *swap = &books->swap[--books->swaps];
		int error;

		while ((error = hypercall_swap(swap->one, swap->other, 0)) &&
		       milliseconds() < limit)
			sleep_ms(10);
		failed += !!error;
	}
	return failed;
}

/* The end of a test: nothing that it was granted may be in use any more. */
static void serve_finish(struct wire *wire)
{
	long long limit = milliseconds() + wire->args[0];

	wire->value = swap_back(limit);
	for (unsigned int i = 0; i < books->grants; i++) {
		struct grant *grant = &books->grant[i];

		if (!grant->alive)
			continue;
		while (is_busy(grant->ref) == -EBUSY && milliseconds() < limit)
			sleep_ms(10);
		wire->value += is_busy(grant->ref) == -EBUSY;
		/* A server has the pages of all its tests mapped. */
		if (grant->page && grant->owner == getpid())
			munmap(grant->page, PAGE);
		give_up(grant);
	}
	books->grants = 0;
	while (port_count)
		close(ports[--port_count].fd);
}

void local_serve(struct wire *wire)
{
	lock();
	wire->error = 0;
	wire->value = 0;
	switch (wire->op) {
	case WIRE_ALLOC:
		serve_alloc(wire);
		break;
	case WIRE_FREE:
		serve_free(wire);
		break;
	case WIRE_READ:
	case WIRE_WRITE:
		serve_access(wire);
		break;
	case WIRE_BUSY:
		serve_busy(wire);
		break;
	case WIRE_SWAP:
		serve_swap(wire);
		break;
	case WIRE_PORT:
		serve_port(wire);
		break;
	case WIRE_WAIT_EVENT:
		serve_wait_event(wire);
		break;
	case WIRE_MAP:
	case WIRE_MAP_READ:
	case WIRE_MAP_WRITE:
	case WIRE_UNMAP:
	case WIRE_EXPORT:
		mapper_serve(wire);
		break;
	case WIRE_FINISH:
		mapper_finish();
		serve_finish(wire);
		break;
	default:
		wire->error = -ENOSYS;
	}
	unlock();
}
