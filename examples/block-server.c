// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A server like a block device's backend: maps a batch of requests by one call,
 * into slots of an area that it mmapped once, answers by copies to and from its
 * disk, and unmaps the batch by one call. Its client is in the same domain here,
 * with a socket in place of the ring.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>
#include <xen/gntdev_more.h>

#define PAGE 4096u
#define BATCH 32u
#define MUST(call)                           \
	do {                                 \
		if ((call) < 0)              \
			err(1, "%s", #call); \
	} while (0)

struct disk_request { /* what is in a granted page */
	__u32 write, sector, data_ref, status;
};

static __u16 domid; /* this domain, which grants to itself */
static char disk[BATCH * PAGE];

static void *map(int fd, __u64 index, unsigned int pages)
{
	void *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, (off_t)index);

	if (at == MAP_FAILED)
		err(1, "mmap");
	return at;
}

static void answer(int gntdev, volatile struct disk_request *request)
{
	/* Read once: the client may change it at any time. */
	struct disk_request r = *request;
	struct gntdev_grant_copy_segment s = {.len = PAGE};
	struct ioctl_gntdev_grant_copy copy = {.count = 1, .segments = &s};
	__typeof__(s.source) *grant = r.write ? &s.source : &s.dest;
	__typeof__(s.source) *local = r.write ? &s.dest : &s.source;

	request->status = EINVAL;
	if (r.sector >= BATCH)
		return;
	s.flags = r.write ? 1 : 2; /* GNTCOPY_source_gref, _dest_gref */
	grant->foreign.ref = r.data_ref;
	grant->foreign.domid = domid;
	local->virt = disk + r.sector * PAGE;
	MUST(ioctl(gntdev, IOCTL_GNTDEV_GRANT_COPY, &copy));
	request->status = s.status ? EIO : 0;
}

static int serve(int client)
{
	struct ioctl_gntdev_area_create create = {.slots = BATCH};
	struct gntdev_area_op ops[BATCH] = {0};
	struct ioctl_gntdev_area_op area = {.ops = (unsigned long)ops};
	int gntdev = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	__u32 refs[BATCH], i;
	char *slots;
	ssize_t size;

	MUST(ioctl(gntdev, IOCTL_GNTDEV_AREA_CREATE, &create));
	slots = map(gntdev, area.index = create.index, BATCH);
	while ((size = read(client, refs, sizeof(refs))) > 0) {
		area.count = (__u32)(size / sizeof(refs[0]));
		for (i = 0; i < area.count; i++)
			ops[i] = (struct gntdev_area_op){
				.slot = i, .domid = domid, .ref = refs[i]};
		MUST(ioctl(gntdev, IOCTL_GNTDEV_AREA_MAP, &area));
		for (i = 0; i < area.count; i++)
			if (!ops[i].status) /* else it is not granted */
				answer(gntdev, (void *)(slots + i * PAGE));
		MUST(ioctl(gntdev, IOCTL_GNTDEV_AREA_UNMAP, &area));
		MUST(write(client, "", 1));
	}
	return 0;
}

/* Pages with requests come first, then those with their data. */
static void ask(int server, __u32 write_it, char *pages, const __u32 *refs)
{
	struct disk_request r = {.write = write_it, .status = ~0u};
	char told;

	for (__u32 i = 0; i < BATCH; i++) {
		r.sector = i * 7 % BATCH;
		r.data_ref = refs[BATCH + i];
		memcpy(pages + i * PAGE, &r, sizeof(r));
	}
	MUST(write(server, refs, BATCH * sizeof(refs[0])));
	MUST(read(server, &told, 1) - 1);
	for (__u32 i = 0; i < BATCH; i++) {
		memcpy(&r, pages + i * PAGE, sizeof(r));
		if (r.status)
			errx(1, "request %u: %s", i, strerror((int)r.status));
	}
}

int main(void)
{
	static union {
		struct ioctl_gntalloc_alloc_gref op;
		__u32 room[2 * BATCH + 8];
	} grants = {{.flags = GNTALLOC_FLAG_WRITABLE, .count = 2 * BATCH}};
	int gntalloc, pair[2], status;
	char *pages, *data;

	domid = getenv("LAB_DOMID") ? (__u16)atoi(getenv("LAB_DOMID")) : 0;
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	if (!fork())
		return close(pair[0]), serve(pair[1]);
	close(pair[1]);
	gntalloc = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	grants.op.domid = domid;
	MUST(ioctl(gntalloc, IOCTL_GNTALLOC_ALLOC_GREF, &grants.op));
	pages = map(gntalloc, grants.op.index, 2 * BATCH);
	data = pages + BATCH * PAGE;
	for (__u32 i = 0; i < BATCH * PAGE; i++)
		data[i] = (char)(i * 31 + i / PAGE);
	ask(pair[0], 1, pages, grants.op.gref_ids);
	memset(data, 0, BATCH * PAGE);
	ask(pair[0], 0, pages, grants.op.gref_ids);
	for (__u32 i = 0; i < BATCH * PAGE; i++)
		if (data[i] != (char)(i * 31 + i / PAGE))
			errx(1, "byte %u is not what was written", i);
	close(pair[0]);
	if (wait(&status) < 0 || status)
		errx(1, "the server failed");
	printf("%u pages written and read, a batch by one AREA_MAP\n", BATCH);
	return 0;
}
