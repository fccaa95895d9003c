// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Processes. One begins with a connection of its own, at execve() or fork(),
 * and ends when that connection or the process itself ends.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../parent.h"
#include "server.h"

/* How long calls of a process that is over may hold up others'. */
#define SETTLE_S 2

static LIST_HEAD(, process) processes = LIST_HEAD_INITIALIZER(processes);

/* A process that is about to end has this flag in /proc/PID/stat. */
#define PF_EXITING 0x4

/* Whether a process is gone or going, as opposed to having called execve(). */
bool process_is_exiting(pid_t pid)
{
	char path[64], text[512], *after;
	unsigned int flags;
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT || errno == ESRCH;
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	/* It may have been waited for since the file was opened: ESRCH. */
	if (!size)
		return true;
	text[size] = '\0';

	/* The name may have anything in it, parentheses too. */
	after = strrchr(text, ')');
	if (!after ||
	    sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return false;

	return after[2] == 'Z' || after[2] == 'X' || flags & PF_EXITING;
}

static struct process *find_pid(pid_t pid)
{
	struct process *process;

	LIST_FOREACH(process, &processes, entry)
	{
		if (process->pid == pid)
			return process;
	}

	return NULL;
}

struct process *process_find(uint64_t image)
{
	struct process *process;

	pthread_mutex_lock(&state);
	LIST_FOREACH(process, &processes, entry)
	{
		if (process->image == image && process->task)
			break;
	}
	if (process)
		process->refs++;
	pthread_mutex_unlock(&state);

	return process;
}

void process_put(struct process *process)
{
	bool last;

	pthread_mutex_lock(&state);
	last = --process->refs == 0;
	pthread_mutex_unlock(&state);
	if (!last)
		return;

	if (process->run)
		run_put(process->run);
	free(process);
}

struct process *process_find_pid(pid_t pid)
{
	struct process *process;

	pthread_mutex_lock(&state);
	process = find_pid(pid);
	if (process)
		process->refs++;
	pthread_mutex_unlock(&state);

	return process;
}

static unsigned int count(bool helpers)
{
	struct process *process;
	unsigned int number = 0;

	pthread_mutex_lock(&state);
	LIST_FOREACH(process, &processes, entry)
	number += helpers || !process->helper;
	pthread_mutex_unlock(&state);

	return number;
}

unsigned int process_count(void)
{
	return count(false);
}

unsigned int process_left(void)
{
	return count(true);
}

/* Those that are over, but have calls in work; and who waits for them. */
static atomic_uint dying;
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER;
/* So many of them nobody waits for any more. */
static atomic_uint stuck;

/* Their calls end soon: a fatal signal is pending. Whether there were any. */
static bool settle(void)
{
	struct timespec limit;

	if (dying <= stuck)
		return false;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += SETTLE_S;
	pthread_mutex_lock(&state);
	while (dying > stuck &&
	       !pthread_cond_timedwait(&settled, &state, &limit))
		;
	if (dying > stuck)
		stuck = dying;
	pthread_mutex_unlock(&state);

	return true;
}

/* A call may leave something behind that ends at once: a child, a device. */
void process_settle(void)
{
	watch_drain();
	while (settle())
		watch_drain();
}

/* What the process still has mapped, into the books of its run. */
static void report(struct process *process)
{
	struct domain *domain = task_domain(process->task);
	unsigned int count;
	char *lines = NULL;
	size_t size;
	FILE *out;

	if (!process->run)
		return;
	out = open_memstream(&lines, &size);
	if (!out)
		return;
	count = task_report(process->task, out);
	fclose(out);
	if (count)
		run_left(process->run, domain, process->pid, process->name,
			 lines, count);
	free(lines);
}

/* No call is in work, and none begins any more. */
static void finish(struct process *process)
{
	if (process->task && process->pid && process_is_exiting(process->pid))
		report(process);
	if (process->task)
		task_exit(process->task);
	process->task = NULL;
	pthread_mutex_lock(&state);
	dying--;
	if (stuck > dying)
		stuck = dying;
	if (dying == stuck)
		pthread_cond_broadcast(&settled);
	pthread_mutex_unlock(&state);
	process_put(process);
}

/* One lock for all of it: most calls are short. */
bool process_enter(struct process *process, uint64_t inode,
		   struct device **device)
{
	bool over;

	*device = NULL;
	pthread_mutex_lock(&state);
	over = process->over;
	if (!over) {
		process->calls++;
		if (inode)
			*device = device_find(inode);
	}
	pthread_mutex_unlock(&state);

	return !over;
}

void process_leave(struct process *process, struct device *device)
{
	bool last, last_of_device;

	pthread_mutex_lock(&state);
	last = --process->calls == 0 && process->over;
	last_of_device = device && --device->refs == 0;
	pthread_mutex_unlock(&state);

	if (last_of_device)
		device_finish(device);
	if (last)
		finish(process);
}

/* Its address space is gone. The lock @ending is held. */
static void end(struct process *process)
{
	bool now;

	watch_close(&process->connection);
	watch_close(&process->death);

	pthread_mutex_lock(&state);
	LIST_REMOVE(process, entry);
	process->over = true;
	dying++;
	now = !process->calls;
	/* While the lock is held: the last call that leaves ends the task. */
	if (!now)
		task_kill(process->task);
	call_hang_up(process);
	pthread_mutex_unlock(&state);

	if (now)
		finish(process);
}

/* Processes lose their mappings before their descriptors. */
void process_end_exiting(pid_t pid)
{
	struct process *process;

	pthread_mutex_lock(&state);
	process = find_pid(pid);
	pthread_mutex_unlock(&state);

	if (process && process_is_exiting(pid))
		end(process);
}

static void on_death(struct watch *watch, uint32_t events)
{
	(void)events;
	end((struct process *)((char *)watch -
			       offsetof(struct process, death)));
}

/* That the server can read and write the memory of a process. */
static int check_memory(pid_t pid, const struct hello *hello, uint64_t image)
{
	uint64_t value = 0;
	struct iovec here = {&value, sizeof(value)};
	struct iovec there = {(void *)(uintptr_t)hello->address, sizeof(value)};

	if (pid <= 0)
		return -ESRCH;
	if (process_vm_readv(pid, &here, 1, &there, 1, 0) != sizeof(value))
		return errno == EPERM ? -EPERM : -ESRCH;

	return value == image ? 0 : -ESRCH;
}

static int watch_death(struct process *process)
{
	process->death.ready = on_death;
	process->death.fd = syscall(SYS_pidfd_open, process->pid, 0);
	/* Without it (before Linux 5.3), the connection's end has to do. */
	if (process->death.fd < 0)
		return errno == ENOSYS && process->task ? 0 : -errno;

	return watch_add(&process->death, EPOLLIN);
}

/* It waits for an answer, so it is there to be asked whose child it is. */
static void trace_process(const struct process *process)
{
	if (machine_is_traced())
		machine_trace_process(process->pid, parent_of(process->pid),
				      process->run ? process->run->number : 0);
}

/* The child of a fork speaks; from here on it is a process like others. */
static int adopt(struct process *process, pid_t pid, uint64_t address)
{
	struct hello where = {.address = address};
	int error;

	if (process->pid)
		return -EINVAL;
	error = check_memory(pid, &where, process->image);
	if (error)
		return error;

	process->pid = pid;
	task_set_pid(process->task, pid);
	trace_process(process);

	return watch_death(process);
}

static void on_connection(struct watch *watch, uint32_t events);

static struct process *make(int fd, uint64_t image, const struct hello *hello)
{
	struct process *process = must_alloc(sizeof(*process));

	process->refs = 1;
	LIST_INIT(&process->connections);
	process->image = image;
	process->compat = hello->flags & HELLO_COMPAT;
	process->helper = hello->flags & HELLO_HELPER;
	process->connection.fd = fd;
	process->connection.ready = on_connection;
	process->death.fd = -1;
	snprintf(process->name, sizeof(process->name), "%s", hello->name);

	return process;
}

/* A process without a task, in the place of one that has called execve(). */
static void keep_without_task(const struct process *former)
{
	struct process *process = must_alloc(sizeof(*process));

	process->refs = 1;
	LIST_INIT(&process->connections);
	process->pid = former->pid;
	process->helper = former->helper;
	process->run = former->run ? run_find(former->run->number) : NULL;
	process->connection.fd = -1;
	memcpy(process->name, former->name, sizeof(process->name));

	pthread_mutex_lock(&state);
	LIST_INSERT_HEAD(&processes, process, entry);
	pthread_mutex_unlock(&state);
	if (watch_death(process))
		end(process);
}

/* True if the connection goes on after that. */
static bool take(struct process *process, const struct packet *packet)
{
	int fd = process->connection.fd;

	if (packet->size == sizeof(packet->hello) && packet->fd >= 0) {
		hello_take_passed(packet->fd, packet->pid, &packet->hello);
		return true;
	}
	if (packet->fd >= 0)
		close(packet->fd);
	if (packet->size == sizeof(packet->request) &&
	    packet->request.op == OP_ADOPT) {
		return answer_now(fd, adopt(process, packet->pid,
					    packet->request.a));
	}
	if (packet->size == sizeof(packet->request) &&
	    packet->request.op == OP_SHORTAGE) {
		server_log("process %d (%s) cannot have another connection: %s",
			   process->pid, process->name,
			   strerror(packet->request.a & INT32_MAX));
		return true;
	}

	return packet->size < 0 && (errno == EAGAIN || errno == EINTR);
}

static void on_connection(struct watch *watch, uint32_t events)
{
	struct process *process =
		(struct process *)((char *)watch -
				   offsetof(struct process, connection));
	struct packet packet;

	(void)events;
	packet_receive(watch->fd, &packet);
	if (take(process, &packet))
		return;

	/*
	 * After execve() it may never speak again, or will in a moment. So that
	 * the machine does not end in between, it counts until it has ended.
	 */
	if (process->pid && !process_is_exiting(process->pid))
		keep_without_task(process);
	end(process);
}

/* Shows a process to the rest of the server. The lock @ending is held. */
static int begin(struct process *process)
{
	int error, on = 1;

	setsockopt(process->connection.fd, SOL_SOCKET, SO_PASSCRED, &on,
		   sizeof(on));
	pthread_mutex_lock(&state);
	LIST_INSERT_HEAD(&processes, process, entry);
	pthread_mutex_unlock(&state);

	error = watch_add(&process->connection, EPOLLIN);
	if (!error && process->pid)
		error = watch_death(process);
	if (!error) {
		answer_now(process->connection.fd, 0);
		return 0;
	}
	/* To say why, the caller has it again. */
	watch_stop(&process->connection);
	process->connection.fd = -1;
	end(process);

	return limits_error(error);
}

/* What was at this pid before has called execve(). */
static void end_former(pid_t pid)
{
	struct process *former;

	pthread_mutex_lock(&state);
	former = find_pid(pid);
	pthread_mutex_unlock(&state);
	if (former)
		end(former);
}

int process_register(int fd, const struct hello *hello, pid_t pid)
{
	struct domain *domain;
	struct process *process;
	int error;

	error = check_memory(pid, hello, hello->image);
	if (error)
		return error;
	domain = domain_get(hello->domain);
	if (!domain)
		return limits_error(-errno);

	process = make(fd, hello->image, hello);
	process->pid = pid;
	process->run = run_find(hello->run);
	process->task = task_new(domain, pid);
	task_set_name(process->task, process->name);
	trace_process(process);

	pthread_mutex_lock(&ending);
	end_former(pid);
	error = begin(process);
	pthread_mutex_unlock(&ending);

	return error;
}

int process_fork(int fd, const struct hello *hello)
{
	struct process *parent = process_find(hello->image);
	struct process *process;
	struct device *none;
	int error;

	if (!parent)
		return -ESRCH;
	if (!process_enter(parent, 0, &none)) {
		process_put(parent);
		return -ESRCH;
	}

	process = make(fd, hello->child, hello);
	process->compat = parent->compat;
	process->helper = parent->helper;
	process->run = parent->run ? run_find(parent->run->number) : NULL;
	error = task_fork(parent->task, 0, &process->task);

	pthread_mutex_lock(&ending);
	if (error)
		process_put(process);
	else
		error = begin(process);
	process_leave(parent, NULL);
	process_put(parent);
	pthread_mutex_unlock(&ending);

	return error;
}

bool process_holds(struct task *task, struct file *file)
{
	const struct device *device = file_tag(file);
	char path[64], wanted[64], link[64];
	const struct dirent *entry;
	bool found = false;
	ssize_t length;
	DIR *folder;

	if (!device)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fd", task_pid(task));
	snprintf(wanted, sizeof(wanted), "socket:[%llu]",
		 (unsigned long long)device->inode);
	folder = opendir(path);
	if (!folder)
		return false;
	while (!found && (entry = readdir(folder))) {
		length = readlinkat(dirfd(folder), entry->d_name, link,
				    sizeof(link) - 1);
		if (length < 0)
			continue;
		link[length] = '\0';
		found = !strcmp(link, wanted);
	}
	closedir(folder);

	return found;
}

/* Those that have not ended. The lock @ending is held, so they stay. */
void process_report(struct run *run)
{
	struct process *process, *next;

	pthread_mutex_lock(&state);
	process = LIST_FIRST(&processes);
	pthread_mutex_unlock(&state);

	for (; process; process = next) {
		if (process->run == run && process->pid && process->task)
			report(process);
		pthread_mutex_lock(&state);
		next = LIST_NEXT(process, entry);
		pthread_mutex_unlock(&state);
	}
}
