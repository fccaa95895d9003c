// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A 9p frontend as a program: it writes and reads files in a folder that a
 * backend of another domain shares, QEMU or xen-9pfsd, in the dialect that both
 * speak (9P2000.u). It says what it meets, a line each; the status is 0 if that
 * is as it should be. See usage().
 */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* What a ring's macros want of their user. */
#define mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#include <xen/grant_table.h>
#include <xen/io/9pfs.h>

#include "front.h"

#define ORDER 4 /* of the ring's pages, half of them for each direction */
#define HALF XEN_FLEX_RING_SIZE(ORDER)
#define MOST (HALF / 4) /* bytes of a message */
#define NO_TAG 0xffff
#define NO_FID 0xffffffffu

enum {
	VERSION = 100,
	ATTACH = 104,
	ERROR = 106, /* only its answer, 107, is sent */
	WALK = 110,
	OPEN = 112,
	CREATE = 114,
	READ = 116,
	WRITE = 118,
	CLUNK = 120,
	REMOVE = 122,
};

struct message {
	unsigned char bytes[MOST];
	uint32_t length, at; /* at: where the next part is read */
};

static struct folder {
	struct front f;
	struct shared interface, data;
	struct xen_9pfs_data_intf *ring;
	unsigned char *in, *out;
	int patience_ms;
} folder = {.patience_ms = 10000};

/* ---- messages ---- */

static void put_number(struct message *m, uint64_t value, unsigned int bytes)
{
	for (; bytes; bytes--, value >>= 8)
		m->bytes[m->length++] = value;
}

static uint64_t get_number(struct message *m, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && m->at < m->length; i++)
		value |= (uint64_t)m->bytes[m->at++] << 8 * i;

	return value;
}

static void put_text(struct message *m, const char *text)
{
	size_t length = strlen(text);

	put_number(m, length, 2);
	memcpy(m->bytes + m->length, text, length);
	m->length += length;
}

/* The length comes first, and is put there when it is sent. */
static void begin(struct message *m, int type, unsigned int tag)
{
	m->length = 4;
	put_number(m, type, 1);
	put_number(m, tag, 2);
}

/* ---- the rings ---- */

static bool send_message(struct folder *d, struct message *m)
{
	uint32_t length = m->length, prod, cons;

	m->length = 0;
	put_number(m, length, 4);
	m->length = length;
	for (;;) {
		cons = d->ring->out_cons;
		prod = d->ring->out_prod;
		xen_mb();
		if (HALF - (prod - cons) >= length)
			break;
		if (!front_listen(&d->f, d->patience_ms))
			return false;
	}
	for (uint32_t i = 0; i < length; i++)
		d->out[(prod + i) & (HALF - 1)] = m->bytes[i];
	xen_wmb();
	d->ring->out_prod = prod + length;
	xen_mb();
	front_notify(&d->f);

	return true;
}

static void copy_out(struct folder *d, uint32_t at, void *to, uint32_t length)
{
	unsigned char *bytes = to;

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = d->in[(at + i) & (HALF - 1)];
}

static bool is_there(struct folder *d, uint32_t *length)
{
	uint32_t there = d->ring->in_prod - d->ring->in_cons;

	xen_rmb();
	if (there < 7)
		return false;
	copy_out(d, d->ring->in_cons, length, sizeof(*length));
	if (*length < 7 || *length > MOST)
		front_end(STATUS_WRONG, "an answer of %u bytes", *length);

	return there >= *length;
}

/* The next answer; false if none comes. */
static bool receive(struct folder *d, struct message *m)
{
	while (!is_there(d, &m->length))
		if (front_listen(&d->f, d->patience_ms) == HEARD_NOTHING)
			return false;
	copy_out(d, d->ring->in_cons, m->bytes, m->length);
	xen_mb();
	d->ring->in_cons += m->length;
	front_notify(&d->f);
	m->at = 4;

	return true;
}

/* Asks and waits; the error that it was answered with, or 0. */
static int ask(struct folder *d, struct message *m)
{
	unsigned int type = m->bytes[4], answer;

	if (!send_message(d, m) || !receive(d, m))
		front_end(STATUS_LOST, "no answer to a request of type %u",
			  type);
	answer = get_number(m, 1);
	get_number(m, 2);
	if (answer == ERROR + 1) {
		m->at += get_number(m, 2); /* in words */
		return get_number(m, 4) ?: 5;
	}
	if (answer != type + 1)
		front_end(STATUS_WRONG, "answer %u to a request of type %u",
			  answer, type);

	return 0;
}

/* ---- requests ---- */

