// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The header takes this type from whoever includes it. */
typedef uint16_t domid_t;
#include <linux/types.h>
#include <xen/evtchn.h>

#include "events.h"
#include "util.h"

static int result(int value)
{
	return value < 0 ? -errno : value;
}

int events_open(void)
{
	return result(open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC));
}

int events_unbound(int fd, unsigned int domid)
{
	struct ioctl_evtchn_bind_unbound_port bind = {.remote_domain = domid};

	return result(ioctl(fd, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind));
}

int events_bind(int fd, unsigned int domid, unsigned int port)
{
	struct ioctl_evtchn_bind_interdomain bind = {
		.remote_domain = domid,
		.remote_port = port,
	};

	return result(ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind));
}

int events_unbind(int fd, unsigned int port)
{
	struct ioctl_evtchn_unbind unbind = {.port = port};

	return result(ioctl(fd, IOCTL_EVTCHN_UNBIND, &unbind));
}

int events_notify(int fd, unsigned int port)
{
	struct ioctl_evtchn_notify notify = {.port = port};

	return result(ioctl(fd, IOCTL_EVTCHN_NOTIFY, &notify));
}

void events_unmask(int fd, unsigned int port)
{
	uint32_t number = port;

	if (write(fd, &number, sizeof(number)) < 0)
		return; /* it was not taken */
}

int events_wait(int fd, unsigned int ms)
{
	long long limit = milliseconds() + ms;

	for (;;) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		long long left = limit - milliseconds();
		uint32_t port;

		if (left < 0)
			left = 0;
		if (poll(&poller, 1, left) < 0 && errno != EINTR)
			return -errno;
		if (poller.revents & POLLIN) {
			if (read(fd, &port, sizeof(port)) != sizeof(port))
				return -EIO;
			events_unmask(fd, port);
			return port;
		}
		if (!left)
			return -ETIMEDOUT;
	}
}
