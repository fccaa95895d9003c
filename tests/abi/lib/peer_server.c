// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The granter's end of a channel to another domain. The other domain's page is
 * mapped through this domain's grant device.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/gntdev.h>

#include "events.h"
#include "peer.h"
#include "util.h"
#include "world.h"
#include "xenstore.h"

/* The channel to one program. */
struct session {
	struct peer_page *page;
	int device;
	int channel;
	int port;
};

static void session_end(struct session *session)
{
	if (session->page)
		munmap(session->page, PAGE);
	if (session->device >= 0)
		close(session->device);
	if (session->channel >= 0)
		close(session->channel);
	*session = (struct session){.device = -1, .channel = -1};
}

static int map_page(struct session *session, unsigned int domid, uint32_t ref)
{
	struct ioctl_gntdev_map_grant_ref map = {
		.count = 1,
		.refs = {{.domid = domid, .ref = ref}},
	};
	void *page;

	session->device = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	if (session->device < 0 ||
	    ioctl(session->device, IOCTL_GNTDEV_MAP_GRANT_REF, &map) < 0)
		return -errno;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    session->device, map.index);
	if (page == MAP_FAILED)
		return -errno;
	session->page = page;
	return 0;
}

/* A program has begun, or the one before is gone: see what it says. */
static void session_begin(struct session *session, unsigned int domid,
			  const char *node)
{
	static char last[64];
	unsigned int ref, port;
	char names[64];
	int error;

	if (xenstore_read(node, names, sizeof(names)) || !strcmp(names, last) ||
	    sscanf(names, "%u %u", &ref, &port) != 2)
		return;
	session_end(session);
	error = map_page(session, domid, ref);
	if (!error) {
		session->channel = events_open();
		session->port = events_bind(session->channel, domid, port);
		error = session->port < 0 ? session->port : 0;
	}
	if (error) {
		fprintf(stderr, "granter: %s of domain %u: %s\n", names, domid,
			strerror(-error));
		session_end(session);
		return;
	}
	strcpy(last, names);
}

/* Whatever was asked, event or not. */
static void session_serve(struct session *session,
			  void (*serve)(struct wire *wire))
{
	struct peer_page *page = session->page;
	struct wire wire;
	uint32_t asked;

	if (!page)
		return;
	asked = __atomic_load_n(&page->asked, __ATOMIC_ACQUIRE);
	if (asked == page->answered)
		return;
	wire = page->wire;
	serve(&wire);
	page->wire = wire;
	__atomic_store_n(&page->answered, asked, __ATOMIC_RELEASE);
	events_notify(session->channel, session->port);
}

void peer_serve(unsigned int domid, void (*serve)(struct wire *wire))
{
	struct session session = {.device = -1, .channel = -1};
	char node[128];
	int error;

	snprintf(node, sizeof(node), "/local/domain/%u/%s", domid, PEER_NODE);
	error = xenstore_watch(node);
	if (error) {
		fprintf(stderr, "granter: %s: %s\n", node, strerror(-error));
		exit(1);
	}
	for (;;) {
		struct pollfd fds[] = {
			{.fd = xenstore_fd(), .events = POLLIN},
			{.fd = session.channel, .events = POLLIN},
		};

		poll(fds, 2, 100);
		/* An answer may have brought the event with it. */
		if (xenstore_wait(0) == 0)
			session_begin(&session, domid, node);
		if (fds[1].revents & POLLIN)
			events_wait(session.channel, 0);
		session_serve(&session, serve);
	}
}
