// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Frames without a copy: a program draws into a memfd, as it would for a
 * compositor, and grants it; a viewer maps the grants and sees each frame where it
 * was drawn. When the painter ends, a byte of the frame is cleared and an event
 * sent: so the viewer knows, whatever the end was. Both are in the same domain here,
 * with a socket in place of xenstore.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>

typedef uint16_t domid_t;
#include <xen/evtchn.h>
#include <xen/gntdev.h>
#include <xen/gntdev_more.h>

#define PAGE 4096u
#define PAGES 300u /* 640 x 480 pixels of four bytes */
#define PIXELS (PAGES * PAGE / 4)
#define FRAMES 5u
#define MUST(call)                           \
	do {                                 \
		if ((call) < 0)              \
			err(1, "%s", #call); \
	} while (0)

/* The last page is not the picture's: it says whether a painter is there. */
struct offer {
	__u32 port, refs[PAGES + 1];
};

static __u16 domid; /* this domain, which grants to itself */

static void *map(int fd, __u64 index, int prot)
{
	void *at = mmap(NULL, (PAGES + 1) * PAGE, prot, MAP_SHARED, fd,
			(off_t)index);

	if (at == MAP_FAILED)
		err(1, "mmap");
	return at;
}

static void draw(volatile __u32 *pixels, __u32 frame)
{
	for (__u32 i = 0; i < PIXELS; i++)
		pixels[i] = frame * 0x010203 + i;
}

static void paint(int viewer)
{
	static union {
		struct ioctl_gntdev_grant_memory op;
		__u32 room[PAGES + 8];
	} grant = {{.count = PAGES + 1, .flags = GNTDEV_GRANT_WRITABLE}};
	struct ioctl_evtchn_bind_unbound_port bind = {domid};
	struct ioctl_gntdev_unmap_notify notify = {
		.action = UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT};
	int gntdev = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	int evtchn = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC);
	int memfd = memfd_create("frames", MFD_CLOEXEC), port;
	struct offer offer;
	__u32 *pixels;
	char seen;

	MUST(ftruncate(memfd, (PAGES + 1) * PAGE));
	pixels = map(memfd, 0, PROT_READ | PROT_WRITE);
	pixels[PIXELS] = 1;
	grant.op.addr = (uintptr_t)pixels;
	grant.op.domid = domid;
	MUST(ioctl(gntdev, IOCTL_GNTDEV_GRANT_MEMORY, &grant.op));
	MUST(port = ioctl(evtchn, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind));
	notify.index = grant.op.index + PAGES * PAGE;
	notify.event_channel_port = (__u32)port;
	MUST(ioctl(gntdev, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify));

	offer.port = (__u32)port;
	memcpy(offer.refs, grant.op.refs, sizeof(offer.refs));
	MUST(write(viewer, &offer, sizeof(offer)));
	for (__u32 frame = 0; read(viewer, &seen, 1) == 1; frame++) {
		if (frame == FRAMES) /* nobody has the time to say good-bye */
			kill(getpid(), SIGKILL);
		draw(pixels, frame);
		MUST(write(viewer, "", 1));
	}
}

int main(void)
{
	static union {
		struct ioctl_gntdev_map_grant_ref op;
		__u32 room[2 * PAGES + 16];
	} grants = {{.count = PAGES + 1}};
	struct ioctl_evtchn_bind_interdomain bind;
	int gntdev, evtchn, pair[2], status;
	const volatile __u32 *pixels;
	struct offer offer;
	char told;

	domid = getenv("LAB_DOMID") ? (__u16)atoi(getenv("LAB_DOMID")) : 0;
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	if (!fork())
		return close(pair[0]), paint(pair[1]), 1;
	close(pair[1]);
	gntdev = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	evtchn = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC);
	MUST(read(pair[0], &offer, sizeof(offer)) - (int)sizeof(offer));
	for (__u32 i = 0; i <= PAGES; i++)
		grants.op.refs[i] =
			(struct ioctl_gntdev_grant_ref){domid, offer.refs[i]};
	MUST(ioctl(gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, &grants.op));
	pixels = map(gntdev, grants.op.index, PROT_READ | PROT_WRITE);
	bind = (struct ioctl_evtchn_bind_interdomain){domid, offer.port};
	MUST(ioctl(evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind));

	for (__u32 frame = 0; frame < FRAMES; frame++) {
		MUST(write(pair[0], "", 1));
		MUST(read(pair[0], &told, 1) - 1);
		for (__u32 i = 0; i < PIXELS; i++)
			if (pixels[i] != frame * 0x010203 + i)
				errx(1, "frame %u is not what was drawn",
				     frame);
	}
	MUST(write(pair[0], "", 1));
	if (poll(&(struct pollfd){evtchn, POLLIN, 0}, 1, 10000) != 1)
		errx(1, "nobody told of the painter's end");
	for (int i = 0; (pixels[PIXELS] & 0xff) && i < 1000; i++)
		usleep(1000);
	wait(&status);
	/* The memory is still there: it is granted until it is unmapped. */
	if (pixels[PIXELS] & 0xff || pixels[1] != (FRAMES - 1) * 0x010203 + 1)
		errx(1, "the last frame is gone with its painter");
	puts("every frame was seen where it was drawn, and its painter's end");
	return !WIFSIGNALED(status);
}
