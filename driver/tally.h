/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* How what an instance does is counted: a processor at a time, without a lock. */
#ifndef GNTDEV_TALLY_H
#define GNTDEV_TALLY_H

/* One more count of an instance: tally_add(inst, maps, pages). */
#define tally_add(inst, what, n) \
	gntdev_tally_add(inst, offsetof(struct tally, what), n)

static inline void gntdev_tally_add(struct instance *inst, size_t offset, u64 n)
{
	struct tally __percpu *tally = READ_ONCE(inst->tally);

	if (tally)
		this_cpu_add(*(u64 __percpu *)((u8 __percpu *)tally + offset),
			     n);
}

#endif /* GNTDEV_TALLY_H */
