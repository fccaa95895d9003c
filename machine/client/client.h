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

#include <limits.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "../protocol.h"
#include "../raw.h"

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

/*
 * Nothing here calls a function that this library exports by its name: a
 * program, or a library of another, may have one of its own before ours, which
 * may well end in ours.
 */

/* ---- connect.c: this process on the machine ---- */

/* Begins when the program starts; ends it if it cannot be on the machine. */
void connect_begin(void);
/* If this is a process that the server does not know, it gets to know it. */
void connect_look_around(void);
/*
 * A connection for calls: -EIO, or what there are too few of; with @lend, it may
 * have one of the descriptors that are kept.
 */
int connect_for_calls(bool lend);

/*
 * Whether this is a child that runs in its parent's memory, as after vfork():
 * what is remembered here is the parent's, and of the parent's descriptors.
 */
bool connect_is_guest(void);

int connect_next_own(int from);
/* What is at a number of ours gets another one, which is returned. */
int connect_move(int fd);
bool connect_move_own(int fd);

/* Around fork(). */
void connect_before_fork(void);
/* With @shared, both have one table of descriptors. */
void connect_after_fork(bool child, bool shared);

/* ---- kept.c ---- */

/*
 * Threads have tables of descriptors of their own from now on: a number is not
 * the same to all of them.
 */
void tables_part(void);
bool tables_are_parted(void);
/* The same of this process, or that it is a guest. */
bool tables_are_apart(void);
/* A child has one thread. */
void tables_after_fork(void);

/* The same at a number that is out of the program's way, if there is one. */
int kept_move_up(int fd);
/* Descriptors kept for this library are free for a moment, if there are any. */
bool kept_lend(void);
void kept_regain(void);
/* It is kept, too, and is not lent; -1: there is none. */
void kept_hold(int fd);
int kept_held(void);
/* The lowest of them from @from on, or -1; and that it is not kept any more. */
int kept_next(int from);
bool kept_forget(int fd);

/* ---- channel.c: calls to the server ---- */

/* Whether this process is on a machine. */
bool channel_on(void);
void channel_begin(void);
/* In a child: all of them are the parent's; with @shared, so are the numbers. */
void channel_drop(bool shared);

/* 0 or more, or a negative errno: -EIO if the server is gone. */
int64_t channel_call(const struct request *request, struct answer *answer);
/* A descriptor that a call has brought, whatever comes of it then. */
struct reserved_fd {
	int fd; /* -1: none */
	uint64_t inode;
};
/* The same for requests that may give the program a descriptor. */
int64_t channel_call_reserving(const struct request *request,
			       struct answer *answer,
			       struct reserved_fd *reserved);
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

#define LINES 64

/* A connection for a call; used by who has changed it from free to busy. */
struct line {
	atomic_int busy;
	atomic_int fd; /* -1: to be made */
	/* Of copies: how many were done. */
	atomic_ullong counter;
};
int channel_number(const struct line *line);

/* The connection of a line, or for this once (NULL); negative: there is none. */
int channel_begin_call(struct line **line);
void channel_end_call(struct line *line, int fd, bool good);
/* Its number now: another thread may have wanted the one that it had. */
int channel_fd(const struct line *line, int fd);
/* A packet and what is behind the answer; the length of that, or -EIO. */
ssize_t channel_receive(int fd, struct answer *answer, void *bytes, size_t size,
			int *passed);
bool channel_send(int fd, const void *bytes, size_t size);

/* Descriptors that the program does not know of. */
bool channel_owns(int fd);
/* The lowest of them from @fd on, or -1. */
int channel_next_own(int fd);
/* One of them shall have another number; false if there is none. */
bool channel_move(int fd);

/* ---- reserve.c: addresses that are this library's ---- */

#define ROOM_BYTES (16 * PAGE) /* of what an answer says */
#define RANGES_BYTES (1024 * PAGE) /* of struct range */

/*
 * Before the program has addresses that it may take for free ones later: from
 * then on the library maps nothing where the program has not told it to.
 */
void reserve_begin(void);
/* Each is NULL if there was too little space. */
void *reserve_room(int line);
void *reserve_ranges(void);
void *reserve_window(int window);
/* A page for trying things out. */
void *reserve_page(void);
/* What is not used yet would count against a limit. */
void reserve_give_up(void);
void reserve_after_fork(void);

/* ---- scratch.c: what a program's stack may have no room for ---- */

#define SCRATCH_BYTES (3 * PATH_MAX + 64)

/* NULL: there is none. */
void *scratch_take(void);
/* What is on the stack stays there. */
void scratch_give(const void *room);
void scratch_after_fork(void);

static inline void scratch_end(void *pointer)
{
	scratch_give(*(void **)pointer);
}

/* A pointer to that many bytes, as long as the variable is there. */
#define SCRATCH(type, name, size)                          \
	_Static_assert((size) <= SCRATCH_BYTES, "a room"); \
	type *name __attribute__((cleanup(scratch_end))) = \
		scratch_take() ?: __builtin_alloca(size)
