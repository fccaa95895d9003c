// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What real programs and whole paths cost in which the grant device has a part.
 * All of it is in this domain: a mebibyte through Debian's vchan-socket-proxy, one
 * end granting and the other one mapping; and a picture's pages from their grants
 * to a program that sees them, as a dma-buf, and back. The rest of a display's way
 * is the same for any driver.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "bench.h"
#include "whole/asked.h"

/* Of the programs' calls of the device it tells, where it is there. */
#define ASKED_LIBRARY "/lab/asked.so"

#define MIB (1024u * 1024)
#define TURNS 9

/* One end of a connection, by its standard input and output. */
struct end {
	pid_t pid;
	int in, out;
};

static struct end start_end(const char *mode)
{
	int in[2], out[2];
	struct end end;

	if (pipe(in) || pipe(out))
		die("pipe");
	end = (struct end){.pid = fork(), .in = in[1], .out = out[0]};
	if (end.pid < 0)
		die("fork");
	if (!end.pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		/* Both have one name. */
		setenv("ASKED_NAME", mode + strlen("--mode="), 1);
		if (!access(ASKED_LIBRARY, R_OK))
			setenv("LD_PRELOAD", ASKED_LIBRARY, 1);
		execlp("vchan-socket-proxy", "vchan-socket-proxy", mode, "0",
		       "/local/domain/0/data/bench", "-", (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	return end;
}

static void send_all(int fd, const uint8_t *from, size_t size)
{
	while (size) {
		ssize_t n = write(fd, from, size);

		if (n <= 0)
			die("vchan: write");
		from += n;
		size -= n;
	}
}

static void receive_all(int fd, uint8_t *to, size_t size)
{
	while (size) {
		ssize_t n = read(fd, to, size);

		if (n <= 0)
			die("vchan: read");
		to += n;
		size -= n;
	}
}

/* Through the connection, and whole. */
static uint64_t pass(const struct end *from, const struct end *to, size_t size)
{
	static uint8_t sent[MIB], come[MIB];
	uint64_t begun;
	pid_t sender;

	for (size_t i = 0; i < size; i++)
		sent[i] = i * 31 >> 3;
	memset(come, 0, size);
	begun = meter();
	sender = fork();
	if (sender < 0)
		die("fork");
	if (!sender) {
		send_all(from->in, sent, size);
		_exit(0);
	}
	receive_all(to->out, come, size);
	begun = metered(begun);
	waitpid(sender, NULL, 0);
	if (memcmp(sent, come, size) != 0)
		die("vchan: something else came");
	return begun;
}

static int compare(const void *left, const void *right)
{
	uint64_t l = *(const uint64_t *)left, r = *(const uint64_t *)right;

	return l < r ? -1 : l > r;
}

static void print(const char *name, unsigned int size, uint64_t *seen)
{
	qsort(seen, TURNS, sizeof(seen[0]), compare);
	printf("%s\t%u\t%llu\t%.2f\n", name, size,
	       (unsigned long long)seen[TURNS / 2],
	       100.0 * (seen[3 * TURNS / 4] - seen[TURNS / 4]) /
		       seen[TURNS / 2]);
	fflush(stdout);
}

static struct asked *asked_of(const char *end)
{
	struct asked *asked = NULL;
	char name[64];
	int fd;

	snprintf(name, sizeof(name), ASKED_FILE "%s", end);
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);
		close(fd);
	}
	return asked == MAP_FAILED ? NULL : asked;
}

/* How often both ends call the device for a mebibyte each way. */
static void count_calls(const struct end *server, const struct end *client)
{
	struct asked *one = asked_of("server"), *other = asked_of("client");

	if (!one || !other)
		return;
	one->on = other->on = 1;
	pass(server, client, MIB);
	printf("calls:vchan-from-server\t%u\t%u\t0.00\n", MIB,
	       one->count + other->count);
	one->count = other->count = 0;
	pass(client, server, MIB);
	printf("calls:vchan-to-server\t%u\t%u\t0.00\n", MIB,
	       one->count + other->count);
	fflush(stdout);
}

static void measure_vchan(void)
{
	uint64_t there[TURNS], back[TURNS];
	struct end server, client;

	server = start_end("--mode=server");
	sleep(1);
	client = start_end("--mode=client");
	/* What both allocate first is not of the mebibytes. */
	pass(&server, &client, 4096);
	pass(&client, &server, 4096);
	for (int i = 0; i < TURNS; i++) {
		there[i] = pass(&server, &client, MIB);
		back[i] = pass(&client, &server, MIB);
	}
	print("vchan-from-server", MIB, there);
	print("vchan-to-server", MIB, back);
	count_calls(&server, &client);
	kill(client.pid, SIGTERM);
	kill(server.pid, SIGTERM);
	waitpid(client.pid, NULL, 0);
	waitpid(server.pid, NULL, 0);
}

/* Export, mmap, a look at each page, and the end of it: grants are back then. */
static bool show(unsigned int pages, uint64_t *spent)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs *op;
	struct ioctl_gntdev_dmabuf_exp_wait_released wait = {
		.wait_to_ms = 1000,
	};
	int device = open_device("/dev/xen/gntdev");
	volatile uint8_t *at;
	uint64_t begun;

	op = calloc(1, sizeof(*op) + pages * sizeof(op->refs[0]));
	if (!op)
		die("memory");
	op->count = pages;
	memcpy(op->refs, refs, pages * sizeof(op->refs[0]));
	begun = meter();
	if (ioctl(device, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, op)) {
		close(device);
		free(op);
		return false;
	}
	wait.fd = op->fd;
	at = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, op->fd, 0);
	if (at == MAP_FAILED)
		die("mmap of a buffer of %u pages", pages);
	for (unsigned int i = 0; i < pages; i++)
		(void)at[i * PAGE];
	munmap((void *)at, pages * PAGE);
	close(op->fd);
	ioctl(device, IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, &wait);
	*spent = metered(begun);
	close(device);
	free(op);
	return true;
}

static void measure_show(unsigned int pages)
{
	uint64_t seen[TURNS];

	for (int i = 0; i < TURNS; i++)
		if (!show(pages, &seen[i]))
			return;
	print("dma-buf", pages, seen);
}

void measure_backends(void)
{
	printf("# instructions\n");
	measure_show(1);
	measure_show(MOST);
	measure_vchan();
}
