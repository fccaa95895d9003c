// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mapping and unmapping, with many ranges live, and with notifications. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

/* The header takes this type from whoever includes it. */
typedef uint16_t domid_t;
#include <xen/evtchn.h>

#include "bench.h"

#define TABLE (512 * PAGE) /* what a page of a page table covers */

union map_request {
	struct ioctl_gntdev_map_grant_ref map;
	uint8_t space[sizeof(struct ioctl_gntdev_map_grant_ref) +
		      MOST * sizeof(struct ioctl_gntdev_grant_ref)];
};

static int instance(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open_device("/dev/xen/gntdev");
	return fd;
}

static void prepare_grants(union map_request *request, unsigned int first,
			   unsigned int count)
{
	request->map.count = count;
	for (unsigned int i = 0; i < count; i++) {
		struct ioctl_gntdev_grant_ref grant = {
			.domid = 0,
			.ref = refs[first + i],
		};

		memcpy(request->space +
			       offsetof(struct ioctl_gntdev_map_grant_ref,
					refs) +
			       i * sizeof(grant),
		       &grant, sizeof(grant));
	}
}

static void prepare_insert(union map_request *request, unsigned int count)
{
	prepare_grants(request, 0, count);
}

static uint64_t do_insert(int device, union map_request *request)
{
	if (ioctl(device, IOCTL_GNTDEV_MAP_GRANT_REF, request))
		die("MAP_GRANT_REF of %u", request->map.count);
	return request->map.index;
}

/*
 * Where mappings go that are not too long: beside a page of the program, so that
 * there is a page table already, as in most programs. In a PV domain a new one
 * costs more than all the rest.
 */
