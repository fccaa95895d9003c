// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Notifications: what the granter is told when a page goes, and in which order. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

typedef uint16_t domid_t;
#include <xen/evtchn.h>

#define RW (PROT_READ | PROT_WRITE)
#define CLEAR UNMAP_NOTIFY_CLEAR_BYTE
#define SEND UNMAP_NOTIFY_SEND_EVENT

static struct machine_event events[256];
static size_t seen;

static void record(const struct machine_event *event, void *arg)
{
	if (seen < sizeof(events) / sizeof(events[0]))
		events[seen++] = *event;
}

/* The place of the last event of a kind, or -1. */
static int last(enum machine_event_kind kind, bool user)
{
	int i;

	for (i = (int)seen - 1; i >= 0; i--) {
		if (events[i].kind == kind && events[i].user == user)
			return i;
	}

	return -1;
}

static void the_byte_is_cleared_then_unmapped_then_the_event_sent(void)
{
	bool user = test_mode == MACHINE_PV;
	struct channel c;

	world_start();
	grant(1, false);
	channel_open(&c);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	granted(0)[9] = 1;
	CHECK_EQ(req_notify(world.file, 9, CLEAR | SEND, c.port), 0);
	machine_watch(record, NULL);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(granted(0)[9], 0);
	CHECK_EQ(channel_events(&c), 1);
	CHECK(last(MACHINE_EVENT_STORE, false) >= 0);
	CHECK(last(MACHINE_EVENT_STORE, false) <
	      last(MACHINE_EVENT_UNMAP, false));
	CHECK(last(MACHINE_EVENT_UNMAP, false) <
	      last(MACHINE_EVENT_SEND, false));
	/* The program's own entry was gone by then: it could store no more. */
	CHECK(last(MACHINE_EVENT_UNMAP, true) <
	      last(MACHINE_EVENT_STORE, false));
	CHECK_EQ(last(MACHINE_EVENT_UNMAP, true) >= 0, user);
	machine_watch(NULL, NULL);
	file_close(world.task, c.evtchn);
	world_stop();
}

