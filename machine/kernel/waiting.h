/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Time, deferred work, waiting: models. With MACHINE_TEST_TIME a thread that
 * sleeps lets time pass, and work that falls due runs in it, in a context of
 * its own, as if another thread did it.
 */
#ifndef MACHINE_KERNEL_WAITING_H
#define MACHINE_KERNEL_WAITING_H

#include <stdio.h>

#include "base.h"
#include "../base/lists.h"

#define HZ 250

unsigned long machine_jiffies(void);
#define jiffies machine_jiffies()
#define time_after(a, b) ((long)((b) - (a)) < 0)

/* Stubs of the clock: real time, whatever the machine's own is. */
u64 ktime_get_ns(void);
time64_t ktime_get_seconds(void);

/* What is negative as an int is for ever. */
#define MAX_JIFFY_OFFSET ((unsigned long)(LONG_MAX >> 1) - 1)

static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	if ((int)ms < 0)
		return MAX_JIFFY_OFFSET;
	return DIV_ROUND_UP((unsigned long)ms * HZ, 1000);
}

struct task;
#define task_struct task
int fatal_signal_pending(struct task *task);
long schedule_timeout_killable(long timeout);

struct work_struct {
	void (*func)(struct work_struct *work);
};

struct delayed_work {
	struct work_struct work;
	struct list_head node; /* in the queue, ordered by expires */
	unsigned long expires;
	struct workqueue_struct *queue; /* where it is, or was last */
	bool pending;
	bool initialised;
};

#define to_delayed_work(w) container_of(w, struct delayed_work, work)

/* One thread serves all queues, one work after the other. */
#define WQ_UNBOUND 2
#define WQ_FREEZABLE 4
struct workqueue_struct;
struct workqueue_struct *alloc_workqueue(const char *format, unsigned int flags,
					 int max_active, ...);
void destroy_workqueue(struct workqueue_struct *queue);

#define INIT_DELAYED_WORK(w, f) machine_init_work(w, f)
void machine_init_work(struct delayed_work *w,
		       void (*f)(struct work_struct *work));
/* A work may be freed in its function. */
bool queue_delayed_work(struct workqueue_struct *queue, struct delayed_work *w,
			unsigned long delay);

typedef struct {
	bool initialised;
	unsigned long woken; /* times */
} wait_queue_head_t;

void init_waitqueue_head(wait_queue_head_t *head);
void wake_up_all(wait_queue_head_t *head);

/*
 * Until the condition holds, which is looked at again when somebody wakes. Of the
 * second: 0, or -ERESTARTSYS if the task is killed.
 */
#define wait_event(head, condition)                           \
	do {                                                  \
		unsigned long woken_;                         \
		for (;;) {                                    \
			woken_ = machine_woken(&(head));      \
			if (condition)                        \
				break;                        \
			machine_wait(&(head), woken_, false); \
		}                                             \
	} while (0)
#define wait_event_killable(head, condition)                        \
	({                                                          \
		unsigned long woken_;                               \
		int err_ = 0;                                       \
		for (;;) {                                          \
			woken_ = machine_woken(&(head));            \
			if (err_ || (condition))                    \
				break;                              \
			err_ = machine_wait(&(head), woken_, true); \
		}                                                   \
		err_;                                               \
	})
unsigned long machine_woken(wait_queue_head_t *head);
int machine_wait(wait_queue_head_t *head, unsigned long woken, bool killable);

struct completion {
	bool done; /* for all, for ever */
	wait_queue_head_t wait;
};

void init_completion(struct completion *x);
void complete_all(struct completion *x);
/* The time left, at least 1; 0 if it is over; -ERESTARTSYS if killed. */
long wait_for_completion_killable_timeout(struct completion *x,
					  unsigned long timeout);

/* ---- of the machine alone ---- */

void waiting_start(bool test_time);
/* Work of the machine's own, with all of INIT_DELAYED_WORK() done. */
void waiting_later(struct delayed_work *w, unsigned long delay);
/* It does not run any more, nor will. */
void waiting_cancel(struct delayed_work *w);
/* Lets time pass until @count is 0; false if that takes half a minute. */
bool waiting_for_none(const unsigned int *count);
/* Ends the worker; returns how much work was still pending. */
unsigned int waiting_stop(FILE *out);
/* Ends sleeps of tasks that have a fatal signal now. */
void waiting_signal(void);

#endif /* MACHINE_KERNEL_WAITING_H */
