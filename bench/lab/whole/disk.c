// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * In a guest: reads and writes its disk past the page cache, a request after the
 * other, and tells domain 0 where each round begins and ends: see served.c.
 *
 *	disk DEVICE TURNS
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "store.h"

#define MOST (1u << 20)

static struct xs_handle *xs;
static unsigned int steps;
static int disk;
static uint8_t *buffer;

static void fail(const char *what)
{
	fprintf(stderr, "disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Domain 0 has heard when it says the same number. */
static void tell(const char *words)
{
	char line[128], *heard;

	snprintf(line, sizeof(line), "%u %s", ++steps, words);
	store_say(xs, "data/bench", line);
	for (;;) {
		heard = store_hear(xs, SAID_BY_HOST);
		if (heard && strtoul(heard, NULL, 10) == steps)
			break;
		free(heard);
	}
	free(heard);
}

/* So many requests all over the disk, which is of 64 MiB. */
static void ask(bool write, unsigned int size, unsigned int times)
{
	const unsigned long places = (64ul << 20) / size;

	for (unsigned long i = 0; i < times; i++) {
		off_t at = i * 37 % places * size;
		ssize_t done = write ? pwrite(disk, buffer, size, at)
				     : pread(disk, buffer, size, at);

		if (done != (ssize_t)size)
			fail("a request");
	}
}

static void round_of(const char *how, bool write, unsigned int size,
		     unsigned int times)
{
	char words[96];

	snprintf(words, sizeof(words), "begin %s", how);
	tell(words);
	ask(write, size, times);
	snprintf(words, sizeof(words), "end qdisk-%s %u %u",
		 write ? "write" : "read", size, times);
	tell(words);
}

int main(int argc, char **argv)
{
	static const unsigned int sizes[] = {4096, 65536, MOST};
	static const unsigned int times[] = {400, 100, 10};
	unsigned int turns = argc > 2 ? atoi(argv[2]) : 9;

	xs = xs_open(0);
	if (!xs || !xs_watch(xs, SAID_BY_HOST, "host"))
		fail("xenstore");
	disk = argc > 1 ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	if (disk < 0)
		fail("the disk");
	buffer = aligned_alloc(4096, MOST);
	if (!buffer)
		fail("memory");
	memset(buffer, 0x5a, MOST);
	ask(true, MOST, 64); /* the image has its pages then */
	for (unsigned int i = 0; i < turns; i++)
		round_of("plain", false, 4096, 0);
	for (int write = 0; write < 2; write++)
		for (int s = 0; s < 3; s++)
			for (unsigned int i = 0; i < turns; i++) {
				round_of("plain", write, sizes[s], times[s]);
				round_of("asked", write, sizes[s], times[s]);
			}
	tell("done");
	return 0;
}
