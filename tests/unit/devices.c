// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The devices beside the driver's, and the hypervisor behind them all. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

typedef uint16_t domid_t;
#include <xen/evtchn.h>
#include <xen/gntalloc.h>

#define RW (PROT_READ | PROT_WRITE)

/* The program that grants, in domain 1. */
static struct task *peer;
static struct file *alloc, *peer_evtchn, *evtchn;

static void start(void)
{
	world_start();
	peer = task_new(world.granter, getpid());
	CHECK_EQ(file_open(peer, "gntalloc", O_RDWR, &alloc), 0);
	CHECK_EQ(file_open(peer, "evtchn", O_RDWR, &peer_evtchn), 0);
	CHECK_EQ(file_open(world.task, "evtchn", O_RDWR, &evtchn), 0);
}

static void stop(void)
{
	if (alloc)
		file_close(peer, alloc);
	file_close(peer, peer_evtchn);
	file_close(world.task, evtchn);
	task_exit(peer);
	world_stop();
}

static long ask(struct task *task, struct file *file, unsigned int cmd,
		void *arg)
{
	return file_ioctl(task, file, cmd, (unsigned long)arg, false);
}

/* ---- gntalloc ---- */

struct alloc_op {
	struct ioctl_gntalloc_alloc_gref op;
	uint32_t more[63];
};

/* The references, of which the structure's own type knows only the first. */
static uint32_t gref(struct alloc_op *a, unsigned int i)
{
	uint32_t ref;

	memcpy(&ref,
	       (char *)a +
		       offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids) +
		       i * sizeof(ref),
	       sizeof(ref));
	return ref;
}

static long gref_alloc(struct alloc_op *a, unsigned int count, bool writable)
{
	memset(a, 0, sizeof(*a));
	a->op.domid = 0;
	a->op.flags = writable ? GNTALLOC_FLAG_WRITABLE : 0;
	a->op.count = count;
	return ask(peer, alloc, IOCTL_GNTALLOC_ALLOC_GREF, a);
}

static long gref_free(uint64_t index, unsigned int count)
{
	struct ioctl_gntalloc_dealloc_gref op = {index, count};

	return ask(peer, alloc, IOCTL_GNTALLOC_DEALLOC_GREF, &op);
}

static long gref_map(struct alloc_op *a)
{
	struct ioctl_gntdev_map_grant_ref *op;
	unsigned int i;
	long ret;

	op = calloc(1, sizeof(*op) + a->op.count * sizeof(op->refs[0]));
	op->count = a->op.count;
	for (i = 0; i < op->count; i++) {
		op->refs[i].domid = 1;
		op->refs[i].ref = gref(a, i);
	}
	ret = ask(world.task, world.file, IOCTL_GNTDEV_MAP_GRANT_REF, op);
	if (!ret)
		ret = map_index(AT(0), op->index, op->count, RW);
	free(op);

	return ret;
}

static void pages_are_shared_by_two_programs(void)
{
	struct alloc_op a;
	unsigned char byte = 0;

	start();
	CHECK_EQ(gref_alloc(&a, 3, true), 0);
	CHECK_EQ(a.op.index, 0);
	CHECK_EQ(task_mmap(peer, alloc, AT(5), 3 * PAGE, RW, MAP_SHARED, 0,
			   NULL),
		 0);
	CHECK_EQ(gref_map(&a), 0);
	CHECK_EQ(poke(AT(0) + 2 * PAGE, 'p'), 0);
	CHECK_EQ(task_load(peer, AT(5) + 2 * PAGE, &byte, 1), 0);
	CHECK_EQ(byte, 'p');
	byte = 'q';
	CHECK_EQ(task_store(peer, AT(5), &byte, 1), 0);
	CHECK_EQ(peek(AT(0)), 'q');
	CHECK_EQ(task_munmap(peer, AT(5) + PAGE, PAGE), 0);
	CHECK_EQ(task_load(peer, AT(5) + PAGE, &byte, 1), -EFAULT);
	CHECK_EQ(task_load(peer, AT(5) + 2 * PAGE, &byte, 1), 0);
	stop();
}

static bool are_neighbours(const struct view *view)
{
	for (size_t i = 1; i < view->count; i++)
		if (view->pages[i].offset !=
		    view->pages[i - 1].offset + (off_t)PAGE)
			return false;
	return true;
}

