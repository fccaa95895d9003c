// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* SET_UNMAP_NOTIFY: the event, its port, and its place in the order. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dev.h"
#include "events.h"
#include "granter.h"
#include "process.h"
#include "tap.h"
#include "world.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define CLEAR UNMAP_NOTIFY_CLEAR_BYTE
#define SEND UNMAP_NOTIFY_SEND_EVENT

/* Where no event is expected there is no need to wait for long. */
#define SOON (world.distribution ? 500u : 5000u)
/* Long enough for an event that should not come. */
#define A_WHILE 150u

/* An event channel to the granter. */
struct channel {
	unsigned int granters;
	unsigned int port;
	int fd;
};

static struct channel channel_make(void)
{
	struct channel channel = {.granters = granter_port()};

	channel.port = bind_port(channel.granters, &channel.fd);
	return channel;
}

/* A granter in this domain takes its ports from the same numbers. */
static bool has_port(const struct channel *channel, unsigned int port)
{
	return channel->port == port ||
	       (granter_is_self() && channel->granters == port);
}

static bool event_came(const struct channel *channel, uint32_t ref,
		       unsigned int ms)
{
	return granter_wait_event(channel->granters, ref, 0, ms).event;
}

/*
 * Some devices tell of the binding itself by an event: the granter takes it
 * before anything counts.
 */
static struct channel quiet_channel(uint32_t ref)
{
	struct channel channel = channel_make();

	while (event_came(&channel, ref, 20))
		;
	return channel;
}

/* What arming sends, if anything, is not what is waited for. */
static void arm(const struct mapped *range, unsigned int byte,
		unsigned int action, const struct channel *channel)
{
	EXPECT(dev_notify(range->fd, range->index + byte, action,
			  channel->port),
	       0);
	CHECK(!event_came(channel, range->refs[0], 20),
	      "an event came before anything was unmapped");
}

TEST(event_is_sent_at_munmap)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, 0, SEND, &channel);
	must_munmap(range.at, 1);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
	check_granters_page(range.refs[0], 0);
	CHECK(!event_came(&channel, range.refs[0], A_WHILE), "two events");
}

TEST(any_byte_of_the_page_names_it_for_an_event)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, 2 * PAGE - 1, SEND, &channel);
	must_munmap(range.at, 2);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
	check_granters_page(range.refs[0], 0);
	check_granters_page(range.refs[1], 1);
}

TEST(read_only_mapping_may_send_an_event)
{
	struct mapped range = map_some(dev_open(), 1, PROT_READ);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, 0, SEND, &channel);
	must_munmap(range.at, 1);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
}

TEST(every_page_may_send_an_event_of_its_own)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);
	struct channel channels[3];

	for (int i = 0; i < 3; i++) {
		channels[i] = quiet_channel(range.refs[0]);
		arm(&range, i * PAGE, SEND, &channels[i]);
	}
	must_munmap(range.at, 3);
	for (int i = 0; i < 3; i++)
		CHECK(event_came(&channels[i], range.refs[i], SOON),
		      "no event of page %d", i);
}

TEST(replaced_notification_sends_no_event)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel one = quiet_channel(range.refs[0]);
	struct channel other = quiet_channel(range.refs[0]);

	arm(&range, 0, SEND, &one);
	arm(&range, 7, SEND, &other);
	must_munmap(range.at, 1);
	CHECK(event_came(&other, range.refs[0], SOON), "no event");
	CHECK(!event_came(&one, range.refs[0], A_WHILE),
	      "the replaced notification sent an event");
}

TEST(cancelled_notification_sends_no_event)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, 0, SEND, &channel);
	EXPECT(dev_notify(range.fd, range.index, 0, 0), 0);
	unmap_some(&range);
	CHECK(!event_came(&channel, range.refs[0], A_WHILE),
	      "the cancelled notification sent an event");
}

TEST(spent_notification_sends_no_event)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, 0, SEND, &channel);
	must_munmap(range.at, 1);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
	range.at = must_mmap(range.fd, range.index, 1, READ_WRITE);
	unmap_some(&range);
	CHECK(!event_came(&channel, range.refs[0], A_WHILE),
	      "the spent notification sent another event");
}

/* A process with a range, and how that range ends. */
struct ending {
	struct channel channel;
	uint32_t refs[4];
	enum {
		MUNMAP,
		EXIT,
		KILL
	} end;
	struct gate over;
};

static void map_and_end(void *argument)
{
	struct ending *ending = argument;
	struct mapped range = {.fd = dev_open(), .pages = 4};

	memcpy(range.refs, ending->refs, sizeof(ending->refs));
	range.index = must_insert(range.fd, range.refs, 4);
	range.at = must_mmap(range.fd, range.index, 4, READ_WRITE);
	/* The granter has its hands full: it waits for the event. */
	EXPECT(dev_notify(range.fd, range.index + 3 * PAGE + 17, CLEAR | SEND,
			  ending->channel.port),
	       0);
	sleep_ms(30);
	if (ending->end == KILL)
		kill(getpid(), SIGKILL);
	if (ending->end == EXIT)
		return;
	must_munmap(range.at, 4);
	gate_wait(&ending->over);
}

