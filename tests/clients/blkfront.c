// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A block frontend as a program: it reads, writes, flushes and verifies a disk
 * that a backend of another domain has, QEMU's for instance. It is the other end
 * of a test, so it says what it meets, a line each; the status is 0 if that is
 * as it should be. See usage().
 */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a ring's macros want of their user. */
#define mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>

#include "front.h"
#include "sector.h"

#define PAGE_SECTORS (PAGE / SECTOR)
#define DIRECT BLKIF_MAX_SEGMENTS_PER_REQUEST
#define MOST_SEGMENTS 32u /* of an indirect request */
#define MOST_SLOTS 64u
#define RING_PAGES 16u

struct slot {
	bool used;
	struct shared data, list; /* the second for an indirect request */
	uint8_t operation;
	unsigned long sector;
	unsigned int sectors, first; /* in the first page */
	uint64_t seed;
};

static struct disk {
	struct front f;
	struct shared ring_pages;
	blkif_front_ring_t ring;
	struct slot slots[MOST_SLOTS];
	unsigned int depth, segments, order;
	unsigned long sectors;
	bool each; /* grants of its own for each request */
	int patience_ms;
	unsigned long answered, refused, unsupported, wrong;
} disk = {.depth = 32, .patience_ms = 10000};

static uint64_t *sector_of(struct slot *s, unsigned int i)
{
	return (uint64_t *)((char *)s->data.memory +
			    (size_t)(s->first + i) * SECTOR);
}

/* ---- connecting ---- */

static void make_ring(struct disk *d)
{
	unsigned int pages = 1u << d->order;
	char node[24];

	d->ring_pages = front_share(&d->f, pages);
	SHARED_RING_INIT((blkif_sring_t *)d->ring_pages.memory);
	FRONT_RING_INIT(&d->ring, (blkif_sring_t *)d->ring_pages.memory,
			(size_t)pages * PAGE);
	if (!d->order) {
		front_remove(&d->f, "ring-page-order");
		front_write(&d->f, "ring-ref", "%u", d->ring_pages.refs[0]);
		return;
	}
	front_write(&d->f, "ring-page-order", "%u", d->order);
	for (unsigned int i = 0; i < pages; i++) {
		snprintf(node, sizeof(node), "ring-ref%u", i);
		front_write(&d->f, node, "%u", d->ring_pages.refs[i]);
	}
}

/* Of each slot the pages, kept from one request to the next. */
static void make_buffers(struct disk *d)
{
	unsigned long most =
		front_number(&d->f, "feature-max-indirect-segments", 0);

	d->segments = most > DIRECT ? most : DIRECT;
	if (d->segments > MOST_SEGMENTS)
		d->segments = MOST_SEGMENTS;
	if (d->depth > RING_SIZE(&d->ring))
		d->depth = RING_SIZE(&d->ring);
	for (unsigned int i = 0; !d->each && i < d->depth; i++) {
		d->slots[i].data = front_share(&d->f, d->segments);
		if (d->segments > DIRECT)
			d->slots[i].list = front_share(&d->f, 1);
	}
	front_write(&d->f, "feature-persistent", "%d", !d->each);
}

static void drop_pages(struct disk *d)
{
	for (unsigned int i = 0; i < MOST_SLOTS; i++) {
		front_unshare(&d->f, &d->slots[i].data);
		front_unshare(&d->f, &d->slots[i].list);
		d->slots[i].used = false;
	}
	front_unshare(&d->f, &d->ring_pages);
}

static void refused(struct disk *d)
{
	enum front_state state = front_backend(&d->f);

	front_say(&d->f, STATE_CLOSED);
	drop_pages(d);
	front_drop_port(&d->f);
	front_end(STATUS_REFUSED, "the backend does not connect: state %d",
		  state);
}

static void connect_disk(struct disk *d)
{
	front_say(&d->f, STATE_INITIALISING);
	if (!front_await(&d->f, 1u << STATE_INIT_WAIT, d->patience_ms))
		front_end(STATUS_REFUSED, "the backend is not there: state %d",
			  front_backend(&d->f));
	if (d->order > front_number(&d->f, "max-ring-page-order", 0))
		front_end(STATUS_WRONG, "the backend takes no ring of order %u",
			  d->order);
	make_ring(d);
	make_buffers(d);
	front_offer_port(&d->f);
	front_write(&d->f, "event-channel", "%d", d->f.port);
	front_write(&d->f, "protocol", "%s", XEN_IO_PROTO_ABI_NATIVE);
	if (!front_meet(&d->f, d->patience_ms))
		refused(d);
	d->sectors = front_number(&d->f, "sectors", 0) *
		     front_number(&d->f, "sector-size", SECTOR) / SECTOR;
}

