// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* DMABUF_EXP_WAIT_RELEASED: what is waited for, by whom, and for how long. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dmabuf.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(wait_for_a_live_buffer_times_out)
{
	struct buffer buffer = export_some(1, 0);
	long long before = milliseconds(), took;

	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 300), -ETIMEDOUT);
	took = milliseconds() - before;
	/* The kernel waits by ticks, of which it may be some behind at the start. */
	CHECK(took >= 250 && took < 5000, "it took %lld ms", took);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 0), -ETIMEDOUT);
}

TEST(wait_for_nothing_is_enoent)
{
	int fd = dev_open();

	EXPECT(dmabuf_wait(fd, fd, 10), -ENOENT);
	EXPECT(dmabuf_wait(fd, 0, 10), -ENOENT);
	EXPECT(dmabuf_wait(fd, 1000, 10), -ENOENT);
	EXPECT(dmabuf_wait(fd, -1, 10), -ENOENT);
}

TEST(wait_after_the_release_is_enoent)
{
	struct buffer buffer = export_some(1, 0);

	close(buffer.fd);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 1000), -ENOENT);
}

TEST(wait_for_another_exporters_buffer_is_enoent)
{
	int fd = dev_open();

	EXPECT(dmabuf_wait(fd, drm_export(drm_open(), 1), 10), -ENOENT);
}

TEST(bad_pointer_to_a_wait_is_efault)
{
	EXPECT(ioctl(dev_open(), IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, NULL)
		       ? -errno
		       : 0,
	       -EFAULT);
}

struct waiter {
	pthread_t thread;
	int device;
	int fd;
	unsigned int ms;
	int result;
};

static void *wait_for_it(void *argument)
{
	struct waiter *waiter = argument;

	waiter->result = dmabuf_wait(waiter->device, waiter->fd, waiter->ms);
	return NULL;
}

static void start(struct waiter *waiter, int device, int fd)
{
	*waiter = (struct waiter){.device = device, .fd = fd, .ms = 20000};
	CHECK(!pthread_create(&waiter->thread, NULL, wait_for_it, waiter),
	      "pthread_create");
}

static int outcome(struct waiter *waiter)
{
	pthread_join(waiter->thread, NULL);
	return waiter->result;
}

TEST(wait_ends_when_the_buffer_is_released)
{
	struct buffer buffer = export_some(2, 0);
	struct waiter waiter;
	long long before;

	start(&waiter, buffer.device, buffer.fd);
	sleep_ms(200);
	before = milliseconds();
	close(buffer.fd);
	EXPECT(outcome(&waiter), 0);
	CHECK(milliseconds() - before < 5000, "it went on for %lld ms",
	      milliseconds() - before);
	EQUAL(granter_wait_idle(buffer.refs, 2, 0), 0);
}

TEST(wait_ends_with_the_last_mapping)
{
	struct buffer buffer = export_some(2, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 2, READ_WRITE);
	struct waiter waiter;

	start(&waiter, buffer.device, buffer.fd);
	sleep_ms(200);
	close(buffer.fd);
	sleep_ms(200);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 0), -ETIMEDOUT);
	must_munmap(at, 2);
	EXPECT(outcome(&waiter), 0);
}

TEST(wait_ends_with_the_last_attachment)
{
	struct buffer buffer = export_some(2, 0);
	int drm = drm_open();
	uint32_t handle = drm_import(drm, buffer.fd);
	struct waiter waiter;

	start(&waiter, buffer.device, buffer.fd);
	sleep_ms(200);
	close(buffer.fd);
	sleep_ms(200);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 0), -ETIMEDOUT);
	drm_close(drm, handle);
	EXPECT(outcome(&waiter), 0);
}

/* Row 46. */
TEST(every_waiter_is_woken)
{
	struct buffer buffer = export_some(2, 0);
	struct waiter waiters[8];

	for (int i = 0; i < 8; i++)
		start(&waiters[i], buffer.device, buffer.fd);
	sleep_ms(300);
	close(buffer.fd);
	for (int i = 0; i < 8; i++)
		EXPECT(outcome(&waiters[i]), 0);
}

static void wait_for_ever(void *argument)
{
	const struct buffer *buffer = argument;

	dmabuf_wait(buffer->device, buffer->fd, -1);
}

