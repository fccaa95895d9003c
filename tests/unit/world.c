// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

typedef uint16_t domid_t;
#include <xen/evtchn.h>

/* Of the memory that is granted: one at a time. */
#define LENDABLE_FD 300

struct world world;
static bool prepared;

void world_prepare(void)
{
	memset(&world, 0, sizeof(world));
	world.config = (struct machine_config){
		.mode = test_mode,
		.clock = MACHINE_TEST_TIME,
		.domain_pages = 2048,
		.grant_entries = 2048,
	};
	prepared = true;
}

void world_start(void)
{
	if (!prepared)
		world_prepare();
	prepared = false;
	CHECK_EQ(machine_start(&world.config), 0);
	world.granter = domain_get(1);
	world.mapper = domain_get(0);
	world.task = task_new(world.mapper, getpid());
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &world.file), 0);
}

void world_stop(void)
{
	unsigned int i, domid = domain_id(world.granter);
	bool ended;

	machine_fail_none();
	if (world.task)
		task_exit(world.task);
	if (world.file)
		file_close(NULL, world.file);
	machine_advance(10000);
	for (i = 0; i < world.grants; i++) {
		ended = !domain_ungrant(world.granter, world.refs[i]);
		if (ended == machine_refused(domid, world.refs[i]))
			test_fail(__FILE__, __LINE__,
				  "grant %ld can%s be ended, flags %#x",
				  world.refs[i], ended ? "" : "not",
				  domain_grant_flags(world.granter,
						     world.refs[i]));
	}
	CHECK_EQ(machine_stop(stderr), 0);
}

void grant(unsigned int count, bool readonly)
{
	unsigned int i;
	long pfn;

	while (count--) {
		i = world.grants++;
		CHECK(i < MAX_GRANTS);
		pfn = domain_page_alloc(world.granter);
		CHECK(pfn >= 0);
		world.pfns[i] = pfn;
		granted(i)[0] = 'A' + i % 26;
		world.refs[i] = domain_grant(world.granter, 0, pfn, readonly);
		CHECK(world.refs[i] >= 0);
	}
}

unsigned char *granted(unsigned int i)
{
	return domain_memory(world.granter) + world.pfns[i] * PAGE;
}

static long request(struct file *file, unsigned int cmd, void *arg)
{
	return file_ioctl(world.task, file, cmd, (unsigned long)arg, false);
}

long req_map(struct file *file, unsigned int first, unsigned int count,
	     uint64_t *index)
{
	struct ioctl_gntdev_map_grant_ref *op;
	unsigned int i;
	long ret;

	op = calloc(1, sizeof(*op) + count * sizeof(op->refs[0]));
	op->count = count;
	op->index = ~0ULL;
	for (i = 0; i < count; i++) {
		op->refs[i].domid = domain_id(world.granter);
		op->refs[i].ref = world.refs[first + i];
	}
	ret = request(file, IOCTL_GNTDEV_MAP_GRANT_REF, op);
	*index = op->index;
	free(op);

	return ret;
}

long req_unmap(struct file *file, uint64_t index, uint32_t count)
{
	struct ioctl_gntdev_unmap_grant_ref op = {index, count, 0};

	return request(file, IOCTL_GNTDEV_UNMAP_GRANT_REF, &op);
}

long req_notify(struct file *file, uint64_t index, uint32_t action,
		uint32_t port)
{
	struct ioctl_gntdev_unmap_notify op = {index, action, port};

	return request(file, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &op);
}

long req_offset(struct file *file, uint64_t vaddr, uint64_t *offset,
		uint32_t *count)
{
	struct ioctl_gntdev_get_offset_for_vaddr op = {.vaddr = vaddr};
	long ret = request(file, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &op);

	*offset = op.offset;
	*count = op.count;

	return ret;
}

long req_max(struct file *file, uint32_t count)
{
	struct ioctl_gntdev_set_max_grants op = {count};

	return request(file, IOCTL_GNTDEV_SET_MAX_GRANTS, &op);
}

long req_copy(struct file *file, struct gntdev_grant_copy_segment *segments,
	      uint32_t count)
{
	struct ioctl_gntdev_grant_copy op = {.count = count,
					     .segments = segments};

	return request(file, IOCTL_GNTDEV_GRANT_COPY, &op);
}

long req_restrict(struct file *file, unsigned int domid)
{
	struct ioctl_gntdev_restrict op = {domid, 0};

	return request(file, IOCTL_GNTDEV_RESTRICT, &op);
}

long req_status(struct file *file, uint64_t index, unsigned int first,
		unsigned int count, int16_t *statuses)
{
	struct ioctl_gntdev_map_status op = {index, (uintptr_t)statuses, first,
					     count};

	return request(file, IOCTL_GNTDEV_MAP_STATUS, &op);
}

long req_lend(struct file *file, const void *at, unsigned int count,
	      unsigned int flags, uint64_t *index, uint32_t *refs)
{
	struct ioctl_gntdev_grant_memory *op;
	long ret;

	op = calloc(1, sizeof(*op) + count * sizeof(op->refs[0]));
	op->addr = (uintptr_t)at;
	op->count = count;
	op->domid = 1;
	op->flags = flags;
	ret = request(file, IOCTL_GNTDEV_GRANT_MEMORY, op);
	if (index)
		*index = op->index;
	if (refs && !ret)
		memcpy(refs, op->refs, count * sizeof(refs[0]));
	free(op);

	return ret;
}

long req_unlend(struct file *file, uint64_t index, unsigned int count)
{
	struct ioctl_gntdev_ungrant_memory op = {index, count, 0};

	return request(file, IOCTL_GNTDEV_UNGRANT_MEMORY, &op);
}

unsigned char *lendable(unsigned int pages)
{
	int fd = memfd_create("lendable", MFD_CLOEXEC);
	void *at;

	CHECK(fd >= 0 && !ftruncate(fd, pages * PAGE));
	at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	CHECK(at != MAP_FAILED);
	/* The machine looks for a descriptor of it. */
	CHECK_EQ(dup2(fd, LENDABLE_FD), LENDABLE_FD);
	close(fd);

	return at;
}

void lendable_free(unsigned char *at, unsigned int pages)
{
	munmap(at, pages * PAGE);
	close(LENDABLE_FD);
}

int map_index(unsigned long addr, uint64_t index, unsigned int count, int prot)
{
	return task_mmap(world.task, world.file, addr, count * PAGE, prot,
			 MAP_SHARED, index, NULL);
}

long map_at(unsigned long addr, unsigned int first, unsigned int count,
	    int prot, uint64_t *index)
{
	uint64_t own;
	long ret = req_map(world.file, first, count, index ? index : &own);

	if (ret)
		return ret;
	return map_index(addr, index ? *index : own, count, prot);
}

int peek(unsigned long addr)
{
	unsigned char byte;

	return task_load(world.task, addr, &byte, 1) ? -1 : byte;
}

int poke(unsigned long addr, unsigned char byte)
{
	return task_store(world.task, addr, &byte, 1);
}

void channel_open(struct channel *c)
{
	struct ioctl_evtchn_bind_interdomain op = {.remote_domain = 1};

	c->peer = domain_port_unbound(world.granter, 0);
	CHECK(c->peer > 0);
	op.remote_port = c->peer;
	CHECK_EQ(file_open(world.task, "evtchn", O_RDWR, &c->evtchn), 0);
	c->port = request(c->evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &op);
	CHECK((int)c->port > 0);
}

unsigned long channel_events(const struct channel *c)
{
	return domain_port_events(world.granter, c->peer);
}
