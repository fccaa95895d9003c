// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Calls of a process: each connection for them has a thread of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../include/xen/gntdev_more.h"
#include "server.h"

/* Bytes that one mapping may have. */
#define MOST_MAPPED (4UL << 30)

void pass(struct msghdr *message, union passed *control, int fd)
{
	if (fd < 0)
		return;
	*control = (union passed){.header = {
					  .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS,
					  .cmsg_len = CMSG_LEN(sizeof(fd)),
				  }};
	memcpy(CMSG_DATA(&control->header), &fd, sizeof(fd));
	message->msg_control = control;
	message->msg_controllen = sizeof(*control);
}

bool answer_send(int fd, const struct answer *answer, const void *bytes,
		 int passed)
{
	union passed control;
	struct iovec parts[] = {
		{(void *)answer, sizeof(*answer)},
		{(void *)bytes, answer->bytes},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	pass(&message, &control, passed);

	return sendmsg(fd, &message, MSG_NOSIGNAL) >= 0;
}

bool answer_value(int fd, int64_t value)
{
	struct answer answer = {.value = value};

	return send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) >= 0;
}

bool answer_now(int fd, int64_t value)
{
	struct answer answer = {.value = value};

	return send(fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT) >=
	       0;
}

/* A call: who calls, what for, on which device, and where the answer goes. */
struct call {
	LIST_ENTRY(call) entry; /* of the process's connections */
	int fd;
	struct process *process;
	const struct request *request;
	struct device *device; /* NULL: none is named */
	struct copier *copier; /* NULL: no copy yet */
	size_t bytes; /* behind the request, in the copier's room */
	bool copied; /* the copier answers */
	/* What is answered when the call is over, see call_answer(). */
	int64_t value;
	uint32_t flags; /* ANSWER_* */
	struct view view; /* of a new mapping */
	bool answered; /* it has answered itself */
};

static bool call_open(const struct call *call)
{
	const struct request *request = call->request;
	struct answer answer = {.flags = ANSWER_FD};
	bool sent;
	int fd;

	/* The first is no file, the other one requests make. */
	if (!request->file || request->file == FILE_DMABUF)
		fd = -EINVAL;
	else if (request->file < FILE_CAPABILITIES ||
		 (served_is_setting(request->file) &&
		  (request->a & O_ACCMODE) != O_RDONLY))
		fd = device_open(call->process, request->file, request->a);
	else
		fd = served_open(call->process, request->file, request->a);
	if (fd < 0)
		return answer_value(call->fd, fd == -EMFILE || fd == -ENFILE
						      ? limits_error(fd)
						      : fd);

	sent = answer_send(call->fd, &answer, NULL, fd);
	close(fd);

	return sent;
}

static int64_t call_ioctl(const struct call *call)
{
	const struct request *request = call->request;
	int64_t result;

	if (!call->device->file)
		return -ENOTTY;

	result = file_ioctl(call->process->task, call->device->file, request->a,
			    request->b, call->process->compat);
	/* The program asks what it sees now: it cannot fault anything in. */
	if (request->a == IOCTL_GNTDEV_AREA_MAP)
		task_touch(call->process->task);

	return result;
}

/* By a process that does the copying, or would have if it had been asked. */
static int64_t call_copy(struct call *call)
{
	call->copied = call->bytes && !call->process->compat &&
		       call->device->file;
	if (!call->copied)
		return call_ioctl(call);

	return copier_ioctl(call->copier, call->process->task,
			    call->device->file, call->request, call->bytes);
}

static int64_t call_mmap(struct call *call)
{
	const struct request *request = call->request;
	int64_t error;

	if (!call->device->file)
		return -ENODEV;
	/* No device has as much, and to look takes time for each page. */
	if (request->b > MOST_MAPPED)
		return -ENOMEM;
	error = task_mmap(call->process->task, call->device->file, request->a,
			  request->b, request->c, request->d, request->e,
			  &call->view);
	if (error)
		return error;
	if (!view_is_ready(&call->view)) {
		task_munmap(call->process->task, call->view.addr, request->b);
		view_free(&call->view);
		return limits_error(-ENFILE);
	}
	if (call->view.no_fork)
		call->flags = ANSWER_NO_FORK;

	return 0;
}

static int64_t call_seek(const struct call *call)
{
	if (!call->device->file)
		return -ESPIPE;
	return file_seek(call->device->file, call->request->a,
			 call->request->b);
}

/* All that is mapped from one address to another. */
static bool call_view(const struct call *call)
{
	struct view_stream stream = {.fd = call->fd};
	uint64_t at = call->request->a, to = call->request->b;
	struct view view;

	while (at < to && !task_view(call->process->task, at, &view)) {
		at = view.addr + view.count * MACHINE_PAGE;
		if (view.addr < to)
			view_add(&stream, &view);
		view_free(&view);
	}

	return view_end(&stream);
}

static bool call_fdinfo(const struct call *call)
{
	char text[ANSWER_BYTES];
	struct answer answer = {0};

	if (call->device->file)
		answer.bytes =
			file_fdinfo(call->device->file, text, sizeof(text));

	return answer_send(call->fd, &answer, text, -1);
}

