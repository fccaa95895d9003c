// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Time, real or of the test's, and all that waits for it or for somebody. */
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "context.h"
#include "faults.h"
#include "user.h"
#include "vm.h"
#include "waiting.h"
#include "../xen/xen.h"

/* One lock and one condition for all waiting: there is little of it. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list_head queue; /* of delayed work, the next first */
	struct workqueue_struct *running; /* of the work that runs now */
	pthread_t worker;
	bool working;
	bool stopping;
	bool test_time;
	unsigned long now; /* jiffies, with test time */
	unsigned int queues; /* that there are */
	struct timespec epoch;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct workqueue_struct {
	char name[32];
};

static unsigned long real_jiffies(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec - waiting.epoch.tv_sec) * HZ +
	       (t.tv_nsec - waiting.epoch.tv_nsec) / (1000000000L / HZ);
}

unsigned long machine_jiffies(void)
{
	return waiting.test_time
		       ? __atomic_load_n(&waiting.now, __ATOMIC_RELAXED)
		       : real_jiffies();
}

/* Waits for a change; the lock is held. */
static void wait_jiffies(unsigned long timeout)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	timeout = min(timeout, 3600UL * HZ);
	until.tv_sec += timeout / HZ;
	until.tv_nsec += timeout % HZ * (1000000000L / HZ);
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&waiting.changed, &waiting.lock, &until);
}

static void announce(void)
{
	pthread_cond_broadcast(&waiting.changed);
}

/* The work that is due, taken from the queue; the lock is held. */
static struct delayed_work *take_due(void)
{
	struct delayed_work *w;

	if (list_empty(&waiting.queue) || waiting.running)
		return NULL;
	w = list_first_entry(&waiting.queue, struct delayed_work, node);
	if (time_after(w->expires, machine_jiffies()))
		return NULL;
	list_del(&w->node);
	w->pending = false;
	waiting.running = w->queue;

	return w;
}

/* Runs it as a thread of the kernel's own; the lock is held, but not then. */
static void run_work(struct delayed_work *w)
{
	struct context c;

	pthread_mutex_unlock(&waiting.lock);
	context_enter(&c, NULL, NULL);
	w->work.func(&w->work);
	context_leave(&c);
	pthread_mutex_lock(&waiting.lock);
	waiting.running = NULL;
	announce();
}

static void *worker(void *arg)
{
	struct delayed_work *w;
	unsigned long now, next;

	pthread_mutex_lock(&waiting.lock);
	while (!waiting.stopping) {
		w = take_due();
		if (w) {
			run_work(w);
			continue;
		}
		now = machine_jiffies();
		next = now + HZ;
		if (!list_empty(&waiting.queue))
			next = list_first_entry(&waiting.queue,
						struct delayed_work, node)
				       ->expires;
		wait_jiffies(time_after(next, now) ? next - now : 1);
	}
	pthread_mutex_unlock(&waiting.lock);

	return arg;
}

/* Test time goes to @until, through all that falls due; the lock is held. */
static void pass_time(unsigned long until)
{
	struct delayed_work *w;

	for (;;) {
		w = take_due();
		if (w) {
			run_work(w);
			continue;
		}
		w = list_empty(&waiting.queue) || waiting.running
			    ? NULL
			    : list_first_entry(&waiting.queue,
					       struct delayed_work, node);
		if (!w || time_after(w->expires, until))
			break;
		__atomic_store_n(&waiting.now, w->expires, __ATOMIC_RELAXED);
	}
	if (time_after(until, waiting.now))
		__atomic_store_n(&waiting.now, until, __ATOMIC_RELAXED);
}

void machine_advance(unsigned int milliseconds)
{
	if (!waiting.test_time)
		machine_fatal("machine_advance needs MACHINE_TEST_TIME");
	pthread_mutex_lock(&waiting.lock);
	pass_time(waiting.now + msecs_to_jiffies(milliseconds));
	pthread_mutex_unlock(&waiting.lock);
}

bool waiting_for_none(const unsigned int *count)
{
	unsigned long until = machine_jiffies() + 30UL * HZ;

	pthread_mutex_lock(&waiting.lock);
	while (__atomic_load_n(count, __ATOMIC_SEQ_CST) &&
	       time_after(until, machine_jiffies())) {
		if (waiting.test_time)
			pass_time(waiting.now + 1);
		else
			wait_jiffies(1);
	}
	pthread_mutex_unlock(&waiting.lock);

	return !__atomic_load_n(count, __ATOMIC_SEQ_CST);
}