static int start_session(struct folder *d)
{
	static struct message m;
	int error;

	begin(&m, VERSION, NO_TAG);
	put_number(&m, MOST, 4);
	put_text(&m, "9P2000.u");
	error = ask(d, &m);
	if (error)
		return error;
	begin(&m, ATTACH, 0);
	put_number(&m, 0, 4);
	put_number(&m, NO_FID, 4);
	put_text(&m, "root");
	put_text(&m, "");
	put_number(&m, 0, 4);

	return ask(d, &m);
}

/* A new name for the root's or for that of a file in it. */
static int walk(struct folder *d, uint32_t fid, const char *name)
{
	static struct message m;

	begin(&m, WALK, 0);
	put_number(&m, 0, 4);
	put_number(&m, fid, 4);
	put_number(&m, name ? 1 : 0, 2);
	if (name)
		put_text(&m, name);

	return ask(d, &m);
}

static int open_file(struct folder *d, uint32_t fid, const char *name)
{
	static struct message m;
	int error = walk(d, fid, name);

	if (error)
		return error;
	begin(&m, OPEN, 0);
	put_number(&m, fid, 4);
	put_number(&m, 0, 1); /* to read */

	return ask(d, &m);
}

static int create_file(struct folder *d, uint32_t fid, const char *name)
{
	static struct message m;
	int error = walk(d, fid, NULL);

	if (error)
		return error;
	begin(&m, CREATE, 0);
	put_number(&m, fid, 4);
	put_text(&m, name);
	put_number(&m, 0644, 4);
	put_number(&m, 1, 1); /* to write */
	put_text(&m, "");

	return ask(d, &m);
}

static int on_fid(struct folder *d, int type, uint32_t fid)
{
	static struct message m;

	begin(&m, type, 0);
	put_number(&m, fid, 4);

	return ask(d, &m);
}

static unsigned char content(uint64_t at, unsigned int seed)
{
	return at * 31 + (at >> 8) * 17 + (at >> 16) + seed;
}

static void make_write(struct message *m, unsigned int tag, uint32_t fid,
		       uint64_t at, uint32_t length, unsigned int seed)
{
	begin(m, WRITE, tag);
	put_number(m, fid, 4);
	put_number(m, at, 8);
	put_number(m, length, 4);
	for (uint32_t i = 0; i < length; i++)
		put_number(m, content(at + i, seed), 1);
}

static int write_file(struct folder *d, uint32_t fid, uint64_t size,
		      unsigned int seed)
{
	static struct message m;
	uint32_t length, done;
	uint64_t at;
	int error;

	for (at = 0; at < size; at += done) {
		length = size - at < MOST - 100 ? size - at : MOST - 100;
		make_write(&m, 0, fid, at, length, seed);
		error = ask(d, &m);
		if (error)
			return error;
		done = get_number(&m, 4);
		if (!done || done > length)
			front_end(STATUS_WRONG, "%u of %u bytes written", done,
				  length);
	}

	return 0;
}

/* Until its end; @wrong: bytes that are others. */
static int read_file(struct folder *d, uint32_t fid, uint64_t *size,
		     unsigned int seed, uint64_t *wrong)
{
	static struct message m;
	uint32_t length;
	int error;

	for (*size = *wrong = 0;; *size += length) {
		begin(&m, READ, 0);
		put_number(&m, fid, 4);
		put_number(&m, *size, 8);
		put_number(&m, MOST - 100, 4);
		error = ask(d, &m);
		if (error)
			return error;
		length = get_number(&m, 4);
		if (!length)
			return 0;
		for (uint32_t i = 0; i < length; i++)
			*wrong += get_number(&m, 1) != content(*size + i, seed);
	}
}

/* ---- commands ---- */

static void refused(struct folder *d)
{
	enum front_state state = front_backend(&d->f);

	front_say(&d->f, STATE_CLOSED);
	front_unshare(&d->f, &d->data);
	front_unshare(&d->f, &d->interface);
	front_drop_port(&d->f);
	front_end(STATUS_REFUSED, "the backend does not connect: state %d",
		  state);
}

