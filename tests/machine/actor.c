// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * actor ROLE ARGUMENT...: one side of something between two domains, played
 * with the distribution's libraries. It prints a line when it is ready and
 * obeys lines from standard input.
 *
 *	share DOMID PAGES	grants pages; prints "shared REF... port PORT"
 *	map DOMID REF...	maps them; prints "mapped"
 *	export DOMID REF...	makes a dma-buf of them; prints "exported"
 *	notify DOMID REF PORT	maps one, to be told of; prints "mapped"
 *	copy DOMID REF		copies from and to a grant; prints "copied"
 *	copies DOMID REF	copies for as long as it goes; prints why it ends
 *	bind DOMID PORT		binds a port; prints "bound PORT"
 *	attempts		maps a page of its own ten times; prints a
 *				letter each, y or n, and ends
 *
 * Lines: check (the content is as made), changed (as changed by the other),
 * change, restore (as made), byte N, grant DOMID (the dma-buf), wait (for an
 * event), send, quit, leave (without unmapping anything). Each is answered by a
 * line.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/types.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include "../../include/xen/gntdev.h"

#define PAGE 4096u
#define MAX_PAGES 4096u

static xengntshr_handle *granting;
static xengnttab_handle *mapping;
static xenevtchn_handle *events;
static unsigned int pages;
static uint32_t refs[MAX_PAGES], domids[MAX_PAGES];
static uint8_t *at;
static int port;
static uint32_t buffer;

static void die(const char *what)
{
	fprintf(stderr, "actor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint8_t content(unsigned int i, bool changed)
{
	return (i * 31 + i / PAGE * 7 + (changed ? 101 : 0)) | 1;
}

static void fill(bool changed)
{
	for (unsigned int i = 0; i < pages * PAGE; i++)
		at[i] = content(i, changed);
}

static bool is_filled(bool changed)
{
	for (unsigned int i = 0; i < pages * PAGE; i++)
		if (at[i] != content(i, changed))
			return false;
	return true;
}

static void open_events(void)
{
	events = xenevtchn_open(NULL, 0);
	if (!events)
		die("xenevtchn_open");
}

static void play_share(unsigned int domid, unsigned int count)
{
	granting = xengntshr_open(NULL, 0);
	if (!granting)
		die("xengntshr_open");
	pages = count;
	at = xengntshr_share_pages(granting, domid, pages, refs, 1);
	if (!at)
		die("xengntshr_share_pages");
	fill(false);
	open_events();
	port = xenevtchn_bind_unbound_port(events, domid);
	if (port < 0)
		die("xenevtchn_bind_unbound_port");
	printf("shared");
	for (unsigned int i = 0; i < pages; i++)
		printf(" %u", refs[i]);
	printf(" port %d\n", port);
}

static void play_map(unsigned int domid, char **numbers)
{
	mapping = xengnttab_open(NULL, 0);
	if (!mapping)
		die("xengnttab_open");
	for (; *numbers; numbers++, pages++) {
		domids[pages] = domid;
		refs[pages] = atoi(*numbers);
	}
	at = xengnttab_map_grant_refs(mapping, pages, domids, refs, 3);
	if (!at)
		die("xengnttab_map_grant_refs");
	printf("mapped\n");
}

static void play_export(unsigned int domid, char **numbers)
{
	mapping = xengnttab_open(NULL, 0);
	if (!mapping)
		die("xengnttab_open");
	for (; *numbers; numbers++)
		refs[pages++] = atoi(*numbers);
	if (xengnttab_dmabuf_exp_from_refs(mapping, domid, 0, pages, refs,
					   &buffer))
		die("xengnttab_dmabuf_exp_from_refs");
	printf("exported\n");
}

/* The library does not clear what must be 0. */
static void grant_buffer(unsigned int domid)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs *request;
	int device = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);

	if (device < 0)
		die("/dev/xen/gntdev");
	request = calloc(1, sizeof(*request) + pages * sizeof(uint32_t));
	if (!request)
		die("memory");
	request->fd = buffer;
	request->count = pages;
	request->domid = domid;
	if (ioctl(device, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, request))
		die("IOCTL_GNTDEV_DMABUF_IMP_TO_REFS");
	printf("granted from %u on\n", request->refs[0]);
	free(request);
}

static void bind(unsigned int domid, unsigned int theirs)
{
	open_events();
	port = xenevtchn_bind_interdomain(events, domid, theirs);
	if (port < 0)
		die("xenevtchn_bind_interdomain");
}

static void play_notify(unsigned int domid, unsigned int ref,
			unsigned int theirs)
{
	mapping = xengnttab_open(NULL, 0);
	if (!mapping)
		die("xengnttab_open");
	bind(domid, theirs);
	pages = 1;
	at = xengnttab_map_grant_ref_notify(mapping, domid, ref, 3, 0, port);
	if (!at)
		die("xengnttab_map_grant_ref_notify");
	printf("mapped\n");
}