void *map_place(unsigned int count)
{
	static uint8_t *start;
	uint8_t *area;

	if (count >= TABLE / PAGE)
		return NULL;
	if (start)
		return start;
	area = mmap(NULL, 2 * TABLE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		die("mmap of %lu bytes", 2 * TABLE);
	madvise(area, 2 * TABLE, MADV_NOHUGEPAGE);
	start = (uint8_t *)(((uintptr_t)area + TABLE - 1) & -TABLE);
	munmap(start, TABLE - PAGE);
	start[TABLE - PAGE] = 1;
	return start;
}

static void *do_map(int device, uint64_t index, unsigned int count)
{
	void *address = mmap(map_place(count), count * PAGE,
			     PROT_READ | PROT_WRITE, MAP_SHARED, device, index);

	if (address == MAP_FAILED)
		die("mmap of %u pages", count);
	return address;
}

static void do_remove(int device, uint64_t index, unsigned int count)
{
	struct ioctl_gntdev_unmap_grant_ref request = {.index = index,
						       .count = count};

	if (ioctl(device, IOCTL_GNTDEV_UNMAP_GRANT_REF, &request))
		die("UNMAP_GRANT_REF of %u", count);
}

void *map_range(int device, unsigned int first, unsigned int count)
{
	static union map_request request;

	prepare_grants(&request, first, count);
	return do_map(device, do_insert(device, &request), count);
}

/* MAP, mmap, munmap, UNMAP. */
uint64_t cycle(unsigned int pages)
{
	static union map_request request;
	uint64_t begun, index;
	void *address;
	int device = instance();

	prepare_insert(&request, pages);
	begun = meter();
	index = do_insert(device, &request);
	address = do_map(device, index, pages);
	munmap(address, pages * PAGE);
	do_remove(device, index, pages);
	return metered(begun);
}

/* One step of the four. */
static uint64_t step(unsigned int pages, unsigned int which)
{
	static union map_request request;
	uint64_t begun, index, spent[4];
	void *address;
	int device = instance();

	prepare_insert(&request, pages);
	begun = meter();
	index = do_insert(device, &request);
	spent[0] = metered(begun);
	begun = meter();
	address = do_map(device, index, pages);
	spent[1] = metered(begun);
	begun = meter();
	munmap(address, pages * PAGE);
	spent[2] = metered(begun);
	begun = meter();
	do_remove(device, index, pages);
	spent[3] = metered(begun);
	return spent[which];
}

static uint64_t step_insert(unsigned int pages)
{
	return step(pages, 0);
}

static uint64_t step_mmap(unsigned int pages)
{
	return step(pages, 1);
}

static uint64_t step_munmap(unsigned int pages)
{
	return step(pages, 2);
}

static uint64_t step_remove(unsigned int pages)
{
	return step(pages, 3);
}

/* An instance of its own, so that the other workloads find theirs empty. */
static int crowded = -1;
static unsigned int crowd;

static void crowd_in(unsigned int ranges)
{
	union map_request request;

	if (crowded < 0)
		crowded = open_device("/dev/xen/gntdev");
	if (crowd > ranges) {
		close(crowded);
		crowded = open_device("/dev/xen/gntdev");
		crowd = 0;
	}
	prepare_insert(&request, 1);
	for (; crowd < ranges; crowd++)
		do_insert(crowded, &request);
}

static uint64_t insert_in_crowd(unsigned int ranges)
{
	union map_request request;
	uint64_t begun, index, spent;

	(void)ranges;
	prepare_insert(&request, 1);
	begun = meter();
	index = do_insert(crowded, &request);
	spent = metered(begun);
	do_remove(crowded, index, 1);
	return spent;
}

static uint64_t remove_in_crowd(unsigned int ranges)
{
	union map_request request;
	uint64_t begun, index;

	(void)ranges;
	prepare_insert(&request, 1);
	index = do_insert(crowded, &request);
	begun = meter();
	do_remove(crowded, index, 1);
	return metered(begun);
}

/* A port of this program's, connected to another one of it. */
static int events = -1;
static unsigned int port, other_port;

static void connect_ports(unsigned int size)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {.remote_domain = 0};
	struct ioctl_evtchn_bind_interdomain bind = {.remote_domain = 0};
	int result;

	(void)size;
	if (events >= 0)
		return;
	events = open_device("/dev/xen/evtchn");
	result = ioctl(events, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &unbound);
	if (result < 0)
		die("BIND_UNBOUND_PORT");
	other_port = bind.remote_port = result;
	result = ioctl(events, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	if (result < 0)
		die("BIND_INTERDOMAIN");
	port = result;
}

/* A port is told again only after this. (At first there is one of the binding.) */
static void take_event(void)
{
	uint32_t number;

	do {
		if (read(events, &number, sizeof(number)) != sizeof(number))
			die("event of port %u", other_port);
		if (write(events, &number, sizeof(number)) != sizeof(number))
			die("unmasking port %u", number);
	} while (number != other_port);
}

static void arm(int device, uint64_t index, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		struct ioctl_gntdev_unmap_notify notify = {
			.index = index + i * PAGE + 8,
			.action = UNMAP_NOTIFY_CLEAR_BYTE |
				  UNMAP_NOTIFY_SEND_EVENT,
			.event_channel_port = port,
		};

		if (ioctl(device, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify))
			die("SET_UNMAP_NOTIFY");
	}
}

static uint64_t munmap_armed(unsigned int pages)
{
	static union map_request request;
	uint64_t begun, index, spent;
	void *address;
	int device = instance();

	prepare_insert(&request, pages);
	index = do_insert(device, &request);
	address = do_map(device, index, pages);
	arm(device, index, pages);
	begun = meter();
	munmap(address, pages * PAGE);
	spent = metered(begun);
	do_remove(device, index, pages);
	take_event();
	return spent;
}

static const unsigned int sizes[] = {1,	 2,   4,   8,	16,   32,
				     64, 128, 256, 512, 1024, 0};
static const unsigned int step_sizes[] = {1, 1024, 0};
static const unsigned int armed_sizes[] = {1, 256, 0};
static const unsigned int crowds[] = {1000, 2000, 4000, 8000, 16000, 32000, 0};

const struct workload map_workloads[] = {
	{"cycle", cycle, NULL, sizes},
	{"step-map", step_insert, NULL, step_sizes},
	{"step-mmap", step_mmap, NULL, step_sizes},
	{"step-munmap", step_munmap, NULL, step_sizes},
	{"step-unmap", step_remove, NULL, step_sizes},
	{"munmap-unarmed", step_munmap, NULL, armed_sizes},
	{"munmap-armed", munmap_armed, connect_ports, armed_sizes},
	{"map-live", insert_in_crowd, crowd_in, crowds},
	{"unmap-live", remove_in_crowd, crowd_in, crowds},
	{0},
};