static void connect_folder(struct folder *d)
{
	front_say(&d->f, STATE_INITIALISING);
	if (!front_await(&d->f, 1u << STATE_INIT_WAIT, d->patience_ms))
		front_end(STATUS_REFUSED, "the backend is not there: state %d",
			  front_backend(&d->f));
	if (front_number(&d->f, "max-ring-page-order", 0) < ORDER)
		front_end(STATUS_WRONG, "the backend takes no ring of order %d",
			  ORDER);
	d->interface = front_share(&d->f, 1);
	d->data = front_share(&d->f, 1u << ORDER);
	d->ring = d->interface.memory;
	d->ring->ring_order = ORDER;
	memcpy(d->ring->ref, d->data.refs,
	       d->data.count * sizeof(*d->data.refs));
	d->in = d->data.memory;
	d->out = d->in + HALF;
	front_offer_port(&d->f);
	front_write(&d->f, "version", "1");
	front_write(&d->f, "num-rings", "1");
	front_write(&d->f, "ring-ref0", "%u", d->interface.refs[0]);
	front_write(&d->f, "event-channel-0", "%d", d->f.port);
	if (!front_meet(&d->f, d->patience_ms))
		refused(d);
}

static void leave_folder(struct folder *d)
{
	if (!front_leave(&d->f, d->patience_ms))
		front_end(STATUS_LOST, "the backend does not close");
	front_unshare(&d->f, &d->data);
	front_unshare(&d->f, &d->interface);
	printf("closed\n");
}

static void expect(const char *what, int error)
{
	if (error)
		front_end(STATUS_WRONG, "%s: %s", what, strerror(error));
	printf("%s: good\n", what);
}

static void check(struct folder *d)
{
	uint64_t size, wrong;

	connect_folder(d);
	expect("begin", start_session(d));
	if (on_fid(d, CLUNK, 9) == 0)
		front_end(STATUS_WRONG,
			  "a name that is not there was given back");
	printf("a name that is not there: refused\n");
	if (walk(d, 1, "missing") == 0)
		front_end(STATUS_WRONG, "a file that is not there was found");
	printf("a file that is not there: refused\n");
	expect("create", create_file(d, 1, "file"));
	expect("write", write_file(d, 1, 1 << 20, 5));
	expect("close", on_fid(d, CLUNK, 1));
	expect("open", open_file(d, 1, "file"));
	expect("read", read_file(d, 1, &size, 5, &wrong));
	printf("%llu bytes, %llu of them wrong\n", (unsigned long long)size,
	       (unsigned long long)wrong);
	expect("close", on_fid(d, CLUNK, 1));
	leave_folder(d);
	if (size != 1 << 20 || wrong)
		exit(STATUS_WRONG);
}

/*
 * The answers that may be due at once, of 11 bytes each: all have room. QEMU does
 * not wait for any, and ends the device when an answer to a write does not fit.
 */
#define MOST_DUE (HALF / 16)

/*
 * Writes without waiting for answers, as many as the ring takes, until there have
 * been so many answers; then goes without a word, or says that it closes.
 */
static void flood(struct folder *d, unsigned int answers, bool closing)
{
	static struct message m;
	unsigned int tag = 0, sent = 0, got = 0;

	connect_folder(d);
	expect("begin", start_session(d));
	expect("create", create_file(d, 1, "flood"));
	/* Many small ones: each is a request of its own in the backend. */
	while (got < answers) {
		while (HALF - (d->ring->out_prod - d->ring->out_cons) >= 600 &&
		       sent - got < MOST_DUE) {
			make_write(&m, tag, 1, 512 * (tag % 64), 512, 5);
			tag = (tag + 1) & 0x3fff;
			if (!send_message(d, &m))
				front_end(STATUS_LOST, "flood: no room");
			sent++;
		}
		if (!receive(d, &m))
			front_end(STATUS_LOST, "flood: no answer");
		got++;
	}
	printf("in flight\n");
	if (!closing)
		return;
	if (!front_leave(&d->f, d->patience_ms))
		front_end(STATUS_LOST, "the backend does not close");
	printf("closed\n");
}

static void usage(void)
{
	front_end(2,
		  "usage: 9pfront [-p MS] DEVICE COMMAND\n"
		  "  check       create, write and read a file\n"
		  "  flood N     end with requests in flight, after N answers\n"
		  "  close N     close with requests in flight, after N answers\n"
		  "  -p MS       how long an answer may take (10000)");
}

int main(int argc, char **argv)
{
	struct folder *d = &folder;
	const char *command;
	int option, count;

	while ((option = getopt(argc, argv, "p:")) != -1) {
		if (option != 'p')
			usage();
		d->patience_ms = atoi(optarg);
	}
	if (argc - optind < 2)
		usage();
	command = argv[optind + 1];
	count = argc - optind > 2 ? atoi(argv[optind + 2]) : 1;
	front_open(&d->f, "9pfs", argv[optind]);
	if (!strcmp(command, "check"))
		check(d);
	else if (!strcmp(command, "flood") || !strcmp(command, "close"))
		flood(d, count, *command == 'c');
	else
		usage();

	return 0;
}
