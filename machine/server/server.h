/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The server of a machine: what its parts know of each other.
 *
 * The main thread waits for connections, for descriptors that end and for
 * processes that die. Each connection for calls has a thread of its own, which
 * enters the machine's library as the task of the calling process.
 *
 * Before a call is served, all that had ended before it is done with: so a
 * program that sees a close, an exit or a kill sees its effects too.
 *
 * Locks, outermost first:
 *
 *	ending		held while something that ended is done with
 *	device->output  ports on their way to a program; the library may call
 *			back with locks of its own held, and it is taken then
 *	state		the lists of processes, devices and runs; a few
 *			instructions long, the library is not called under it
 *	watch table	taken alone
 */
#ifndef SERVER_H
#define SERVER_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "../machine.h"
#include "../protocol.h"

/* ---- watch.c: descriptors that the main thread waits for ---- */

struct watch {
	int fd; /* -1: not watched */
	uint64_t id;
	void (*ready)(struct watch *watch, uint32_t events);
};

void watch_init(void);
int watch_add(struct watch *watch, uint32_t events);
void watch_change(struct watch *watch, uint32_t events);
/* Its function is not called after that. */
void watch_stop(struct watch *watch);
/* The same, and the descriptor is closed. */
void watch_close(struct watch *watch);
/* Waits for events; what is ready is done with. */
void watch_wait(int timeout_ms);
/* Does with what is ready now. */
void watch_drain(void);
/* Whether this is the thread that lives as long as the machine. */
bool watch_is_main(void);
extern pthread_mutex_t ending;

/* ---- process.c ---- */

/* From execve() or fork() to the end or the next execve(). */
struct device;

struct process {
	LIST_ENTRY(process) entry;
	unsigned int refs; /* guarded by state */
	uint64_t image;
	pid_t pid; /* 0: of a fork that has not spoken yet */
	bool compat, helper;
	bool over; /* guarded by state */
	unsigned int calls; /* being served; guarded by state */
	struct run *run;
	struct task *task; /* NULL: it has called execve() and is silent */
	LIST_HEAD(, call) connections; /* for calls; guarded by state */
	struct watch connection;
	struct watch death; /* a pidfd */
	char name[HELLO_NAME];
};

/* Both answer the hello if they succeed, and keep the connection. */
int process_register(int fd, const struct hello *hello, pid_t pid);
int process_fork(int fd, const struct hello *hello);
struct process *process_find(uint64_t image);
void process_put(struct process *process);
/* A call begins, if the process is not over, on a device or on none. */
bool process_enter(struct process *process, uint64_t inode,
		   struct device **device);
void process_leave(struct process *process, struct device *device);
/* Without the server's own; and with them. */
unsigned int process_count(void);
unsigned int process_left(void);
/*
 * Does with all that has ended, and with what processes that are over still
 * have in work.
 */
void process_settle(void);
struct process *process_find_pid(pid_t pid);
/* Whether a process holds the device open: asked by the library. */
bool process_holds(struct task *task, struct file *file);
void process_report(struct run *run);
bool process_is_exiting(pid_t pid);
void process_end_exiting(pid_t pid);

/* ---- packet.c ---- */

/* What comes on a process's connection, and who sent it. */
struct packet {
	union {
		struct request request;
		struct hello hello;
	};
	ssize_t size;
	pid_t pid; /* 0: unknown */
	int fd; /* beside it, or -1 */
};

void packet_receive(int fd, struct packet *packet);

/* ---- device.c: open devices ---- */

struct device {
	LIST_ENTRY(device) entry;
	unsigned int refs; /* guarded by state */
	uint64_t inode;
	enum served_file kind;
	bool helper;
	struct file *file; /* NULL: a xenbus, or the parameter */
	struct bus_user *user; /* of a xenbus */
	struct run *run;
	pid_t opener;
	struct domain *domain;
	struct watch socket;
	/* Bytes on their way to the program. */
	pthread_mutex_t output;
	char *out;
	size_t out_room, out_size, out_sent; /* guarded by output */
	char name[HELLO_NAME];
};

