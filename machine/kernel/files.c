// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Open files, devices, and the calls on them that are no mappings. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "calls.h"
#include "delegated.h"
#include "faults.h"
#include "files.h"
#include "traced.h"
#include "user.h"

/* A task that has a descriptor of a file, through its own open or a fork. */
struct holder {
	struct list_head in_file, in_task;
	struct file *file;
	struct task *task;
};

#define MAX_DEVICES 8

static struct {
	pthread_mutex_t lock;
	struct list_head all;
	struct miscdevice *gntdev; /* the driver's, while it is loaded */
	struct device_kind kind; /* of it */
	const struct device_kind *others[MAX_DEVICES];
	unsigned int nothers;
	bool (*holds)(struct task *task, struct file *file);
} files = {.lock = PTHREAD_MUTEX_INITIALIZER, .all = {&files.all, &files.all}};

struct module machine_driver;

void __module_get(struct module *module)
{
	__atomic_fetch_add(&module->users, 1, __ATOMIC_SEQ_CST);
}

void module_put(struct module *module)
{
	if (!__atomic_fetch_sub(&module->users, 1, __ATOMIC_SEQ_CST))
		machine_fatal("module_put of a module that nobody uses");
}

void files_start(bool (*holds)(struct task *task, struct file *file))
{
	files.holds = holds;
	files.nothers = 0;
}

void device_add(const struct device_kind *kind)
{
	if (files.nothers == MAX_DEVICES)
		machine_fatal("more than %d devices", MAX_DEVICES);
	files.others[files.nothers++] = kind;
}

/* ---- devices and their attributes ---- */

int misc_register(struct miscdevice *misc)
{
	unsigned int variant;

	might_sleep();
	if (fault(SITE_MISC_REGISTER, &variant))
		return -ENOMEM;
	if (strcmp(misc->name, "xen/gntdev"))
		machine_fatal("misc_register of %s, expected xen/gntdev",
			      misc->name);
	if (files.gntdev)
		machine_fatal("xen/gntdev is registered twice");
	files.gntdev = misc;
	files.kind = (struct device_kind){.name = "gntdev", .fops = misc->fops};

	return 0;
}

void misc_deregister(struct miscdevice *misc)
{
	might_sleep();
	if (files.gntdev != misc)
		machine_fatal("misc_deregister of what is not registered");
	files.gntdev = NULL;
}

unsigned int devices_leaks(FILE *out)
{
	if (!files.gntdev)
		return 0;
	files.gntdev = NULL;
	if (out)
		fprintf(out, "machine: xen/gntdev was left registered\n");
	return 1;
}

long device_attribute(const char *name)
{
	const struct attribute_group **group;
	struct device_attribute *attr;
	struct attribute **a;
	char buf[PAGE_SIZE];

	for (group = files.gntdev->groups; *group; group++) {
		for (a = (*group)->attrs; *a; a++) {
			if (strcmp((*a)->name, name))
				continue;
			attr = container_of(*a, struct device_attribute, attr);
			attr->show(NULL, attr, buf);
			return strtol(buf, NULL, 10);
		}
	}

	return -1;
}

int sysfs_emit(char *buf, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buf, PAGE_SIZE, format, args);
	va_end(args);

	return n;
}

void seq_printf(struct seq_file *seq, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(seq->buf + seq->count, seq->size - seq->count, format,
		      args);
	va_end(args);
	seq->count = min(seq->count + n, seq->size - 1);
}

/* ---- open files ---- */

long file_count(const struct file *file)
{
	return __atomic_load_n(&file->count, __ATOMIC_ACQUIRE);
}

void get_file(struct file *file)
{
	__atomic_fetch_add(&file->count, 1, __ATOMIC_ACQ_REL);
}

/* The one driver has one kind, and a VMA of it is one of the device's. */
static struct device_kind anonymous = {.name = "gntdev"};

bool file_is_anonymous(const struct file *file)
{
	return file->kind == &anonymous;
}

static void release(struct file *file)
{
	struct context c;

	call_begin(&c, context()->task, file->domain);
	if (file->f_op->release)
		file->f_op->release(NULL, file);
	if (file_is_anonymous(file) && file->f_op->owner)
		module_put(file->f_op->owner);
	call_end(&c);

	pthread_mutex_lock(&files.lock);
	list_del(&file->node);
	pthread_mutex_unlock(&files.lock);
	free(file);
}

/*
 * In the kernel the last reference's release runs when the call returns to the
 * program, with no lock held: so it does here. Threads of the kernel's own
 * leave it to another one: here it is at once.
 */
