/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Locks: models. They exclude, know their owners, and the order in which they
 * nest is recorded by the place where they are initialised, as lockdep does:
 * an order that could deadlock is a hard failure, whether it does or not.
 */
#ifndef MACHINE_BASE_LOCKS_H
#define MACHINE_BASE_LOCKS_H

#include <pthread.h>

#include "types.h"

/*
 * One piece of work that a thread is in the middle of, as a call into the kernel
 * is: it owns what it locks. Of a thread that is in none there is one, too.
 */
#define MAX_HELD 8

struct lock_scope {
	struct lock_scope *outer; /* of the same thread */
	struct held_lock {
		const void *lock;
		struct lock_class *class;
	} held[MAX_HELD];
	unsigned int nheld;
	unsigned int atomic; /* > 0: nothing may sleep */
	const char *atomic_why;
};

/* The innermost that the thread is in. */
struct lock_scope *lock_scope(void);
void lock_scope_enter(struct lock_scope *s);
/* No lock is held any more, and nothing is atomic. */
void lock_scope_leave(struct lock_scope *s);

struct lock_class {
	const char *name;
	const char *file;
	int line;
	int id; /* 0 until it is first used */
};

struct mutex {
	pthread_mutex_t lock;
	struct lock_class *class; /* NULL: not initialised, or destroyed */
	struct lock_scope *owner;
};

#define mutex_init(m)                                                          \
	do {                                                                   \
		static struct lock_class class_ = {#m, __FILE__, __LINE__, 0}; \
		machine_mutex_init(m, &class_);                                \
	} while (0)
void machine_mutex_init(struct mutex *m, struct lock_class *class);
void mutex_destroy(struct mutex *m);
void mutex_lock(struct mutex *m);
int mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_held(const struct mutex *m);

#define lockdep_assert_held(m)                                               \
	do {                                                                 \
		if (!mutex_is_held(m))                                       \
			machine_fatal("%s: %s is not held, %s:%d", __func__, \
				      #m, __FILE__, __LINE__);               \
	} while (0)

/* An interrupt-safe lock: nothing may sleep while it is held. */
typedef struct mutex spinlock_t;
#define spin_lock_init(lock) mutex_init(lock)
void spin_lock(spinlock_t *lock);
int spin_trylock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);

struct rw_semaphore {
	pthread_rwlock_t lock;
	struct lock_class *class;
	struct lock_scope *writer;
};

#define init_rwsem(sem)                                                      \
	do {                                                                 \
		static struct lock_class class_ = {#sem, __FILE__, __LINE__, \
						   0};                       \
		machine_rwsem_init(sem, &class_);                            \
	} while (0)
void machine_rwsem_init(struct rw_semaphore *sem, struct lock_class *class);
void machine_rwsem_destroy(struct rw_semaphore *sem);
void down_read(struct rw_semaphore *sem);
void up_read(struct rw_semaphore *sem);
void down_write(struct rw_semaphore *sem);
void up_write(struct rw_semaphore *sem);
/* Whether this very scope has it for writing. */
bool rwsem_is_mine(const struct rw_semaphore *sem);

/* Sleeps, or may: not in an atomic section. @what is named if it is one. */
void might_sleep_in(const char *what);
#define might_sleep() might_sleep_in(__func__)
void cond_resched(void);
/* An atomic section, which is told by @why. */
void atomic_begin(const char *why);
void atomic_end(void);

/* With @jitter threads wait a little, at random, where they may sleep. */
void locks_start(bool jitter);
/* Lock order. A class alone may stand for what is not a lock but can wait. */
void lock_acquired(const void *lock, struct lock_class *class, bool waits);
void lock_released(const void *lock);
/* The kernel itself nests one in the other somewhere. */
void lock_order(struct lock_class *outer, struct lock_class *inner);
/* As if it were taken and released at once. */
void lock_might(struct lock_class *class);
bool lock_is_held(const void *lock);
/* The first lock that is held, or NULL. */
const struct lock_class *lock_any_held(void);
/* Memory is freed: no lock in it may be held. */
void lock_check_freed(const void *start, size_t size);

#endif /* MACHINE_BASE_LOCKS_H */
