/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the parts of the measuring program share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE 4096ul
#define MOST 1024u /* pages, grants or segments at once */

/* Workload: a line of the table for each of its sizes. */
struct workload {
	const char *name;
	/* Returns what the meter said of the work for a size. */
	uint64_t (*run)(unsigned int size);
	/* For each of its sizes, in their order, before the first run; or NULL. */
	void (*prepare)(unsigned int size);
	const unsigned int *sizes; /* ended by 0 */
};

/* Grants of this domain to itself. */
extern uint32_t refs[MOST];

/* bench.c */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format,
							 ...);
uint64_t meter(void);
uint64_t metered(uint64_t begun);
int open_device(const char *name);
int floor_device(void);
void marker(void);

/* Each ended by an entry without a name. */
extern const struct workload map_workloads[]; /* maps.c */
extern const struct workload copy_workloads[]; /* copies.c */
extern const struct workload lent_workloads[]; /* lent.c */
extern const struct workload floor_workloads[]; /* bare.c */
extern const struct workload area_workloads[]; /* areas.c */
/* areas.c */
struct area {
	int device; /* negative: the driver has no areas */
	uint64_t index;
	uint8_t *at;
};
struct gntdev_area_op;
struct area make_area(unsigned int slots);
/* AREA_MAP, or AREA_UNMAP. */
void operate(const struct area *area, struct gntdev_area_op *ops,
	     unsigned int count, bool map);

/* maps.c: MAP, mmap, munmap, UNMAP */
uint64_t cycle(unsigned int pages);

/* memory.c */
void measure_memory(void);
/* threads.c */
void measure_threads(void);
/* flushes.c */
void count_flushes(void);
/* waiting.c */
void measure_waiting(void);
/* backends.c */
void measure_backends(void);

/* maps.c: inserts and maps the grants refs[first] and on. */
void *map_range(int device, unsigned int first, unsigned int count);

/* maps.c: where to map so many pages, for mmap */
void *map_place(unsigned int pages);

#endif /* BENCH_H */
