// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DMABUF_EXP_FROM_REFS: what is refused, what counts, and for how long a buffer
 * lives: attachments, descriptors and mappings in any order.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dmabuf.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(unknown_flags_of_an_export_are_einval)
{
	static const uint32_t flags[] = {4, 8, 0x80000000, 5, 0xffffffff};
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	for (unsigned int i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		EXPECT(dmabuf_export_from(fd, granter_domid(), flags[i], &ref,
					  1),
		       -EINVAL);
}

TEST(both_flags_of_an_export_are_einval)
{
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	EXPECT(dmabuf_export_from(fd, granter_domid(),
				  GNTDEV_DMA_FLAG_WC | GNTDEV_DMA_FLAG_COHERENT,
				  &ref, 1),
	       -EINVAL);
}

static int export_count(int fd, uint32_t count)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs op = {
		.count = count,
		.domid = granter_domid(),
	};

	return ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, &op) ? -errno : 0;
}

TEST(export_of_no_grants_or_absurdly_many_is_einval)
{
	int fd = dev_open();

	EXPECT(export_count(fd, 0), -EINVAL);
	EXPECT(export_count(fd, 65537), -EINVAL);
	EXPECT(export_count(fd, 0x40000000), -EINVAL);
	EXPECT(export_count(fd, 0xffffffff), -EINVAL);
}

TEST(export_from_a_domid_above_16_bits_is_einval)
{
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	EXPECT(dmabuf_export_from(fd, granter_domid() + 0x10000, 0, &ref, 1),
	       -EINVAL);
	EXPECT(dmabuf_export_from(fd, 0x8000, 0, &ref, 1), -EINVAL);
}

TEST(one_bad_reference_fails_the_whole_export)
{
	uint32_t refs[3];
	unsigned int before;
	int fd;

	/* Which may take a descriptor for itself. */
	granter_alloc(refs, 3, true);
	before = descriptors();
	fd = dev_open();
	for (int i = 0; i < 3; i++) {
		uint32_t kept = refs[i];

		refs[i] = BAD_REF;
		EXPECT(dmabuf_export_from(fd, granter_domid(), 0, refs, 3),
		       -EINVAL);
		refs[i] = kept;
		EQUAL(granter_wait_idle(refs, 3, 0), 0);
	}
	EQUAL(descriptors(), before + 1);
}

TEST(export_of_a_read_only_grant_is_einval)
{
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, false);
	EXPECT(dmabuf_export_from(fd, granter_domid(), 0, &ref, 1), -EINVAL);
}

TEST(export_from_a_bad_pointer_is_efault)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs *op =
		at_the_end(offsetof(typeof(*op), refs));
	int fd = dev_open();

	EXPECT(ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, NULL) ? -errno : 0,
	       -EFAULT);
	memset(op, 0, offsetof(typeof(*op), refs));
	op->count = 1;
	op->domid = granter_domid();
	EXPECT(ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, op) ? -errno : 0,
	       -EFAULT);
}

/* Row 45. */
TEST(failed_copy_out_of_an_export_leaves_no_descriptor)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs *op = pages_alloc(1);
	int fd = dev_open();
	unsigned int before;

	op->count = 1;
	op->domid = granter_domid();
	granter_alloc(op->refs, 1, true);
	EXPECT(mprotect(op, PAGE, PROT_READ) ? -errno : 0, 0);
	before = descriptors();
	for (int i = 0; i < 5; i++)
		EXPECT(ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, op) ? -errno
									: 0,
		       -EFAULT);
	EQUAL(descriptors(), before);
	EQUAL(granter_wait_idle(op->refs, 1, 0), 0);
	/* And nothing counts towards the maximum. */
	EXPECT(dev_maximum(fd, 1), 0);
	CHECK(dmabuf_export_from(fd, granter_domid(), 0, op->refs, 1) >= 0,
	      "no export is possible any more");
}

TEST(export_without_a_free_descriptor_leaves_nothing)
{
	int fd = dev_open(), spare;
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	do {
		spare = dup(fd);
	} while (spare >= 0);
	EXPECT(dmabuf_export_from(fd, granter_domid(), 0, &ref, 1), -EMFILE);
	EQUAL(granter_wait_idle(&ref, 1, 0), 0);
}

