/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the users of a machine have of its kernel: tasks, files, memory, dma-bufs,
 * copies that they do themselves, failures on purpose. A part of machine.h, which
 * they include.
 */
#ifndef MACHINE_KERNEL_API_H
#define MACHINE_KERNEL_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "../base/delegated_copy.h"
#include "../xen/api.h"

struct task;
struct file;
struct page;

/* ---- tasks ---- */

/*
 * A process of a domain. Its user memory is that of process @pid, which may be
 * this one; threads of it may call at once, each on a thread of this process.
 */
struct task *task_new(struct domain *d, pid_t pid);
/* Inherits the parent's VMAs, as fork() does, and its descriptors. */
int task_fork(struct task *parent, pid_t pid, struct task **child);
/* A fatal signal is pending: sleeps and long calls end. */
void task_kill(struct task *task);
/* After exec(): the VMAs are gone. */
void task_exec(struct task *task);
/* Waits for calls of the task to return, closes its VMAs, frees it. */
void task_exit(struct task *task);
struct domain *task_domain(const struct task *task);
pid_t task_pid(const struct task *task);
/* Of a child whose number was not known when it was forked: before any call. */
void task_set_pid(struct task *task, pid_t pid);
/* The command that it runs, as the kernel tells it. */
void task_set_name(struct task *task, const char *name);

/* ---- files ---- */

/*
 * @name: "gntdev", "gntalloc", "evtchn", "privcmd", "vgem". The file has one
 * descriptor.
 */
int file_open(struct task *task, const char *name, int oflags,
	      struct file **file);
/* One more descriptor of it, in any process. */
void file_dup(struct file *file);
/*
 * A descriptor is closed; the file goes with the last one, and with the last
 * VMA of it. @task may be NULL: the process is gone.
 */
void file_close(struct task *task, struct file *file);
long file_ioctl(struct task *task, struct file *file, unsigned int cmd,
		unsigned long arg, bool compat);
/* The same for a caller that does a part of it, see struct delegated_copies. */
struct delegated_copies;
long file_ioctl_delegating(struct task *task, struct file *file,
			   unsigned int cmd, unsigned long arg, bool compat,
			   struct delegated_copies *delegated);
/* The lines that the driver adds to /proc/PID/fdinfo/FD. */
size_t file_fdinfo(struct file *file, char *buf, size_t size);
/* For machine_descriptors.find(). */
void file_get(struct file *file);
/* lseek: of a dma-buf; of others -ESPIPE. */
long file_seek(struct file *file, long offset, int whence);
/* Names of the device and an arbitrary value of the caller's. */
const char *file_name(const struct file *file);
void file_set_tag(struct file *file, void *tag);
void *file_tag(const struct file *file);

/*
 * For evtchn. read: pending ports as u32s, -EAGAIN if none, -EFBIG after an
 * overflow. write: ports to unmask. poll: POLLIN, POLLOUT, POLLERR.
 */
ssize_t file_read(struct file *file, void *buf, size_t size);
ssize_t file_write(struct file *file, const void *buf, size_t size);
short file_poll(struct file *file);
/*
 * @readable is called whenever a port has become pending, on the thread that
 * sent the event and with no lock of the machine's held; it may call
 * file_read() and file_poll(), and no more. file_close() waits for it to return
 * if it closes the last descriptor.
 */
void file_on_readable(struct file *file,
		      void (*readable)(struct file *, void *), void *arg);

/* ---- callers that help ---- */

/*
 * Another process's memory is slow to reach. So a caller may send along what a
 * request reads of it, and may do itself what the request does to it in the
 * end: copies between it and domains' memory, and then the bytes that have
 * changed of what it had sent. The driver and the hypervisor decide all as
 * ever, and a grant is in use until its copies are done. What cannot go this
 * way has all that is outstanding done first, and the rest goes the usual way.
 */
#define DELEGATED_PIECES 2

struct delegated_copies {
	/* Filled in by who calls; size 0: no piece. */
	struct delegated_piece {
		uint64_t addr;
		size_t size;
		unsigned char *bytes;
		/* Zeroes at first: what has changed; 1: writable, -1: not. */
		size_t first, last;
		int writable;
	} pieces[DELEGATED_PIECES];
	/* Whether the caller reaches a domain's memory. */
	bool (*reaches)(struct delegated_copies *delegated, unsigned int domid,
			bool write);
	/* Has done what there is so far; it is done on return. */
	void (*run)(struct delegated_copies *delegated);
	/* The same, but on return the caller has only been told. */
	void (*begin)(struct delegated_copies *delegated);
	/*
	 * Whether what the call left is done by now. Called with locks of the
	 * machine's held, on any thread, until delegated_end().
	 */
	bool (*is_done)(struct delegated_copies *delegated);

