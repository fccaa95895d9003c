// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * In dom0: makes a dma-buf of the pages that a painter has drawn into, and
 * hands it to a program that knows nothing of Xen. When that shows it, keeps
 * what the machine's display shows; then once more with another picture.
 * usage: lender GUEST-DOMID SHOW
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/gntdev.h>

#include "meeting.h"
#include "util.h"
#include "xenstore.h"

#define PATIENCE_MS 60000
/* The guest may still be booting. */
#define BOOTING_MS 240000

static struct meeting *meeting;

/* The painter hears of every failure. */
static void must(bool good, const char *what)
{
	int error = errno;

	if (good)
		return;
	if (meeting)
		put(&meeting->ended, BADLY);
	errx(1, "%s: %s", what, strerror(error));
}

static void must_be(int got, int expected, const char *what)
{
	if (got == expected)
		return;
	put(&meeting->ended, BADLY);
	/* error_name has room for one number. */
	fprintf(stderr, "lender: %s: %s", what, error_name(got));
	errx(1, ", expected %s", error_name(expected));
}

static uint32_t find_painter(unsigned int domid)
{
	long long limit = milliseconds() + BOOTING_MS;
	char node[64], name[16];
	unsigned int ref;

	snprintf(node, sizeof(node), "/local/domain/%u/" MEETING_NODE, domid);
	while (xenstore_read(node, name, sizeof(name)) ||
	       sscanf(name, "%u", &ref) != 1) {
		if (milliseconds() > limit)
			errx(1, "%s: nobody is there", node);
		sleep_ms(100);
	}
	return ref;
}

static void meet(int gntdev, unsigned int domid)
{
	struct ioctl_gntdev_map_grant_ref map = {
		.count = 1,
		.refs = {{.domid = domid, .ref = find_painter(domid)}},
	};
	void *page;

	must(!ioctl(gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, &map), "MAP_GRANT_REF");
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gntdev,
		    map.index);
	must(page != MAP_FAILED, "mmap of the painter's page");
	meeting = page;
}

static void want(uint32_t number)
{
	long long limit = milliseconds() + PATIENCE_MS;

	put(&meeting->wanted, number);
	while (get(&meeting->drawn) != number) {
		errno = ETIMEDOUT;
		must(milliseconds() < limit, "waiting for the painter");
		sleep_ms(20);
	}
}

static int export(int gntdev, unsigned int domid)
{
	union {
		struct ioctl_gntdev_dmabuf_exp_from_refs op;
		char room[sizeof(struct ioctl_gntdev_dmabuf_exp_from_refs) +
			  PAGES * sizeof(uint32_t)];
	} request = {.op = {.count = PAGES, .domid = domid}};

	for (uint32_t i = 0; i < PAGES; i++)
		request.op.refs[i] = meeting->refs[i];
	must(!ioctl(gntdev, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, &request),
	     "DMABUF_EXP_FROM_REFS");
	return (int)request.op.fd;
}

/* Whether the dma-buf of that number is released within so long. */
static int wait_released(int gntdev, int fd, uint32_t ms)
{
	struct ioctl_gntdev_dmabuf_exp_wait_released op = {
		.fd = (uint32_t)fd,
		.wait_to_ms = ms,
	};

	if (ioctl(gntdev, IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, &op))
		return -errno;
	return 0;
}

/* The program has the dma-buf as its input and a socket as its output. */
static pid_t start(const char *program, int dmabuf, int socket)
{
	char width[16], height[16];
	pid_t child = fork();

	must(child >= 0, "fork");
	if (child)
		return child;
	snprintf(width, sizeof(width), "%u", WIDTH);
	snprintf(height, sizeof(height), "%u", HEIGHT);
	dup2(dmabuf, STDIN_FILENO);
	dup2(socket, STDOUT_FILENO);
	execl(program, program, width, height, (char *)NULL);
	err(127, "%s", program);
}

static void must_end_well(pid_t child, const char *program)
{
	int status;

	must(waitpid(child, &status, 0) == child, "waitpid");
	if (status == 0)
		return;
	put(&meeting->ended, BADLY);
	errx(1, "%s: ended with wait status %#x, expected 0", program, status);
}

/* The program says a byte when it shows what is there now. */
static void wait_shown(int socket)
{
	char byte;

	must(read(socket, &byte, 1) == 1,
	     "waiting for the dma-buf to be shown");
}

static void keep(const char *name)
{
	char command[64];

	snprintf(command, sizeof(command), "screendump %s", name);
	must(system(command) == 0, command);
}

int main(int argc, char **argv)
{
	int gntdev, dmabuf, sockets[2];
	unsigned int domid;
	pid_t child;

	if (argc != 3)
		errx(2, "usage: lender GUEST-DOMID SHOW");
	domid = (unsigned int)atoi(argv[1]);
	gntdev = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	must(gntdev >= 0, "/dev/xen/gntdev");
	meet(gntdev, domid);
	want(1);
	dmabuf = export(gntdev, domid);
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets),
	     "socketpair");
	child = start(argv[2], dmabuf, sockets[1]);
	close(sockets[1]);
	/* From here on nothing of ours holds it: the display alone does. */
	close(dmabuf);

	wait_shown(sockets[0]);
	keep("first.ppm");
	keep("first.png");
	must_be(wait_released(gntdev, dmabuf, 0), -ETIMEDOUT,
		"WAIT_RELEASED while it is shown");
	want(2);
	must(write(sockets[0], "x", 1) == 1, "asking for the other picture");
	wait_shown(sockets[0]);
	keep("second.ppm");

	close(sockets[0]);
	must_end_well(child, argv[2]);
	must_be(wait_released(gntdev, dmabuf, 5000), -ENOENT,
		"WAIT_RELEASED when it is gone");
	put(&meeting->ended, WELL);
	return 0;
}