/*
 * The granter looks at the byte and at its grant as soon as it has the event.
 * Many times over: a wrong order may not show at once.
 */
static void check_order(struct ending *ending, unsigned int times)
{
	granter_alloc(ending->refs, 4, true);
	ending->channel = quiet_channel(ending->refs[0]);
	for (unsigned int i = 0; i < times; i++) {
		struct seen seen;
		pid_t child;

		granter_fill(ending->refs, 4, 0);
		ending->over = gate_make();
		child = child_start(map_and_end, ending);
		seen = granter_wait_event(ending->channel.granters,
					  ending->refs[3], 17, SOON);
		gate_open(&ending->over);
		CHECK(seen.event, "no event");
		EQUAL(seen.byte, 0);
		CHECK(!seen.busy,
		      "the event came before the page was unmapped");
		EQUAL(child_signal(child), ending->end == KILL ? SIGKILL : 0);
	}
}

TEST(byte_then_unmap_then_event_at_munmap)
{
	struct ending ending = {.end = MUNMAP};

	check_order(&ending, 10);
}

TEST(byte_then_unmap_then_event_at_exit)
{
	struct ending ending = {.end = EXIT};

	check_order(&ending, 10);
}

TEST(byte_then_unmap_then_event_when_killed)
{
	struct ending ending = {.end = KILL};

	check_order(&ending, 10);
}

TEST(event_of_a_page_never_mapped_is_sent_at_its_removal)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, PAGE + 5, CLEAR | SEND, &channel);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
	check_granters_page(range.refs[1], 1);
}

TEST(event_of_a_page_never_mapped_is_sent_at_close)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, PAGE + 5, CLEAR | SEND, &channel);
	close(range.fd);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
	check_granters_page(range.refs[1], 1);
}

TEST(mapping_without_a_descriptor_does_not_keep_other_ranges)
{
	struct mapped mapped = map_some(dev_open(), 2, READ_WRITE), other;
	struct channel channel = quiet_channel(mapped.refs[0]);

	other = mapped;
	other.index = must_insert(mapped.fd, mapped.refs, 1);
	arm(&other, 5, SEND, &channel);
	close(mapped.fd);
	CHECK(event_came(&channel, mapped.refs[0], SOON), "no event");
	check_whole(&mapped);
	must_munmap(mapped.at, 2);
	EQUAL(granter_wait_idle(mapped.refs, 2, 5000), 0);
}

TEST(event_of_a_failed_mmap_is_sent_at_removal)
{
	struct mapped range = {.fd = dev_open()};
	struct channel channel;

	granter_alloc(range.refs, 1, true);
	range.refs[1] = BAD_REF;
	range.index = must_insert(range.fd, range.refs, 2);
	channel = quiet_channel(range.refs[0]);
	arm(&range, 5, SEND, &channel);
	EXPECT(dev_try_mmap(range.fd, range.index, 2 * PAGE, READ_WRITE,
			    MAP_SHARED),
	       -EINVAL);
	CHECK(!event_came(&channel, range.refs[0], A_WHILE),
	      "the failed mmap sent the event");
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
}

/* The driver's own reference keeps the channel open. */
TEST(event_is_sent_though_the_program_closed_its_channel)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, 0, SEND, &channel);
	close(channel.fd);
	CHECK(!event_came(&channel, range.refs[0], 20),
	      "closing the channel sent an event");
	must_munmap(range.at, 1);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
}

TEST(event_is_sent_though_the_program_unbound_its_port)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]);
	int error;

	arm(&range, 0, SEND, &channel);
	error = events_unbind(channel.fd, channel.port);
	if (error == -ENOTTY)
		SKIP("this kernel's event channels do not serve 32-bit callers");
	EXPECT(error, 0);
	must_munmap(range.at, 1);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
}

/*
 * A port number that was closed is given out again. Who has it now must not get
 * the event.
 */
TEST(port_is_not_given_to_others_while_a_notification_has_it)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]), next;

	arm(&range, 0, SEND, &channel);
	close(channel.fd);
	for (int i = 0; i < 4; i++) {
		next = quiet_channel(range.refs[0]);
		CHECK(!has_port(&next, channel.port),
		      "port %u was given out again", channel.port);
	}
	must_munmap(range.at, 1);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
	CHECK(!event_came(&next, range.refs[0], A_WHILE),
	      "a stranger's port got the event");
}

