// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the grant device costs, in a domain of real Xen, which grants to itself.
 * Under lab/run --count-instructions a nanosecond is an instruction.
 *
 *	bench [--quick] [WORKLOAD]...	instructions
 *	bench --calls [WORKLOAD]...	hypercalls, by the module's count
 *	bench --memory			bytes of kernel memory
 *	bench --waiting			pages that are in use when they are unmapped
 *	bench --backends		whole programs and paths; xenstored has to run
 *	bench --threads			copies and areas of eight threads at once, by time
 *	bench --profile WORKLOAD SIZE TIMES	work for a profiler to watch
 *	bench --flushes			work for a counter of flushes to watch
 *
 * Prints a line for each workload and size: name, size, what it cost, and by how
 * many per cent of that the rounds differ. Which end with a status of 2 if that
 * is more than 1 for any.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>

#include "bench.h"
#include "floor.h"

#define MOST_ROUNDS 5u
#define MOST_SAMPLES 40u

uint32_t refs[MOST];

static bool counts_calls;
static unsigned int rounds = 3;
static uint64_t overhead; /* of the meter itself */
static bool disagreed;

void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fflush(stdout);
	fprintf(stderr, "bench: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(1);
}

int open_device(const char *name)
{
	int fd = open(name, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s", name);
	return fd;
}

int floor_device(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open_device("/dev/gntdev-floor");
	return fd;
}

/* Instructions until now, or hypercalls. */
uint64_t meter(void)
{
	struct timespec time;
	__u64 calls;

	if (counts_calls) {
		if (ioctl(floor_device(), FLOOR_CALLS, &calls))
			die("FLOOR_CALLS");
		return calls;
	}
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* What was spent since. */
uint64_t metered(uint64_t begun)
{
	uint64_t spent = meter() - begun;

	return spent > overhead ? spent - overhead : 0;
}

static int compare(const void *left, const void *right)
{
	uint64_t l = *(const uint64_t *)left, r = *(const uint64_t *)right;

	return l < r ? -1 : l > r;
}

/*
 * The lower quartile. At every second time or so the kernel's own allocations
 * take longer, as memory of before comes back late, and at some a timer's
 * interrupt is in it; a median would be now with that and now without.
 */
static uint64_t quartile(uint64_t *seen, unsigned int count)
{
	qsort(seen, count, sizeof(seen[0]), compare);
	return seen[count / 4];
}

static void calibrate(void)
{
	uint64_t samples[MOST_SAMPLES];

	for (unsigned int i = 0; i < MOST_SAMPLES; i++) {
		uint64_t begun = meter();

		samples[i] = meter() - begun;
	}
	overhead = quartile(samples, MOST_SAMPLES);
}

static uint64_t round_of(const struct workload *workload, unsigned int size,
			 unsigned int samples)
{
	uint64_t seen[MOST_SAMPLES];

	for (unsigned int i = 0; i < samples; i++)
		seen[i] = workload->run(size);
	if (!counts_calls)
		return quartile(seen, samples);
	qsort(seen, samples, sizeof(seen[0]), compare);
	return seen[0];
}

static void measure(const struct workload *workload, unsigned int size)
{
	unsigned int samples = size >= 256 ? 16 : MOST_SAMPLES;
	uint64_t results[MOST_ROUNDS];
	double spread;

	if (workload->prepare)
		workload->prepare(size);
	/* What the first runs allocate, the later ones have. */
	workload->run(size);
	workload->run(size);
	for (unsigned int i = 0; i < rounds; i++)
		results[i] = round_of(workload, size, samples);
	qsort(results, rounds, sizeof(results[0]), compare);
	spread = results[0] ? 100.0 * (results[rounds - 1] - results[0]) /
				      results[0]
			    : 0;
	if (spread > 1)
		disagreed = true;
	printf("%s\t%u\t%llu\t%.2f\n", workload->name, size,
	       (unsigned long long)results[rounds / 2], spread);
	fflush(stdout);
}

static bool is_asked(const char *name, char **asked)
{
	if (!*asked)
		return true;
	for (; *asked; asked++)
		if (!strncmp(name, *asked, strlen(*asked)))
			return true;
	return false;
}

/*
 * Executed before and after what is to be looked at: an instruction that does
 * nothing and that nothing else has. See bench/profile.
 */
void marker(void)
{
#ifdef __x86_64__
	__asm__ volatile("nopl 0x21676e74(%%rax,%%rax,1)" ::: "memory");
#else
	__asm__ volatile("movz xzr, #0x6676" ::: "memory");
#endif
}

/* One workload and size, many times, between two calls of marker(). */
static void profile(const struct workload *workload, const char *name,
		    unsigned int size, unsigned int times)
{
	for (; workload->name; workload++) {
		if (strcmp(workload->name, name) != 0)
			continue;
		if (workload->prepare)
			workload->prepare(size);
		for (unsigned int i = 0; i < 5; i++)
			workload->run(size);
		marker();
		for (unsigned int i = 0; i < times; i++)
			workload->run(size);
		marker();
	}
}

static void measure_all(const struct workload *workload, char **asked)
{
	for (; workload->name; workload++) {
		if (!is_asked(workload->name, asked))
			continue;
		for (const unsigned int *size = workload->sizes; *size; size++)
			measure(workload, *size);
	}
}

static void grant_all(void)
{
	union {
		struct ioctl_gntalloc_alloc_gref alloc;
		uint8_t space[sizeof(struct ioctl_gntalloc_alloc_gref) +
			      MOST * sizeof(uint32_t)];
	} request = {.alloc = {
			     .domid = 0,
			     .flags = GNTALLOC_FLAG_WRITABLE,
			     .count = MOST,
		     }};
	int granter = open_device("/dev/xen/gntalloc");

	/* Stays open, and the pages granted, until the program ends. */
	if (ioctl(granter, IOCTL_GNTALLOC_ALLOC_GREF, &request))
		die("granting %u pages to domain 0", MOST);
	memcpy(refs,
	       request.space +
		       offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids),
	       sizeof(refs));
}

int main(int argc, char **argv)
{
	bool profiled = false;
	void (*measure_other)(void) = NULL;

	(void)argc;
	for (argv++; *argv && **argv == '-'; argv++) {
		if (!strcmp(*argv, "--calls"))
			counts_calls = true;
		else if (!strcmp(*argv, "--quick"))
			rounds = 1;
		else if (!strcmp(*argv, "--memory"))
			measure_other = measure_memory;
		else if (!strcmp(*argv, "--threads"))
			measure_other = measure_threads;
		else if (!strcmp(*argv, "--waiting"))
			measure_other = measure_waiting;
		else if (!strcmp(*argv, "--backends"))
			measure_other = measure_backends;
		else if (!strcmp(*argv, "--flushes"))
			measure_other = count_flushes;
		else if (!strcmp(*argv, "--profile"))
			profiled = true;
		else {
			errno = EINVAL;
			die("%s: expected --calls, --quick, --memory, --threads, --waiting, --backends, --flushes or --profile",
			    *argv);
		}
	}

	grant_all();
	if (measure_other) {
		measure_other();
		return 0;
	}
	if (profiled && argv[0] && argv[1] && argv[2]) {
		profile(map_workloads, argv[0], atoi(argv[1]), atoi(argv[2]));
		profile(area_workloads, argv[0], atoi(argv[1]), atoi(argv[2]));
		profile(copy_workloads, argv[0], atoi(argv[1]), atoi(argv[2]));
		profile(lent_workloads, argv[0], atoi(argv[1]), atoi(argv[2]));
		profile(floor_workloads, argv[0], atoi(argv[1]), atoi(argv[2]));
		return 0;
	}
	if (counts_calls && ioctl(floor_device(), FLOOR_COUNT))
		die("FLOOR_COUNT");
	calibrate();
	measure_all(map_workloads, argv);
	measure_all(area_workloads, argv);
	measure_all(copy_workloads, argv);
	measure_all(lent_workloads, argv);
	measure_all(floor_workloads, argv);
	if (disagreed && !counts_calls) {
		fprintf(stderr,
			"bench: rounds differ by more than 1 per cent\n");
		return 2;
	}
	return 0;
}
