// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Descriptors that a driver gives its caller: of dma-bufs. The caller gets one
 * in the middle of its call, and tells its number; it is a socket like that of
 * any open device, but nothing's as yet. When the driver has done all that may
 * fail, it becomes the file's. If it does not come to that, or another thread
 * of the program has closed it by then, it just ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

/* Of the call that this thread serves. */
static _Thread_local struct {
	int fd;
	struct process *process;
	struct device *device; /* reserved, or NULL */
} call;

void reserved_fd_begin(int fd, struct process *process)
{
	call.fd = fd;
	call.process = process;
}

/* Asks the program what number it has given it. */
static int ask_number(int theirs, int flags)
{
	struct answer answer = {
		.flags = ANSWER_FD | ANSWER_RESERVED,
		.extra = flags,
	};
	struct request request;

	if (!answer_send(call.fd, &answer, NULL, theirs))
		return -EINTR;
	if (recv(call.fd, &request, sizeof(request), 0) != sizeof(request) ||
	    request.op != OP_NUMBER)
		return -EINTR;

	return (int)request.a;
}

static int reserve(struct task *task, int flags)
{
	int theirs, number;

	(void)task;
	call.device = device_reserve(call.process, &theirs);
	if (!call.device)
		return limits_error(-ENFILE);
	number = ask_number(theirs, flags);
	close(theirs);
	if (number < 0) {
		device_cancel(call.device);
		call.device = NULL;
	}

	return number;
}

static void cancel(struct task *task, int fd)
{
	(void)task;
	(void)fd;
	device_cancel(call.device);
	call.device = NULL;
}

static void install(struct task *task, int fd, struct file *file)
{
	(void)task;
	(void)fd;
	device_install(call.device, file);
	call.device = NULL;
}

/* What the program has at a number, if it is of this machine and its domain. */
static struct file *find(struct task *task, unsigned int fd)
{
	char path[64], link[64];
	unsigned long long inode;
	struct device *device;
	struct file *file;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%u", task_pid(task), fd);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		return NULL;
	link[length] = '\0';
	if (sscanf(link, "socket:[%llu]", &inode) != 1)
		return NULL;

	pthread_mutex_lock(&state);
	device = device_find(inode);
	pthread_mutex_unlock(&state);
	if (!device)
		return NULL;
	file = device->domain == task_domain(task) ? device->file : NULL;
	if (file)
		file_get(file);
	device_put(device);

	return file;
}

const struct machine_descriptors reserved_fd_descriptors = {
	.reserve = reserve,
	.cancel = cancel,
	.install = install,
	.find = find,
};