static int64_t call_memory(const struct call *call)
{
	const struct request *request = call->request;
	struct task *task = call->process->task;

	switch (request->op) {
	case OP_MUNMAP:
		return task_munmap(task, request->a, request->b);
	case OP_MPROTECT:
		return task_mprotect(task, request->a, request->b, request->c);
	case OP_MADVISE:
		return task_madvise(task, request->a, request->b, request->c);
	case OP_MREMAP:
		return task_mremap(task, request->a, request->b, request->c,
				   request->d, request->e);
	case OP_CLEAR_REFS:
		return task_clear_refs(task, request->a);
	case OP_SYNC:
		return 0;
	default:
		return -ENOSYS;
	}
}

/* A device belongs to the domain where it was opened. */
static bool is_elsewhere(const struct call *call)
{
	return call->device &&
	       call->device->domain != task_domain(call->process->task);
}

/* Calls with an answer of their own have sent it when they return. */
static int64_t call_do(struct call *call)
{
	if (is_elsewhere(call)) {
		server_log(
			"process %d (%s) of domain %u uses a device that domain %u opened",
			call->process->pid, call->process->name,
			domain_id(task_domain(call->process->task)),
			domain_id(call->device->domain));
		return -EXDEV;
	}

	switch (call->request->op) {
	case OP_IOCTL:
		return call_ioctl(call);
	case OP_COPY:
		return call_copy(call);
	case OP_MMAP:
		return call_mmap(call);
	case OP_SEEK:
		return call_seek(call);
	case OP_OVERFLOWN:
		return call->device->file && file_overflown(call->device->file)
			       ? -EFBIG
			       : 0;
	case OP_OPEN:
		call->answered = true;
		return call_open(call);
	case OP_VIEW:
		call->answered = true;
		return call_view(call);
	case OP_FDINFO:
		call->answered = true;
		return call_fdinfo(call);
	default:
		return call_memory(call);
	}
}

static bool names_a_device(const struct request *request)
{
	return request->op == OP_IOCTL || request->op == OP_COPY ||
	       request->op == OP_MMAP || request->op == OP_FDINFO ||
	       request->op == OP_SEEK || request->op == OP_OVERFLOWN;
}

/*
 * The call is over before its answer is sent: what the program does then may
 * find nothing of it left in work.
 */
static bool call_answer(struct call *call)
{
	struct answer answer = {.value = call->value, .flags = call->flags};
	struct view_stream stream = {.fd = call->fd, .flags = call->flags};

	if (call->copied)
		return copier_answer(call->copier, call->value);
	if (call->request->op != OP_MMAP || call->value)
		return answer_send(call->fd, &answer, NULL, -1);

	view_add(&stream, &call->view);
	view_free(&call->view);

	return view_end(&stream);
}

static bool serve(struct call *call)
{
	struct process *process = call->process;

	call->flags = 0;
	call->answered = false;
	call->copied = false;
	if (!process_enter(process, call->request->inode, &call->device))
		return false;
	if (names_a_device(call->request) && !call->device) {
		call->value = -EBADF;
		call->flags = ANSWER_UNKNOWN;
	} else {
		call->value = call_do(call);
	}
	process_leave(process, call->device);

	return call->answered ? call->value : call_answer(call);
}

/* The next request, with what is behind it if there is room for that. */
static bool receive(struct call *call, struct request *request)
{
	struct iovec parts[] = {{request, sizeof(*request)}, {NULL, 0}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t size;

	parts[1].iov_base = copier_room(call->copier, &parts[1].iov_len);
	size = recvmsg(call->fd, &message, 0);
	/* Whoever speaks again has done what was left to it. */
	copier_end(call->copier);
	if (size < (ssize_t)sizeof(*request))
		return false;
	call->bytes = size - sizeof(*request);
	if (request->op == OP_COPY && !call->copier)
		call->copier = copier_new(call->fd, call->process->pid);

	return true;
}

/* Since when the process is over, nobody would end it. */
static bool begin(struct call *call)
{
	bool over;

	pthread_mutex_lock(&state);
	over = call->process->over;
	if (!over)
		LIST_INSERT_HEAD(&call->process->connections, call, entry);
	pthread_mutex_unlock(&state);

	return !over;
}

static void end(struct call *call)
{
	pthread_mutex_lock(&state);
	LIST_REMOVE(call, entry);
	pthread_mutex_unlock(&state);
}

void call_hang_up(struct process *process)
{
	const struct call *call;

	LIST_FOREACH(call, &process->connections, entry)
	shutdown(call->fd, SHUT_RDWR);
}

void call_serve(int fd, struct process *process)
{
	struct request request;
	struct call call = {
		.fd = fd,
		.process = process,
		.request = &request,
	};

	if (!begin(&call))
		return;
	reserved_fd_begin(fd, process);
	while (receive(&call, &request)) {
		process_settle();
		if (!serve(&call))
			break;
	}
	end(&call);
	copier_free(call.copier);
}