/* Both ways, and a bad reference's own status. */
static void play_copy(unsigned int domid, unsigned int ref)
{
	_Alignas(PAGE) static uint8_t here[PAGE];
	xengnttab_grant_copy_segment_t segments[3] = {
		{
			.source.foreign = {ref, 0, domid},
			.dest.virt = here,
			.len = PAGE,
			.flags = GNTCOPY_source_gref,
		},
		{
			.source.virt = here,
			.dest.foreign = {ref, PAGE / 2, domid},
			.len = PAGE / 2,
			.flags = GNTCOPY_dest_gref,
		},
		{
			.source.foreign = {1u << 20, 0, domid},
			.dest.virt = here,
			.len = 1,
			.flags = GNTCOPY_source_gref,
		},
	};

	mapping = xengnttab_open(NULL, 0);
	if (!mapping)
		die("xengnttab_open");
	/* The server does the first ones; then this process does. */
	for (unsigned int round = 0; round < 5; round++) {
		memset(here, 0, PAGE);
		if (xengnttab_grant_copy(mapping, 3, segments))
			die("xengnttab_grant_copy");
		for (unsigned int i = 0; i < PAGE; i++)
			if (here[i] != content(i, false))
				die("a wrong byte was copied");
	}
	printf("copied %d %d %d\n", segments[0].status, segments[1].status,
	       segments[2].status);
}

static void play_copies(unsigned int domid, unsigned int ref)
{
	static uint8_t here[PAGE];
	xentoollog_logger *quiet = (xentoollog_logger *)
		xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	xengnttab_grant_copy_segment_t segment = {
		.source.foreign = {ref, 0, domid},
		.dest.virt = here,
		.len = PAGE,
		.flags = GNTCOPY_source_gref,
	};

	mapping = xengnttab_open(quiet, 0);
	if (!mapping)
		die("open");
	/* What is refused stands in the segment: the call was good. */
	for (unsigned int i = 0;
	     !xengnttab_grant_copy(mapping, 1, &segment) && !segment.status;
	     i++) {
		if (i == 10)
			printf("copying\n");
	}
	if (segment.status)
		printf("refused: %d\n", segment.status);
	else
		printf("failed: %s\n", strerror(errno));
	exit(1);
}

static void play_attempts(void)
{
	xentoollog_logger *quiet = (xentoollog_logger *)
		xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);

	granting = xengntshr_open(quiet, 0);
	mapping = xengnttab_open(quiet, 0);
	if (!granting || !mapping)
		die("open");
	at = xengntshr_share_pages(granting, 0, 1, refs, 1);
	if (!at)
		die("xengntshr_share_pages");
	for (int i = 0; i < 10; i++) {
		void *page = xengnttab_map_grant_ref(mapping, 0, refs[0], 3);

		putchar(page ? 'y' : 'n');
		if (page && xengnttab_unmap(mapping, page, 1))
			die("xengnttab_unmap");
	}
	putchar('\n');
	exit(0);
}

static void wait_event(void)
{
	struct pollfd poller = {.fd = xenevtchn_fd(events), .events = POLLIN};
	int got;

	if (poll(&poller, 1, 5000) != 1) {
		printf("none\n");
		return;
	}
	got = xenevtchn_pending(events);
	if (got < 0 || xenevtchn_unmask(events, got))
		die("xenevtchn_pending");
	printf("event %s\n", got == port ? "mine" : "other");
}

static void quit(void)
{
	if (at && mapping && xengnttab_unmap(mapping, at, pages))
		die("xengnttab_unmap");
	if (at && granting && xengntshr_unshare(granting, at, pages))
		die("xengntshr_unshare");
	if (mapping)
		xengnttab_close(mapping);
	if (granting)
		xengntshr_close(granting);
	if (events)
		xenevtchn_close(events);
	printf("quit\n");
	exit(0);
}

static void obey(const char *line)
{
	if (!strcmp(line, "quit"))
		quit();
	else if (!strcmp(line, "leave"))
		exit(0);
	else if (!strcmp(line, "check"))
		puts(is_filled(false) ? "good" : "bad");
	else if (!strcmp(line, "changed"))
		puts(is_filled(true) ? "good" : "bad");
	else if (!strcmp(line, "change"))
		fill(true), puts("done");
	else if (!strcmp(line, "restore"))
		fill(false), puts("done");
	else if (!strncmp(line, "byte ", 5))
		printf("%u\n", ((volatile uint8_t *)at)[atoi(line + 5)]);
	else if (!strncmp(line, "grant ", 6))
		grant_buffer(atoi(line + 6));
	else if (!strcmp(line, "wait"))
		wait_event();
	else if (!strcmp(line, "send"))
		puts(xenevtchn_notify(events, port) ? "failed" : "sent");
	else
		puts("what?");
}

int main(int argc, char **argv)
{
	unsigned int domid = argc > 2 ? atoi(argv[2]) : 0;
	char line[64];

	setlinebuf(stdout);
	if (argc == 4 && !strcmp(argv[1], "share"))
		play_share(domid, atoi(argv[3]));
	else if (argc > 3 && !strcmp(argv[1], "map"))
		play_map(domid, argv + 3);
	else if (argc > 3 && !strcmp(argv[1], "export"))
		play_export(domid, argv + 3);
	else if (argc == 5 && !strcmp(argv[1], "notify"))
		play_notify(domid, atoi(argv[3]), atoi(argv[4]));
	else if (argc == 4 && !strcmp(argv[1], "copies"))
		play_copies(domid, atoi(argv[3]));
	else if (argc == 4 && !strcmp(argv[1], "copy"))
		play_copy(domid, atoi(argv[3]));
	else if (argc == 4 && !strcmp(argv[1], "bind"))
		bind(domid, atoi(argv[3])), printf("bound %d\n", port);
	else if (argc == 2 && !strcmp(argv[1], "attempts"))
		play_attempts();
	else
		return 2;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		obey(line);
	}
	return 0;
}
