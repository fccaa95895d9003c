// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Every grant function of libxengnttab that programs use, with more than toy
 * amounts. TAP. The program grants to its own domain.
 */
#include <signal.h>

#include "client.h"

#define MANY 256
#define ABSENT 0x00fffff0 /* a reference that nobody has granted */

static int failed;
static unsigned int domain;
static xengntshr_handle *shares;
static xengnttab_handle *grants;

static void point(bool good, const char *name)
{
	failed += !good;
	printf("%sok - libxengnttab: %s\n", good ? "" : "not ", name);
	if (!good)
		printf("# errno: %s\n", strerror(errno));
	fflush(stdout);
}

/* Whether the driver is the distribution's, which has lost SET_MAX_GRANTS. */
static bool distribution(void)
{
	const char *driver = getenv("LAB_DRIVER");

	return driver && !strcmp(driver, "distribution");
}

/* Grants so many pages, or ends the program. */
static char *grant(int pages, unsigned int *refs, bool writable)
{
	char *memory =
		xengntshr_share_pages(shares, domain, pages, refs, writable);

	if (!memory) {
		printf("Bail out! cannot grant %d pages: %s\n", pages,
		       strerror(errno));
		exit(1);
	}
	return memory;
}

static void map_one(void)
{
	unsigned int ref;
	char *ours = grant(1, &ref, true), *theirs;

	fill(ours, PAGE, 1);
	theirs = xengnttab_map_grant_ref(grants, domain, ref,
					 PROT_READ | PROT_WRITE);
	point(theirs && filled(theirs, PAGE, 1),
	      "map_grant_ref shows the page");
	if (theirs) {
		fill(theirs, PAGE, 2);
		point(filled(ours, PAGE, 2), "what is written there is seen");
		point(!xengnttab_unmap(grants, theirs, 1), "unmap");
	}
	xengntshr_unshare(shares, ours, 1);
}

static void map_many(void)
{
	static unsigned int refs[MANY], domains[MANY];
	char *ours = grant(MANY, refs, true), *all, *listed;

	for (int i = 0; i < MANY; i++)
		domains[i] = domain;
	fill(ours, MANY * PAGE, 3);
	all = xengnttab_map_domain_grant_refs(grants, MANY, domain, refs,
					      PROT_READ);
	point(all && filled(all, MANY * PAGE, 3),
	      "map_domain_grant_refs of 256 pages shows them in order");
	listed = xengnttab_map_grant_refs(grants, MANY, domains, refs,
					  PROT_READ | PROT_WRITE);
	point(listed && filled(listed, MANY * PAGE, 3),
	      "map_grant_refs of the same pages, at the same time");
	if (listed)
		fill(listed, MANY * PAGE, 4);
	point(all && filled(all, MANY * PAGE, 4),
	      "what is written to one is seen in the other");
	point(all && !xengnttab_unmap(grants, all, MANY) && listed &&
		      !xengnttab_unmap(grants, listed, MANY),
	      "unmap of both");
	xengntshr_unshare(shares, ours, MANY);
}

static void map_absent(void)
{
	unsigned int ref = ABSENT;

	point(!xengnttab_map_grant_ref(grants, domain, ref, PROT_READ),
	      "a reference that is not granted cannot be mapped");
}

static void map_read_only(void)
{
	unsigned int ref;
	char *ours = grant(1, &ref, false), *theirs;

	fill(ours, PAGE, 5);
	point(!xengnttab_map_grant_ref(grants, domain, ref,
				       PROT_READ | PROT_WRITE),
	      "a read-only grant cannot be mapped for writing");
	theirs = xengnttab_map_grant_ref(grants, domain, ref, PROT_READ);
	point(theirs && filled(theirs, PAGE, 5), "it can be for reading");
	if (theirs)
		xengnttab_unmap(grants, theirs, 1);
	xengntshr_unshare(shares, ours, 1);
}

static void limit(void)
{
	unsigned int refs[3];
	char *ours = grant(3, refs, true), *theirs;
	xengnttab_handle *few = xengnttab_open(NULL, 0);

	point(few && !xengnttab_set_max_grants(few, 2), "set_max_grants");
	if (!distribution())
		point(few && !xengnttab_map_domain_grant_refs(few, 3, domain,
							      refs, PROT_READ),
		      "more than the maximum cannot be mapped");
	theirs = xengnttab_map_domain_grant_refs(few, 2, domain, refs,
						 PROT_READ);
	point(theirs, "as many as the maximum can be");
	if (theirs)
		xengnttab_unmap(few, theirs, 2);
	xengnttab_close(few);
	xengntshr_unshare(shares, ours, 3);
}

