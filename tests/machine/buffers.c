// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Dma-bufs: what programs can do with a descriptor that a request gave. */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "behave.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* Two granted pages as a dma-buf; the first bytes are 'a' and 'b'. */
static int export_pair(struct pair *pair)
{
	union {
		struct ioctl_gntdev_dmabuf_exp_from_refs op;
		char room[64];
	} request = {.op = {.count = 2}};

	*pair = pair_make(2);
	memcpy(request.op.refs, pair->refs, 2 * sizeof(uint32_t));
	pair->granted[0] = 'a';
	pair->granted[PAGE] = 'b';
	CHECK(!ioctl(pair->dev, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, &request),
	      "export: %s", strerror(errno));
	/* The range is of no interest here. */
	munmap(pair->mapped, 2 * PAGE);

	return request.op.fd;
}

static void check_shows(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *at;

	CHECK(size == 2 * PAGE, "lseek: %lld, %s", (long long)size,
	      strerror(errno));
	at = mmap(NULL, size, READ_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED, "mmap: %s", strerror(errno));
	CHECK(at[0] == 'a' && at[PAGE] == 'b', "it shows %#x and %#x", at[0],
	      at[PAGE]);
	at[1] = 'w';
	munmap(at, size);
}

static void is_mapped(void)
{
	struct pair pair;
	int fd = export_pair(&pair);

	check_shows(fd);
	CHECK(pair.granted[1] == 'w', "the granter does not see the store");
	CHECK(is_busy(pair.refs[0]), "its grant is not in use");
	close(fd);
	CHECK(!is_busy(pair.refs[0]), "its grant is in use after the close");
}

static void is_no_file(void)
{
	struct pair pair;
	int fd = export_pair(&pair), fds[2];
	char byte = 0;

	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC, "it is not close-on-exec");
	CHECK(read(fd, &byte, 1) < 0 && errno == EINVAL, "it is read from");
	CHECK(write(fd, &byte, 1) < 0 && errno == EINVAL, "it is written to");
	CHECK(lseek(fd, 1, SEEK_SET) < 0 && errno == EINVAL, "it has places");
	/* And a socket of the program's own is as it always was. */
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	CHECK(lseek(fds[0], 0, SEEK_END) < 0 && errno == ESPIPE,
	      "a socket has a size");
}

/* The image that execve() leads to: before main(). */
static __attribute__((constructor)) void after_exec(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "show-buffer"))
		return;
	check_shows(STDIN_FILENO);
	_exit(0);
}

static void is_shown_by_another_program(void)
{
	struct pair pair;
	int fd = export_pair(&pair);
	pid_t child = fork();

	if (!child) {
		dup2(fd, STDIN_FILENO);
		execl("/proc/self/exe", "behave", "show-buffer", NULL);
		_exit(1);
	}
	close(fd);
	must_pass(child);
	CHECK(pair.granted[1] == 'w', "the granter does not see the store");
	CHECK(!is_busy(pair.refs[1]), "its grant is in use after the exit");
}

static void is_passed_on(void)
{
	struct pair pair;
	int fds[2], fd, status;
	pid_t child;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	/* It was there before the buffer, and is killed with it. */
	child = fork();
	if (!child) {
		check_shows(receive_fd(fds[1]));
		CHECK(write(fds[1], "y", 1) == 1, "write");
		pause();
	}
	fd = export_pair(&pair);
	send_fd(fds[0], fd);
	close(fd);
	close(pair.dev);
	CHECK(read(fds[0], &status, 1) == 1, "read: %s", strerror(errno));
	CHECK(is_busy(pair.refs[0]), "it went with the exporter's descriptor");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	CHECK(!is_busy(pair.refs[0]), "it outlives the last who had it");
}

/* What is not on the machine has nothing of it. */
static void is_nothing_outside(void)
{
	struct pair pair;
	int fd = export_pair(&pair);
	pid_t child = fork();

	if (!child) {
		dup2(fd, STDIN_FILENO);
		unsetenv("GNTDEV_MACHINE");
		execl("/proc/self/exe", "behave", "show-nothing", NULL);
		_exit(1);
	}
	must_pass(child);
}

static __attribute__((constructor)) void outside(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "show-nothing"))
		return;
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, STDIN_FILENO, 0) ==
			      MAP_FAILED &&
		      errno == ENODEV,
	      "it is mapped by a program that is on no machine");
	_exit(0);
}

const struct behaviour buffer_behaviours[] = {
	{"a dma-buf is mapped from its beginning, with the size of lseek",
	 is_mapped},
	{"a dma-buf is neither read nor written", is_no_file},
	{"a dma-buf is shown by a program that it was handed on exec",
	 is_shown_by_another_program},
	{"a dma-buf lives with the process that it was passed to",
	 is_passed_on},
	{"a dma-buf cannot be mapped by a program that is on no machine",
	 is_nothing_outside},
	{0},
};