void fput(struct file *file)
{
	struct context *c = context();
	long left = __atomic_sub_fetch(&file->count, 1, __ATOMIC_ACQ_REL);

	if (left < 0)
		machine_fatal("fput: more references dropped than taken");
	if (left)
		return;
	if (!c->task && !lock_any_held()) {
		release(file);
		return;
	}
	file->next_released = c->released;
	c->released = file;
}

void files_release(struct file *file)
{
	struct file *next;

	for (; file; file = next) {
		next = file->next_released;
		release(file);
	}
}

/* ---- files of no device ---- */

/* All such files have one inode. */
static struct address_space anonymous_mapping;

struct inode *file_inode(const struct file *file)
{
	(void)file;
	return NULL;
}

struct file *anon_inode_getfile(const char *name,
				const struct file_operations *fops, void *priv,
				int flags)
{
	unsigned int variant;
	struct file *file;

	(void)name;
	might_sleep();
	if (fault(SITE_ANON_FILE, &variant))
		return ERR_PTR(variant ? -ENFILE : -ENOMEM);

	file = file_new(&anonymous, flags, context()->domain);
	if (!file)
		return ERR_PTR(-ENOMEM);
	file->f_op = fops;
	file->private_data = priv;
	file->f_mapping = &anonymous_mapping;
	if (fops->owner)
		__module_get(fops->owner);
	file_show(file);

	return file;
}

void vma_set_file(struct vm_area_struct *vma, struct file *file)
{
	struct file *old = vma->vm_file;

	get_file(file);
	vma->vm_file = file;
	fput(old);
}

struct file *file_new(const struct device_kind *kind, unsigned int flags,
		      struct domain *domain)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->f_op = kind->fops;
	file->kind = kind;
	file->f_flags = flags;
	file->count = 1;
	file->domain = domain;
	INIT_LIST_HEAD(&file->holders);

	return file;
}

/* From here on it is among the open ones, and released with its last user. */
void file_show(struct file *file)
{
	pthread_mutex_lock(&files.lock);
	list_add_tail(&file->node, &files.all);
	pthread_mutex_unlock(&files.lock);
}

void file_get(struct file *file)
{
	get_file(file);
}

static const struct device_kind *device_kind(const char *name)
{
	unsigned int i;

	if (!strcmp(name, "gntdev"))
		return files.gntdev ? &files.kind : NULL;
	for (i = 0; i < files.nothers; i++) {
		if (!strcmp(name, files.others[i]->name))
			return files.others[i];
	}

	return NULL;
}

/* With the lock of files. */
static void hold(struct task *task, struct file *file)
{
	struct holder *h = calloc(1, sizeof(*h));

	if (!h)
		machine_fatal("no memory for an open file");
	h->task = task;
	h->file = file;
	list_add_tail(&h->in_file, &file->holders);
	list_add_tail(&h->in_task, &task->opened);
}

static void unhold(struct holder *h)
{
	list_del(&h->in_file);
	list_del(&h->in_task);
	free(h);
}

int file_open(struct task *task, const char *name, int oflags,
	      struct file **out)
{
	const struct device_kind *kind = device_kind(name);
	struct context c;
	struct file *file;
	int err = 0;

	if (!kind)
		return -ENOENT;
	file = file_new(kind, oflags, task_domain(task));
	if (!file)
		return -ENOMEM;
	file->descriptors = 1;

	call_begin(&c, task, NULL);
	if (file->f_op->open)
		err = file->f_op->open(NULL, file);
	call_end(&c);
	if (err) {
		free(file);
		return err;
	}

	file_show(file);
	pthread_mutex_lock(&files.lock);
	hold(task, file);
	pthread_mutex_unlock(&files.lock);
	*out = file;

	return 0;
}

void file_dup(struct file *file)
{
	get_file(file);
	pthread_mutex_lock(&files.lock);
	file->descriptors++;
	pthread_mutex_unlock(&files.lock);
}

void file_describe(struct file *file)
{
	pthread_mutex_lock(&files.lock);
	file->descriptors++;
	pthread_mutex_unlock(&files.lock);
}

void file_close(struct task *task, struct file *file)
{
	struct holder *h, *next;
	struct context c;
	bool last;

	call_begin(&c, task, file->domain);
	if (file->f_op->flush)
		file->f_op->flush(file, NULL);
	call_end(&c);

	pthread_mutex_lock(&files.lock);
	last = --file->descriptors == 0;
	list_for_each_entry_safe(h, next, &file->holders, in_file) {
		if (last || h->task == task)
			unhold(h);
	}
	pthread_mutex_unlock(&files.lock);
	fput(file);
}

