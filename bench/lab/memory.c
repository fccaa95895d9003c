// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Kernel memory, as /proc/meminfo accounts for it: slabs and vmalloc. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

#define INSTANCES 2000
#define RANGES 16

/* Bytes; what is freed or gathered lazily blurs single objects, not many. */
static long long in_use(void)
{
	long long sum = 0, value;
	char line[128];
	FILE *file;

	/* What was closed before is freed some time later. */
	sleep(1);
	file = fopen("/proc/meminfo", "r");
	if (!file)
		die("/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Slab: %lld kB", &value) == 1 ||
		    sscanf(line, "VmallocUsed: %lld kB", &value) == 1)
			sum += value * 1024;
	fclose(file);
	return sum;
}

/* Descriptors of a device; the null device's cost is the kernel's own. */
static double opened(const char *name)
{
	static int fds[INSTANCES];
	long long before;

	before = in_use();
	for (int i = 0; i < INSTANCES; i++)
		fds[i] = open_device(name);
	before = in_use() - before;
	for (int i = 0; i < INSTANCES; i++)
		close(fds[i]);
	return (double)before / INSTANCES;
}

void measure_memory(void)
{
	struct rlimit files = {INSTANCES + 100, INSTANCES + 100};
	int device = open_device("/dev/xen/gntdev");
	long long before;

	printf("# memory\n");
	before = in_use();
	for (int i = 0; i < RANGES; i++)
		map_range(device, 0, MOST);
	printf("memory-page\t%u\t%.0f\t0.00\n", MOST,
	       (double)(in_use() - before) / RANGES / MOST);

	setrlimit(RLIMIT_NOFILE, &files);
	/* The table of descriptors grows once. */
	opened("/dev/null");
	printf("memory-instance\t1\t%.0f\t0.00\n",
	       opened("/dev/xen/gntdev") - opened("/dev/null"));
}
