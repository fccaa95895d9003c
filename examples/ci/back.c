// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * back DOMAIN: maps the page that a frontend of the domain offers, answers in
 * capitals, and sends the event. With BACK_FORGETS in its environment it does not
 * unmap, for a report to tell. What stands in for your backend in docs/testing.md.
 */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

static struct xs_handle *xs;

static unsigned int offered(unsigned int domain, const char *node)
{
	unsigned int length, value;
	char path[64], *text;

	snprintf(path, sizeof(path), "/local/domain/%u/data/%s", domain, node);
	text = xs_read(xs, XBT_NULL, path, &length);
	if (!text)
		err(1, "%s", path);
	value = strtoul(text, NULL, 10);
	free(text);

	return value;
}

int main(int argc, char **argv)
{
	xengnttab_handle *grants = xengnttab_open(NULL, 0);
	xenevtchn_handle *events = xenevtchn_open(NULL, 0);
	unsigned int domain;
	char *page;
	int port;

	if (argc != 2)
		errx(1, "usage: back DOMAIN");
	domain = strtoul(argv[1], NULL, 10);
	xs = xs_open(0);
	if (!grants || !events || !xs)
		err(1, "no Xen here");
	page = xengnttab_map_grant_ref(grants, domain, offered(domain, "ref"),
				       PROT_READ | PROT_WRITE);
	if (!page)
		err(2, "cannot map the page of domain %u", domain);
	port = xenevtchn_bind_interdomain(events, domain,
					  offered(domain, "port"));
	if (port < 0)
		err(2, "cannot connect to domain %u", domain);
	for (char *letter = page; *letter; letter++)
		*letter = toupper(*letter);
	xenevtchn_notify(events, port);

	if (!getenv("BACK_FORGETS"))
		xengnttab_unmap(grants, page, 1);
	xenevtchn_unbind(events, port);
	printf("back: answered domain %u\n", domain);

	return 0;
}
