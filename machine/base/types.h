/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The words that all of the machine is written in: types, arithmetic, errors as
 * pointers, atomics. They are the kernel's own and do what those do.
 */
#ifndef MACHINE_BASE_TYPES_H
#define MACHINE_BASE_TYPES_H

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <linux/types.h>

#include "log.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;
typedef u64 phys_addr_t;
typedef unsigned int gfp_t;
typedef s64 time64_t;

#define U16_MAX ((u16)~0U)
#define U32_MAX ((u32)~0U)
#define U64_MAX ((u64)~0ULL)
#define S64_MAX ((s64)(U64_MAX >> 1))

#define noinline __attribute__((__noinline__))

/* Warnings say that the driver's own idea of itself is wrong: fatal here. */
#define WARN_ON(cond)                                                    \
	({                                                               \
		bool warn_ = (cond);                                     \
		if (warn_)                                               \
			machine_fatal("WARN_ON(%s) in %s, %s:%d", #cond, \
				      __func__, __FILE__, __LINE__);     \
		warn_;                                                   \
	})
#define WARN_ON_ONCE(cond) WARN_ON(cond)
#define BUG_ON(cond) ((void)WARN_ON(cond))
#define BUILD_BUG_ON(cond) _Static_assert(!(cond), #cond)

#define container_of(ptr, type, member)                              \
	({                                                           \
		const __typeof__(((type *)0)->member) *ptr_ = (ptr); \
		(type *)((char *)ptr_ - offsetof(type, member));     \
	})
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1UL << (n))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
/* To a power of two. */
#define round_up(n, to) ((((n) - 1) | ((to) - 1)) + 1)

static inline unsigned long roundup_pow_of_two(unsigned long n)
{
	return n < 2 ? 1 : 2UL << (63 - __builtin_clzl(n - 1));
}

/* As the kernel's: both sides have one type. */
#define machine_choose(x, y, op)                                             \
	({                                                                   \
		__typeof__(x) x_ = (x);                                      \
		__typeof__(y) y_ = (y);                                      \
		_Static_assert(__builtin_types_compatible_p(__typeof__(x_),  \
							    __typeof__(y_)), \
			       "min or max of two types");                   \
		x_ op y_ ? x_ : y_;                                          \
	})
#define min(x, y) machine_choose(x, y, <)
#define max(x, y) machine_choose(x, y, >)
#define min_t(type, x, y) min((type)(x), (type)(y))
#define max_t(type, x, y) max((type)(x), (type)(y))
#define swap(a, b)                      \
	do {                            \
		__typeof__(a) a_ = (a); \
		(a) = (b);              \
		(b) = a_;               \
	} while (0)

static inline size_t array_size(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes;
}

static inline size_t machine_size_add(size_t a, size_t b)
{
	size_t sum;

	return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

#define struct_size(p, member, n) \
	machine_size_add(sizeof(*(p)), array_size(n, sizeof((p)->member[0])))

#define MAX_ERRNO 4095
static inline void *ERR_PTR(long error)
{
	return (void *)error;
}

static inline long PTR_ERR(const void *ptr)
{
	return (long)ptr;
}

static inline bool IS_ERR(const void *ptr)
{
	return (unsigned long)ptr >= (unsigned long)-MAX_ERRNO;
}

static inline bool IS_ERR_OR_NULL(const void *ptr)
{
	return !ptr || IS_ERR(ptr);
}

static inline void *ERR_CAST(const void *ptr)
{
	return (void *)ptr;
}

static inline int PTR_ERR_OR_ZERO(const void *ptr)
{
	return IS_ERR(ptr) ? (int)PTR_ERR(ptr) : 0;
}

/* Memory that several threads touch. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define xchg(ptr, value) __atomic_exchange_n(ptr, value, __ATOMIC_SEQ_CST)
/* What was there; the store is made if that is @old. */
#define cmpxchg(ptr, old, value)                                      \
	({                                                            \
		__typeof__(*(ptr)) old_ = (old);                      \
                                                                      \
		__atomic_compare_exchange_n(ptr, &old_, value, false, \
					    __ATOMIC_SEQ_CST,         \
					    __ATOMIC_SEQ_CST);        \
		old_;                                                 \
	})
/* A store that no other may pass; sanitizers do not know bare fences. */
static inline void wmb(void)
{
	static int fence;

	__atomic_fetch_add(&fence, 1, __ATOMIC_SEQ_CST);
}

typedef struct {
	int counter;
} atomic_t;

static inline int atomic_read(const atomic_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic_set(atomic_t *v, int i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}

static inline void atomic_inc(atomic_t *v)
{
	__atomic_fetch_add(&v->counter, 1, __ATOMIC_SEQ_CST);
}

static inline void atomic_dec(atomic_t *v)
{
	__atomic_fetch_sub(&v->counter, 1, __ATOMIC_SEQ_CST);
}

typedef struct {
	long counter;
} atomic_long_t;

static inline long atomic_long_read(const atomic_long_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic_long_set(atomic_long_t *v, long i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}

static inline void atomic_long_add(long i, atomic_long_t *v)
{
	__atomic_fetch_add(&v->counter, i, __ATOMIC_SEQ_CST);
}

static inline void atomic_long_sub(long i, atomic_long_t *v)
{
	__atomic_fetch_sub(&v->counter, i, __ATOMIC_SEQ_CST);
}

static inline void atomic_long_inc(atomic_long_t *v)
{
	atomic_long_add(1, v);
}

static inline void atomic_long_dec(atomic_long_t *v)
{
	atomic_long_sub(1, v);
}

#endif /* MACHINE_BASE_TYPES_H */