static void leave_disk(struct disk *d)
{
	if (!front_leave(&d->f, d->patience_ms))
		front_end(STATUS_LOST, "the backend does not close");
	drop_pages(d);
}

/* ---- requests ---- */

static struct slot *free_slot(struct disk *d)
{
	for (unsigned int i = 0; i < d->depth; i++)
		if (!d->slots[i].used)
			return &d->slots[i];

	return NULL;
}

static unsigned int in_flight(const struct disk *d)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < d->depth; i++)
		count += d->slots[i].used;

	return count;
}

static unsigned int fill_segments(struct slot *s,
				  struct blkif_request_segment *segments)
{
	unsigned int count = 0, end = s->first + s->sectors;

	for (unsigned int page = 0; page * PAGE_SECTORS < end; page++) {
		segments[count].gref = s->data.refs[page];
		segments[count].first_sect = page ? 0 : s->first;
		segments[count].last_sect = (page + 1) * PAGE_SECTORS <= end
						    ? PAGE_SECTORS - 1
						    : end % PAGE_SECTORS - 1;
		count++;
	}

	return count;
}

static void put_indirect(struct slot *s, blkif_request_t *request, uint64_t id)
{
	blkif_request_indirect_t *indirect = (void *)request;

	indirect->operation = BLKIF_OP_INDIRECT;
	indirect->indirect_op = s->operation;
	indirect->id = id;
	indirect->sector_number = s->sector;
	indirect->handle = 0;
	indirect->nr_segments = fill_segments(s, s->list.memory);
	indirect->indirect_grefs[0] = s->list.refs[0];
}

static void put_discard(struct slot *s, blkif_request_t *request)
{
	blkif_request_discard_t *discard = (void *)request;

	discard->flag = 0;
	discard->sector_number = s->sector;
	discard->nr_sectors = s->sectors;
}

/* The ring has room: there are no more slots than entries. */
static blkif_request_t *put(struct disk *d, struct slot *s)
{
	blkif_request_t *request =
		RING_GET_REQUEST(&d->ring, d->ring.req_prod_pvt);

	d->ring.req_prod_pvt++;
	memset(request, 0, sizeof(*request));
	request->operation = s->operation;
	request->id = s - d->slots;
	request->sector_number = s->sector;
	if (s->operation == BLKIF_OP_DISCARD)
		put_discard(s, request);
	else if (s->first + s->sectors > DIRECT * PAGE_SECTORS)
		put_indirect(s, request, s - d->slots);
	else
		request->nr_segments = fill_segments(s, request->seg);
	s->used = true;

	return request;
}

static void push(struct disk *d)
{
	int notify;

	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&d->ring, notify);
	if (notify)
		front_notify(&d->f);
}

static void prepare(struct disk *d, struct slot *s)
{
	if (d->each && s->sectors) {
		s->data = front_share(&d->f,
				      (s->first + s->sectors + PAGE_SECTORS -
				       1) / PAGE_SECTORS);
		if (s->data.count > DIRECT)
			s->list = front_share(&d->f, 1);
	}
	for (unsigned int i = 0; i < s->sectors; i++) {
		if (s->operation == BLKIF_OP_WRITE)
			fill_sector(sector_of(s, i), s->sector + i, s->seed);
		else if (s->operation == BLKIF_OP_READ)
			memset(sector_of(s, i), 0xa5, SECTOR);
	}
}

static void take(struct disk *d, const blkif_response_t *response)
{
	struct slot *s = &d->slots[response->id];

	if (response->id >= d->depth || !s->used)
		front_end(STATUS_WRONG, "an answer to no request: %llu",
			  (unsigned long long)response->id);
	d->answered++;
	if (response->status == BLKIF_RSP_EOPNOTSUPP)
		d->unsupported++;
	else if (response->status != BLKIF_RSP_OKAY)
		d->refused++;
	for (unsigned int i = 0; i < s->sectors; i++)
		if (s->operation == BLKIF_OP_READ &&
		    response->status == BLKIF_RSP_OKAY &&
		    !is_filled(sector_of(s, i), s->sector + i, s->seed))
			d->wrong++;
	s->used = false;
	if (d->each) {
		front_unshare(&d->f, &s->data);
		front_unshare(&d->f, &s->list);
	}
}

/* Takes answers that are there, or waits for one; false: the backend is lost. */
static bool answers(struct disk *d)
{
	unsigned long before = d->answered;
	enum heard heard;
	int more;

	for (;;) {
		while (d->ring.rsp_cons != d->ring.sring->rsp_prod) {
			xen_rmb();
			take(d, RING_GET_RESPONSE(&d->ring, d->ring.rsp_cons));
			d->ring.rsp_cons++;
		}
		RING_FINAL_CHECK_FOR_RESPONSES(&d->ring, more);
		if (more)
			continue;
		if (d->answered != before)
			return true;
		heard = front_listen(&d->f, d->patience_ms);
		if (heard == HEARD_NOTHING ||
		    (heard == HEARD_STATE &&
		     front_backend(&d->f) != STATE_CONNECTED))
			return false;
	}
}

