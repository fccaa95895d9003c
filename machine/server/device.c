// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Open devices. The program's descriptor is one end of a stream socket, so the
 * kernel keeps account of who has it; what the server reads at the other end
 * is what programs write to the device, and at last its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus.h"

#define BUCKETS 256

static void unmake(struct device *device);

static LIST_HEAD(bucket, device) buckets[BUCKETS];
static unsigned int devices, helpers;

static const char *const names[] = {
	[FILE_GNTDEV] = "gntdev", [FILE_GNTALLOC] = "gntalloc",
	[FILE_EVTCHN] = "evtchn", [FILE_PRIVCMD] = "privcmd",
	[FILE_VGEM] = "vgem",
};

struct device *device_find(uint64_t inode)
{
	struct device *device;

	LIST_FOREACH(device, &buckets[inode % BUCKETS], entry)
	{
		if (device->inode == inode)
			break;
	}
	if (device)
		device->refs++;

	return device;
}

void device_get(struct device *device)
{
	pthread_mutex_lock(&state);
	device->refs++;
	pthread_mutex_unlock(&state);
}

unsigned int device_count(void)
{
	unsigned int count;

	pthread_mutex_lock(&state);
	count = devices - helpers;
	pthread_mutex_unlock(&state);

	return count;
}

unsigned int device_left(void)
{
	return device_count() + helpers;
}

/* What is granted through it, into the books of its run. */
static void report(struct device *device)
{
	unsigned int count;
	char *lines = NULL;
	size_t size;
	FILE *out;

	if (!device->run || !device->file)
		return;
	out = open_memstream(&lines, &size);
	if (!out)
		return;
	count = file_report(device->file, out);
	fclose(out);
	if (count)
		run_left(device->run, device->domain, device->opener,
			 device->name, lines, count);
	free(lines);
}

void device_finish(struct device *device)
{
	/* A program that closes it knows what it does; one that ends may not. */
	if (process_is_exiting(device->opener))
		report(device);
	unmake(device);
}

void device_put(struct device *device)
{
	bool last;

	pthread_mutex_lock(&state);
	last = --device->refs == 0;
	pthread_mutex_unlock(&state);

	if (last)
		device_finish(device);
}

static void end(struct device *device)
{
	watch_stop(&device->socket);
	process_end_exiting(device->opener);

	pthread_mutex_lock(&state);
	LIST_REMOVE(device, entry);
	devices--;
	helpers -= device->helper;
	pthread_mutex_unlock(&state);

	device_put(device);
}

