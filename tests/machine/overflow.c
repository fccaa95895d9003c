// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* overflow: with --fail evtchn-overflow:2, what a program then meets. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

typedef uint16_t domid_t;
#include <xen/evtchn.h>

#define CHECK(condition)                              \
	do {                                          \
		if (!(condition))                     \
			errx(1, "line %d", __LINE__); \
	} while (0)

static int fd, other;
static uint32_t port, remote;

static void open_channel(void)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {0};
	struct ioctl_evtchn_bind_interdomain bind = {0};

	fd = open("/dev/xen/evtchn", O_RDWR | O_NONBLOCK);
	other = open("/dev/xen/evtchn", O_RDWR | O_NONBLOCK);
	CHECK(fd >= 0 && other >= 0);
	remote = ioctl(other, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &unbound);
	bind.remote_port = remote;
	port = ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	CHECK((int)remote > 0 && (int)port > 0);
}

static void send_event(void)
{
	struct ioctl_evtchn_notify request = {.port = remote};

	CHECK(!ioctl(other, IOCTL_EVTCHN_NOTIFY, &request));
}

static short wait_for_event(void)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	CHECK(poll(&poller, 1, 10000) == 1);

	return poller.revents;
}

static void take_event(void)
{
	uint32_t got = 0;

	wait_for_event();
	CHECK(read(fd, &got, sizeof(got)) == sizeof(got) && got == port);
	CHECK(write(fd, &got, sizeof(got)) == sizeof(got));
}

static void fails(void)
{
	uint32_t got[2];
	struct iovec part = {got, sizeof(got)};

	for (int i = 0; i < 3; i++) {
		CHECK(read(fd, got, sizeof(got)) == -1 && errno == EFBIG);
		CHECK(readv(fd, &part, 1) == -1 && errno == EFBIG);
	}
	CHECK(read(fd, got, 3) == 0);
	CHECK(read(dup(fd), got, sizeof(got)) == -1 && errno == EFBIG);
	CHECK(read(other, got, sizeof(got)) == -1 && errno == EAGAIN);
}

int main(void)
{
	uint32_t got;

	open_channel();
	/* The first one comes with the channel. */
	take_event();
	send_event();
	CHECK(wait_for_event() & (POLLIN | POLLERR));
	fails();
	CHECK(!ioctl(fd, IOCTL_EVTCHN_RESET));
	CHECK(read(fd, &got, sizeof(got)) == -1 && errno == EAGAIN);
	/* What was lost is not told again; its port has to be written back. */
	CHECK(write(fd, &port, sizeof(port)) == sizeof(port));
	send_event();
	take_event();
	puts("overflown");

	return 0;
}