static bool drain(struct disk *d)
{
	while (in_flight(d))
		if (!answers(d))
			return false;

	return true;
}

/* One request, when there is a slot for it. */
static bool ask(struct disk *d, uint8_t operation, unsigned long sector,
		unsigned int sectors, unsigned int first, uint64_t seed)
{
	struct slot *s;

	while (!(s = free_slot(d)))
		if (!answers(d))
			return false;
	s->operation = operation;
	s->sector = sector;
	s->sectors = sectors;
	s->first = first;
	s->seed = seed;
	prepare(d, s);
	put(d, s);
	push(d);

	return true;
}

/* The whole disk, as many requests at once as may be. */
static bool sweep(struct disk *d, uint8_t operation, uint64_t seed)
{
	unsigned long most = d->segments * PAGE_SECTORS, sector, sectors;

	for (sector = 0; sector < d->sectors; sector += sectors) {
		sectors = d->sectors - sector < most ? d->sectors - sector
						     : most;
		if (!ask(d, operation, sector, sectors, 0, seed))
			return false;
	}

	return drain(d);
}

/* ---- commands ---- */

static void offers(struct disk *d)
{
	static const char *const nodes[] = {
		"sectors",
		"sector-size",
		"feature-persistent",
		"feature-max-indirect-segments",
		"feature-barrier",
		"feature-flush-cache",
		"feature-discard",
		"max-ring-page-order",
	};

	connect_disk(d);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		char *value = front_offer(&d->f, nodes[i]);

		printf("%s: %s\n", nodes[i], value ?: "not offered");
		free(value);
	}
	leave_disk(d);
}

/* What was asked for since has been done, and read as it was written. */
static void expect(struct disk *d, const char *what, bool answered)
{
	if (!answered)
		front_end(STATUS_LOST, "%s: no answer to %u requests", what,
			  in_flight(d));
	if (d->refused || d->unsupported || d->wrong)
		front_end(
			STATUS_WRONG,
			"%s: of %lu requests %lu failed, %lu are not supported; %lu sectors are wrong",
			what, d->answered, d->refused, d->unsupported,
			d->wrong);
	printf("%s: good\n", what);
	d->answered = 0;
}

/* Sectors within pages, from each to each. */
static bool parts(struct disk *d, uint8_t operation)
{
	unsigned long sector = 3;

	for (unsigned int first = 0; first < PAGE_SECTORS; first++)
		for (unsigned int count = 1; count < 2 * PAGE_SECTORS;
		     count++) {
			if (!ask(d, operation, sector, count, first, 77))
				return false;
			sector += count + 1;
		}

	return drain(d);
}

static void check(struct disk *d)
{
	connect_disk(d);
	expect(d, "write all", sweep(d, BLKIF_OP_WRITE, 1));
	if (front_number(&d->f, "feature-flush-cache", 0))
		expect(d, "flush",
		       ask(d, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, 0) &&
			       drain(d));
	expect(d, "read all", sweep(d, BLKIF_OP_READ, 1));
	expect(d, "write parts of pages", parts(d, BLKIF_OP_WRITE));
	expect(d, "read parts of pages", parts(d, BLKIF_OP_READ));
	expect(d, "write all again", sweep(d, BLKIF_OP_WRITE, 2));
	expect(d, "read all again", sweep(d, BLKIF_OP_READ, 2));
	leave_disk(d);
	printf("closed\n");
}

/* Reads alone: what a check has left there, before this backend was. */
static void verify(struct disk *d)
{
	connect_disk(d);
	expect(d, "read all", sweep(d, BLKIF_OP_READ, 2));
	leave_disk(d);
	printf("closed\n");
}

/* One request, which may be spoilt; how it was answered. */
static void try_one(struct disk *d, const char *what, uint8_t operation,
		    unsigned long sector, unsigned int sectors,
		    void (*spoil)(blkif_request_t *request))
{
	struct slot *s = free_slot(d);
	blkif_request_t *request;

	d->answered = d->refused = d->unsupported = d->wrong = 0;
	s->operation = operation;
	s->sector = sector;
	s->sectors = sectors;
	s->first = 0;
	s->seed = 2;
	prepare(d, s);
	request = put(d, s);
	if (spoil)
		spoil(request);
	push(d);
	if (!drain(d))
		front_end(STATUS_LOST, "%s: no answer", what);
	printf("%s: %s\n", what,
	       d->refused	? "error"
	       : d->unsupported ? "not supported"
	       : d->wrong	? "other data"
				: "good");
}

