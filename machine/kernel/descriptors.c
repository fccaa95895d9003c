// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Descriptors by number: a table of the machine's, or the programs' real ones. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "context.h"
#include "descriptors.h"
#include "faults.h"
#include "vm.h"

/* Numbers that a program has from its start. */
#define FIRST 3
#define MOST 1024

/* The table of a task, for who has no better one. */
struct files_struct {
	struct task *task;
	pthread_mutex_t lock;
	struct descriptor {
		struct file *file;
		bool taken; /* has a file, or will have one */
		bool cloexec;
	} *all;
	int size; /* of it: most tasks never have one */
};

static const struct machine_descriptors *numbers;

struct files_struct *descriptors_new(struct task *task)
{
	struct files_struct *files = calloc(1, sizeof(*files));

	if (!files)
		machine_fatal("no memory for a table of descriptors");
	pthread_mutex_init(&files->lock, NULL);
	files->task = task;

	return files;
}

/* ---- the table ---- */

/* The lock is held. */
static void table_grow(struct files_struct *files, int size)
{
	if (size <= files->size)
		return;
	size = (size + 15) / 16 * 16;
	files->all = realloc(files->all, size * sizeof(*files->all));
	if (!files->all)
		machine_fatal("no memory for a table of descriptors");
	memset(files->all + files->size, 0,
	       (size - files->size) * sizeof(*files->all));
	files->size = size;
}

static int table_reserve(struct task *task, int flags)
{
	struct files_struct *files = task->files;
	int fd;

	pthread_mutex_lock(&files->lock);
	for (fd = FIRST; fd < files->size && files->all[fd].taken; fd++)
		;
	if (fd < MOST) {
		table_grow(files, fd + 1);
		files->all[fd] = (struct descriptor){
			.taken = true,
			.cloexec = flags & O_CLOEXEC,
		};
	}
	pthread_mutex_unlock(&files->lock);

	return fd < MOST ? fd : -EMFILE;
}

static void table_set(struct files_struct *files, int fd, struct file *file,
		      const char *what)
{
	pthread_mutex_lock(&files->lock);
	if (fd < 0 || fd >= files->size || !files->all[fd].taken ||
	    files->all[fd].file)
		machine_fatal("%s of number %d, which is not reserved", what,
			      fd);
	files->all[fd].file = file;
	files->all[fd].taken = file;
	pthread_mutex_unlock(&files->lock);
}

static void table_cancel(struct task *task, int fd)
{
	table_set(task->files, fd, NULL, "put_unused_fd");
}

static void table_install(struct task *task, int fd, struct file *file)
{
	table_set(task->files, fd, file, "fd_install");
}

static struct file *table_find(struct task *task, unsigned int fd)
{
	struct files_struct *files = task->files;
	struct file *file = NULL;

	pthread_mutex_lock(&files->lock);
	if (fd < (unsigned int)files->size)
		file = files->all[fd].file;
	if (file)
		get_file(file);
	pthread_mutex_unlock(&files->lock);

	return file;
}

static const struct machine_descriptors table = {
	.reserve = table_reserve,
	.cancel = table_cancel,
	.install = table_install,
	.find = table_find,
};

void descriptors_start(const struct machine_descriptors *real)
{
	numbers = real ?: &table;
}

/* ---- calls of the kernel's ---- */

int get_unused_fd_flags(unsigned int flags)
{
	unsigned int variant;

	might_sleep();
	if (fault(SITE_DESCRIPTOR, &variant))
		return -EMFILE;
	return numbers->reserve(current, flags);
}

void put_unused_fd(unsigned int fd)
{
	numbers->cancel(current, fd);
}

void fd_install(unsigned int fd, struct file *file)
{
	file_describe(file);
	numbers->install(current, fd, file);
}

struct file *descriptor_get(unsigned int fd)
{
	return numbers->find(current, fd);
}

/* Drops what the model itself held: that must not wait for a call's end. */
static void drop(struct file *file)
{
	struct context c;

	context_enter(&c, NULL, NULL);
	fput(file);
	context_leave(&c);
}

static int look(struct task *task, unsigned int n,
		int (*f)(const void *arg, struct file *file, unsigned int fd),
		const void *arg)
{
	struct file *file = numbers->find(task, n);
	int ret;

	if (!file)
		return 0;
	atomic_begin("descriptors are locked");
	ret = f(arg, file, n);
	atomic_end();
	drop(file);

	return ret;
}

int iterate_fd(struct files_struct *files, unsigned int n,
	       int (*f)(const void *arg, struct file *file, unsigned int fd),
	       const void *arg)
{
	int ret = 0;

	if (numbers != &table)
		return look(files->task, n, f, arg);
	for (; n < (unsigned int)files->size && !ret; n++)
		ret = look(files->task, n, f, arg);

	return ret;
}

/* ---- tasks come and go ---- */

void descriptors_fork(struct task *parent, struct task *child)
{
	struct files_struct *from = parent->files, *to = child->files;
	int fd;

	pthread_mutex_lock(&from->lock);
	table_grow(to, from->size);
	for (fd = 0; fd < from->size; fd++) {
		if (!from->all[fd].file)
			continue;
		file_dup(from->all[fd].file);
		to->all[fd] = from->all[fd];
	}
	pthread_mutex_unlock(&from->lock);
}

static void close_all(struct task *task, bool on_exec)
{
	struct files_struct *files = task->files;
	struct file *file;
	int fd;

	for (fd = 0; fd < files->size; fd++) {
		file = files->all[fd].file;
		if (!file || (on_exec && !files->all[fd].cloexec))
			continue;
		files->all[fd] = (struct descriptor){0};
		file_close(task, file);
	}
}

void descriptors_exec(struct task *task)
{
	close_all(task, true);
}

void descriptors_exit(struct task *task)
{
	close_all(task, false);
	pthread_mutex_destroy(&task->files->lock);
	free(task->files->all);
	free(task->files);
	task->files = NULL;
}

/* ---- for the machine's user ---- */

struct file *task_descriptor(struct task *task, int fd)
{
	struct file *file;

	if (fd < 0)
		return NULL;
	file = table_find(task, fd);
	if (file)
		drop(file);

	return file;
}

int task_descriptors(struct task *task)
{
	int fd, count = 0;

	for (fd = 0; fd < task->files->size; fd++)
		count += task->files->all[fd].taken;

	return count;
}

int task_close(struct task *task, int fd)
{
	struct files_struct *files = task->files;
	struct file *file = NULL;

	pthread_mutex_lock(&files->lock);
	if (fd >= 0 && fd < files->size)
		file = files->all[fd].file;
	if (file)
		files->all[fd] = (struct descriptor){0};
	pthread_mutex_unlock(&files->lock);
	if (!file)
		return -EBADF;
	file_close(task, file);

	return 0;
}

int task_dup(struct task *task, struct file *file)
{
	int fd = table_reserve(task, 0);

	if (fd < 0)
		return fd;
	file_dup(file);
	table_install(task, fd, file);

	return fd;
}