/* The program's end of a new device, or a negative errno. */
int device_open(struct process *process, enum served_file kind, int oflags);
/* A socket that a program connected to xenstored's: a xenbus too. */
int device_connected(int fd, pid_t pid);
/* One whose file comes later, if it does; NULL if there is no socket. */
struct device *device_reserve(struct process *process, int *theirs);
void device_install(struct device *device, struct file *file);
void device_cancel(struct device *device);
/* Call with the lock @state. */
struct device *device_find(uint64_t inode);
void device_get(struct device *device);
void device_put(struct device *device);
/* Nobody has it any more. */
void device_finish(struct device *device);
/* Without the server's own; and with them. */
unsigned int device_count(void);
unsigned int device_left(void);
void device_report(struct run *run);
/* Bytes for the program; it may not be there any more. */
void device_write(struct device *device, const void *bytes, size_t size);
/* The program sees the end. */
void device_hang_up(struct device *device);

/* ---- kmsg.c: the kernel's log ---- */

void kmsg_start(void);
/* For a program that reads what the kernel complains of. */
int kmsg_open(void);

/* ---- trace.c: a line of all that happens ---- */

/* Sends them until the reader has had enough, or the machine ends. */
void trace_serve(int fd);
/* The machine ends: what there is is sent, and that is all. */
void trace_stop(void);

/* ---- xenstore.c: xenstored, and who wants it ---- */

void xenstore_start(void);
void xenstore_stop(void);
void xenstore_clean(void);
/* In the main thread: it may have to be started, or has ended. */
void xenstore_spawn(void);
void xenstore_reap(void);
/* A user of the domain's connection; starts xenstored if need be. */
int xenstore_use(struct device *device, struct bus_user **user);
/* Whether xenstored knows a domain; and sees to it. */
bool xenstore_knows(unsigned int domid);
void xenstore_introduce(unsigned int domid);
/* For xenstored itself: the event channel and the page of domain 0's rings. */
int xenstore_port(void);
int xenstore_page(void);

/* ---- call.c: a connection for calls, and its answers ---- */

void call_serve(int fd, struct process *process);
/*
 * Nothing is said to the process any more: somebody else may have its end of a
 * connection and read nothing. Call with the lock @state.
 */
void call_hang_up(struct process *process);
/* Room for a descriptor that goes with a message, and its going; -1: none. */
union passed {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};
void pass(struct msghdr *message, union passed *control, int fd);
bool answer_send(int fd, const struct answer *answer, const void *bytes,
		 int passed);
bool answer_value(int fd, int64_t value);
/* The same where nobody may be waited for. */
bool answer_now(int fd, int64_t value);

/* ---- copier.c: copies that the calling process does ---- */

struct copier;
struct copier *copier_new(int fd, pid_t pid);
void copier_free(struct copier *copier);
/* Where what is behind a request of OP_COPY goes. */
void *copier_room(struct copier *copier, size_t *size);
/* What the process had to do is done. */
void copier_end(struct copier *copier);
/* The request; @bytes are in the room. */
int64_t copier_ioctl(struct copier *copier, struct task *task,
		     struct file *file, const struct request *request,
		     size_t bytes);
bool copier_answer(struct copier *copier, int64_t value);

/* ---- reserved_fd.c: descriptors that requests give ---- */

extern const struct machine_descriptors reserved_fd_descriptors;
/* This thread serves calls of that process, on that connection. */
void reserved_fd_begin(int fd, struct process *process);

/* ---- view.c ---- */

/* A descriptor of the same memory, for reading. */
int view_reader(int memory);

/* An answer that says what is mapped, in as many packets as it takes. */
struct view_stream {
	int fd; /* where it goes */
	uint32_t flags; /* ANSWER_* of every packet */
	bool lost; /* nobody is there any more */
	int memory; /* of the packet being filled; -1: absent pages */
	unsigned int count;
	struct segment segments[SEGMENTS];
};

