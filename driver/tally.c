// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Tallies: what an instance has done, for those who watch the host. Each
 * processor counts for itself, so that threads that copy at once share nothing.
 */
#include "gntdev.h"

/**
 * gntdev_tally_prepare() - see to it that an instance can be counted
 * @inst: the instance; one that is never used has no tally
 *
 * Return: 0 or -ENOMEM.
 */
int gntdev_tally_prepare(struct instance *inst)
{
	struct tally __percpu *tally;

	if (READ_ONCE(inst->tally))
		return 0;
	tally = alloc_percpu_gfp(struct tally, GFP_KERNEL_ACCOUNT);
	if (!tally)
		return -ENOMEM;
	/* Another thread may have been faster. */
	if (cmpxchg(&inst->tally, NULL, tally))
		free_percpu(tally);

	return 0;
}

/* The sum of all processors', which go on counting. */
struct tally gntdev_tally_read(const struct instance *inst)
{
	struct tally __percpu *tally = READ_ONCE(inst->tally);
	struct tally sum = {0};
	const struct tally *one;
	int cpu;

	if (!tally)
		return sum;
	for_each_possible_cpu(cpu) {
		one = per_cpu_ptr(tally, cpu);
		sum.maps += READ_ONCE(one->maps);
		sum.unmaps += READ_ONCE(one->unmaps);
		sum.copies += READ_ONCE(one->copies);
		sum.bytes += READ_ONCE(one->bytes);
	}

	return sum;
}
