// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Locks, their owners, and the order in which they nest. */
#include <time.h>

#include "locks.h"

#define MAX_CLASSES 32

static bool jittering;
static _Thread_local struct lock_scope bottom;
static _Thread_local struct lock_scope *here;

/* Which class was ever taken inside which; never forgotten. */
static struct {
	pthread_mutex_t lock;
	int classes;
	struct lock_class *class[MAX_CLASSES];
	unsigned char inside[MAX_CLASSES][MAX_CLASSES]; /* [outer][inner] */
} order = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct lock_scope *lock_scope(void)
{
	return here ? here : &bottom;
}

void lock_scope_enter(struct lock_scope *s)
{
	memset(s, 0, sizeof(*s));
	s->outer = lock_scope();
	here = s;
}

void lock_scope_leave(struct lock_scope *s)
{
	if (here != s)
		machine_fatal(
			"the kernel is left in another order than entered");
	if (s->nheld)
		machine_fatal("%s is still held on return to the program",
			      s->held[s->nheld - 1].class->name);
	if (s->atomic)
		machine_fatal("still atomic on return to the program: %s",
			      s->atomic_why);
	here = s->outer;
}

static int class_id(struct lock_class *class)
{
	int id = __atomic_load_n(&class->id, __ATOMIC_ACQUIRE);

	if (id)
		return id;

	pthread_mutex_lock(&order.lock);
	if (!class->id) {
		if (order.classes + 1 == MAX_CLASSES)
			machine_fatal("more than %d classes of locks",
				      MAX_CLASSES - 1);
		id = ++order.classes;
		order.class[id] = class;
		__atomic_store_n(&class->id, id, __ATOMIC_RELEASE);
	}
	id = class->id;
	pthread_mutex_unlock(&order.lock);

	return id;
}

/* Whether some chain of nestings leads from one class to the other. */
static bool reaches(int from, int to, unsigned int *seen)
{
	int next;

	if (from == to)
		return true;
	*seen |= 1U << from;
	for (next = 1; next <= order.classes; next++) {
		if (order.inside[from][next] && !(*seen & 1U << next) &&
		    reaches(next, to, seen))
			return true;
	}

	return false;
}

static void add_order(struct lock_class *outer, struct lock_class *inner)
{
	int o = class_id(outer), i = class_id(inner);
	unsigned int seen = 0;

	if (__atomic_load_n(&order.inside[o][i], __ATOMIC_ACQUIRE))
		return;
	if (o == i)
		machine_fatal("%s (%s:%d) is taken inside another of its kind",
			      inner->name, inner->file, inner->line);

	pthread_mutex_lock(&order.lock);
	if (reaches(i, o, &seen))
		machine_fatal(
			"lock order: %s (%s:%d) is taken inside %s (%s:%d), which elsewhere nests the other way round",
			inner->name, inner->file, inner->line, outer->name,
			outer->file, outer->line);
	__atomic_store_n(&order.inside[o][i], 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&order.lock);
}

void lock_might(struct lock_class *class)
{
	struct lock_scope *c = lock_scope();
	unsigned int i;

	for (i = 0; i < c->nheld; i++) {
		if (c->held[i].class != class)
			add_order(c->held[i].class, class);
	}
}

void lock_acquired(const void *lock, struct lock_class *class, bool waits)
{
	struct lock_scope *c = lock_scope();
	unsigned int i;

	if (c->nheld == MAX_HELD)
		machine_fatal("more than %d locks are held", MAX_HELD);
	/* Who does not wait for a lock cannot deadlock on it. */
	for (i = 0; waits && i < c->nheld; i++)
		add_order(c->held[i].class, class);
	c->held[c->nheld++] = (struct held_lock){lock, class};
}

void lock_released(const void *lock)
{
	struct lock_scope *c = lock_scope();
	unsigned int i;

	for (i = c->nheld; i-- > 0;) {
		if (c->held[i].lock != lock)
			continue;
		memmove(&c->held[i], &c->held[i + 1],
			(c->nheld - i - 1) * sizeof(c->held[0]));
		c->nheld--;
		return;
	}
	machine_fatal("a lock is released that is not held");
}

void lock_order(struct lock_class *outer, struct lock_class *inner)
{
	add_order(outer, inner);
}

void locks_start(bool jitter_them)
{
	jittering = jitter_them;
}

bool lock_is_held(const void *lock)
{
	struct lock_scope *c = lock_scope();
	unsigned int i;

	for (i = 0; i < c->nheld; i++) {
		if (c->held[i].lock == lock)
			return true;
	}

	return false;
}

const struct lock_class *lock_any_held(void)
{
	struct lock_scope *c = lock_scope();

	return c->nheld ? c->held[c->nheld - 1].class : NULL;
}

void lock_check_freed(const void *start, size_t size)
{
	struct lock_scope *c = lock_scope();
	unsigned int i;

	for (i = 0; i < c->nheld; i++) {
		if ((uintptr_t)c->held[i].lock - (uintptr_t)start < size)
			machine_fatal("memory is freed with %s in it, held",
				      c->held[i].class->name);
	}
}

