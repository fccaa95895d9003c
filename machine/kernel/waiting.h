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
#include "lists.h"

#define HZ 250

unsigned long machine_jiffies(void);
#define jiffies machine_jiffies()
#define time_after(a, b) ((long)((b) - (a)) < 0)

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
	bool pending;
	bool initialised;
};

struct workqueue_struct;
extern struct workqueue_struct *const system_wq;

#define INIT_DELAYED_WORK(w, f) machine_init_work(w, f)
void machine_init_work(struct delayed_work *w,
		       void (*f)(struct work_struct *work));
bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *w,
		      unsigned long delay);
bool schedule_delayed_work(struct delayed_work *w, unsigned long delay);
bool cancel_delayed_work_sync(struct delayed_work *w);

typedef struct {
	bool initialised;
	unsigned long woken; /* times */
} wait_queue_head_t;

void init_waitqueue_head(wait_queue_head_t *head);
void wake_up_all(wait_queue_head_t *head);

/* Evaluates to 0 if the time is over and @cond still false, else to >= 1. */
#define wait_event_timeout(head, cond, timeout)                             \
	({                                                                  \
		long left_ = (timeout);                                     \
		bool done_;                                                 \
		for (;;) {                                                  \
			unsigned long woken_ = machine_wait_begin(&(head)); \
			done_ = (cond);                                     \
			machine_wait_checked();                             \
			if (done_ || !left_)                                \
				break;                                      \
			left_ = machine_wait(&(head), woken_, left_);       \
		}                                                           \
		done_ ? max(left_, 1L) : 0L;                                \
	})
/* From here to machine_wait_checked() nothing may sleep. */
unsigned long machine_wait_begin(const wait_queue_head_t *head);
void machine_wait_checked(void);
/* Until it is woken or the time is over; the time left. */
long machine_wait(wait_queue_head_t *head, unsigned long woken, long timeout);

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
/* The driver is about to be unloaded. */
void waiting_unload(void);
/* Lets time pass until @count is 0; false if that takes half a minute. */
bool waiting_for_none(const unsigned int *count);
/* Ends the worker; returns how much work was still pending. */
unsigned int waiting_stop(FILE *out);
/* Ends sleeps of tasks that have a fatal signal now. */
void waiting_signal(void);

#endif /* MACHINE_KERNEL_WAITING_H */