/* A megabyte through grant copies, both ways, over page borders locally. */
static void copy(void)
{
	static unsigned int refs[MANY];
	static char there[MANY * PAGE + 100], back[MANY * PAGE + 100];
	static xengnttab_grant_copy_segment_t segments[2 * MANY];
	char *ours = grant(MANY, refs, true);
	bool good = true;

	fill(there + 100, MANY * PAGE, 6);
	memset(segments, 0, sizeof(segments));
	for (int i = 0; i < MANY; i++) {
		xengnttab_grant_copy_segment_t *out = &segments[i];
		xengnttab_grant_copy_segment_t *in = &segments[MANY + i];

		out->source.virt = there + 100 + i * PAGE;
		out->dest.foreign.ref = refs[i];
		out->dest.foreign.domid = domain;
		out->len = PAGE;
		out->flags = GNTCOPY_dest_gref;
		in->source.foreign.ref = refs[i];
		in->source.foreign.domid = domain;
		in->dest.virt = back + 50 + i * PAGE;
		in->len = PAGE;
		in->flags = GNTCOPY_source_gref;
	}
	point(!xengnttab_grant_copy(grants, MANY, segments) &&
		      filled(ours, MANY * PAGE, 6),
	      "grant_copy of a megabyte into grants");
	point(!xengnttab_grant_copy(grants, MANY, segments + MANY) &&
		      filled(back + 50, MANY * PAGE, 6),
	      "grant_copy of a megabyte out of grants");
	for (int i = 0; i < 2 * MANY; i++)
		good = good && segments[i].status == GNTST_okay;
	point(good, "each of the 512 statuses says okay");
	segments[1].dest.foreign.ref = ABSENT;
	point(!xengnttab_grant_copy(grants, 3, segments) &&
		      segments[0].status == GNTST_okay &&
		      segments[1].status == GNTST_bad_gntref &&
		      segments[2].status == GNTST_okay,
	      "a bad reference fails its segment alone");
	point(!xengnttab_grant_copy(grants, 0, NULL),
	      "grant_copy of nothing works, as programs probe for it");
	xengntshr_unshare(shares, ours, MANY);
}

/* The mapper's end is told: in good order, and when it is killed. */
static void notify(bool by_kill)
{
	xenevtchn_handle *events = xenevtchn_open(NULL, 0);
	unsigned int ref;
	volatile char *ours = grant(1, &ref, true);
	int port = xenevtchn_bind_unbound_port(events, domain), ready[2];
	char byte;
	pid_t child;

	if (port < 0 || pipe(ready))
		exit(1);
	child = fork();
	if (!child) {
		xengnttab_handle *own = xengnttab_open(NULL, 0);
		xenevtchn_handle *own_events = xenevtchn_open(NULL, 0);
		int local =
			xenevtchn_bind_interdomain(own_events, domain, port);
		char *theirs =
			xengnttab_map_grant_ref_notify(own, domain, ref,
						       PROT_READ | PROT_WRITE,
						       7, local);

		if (!theirs)
			_exit(1);
		theirs[7] = 1;
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		if (by_kill)
			pause();
		_exit(xengnttab_unmap(own, theirs, 1));
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1) {
		wait_event(events, 1);
		if (by_kill)
			kill(child, SIGKILL);
		/* Connecting and the notification may be one event. */
		waitpid(child, NULL, 0);
		for (int i = 0; ours[7] && i < 100; i++)
			usleep(100000);
		point(!ours[7], by_kill ? "kill -9 clears the notify byte"
					: "unmap clears the notify byte");
		if (by_kill)
			point(wait_event(events, 20) >= 0,
			      "kill -9 sends the notify event");
	} else {
		point(false, "map_grant_ref_notify");
	}
	xenevtchn_close(events);
	xengntshr_unshare(shares, (void *)ours, 1);
}

int main(void)
{
	domain = own_domain();
	shares = xengntshr_open(NULL, 0);
	grants = xengnttab_open(NULL, 0);
	if (!shares || !grants) {
		printf("Bail out! cannot open the grant devices: %s\n",
		       strerror(errno));
		return 1;
	}
	map_one();
	map_many();
	map_absent();
	map_read_only();
	limit();
	copy();
	notify(false);
	notify(true);
	point(!xengnttab_close(grants) && !xengntshr_close(shares), "close");
	return failed != 0;
}