static void no_grant(blkif_request_t *request)
{
	request->seg[request->nr_segments - 1].gref = 15000;
}

static void reversed(blkif_request_t *request)
{
	request->seg[0].first_sect = 7;
	request->seg[0].last_sect = 0;
}

static void bad(struct disk *d)
{
	connect_disk(d);
	try_one(d, "write to a reference that is no grant's", BLKIF_OP_WRITE, 0,
		8, no_grant);
	try_one(d, "read, the second page no grant's", BLKIF_OP_READ, 0, 16,
		no_grant);
	try_one(d, "read behind the end", BLKIF_OP_READ, d->sectors, 8, NULL);
	try_one(d, "segment that ends before it begins", BLKIF_OP_READ, 0, 8,
		reversed);
	try_one(d, "unknown operation", 200, 0, 8, NULL);
	try_one(d, "read after all that", BLKIF_OP_READ, 0, 88, NULL);
	leave_disk(d);
	printf("closed\n");
}

/* Writes and reads one page at a time, a line for each. */
static void one_by_one(struct disk *d, unsigned int times)
{
	connect_disk(d);
	for (unsigned int i = 1; i <= times; i++) {
		char what[32];

		snprintf(what, sizeof(what), "%u: write", i);
		try_one(d, what, BLKIF_OP_WRITE, 0, 8, NULL);
		snprintf(what, sizeof(what), "%u: read", i);
		try_one(d, what, BLKIF_OP_READ, 0, 8, NULL);
	}
	leave_disk(d);
	printf("closed\n");
}

/*
 * Writes and reads all the disk, again and again. When the backend goes away or
 * is silent, what was asked for in that pass is asked of the next one, for so
 * many passes.
 */
static void busy(struct disk *d, unsigned int passes)
{
	bool lost = false;
	uint64_t seed;

	connect_disk(d);
	for (seed = 100; passes; seed++) {
		while (!sweep(d, BLKIF_OP_WRITE, seed) ||
		       !sweep(d, BLKIF_OP_READ, seed)) {
			printf("lost, with requests in flight\n");
			lost = true;
			front_say(&d->f, STATE_CLOSED);
			drop_pages(d);
			connect_disk(d);
			printf("connected again\n");
		}
		if (d->wrong || d->refused)
			front_end(
				STATUS_WRONG,
				"pass %llu: %lu requests failed, %lu sectors are wrong",
				(unsigned long long)seed - 99, d->refused,
				d->wrong);
		if (seed == 100)
			printf("busy\n");
		passes -= lost;
	}
	leave_disk(d);
	printf("closed\n");
}

static void usage(void)
{
	front_end(2,
		  "usage: blkfront [OPTION]... DEVICE COMMAND\n"
		  "  offers      what the backend offers\n"
		  "  check       write all, flush, read all, parts of pages\n"
		  "  verify      read what an earlier check has written\n"
		  "  bad         requests that cannot be served\n"
		  "  one N       write and read a page, N times\n"
		  "  busy N      write and read all, until the backend goes away, and N\n"
		  "              times with the next one\n"
		  "  -o ORDER    of the ring's pages (0)\n"
		  "  -d DEPTH    requests at once (32)\n"
		  "  -e          grants of its own for each request\n"
		  "  -p MS       how long an answer may take (10000)");
}

static void run(struct disk *d, const char *command, unsigned int count)
{
	if (!strcmp(command, "offers"))
		offers(d);
	else if (!strcmp(command, "check"))
		check(d);
	else if (!strcmp(command, "verify"))
		verify(d);
	else if (!strcmp(command, "bad"))
		bad(d);
	else if (!strcmp(command, "one"))
		one_by_one(d, count);
	else if (!strcmp(command, "busy"))
		busy(d, count);
	else
		usage();
}

int main(int argc, char **argv)
{
	struct disk *d = &disk;
	int option;

	while ((option = getopt(argc, argv, "o:d:ep:")) != -1) {
		if (option == 'o')
			d->order = atoi(optarg);
		else if (option == 'd')
			d->depth = atoi(optarg);
		else if (option == 'e')
			d->each = true;
		else if (option == 'p')
			d->patience_ms = atoi(optarg);
		else
			usage();
	}
	if (argc - optind < 2 || d->depth < 1 || d->depth > MOST_SLOTS ||
	    1u << d->order > RING_PAGES)
		usage();
	front_open(&d->f, "vbd", argv[optind]);
	run(d, argv[optind + 1],
	    argc - optind > 2 ? (unsigned int)atoi(argv[optind + 2]) : 1);

	return 0;
}
