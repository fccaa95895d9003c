// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pages that somebody still uses when their program unmaps them: a page in a
 * pipe stands for any I/O. How long it is until a grant is back after the last
 * user has let go, and what all that waits costs meanwhile. Of this driver
 * alone: the distribution's takes a PV domain's kernel down with such pages.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES 41
#define MOST_HELD 10000u
/* Of the ranges of many; a pipe of a mebibyte has 256. */
#define PART 100u

/* Its pages are held by the pipe, and unmapped. */
struct held {
	int device, fds[2];
	unsigned int pages;
};

/* Of a range of grants from refs[first] on: each may be mapped 255 times. */
static struct held hold(unsigned int first, unsigned int range,
			unsigned int pages)
{
	struct held held = {.pages = pages};
	struct iovec part;
	void *at;

	held.device = open_device("/dev/xen/gntdev");
	at = map_range(held.device, first, range);
	part = (struct iovec){at, pages * PAGE};
	if (pipe(held.fds))
		die("pipe");
	if (fcntl(held.fds[1], F_SETPIPE_SZ, 256 * PAGE) < 0)
		die("F_SETPIPE_SZ");
	if (vmsplice(held.fds[1], &part, 1, 0) != (ssize_t)(pages * PAGE))
		die("vmsplice of %u pages", pages);
	munmap(at, range * PAGE);
	close(held.device);
	return held;
}

static void let_go(const struct held *held)
{
	close(held->fds[0]);
	close(held->fds[1]);
}

/* Pages of which the driver says that they wait; negative if it is another one. */
static long deferred(void)
{
	static int fd = -2;
	char text[32] = "";

	if (fd == -2)
		fd = open("/sys/class/misc/xen!gntdev/deferred", O_RDONLY);
	if (fd < 0)
		return -1;
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		die("deferred");
	return strtol(text, NULL, 10);
}

static void sleep_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

/* Until one page more is back, which has waited for a while. */
static uint64_t time_back(unsigned int sample)
{
	long before = deferred();
	struct held one = hold(MOST - 1, 1, 1);
	uint64_t begun;

	/* So long that no interval of the driver's fits in well. */
	sleep_ms(200 + sample * 37 % 101);
	begun = meter();
	let_go(&one);
	while (deferred() > before)
		;
	return metered(begun);
}

static int compare(const void *left, const void *right)
{
	uint64_t l = *(const uint64_t *)left, r = *(const uint64_t *)right;

	return l < r ? -1 : l > r;
}

/* With so many pages waiting. */
static void measure_back(unsigned int waiting)
{
	uint64_t seen[SAMPLES];

	for (unsigned int i = 0; i < SAMPLES; i++)
		seen[i] = time_back(i);
	qsort(seen, SAMPLES, sizeof(seen[0]), compare);
	printf("waiting-back\t%u\t%llu\t0.00\n", waiting,
	       (unsigned long long)seen[SAMPLES / 2]);
	printf("waiting-back-worst\t%u\t%llu\t0.00\n", waiting,
	       (unsigned long long)seen[SAMPLES - 1]);
	fflush(stdout);
}

/* What a loop takes that does nothing, and all that interrupts it. */
static uint64_t spin(void)
{
	uint64_t begun = meter();

	for (unsigned int i = 0; i < 250000000; i++)
		__asm__ volatile("" ::: "memory");
	return metered(begun);
}

/* Instructions a second that are spent on what waits, @idle without any. */
static void measure_cost(const char *name, unsigned int held, uint64_t idle)
{
	uint64_t busy;

	/* Until the intervals are as long as they get. */
	sleep_ms(3000);
	busy = spin();
	printf("%s\t%u\t%.0f\t0.00\n", name, held,
	       busy > idle ? (busy - idle) * 1e9 / busy : 0);
	fflush(stdout);
}

/* So many ranges of so many pages, of which some are held. */
static void measure_held(const char *name, unsigned int ranges,
			 unsigned int range, unsigned int pages, uint64_t idle)
{
	static struct held held[MOST_HELD];

	for (unsigned int i = 0; i < ranges; i++)
		held[i] = hold(i * range % (MOST - range + 1), range, pages);
	measure_cost(name, ranges * pages, idle);
	if (ranges > 1 && pages == range)
		measure_back(ranges * pages);
	for (unsigned int i = 0; i < ranges; i++)
		let_go(&held[i]);
	sleep_ms(3000);
}

void measure_waiting(void)
{
	struct rlimit files = {MOST_HELD, MOST_HELD};
	uint64_t idle;

	if (deferred() < 0)
		return;
	setrlimit(RLIMIT_NOFILE, &files);
	printf("# instructions\n");
	idle = spin();
	measure_back(1);
	measure_held("waiting-cost", 1, 1, 1, idle);
	measure_held("waiting-cost", 100, 1, 1, idle);
	measure_held("waiting-cost-sparse", 100, PART, 1, idle);
	measure_held("waiting-cost-ranges", 1000, 1, 1, idle);
	measure_held("waiting-cost", MOST_HELD / PART, PART, PART, idle);
}
