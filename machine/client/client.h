/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The library that `gntdev run` preloads: what its parts know of each other.
 *
 * It puts itself before the C library's functions through which a program
 * reaches the Xen devices, and hands everything else on. A program may be in
 * any state when it calls: in a signal handler, in the child of a fork, in a
 * thread that is being cancelled. So nothing here allocates with malloc(),
 * and locks are held with signals blocked.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../protocol.h"

#define EXPORT __attribute__((visibility("default")))
#define PAGE 4096UL

/* ---- next.c: the functions behind ours ---- */

/* The function of that name that would be called without us. */
void *next_find(const char *name);

/* NEXT(close)(fd) */
#define NEXT(name)                                                   \
	({                                                           \
		static __typeof__(&name) next_##name;                \
		if (!next_##name)                                    \
			next_##name = (__typeof__(&name))(uintptr_t) \
				next_find(#name);                    \
		next_##name;                                         \
	})

/* System calls that are no cancellation points; they set errno. */
#define raw(...) RAW_PAD(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_PAD(number, a, b, c, d, e, f, ...)                       \
	raw_call(number, (long)(a), (long)(b), (long)(c), (long)(d), \
		 (long)(e), (long)(f))
long raw_call(long number, long a, long b, long c, long d, long e, long f);

/* ---- channel.c: connections to the server ---- */

/* Whether this process is on a machine. */
bool channel_on(void);
const char *channel_folder(void);
/* Begins when the program starts; ends it if it cannot be on the machine. */
void channel_begin(void);

/* 0 or more, or a negative errno: -EIO if the server is gone. */
int64_t channel_call(const struct request *request, struct answer *answer);
/* A descriptor that a call has brought, whatever comes of it then. */
struct promise {
	int fd; /* -1: none */
	uint64_t inode;
};
/* The same for requests that may give the program a descriptor. */
int64_t channel_call_promise(const struct request *request,
			     struct answer *answer, struct promise *promise);
/* The same for calls that are answered by a descriptor. */
int channel_call_fd(const struct request *request, int64_t *value);
/* The same for calls that are answered by text; its length. */
size_t channel_text(const struct request *request, char *text, size_t size);
/* The same for many packets: @each is called for each one. */
typedef void (*packet_fn)(const struct answer *answer, const void *bytes,
			  int fd, void *arg);
int64_t channel_stream(const struct request *request, packet_fn each, void *arg,
		       uint32_t *flags);
/* What has ended before is done with when it returns. */
void channel_sync(void);

/* A connection for a call; used by who has changed it from free to busy. */
struct line {
	atomic_int busy;
	atomic_int fd; /* -1: to be made */
	/* Of copies: how many were done, and room for what an answer says. */
	atomic_ullong counter;
	void *room;
};

/* The connection of a line, or for this once (NULL); negative: there is none. */
int channel_begin_call(struct line **line);
void channel_end_call(struct line *line, int fd, bool good);
/* A packet and what is behind the answer; the length of that, or -EIO. */
ssize_t channel_receive(int fd, struct answer *answer, void *bytes, size_t size,
			int *passed);
bool channel_send(int fd, const void *bytes, size_t size);

/* Descriptors that the program does not know of. */
bool channel_owns(int fd);
/* The lowest of them from @fd on, or -1. */
int channel_next_own(int fd);
/* One of them shall have another number. */
void channel_move(int fd);

/* Around fork(). */
void channel_before_fork(void);
void channel_after_fork(bool child);

/* ---- ranges.c: where devices are mapped ---- */

struct range {
	uintptr_t start, end;
	int prot;
	bool no_fork; /* a child does not inherit it */
	bool look; /* a child asks what it has inherited */
	/* What was mapped: of an area, for its requests. */
	uint64_t inode, offset;
};

/* Before the program has addresses that it may take for free ones later. */
void ranges_begin(void);
/* The first range that ends above @from, or NULL; call with the lock. */
struct range *ranges_from(uintptr_t from);
/* Whether there may be one; without the lock. */
bool ranges_maybe(uintptr_t start, uintptr_t end);
bool ranges_add(const struct range *range);
/* Parts of ranges that are between are cut off. */
void ranges_remove(uintptr_t start, uintptr_t end);
/* A range begins and ends there, if it is inside one. */
bool ranges_split(uintptr_t at);
bool ranges_any(void);

/* Signals are blocked as long as the lock is held. */
void ranges_lock(sigset_t *before);
void ranges_unlock(const sigset_t *before);
void ranges_reset_lock(void);

/* ---- memory.c ---- */

/* Shows what is there now; call with the ranges' lock. */
void range_show(const struct range *range);
/* A request has changed what is to be seen of an area. */
void memory_area_changed(uint64_t inode, uint64_t offset);

void *memory_mmap(void *addr, size_t length, int prot, int flags, int fd,
		  off_t offset);
int memory_munmap(void *addr, size_t length);
int memory_mprotect(void *addr, size_t length, int prot);
int memory_madvise(void *addr, size_t length, int advice);
void *memory_mremap(void *addr, size_t old_length, size_t new_length, int flags,
		    void *new_addr);
int memory_remap_pages(void *addr, size_t length, int prot, size_t offset,
		       int flags);
void memory_clear_refs(int what);
/* In a child: it has only what a child inherits. */
void memory_after_fork(void);

/* ---- copy.c ---- */

/*
 * GRANT_COPY as the server decides it and this process does it. False if that
 * does not go: then it is asked for like any other request.
 */
bool copy_call(const struct request *request, struct answer *answer);
void copy_after_fork(void);

/* ---- careful.c ---- */

/* Around such copies; what is in @mask is for the end. */
void careful_begin(sigset_t *mask);
void careful_end(const sigset_t *mask);
/* False if a part of it could not be read or written: the rest is left off. */
bool careful_copy(void *to, const void *from, size_t size);
/* In a child. */
void careful_after_fork(void);

/* ---- device.c ---- */

/* The inode number if it is a socket, 0 if not. */
uint64_t device_inode(int fd);
/* Whether another socket has that number now; its inode, then. */
bool device_is_another(int fd, uint64_t *inode);
/* Whether this process has used it as a device. */
bool device_is_known(uint64_t inode);
void device_know(uint64_t inode);
/* A descriptor, -1 with errno set, or -2 if the path is none of ours. */
int device_open(const char *path, int flags);
enum served_file device_of(const char *path);
/*
 * Whether it is a device that is not read or written: its descriptor is a
 * socket, which would take it differently.
 */
bool device_is_mute(int fd);
int device_ioctl(int fd, unsigned long number, void *argument);
/* lseek of what the C library's says has none. */
off64_t device_seek(int fd, off64_t offset, int whence);

/* ---- process.c ---- */

void process_begin(void);

#endif /* CLIENT_H */
