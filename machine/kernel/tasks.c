// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Tasks: their calls, how they come and go. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "calls.h"
#include "descriptors.h"
#include "files.h"
#include "user.h"
#include "waiting.h"
#include "../xen/xen.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct list_head all;
} tasks = {PTHREAD_MUTEX_INITIALIZER,
	   PTHREAD_COND_INITIALIZER,
	   {&tasks.all, &tasks.all}};

struct task *machine_current(void)
{
	struct task *task = context()->task;

	if (!task)
		machine_fatal("current in a thread of the kernel's own");
	return task;
}

void call_begin(struct context *c, struct task *task, struct domain *domain)
{
	if (task) {
		pthread_mutex_lock(&tasks.lock);
		task->calls++;
		pthread_mutex_unlock(&tasks.lock);
		domain = task->domain;
	}
	context_enter(c, task, domain);
}

void call_end(struct context *c)
{
	struct task *task = c->task;
	struct file *released;

	/* With no lock held, on the way back to the program. */
	while (!lock_any_held() && (released = c->released)) {
		c->released = NULL;
		files_release(released);
	}
	context_leave(c);
	if (!task)
		return;
	pthread_mutex_lock(&tasks.lock);
	task->calls--;
	pthread_cond_broadcast(&tasks.returned);
	pthread_mutex_unlock(&tasks.lock);
}

struct task *task_new(struct domain *d, pid_t pid)
{
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		machine_fatal("no memory for a task");
	task->domain = d;
	task->maps = -1;
	task->group_leader = task;
	task_set_pid(task, pid);
	task->mm = mm_new(task);
	INIT_LIST_HEAD(&task->opened);
	task->files = descriptors_new(task);
	pthread_mutex_lock(&tasks.lock);
	list_add_tail(&task->node, &tasks.all);
	pthread_mutex_unlock(&tasks.lock);

	return task;
}

int task_fork(struct task *parent, pid_t pid, struct task **child)
{
	struct context c;
	int err;

	*child = task_new(parent->domain, pid);
	memcpy((*child)->comm, parent->comm, TASK_COMM_LEN);
	call_begin(&c, parent, NULL);
	err = copy_mm(parent->mm, (*child)->mm);
	holders_fork(parent, *child);
	descriptors_fork(parent, *child);
	call_end(&c);
	if (err)
		task_exit(*child);

	return err;
}

void task_kill(struct task *task)
{
	__atomic_store_n(&task->killed, 1, __ATOMIC_RELEASE);
	waiting_signal();
}

/* All VMAs go, as at exit and at exec. */
static void drop_mm(struct task *task)
{
	struct mm_struct *mm = task->mm;

	mm_close(mm);
	notifiers_released(mm);
	/* Exit asks no driver whether a VMA may be parted: whole ones go. */
	down_write(&mm->mmap_lock);
	if (unmap_part(mm, 0, ULONG_MAX & PAGE_MASK))
		machine_fatal("a driver refuses that a process exits");
	up_write(&mm->mmap_lock);
}

void task_exec(struct task *task)
{
	struct context c;

	call_begin(&c, task, NULL);
	drop_mm(task);
	mm_reopen(task->mm);
	call_end(&c);
	user_maps_forget(task);
	descriptors_exec(task);
}

void task_exit(struct task *task)
{
	struct context c;

	task_kill(task);
	pthread_mutex_lock(&tasks.lock);
	while (task->calls)
		pthread_cond_wait(&tasks.returned, &tasks.lock);
	pthread_mutex_unlock(&tasks.lock);

	call_begin(&c, task, NULL);
	drop_mm(task);
	call_end(&c);

	descriptors_exit(task);
	holders_exit(task);
	pthread_mutex_lock(&tasks.lock);
	list_del(&task->node);
	pthread_mutex_unlock(&tasks.lock);
	mm_free(task->mm);
	user_maps_forget(task);
	free(task);
}

struct domain *task_domain(const struct task *task)
{
	return task->domain;
}

pid_t task_pid(const struct task *task)
{
	return task->pid;
}

void task_set_name(struct task *task, const char *name)
{
	snprintf(task->comm, sizeof(task->comm), "%s", name);
}

void task_set_pid(struct task *task, pid_t pid)
{
	task->pid = pid;
	task->here = pid == getpid();
	if (task->mm)
		task->mm->pid = pid;
}

void tasks_each(void (*fn)(struct task *task, void *arg), void *arg)
{
	struct task *task;

	pthread_mutex_lock(&tasks.lock);
	list_for_each_entry(task, &tasks.all, node)
		fn(task, arg);
	pthread_mutex_unlock(&tasks.lock);
}

unsigned int tasks_leaks(FILE *out)
{
	unsigned int count = 0;
	struct task *task;

	while (!list_empty(&tasks.all)) {
		task = list_first_entry(&tasks.all, struct task, node);
		if (out)
			fprintf(out,
				"machine: task %d of domain %u never exited\n",
				(int)task->pid, domain_id(task->domain));
		count++;
		task_exit(task);
	}

	return count;
}