/* Bytes for the program, as many as it takes; the rest when it has read some. */
static void push(struct device *device)
{
	ssize_t size;

	while (device->out_sent < device->out_size) {
		size = send(device->socket.fd, device->out + device->out_sent,
			    device->out_size - device->out_sent,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (size < 0 && errno == EAGAIN) {
			watch_change(&device->socket, EPOLLIN | EPOLLOUT);
			return;
		}
		if (size < 0)
			break;
		device->out_sent += size;
	}
	device->out_size = device->out_sent = 0;
}

static void append(struct device *device, const void *bytes, size_t size)
{
	char *more;

	if (device->out_room < device->out_size + size) {
		more = realloc(device->out, device->out_size + size);
		if (!more)
			server_fail(
				"no memory for what a program does not read");
		device->out = more;
		device->out_room = device->out_size + size;
	}
	memcpy(device->out + device->out_size, bytes, size);
	device->out_size += size;
}

void device_write(struct device *device, const void *bytes, size_t size)
{
	pthread_mutex_lock(&device->output);
	append(device, bytes, size);
	push(device);
	pthread_mutex_unlock(&device->output);
}

void device_hang_up(struct device *device)
{
	shutdown(device->socket.fd, SHUT_RDWR);
}

/* No more ports are fetched than go. */
static void push_ports(struct device *device)
{
	uint32_t ports[64];
	ssize_t size;

	pthread_mutex_lock(&device->output);
	for (;;) {
		push(device);
		if (device->out_size)
			break;
		size = file_read(device->file, ports, sizeof(ports));
		if (size <= 0)
			break;
		append(device, ports, size);
	}
	pthread_mutex_unlock(&device->output);
}

static void on_port(struct file *file, void *arg)
{
	(void)file;
	push_ports(arg);
}

static void on_written(struct device *device, const char *bytes, size_t size)
{
	switch (device->kind) {
	case FILE_EVTCHN:
		file_write(device->file, bytes, size);
		push_ports(device);
		break;
	case FILE_XENBUS:
		if (device->user)
			bus_user_write(device->user, bytes, size);
		break;
	default:
		if (served_is_setting(device->kind))
			served_set(device->kind, bytes);
		break;
	}
}

static void on_socket(struct watch *watch, uint32_t events)
{
	struct device *device =
		(struct device *)((char *)watch -
				  offsetof(struct device, socket));
	char bytes[4096 + 1];
	ssize_t size;

	if (events & EPOLLOUT) {
		watch_change(watch, EPOLLIN);
		if (device->kind == FILE_EVTCHN)
			push_ports(device);
		else
			device_write(device, NULL, 0);
	}

	while ((size = recv(watch->fd, bytes, sizeof(bytes) - 1,
			    MSG_DONTWAIT)) > 0) {
		bytes[size] = '\0';
		on_written(device, bytes, size);
	}
	if (!size || (errno != EAGAIN && errno != EINTR))
		end(device);
}

/* So that the program's end tells what it is, see protocol.h. */
static int name_device(const struct device *device, int theirs, int oflags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct device_name name = {
		.magic = DEVICE_MAGIC,
		.file = device->kind,
		.flags = oflags & ~DEVICE_MAY_OVERFLOW,
		.inode = device->inode,
	};

	if (device->kind == FILE_EVTCHN && machine_may_overflow())
		name.flags |= DEVICE_MAY_OVERFLOW;
	if (getrandom(&name.random, sizeof(name.random), 0) < 0)
		return -errno;
	memcpy(address.sun_path, &name, sizeof(name));
	if (bind(theirs, (struct sockaddr *)&address,
		 offsetof(struct sockaddr_un, sun_path) + sizeof(name)) < 0)
		return -errno;

	return 0;
}

/* Its two ends; the inode is that of the program's. */
static int make_sockets(struct device *device, int *theirs, int oflags)
{
	struct stat status;
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	error = limits_reached(ends[0]) ? -ENFILE : 0;
	if (!error && fstat(ends[1], &status) < 0)
		error = -errno;
	device->inode = error ? 0 : status.st_ino;
	if (!error)
		error = name_device(device, ends[1], oflags);
	if (error) {
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	device->socket.fd = ends[0];
	*theirs = ends[1];

	return 0;
}

static int open_file(struct device *device, struct process *process, int oflags)
{
	int error;

	if (device->kind == FILE_XENBUS)
		return xenstore_use(device, &device->user);
	if (served_is_setting(device->kind))
		return 0;

	error = file_open(process->task, names[device->kind], oflags,
			  &device->file);
	if (error == -ENOENT && device->kind == FILE_PRIVCMD)
		return 0;
	if (error)
		return error;
	file_set_tag(device->file, device);
	if (device->kind == FILE_EVTCHN)
		file_on_readable(device->file, on_port, device);

	return 0;
}

static struct device *make(const struct process *process, enum served_file kind)
{
	struct device *device = must_alloc(sizeof(*device));

	device->refs = 1;
	device->kind = kind;
	device->socket.fd = -1;
	device->socket.ready = on_socket;
	pthread_mutex_init(&device->output, NULL);
	if (!process || !process->task) {
		device->domain = domain_get(0);
		return device;
	}

	device->helper = process->helper;
	device->opener = process->pid;
	device->domain = task_domain(process->task);
	device->run = process->run ? run_find(process->run->number) : NULL;
	memcpy(device->name, process->name, sizeof(device->name));

	return device;
}

/* One that nobody knows of, or has finished with. */
static void unmake(struct device *device)
{
	if (device->file)
		file_close(NULL, device->file);
	if (device->user)
		bus_user_end(device->user);
	watch_close(&device->socket);
	pthread_mutex_destroy(&device->output);
	if (device->run)
		run_put(device->run);
	free(device->out);
	free(device);
}

/* From here on it can be named, and ends with its last descriptor. */
static int show(struct device *device)
{
	int error;

	pthread_mutex_lock(&state);
	LIST_INSERT_HEAD(&buckets[device->inode % BUCKETS], device, entry);
	devices++;
	helpers += device->helper;
	pthread_mutex_unlock(&state);

	error = watch_add(&device->socket, EPOLLIN);
	if (error) {
		pthread_mutex_lock(&ending);
		end(device);
		pthread_mutex_unlock(&ending);
		error = limits_error(error);
	}

	return error;
}

int device_open(struct process *process, enum served_file kind, int oflags)
{
	struct device *device = make(process, kind);
	int theirs = -1, error;

	error = make_sockets(device, &theirs, oflags);
	if (!error)
		error = open_file(device, process, oflags);
	if (error) {
		unmake(device);
		if (theirs >= 0)
			close(theirs);
		return error;
	}

	/* Nothing is ever read from these: not a wait, but an end at once. */
	if (kind != FILE_EVTCHN && kind != FILE_XENBUS)
		shutdown(device->socket.fd, SHUT_WR);
	error = show(device);
	if (error) {
		close(theirs);
		return error;
	}

	return theirs;
}

struct device *device_reserve(struct process *process, int *theirs)
{
	struct device *device = make(process, FILE_DMABUF);

	if (make_sockets(device, theirs, O_RDWR)) {
		unmake(device);
		return NULL;
	}
	shutdown(device->socket.fd, SHUT_WR);

	return device;
}

void device_install(struct device *device, struct file *file)
{
	device->file = file;
	file_set_tag(file, device);
	show(device);
}

void device_cancel(struct device *device)
{
	unmake(device);
}

int device_connected(int fd, pid_t pid)
{
	struct process *process = process_find_pid(pid);
	struct device *device = make(process, FILE_XENBUS);
	struct stat status;
	int error;

	if (process)
		process_put(process);
	device->socket.fd = fd;
	error = fstat(fd, &status) ? -errno : 0;
	if (!device->domain)
		error = -ENOMEM;
	device->inode = error ? 0 : status.st_ino;
	if (!error)
		error = xenstore_use(device, &device->user);
	if (error)
		unmake(device);
	else
		show(device);

	return error;
}

void device_report(struct run *run)
{
	struct device **all, *device;
	unsigned int count = 0;

	/* Others may come meanwhile; these stay as long as they are held. */
	pthread_mutex_lock(&state);
	all = must_alloc((devices + 1) * sizeof(struct device *));
	for (int i = 0; i < BUCKETS; i++) {
		LIST_FOREACH(device, &buckets[i], entry)
		{
			if (device->run != run)
				continue;
			device->refs++;
			all[count++] = device;
		}
	}
	pthread_mutex_unlock(&state);

	while (count) {
		report(all[--count]);
		device_put(all[count]);
	}
	free(all);
}
