// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Eight threads that copy at once: on one instance, and each on its own. A lock
 * of the instance would make the difference. Wall time, so on a machine with
 * several processors and not under --count-instructions.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "bench.h"

#define THREADS 8
#define SEGMENTS 64
#define BYTES 1024
#define ROUNDS 5
#define TURN_MS 1000
#define SOURCE_GRANT 1

struct worker {
	pthread_t thread;
	int device;
	const uint32_t *refs; /* SEGMENTS of them */
	uint64_t calls;
};

static atomic_bool stopped;

static void *work(void *argument)
{
	struct gntdev_grant_copy_segment segments[SEGMENTS] = {0};
	struct ioctl_gntdev_grant_copy request = {.count = SEGMENTS,
						  .segments = segments};
	struct worker *worker = argument;
	uint8_t *local = mmap(NULL, SEGMENTS * BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
			      0);

	if (local == MAP_FAILED)
		die("mmap of a thread's memory");
	for (unsigned int i = 0; i < SEGMENTS; i++) {
		segments[i].source.foreign.ref = worker->refs[i];
		segments[i].dest.virt = local + i * BYTES;
		segments[i].len = BYTES;
		segments[i].flags = SOURCE_GRANT;
	}
	while (!stopped) {
		if (ioctl(worker->device, IOCTL_GNTDEV_GRANT_COPY, &request))
			die("GRANT_COPY of %u in a thread", SEGMENTS);
		worker->calls++;
	}
	munmap(local, SEGMENTS * BYTES);
	return NULL;
}

/* Calls in a second, of all threads. */
static double turn(int threads, const int *devices)
{
	struct worker workers[THREADS] = {0};
	struct timespec begun, ended,
		pause = {TURN_MS / 1000, TURN_MS % 1000 * 1000000};
	double seconds;
	uint64_t calls = 0;

	stopped = false;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (int i = 0; i < threads; i++) {
		workers[i].device = devices[i];
		workers[i].refs = refs + i * SEGMENTS;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("a thread");
	}
	nanosleep(&pause, NULL);
	stopped = true;
	for (int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		calls += workers[i].calls;
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	seconds = ended.tv_sec - begun.tv_sec +
		  (ended.tv_nsec - begun.tv_nsec) / 1e9;
	return calls / seconds;
}

static int compare(const void *left, const void *right)
{
	double l = *(const double *)left, r = *(const double *)right;

	return l < r ? -1 : l > r;
}

void measure_threads(void)
{
	double lone[ROUNDS], shared[ROUNDS], apart[ROUNDS];
	int one[THREADS], own[THREADS];

	for (int i = 0; i < THREADS; i++) {
		own[i] = open_device("/dev/xen/gntdev");
		one[i] = own[0];
	}
	/* By turns, so that what else the machine does meets all three. */
	for (int i = 0; i < ROUNDS; i++) {
		lone[i] = turn(1, one);
		shared[i] = turn(THREADS, one);
		apart[i] = turn(THREADS, own);
	}
	qsort(lone, ROUNDS, sizeof(lone[0]), compare);
	qsort(shared, ROUNDS, sizeof(shared[0]), compare);
	qsort(apart, ROUNDS, sizeof(apart[0]), compare);
	printf("# calls a second, %u segments of %u bytes, %ld processors\n",
	       SEGMENTS, BYTES, sysconf(_SC_NPROCESSORS_ONLN));
	printf("threads-one-instance\t1\t%.0f\n", lone[ROUNDS / 2]);
	printf("threads-one-instance\t%u\t%.0f\n", THREADS, shared[ROUNDS / 2]);
	printf("threads-own-instances\t%u\t%.0f\n", THREADS, apart[ROUNDS / 2]);
}