	/* What is to be done when the call returns, in this order. */
	unsigned int count;
	size_t size; /* of all these */
	struct delegated_copy copies[DELEGATED_COPIES];

	/* The machine's own: the caller has begun with something. */
	bool begun;
	struct grant_uses uses; /* by the copies */
};

/* It is done, or nobody is there any more to do it; may be called again. */
void delegated_end(struct delegated_copies *delegated);

/* ---- descriptors by number, unless machine_config.descriptors has them ---- */

/* The file that a number of the task's is; NULL if it is none. */
struct file *task_descriptor(struct task *task, int fd);
/* How many are open or reserved. */
int task_descriptors(struct task *task);
int task_close(struct task *task, int fd);
/* One more descriptor of the file: its number. */
int task_dup(struct task *task, struct file *file);

/* ---- dma-bufs, as other drivers use them ---- */

struct dmabuf_user;
/* A device attaches and has the pages mapped; a negative errno. */
int dmabuf_attach(struct file *file, struct dmabuf_user **user);
/* The same for one that cannot reach the pages, and sees copies of them. */
enum dmabuf_direction {
	DMABUF_BOTH_WAYS,
	DMABUF_TO_DEVICE,
	DMABUF_FROM_DEVICE,
};
int dmabuf_attach_bouncing(struct file *file, enum dmabuf_direction dir,
			   struct dmabuf_user **user);
void dmabuf_detach(struct dmabuf_user *user);
/* What the device finds at an offset, by the address that it was told. */
unsigned char *dmabuf_device_sees(struct dmabuf_user *user, size_t offset);
/* All pages as one area of the kernel's, which counts its users. */
int dmabuf_vmap(struct file *file, void **at);
void dmabuf_vunmap(struct file *file);
/*
 * What keeps the driver from being unloaded: dma-bufs, mappings with pages that
 * are held, imports that others have mapped.
 */
unsigned int machine_driver_users(void);

/* ---- memory ---- */

/* What a program sees at one page of a VMA. */
struct view_page {
	bool present; /* else any access is SIGBUS (or, in time, a fault) */
	bool writable;
	int fd; /* the owner's memory, or a file of a program of his */
	int reader; /* the same for reading, if there is one: else -1 */
	off_t offset;
};
struct view {
	unsigned long addr;
	size_t count;
	bool no_fork; /* a child does not inherit it */
	struct view_page *pages; /* NULL if count is 0 */
};
void view_free(struct view *view);
/*
 * Shows it to this process, with mmap(MAP_FIXED). Its address space must be
 * reserved already. Pages that are not present are PROT_NONE.
 */
int view_show(const struct view *view);

/*
 * mmap of a device. @addr: where the caller will see it, page-aligned, not 0.
 * What lies there of other VMAs of the task is unmapped first. @flags: MAP_*.
 */
int task_mmap(struct task *task, struct file *file, unsigned long addr,
	      size_t len, int prot, int flags, uint64_t offset,
	      struct view *view);
/*
 * The others take any range of addresses; what is not of the machine is passed
 * over. All entries are present again on return, where the program may access
 * them; ask task_view() to see.
 */
int task_munmap(struct task *task, unsigned long addr, size_t len);
int task_mprotect(struct task *task, unsigned long addr, size_t len, int prot);
int task_madvise(struct task *task, unsigned long addr, size_t len, int advice);
/* Returns the new address, as mremap() does, or a negative errno. */
long task_mremap(struct task *task, unsigned long addr, size_t old_len,
		 size_t new_len, int flags, unsigned long new_addr);
/* A write of @what ("4": soft-dirty bits) to /proc/PID/clear_refs. */
int task_clear_refs(struct task *task, int what);
/* The program touches all that it has of the devices. */
void task_touch(struct task *task);
/* The out-of-memory reaper: takes entries away, never sleeps. */
int task_reap(struct task *task);
/*
 * A notifier's call from outside of mmap_lock, as reclaim makes them. Entries
 * that go are made again at the next access.
 */
void task_invalidate(struct task *task, unsigned long addr, size_t len);
/* The same; @meanwhile is called between its beginning and its end. */
void task_invalidate_during(struct task *task, unsigned long addr, size_t len,
			    void (*meanwhile)(void *arg), void *arg);
/* The VMA that @addr lies in, or the next above; -ENOENT if there is none. */
int task_view(struct task *task, unsigned long addr, struct view *view);

/*
 * An access by the program's processor: faults pages in. 0, or -EFAULT where
 * it would get a signal.
 */
int task_load(struct task *task, unsigned long addr, void *buf, size_t size);
int task_store(struct task *task, unsigned long addr, const void *buf,
	       size_t size);
