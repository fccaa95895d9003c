// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A backend that drops its rights: it opens the device as root, restricts what it
 * has opened to the domain that it serves, becomes nobody, and only then looks at
 * what that domain says. What it may be made to do by that is confined to this
 * domain. A map that fails is explained. The other domain is this one itself here.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>
#include <xen/gntdev_more.h>

#define PAGE 4096u
#define NOBODY 65534
#define MUST(call)                           \
	do {                                 \
		if ((call) < 0)              \
			err(1, "%s", #call); \
	} while (0)

static __u16 domid; /* whom it serves */

/* As root: nothing that a guest says has been looked at yet. */
static int begin(void)
{
	struct ioctl_gntdev_restrict restriction = {.domid = domid};
	int gntdev = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);

	MUST(gntdev);
	if (ioctl(gntdev, IOCTL_GNTDEV_RESTRICT, &restriction)) {
		if (errno != ENOTTY)
			err(1, "restriction to domain %u", domid);
		warnx("this driver cannot restrict: all domains' grants can be mapped");
	}
	if (!getuid()) {
		MUST(setgroups(0, NULL));
		MUST(setgid(NOBODY));
		MUST(setuid(NOBODY));
		/* On a machine its server has to reach this program's memory. */
		MUST(prctl(PR_SET_DUMPABLE, 1));
	}
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));

	return gntdev;
}

/* The index of a range of one grant; -errno. */
static long long insert(int gntdev, __u32 from, __u32 ref)
{
	struct ioctl_gntdev_map_grant_ref op = {.count = 1};

	op.refs[0].domid = from;
	op.refs[0].ref = ref;
	return ioctl(gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, &op)
		       ? -errno
		       : (long long)op.index;
}

/* Maps a page, or says what the hypervisor has against it. */
static char *map(int gntdev, __u32 ref, int *why)
{
	long long index = insert(gntdev, domid, ref);
	__s16 status = 0;
	struct ioctl_gntdev_map_status op = {
		.index = (__u64)index,
		.statuses = (uintptr_t)&status,
		.count = 1,
	};
	char *at;

	if (index < 0)
		errx(1, "a request: %s", strerror((int)-index));
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gntdev,
		  (off_t)index);
	if (at != MAP_FAILED)
		return at;
	MUST(ioctl(gntdev, IOCTL_GNTDEV_MAP_STATUS, &op));
	*why = status;

	return NULL;
}

static int serve(__u32 ref)
{
	int gntdev = begin(), why = 0;
	char *page = map(gntdev, ref, &why);

	if (!page)
		errx(1, "the page cannot be mapped: status %d", why);
	strcpy(page, "served");
	/* A reference that its domain has not granted: it is told which. */
	if (map(gntdev, 0x00fff000, &why) || why != -3) /* GNTST_bad_gntref */
		errx(1, "a bad reference has the status %d", why);
	/* What a guest would make it do, it cannot. */
	if (insert(gntdev, domid + 1u, ref) != -EACCES)
		errx(1, "another domain's grant can be mapped");
	if (ioctl(gntdev, IOCTL_GNTDEV_RESTRICT,
		  &(struct ioctl_gntdev_restrict){domid + 1u, 0}) == 0 ||
	    errno != EPERM)
		errx(1, "the restriction can be undone");
	return 0;
}

int main(void)
{
	struct ioctl_gntalloc_alloc_gref grant = {
		.flags = GNTALLOC_FLAG_WRITABLE, .count = 1};
	int gntalloc = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC), status;
	char *page;

	domid = getenv("LAB_DOMID") ? (__u16)atoi(getenv("LAB_DOMID")) : 0;
	grant.domid = domid;
	MUST(ioctl(gntalloc, IOCTL_GNTALLOC_ALLOC_GREF, &grant));
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gntalloc,
		    (off_t)grant.index);
	if (page == MAP_FAILED)
		err(1, "mmap");
	if (!fork())
		return serve(grant.gref_ids[0]);
	wait(&status);
	if (status || strcmp(page, "served"))
		errx(1, "the page was not served");
	puts("served, by a program that can do nothing else");
	return 0;
}