#define SCRATCH_ONE(type, name) SCRATCH(type, name, sizeof(type))
#define SCRATCH_PATH(name) SCRATCH(char, name, PATH_MAX)

/* ---- ranges.c: where devices are mapped ---- */

struct range {
	uintptr_t start, end;
	int prot;
	bool no_fork; /* a child does not inherit it */
	bool look; /* a child asks what it has inherited */
	/* What was mapped: of an area, for its requests. */
	uint64_t inode, offset;
};

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

/* ---- show.c: the program's entries ---- */

/* mmap() itself. */
void *map(uintptr_t at, size_t length, int prot, int flags, int fd,
	  off_t offset);
/* Nobody reaches what is there, and nothing else comes there. */
void hide(uintptr_t start, uintptr_t end);

struct show {
	int prot;
	bool failed;
};

/* To each packet that says what is mapped; @arg is a struct show. */
void show_packet(const struct answer *answer, const void *bytes, int fd,
		 void *arg);
/* What the server says now; false if not all of it could be mapped. */
bool show_again(const struct range *range);
/* A child inherits what the kernel lets it inherit. */
void show_inheritance(const struct range *range);

/* ---- place.c: what the loader does otherwise (machine/loader/place.c) ---- */

/* Whether we are told of each number that a device may come to. */
bool descriptors_are_seen(void);
/*
 * Where a device is mapped that can be anywhere. MAP_FAILED: where the kernel
 * likes.
 */
void *place_reserve(size_t length);
/* One is mapped there now. */
void place_used(uintptr_t start, uintptr_t end);
/* A path of the program's; false if it is none. */
bool place_read(const char *from, char path[PATH_MAX]);
/* Out of the program's memory, and into it; false if there is none. */
bool place_take(void *to, const void *from, size_t size);
bool place_give(void *to, const void *from, size_t size);
/* Whether the program may make calls that it has not asked for. */
bool place_may_look(void);

/* ---- replace.c: what comes in the place of devices ---- */

/* What a program asks of mmap() and of mremap(). */
struct map {
	uintptr_t start;
	size_t length;
	int prot, flags, fd;
	off_t offset;
};

struct move {
	uintptr_t from, to;
	size_t old_length, new_length;
	int flags;
};

/* 0 if it may be called now, or a negative errno. */
int replace_by_map(const struct map *wanted);
int replace_by_move(const struct move *wanted);

/* ---- memory.c ---- */

static inline uintptr_t page_up(uintptr_t value)
{
	return (value + PAGE - 1) & -PAGE;
}

/* Is there a range between? Takes the lock only if it may be. */
bool memory_begin(uintptr_t start, uintptr_t end, sigset_t *before);
/* All that is mapped between ends; with the lock. */
int memory_evict(uintptr_t start, uintptr_t end);
/* A request has changed what is to be seen of an area. */
void memory_area_changed(uint64_t inode, uint64_t offset);
/* The same of other domains' frames, in the mapping that has that address. */
void memory_frames_changed(uintptr_t at);

void *memory_mmap(void *addr, size_t length, int prot, int flags, int fd,
		  off_t offset);
int memory_munmap(void *addr, size_t length);
int memory_mprotect(void *addr, size_t length, int prot);
int memory_madvise(void *addr, size_t length, int advice);
int memory_msync(void *addr, size_t length, int flags);
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

/* ---- lend.c ---- */

/*
 * Around GRANT_MEMORY: the program's memory becomes such that the server can hold
 * on to it. A descriptor for lend_end(), or -1.
 */
int lend_begin(const void *argument);
void lend_end(int fd);
/* Into a file of ours in memory. */
long lend_write(int fd, const void *bytes, size_t size, off_t offset);
/* In a child, with the lock of ranges. */
void lend_after_fork(void);

/* ---- nofault.c ---- */

/* Around such copies; what is in @mask is for the end. */
void nofault_begin(sigset_t *mask);
void nofault_end(const sigset_t *mask);
/* False if a part of it could not be read or written: the rest is left off. */
bool nofault_copy(void *to, const void *from, size_t size);
/* In a child. */
void nofault_after_fork(void);

/* ---- descriptors.c: what is where ---- */

/* What a descriptor tells of itself, if it is a device of a machine's. */
struct device {
	uint64_t inode;
	enum served_file file;
	int flags; /* open()'s */
};

bool device_at(int fd, struct device *device);
/* Its inode, or 0. */
uint64_t device_inode(int fd);
/* Whether another device is there now than @inode; its inode, then. */
bool device_is_another(int fd, uint64_t *inode);
/*
 * The same as device_at() for calls that are made often on all descriptors: it
 * remembers which ones are none.
 */
bool device_quickly(int fd, struct device *device);
/* Whether this process has had one. */
bool device_any_seen(void);
/* To be told of each number that a device may have got. */
void device_comes(int fd);
/*
 * Whether a read or write goes to the descriptor, then with @size changed, or
 * is done, with @result.
 */