/* Gives way to another thread, now and then. */
static void jitter(void)
{
	static _Thread_local u32 state;
	struct timespec moment = {0, 0};

	if (!state)
		state = (u32)(uintptr_t)&state | 1;
	state = state * 1664525 + 1013904223;
	if (state >> 29)
		return;
	moment.tv_nsec = state >> 16 & 0xfff;
	nanosleep(&moment, NULL);
}

void might_sleep_in(const char *what)
{
	struct lock_scope *c = lock_scope();

	if (c->atomic)
		machine_fatal("%s may sleep, but this is atomic: %s", what,
			      c->atomic_why);
	if (jittering)
		jitter();
}

void cond_resched(void)
{
	might_sleep();
}

void machine_mutex_init(struct mutex *m, struct lock_class *class)
{
	pthread_mutex_init(&m->lock, NULL);
	m->class = class;
	m->owner = NULL;
}

void mutex_destroy(struct mutex *m)
{
	if (!m->class)
		machine_fatal("mutex_destroy: not initialised, or twice");
	if (m->owner)
		machine_fatal("mutex_destroy: %s is held", m->class->name);
	pthread_mutex_destroy(&m->lock);
	m->class = NULL;
}

static void mutex_take(struct mutex *m, bool waits)
{
	lock_acquired(m, m->class, waits);
	if (waits)
		pthread_mutex_lock(&m->lock);
	__atomic_store_n(&m->owner, lock_scope(), __ATOMIC_RELAXED);
}

static void check_owner(const struct mutex *m)
{
	const struct lock_scope *owner, *c;

	if (!m->class)
		machine_fatal("a lock is taken that is not initialised");
	owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
	for (c = lock_scope(); owner && c; c = c->outer) {
		if (c == owner)
			machine_fatal("%s is taken by its own holder",
				      m->class->name);
	}
}

void mutex_lock(struct mutex *m)
{
	might_sleep();
	check_owner(m);
	mutex_take(m, true);
}

int mutex_trylock(struct mutex *m)
{
	if (!m->class)
		machine_fatal("a lock is taken that is not initialised");
	if (pthread_mutex_trylock(&m->lock))
		return 0;
	mutex_take(m, false);
	return 1;
}

void mutex_unlock(struct mutex *m)
{
	if (m->owner != lock_scope())
		machine_fatal("%s is released by another than its owner",
			      m->class ? m->class->name : "a lock");
	__atomic_store_n(&m->owner, NULL, __ATOMIC_RELAXED);
	lock_released(m);
	pthread_mutex_unlock(&m->lock);
}

bool mutex_is_held(const struct mutex *m)
{
	return __atomic_load_n(&m->owner, __ATOMIC_RELAXED) == lock_scope();
}

void atomic_begin(const char *why)
{
	struct lock_scope *c = lock_scope();

	c->atomic++;
	c->atomic_why = why;
}

void atomic_end(void)
{
	lock_scope()->atomic--;
}

void spin_lock(spinlock_t *lock)
{
	check_owner(lock);
	mutex_take(lock, true);
	atomic_begin(lock->class->name);
}

int spin_trylock(spinlock_t *lock)
{
	if (!mutex_trylock(lock))
		return 0;
	atomic_begin(lock->class->name);
	return 1;
}

void spin_unlock(spinlock_t *lock)
{
	atomic_end();
	mutex_unlock(lock);
}

void machine_rwsem_init(struct rw_semaphore *sem, struct lock_class *class)
{
	pthread_rwlock_init(&sem->lock, NULL);
	sem->class = class;
	sem->writer = NULL;
}

void machine_rwsem_destroy(struct rw_semaphore *sem)
{
	pthread_rwlock_destroy(&sem->lock);
}

void down_read(struct rw_semaphore *sem)
{
	might_sleep();
	if (lock_is_held(sem))
		machine_fatal("%s is taken by its own holder",
			      sem->class->name);
	lock_acquired(sem, sem->class, true);
	pthread_rwlock_rdlock(&sem->lock);
}

void up_read(struct rw_semaphore *sem)
{
	lock_released(sem);
	pthread_rwlock_unlock(&sem->lock);
}

void down_write(struct rw_semaphore *sem)
{
	might_sleep();
	if (lock_is_held(sem))
		machine_fatal("%s is taken by its own holder",
			      sem->class->name);
	lock_acquired(sem, sem->class, true);
	pthread_rwlock_wrlock(&sem->lock);
	__atomic_store_n(&sem->writer, lock_scope(), __ATOMIC_RELAXED);
}

bool rwsem_is_mine(const struct rw_semaphore *sem)
{
	return sem->writer == lock_scope();
}

void up_write(struct rw_semaphore *sem)
{
	if (!rwsem_is_mine(sem))
		machine_fatal("%s is released by another than its owner",
			      sem->class->name);
	__atomic_store_n(&sem->writer, NULL, __ATOMIC_RELAXED);
	lock_released(sem);
	pthread_rwlock_unlock(&sem->lock);
}
