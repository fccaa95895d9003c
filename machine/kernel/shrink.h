/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Shrinkers, by the driver's own compat folder: a model. machine_shrink() asks
 * all of them, as an allocation that waits for memory would: what they lock may
 * not be held where anybody waits for memory.
 */
#ifndef MACHINE_KERNEL_SHRINK_H
#define MACHINE_KERNEL_SHRINK_H

#include "base.h"

struct shrinker;

struct shrink_control {
	gfp_t gfp_mask;
	unsigned long nr_to_scan;
	unsigned long nr_scanned;
};

#define SHRINK_STOP (~0UL)

typedef unsigned long shrink_fn(struct shrinker *shrinker,
				struct shrink_control *sc);

struct shrinker *shrink_begin(shrink_fn *count, shrink_fn *scan);
void shrink_end(struct shrinker *shrinker);

#endif /* MACHINE_KERNEL_SHRINK_H */
