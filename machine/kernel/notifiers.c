// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * MMU notifiers. While entries of an address space are changed, its sequence
 * number is odd; a notifier whose range is touched takes that number over, and
 * whoever uses what the notifier guards compares.
 */
#include <pthread.h>

#include "context.h"
#include "faults.h"
#include "vm.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

static bool overlaps(const struct mmu_interval_notifier *sub,
		     unsigned long start, unsigned long end)
{
	return sub->start < end && start < sub->end;
}

int mmu_interval_notifier_insert_locked(
	struct mmu_interval_notifier *sub, struct mm_struct *mm,
	unsigned long start, unsigned long length,
	const struct mmu_interval_notifier_ops *ops)
{
	unsigned int variant;

	might_sleep();
	lock_might(&class_reclaim);
	if (!rwsem_is_mine(&mm->mmap_lock))
		machine_fatal(
			"mmu_interval_notifier_insert_locked without mmap_lock");
	if (fault(SITE_NOTIFIER, &variant))
		return variant ? -EINTR : -ENOMEM;

	pthread_mutex_lock(&lock);
	sub->ops = ops;
	sub->mm = mm;
	sub->start = start;
	sub->end = start + length;
	/* Until the end of all changes it is not looked at by any. */
	sub->deferred = mm->seq & 1;
	/* Else odd and old: no change that is under way concerns it. */
	sub->seq = sub->deferred ? mm->seq : (mm->seq | 1) - 2;
	list_add_tail(&sub->node, &mm->notifiers);
	pthread_mutex_unlock(&lock);

	return 0;
}

void mmu_interval_notifier_remove(struct mmu_interval_notifier *sub)
{
	struct mm_struct *mm = sub->mm;

	might_sleep();
	lock_might(&class_notifier);
	if (!mm)
		machine_fatal(
			"an MMU notifier is removed that was not inserted");
	if (context()->invalidating)
		machine_fatal("an MMU notifier is removed in a notifier");

	pthread_mutex_lock(&lock);
	list_del(&sub->node);
	sub->mm = NULL;
	while (mm->invalidations && mm->seq & 1)
		pthread_cond_wait(&ended, &lock);
	pthread_mutex_unlock(&lock);
}

unsigned long mmu_interval_read_begin(struct mmu_interval_notifier *sub)
{
	struct mm_struct *mm = sub->mm;
	unsigned long seq;

	might_sleep();
	lock_might(&class_notifier);
	if (!mm)
		machine_fatal("an MMU notifier is read that is not inserted");

	pthread_mutex_lock(&lock);
	/* A notifier that is called just now sets it without this lock. */
	seq = __atomic_load_n(&sub->seq, __ATOMIC_ACQUIRE);
	while (mm->seq & 1 && seq == mm->seq) {
		pthread_cond_wait(&ended, &lock);
		seq = __atomic_load_n(&sub->seq, __ATOMIC_ACQUIRE);
	}
	pthread_mutex_unlock(&lock);

	return seq;
}

bool mmu_interval_read_retry(struct mmu_interval_notifier *sub,
			     unsigned long seq)
{
	return __atomic_load_n(&sub->seq, __ATOMIC_ACQUIRE) != seq;
}

void mmu_interval_set_seq(struct mmu_interval_notifier *sub, unsigned long seq)
{
	if (!context()->invalidating)
		machine_fatal("mmu_interval_set_seq outside of a notifier");
	__atomic_store_n(&sub->seq, seq, __ATOMIC_RELEASE);
}

/* Calls one notifier as the kernel does; false if it could not act. */
static bool invalidate(struct mmu_interval_notifier *sub,
		       const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	struct context *c = context();
	bool blockable = mmu_notifier_range_blockable(range);
	bool done;

	lock_acquired(&class_notifier, &class_notifier, true);
	c->invalidating = true;
	if (!blockable) {
		atomic_begin("an MMU notifier that may not sleep");
	}
	done = sub->ops->invalidate(sub, range, seq);
	if (!blockable)
		atomic_end();
	c->invalidating = false;
	lock_released(&class_notifier);

	if (!done && blockable)
		machine_fatal("an MMU notifier that may sleep did not act");
	if (done && mmu_interval_read_retry(sub, seq))
		machine_fatal("an MMU notifier did not take the sequence over");

	return done;
}

/* One that is in the range and was not told yet; the lock is held. */
static struct mmu_interval_notifier *next_to_tell(struct mm_struct *mm,
						  unsigned long start,
						  unsigned long end,
						  unsigned long serial)
{
	struct mmu_interval_notifier *sub;

	list_for_each_entry(sub, &mm->notifiers, node) {
		if (!sub->deferred && overlaps(sub, start, end) &&
		    sub->told != serial) {
			sub->told = serial;
			return sub;
		}
	}

	return NULL;
}

bool notify_begin(struct mm_struct *mm, unsigned long start, unsigned long end,
		  enum mmu_notifier_event event, bool blockable)
{
	struct mmu_notifier_range range = {
		.mm = mm,
		.start = start,
		.end = end,
		.flags = blockable ? MMU_NOTIFIER_RANGE_BLOCKABLE : 0,
		.event = event,
	};
	static unsigned long serials;
	struct mmu_interval_notifier *sub;
	unsigned long seq, serial;
	bool all = true;

	pthread_mutex_lock(&lock);
	serial = ++serials;
	mm->invalidations++;
	sub = next_to_tell(mm, start, end, serial);
	if (sub)
		mm->seq |= 1;
	seq = mm->seq;
	/* One that is removed meanwhile waits for the end of this. */
	for (; sub; sub = next_to_tell(mm, start, end, serial)) {
		pthread_mutex_unlock(&lock);
		all &= invalidate(sub, &range, seq);
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);

	return all;
}

void notify_end(struct mm_struct *mm)
{
	struct mmu_interval_notifier *sub;

	pthread_mutex_lock(&lock);
	if (!--mm->invalidations && mm->seq & 1) {
		mm->seq++;
		list_for_each_entry(sub, &mm->notifiers, node)
			sub->deferred = false;
	}
	pthread_cond_broadcast(&ended);
	pthread_mutex_unlock(&lock);
}

/* The address space goes: before anything else, all are told. */
void notifiers_released(struct mm_struct *mm)
{
	notify_begin(mm, 0, ULONG_MAX, MMU_NOTIFY_RELEASE, true);
	notify_end(mm);
}