void waiting_start(bool test_time)
{
	pthread_condattr_t attr;

	waiting.test_time = test_time;
	waiting.queues = 0;
	waiting.stopping = false;
	/* As in the kernel: it wraps early, for those who forget that. */
	waiting.now = -(300UL * HZ);
	INIT_LIST_HEAD(&waiting.queue);
	clock_gettime(CLOCK_MONOTONIC, &waiting.epoch);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&waiting.changed, &attr);
	pthread_condattr_destroy(&attr);
	if (test_time)
		return;

	if (pthread_create(&waiting.worker, NULL, worker, NULL))
		machine_fatal("no thread for deferred work");
	waiting.working = true;
}

unsigned int waiting_stop(FILE *out)
{
	unsigned int count = 0;
	struct delayed_work *w;

	pthread_mutex_lock(&waiting.lock);
	waiting.stopping = true;
	announce();
	pthread_mutex_unlock(&waiting.lock);
	if (waiting.working)
		pthread_join(waiting.worker, NULL);
	waiting.working = false;
	pthread_cond_destroy(&waiting.changed);

	list_for_each_entry(w, &waiting.queue, node) {
		count++;
		if (out)
			fprintf(out, "machine: deferred work is left behind\n");
	}
	INIT_LIST_HEAD(&waiting.queue);
	if (waiting.queues && out)
		fprintf(out, "machine: %u workqueues are left behind\n",
			waiting.queues);

	return count + waiting.queues;
}

void waiting_signal(void)
{
	pthread_mutex_lock(&waiting.lock);
	announce();
	pthread_mutex_unlock(&waiting.lock);
}

static void read_clock(struct timespec *now)
{
	clock_gettime(CLOCK_MONOTONIC, now);
}

