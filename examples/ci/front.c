// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * front TEXT ANSWER: grants a page with a text on it to domain 0, says where in
 * xenstore, and has the answer there that it expects when the event comes. What
 * stands in for your frontend in docs/testing.md.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

static struct xs_handle *xs;

static void tell(const char *node, unsigned int value)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "data/%s", node);
	snprintf(text, sizeof(text), "%u", value);
	if (!xs_write(xs, XBT_NULL, path, text, strlen(text)))
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	xengntshr_handle *shares = xengntshr_open(NULL, 0);
	xenevtchn_handle *events = xenevtchn_open(NULL, 0);
	struct pollfd poller = {.events = POLLIN};
	uint32_t ref;
	char *page;
	int port;

	if (argc != 3)
		errx(1, "usage: front TEXT ANSWER");
	xs = xs_open(0);
	if (!shares || !events || !xs)
		err(1, "no Xen here");
	page = xengntshr_share_pages(shares, 0, 1, &ref, 1);
	port = xenevtchn_bind_unbound_port(events, 0);
	if (!page || port < 0)
		err(1, "nothing to offer");
	snprintf(page, 4096, "%s", argv[1]);
	tell("ref", ref);
	tell("port", port);
	/* Last: who waits for it finds all of it. */
	tell("ready", 1);

	/* Binding to a port is an event, too. */
	poller.fd = xenevtchn_fd(events);
	while (strcmp(page, argv[2])) {
		if (poll(&poller, 1, 10000) != 1)
			errx(1, "no answer in ten seconds, but '%s'", page);
		port = xenevtchn_pending(events);
		xenevtchn_unmask(events, port);
	}
	printf("front: the answer is %s\n", page);

	xengntshr_unshare(shares, page, 1);
	xenevtchn_unbind(events, port);

	return 0;
}