/* Or a large range has more pieces in a program than its kernel allows. */
static void pages_that_come_back_are_neighbours_again(void)
{
	struct view view;
	struct alloc_op a;

	start();
	for (int round = 0; round < 3; round++) {
		CHECK_EQ(gref_alloc(&a, 16, true), 0);
		CHECK_EQ(task_mmap(peer, alloc, AT(5), 16 * PAGE, RW,
				   MAP_SHARED, a.op.index, &view),
			 0);
		CHECK(are_neighbours(&view));
		view_free(&view);
		CHECK_EQ(task_munmap(peer, AT(5), 16 * PAGE), 0);
		CHECK_EQ(gref_free(a.op.index, 16), 0);
	}
	stop();
}

static void a_gref_stays_while_it_is_used(void)
{
	struct alloc_op a;
	unsigned char byte;

	start();
	CHECK_EQ(gref_alloc(&a, 1, true), 0);
	CHECK_EQ(task_mmap(peer, alloc, AT(5), PAGE, RW, MAP_SHARED, 0, NULL),
		 0);
	CHECK_EQ(gref_free(0, 1), 0);
	CHECK_EQ(gref_free(0, 1), -EINVAL);
	CHECK_EQ(gref_map(&a), 0);
	CHECK_EQ(task_munmap(peer, AT(5), PAGE), 0);
	/* Mapped by the other side: still granted, and whole. */
	CHECK_EQ(poke(AT(0), 'r'), 0);
	CHECK(domain_grant_flags(world.granter, gref(&a, 0)));
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(gref_alloc(&a, 1, true), 0);
	CHECK_EQ(task_mmap(peer, alloc, AT(5), PAGE, RW, MAP_SHARED, a.op.index,
			   NULL),
		 0);
	CHECK_EQ(task_load(peer, AT(5), &byte, 1), 0);
	CHECK_EQ(byte, 0);
	stop();
}

static void a_readonly_gref_is_not_written_by_the_peer(void)
{
	struct alloc_op a;

	start();
	CHECK_EQ(gref_alloc(&a, 1, false), 0);
	CHECK_EQ(gref_map(&a), -EINVAL);
	stop();
}

static void gntalloc_has_a_limit_and_refuses_nonsense(void)
{
	struct ioctl_gntalloc_unmap_notify n = {9 * PAGE, 1, 0};
	struct alloc_op a;

	world_prepare();
	world.config.gntalloc_limit = 4;
	start();
	CHECK_EQ(gref_alloc(&a, 5, true), -ENOSPC);
	CHECK_EQ(gref_alloc(&a, 4, true), 0);
	CHECK_EQ(gref_alloc(&a, 1, true), -ENOSPC);
	CHECK_EQ(ask(peer, alloc, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &n),
		 -ENOENT);
	n.index = 0;
	n.action = 4;
	CHECK_EQ(ask(peer, alloc, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &n),
		 -EINVAL);
	n.action = 2;
	n.event_channel_port = 88;
	CHECK_EQ(ask(peer, alloc, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &n),
		 -EINVAL);
	CHECK_EQ(ask(peer, alloc, 0x1234, &n), -ENOTTY);
	CHECK_EQ(ask(peer, alloc, IOCTL_GNTALLOC_ALLOC_GREF, NULL), -EFAULT);
	CHECK_EQ(task_mmap(peer, alloc, AT(5), 5 * PAGE, RW, MAP_SHARED, 0,
			   NULL),
		 -ENOENT);
	CHECK_EQ(task_mmap(peer, alloc, AT(5), PAGE, RW, MAP_PRIVATE, 0, NULL),
		 -EINVAL);
	CHECK_EQ(gref_free(0, 4), 0);
	CHECK_EQ(gref_alloc(&a, 4, true), 0);
	stop();
}

static void a_gref_notifies_when_its_program_dies(void)
{
	struct ioctl_gntalloc_unmap_notify n = {5, 3, 0};
	struct ioctl_evtchn_bind_unbound_port unbound = {0};
	struct ioctl_evtchn_bind_interdomain bind = {1, 0};
	struct alloc_op a;
	uint32_t port;
	long mine;

	start();
	CHECK_EQ(gref_alloc(&a, 1, true), 0);
	bind.remote_port = ask(peer, peer_evtchn,
			       IOCTL_EVTCHN_BIND_UNBOUND_PORT, &unbound);
	mine = ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	CHECK(mine > 0);
	n.event_channel_port = bind.remote_port;
	CHECK_EQ(ask(peer, alloc, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &n), 0);
	CHECK_EQ(gref_map(&a), 0);
	CHECK_EQ(poke(AT(0) + 5, 1), 0);
	/* The event that comes with binding. */
	CHECK_EQ(file_read(evtchn, &port, 4), 4);
	CHECK_EQ(file_write(evtchn, &port, 4), 4);
	file_close(peer, alloc);
	alloc = NULL;
	CHECK_EQ(peek(AT(0) + 5), 0);
	CHECK_EQ(file_read(evtchn, &port, 4), 4);
	CHECK_EQ(port, mine);
	stop();
}