/* Else ports run out. */
TEST(port_is_closed_once_the_notification_is_spent)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]);

	arm(&range, 0, SEND, &channel);
	close(channel.fd);
	unmap_some(&range);
	CHECK(event_came(&channel, range.refs[0], SOON), "no event");
	for (int i = 0; i < 40; i++) {
		struct channel next = channel_make();

		if (has_port(&next, channel.port))
			return;
	}
	FAIL("port %u is still open", channel.port);
}

TEST(port_of_nobody_is_einval)
{
	static const unsigned int ports[] = {0,	      0x3ff,	  0x1ffff,
					     0x20000, 0x7fffffff, 0xffffffff};
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	for (unsigned int i = 0; i < sizeof(ports) / sizeof(*ports); i++)
		EXPECT(dev_notify(range.fd, range.index, SEND, ports[i]),
		       -EINVAL);
	check_whole(&range);
}

TEST(port_that_was_closed_is_einval)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);
	struct channel channel = quiet_channel(range.refs[0]);

	close(channel.fd);
	/* Without the last reference, which goes a little later. */
	sleep_ms(100);
	EXPECT(dev_notify(range.fd, range.index, SEND, channel.port), -EINVAL);
}

/* The kernel's own ports: timers, calls between processors, the console. */
TEST(port_of_the_kernel_is_einval)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	for (unsigned int port = 1; port < 12; port++) {
		/* This one is the harness's own. */
		if (port != granter_channel())
			EXPECT(dev_notify(range.fd, range.index, SEND, port),
			       -EINVAL);
	}
}

struct childs_port {
	struct gate over;
	unsigned int granters;
	int answer[2];
};

static void bind_in_child(void *argument)
{
	struct childs_port *childs = argument;
	unsigned int port;
	int fd;

	port = bind_port(childs->granters, &fd);
	CHECK(write(childs->answer[1], &port, sizeof(port)) == sizeof(port),
	      "write to a pipe: %s", error_name(errno));
	gate_wait(&childs->over);
}

TEST(port_of_another_process_is_einval)
{
	struct childs_port childs = {
		.over = gate_make(),
		.granters = granter_port(),
	};
	struct mapped range;
	unsigned int port;
	pid_t child;

	CHECK(!pipe(childs.answer), "pipe: %s", error_name(errno));
	child = child_start(bind_in_child, &childs);
	CHECK(read(childs.answer[0], &port, sizeof(port)) == sizeof(port),
	      "the child did not bind a port");
	/* Now, so that the child has no part in the mapping. */
	range = map_some(dev_open(), 1, READ_WRITE);
	EXPECT(dev_notify(range.fd, range.index, SEND, port), -EINVAL);
	EXPECT(dev_notify(range.fd, range.index, CLEAR | SEND, port), -EINVAL);
	unmap_some(&range);
	CHECK(!granter_wait_event(childs.granters, range.refs[0], 0, A_WHILE)
		       .event,
	      "the other process's port sent an event");
	check_granters_page(range.refs[0], 0);
	gate_open(&childs.over);
	child_must_pass(child);
}

TEST(port_is_not_looked_at_without_send_event)
{
	struct mapped range = map_some(dev_open(), 1, READ_WRITE);

	EXPECT(dev_notify(range.fd, range.index, CLEAR, 0x7fffffff), 0);
	unmap_some(&range);
	EQUAL(granter_byte(range.refs[0], 0), 0);
}

/* The kernel counts references to a port in 16 bits. */
TEST(one_port_serves_more_than_32767_pages, .timeout = 200)
{
	const unsigned int pages = 40000;
	uint32_t *refs = calloc(pages, sizeof(*refs));
	struct channel channel;
	uint64_t index;
	int fd = dev_open();
	uint32_t ref;

	CHECK(refs, "no memory");
	granter_alloc(&ref, 1, true);
	channel = quiet_channel(ref);
	for (unsigned int i = 0; i < pages; i++)
		refs[i] = ref;
	index = must_insert(fd, refs, pages);
	for (unsigned int i = 0; i < pages; i++)
		EXPECT(dev_notify(fd, index + (uint64_t)i * PAGE, SEND,
				  channel.port),
		       0);
	CHECK(!event_came(&channel, ref, A_WHILE), "an event came too early");
	EXPECT(dev_remove(fd, index, pages), 0);
	CHECK(event_came(&channel, ref, SOON), "no event");
	free(refs);
}

TEST(one_port_serves_many_ranges)
{
	uint64_t indexes[SOME];
	struct channel channel;
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	channel = quiet_channel(ref);
	for (unsigned int i = 0; i < SOME; i++) {
		indexes[i] = must_insert(fd, &ref, 1);
		EXPECT(dev_notify(fd, indexes[i], SEND, channel.port), 0);
	}
	for (unsigned int i = 0; i < SOME; i++) {
		EXPECT(dev_remove(fd, indexes[i], 1), 0);
		CHECK(event_came(&channel, ref, SOON), "no event of range %u",
		      i);
	}
}
