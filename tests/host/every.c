// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * every: makes each request of the grant device at least once, for the tests of
 * traces. The pages are its own domain's, $LAB_DOMID's. Where a kernel has no dma-bufs
 * these requests fail. It ends with the number of other requests that did not do as
 * they should.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>

/* The header of event channels has a type that it does not define. */
typedef __u16 domid_t;
#include <xen/evtchn.h>

#include "../../include/xen/gntdev.h"
#include "../../include/xen/gntdev_more.h"

#define PAGE 4096ul
#define GRANTS 2
#define NOBODYS_REF 16000
#define FAILS (-1) /* somehow */

static uint32_t domid, refs[GRANTS];
static int device, failures;

/* A request that is to end so. */
static void ask(const char *name, int wanted, unsigned long number, void *arg)
{
	int got = ioctl(device, number, arg) ? errno : 0;

	if (got == wanted || (wanted == FAILS && got) ||
	    (got == ENOTTY && !strncmp(name, "DMABUF", 6)))
		return;
	warnx("%s: %s, expected %s", name, strerror(got),
	      wanted == FAILS ? "a failure" : strerror(wanted));
	failures++;
}

#define ASK(name, wanted, op) ask(#name, wanted, IOCTL_GNTDEV_##name, op)

static void grant(void)
{
	union {
		struct ioctl_gntalloc_alloc_gref op;
		char space[sizeof(struct ioctl_gntalloc_alloc_gref) +
			   GRANTS * sizeof(uint32_t)];
	} alloc = {.op = {.domid = domid,
			  .flags = GNTALLOC_FLAG_WRITABLE,
			  .count = GRANTS}};
	int fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &alloc.op))
		err(100, "gntalloc");
	memcpy(refs,
	       alloc.space +
		       offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids),
	       sizeof(refs));
}

static int bind_port(void)
{
	struct ioctl_evtchn_bind_unbound_port bind = {.remote_domain = domid};
	int fd = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC);

	return ioctl(fd, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);
}

static void map_a_range(void)
{
	struct ioctl_gntdev_map_grant_ref map = {
		.count = 1,
		.refs = {{.domid = domid, .ref = refs[0]}},
	};
	struct ioctl_gntdev_get_offset_for_vaddr offset = {0};
	struct ioctl_gntdev_unmap_notify notify = {
		.action = UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
		.event_channel_port = bind_port(),
	};
	struct ioctl_gntdev_unmap_grant_ref unmap = {.count = 1};
	struct ioctl_gntdev_set_max_grants max = {.count = 1000};
	char *at;

	ASK(SET_MAX_GRANTS, 0, &max);
	ASK(MAP_GRANT_REF, 0, &map);
	notify.index = map.index + 5;
	unmap.index = map.index;
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		  map.index);
	if (at == MAP_FAILED)
		err(100, "mmap of reference %u", refs[0]);
	at[5] = 1;
	offset.vaddr = (uintptr_t)at;
	ASK(GET_OFFSET_FOR_VADDR, 0, &offset);
	ASK(SET_UNMAP_NOTIFY, 0, &notify);
	ASK(UNMAP_GRANT_REF, EBUSY, &unmap);
	munmap(at, PAGE);
	ASK(UNMAP_GRANT_REF, 0, &unmap);
}

static void map_in_vain(void)
{
	struct ioctl_gntdev_map_grant_ref map = {
		.count = 1,
		.refs = {{.domid = domid, .ref = NOBODYS_REF}},
	};
	int16_t status;
	struct ioctl_gntdev_map_status ask_status = {
		.statuses = (uintptr_t)&status,
		.count = 1,
	};

	ASK(MAP_GRANT_REF, 0, &map);
	if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, map.index) !=
	    MAP_FAILED)
		failures++;
	ask_status.index = map.index;
	ASK(MAP_STATUS, 0, &ask_status);
}

static void copy(void)
{
	static char local[PAGE];
	struct gntdev_grant_copy_segment segments[2] = {
		{.source.foreign = {.ref = refs[0], .domid = domid},
		 .dest.virt = local,
		 .len = 100,
		 .flags = 1},
		{.source.foreign = {.ref = NOBODYS_REF, .domid = domid},
		 .dest.virt = local,
		 .len = 100,
		 .flags = 1},
	};
	struct ioctl_gntdev_grant_copy op = {2, segments};

	ASK(GRANT_COPY, 0, &op);
}

static void fill_an_area(void)
{
	struct ioctl_gntdev_area_create create = {.slots = 4};
	struct gntdev_area_op ops[2] = {
		{.slot = 3, .domid = domid, .ref = refs[1]},
		{.slot = 1, .domid = domid, .ref = NOBODYS_REF},
	};
	struct ioctl_gntdev_area_op op = {.ops = (uintptr_t)ops, .count = 2};
	char *at;

	ASK(AREA_CREATE, 0, &create);
	at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		  create.index);
	op.index = create.index;
	ASK(AREA_MAP, 0, &op);
	if (at == MAP_FAILED || ops[0].status || !ops[1].status)
		failures++;
	ASK(AREA_MAP, EEXIST, &op);
	ASK(AREA_UNMAP, 0, &op);
	munmap(at, 4 * PAGE);
}

static void lend(void)
{
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ioctl_gntdev_grant_memory op = {
		.addr = (uintptr_t)memory,
		.count = 1,
		.domid = domid,
		.flags = GNTDEV_GRANT_WRITABLE,
	};
	struct ioctl_gntdev_ungrant_memory back = {.count = 1};

	ASK(GRANT_MEMORY, 0, &op);
	back.index = op.index;
	ASK(UNGRANT_MEMORY, 0, &back);
}

static void make_buffers(void)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs export = {
		.count = 1,
		.domid = domid,
		.refs = {refs[1]},
	};
	struct ioctl_gntdev_dmabuf_exp_from_refs_v2 with_offset = {
		.count = 1,
		.data_ofs = 100,
		.domid = domid,
		.refs = {refs[1]},
	};
	struct ioctl_gntdev_dmabuf_exp_wait_released wait = {.wait_to_ms = 1};
	/* No dma-buf, and none that is imported. */
	struct ioctl_gntdev_dmabuf_imp_to_refs import = {.fd = 0, .count = 1};
	struct ioctl_gntdev_dmabuf_imp_to_refs_v2 import_2 = {.count = 1};
	struct ioctl_gntdev_dmabuf_imp_release release = {0};

	ASK(DMABUF_EXP_FROM_REFS, 0, &export);
	wait.fd = export.fd;
	ASK(DMABUF_EXP_WAIT_RELEASED, ETIMEDOUT, &wait);
	ASK(DMABUF_EXP_FROM_REFS_V2, 0, &with_offset);
	ASK(DMABUF_IMP_TO_REFS, FAILS, &import);
	ASK(DMABUF_IMP_TO_REFS_V2, FAILS, &import_2);
	ASK(DMABUF_IMP_RELEASE, ENOENT, &release);
}

int main(void)
{
	const char *own = getenv("LAB_DOMID");
	struct ioctl_gntdev_restrict only;

	domid = own ? atoi(own) : 0;
	only = (struct ioctl_gntdev_restrict){.domid = domid};
	device = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(100, "/dev/xen/gntdev");
	grant();
	map_a_range();
	map_in_vain();
	copy();
	fill_an_area();
	lend();
	make_buffers();
	ASK(RESTRICT, 0, &only);

	return failures;
}