static void the_byte_is_cleared_where_the_program_may_not_write(void)
{
	struct machine_counters n;

	world_start();
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	granted(1)[9] = 1;
	CHECK_EQ(req_notify(world.file, PAGE + 9, CLEAR, 0), 0);
	CHECK_EQ(task_mprotect(world.task, AT(0), 2 * PAGE, PROT_READ), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	machine_watch(record, NULL);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	machine_watch(NULL, NULL);
	CHECK_EQ(granted(1)[9], 0);
	CHECK(last(MACHINE_EVENT_STORE, false) >= 0);
	CHECK(last(MACHINE_EVENT_STORE, false) <
	      last(MACHINE_EVENT_UNMAP, false));
	/* The range has its pages for the next time. */
	machine_counters(&n);
	CHECK_EQ(n.mapped, 0);
	CHECK_EQ(n.kept, 0);
	world_stop();
}

static void a_notification_is_spent_by_munmap(void)
{
	struct channel c;
	uint64_t index;

	world_start();
	grant(1, false);
	channel_open(&c);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, &index), 0);
	CHECK_EQ(req_notify(world.file, 9, CLEAR | SEND, c.port), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	granted(0)[9] = 1;
	CHECK_EQ(map_index(AT(0), index, 1, RW), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(granted(0)[9], 1);
	CHECK_EQ(channel_events(&c), 1);
	file_close(world.task, c.evtchn);
	world_stop();
}

static void each_page_has_its_own(void)
{
	struct channel a, b;

	world_start();
	grant(3, false);
	channel_open(&a);
	channel_open(&b);
	CHECK_EQ(map_at(AT(0), 0, 3, RW, NULL), 0);
	granted(0)[1] = granted(1)[1] = granted(2)[1] = 5;
	CHECK_EQ(req_notify(world.file, 1, CLEAR, 0), 0);
	CHECK_EQ(req_notify(world.file, PAGE + 1, SEND, a.port), 0);
	CHECK_EQ(req_notify(world.file, 2 * PAGE + 1, CLEAR | SEND, b.port), 0);
	task_exit(world.task);
	world.task = NULL;
	CHECK_EQ(granted(0)[1], 0);
	CHECK_EQ(granted(1)[1], 5);
	CHECK_EQ(granted(2)[1], 0);
	CHECK_EQ(channel_events(&a), 1);
	CHECK_EQ(channel_events(&b), 1);
	file_close(NULL, a.evtchn);
	file_close(NULL, b.evtchn);
	world_stop();
}

/* An event is not counted by whom it is for: one is enough for all at once. */
static void neighbours_share_an_event_when_all_are_unmapped(void)
{
	static const unsigned int ports[6] = {0, 0, 0, 1, 1, 0};
	struct channel c[2];
	int i;

	world_start();
	grant(6, false);
	channel_open(&c[0]);
	channel_open(&c[1]);
	CHECK_EQ(map_at(AT(0), 0, 6, RW, NULL), 0);
	for (i = 0; i < 6; i++)
		CHECK_EQ(req_notify(world.file, i * PAGE, CLEAR | SEND,
				    c[ports[i]].port),
			 0);
	seen = 0;
	machine_watch(record, NULL);
	CHECK_EQ(task_munmap(world.task, AT(0), 6 * PAGE), 0);
	machine_watch(NULL, NULL);
	for (i = 0; i < 6; i++)
		CHECK_EQ(granted(i)[0], 0);
	CHECK_EQ(channel_events(&c[0]), 2);
	CHECK_EQ(channel_events(&c[1]), 1);
	for (i = 0; events[i].kind != MACHINE_EVENT_SEND; i++)
		;
	CHECK(last(MACHINE_EVENT_UNMAP, false) < i);
	/* No reference is left: the ports go with their files. */
	file_close(world.task, c[0].evtchn);
	file_close(world.task, c[1].evtchn);
	world_stop();
}

static void a_later_one_replaces_and_zero_cancels(void)
{
	struct channel a, b;

	world_start();
	grant(1, false);
	channel_open(&a);
	channel_open(&b);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(req_notify(world.file, 0, 0, 0), 0);
	CHECK_EQ(req_notify(world.file, 0, SEND, a.port), 0);
	CHECK_EQ(req_notify(world.file, 7, CLEAR | SEND, b.port), 0);
	CHECK_EQ(req_notify(world.file, 7, 0, 0), 0);
	CHECK_EQ(req_notify(world.file, 7, SEND, b.port), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(channel_events(&a), 0);
	CHECK_EQ(channel_events(&b), 1);
	file_close(world.task, a.evtchn);
	file_close(world.task, b.evtchn);
	world_stop();
}

static void a_page_never_mapped_is_never_written(void)
{
	struct channel c;
	uint64_t index, other;

	world_start();
	grant(2, false);
	channel_open(&c);
	CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	CHECK_EQ(req_map(world.file, 1, 1, &other), 0);
	CHECK_EQ(req_notify(world.file, index, CLEAR | SEND, c.port), 0);
	CHECK_EQ(req_notify(world.file, other, CLEAR | SEND, c.port), 0);
	CHECK_EQ(req_unmap(world.file, index, 1), 0);
	CHECK_EQ(granted(0)[0], 'A');
	CHECK_EQ(channel_events(&c), 1);
	file_close(world.task, world.file);
	world.file = NULL;
	CHECK_EQ(granted(1)[0], 'B');
	CHECK_EQ(channel_events(&c), 2);
	file_close(world.task, c.evtchn);
	world_stop();
}

static void a_readonly_range_takes_no_clear_byte(void)
{
	uint64_t index, other;

	world_start();
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 0, 1, PROT_READ, NULL), 0);
	CHECK_EQ(req_notify(world.file, 0, CLEAR, 0), -EINVAL);
	CHECK_EQ(req_map(world.file, 1, 1, &index), 0);
	CHECK_EQ(req_notify(world.file, index, CLEAR, 0), 0);
	CHECK_EQ(map_index(AT(1), index, 1, PROT_READ), -EINVAL);
	CHECK_EQ(peek(AT(1)), -1);
	CHECK_EQ(map_index(AT(1), index, 1, RW), 0);
	CHECK_EQ(task_munmap(world.task, AT(1), PAGE), 0);
	CHECK_EQ(granted(1)[0], 0);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(req_map(world.file, 0, 1, &other), 0);
	CHECK_EQ(req_notify(world.file, 0, CLEAR, 0), 0);
	world_stop();
}

