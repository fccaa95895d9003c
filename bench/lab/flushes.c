// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Work of which a plugin of the emulator's counts the flushes of translations: see
 * bench/lab/flushes. Each stretch of work is between two markers. Prints a line
 * for each workload and size: name, size, how many stretches, and how many times the
 * work is in them in all.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev_more.h>

#include "bench.h"

#define TIMES 10u

static void tell(const char *name, unsigned int size, unsigned int stretches)
{
	printf("%s\t%u\t%u\t%u\n", name, size, stretches, TIMES);
	fflush(stdout);
}

/* All of it, with what it does before and after the meter runs. */
static void whole(const struct workload *workload, unsigned int size)
{
	if (workload->prepare)
		workload->prepare(size);
	for (unsigned int i = 0; i < 3; i++)
		workload->run(size);
	marker();
	for (unsigned int i = 0; i < TIMES; i++)
		workload->run(size);
	marker();
	tell(workload->name, size, 1);
}

static void whole_named(const struct workload *workload, const char *name,
			const unsigned int *sizes)
{
	while (workload->name && strcmp(workload->name, name) != 0)
		workload++;
	for (; workload->name && *sizes; sizes++)
		whole(workload, *sizes);
}

static void count_munmap(unsigned int pages)
{
	for (unsigned int i = 0; i < TIMES; i++) {
		int device = open_device("/dev/xen/gntdev");
		void *at = map_range(device, 0, pages);

		marker();
		munmap(at, pages * PAGE);
		marker();
		close(device);
	}
	tell("munmap", pages, TIMES);
}

/* Entries go, and come back by faults when the program asks for them. */
static void count_mprotect(unsigned int pages)
{
	int device = open_device("/dev/xen/gntdev");
	void *at = map_range(device, 0, pages);

	for (unsigned int i = 0; i < TIMES; i++) {
		memset(at, 1, pages * PAGE);
		marker();
		mprotect(at, pages * PAGE, PROT_READ);
		marker();
		mprotect(at, pages * PAGE, PROT_READ | PROT_WRITE);
	}
	munmap(at, pages * PAGE);
	close(device);
	tell("mprotect", pages, TIMES);
}

static void wait_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		die("pipe");
}

__attribute__((noreturn)) static void map_and_exit(unsigned int pages,
						   int ready, int go)
{
	if (pages)
		map_range(open_device("/dev/xen/gntdev"), 0, pages);
	if (write(ready, "", 1) != 1)
		die("pipe");
	wait_byte(go);
	_exit(0);
}

/* Of a process with pages mapped; of 0 pages, what any process's end takes. */
static void count_exit(unsigned int pages)
{
	for (unsigned int i = 0; i < TIMES; i++) {
		int ready[2], go[2];
		pid_t child;

		if (pipe(ready) || pipe(go))
			die("pipe");
		child = fork();
		if (child < 0)
			die("fork");
		if (!child)
			map_and_exit(pages, ready[1], go[0]);
		wait_byte(ready[0]);
		marker();
		if (write(go[1], "", 1) != 1 || waitpid(child, NULL, 0) < 0)
			die("the end of a process");
		marker();
		for (int k = 0; k < 2; k++) {
			close(ready[k]);
			close(go[k]);
		}
	}
	tell("exit", pages, TIMES);
}

/* Neighbours, or slots all over the area: in as many page tables as that has. */
static void count_area_unmap(const struct area *area, unsigned int count,
			     bool scattered)
{
	static struct gntdev_area_op ops[MOST];

	for (unsigned int i = 0; i < TIMES; i++) {
		for (unsigned int k = 0; k < count; k++)
			ops[k] = (struct gntdev_area_op){
				.slot = scattered ? k * 389 % MOST : k,
				.ref = refs[k * 661 % MOST],
			};
		operate(area, ops, count, true);
		marker();
		operate(area, ops, count, false);
		marker();
	}
	tell(scattered ? "area-unmap-scattered" : "area-unmap", count, TIMES);
}

static const unsigned int sizes[] = {1, 16, 256, 1024, 0};
static const unsigned int exit_sizes[] = {0, 1, 16, 256, 1024};
static const unsigned int area_sizes[] = {1, 8, 32, 256, 1024};
static const unsigned int copy_sizes[] = {1, 256, 0};
static const unsigned int armed_sizes[] = {256, 0};

void count_flushes(void)
{
	struct area area = make_area(MOST);

	whole_named(map_workloads, "cycle", sizes);
	for (const unsigned int *size = sizes; *size; size++)
		count_munmap(*size);
	whole_named(map_workloads, "munmap-armed", armed_sizes);
	for (unsigned int i = 0; i < 5; i++)
		count_exit(exit_sizes[i]);
	for (unsigned int i = 0; i < 10 && area.device >= 0; i++)
		count_area_unmap(&area, area_sizes[i / 2], i % 2);
	/* The distribution's unmaps the grants for good. */
	for (unsigned int i = 0; i < 3 && area.device >= 0; i++)
		count_mprotect(sizes[i]);
	whole_named(copy_workloads, "copy-in-64", copy_sizes);
	whole_named(copy_workloads, "copy-out-4096", copy_sizes);
	whole_named(copy_workloads, "copy-between-4096", copy_sizes);
}