static void a_child_keeps_its_grefs_alive(void)
{
	struct task *child;
	struct alloc_op a;
	unsigned char byte = 's';

	start();
	CHECK_EQ(gref_alloc(&a, 1, true), 0);
	CHECK_EQ(task_mmap(peer, alloc, AT(5), PAGE, RW, MAP_SHARED, 0, NULL),
		 0);
	CHECK_EQ(task_store(peer, AT(5), &byte, 1), 0);
	CHECK_EQ(task_fork(peer, getpid(), &child), 0);
	CHECK_EQ(gref_free(0, 1), 0);
	CHECK_EQ(task_mremap(peer, AT(5), PAGE, PAGE, 3, AT(6)), AT(6));
	CHECK_EQ(task_load(peer, AT(6), &byte, 1), 0);
	CHECK_EQ(task_load(peer, AT(5), &byte, 1), -EFAULT);
	CHECK_EQ(task_munmap(peer, AT(6), PAGE), 0);
	byte = 0;
	CHECK_EQ(task_load(child, AT(5), &byte, 1), 0);
	CHECK_EQ(byte, 's');
	CHECK(domain_grant_flags(world.granter, gref(&a, 0)));
	task_exit(child);
	CHECK(!domain_grant_flags(world.granter, gref(&a, 0)));
	stop();
}

/* ---- evtchn ---- */

static int told;

static void readable(struct file *file, void *arg)
{
	told++;
	CHECK(file_poll(file) & POLLIN);
	CHECK_EQ((size_t)arg, 7);
}

static void events_are_told_once_until_written_back(void)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {0};
	struct ioctl_evtchn_bind_interdomain bind = {1, 0};
	struct ioctl_evtchn_notify notify;
	uint32_t ports[4];
	long mine, theirs;

	start();
	file_on_readable(evtchn, readable, (void *)7);
	theirs = ask(peer, peer_evtchn, IOCTL_EVTCHN_BIND_UNBOUND_PORT,
		     &unbound);
	bind.remote_port = theirs;
	mine = ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	CHECK(mine > 0 && theirs > 0);
	CHECK_EQ(told, 1);
	/* One port is bound once. */
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind),
		 -EINVAL);
	CHECK_EQ(file_read(evtchn, ports, sizeof(ports)), 4);
	CHECK_EQ(ports[0], mine);
	CHECK_EQ(file_read(evtchn, ports, sizeof(ports)), -EAGAIN);
	CHECK_EQ(file_read(evtchn, ports, 3), 0);
	CHECK_EQ(file_poll(evtchn), POLLOUT);
	notify.port = theirs;
	CHECK_EQ(ask(peer, peer_evtchn, IOCTL_EVTCHN_NOTIFY, &notify), 0);
	CHECK_EQ(file_poll(evtchn), POLLOUT);
	CHECK_EQ(file_write(evtchn, ports, 4), 4);
	CHECK_EQ(told, 2);
	CHECK_EQ(file_read(evtchn, ports, sizeof(ports)), 4);
	CHECK_EQ(file_write(evtchn, ports, 4), 4);
	CHECK_EQ(file_read(evtchn, ports, sizeof(ports)), -EAGAIN);
	notify.port = mine;
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_NOTIFY, &notify), 0);
	CHECK_EQ(file_read(peer_evtchn, ports, sizeof(ports)), 4);
	CHECK_EQ(ports[0], theirs);
	stop();
}

