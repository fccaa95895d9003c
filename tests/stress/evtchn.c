// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Event channels from this domain to itself. */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "stress.h"
#include "xen_abi.h"

/* An event sent on the near port arrives at the far one. */
long evtchn_pair(int near_fd, int far_fd, u32 *near_port, u32 *far_port)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {shm->own_domid};
	struct ioctl_evtchn_bind_interdomain peer;
	long rc;

	rc = raw_ioctl(far_fd, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &unbound);
	if (rc < 0)
		return rc;
	*far_port = (u32)rc;
	peer.remote_domain = shm->own_domid;
	peer.remote_port = *far_port;
	rc = raw_ioctl(near_fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &peer);
	if (rc < 0) {
		evtchn_unbind(far_fd, *far_port);
		return rc;
	}
	*near_port = (u32)rc;
	return 0;
}

void evtchn_unbind(int fd, u32 port)
{
	struct ioctl_evtchn_unbind unbind = {port};

	raw_ioctl(fd, IOCTL_EVTCHN_UNBIND, &unbind);
}

/* Takes one pending port and unmasks it; 0 when none is pending. */
static u32 take_one(int fd)
{
	u32 port;

	if (read(fd, &port, sizeof(port)) != sizeof(port))
		return 0;
	if (write(fd, &port, sizeof(port)) != sizeof(port))
		return 0;
	return port;
}

void evtchn_drain(int fd)
{
	while (take_one(fd))
		;
}

bool evtchn_wait(int fd, u32 port, u32 ms)
{
	u64 end = now_ns() + (u64)ms * 1000000u;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	u32 got;

	for (;;) {
		while ((got = take_one(fd)) != 0)
			if (got == port)
				return true;
		if (now_ns() > end)
			return false;
		poll(&p, 1, 100);
	}
}