/* VMAs keep the file, its descriptors keep the table. */
static void the_last_descriptor_takes_what_is_not_mapped(void)
{
	struct task *child;
	struct channel c;
	uint64_t index;

	world_start();
	grant(3, false);
	channel_open(&c);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(map_at(AT(1), 1, 1, RW, NULL), 0);
	CHECK_EQ(task_fork(world.task, getpid(), &child), 0);
	CHECK_EQ(req_map(world.file, 2, 1, &index), 0);
	CHECK_EQ(req_notify(world.file, index, SEND, c.port), 0);
	file_dup(world.file);
	file_close(child, world.file);
	CHECK_EQ(channel_events(&c), 0);
	file_close(world.task, world.file);
	world.file = NULL;
	CHECK_EQ(channel_events(&c), 1);
	CHECK_EQ(peek(AT(1)), 'B');
	task_exit(child);
	file_close(world.task, c.evtchn);
	world_stop();
}

static void a_readonly_range_sends_its_event(void)
{
	struct channel c;
	uint64_t index;

	world_start();
	grant(2, true);
	channel_open(&c);
	CHECK_EQ(req_map(world.file, 0, 2, &index), 0);
	CHECK_EQ(req_notify(world.file, index + PAGE, SEND, c.port), 0);
	CHECK_EQ(map_index(AT(0), index, 2, PROT_READ), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(channel_events(&c), 1);
	file_close(world.task, c.evtchn);
	world_stop();
}

static void bad_ones_are_refused(void)
{
	struct channel c;
	uint64_t index;

	world_start();
	grant(2, false);
	channel_open(&c);
	CHECK_EQ(req_map(world.file, 0, 2, &index), 0);
	CHECK_EQ(req_notify(world.file, index, 4, 0), -EINVAL);
	CHECK_EQ(req_notify(world.file, 2 * PAGE, CLEAR, 0), -ENOENT);
	CHECK_EQ(req_notify(world.file, 1ULL << 44, CLEAR, 0), -ENOENT);
	CHECK_EQ(req_notify(world.file, 2 * PAGE - 1, CLEAR, 0), 0);
	CHECK_EQ(req_notify(world.file, 0, SEND, 77), -EINVAL);
	CHECK_EQ(req_notify(world.file, 0, SEND, 0), -EINVAL);
	CHECK_EQ(req_notify(world.file, 0, SEND, ~0U), -EINVAL);
	CHECK_EQ(req_notify(world.file, 0, SEND, c.peer), -EINVAL);
	CHECK_EQ(req_notify(world.file, 4 * PAGE, SEND, c.port), -ENOENT);
	file_close(world.task, c.evtchn);
	world_stop();
}

static void anothers_port_is_refused(void)
{
	struct ioctl_evtchn_bind_unbound_port op = {1};
	struct task *other = NULL;
	struct file *evtchn;
	uint64_t index;
	long port;

	world_start();
	grant(1, false);
	CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	other = task_new(world.mapper, getpid());
	CHECK_EQ(file_open(other, "evtchn", O_RDWR, &evtchn), 0);
	port = file_ioctl(other, evtchn, IOCTL_EVTCHN_BIND_UNBOUND_PORT,
			  (unsigned long)&op, false);
	CHECK(port > 0);
	CHECK_EQ(req_notify(world.file, index, SEND, port), -EINVAL);
	file_close(other, evtchn);
	task_exit(other);
	world_stop();
}

static void the_event_is_sent_though_evtchn_is_closed(void)
{
	struct channel c, d;

	world_start();
	grant(1, false);
	channel_open(&c);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(req_notify(world.file, 0, SEND, c.port), 0);
	file_close(world.task, c.evtchn);
	/* The port is still taken: a new one has another number. */
	channel_open(&d);
	CHECK(d.port != c.port);
	CHECK_EQ(req_notify(world.file, 0, SEND, c.port), -EINVAL);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(channel_events(&c), 1);
	CHECK_EQ(channel_events(&d), 0);
	file_close(world.task, d.evtchn);
	channel_open(&d);
	CHECK_EQ(d.peer, c.port);
	file_close(world.task, d.evtchn);
	world_stop();
}

static void the_byte_and_the_event_wait_for_the_last_user_of_the_page(void)
{
	struct channel c;
	struct page *page;

	world_start();
	grant(2, false);
	channel_open(&c);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	CHECK_EQ(req_notify(world.file, PAGE, CLEAR | SEND, c.port), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	/* Who holds it may still write to it, so its byte is as it was. */
	CHECK_EQ(granted(1)[0], 'B');
	CHECK_EQ(channel_events(&c), 0);
	machine_advance(1000);
	CHECK_EQ(channel_events(&c), 0);
	page_release(page);
	machine_advance(1000);
	CHECK_EQ(granted(1)[0], 0);
	CHECK_EQ(channel_events(&c), 1);
	file_close(world.task, c.evtchn);
	world_stop();
}

static void it_may_be_armed_before_mmap(void)
{
	struct channel c;
	uint64_t index;

	world_start();
	grant(1, false);
	channel_open(&c);
	CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	CHECK_EQ(req_notify(world.file, index + 3, CLEAR | SEND, c.port), 0);
	CHECK_EQ(map_index(AT(0), index, 1, RW), 0);
	granted(0)[3] = 1;
	task_exit(world.task);
	world.task = NULL;
	CHECK_EQ(granted(0)[3], 0);
	CHECK_EQ(channel_events(&c), 1);
	file_close(NULL, c.evtchn);
	world_stop();
}

/* By then the ports' numbers may be anybody's. */
static void event_channels_are_let_go_when_the_domain_is_restored(void)
{
	struct channel c, other;
	uint64_t index;

	world_start();
	grant(4, false);
	channel_open(&c);
	channel_open(&other);
	CHECK_EQ(req_map(world.file, 0, 4, &index), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(req_notify(world.file, index + i * PAGE, SEND,
				    i % 2 ? c.port : other.port),
			 0);
	machine_resume();
	/* Two go as they are replaced, the others with their range. */
	CHECK_EQ(req_notify(world.file, index, 0, 0), 0);
	CHECK_EQ(req_notify(world.file, index + PAGE, 0, 0), 0);
	CHECK_EQ(req_unmap(world.file, index, 4), 0);
	CHECK_EQ(channel_events(&c), 0);
	CHECK_EQ(channel_events(&other), 0);
	file_close(world.task, other.evtchn);
	file_close(world.task, c.evtchn);
	/* Ports that are bound after that are as good as ever. */
	channel_open(&c);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, &index), 0);
	CHECK_EQ(req_notify(world.file, index, SEND, c.port), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(channel_events(&c), 1);
	file_close(world.task, c.evtchn);
	world_stop();
}

static const struct test tests[] = {
	TEST(the_byte_is_cleared_then_unmapped_then_the_event_sent),
	TEST(the_byte_is_cleared_where_the_program_may_not_write),
	TEST(a_notification_is_spent_by_munmap),
	TEST(each_page_has_its_own),
	TEST(neighbours_share_an_event_when_all_are_unmapped),
	TEST(a_later_one_replaces_and_zero_cancels),
	TEST(a_page_never_mapped_is_never_written),
	TEST(a_readonly_range_takes_no_clear_byte),
	TEST(the_last_descriptor_takes_what_is_not_mapped),
	TEST(a_readonly_range_sends_its_event),
	TEST(bad_ones_are_refused),
	TEST(anothers_port_is_refused),
	TEST(the_event_is_sent_though_evtchn_is_closed),
	TEST(the_byte_and_the_event_wait_for_the_last_user_of_the_page),
	TEST(it_may_be_armed_before_mmap),
	TEST(event_channels_are_let_go_when_the_domain_is_restored),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