TEST(exports_count_towards_the_maximum)
{
	int fd = dev_open(), first, second;
	uint32_t refs[6];
	uint64_t index;

	granter_alloc(refs, 6, true);
	EXPECT(dev_maximum(fd, 4), 0);
	EXPECT(dmabuf_export_from(fd, granter_domid(), 0, refs, 5), -EINVAL);
	first = dmabuf_export_from(fd, granter_domid(), 0, refs, 3);
	CHECK(first >= 0, "export: %s", error_name(first));
	EXPECT(dmabuf_export_from(fd, granter_domid(), 0, refs + 3, 2),
	       -ENOMEM);
	EXPECT(dev_insert(fd, refs + 3, 2, &index), -ENOMEM);
	EXPECT(dev_insert(fd, refs + 3, 1, &index), 0);
	close(first);
	second = dmabuf_export_from(fd, granter_domid(), 0, refs, 3);
	CHECK(second >= 0, "export: %s", error_name(second));
	EXPECT(dmabuf_export_from(fd, granter_domid(), 0, refs + 4, 1),
	       -ENOMEM);
}

/* man/gntdev.4 has the number. */
#define MOST_WINDOWS 64

struct holder {
	int fd;
	int windows;
	int error;
};

/* A program that has the descriptor and no right of any kind, and is greedy. */
static void take_windows(void *argument)
{
	struct holder *holder = argument;
	void *at;

	CHECK(!setgid(65534) && !setuid(65534), "setuid: %s",
	      error_name(errno));
	for (holder->windows = 0; holder->windows < 1000; holder->windows++) {
		at = mmap(NULL, PAGE,
			  holder->windows % 2 ? PROT_READ : READ_WRITE,
			  MAP_SHARED, holder->fd, 0);
		if (at == MAP_FAILED)
			break;
	}
	holder->error = errno;
	sleep_ms(60000);
}

