/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Shrinkers: whom the kernel asks to give memory back when it has little. They
 * are allocated by the kernel from 6.7 on, and by their owner before.
 */
#ifndef GNTDEV_COMPAT_SHRINK_H
#define GNTDEV_COMPAT_SHRINK_H

#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

/**
 * shrink_begin() - be asked for memory from now on
 * @count: how many pages could be given back, or 0
 * @scan: gives back about sc->nr_to_scan pages, sets sc->nr_scanned if it looked
 *	at another number, and returns how many it gave; SHRINK_STOP if it cannot
 *	now. Any allocation may be what leads here: whatever lock it takes, nothing
 *	that waits for memory may be done under it, or it only tries to take it.
 *
 * Return: what shrink_end() takes, or NULL if there is no memory.
 */
static inline struct shrinker *
shrink_begin(unsigned long (*count)(struct shrinker *shrinker,
				    struct shrink_control *sc),
	     unsigned long (*scan)(struct shrinker *shrinker,
				   struct shrink_control *sc))
{
	struct shrinker *shrinker;

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
#else
	shrinker = shrinker_alloc(0, "xen-gntdev");
#endif
	if (!shrinker)
		return NULL;

	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	if (register_shrinker(shrinker, "xen-gntdev")) {
		kfree(shrinker);
		return NULL;
	}
#else
	shrinker_register(shrinker);
#endif

	return shrinker;
}

/* Waits until nobody is in its functions. */
static inline void shrink_end(struct shrinker *shrinker)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	unregister_shrinker(shrinker);
	kfree(shrinker);
#else
	shrinker_free(shrinker);
#endif
}

#endif /* GNTDEV_COMPAT_SHRINK_H */
