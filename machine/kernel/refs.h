/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Reference counts: models that end the process where one goes wrong. */
#ifndef MACHINE_REFS_H
#define MACHINE_REFS_H

#include "base.h"

typedef struct {
	atomic_t refs;
} refcount_t;

struct kref {
	refcount_t refcount;
};

static inline void refcount_set(refcount_t *r, int n)
{
	atomic_set(&r->refs, n);
}

static inline void refcount_inc(refcount_t *r)
{
	atomic_inc(&r->refs);
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	int before = __atomic_fetch_sub(&r->refs.counter, 1, __ATOMIC_SEQ_CST);

	if (before < 1)
		machine_fatal("a reference count went below 0");
	return before == 1;
}

static inline void kref_init(struct kref *kref)
{
	refcount_set(&kref->refcount, 1);
}

static inline void kref_get(struct kref *kref)
{
	if (atomic_read(&kref->refcount.refs) < 1)
		machine_fatal("kref_get of what nobody holds any more");
	refcount_inc(&kref->refcount);
}

static inline int kref_get_unless_zero(struct kref *kref)
{
	int n = atomic_read(&kref->refcount.refs);

	while (n &&
	       !__atomic_compare_exchange_n(&kref->refcount.refs.counter, &n,
					    n + 1, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	return n;
}

static inline int kref_put(struct kref *kref, void (*release)(struct kref *))
{
	if (!refcount_dec_and_test(&kref->refcount))
		return 0;
	release(kref);
	return 1;
}

#endif
