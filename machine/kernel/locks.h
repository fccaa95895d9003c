/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Locks: models. They exclude, know their owners, and the order in which they
 * nest is recorded by the place where they are initialised, as lockdep does:
 * an order that could deadlock is a hard failure, whether it does or not.
 */
#ifndef MACHINE_KERNEL_LOCKS_H
#define MACHINE_KERNEL_LOCKS_H

#include <pthread.h>

#include "base.h"

struct context;

struct lock_class {
	const char *name;
	const char *file;
	int line;
	int id; /* 0 until it is first used */
};

struct mutex {
	pthread_mutex_t lock;
	struct lock_class *class; /* NULL: not initialised, or destroyed */
	struct context *owner;
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
void spin_unlock(spinlock_t *lock);

struct rw_semaphore {
	pthread_rwlock_t lock;
	struct lock_class *class;
	struct context *writer;
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

/* Sleeps, or may: not in an atomic section. @what is named if it is one. */
void might_sleep_in(const char *what);
#define might_sleep() might_sleep_in(__func__)
void cond_resched(void);

#endif /* MACHINE_KERNEL_LOCKS_H */
