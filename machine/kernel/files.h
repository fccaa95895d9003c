/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Files, devices, their attributes, and loading of the driver: models. A
 * module's parameters are stubs: variables that machine_start() sets.
 */
#ifndef MACHINE_KERNEL_FILES_H
#define MACHINE_KERNEL_FILES_H

#include <fcntl.h>

#include "base.h"
#include "../base/lists.h"
#include "vm.h"
#include "api.h"

typedef void *fl_owner_t;

struct inode;
/* The driver, and how many others use it: then it is not unloaded. */
struct module {
	unsigned int users; /* atomic */
	bool loaded;
};
extern struct module machine_driver;
#define THIS_MODULE (&machine_driver)

void __module_get(struct module *module);
void module_put(struct module *module);

struct seq_file {
	char *buf;
	size_t size;
	size_t count;
	void *private;
};

/* Iteration as a reader of a file in /proc does it. */
struct seq_operations {
	void *(*start)(struct seq_file *seq, loff_t *pos);
	void (*stop)(struct seq_file *seq, void *v);
	void *(*next)(struct seq_file *seq, void *v, loff_t *pos);
	int (*show)(struct seq_file *seq, void *v);
};
#define SEQ_START_TOKEN ((void *)1)

/* The driver's one file in /proc; the machine reads it by proc_read(). */
struct proc_dir_entry *proc_create_seq_private(const char *name, mode_t mode,
					       struct proc_dir_entry *parent,
					       const struct seq_operations *ops,
					       unsigned int size, void *data);
void remove_proc_entry(const char *name, struct proc_dir_entry *parent);

void seq_printf(struct seq_file *seq, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct file;
struct file_operations {
	struct module *owner;
	int (*open)(struct inode *inode, struct file *file);
	int (*flush)(struct file *file, fl_owner_t id);
	int (*release)(struct inode *inode, struct file *file);
	int (*mmap)(struct file *file, struct vm_area_struct *vma);
	unsigned long (*get_unmapped_area)(struct file *file,
					   unsigned long addr,
					   unsigned long len,
					   unsigned long pgoff,
					   unsigned long flags);
	long (*unlocked_ioctl)(struct file *file, unsigned int cmd,
			       unsigned long arg);
	long (*compat_ioctl)(struct file *file, unsigned int cmd,
			     unsigned long arg);
	void (*show_fdinfo)(struct seq_file *seq, struct file *file);
};

struct trace_symbol;

/* What a name of a device stands for. */
struct device_kind {
	const char *name;
	const struct file_operations *fops;
	ssize_t (*read)(struct file *file, void *buf, size_t size);
	ssize_t (*write)(struct file *file, const void *buf, size_t size);
	short (*poll)(struct file *file);
	const struct trace_symbol *requests; /* for traces; NULL: none of it */
	bool grants; /* its request 5 names whom to */
};

struct file {
	void *private_data;
	const struct file_operations *f_op;
	unsigned int f_flags;
	struct address_space *f_mapping;
	/* of the model */
	long count; /* descriptors, VMAs and calls; atomic */
	unsigned int descriptors; /* under the files' lock */
	const struct device_kind *kind;
	struct domain *domain; /* whose program opened it */
	struct file *next_released;
	struct list_head node; /* of all files */
	struct list_head holders;
	void *tag;
	void (*readable)(struct file *file, void *arg);
	void *readable_arg;
};

long file_count(const struct file *file);
/* Stub: nobody looks into it. */
struct inode *file_inode(const struct file *file);

struct attribute {
	const char *name;
};

struct attribute_group {
	struct attribute **attrs;
};

struct device;
struct device_attribute {
	struct attribute attr;
	ssize_t (*show)(struct device *dev, struct device_attribute *attr,
			char *buf);
};

#define DEVICE_ATTR(attribute, mode, shows, stores)      \
	struct device_attribute dev_attr_##attribute = { \
		.attr = {#attribute},                    \
		.show = shows,                           \
	}
#define DEVICE_ATTR_RO(attribute) \
	DEVICE_ATTR(attribute, 0444, attribute##_show, NULL)
#define ATTRIBUTE_GROUPS(group)                                   \
	static const struct attribute_group group##_group = {     \
		.attrs = group##_attrs,                           \
	};                                                        \
	static const struct attribute_group *group##_groups[] = { \
		&group##_group,                                   \
		NULL,                                             \
	}
int sysfs_emit(char *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct miscdevice {
	int minor;
	const char *name;
	const struct file_operations *fops;
	const struct attribute_group **groups;
};

/* A file of no device, which holds its operations' owner. */
struct file *anon_inode_getfile(const char *name,
				const struct file_operations *fops, void *priv,
				int flags);
void vma_set_file(struct vm_area_struct *vma, struct file *file);

int misc_register(struct miscdevice *misc);
void misc_deregister(struct miscdevice *misc);

/* The driver's own functions, under names that the machine calls. */
int machine_module_load(void);
void machine_module_unload(void);
#define module_init(load)             \
	int machine_module_load(void) \
	{                             \
		return load();        \
	}
#define module_exit(unload)              \
	void machine_module_unload(void) \
	{                                \
		unload();                \
	}
#define module_param(name, type, mode) extern type name
#define module_param_named(name, value, type, mode) extern type value
#define uint unsigned int
#define MODULE_INFO_TEXT(tag, text) \
	_Static_assert(sizeof(text) > 1, "an empty " tag)
#define MODULE_PARM_DESC(name, text) MODULE_INFO_TEXT("description", text)
#define MODULE_DESCRIPTION(text) MODULE_INFO_TEXT("description", text)
#define MODULE_AUTHOR(text) MODULE_INFO_TEXT("author", text)
#define MODULE_LICENSE(text) MODULE_INFO_TEXT("license", text)
#define MODULE_VERSION(text) MODULE_INFO_TEXT("version", text)
#define MODULE_ALIAS(text) MODULE_INFO_TEXT("alias", text)

/* ---- of the machine alone ---- */

/* One more that can be opened, until the machine starts anew. */
void device_add(const struct device_kind *kind);
void get_file(struct file *file);
void fput(struct file *file);
/* Whether it is one of the driver's that is no device's: VMAs hold it. */
bool file_is_anonymous(const struct file *file);
/* One that has no descriptor yet, with a reference; in the kernel. */
struct file *file_new(const struct device_kind *kind, unsigned int flags,
		      struct domain *domain);
void file_show(struct file *file);
/* One of its references is a descriptor's now. */
void file_describe(struct file *file);
/* The text of the driver's file in /proc, read in several reads. */
void proc_read(FILE *out);
unsigned int proc_leaks(FILE *out);
/* Releases a list of files that calls dropped with locks held. */
void files_release(struct file *file);
/* Prints what is open, and closes it. */
/* Those with a descriptor, or @any. */
unsigned int files_leaks(FILE *out, bool any);
unsigned int devices_leaks(FILE *out);
/* The value of an attribute of the device, or -1. */
long device_attribute(const char *name);
bool file_is_held(struct task *task, struct file *file);
/* @holds: whether a task has a descriptor of a file; NULL: by its own opening. */
void files_start(bool (*holds)(struct task *task, struct file *file));
/* Calls @fn for each open file. */
void files_each(void (*fn)(struct file *file, void *arg), void *arg);

#endif /* MACHINE_KERNEL_FILES_H */
