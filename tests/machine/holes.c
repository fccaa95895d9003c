// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program's addresses are its own: an area with a hole in it may be filled or
 * unmapped as a whole at any time, and nothing of the library's is there.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "behave.h"

#define SIZE (256UL << 20)
#define RW (PROT_READ | PROT_WRITE)
#define LENGTH 4000
/* From the hypervisor's public headers. */
#define GNTCOPY_source_gref 1
#define GNTCOPY_dest_gref 2

static uint8_t *area_with_a_hole(size_t size)
{
	uint8_t *area = mmap(NULL, 3 * size, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			     0);

	CHECK(area != MAP_FAILED, "mmap: %s", strerror(errno));
	CHECK(!munmap(area + size, size), "munmap: %s", strerror(errno));
	return area;
}

static void fill(uint8_t *area, size_t size)
{
	CHECK(mmap(area, 3 * size, RW,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		   0) == area,
	      "mmap: %s", strerror(errno));
}

static void copy(const struct pair *pair, void *local, bool in)
{
	struct gntdev_grant_copy_segment s = {.len = LENGTH, .status = 99};
	struct ioctl_gntdev_grant_copy op = {.count = 1, .segments = &s};

	if (in) {
		s.flags = GNTCOPY_source_gref;
		s.source.foreign.ref = pair->refs[0];
		s.dest.virt = local;
	} else {
		s.flags = GNTCOPY_dest_gref;
		s.dest.foreign.ref = pair->refs[0];
		s.source.virt = local;
	}
	CHECK(!ioctl(pair->dev, IOCTL_GNTDEV_GRANT_COPY, &op), "GRANT_COPY: %s",
	      strerror(errno));
	CHECK(!s.status, "status %d", s.status);
}

static void check_copies(const struct pair *pair)
{
	static char buffer[LENGTH];

	strcpy((char *)pair->granted, "from the grant");
	copy(pair, buffer, true);
	CHECK(!strcmp(buffer, "from the grant"), "got '%s'", buffer);
	strcpy(buffer, "into the grant");
	copy(pair, buffer, false);
	CHECK(!strcmp((char *)pair->granted, "into the grant"), "put '%s'",
	      (char *)pair->granted);
}

static void copies_beside(bool filled)
{
	struct pair pair = pair_make(1);
	uint8_t *area = area_with_a_hole(SIZE);

	for (int i = 0; i < 5; i++)
		check_copies(&pair);
	if (filled)
		fill(area, SIZE);
	else
		CHECK(!munmap(area, 3 * SIZE), "munmap: %s", strerror(errno));
	for (int i = 0; i < 5; i++)
		check_copies(&pair);
	for (size_t i = 0; filled && i < 3 * SIZE; i += PAGE)
		CHECK(!area[i] && !area[i + 8], "something is in it");
	pair_end(&pair);
}

static void unmapped_hole(void)
{
	copies_beside(false);
}

static void filled_hole(void)
{
	copies_beside(true);
}

/* Stacks of their own: nothing of this program is in the hole. */
#define STACK (256UL << 10)
#define THREADS 4

static atomic_bool over;
static atomic_uint copied;
static _Alignas(4096) uint8_t stacks[THREADS][STACK];

static void *copy_on(void *arg)
{
	const struct pair *pair = arg;
	char bytes[LENGTH];

	while (!over) {
		memset(bytes, 0, sizeof(bytes));
		copy(pair, bytes, true);
		for (size_t i = 0; i < sizeof(bytes); i++)
			CHECK(bytes[i] == 'x', "byte %zu has not come", i);
		copy(pair, bytes, false);
		copied++;
	}
	return NULL;
}

static void copy_beside(const struct pair *pair, unsigned int wait_for)
{
	uint8_t *area = area_with_a_hole(SIZE);
	pthread_t threads[THREADS];
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	for (int i = 0; i < THREADS; i++) {
		pthread_attr_setstack(&attributes, stacks[i], STACK);
		CHECK(!pthread_create(&threads[i], &attributes, copy_on,
				      (void *)pair),
		      "thread");
	}
	while (copied < wait_for)
		;
	CHECK(!munmap(area, 3 * SIZE), "munmap: %s", strerror(errno));
	while (copied < wait_for + 50)
		;
	over = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void threads_beside(void)
{
	struct pair pair = pair_make(1);
	pid_t child;

	memset(pair.granted, 'x', PAGE);
	for (unsigned int i = 0; i < 30; i++) {
		child = fork();
		if (!child) {
			copy_beside(&pair, i);
			_exit(0);
		}
		must_pass(child);
	}
	pair_end(&pair);
}

static void many_ranges(void)
{
	enum {
		N = 5000,
		PAIRS = 100 /* a grant may be mapped some hundred times */
	};
	static uint8_t *at[N];
	struct pair pairs[PAIRS];
	uint8_t *area;
	uint64_t index;

	for (int i = 0; i < PAIRS; i++)
		pairs[i] = pair_make(1);
	area = area_with_a_hole(SIZE);
	for (int i = 0; i < N; i++)
		at[i] = pair_map(&pairs[i % PAIRS], &index, PROT_READ);
	/* What this program itself has put there is replaced. */
	fill(area, SIZE);
	for (int i = 0; i < N; i++) {
		bool inside = at[i] >= area && at[i] < area + 3 * SIZE;

		CHECK(*at[i] == !inside, "mapping %d has %d", i, *at[i]);
		CHECK(inside || !munmap(at[i], PAGE), "munmap: %s",
		      strerror(errno));
	}
	for (size_t i = 0; i < 3 * SIZE; i += PAGE)
		CHECK(!area[i], "something is in it");
	for (int i = 0; i < PAIRS; i++)
		pair_end(&pairs[i]);
}

/* What is set aside does not count against what the program allows itself. */
static void limited(void)
{
	struct rlimit limit = {96 << 20, RLIM_INFINITY};
	struct pair pair = pair_make(1);

	CHECK(!setrlimit(RLIMIT_AS, &limit), "setrlimit: %s", strerror(errno));
	CHECK(malloc(32 << 20), "no memory below the limit");
	for (int i = 0; i < 5; i++)
		check_copies(&pair);
	pair_end(&pair);
}

const struct behaviour hole_behaviours[] = {
	{"an area with a hole is unmapped beside copies", unmapped_hole},
	{"an area with a hole is filled beside copies", filled_hole},
	{"threads copy while areas with holes come and go", threads_beside},
	{"thousands of mappings leave a program's holes alone", many_ranges},
	{"a limit of addresses counts the program's own", limited},
	{NULL, NULL},
};
