// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The client's end of a granter in another domain. Page and port are made by
 * the harness and used by its children, one at a time. The device under test
 * has no part in it on this side.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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
#include "peer.h"
#include "util.h"
#include "world.h"
#include "xenstore.h"

/* A call that waits for something itself takes that much longer. */
#define PATIENCE_MS 30000u

/* An event that is lost costs so much. */
#define LOOK_AGAIN_MS 50u

static struct peer_page *page;
static pthread_mutex_t *lock;
static int channel, port;
static unsigned int peer_domid;

static void die(const char *what, int error)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(-error));
	exit(2);
}

static uint32_t grant_page(void)
{
	struct ioctl_gntalloc_alloc_gref alloc = {
		.domid = peer_domid,
		.flags = GNTALLOC_FLAG_WRITABLE,
		.count = 1,
	};
	int device = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);

	if (device < 0 || ioctl(device, IOCTL_GNTALLOC_ALLOC_GREF, &alloc) < 0)
		die("/dev/xen/gntalloc", -errno);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		    alloc.index);
	if (page == MAP_FAILED)
		die("mmap of /dev/xen/gntalloc", -errno);
	return alloc.gref_ids[0];
}

/* Robust: a process may be killed in the middle of a call. */
static void make_lock(void)
{
	pthread_mutexattr_t attributes;

	lock = mmap(NULL, sizeof(*lock), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lock == MAP_FAILED)
		die("mmap", -errno);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(lock, &attributes);
}

static bool is_answered(void)
{
	return __atomic_load_n(&page->answered, __ATOMIC_ACQUIRE) ==
	       page->asked;
}

static int wait_for_answer(void)
{
	long long limit = milliseconds() + PATIENCE_MS;

	while (!is_answered()) {
		if (milliseconds() >= limit)
			return -ETIMEDOUT;
		events_wait(channel, LOOK_AGAIN_MS);
	}
	return 0;
}

int peer_call(struct wire *wire)
{
	int error = 0;

	if (pthread_mutex_lock(lock) == EOWNERDEAD) {
		pthread_mutex_consistent(lock);
		/* Its event may have been taken and not given back. */
		events_unmask(channel, port);
		error = wait_for_answer();
	}
	if (!error) {
		page->wire = *wire;
		__atomic_store_n(&page->asked, page->asked + 1,
				 __ATOMIC_RELEASE);
		events_notify(channel, port);
		error = wait_for_answer();
	}
	if (!error)
		*wire = page->wire;
	pthread_mutex_unlock(lock);
	return error;
}

unsigned int peer_port(void)
{
	return port;
}

void peer_init(unsigned int domid)
{
	char names[64];
	uint32_t ref;
	int error;

	peer_domid = domid;
	ref = grant_page();
	make_lock();
	channel = events_open();
	if (channel < 0)
		die("/dev/xen/evtchn", channel);
	port = events_unbound(channel, peer_domid);
	if (port < 0)
		die("an event channel", port);
	snprintf(names, sizeof(names), "%u %d %lld", ref, port, milliseconds());
	error = xenstore_write(PEER_NODE, names);
	if (error)
		die("xenstore: " PEER_NODE, error);
}