bool device_transfer(int fd, bool write, size_t *size, ssize_t *result);
/* @ask ends in the kernel, or in what is behind our function. */
typedef long (*ask_fn)(int fd, long a, long b);
/* Those that end in the kernel: close(), and dup2() or dup3(). */
long descriptor_by_close(int fd, long a, long b);
long descriptor_by_dup3(int fd, long to, long flags);
long descriptor_close(int fd, ask_fn ask);
long descriptor_dup2(int fd, int to, int flags, ask_fn ask);
long descriptor_close_range(unsigned int first, unsigned int last, int flags);
long descriptor_control(int fd, long command, ask_fn ask, long argument);
/*
 * How many of them, from the first on, are of whole ports, and no more than a read
 * takes: these the kernel may fill by itself. -1 with errno if they are none.
 */
int descriptor_whole_parts(const struct iovec *parts, int count);
ssize_t descriptor_transfer_parts(int fd, bool write, const struct iovec *parts,
				  int count);

/* ---- device.c ---- */

/* A descriptor, or -1 with errno set. */
int device_open(enum served_file file, int flags);
/* The same of files in /proc that tell of devices; -2: it is none of them. */
int device_open_proc(const char *path, int flags);
int device_ioctl(int fd, unsigned long number, void *argument);
/* lseek of what the C library's says has none. */
off64_t device_seek(int fd, off64_t offset, int whence);

/* ---- places.c: where a path leads ---- */

/* A path that leads to what the machine serves. */
struct lead {
	enum served_file file; /* 0: a folder, or what is not there */
	char path[PATH_MAX]; /* its name, without links and dots */
	char at[PATH_MAX]; /* where the kernel has it, see places.h */
};

/* At the beginning: the machine's directory. */
void places_begin(const char *folder);
/*
 * Whether it may, by what it says itself; @folder is a descriptor or AT_FDCWD. A path
 * that leads there by a link at its end the kernel finds to lead nowhere, or to a
 * socket: then is the time to ask places_find().
 */
bool places_maybe(int folder, const char *path, bool follow);
/* Whether it does, by such a link too. */
bool places_find(int folder, const char *path, bool follow, struct lead *lead);
/* The name of a path that the kernel has told of, in its place; false: same. */
bool places_rename(char *path);
/* The one name of a file that is served, or NULL. */
const char *places_name(enum served_file file);
/* What a socket's descriptor is of; also one of O_PATH. */
enum served_file places_file_at(int fd);
/* The path of a descriptor, with room for PATH_MAX bytes. */
bool places_path_of(int fd, char *path);
#define PLACE_BYTES 192
/* Where the kernel has a file; false: it has none. */
bool places_at(enum served_file file, char at[PLACE_BYTES]);
/*
 * What the listing of a folder lacks when the kernel's has ended, from entry
 * @index on, which goes on: its name, or NULL.
 */
const char *places_lack(int fd, unsigned int *index, char at[PLACE_BYTES]);
/*
 * What a descriptor of this process is of, by the last part of its path in /proc
 * and by that link, which has to be a socket's; 0: no device.
 */
bool places_is_socket(const char *link);
enum served_file places_file_of(const char *name, const char *link);

/* ---- looks.c: what calls say of these ---- */

struct stat;
struct statx;
/* What the kernel has said of a descriptor. */
void looks_correct(int fd, struct stat *status);
/*
 * A system call that names a path, by number. False if it is the kernel's alone.
 */
bool looks_call(long number, const long *a, long *result);
/* Of an entry of a folder that is a socket: DT_*. */
unsigned char looks_type(int fd, const char *name);
unsigned char looks_type_in(const char *folder, const char *name);
/* One more entry when a listing has ended; and that it has not. */
const char *looks_listed(int fd, uint64_t *inode, unsigned char *type);
void looks_goes_on(int fd);

/* ---- paths.c ---- */

/* openat() of what the machine serves; -2: it is none of that, or not by its name. */
int paths_open(int folder, const char *path, int flags, mode_t mode);
/* The same when the kernel has been asked, and has answered @fd. */
int paths_opened(int fd, int folder, const char *path, int flags, mode_t mode);

/* ---- process.c ---- */

/* Libraries' constructors may want devices before ours has been called. */
void process_begin(void);

/* ---- valgrind.c ---- */

/* Whether the program runs under it. */
bool valgrind_is_here(void);
/* What a request has written into the program's memory. */
void valgrind_tell(unsigned long number, void *argument);

/* ---- exec.c ---- */

void exec_begin(void);
/* As execve() and execveat(), but that the last step is a system call. */
int exec_by_number(const char *path, char *const arguments[],
		   char *const environment[]);
int exec_at_by_number(int folder, const char *path, char *const arguments[],
		      char *const environment[], int flags);

#endif /* CLIENT_H */
