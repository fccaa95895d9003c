// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Eight threads that copy at once: on one instance, and each on its own. A lock
 * of the instance would make the difference. The same with slots of one area,
 * and of eight. Wall time, so on a machine with
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
#include <xen/gntdev_more.h>

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
	const struct area *area; /* if it is to map and unmap a slot of that */
	unsigned int slot;
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

static void *cycle_slot(void *argument)
{
	struct worker *worker = argument;
	struct gntdev_area_op op = {
		.slot = worker->slot,
		.ref = worker->refs[0],
	};

	while (!stopped) {
		operate(worker->area, &op, 1, true);
		operate(worker->area, &op, 1, false);
		worker->calls++;
	}
	return NULL;
}

/* Calls in a second, of all threads; or cycles, if there are areas. */
static double turn(int threads, const int *devices, const struct area *areas,
		   bool one_area)
{
	struct worker workers[THREADS] = {0};
	struct timespec begun, ended,
		pause = {TURN_MS / 1000, TURN_MS % 1000 * 1000000};
	double seconds;
	uint64_t calls = 0;

	stopped = false;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (int i = 0; i < threads; i++) {
		workers[i].refs = refs + i * SEGMENTS;
		workers[i].slot = i;
		if (areas)
			workers[i].area = &areas[one_area ? 0 : i];
		else
			workers[i].device = devices[i];
		if (pthread_create(&workers[i].thread, NULL,
				   areas ? cycle_slot : work, &workers[i]))
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

static void print_medians(const char *what, const char *one, const char *own,
			  double *lone, double *shared, double *apart)
{
	qsort(lone, ROUNDS, sizeof(lone[0]), compare);
	qsort(shared, ROUNDS, sizeof(shared[0]), compare);
	qsort(apart, ROUNDS, sizeof(apart[0]), compare);
	printf("# %s, %ld processors\n", what, sysconf(_SC_NPROCESSORS_ONLN));
	printf("%s\t1\t%.0f\n", one, lone[ROUNDS / 2]);
	printf("%s\t%u\t%.0f\n", one, THREADS, shared[ROUNDS / 2]);
	printf("%s\t%u\t%.0f\n", own, THREADS, apart[ROUNDS / 2]);
}

static void measure_area_threads(void)
{
	double lone[ROUNDS], shared[ROUNDS], apart[ROUNDS];
	struct area areas[THREADS];

	for (int i = 0; i < THREADS; i++)
		areas[i] = make_area(THREADS);
	if (areas[0].device < 0)
		return;
	for (int i = 0; i < ROUNDS; i++) {
		lone[i] = turn(1, NULL, areas, true);
		shared[i] = turn(THREADS, NULL, areas, true);
		apart[i] = turn(THREADS, NULL, areas, false);
	}
	print_medians("cycles a second, of one slot each", "threads-one-area",
		      "threads-own-areas", lone, shared, apart);
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
		lone[i] = turn(1, one, NULL, false);
		shared[i] = turn(THREADS, one, NULL, false);
		apart[i] = turn(THREADS, own, NULL, false);
	}
	print_medians("calls a second, 64 segments of 1024 bytes",
		      "threads-one-instance", "threads-own-instances", lone,
		      shared, apart);
	measure_area_threads();
}