/* Row 46. */
TEST(wait_is_killable)
{
	struct buffer buffer = export_some(2, 0);
	pid_t child = child_start(wait_for_ever, &buffer);
	long long before;

	sleep_ms(300);
	before = milliseconds();
	child_kill(child);
	CHECK(milliseconds() - before < 2000, "it died after %lld ms",
	      milliseconds() - before);
	close(buffer.fd);
	check_given_back(&buffer);
}

static void ignore(int signal)
{
	(void)signal;
}

TEST(wait_goes_on_after_a_signal_that_is_handled)
{
	struct buffer buffer = export_some(1, 0);
	struct sigaction action = {.sa_handler = ignore};
	struct waiter waiter;

	sigaction(SIGUSR1, &action, NULL);
	start(&waiter, buffer.device, buffer.fd);
	sleep_ms(200);
	pthread_kill(waiter.thread, SIGUSR1);
	sleep_ms(200);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 0), -ETIMEDOUT);
	close(buffer.fd);
	EXPECT(outcome(&waiter), 0);
}

/* A reference that the wait itself had would hold up what it waits for. */
TEST(wait_begun_while_the_buffer_is_closed_ends)
{
	for (int i = 0; i < 40; i++) {
		struct buffer buffer = export_some(1, 0);
		struct waiter waiter;
		int result;

		start(&waiter, buffer.device, buffer.fd);
		close(buffer.fd);
		result = outcome(&waiter);
		CHECK(!result || result == -ENOENT, "round %d: %s", i,
		      error_name(result));
		granter_free(buffer.refs, 1);
		close(buffer.device);
	}
}

TEST(wait_finds_a_buffer_by_any_descriptor_of_it)
{
	struct buffer buffer = export_some(1, 0);
	int copy = dup(buffer.fd);

	close(buffer.fd);
	EXPECT(dmabuf_wait(buffer.device, copy, 0), -ETIMEDOUT);
	/* Through another instance as well: it is the caller's descriptor. */
	EXPECT(dmabuf_wait(dev_open(), copy, 0), -ETIMEDOUT);
	close(copy);
	EXPECT(dmabuf_wait(buffer.device, copy, 0), -ENOENT);
}

TEST(wait_finds_a_buffer_by_the_number_it_was_given)
{
	struct buffer buffer = export_some(1, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 1, READ_WRITE);

	close(buffer.fd);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 0), -ETIMEDOUT);
	/* It is that instance's number. */
	close(dev_open());
	EXPECT(dmabuf_wait(open("/dev/xen/gntdev", O_RDWR), buffer.fd, 0),
	       -ENOENT);
	must_munmap(at, 1);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 0), -ENOENT);
}

TEST(wait_finds_a_buffer_by_number_though_a_file_has_it_now)
{
	struct buffer buffer = export_some(1, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 1, READ_WRITE);
	int other = open("/dev/null", O_RDONLY);

	EQUAL(dup2(other, buffer.fd), buffer.fd);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 0), -ETIMEDOUT);
	must_munmap(at, 1);
	EXPECT(dmabuf_wait(buffer.device, buffer.fd, 0), -ENOENT);
}

/* Row 46. */
TEST(wait_for_a_number_used_again_is_for_the_buffer_that_has_it)
{
	struct buffer first = export_some(1, 0), second;
	uint8_t *at = buffer_mmap(first.fd, 1, READ_WRITE);
	struct waiter waiter;

	/* The first one lives on, in a mapping. */
	close(first.fd);
	second.refs[0] = first.refs[0];
	second.fd = dmabuf_export_from(first.device, granter_domid(), 0,
				       second.refs, 1);
	EQUAL(second.fd, first.fd);
	start(&waiter, first.device, second.fd);
	sleep_ms(200);
	must_munmap(at, 1);
	sleep_ms(200);
	EXPECT(dmabuf_wait(first.device, second.fd, 0), -ETIMEDOUT);
	close(second.fd);
	EXPECT(outcome(&waiter), 0);
	EXPECT(dmabuf_wait(first.device, second.fd, 0), -ENOENT);
}

static void wait_and_tell(void *argument)
{
	const struct buffer *buffer = argument;

	EXPECT(dmabuf_wait(buffer->device, buffer->fd, 0), -ETIMEDOUT);
}

TEST(child_waits_with_what_it_inherited)
{
	struct buffer buffer = export_some(1, 0);

	in_child(wait_and_tell, &buffer);
}