/* Whether there is a descriptor for each of its pages. */
bool view_is_ready(const struct view *view);
void view_add(struct view_stream *stream, const struct view *view);
bool view_end(struct view_stream *stream);
/* Closes what was opened for it, at the end of the machine. */
void view_forget(void);

/* ---- run.c: `gntdev run`, from its side of the server ---- */

struct run {
	LIST_ENTRY(run) entry;
	unsigned int refs; /* guarded by state */
	uint32_t number;
	struct watch connection;
	/* What its processes left behind; guarded by state. */
	char *left;
	size_t left_size;
	FILE *left_file;
	unsigned int left_count;
};

/* On failure @why gets the reason. */
int run_begin(int fd, const struct hello *hello, char *why, size_t size);
struct run *run_find(uint32_t number);
void run_put(struct run *run);
unsigned int run_count(void);
/* Adds lines that name what was left. */
void run_left(struct run *run, struct domain *domain, pid_t pid,
	      const char *name, const char *lines, unsigned int count);
/* Tells all runs a line; safe in any state of the server. */
void run_tell_all(const char *text);
void run_tell(struct run *run, const char *text);
/* Of the last run: it waits for the end of the machine. */
int run_take_last(void);

/* ---- served.c: files that are just text ---- */

/* A descriptor, or a negative errno. */
int served_open(const struct process *process, enum served_file kind,
		int flags);
/* A parameter of a module, which may be written; and what was. */
bool served_is_setting(enum served_file kind);
void served_set(enum served_file kind, const char *text);

/* ---- hello.c ---- */

/* A new connection; a thread finds out what it is for. */
void hello_take(int fd);
/* One that a process has sent on its connection, with its hello. */
void hello_take_passed(int fd, pid_t pid, const struct hello *hello);
/* False if it is another user's; @pid gets its process. */
bool hello_is_welcome(int fd, pid_t *pid);
/* It is told why it is not served. */
void hello_refuse(int fd, int error, const char *what);

/* ---- folder.c: the machine's directory ---- */

/* The lock and the log are the server's from here on; or it ends. */
void folder_take(void);
/* At the end; a private one goes with all that is in it. */
void folder_clean(bool private);
/* A directory in it, or a negative errno; a file or an empty directory goes. */
int folder_make(const char *name);
void folder_remove(const char *name);
/* A listening socket in it. */
int server_listen(const char *name);
char *server_path(const char *name);

/* ---- tree.c: what programs find in the machine's directory ---- */

void tree_make(int directory);
void tree_remove(int directory, bool private);

/* ---- limits.c: of descriptors, threads and memory ---- */

/* Of descriptors it takes all that it may have. */
void limits_start(void);
/* A negative errno of the server's as programs are to be told; a line of it. */
int limits_error(int error);
/* Whether a new descriptor is one of those that the server keeps for itself. */
bool limits_reached(int fd);
/*
 * A connection, or -1. Where no descriptor is left it is only there to be told
 * so, and is then to be given back.
 */
int server_accept(const struct watch *listener, bool *refused);
void server_refused(int fd);

/* ---- main.c ---- */

extern pthread_mutex_t state;
extern struct server {
	char *folder;
	enum machine_mode mode;
	unsigned int threads; /* guarded by state */
	unsigned int helper_threads; /* of these: the server's own clients' */
	bool used; /* somebody has come */
} server;

/* Starts a thread for a connection; it counts among server.threads. */
int server_thread(void *(*run)(void *), void *arg);
void server_thread_done(void);
/* As long as it serves a client of the server's own, it is no sign of life. */
void server_thread_helps(int change);
/* The main thread looks around. */
void server_wake(void);
void server_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed; the server does not live without memory for its books. */
void *must_alloc(size_t size);
void server_fail(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#endif /* SERVER_H */