TEST(mmaps_of_a_buffer_leave_room_for_others)
{
	struct holder *holder =
		mmap(NULL, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct buffer buffer = export_some(1, 0);
	struct gntdev_grant_copy_segment segment = {
		.source.virt = "word",
		.dest.foreign = {.ref = buffer.refs[0],
				 .domid = granter_domid()},
		.len = 4,
		.flags = GNTCOPY_dest_gref,
	};
	int other = dev_open();
	uint64_t index;
	uint8_t *at;
	pid_t child;

	holder->fd = buffer.fd;
	child = child_start(take_windows, holder);
	for (int i = 0; i < 250 && !holder->error; i++)
		sleep_ms(20);
	EQUAL(holder->windows, MOST_WINDOWS);
	EQUAL(holder->error, ENOMEM);
	EXPECT(buffer_try_mmap(buffer.fd, 0, 1, READ_WRITE, MAP_SHARED),
	       -ENOMEM);
	/* Another instance maps the grant, and copies to it. */
	EXPECT(dev_insert(other, buffer.refs, 1, &index), 0);
	at = dev_mmap(other, index, 1, READ_WRITE);
	check_page(at, 0);
	must_munmap(at, 1);
	EXPECT(dev_copy(other, &segment, 1), 0);
	EQUAL(segment.status, 0);
	child_kill(child);
	at = buffer_mmap(buffer.fd, 1, READ_WRITE);
	EQUAL(memcmp(at, "word", 4), 0);
}

TEST(mmaps_of_buffers_obey_the_exporters_maximum)
{
	struct buffer buffer = export_some(4, 0);
	uint8_t *at;

	EXPECT(dev_maximum(buffer.device, 6), 0);
	at = buffer_mmap(buffer.fd, 4, READ_WRITE);
	EXPECT(buffer_try_mmap(buffer.fd, 0, 3, PROT_READ, MAP_SHARED),
	       -ENOMEM);
	EXPECT(buffer_try_mmap(buffer.fd, 1, 2, PROT_READ, MAP_SHARED), 0);
	/* The exporter's maximum it is, be the exporter there or not. */
	close(buffer.device);
	EXPECT(buffer_try_mmap(buffer.fd, 0, 3, PROT_READ, MAP_SHARED),
	       -ENOMEM);
	check_buffer(&buffer, at);
	must_munmap(at, 4);
	EXPECT(buffer_try_mmap(buffer.fd, 0, 4, PROT_READ, MAP_SHARED), 0);
}

/* Row 43. */
TEST(no_index_reaches_an_export)
{
	struct buffer buffer = export_some(4, 0);
	uint8_t *at = buffer_mmap(buffer.fd, 4, READ_WRITE);
	uint64_t index;
	unsigned int count;

	for (uint64_t i = 0; i < 16; i++) {
		for (unsigned int n = 0; n <= 5; n++)
			EXPECT(dev_remove(buffer.device, i * PAGE, n), -ENOENT);
		EXPECT(dev_notify(buffer.device, i * PAGE,
				  UNMAP_NOTIFY_CLEAR_BYTE, 0),
		       -ENOENT);
		EXPECT(dev_try_mmap(buffer.device, i * PAGE, 4 * PAGE,
				    PROT_READ, MAP_SHARED),
		       -EINVAL);
	}
	EXPECT(dev_offset(buffer.device, at, &index, &count), -EINVAL);
	check_buffer(&buffer, at);
	/* It takes no index from others either. */
	EXPECT(dev_insert(buffer.device, buffer.refs, 1, &index), 0);
	EQUAL(index, 0);
}

struct guesses {
	volatile bool stop;
	unsigned long closed;
	int first;
};

/* Closes every number that the next descriptors may get. */
static void *close_guesses(void *argument)
{
	struct guesses *guesses = argument;

	while (!guesses->stop) {
		for (int fd = guesses->first; fd < guesses->first + 4; fd++)
			guesses->closed += !close(fd);
	}
	return NULL;
}

/* Row 44. */
TEST(closing_a_guessed_number_during_an_export_does_no_harm, .timeout = 120)
{
	struct guesses guesses = {};
	pthread_t thread;
	uint32_t refs[2];
	int fd;

	/* Which may take a descriptor for itself: below those that are guessed. */
	granter_alloc(refs, 2, true);
	fd = dev_open();
	guesses.first = fd + 1;
	CHECK(!pthread_create(&thread, NULL, close_guesses, &guesses),
	      "pthread_create");
	for (int i = 0; i < 300; i++) {
		int got = dmabuf_export_from(fd, granter_domid(), 0, refs, 2);

		CHECK(got >= 0, "export %d: %s", i, error_name(got));
		close(got);
	}
	guesses.stop = true;
	pthread_join(thread, NULL);
	tap_note("%lu guesses hit", guesses.closed);
	EQUAL(granter_wait_idle(refs, 2, 5000), 0);
}

TEST(buffer_outlives_its_instance)
{
	struct buffer buffer = export_some(3, 0);

	close(buffer.device);
	check_buffer(&buffer, buffer_mmap(buffer.fd, 3, READ_WRITE));
}

TEST(buffer_lives_until_its_last_descriptor)
{
	struct buffer buffer = export_some(3, 0);
	int copy = dup(buffer.fd);

	close(buffer.device);
	close(buffer.fd);
	EQUAL(granter_wait_idle(buffer.refs, 3, 0), 3);
	check_buffer(&buffer, buffer_mmap(copy, 3, PROT_READ));
	munmap(buffer_mmap(copy, 3, READ_WRITE), 3 * PAGE);
	close(copy);
	/* There still is a mapping. */
	EQUAL(granter_wait_idle(buffer.refs, 3, 100), 3);
}

TEST(buffer_lives_until_its_last_mapping)
{
	struct buffer buffer = export_some(3, 0);
	uint8_t *one = buffer_mmap(buffer.fd, 3, READ_WRITE);
	uint8_t *other = buffer_mmap(buffer.fd, 3, PROT_READ);

	close(buffer.fd);
	close(buffer.device);
	check_buffer(&buffer, one);
	must_munmap(one, 3);
	EQUAL(granter_wait_idle(buffer.refs, 3, 0), 3);
	check_buffer(&buffer, other);
	must_munmap(other, 3);
	EQUAL(granter_wait_idle(buffer.refs, 3, 0), 0);
}

static void take_buffer(void *argument)
{
	const struct buffer *buffer = argument;
	int fd = receive_file(buffer->device);

	check_buffer(buffer, buffer_mmap(fd, buffer->pages, READ_WRITE));
	/* The exporter is gone by now, or will be. */
	sleep_ms(300);
	check_buffer(buffer, buffer_mmap(fd, buffer->pages, READ_WRITE));
}

TEST(buffer_lives_with_the_process_that_it_was_passed_to)
{
	struct buffer buffer, theirs;
	int sockets[2];
	pid_t child;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
	theirs = (struct buffer){.device = sockets[1], .pages = 2};
	granter_alloc(theirs.refs, 2, true);
	granter_fill(theirs.refs, 2, 0);
	child = child_start(take_buffer, &theirs);
	buffer = theirs;
	buffer.device = dev_open();
	buffer.fd = dmabuf_export_from(buffer.device, granter_domid(), 0,
				       buffer.refs, 2);
	CHECK(buffer.fd >= 0, "export: %s", error_name(buffer.fd));
	send_file(sockets[0], buffer.fd);
	close(buffer.fd);
	close(buffer.device);
	child_must_pass(child);
	check_given_back(&buffer);
}

static void map_and_sleep(void *argument)
{
	struct buffer *buffer = argument;

	*buffer = (struct buffer){.device = dev_open(),
				  .pages = 2,
				  .refs = {buffer->refs[0], buffer->refs[1]}};
	buffer->fd = dmabuf_export_from(buffer->device, granter_domid(), 0,
					buffer->refs, 2);
	buffer_mmap(buffer->fd, 2, READ_WRITE);
	buffer_mmap(buffer->fd, 2, PROT_READ);
	sleep_ms(60000);
}

TEST(buffers_of_a_killed_process_are_given_back)
{
	struct buffer buffer = {.pages = 2};

	granter_alloc(buffer.refs, 2, true);
	for (int i = 0; i < 5; i++) {
		pid_t child = child_start(map_and_sleep, &buffer);

		for (int wait = 0; wait < 50; wait++) {
			if (granter_busy(buffer.refs, 2) == 2)
				break;
			sleep_ms(20);
		}
		EQUAL(granter_busy(buffer.refs, 2), 2);
		child_kill(child);
		check_given_back(&buffer);
	}
}

TEST(buffer_is_given_back_when_it_is_closed)
{
	struct buffer buffer = export_some(4, 0);

	EQUAL(granter_wait_idle(buffer.refs, 4, 0), 4);
	close(buffer.fd);
	EQUAL(granter_wait_idle(buffer.refs, 4, 0), 0);
}

TEST(module_with_a_live_buffer_stays)
{
	int before = module_users();
	struct buffer buffer = export_some(2, 0);
	uint8_t *at;

	close(buffer.device);
	check_module_stays(before);
	at = buffer_mmap(buffer.fd, 2, READ_WRITE);
	close(buffer.fd);
	check_module_stays(before);
	check_buffer(&buffer, at);
	must_munmap(at, 2);
	EQUAL(module_users(), before);
}

TEST(device_attaches_and_lets_go)
{
	struct buffer buffer = export_some(3, 0);
	int drm = drm_open();
	uint32_t handle = drm_import(drm, buffer.fd);

	check_buffer(&buffer, buffer_mmap(buffer.fd, 3, READ_WRITE));
	drm_close(drm, handle);
	check_buffer(&buffer, buffer_mmap(buffer.fd, 3, READ_WRITE));
}

TEST(buffer_lives_until_its_last_attachment)
{
	int before = module_users();
	struct buffer buffer = export_some(3, 0);
	int drm = drm_open();
	uint32_t handle = drm_import(drm, buffer.fd);

	close(buffer.fd);
	close(buffer.device);
	EQUAL(granter_wait_idle(buffer.refs, 3, 100), 3);
	check_module_stays(before);
	drm_close(drm, handle);
	check_given_back(&buffer);
	EQUAL(module_users(), before);
}

TEST(attachments_end_in_any_order)
{
	struct buffer buffer = export_some(3, 0);
	uint32_t handles[3];
	int drm[3];

	for (int i = 0; i < 3; i++) {
		drm[i] = drm_open();
		handles[i] = drm_import(drm[i], buffer.fd);
	}
	close(buffer.fd);
	drm_close(drm[1], handles[1]);
	close(drm[0]);
	EQUAL(granter_wait_idle(buffer.refs, 3, 100), 3);
	drm_close(drm[2], handles[2]);
	check_given_back(&buffer);
}

static void attach_with(uint32_t flags)
{
	struct buffer buffer = export_some(3, flags);
	int drm = drm_open();
	uint32_t handle = drm_import(drm, buffer.fd);

	check_buffer(&buffer, buffer_mmap(buffer.fd, 3, READ_WRITE));
	drm_close(drm, handle);
	close(buffer.fd);
}

TEST(device_attaches_a_write_combining_buffer)
{
	attach_with(GNTDEV_DMA_FLAG_WC);
}

TEST(device_attaches_a_coherent_buffer)
{
	attach_with(GNTDEV_DMA_FLAG_COHERENT);
}