static void ports_are_their_owners(void)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {0};
	struct ioctl_evtchn_bind_interdomain bind = {1, 0};
	struct ioctl_evtchn_notify notify;

	start();
	notify.port = ask(peer, peer_evtchn, IOCTL_EVTCHN_BIND_UNBOUND_PORT,
			  &unbound);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_NOTIFY, &notify),
		 -ENOTCONN);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_UNBIND, &notify),
		 -ENOTCONN);
	bind.remote_port = notify.port;
	bind.remote_domain = 5;
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind),
		 -ESRCH);
	bind.remote_domain = 0;
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind),
		 -EINVAL);
	CHECK_EQ(ask(peer, peer_evtchn, IOCTL_EVTCHN_UNBIND, &notify), 0);
	bind.remote_domain = 1;
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind),
		 -EINVAL);
	CHECK_EQ(ask(world.task, evtchn, 0x1234, &bind), -ENOSYS);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_NOTIFY, NULL), -EFAULT);
	stop();
}

static void a_closed_port_can_be_bound_again_by_its_peer(void)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {0};
	struct ioctl_evtchn_bind_interdomain bind = {1, 0};
	struct ioctl_evtchn_notify notify;
	long again;

	start();
	bind.remote_port = ask(peer, peer_evtchn,
			       IOCTL_EVTCHN_BIND_UNBOUND_PORT, &unbound);
	notify.port =
		ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_UNBIND, &notify), 0);
	again = ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	CHECK_EQ(again, notify.port);
	stop();
}

static void a_restricted_descriptor_binds_one_domain(void)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {0};
	struct ioctl_evtchn_bind_interdomain bind = {1, 0};
	struct ioctl_evtchn_restrict_domid restrict_to = {0};
	struct ioctl_evtchn_bind_virq virq = {3};

	start();
	CHECK(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_VIRQ, &virq) > 0);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_RESTRICT_DOMID,
		     &restrict_to),
		 -EACCES);
	restrict_to.domid = 2;
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_RESTRICT_DOMID,
		     &restrict_to),
		 0);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_RESTRICT_DOMID,
		     &restrict_to),
		 -EACCES);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind),
		 -EACCES);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_UNBOUND_PORT,
		     &unbound),
		 -EACCES);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_VIRQ, &virq),
		 -EACCES);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_RESET, NULL), 0);
	stop();
}

static void a_virq_is_bound_once(void)
{
	struct ioctl_evtchn_bind_virq virq = {3}, none = {24};
	struct ioctl_evtchn_unbind unbind = {0};
	long port;

	start();
	port = ask(world.task, evtchn, IOCTL_EVTCHN_BIND_VIRQ, &virq);
	CHECK(port > 0);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_VIRQ, &virq),
		 -EEXIST);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_VIRQ, &none),
		 -EINVAL);
	unbind.port = port;
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_UNBIND, &unbind), 0);
	CHECK_EQ(ask(world.task, evtchn, IOCTL_EVTCHN_BIND_VIRQ, &virq), port);
	stop();
}

static void many_events_wait_in_order(void)
{
	struct ioctl_evtchn_bind_unbound_port unbound = {0};
	struct ioctl_evtchn_bind_interdomain bind = {1, 0};
	uint32_t ports[100];
	long mine[100];
	int i;

	start();
	for (i = 0; i < 100; i++) {
		bind.remote_port = ask(peer, peer_evtchn,
				       IOCTL_EVTCHN_BIND_UNBOUND_PORT,
				       &unbound);
		mine[i] = ask(world.task, evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN,
			      &bind);
		CHECK(mine[i] > 0);
	}
	CHECK_EQ(file_read(evtchn, ports, sizeof(ports)), sizeof(ports));
	for (i = 0; i < 100; i++)
		CHECK_EQ(ports[i], mine[i]);
	stop();
}

/* ---- privcmd ---- */

struct batch {
	uint32_t count;
	uint16_t domid;
	uint64_t at;
	uint64_t frames, errors;
};
#define MMAPBATCH_V2 _IOC(_IOC_NONE, 'P', 4, sizeof(struct batch))

static long show(struct file *file, unsigned long at, const uint64_t *frames,
		 unsigned int count)
{
	int errors[4] = {0};
	struct batch batch = {
		count, 1, at, (uintptr_t)frames, (uintptr_t)errors,
	};
	long ret = ask(world.task, file, MMAPBATCH_V2, &batch);

	for (unsigned int i = 0; !ret && i < count; i++)
		CHECK_EQ(errors[i], 0);
	return ret;
}