bool file_is_held(struct task *task, struct file *file)
{
	struct holder *h;
	bool held = false;

	if (files.holds)
		return files.holds(task, file);
	pthread_mutex_lock(&files.lock);
	list_for_each_entry(h, &file->holders, in_file)
		held |= h->task == task;
	pthread_mutex_unlock(&files.lock);

	return held;
}

void holders_fork(struct task *parent, struct task *child)
{
	struct holder *h;

	/* Entries are added at the end of another list than the one walked. */
	pthread_mutex_lock(&files.lock);
	list_for_each_entry(h, &parent->opened, in_task)
		hold(child, h->file);
	pthread_mutex_unlock(&files.lock);
}

void holders_exit(struct task *task)
{
	struct holder *h, *next;

	pthread_mutex_lock(&files.lock);
	list_for_each_entry_safe(h, next, &task->opened, in_task)
		unhold(h);
	pthread_mutex_unlock(&files.lock);
}

long file_ioctl(struct task *task, struct file *file, unsigned int cmd,
		unsigned long arg, bool compat)
{
	return file_ioctl_delegating(task, file, cmd, arg, compat, NULL);
}

long file_ioctl_delegating(struct task *task, struct file *file,
			   unsigned int cmd, unsigned long arg, bool compat,
			   struct delegated_copies *delegated)
{
	bool traced = trace_is_on() && file->kind != &files.kind;
	struct trace_request trace;
	struct context c;
	long ret = -ENOTTY;

	get_file(file);
	call_begin(&c, task, NULL);
	c.delegated = delegated;
	if (traced)
		trace_request_begin(&trace, cmd, arg);
	if (compat && file->f_op->compat_ioctl)
		ret = file->f_op->compat_ioctl(file, cmd, (u32)arg);
	else if (file->f_op->unlocked_ioctl)
		ret = file->f_op->unlocked_ioctl(file, cmd, arg);
	if (traced)
		trace_request_end(&trace, file, cmd, arg, ret);
	if (!user_flush() || (c.lost && ret >= 0))
		ret = -EFAULT;
	delegated_leave();
	call_end(&c);
	fput(file);

	return ret;
}

size_t file_fdinfo(struct file *file, char *buf, size_t size)
{
	struct seq_file seq = {.buf = buf, .size = size};
	struct context c;

	buf[0] = 0;
	call_begin(&c, NULL, file->domain);
	if (file->f_op->show_fdinfo)
		file->f_op->show_fdinfo(&seq, file);
	call_end(&c);

	return seq.count;
}

const char *file_name(const struct file *file)
{
	return file->kind->name;
}

void file_set_tag(struct file *file, void *tag)
{
	file->tag = tag;
}

void *file_tag(const struct file *file)
{
	return file->tag;
}

ssize_t file_read(struct file *file, void *buf, size_t size)
{
	return file->kind->read ? file->kind->read(file, buf, size) : -EINVAL;
}

ssize_t file_write(struct file *file, const void *buf, size_t size)
{
	return file->kind->write ? file->kind->write(file, buf, size) : -EINVAL;
}

short file_poll(struct file *file)
{
	return file->kind->poll ? file->kind->poll(file) : 0;
}

void file_on_readable(struct file *file,
		      void (*readable)(struct file *, void *), void *arg)
{
	file->readable_arg = arg;
	__atomic_store_n(&file->readable, readable, __ATOMIC_RELEASE);
}

void files_each(void (*fn)(struct file *file, void *arg), void *arg)
{
	struct file *file;

	pthread_mutex_lock(&files.lock);
	list_for_each_entry(file, &files.all, node)
		fn(file, arg);
	pthread_mutex_unlock(&files.lock);
}

/* One with a descriptor or, if there is no other, any one; or NULL. */
static struct file *first_open(bool any)
{
	struct file *file;

	list_for_each_entry(file, &files.all, node) {
		if (any || file->descriptors)
			return file;
	}

	return NULL;
}

unsigned int files_leaks(FILE *out, bool any)
{
	unsigned int count = 0;
	struct file *file;

	while ((file = first_open(any))) {
		if (!file->descriptors)
			file->descriptors = 1;
		if (out)
			fprintf(out, "machine: an open %s was never closed\n",
				file->kind->name);
		count++;
		while (file->descriptors > 1)
			file_close(NULL, file);
		file_close(NULL, file);
	}

	return count;
}