/* A debugger's look at a page, whatever access the program has: 0 or -EFAULT. */
int task_look(struct task *task, unsigned long addr, void *buf, size_t size);

/* I/O: the page at @addr is in use from hold to release, munmap or not. */
int page_hold(struct task *task, unsigned long addr, bool write,
	      struct page **page);
void page_release(struct page *page);

/*
 * Bytes of a buffer that the driver copies without a pin: 256. A test may set up
 * to 4096, as in a PV domain.
 */
extern uint16_t machine_no_pin;

/* ---- the kernel as a whole ---- */

/* Lets time pass, runs what is due. With MACHINE_TEST_TIME only. */
void machine_advance(unsigned int milliseconds);

/*
 * The kernel has too little memory: asks the driver for so many pages, and says
 * how many it has given back.
 */
unsigned long machine_shrink(unsigned long pages);

/*
 * What machine_resume() does, with all that belongs to it, while no program runs: the
 * driver is told before, and what is mapped still goes with the rest. All mappings have to be of
 * that one domain. Or nothing comes of it: the domain goes on as it was.
 */
void machine_suspend(struct domain *d, bool restored);

/* Bytes that the driver has allocated. */
size_t machine_allocated(void);

/*
 * What a driver asks of its caller's descriptors, in a call of that task. All
 * may be called by several threads at once.
 */
struct machine_descriptors {
	/* A number that is nobody else's, with O_CLOEXEC or not; -errno. */
	int (*reserve)(struct task *task, int flags);
	void (*cancel)(struct task *task, int fd);
	/* It is that file's; file_close() when the last descriptor is gone. */
	void (*install)(struct task *task, int fd, struct file *file);
	/* What is there, with a reference by file_get(); or NULL. */
	struct file *(*find)(struct task *task, unsigned int fd);
};

/* ---- failures on purpose ---- */

/*
 * Every fallible call that the driver makes is a site, numbered from 1 in the
 * order of the calls since the last machine_fail_none() or machine_stop(). What
 * is asked for before machine_start() meets the driver's load.
 * What a site does when it fails: @variant chooses, 0 is always there.
 */
void machine_fail_none(void);
/* The @nth site fails; with @persistent, all from it on. */
void machine_fail_nth(uint64_t nth, unsigned int variant, bool persistent);
/* Nothing is counted or fails until it is ended: for what others do. */
void machine_fail_pause(bool on);
/* Of all sites, only those of this name are counted and may fail. */
void machine_fail_only(const char *name);
/* Each site fails with this probability, of a million. */
void machine_fail_random(unsigned int of_million);

enum machine_op { /* hypercall operations, counted each kind alone */
	MACHINE_OP_MAP, /* any map */
	MACHINE_OP_KMAP, /* a map into the kernel */
	MACHINE_OP_UMAP, /* a map into a program's page-table entry */
	MACHINE_OP_UNMAP,
	MACHINE_OP_COPY,
	MACHINE_OPS,
};
/* The @nth operation from now of its kind is not done and answers @status. */
int machine_fail_op(enum machine_op op, uint64_t nth, int16_t status);

/*
 * The same by text: parts separated by commas. OP:N=STATUS (map, kmap, umap,
 * unmap, copy), SITE:N (the Nth call of that site fails, as "kvmalloc:2"),
 * SITE:N+ (and all that follow), SITE%P (with a probability of P percent, may
 * have a fraction), seed=N (of probabilities); "any" is all sites. On a bad one -EINVAL, and the reason
 * is written into @why.
 */
int machine_fail_spec(const char *spec, char *why, size_t size);
/* Whether the ring of an evtchn that is opened now is to overflow some time. */
bool machine_may_overflow(void);
/* Calls of that process fail never, nor are they counted: it is no program's. */
void machine_fail_never(pid_t pid);

uint64_t machine_sites(void); /* passed, failed ones too */
uint64_t machine_failed(void); /* failed on purpose */
/* The site that failed last: its name and its variants; NULL if none did. */
const char *machine_failed_name(void);
unsigned int machine_failed_variants(void);

/* ---- traces ---- */

/*
 * Every request, mapping, hypercall operation and event is told to @line from now on:
 * a line of text each, as the kernel's trace has them (traced.h), on the thread where
 * it happens and with locks of the machine's held: it must not call the machine. NULL
 * ends that, but for lines that are on their way. Not beside machine_watch().
 */
void machine_trace(void (*line)(const char *line, size_t size));
bool machine_is_traced(void);
/* Tells who a process is that is about to ask for something. */
void machine_trace_process(pid_t process, pid_t parent, unsigned int run);

#endif /* MACHINE_KERNEL_API_H */