u64 ktime_get_ns(void)
{
	struct timespec now;

	read_clock(&now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

time64_t ktime_get_seconds(void)
{
	struct timespec now;

	read_clock(&now);
	return now.tv_sec;
}

int fatal_signal_pending(struct task *task)
{
	struct context *c = context();
	unsigned int variant;

	if (task != c->task)
		machine_fatal("fatal_signal_pending of another task");
	if (fault(SITE_SIGNAL, &variant))
		c->dying = true;
	return c->dying || task_is_killed(task);
}

/*
 * Who waits for what is made to fail for ever, or for a handle that nobody gives
 * back, is killed one day.
 */
bool task_may_wait_for_ever(const struct task *task)
{
	bool none;

	hypervisor_lock();
	none = domain_has_no_handle(task->domain);
	hypervisor_unlock();

	return none || machine_failed();
}

long schedule_timeout_killable(long timeout)
{
	struct task *task = context()->task;
	unsigned long until = machine_jiffies() + timeout;
	long left;

	might_sleep();
	user_settle();
	if (!task)
		machine_fatal("a thread of the kernel's own waits for a signal");
	if (fatal_signal_pending(task))
		return timeout;

	pthread_mutex_lock(&waiting.lock);
	if (waiting.test_time)
		pass_time(until);
	while (!task_is_killed(task) && time_after(until, machine_jiffies()))
		wait_jiffies(until - machine_jiffies());
	left = until - machine_jiffies();
	pthread_mutex_unlock(&waiting.lock);

	return max(left, 0L);
}

void machine_init_work(struct delayed_work *w,
		       void (*f)(struct work_struct *work))
{
	memset(w, 0, sizeof(*w));
	w->work.func = f;
	w->initialised = true;
}

/* Puts it into the queue; the lock is held. */
static void enqueue(struct delayed_work *w, unsigned long delay)
{
	struct delayed_work *other;
	struct list_head *before = &waiting.queue;

	w->expires = machine_jiffies() + delay;
	w->pending = true;
	list_for_each_entry(other, &waiting.queue, node) {
		if (time_after(other->expires, w->expires)) {
			before = &other->node;
			break;
		}
	}
	list_add_tail(&w->node, before);
	announce();
}

struct workqueue_struct *alloc_workqueue(const char *format, unsigned int flags,
					 int max_active, ...)
{
	struct workqueue_struct *queue;
	unsigned int variant;
	va_list args;

	might_sleep();
	if ((flags & ~WQ_FREEZABLE) != WQ_UNBOUND)
		machine_fatal("a workqueue with flags %#x is not modelled",
			      flags);
	if (fault(SITE_WORKQUEUE, &variant))
		return NULL;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		machine_fatal("no memory for a workqueue");
	va_start(args, max_active);
	vsnprintf(queue->name, sizeof(queue->name), format, args);
	va_end(args);
	pthread_mutex_lock(&waiting.lock);
	waiting.queues++;
	pthread_mutex_unlock(&waiting.lock);

	return queue;
}

void destroy_workqueue(struct workqueue_struct *queue)
{
	struct delayed_work *w;

	might_sleep();
	pthread_mutex_lock(&waiting.lock);
	list_for_each_entry(w, &waiting.queue, node) {
		if (w->queue == queue)
			machine_fatal(
				"the workqueue %s goes with work that is yet to come",
				queue->name);
	}
	while (waiting.running == queue)
		wait_jiffies(1);
	waiting.queues--;
	pthread_mutex_unlock(&waiting.lock);
	free(queue);
}

bool queue_delayed_work(struct workqueue_struct *queue, struct delayed_work *w,
			unsigned long delay)
{
	bool was;

	if (!w->initialised)
		machine_fatal("delayed work is used that is not initialised");
	if (!queue)
		machine_fatal("delayed work goes to no workqueue");
	pthread_mutex_lock(&waiting.lock);
	was = w->pending;
	if (!was) {
		w->queue = queue;
		enqueue(w, delay);
	}
	pthread_mutex_unlock(&waiting.lock);

	return !was;
}

/* Of other parts of the kernel than the driver, which have one queue. */
static struct workqueue_struct own = {.name = "events"};

void waiting_later(struct delayed_work *w, unsigned long delay)
{
	queue_delayed_work(&own, w, delay);
}

void waiting_cancel(struct delayed_work *w)
{
	pthread_mutex_lock(&waiting.lock);
	if (w->pending)
		list_del(&w->node);
	w->pending = false;
	while (waiting.running == &own)
		wait_jiffies(1);
	pthread_mutex_unlock(&waiting.lock);
}

void init_waitqueue_head(wait_queue_head_t *head)
{
	head->initialised = true;
	head->woken = 0;
}

void wake_up_all(wait_queue_head_t *head)
{
	if (!head->initialised)
		machine_fatal("a wait queue is used that is not initialised");
	pthread_mutex_lock(&waiting.lock);
	head->woken++;
	announce();
	pthread_mutex_unlock(&waiting.lock);
}

/* Until something changes that may end a wait; the lock is held. */
static void wait_some(unsigned long until)
{
	struct delayed_work *w;

	if (!waiting.test_time) {
		wait_jiffies(until - machine_jiffies());
	} else if (list_empty(&waiting.queue)) {
		pass_time(until);
	} else {
		/* No further than to what may wake it. */
		w = list_first_entry(&waiting.queue, struct delayed_work, node);
		pass_time(time_after(w->expires, until) ? until : w->expires);
	}
}

unsigned long machine_woken(wait_queue_head_t *head)
{
	unsigned long woken;

	might_sleep();
	if (!head->initialised)
		machine_fatal("a wait queue is used that is not initialised");
	pthread_mutex_lock(&waiting.lock);
	woken = head->woken;
	pthread_mutex_unlock(&waiting.lock);

	return woken;
}

int machine_wait(wait_queue_head_t *head, unsigned long woken, bool killable)
{
	struct task *task = context()->task;
	bool killed = false;

	if (killable && !task)
		machine_fatal("a thread of the kernel's own waits for a signal");
	pthread_mutex_lock(&waiting.lock);
	while (head->woken == woken &&
	       !(killed = killable && task_is_killed(task)))
		wait_some(machine_jiffies() + HZ);
	pthread_mutex_unlock(&waiting.lock);

	return killed ? -ERESTARTSYS : 0;
}

/* ---- completions ---- */

void init_completion(struct completion *x)
{
	x->done = false;
	init_waitqueue_head(&x->wait);
}

void complete_all(struct completion *x)
{
	pthread_mutex_lock(&waiting.lock);
	x->done = true;
	pthread_mutex_unlock(&waiting.lock);
	wake_up_all(&x->wait);
}

long wait_for_completion_killable_timeout(struct completion *x,
					  unsigned long timeout)
{
	unsigned long until = machine_jiffies() + timeout;
	struct task *task = context()->task;
	bool killed, done;
	long left;

	might_sleep();
	user_flush();
	if (!task)
		machine_fatal("a thread of the kernel's own waits for a signal");
	if (!x->wait.initialised)
		machine_fatal(
			"a completion is waited for that is not initialised");
	killed = fatal_signal_pending(task);

	pthread_mutex_lock(&waiting.lock);
	while (!x->done && !(killed |= task_is_killed(task)) &&
	       time_after(until, machine_jiffies()))
		wait_some(until);
	done = x->done;
	left = until - machine_jiffies();
	pthread_mutex_unlock(&waiting.lock);

	if (done)
		return max(left, 1L);
	return killed ? -ERESTARTSYS : 0;
}