/* Its first page is frame 0 of its domain, the next ones follow. */
static void granted_pages_are_frames_of_their_domain(void)
{
	const uint64_t frames[] = {0, 2};
	unsigned char byte = 'p';
	struct file *privcmd;
	struct alloc_op a;

	start();
	CHECK_EQ(gref_alloc(&a, 1, true), 0);
	CHECK_EQ(task_mmap(peer, alloc, AT(5), PAGE, RW, MAP_SHARED, 0, NULL),
		 0);
	CHECK_EQ(task_store(peer, AT(5), &byte, 1), 0);
	CHECK_EQ(file_open(world.task, "privcmd", O_RDWR, &privcmd), 0);
	CHECK_EQ(task_mmap(world.task, privcmd, AT(1), 2 * PAGE, RW, MAP_SHARED,
			   0, NULL),
		 0);
	CHECK_EQ(peek(AT(1)), -1);
	CHECK_EQ(show(privcmd, AT(1), frames, 2), 0);
	CHECK_EQ(peek(AT(1)), 'p');
	CHECK_EQ(poke(AT(1) + PAGE, 'f'), 0);

	/* What is written into a frame is not what its next user finds. */
	CHECK_EQ(gref_alloc(&a, 2, true), 0);
	CHECK_EQ(task_mmap(peer, alloc, AT(6), 2 * PAGE, RW, MAP_SHARED,
			   a.op.index, NULL),
		 0);
	CHECK_EQ(task_load(peer, AT(6) + PAGE, &byte, 1), 0);
	CHECK_EQ(byte, 0);
	byte = 'g';
	CHECK_EQ(task_store(peer, AT(6) + PAGE, &byte, 1), 0);
	CHECK_EQ(peek(AT(1) + PAGE), 'g');
	file_close(world.task, privcmd);
	stop();
}

/* There are no pages that could be pinned. */
static void copies_go_to_what_is_mapped_by_frame(void)
{
	const uint64_t frames[] = {100};
	struct file *privcmd;
	struct gntdev_grant_copy_segment s = {
		.source.foreign = {.domid = 1},
		.dest.virt = (void *)AT(1),
		.flags = 1,
		.len = PINNED,
	};

	start();
	grant(1, true);
	s.source.foreign.ref = world.refs[0];
	CHECK_EQ(file_open(world.task, "privcmd", O_RDWR, &privcmd), 0);
	CHECK_EQ(task_mmap(world.task, privcmd, AT(1), PAGE, RW, MAP_SHARED, 0,
			   NULL),
		 0);
	CHECK_EQ(show(privcmd, AT(1), frames, 1), 0);
	CHECK_EQ(req_copy(world.file, &s, 1), 0);
	CHECK_EQ(s.status, 0);
	CHECK_EQ(peek(AT(1)), 'A');
	file_close(world.task, privcmd);
	stop();
}

static void frames_are_domain_0s_to_map(void)
{
	const uint64_t frames[] = {0, 1};
	struct batch batch = {1, 0, AT(1), (uintptr_t)frames, AT(1)};
	struct file *privcmd;

	start();
	CHECK_EQ(file_open(peer, "privcmd", O_RDWR, &privcmd), 0);
	CHECK_EQ(task_mmap(peer, privcmd, AT(1), PAGE, RW, MAP_SHARED, 0, NULL),
		 0);
	CHECK_EQ(ask(peer, privcmd, MMAPBATCH_V2, &batch), -EPERM);
	CHECK(strstr(machine_log(), "request 4 is domain 0's alone"));
	file_close(peer, privcmd);
	stop();
}

static void an_unknown_device_is_not_there(void)
{
	struct file *file;

	start();
	CHECK_EQ(file_open(peer, "hypercall", O_RDWR, &file), -ENOENT);
	stop();
}

static const struct test tests[] = {
	TEST(pages_are_shared_by_two_programs),
	TEST(pages_that_come_back_are_neighbours_again),
	TEST(a_gref_stays_while_it_is_used),
	TEST(a_readonly_gref_is_not_written_by_the_peer),
	TEST(gntalloc_has_a_limit_and_refuses_nonsense),
	TEST(a_gref_notifies_when_its_program_dies),
	TEST(a_child_keeps_its_grefs_alive),
	TEST(events_are_told_once_until_written_back),
	TEST(ports_are_their_owners),
	TEST(a_closed_port_can_be_bound_again_by_its_peer),
	TEST(a_restricted_descriptor_binds_one_domain),
	TEST(a_virq_is_bound_once),
	TEST(many_events_wait_in_order),
	TEST(granted_pages_are_frames_of_their_domain),
	TEST(copies_go_to_what_is_mapped_by_frame),
	TEST(frames_are_domain_0s_to_map),
	TEST(an_unknown_device_is_not_there),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
