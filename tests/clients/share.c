// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Two processes share memory through grants, as two domains would: one grants
 * pages, the other maps them, both see what either writes, some is copied, and
 * when the mapper is killed the granter hears of it. A line a step is printed;
 * the status is 0 if all went as it should.
 */
#include <signal.h>
#include <stdarg.h>

#include "client.h"

#define PAGES 4
#define LIVE_BYTE 100 /* non-zero while the mapper lives */

static const char *me = "granter";

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list arguments;

	printf("%-8s", me);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
}

/* What did not work ends the program. */
#define must(condition, what)                                         \
	do {                                                          \
		if (!(condition)) {                                   \
			say("FAILED: %s: %s", what, strerror(errno)); \
			exit(1);                                      \
		}                                                     \
	} while (0)

struct shared {
	unsigned int domain;
	unsigned int refs[PAGES];
	int port; /* the granter's, for the mapper to connect to */
	int to_granter[2];
	int to_mapper[2];
};

static void signal_other(int fd)
{
	must(write(fd, "x", 1) == 1, "write to the other process");
}

static void await_other(int fd)
{
	char byte;

	must(read(fd, &byte, 1) == 1, "wait for the other process");
}

static void copy_by_hypervisor(xengnttab_handle *grants, struct shared *s)
{
	static char local[PAGE];
	xengnttab_grant_copy_segment_t segments[2] = {0};

	strcpy(local, "copied by the hypervisor");
	/* Local memory to the third page; the second page to local memory. */
	segments[0].source.virt = local;
	segments[0].dest.foreign.ref = s->refs[2];
	segments[0].dest.foreign.domid = s->domain;
	segments[0].len = 64;
	segments[0].flags = GNTCOPY_dest_gref;
	segments[1].source.foreign.ref = s->refs[1];
	segments[1].source.foreign.domid = s->domain;
	segments[1].dest.virt = local + 64;
	segments[1].len = 64;
	segments[1].flags = GNTCOPY_source_gref;
	must(!xengnttab_grant_copy(grants, 2, segments), "grant copy");
	must(segments[0].status == GNTST_okay &&
		     segments[1].status == GNTST_okay,
	     "status of each segment");
	say("copied 64 bytes to reference %u; from reference %u came \"%s\"",
	    s->refs[2], s->refs[1], local + 64);
}

/* The child: maps, reads, writes, copies, arms the notification, and waits. */
static void mapper(struct shared *s)
{
	xengnttab_handle *grants;
	xenevtchn_handle *events;
	char *pages, *live;
	int port;

	me = "mapper";
	grants = xengnttab_open(NULL, 0);
	must(grants, "open /dev/xen/gntdev");
	pages = xengnttab_map_domain_grant_refs(grants, PAGES, s->domain,
						s->refs,
						PROT_READ | PROT_WRITE);
	must(pages, "map the grants");
	say("mapped %d pages of domain %u; the first reads \"%s\"", PAGES,
	    s->domain, pages);
	strcpy(pages + PAGE, "hello, granter");
	say("wrote \"%s\" to the second", pages + PAGE);
	copy_by_hypervisor(grants, s);
	must(!xengnttab_unmap(grants, pages, PAGES), "unmap");
	say("unmapped them");

	events = xenevtchn_open(NULL, 0);
	must(events, "open /dev/xen/evtchn");
	port = xenevtchn_bind_interdomain(events, s->domain, s->port);
	must(port >= 0, "connect to the granter's event channel");
	live = xengnttab_map_grant_ref_notify(grants, s->domain, s->refs[3],
					      PROT_READ | PROT_WRITE, LIVE_BYTE,
					      port);
	must(live, "map a page with a notification");
	live[LIVE_BYTE] = 1;
	say("mapped the last page again: at its end, clear byte %d and send "
	    "event %d",
	    LIVE_BYTE, port);
	signal_other(s->to_granter[1]);
	await_other(s->to_mapper[0]);
	exit(1);
}

static void see_it_die(pid_t child, xenevtchn_handle *events, const char *page)
{
	int status, port;

	must(page[LIVE_BYTE] == 1, "the mapper's byte is set");
	must(!kill(child, SIGKILL), "kill");
	say("killed the mapper with SIGKILL");
	port = wait_event(events, 20);
	must(port >= 0, "an event within 20 seconds");
	must(page[LIVE_BYTE] == 0, "the byte is cleared");
	say("event %d came, and byte %d reads %d: the mapper is gone", port,
	    LIVE_BYTE, page[LIVE_BYTE]);
	waitpid(child, &status, 0);
}

int main(void)
{
	struct shared s = {.domain = own_domain()};
	xenevtchn_handle *events;
	xengntshr_handle *shares;
	char *pages;
	pid_t child;

	shares = xengntshr_open(NULL, 0);
	must(shares, "open /dev/xen/gntalloc");
	pages = xengntshr_share_pages(shares, s.domain, PAGES, s.refs, 1);
	must(pages, "share pages");
	strcpy(pages, "hello, mapper");
	say("shares %d pages with domain %u: references %u %u %u %u", PAGES,
	    s.domain, s.refs[0], s.refs[1], s.refs[2], s.refs[3]);
	events = xenevtchn_open(NULL, 0);
	must(events, "open /dev/xen/evtchn");
	s.port = xenevtchn_bind_unbound_port(events, s.domain);
	must(s.port >= 0, "offer an event channel");
	must(!pipe(s.to_granter) && !pipe(s.to_mapper), "pipe");

	child = fork();
	must(child >= 0, "fork");
	if (!child)
		mapper(&s);
	close(s.to_granter[1]);
	await_other(s.to_granter[0]);
	/* Connecting sends a first event. */
	wait_event(events, 1);
	must(!strcmp(pages + PAGE, "hello, granter"), "the mapper's text");
	must(!strcmp(pages + 2 * PAGE, "copied by the hypervisor"),
	     "the copied text");
	say("reads \"%s\" and \"%s\"", pages + PAGE, pages + 2 * PAGE);
	see_it_die(child, events, pages + 3 * PAGE);
	must(!xengntshr_unshare(shares, pages, PAGES), "end the sharing");
	say("ended the sharing");
	return 0;
}
