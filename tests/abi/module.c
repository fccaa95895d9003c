// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The module itself: taken out and put in again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* 0 or -errno; without O_NONBLOCK it may wait. */
static int unload(int flags)
{
	return syscall(SYS_delete_module, "xen_gntdev", flags) < 0 ? -errno : 0;
}

static int load(void)
{
	int fd = open(getenv("LAB_MODULE"), O_RDONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* Whether it can be put in again must be known before it is taken out. */
static void need_module(void)
{
	const char *path = getenv("LAB_MODULE");

	if (!path || access(path, R_OK))
		SKIP("LAB_MODULE does not say where the module is");
}

static bool is_loaded(void)
{
	return !access(LIMIT_PATH, F_OK);
}

/*
 * Other users of the device, xenstored for one, keep it in; pages that were held
 * do so for a moment.
 */
static void must_unload(void)
{
	int error = unload(O_NONBLOCK);

	for (int i = 0; i < 100 && error == -EAGAIN; i++) {
		sleep_ms(20);
		error = unload(O_NONBLOCK);
	}
	if (error == -EAGAIN)
		SKIP("the module is in use by others");
	EXPECT(error, 0);
}

TEST(module_with_an_open_device_stays)
{
	int fd;

	need_module();
	fd = dev_open();
	EXPECT(unload(O_NONBLOCK), -EAGAIN);
	close(fd);
}

TEST(module_with_a_mapping_stays)
{
	struct mapped range;

	need_module();
	range = map_some(dev_open(), 1, READ_WRITE);
	close(range.fd);
	EXPECT(unload(O_NONBLOCK), -EAGAIN);
	check_whole(&range);
	must_munmap(range.at, 1);
}

TEST(module_is_taken_out_and_put_in_again)
{
	need_module();
	must_unload();
	CHECK(!is_loaded(), "it is still there");
	EXPECT(load(), 0);
	for (int i = 0; i < 100 && access("/dev/xen/gntdev", F_OK); i++)
		sleep_ms(20);
	close(dev_open());
}

/*
 * Nobody has the device open any more, but a page is on its way through a pipe
 * and its grant still mapped. Whoever wants to take the module out is told so,
 * at once; the page is the granter's to the last.
 */
TEST(module_with_pages_that_are_held_stays)
{
	struct mapped range;
	struct iovec part;
	uint8_t page[PAGE];
	int fds[2], before;

	need_module();
	before = module_users();
	range = map_some(dev_open(), 1, READ_WRITE);
	part = (struct iovec){range.at, PAGE};
	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	EQUAL(vmsplice(fds[1], &part, 1, 0), PAGE);
	unmap_some(&range);
	close(range.fd);

	EQUAL(module_users(), before + 1);
	EXPECT(unload(O_NONBLOCK), -EAGAIN);
	sleep_ms(700);
	EXPECT(unload(O_NONBLOCK), -EAGAIN);
	EQUAL(granter_busy(range.refs, 1), 1);
	granter_fill(range.refs, 1, 12);
	EQUAL(read(fds[0], page, PAGE), PAGE);
	check_page(page, 12);
	EQUAL(granter_wait_idle(range.refs, 1, 5000), 0);
	for (int i = 0; i < 100 && module_users() != before; i++)
		sleep_ms(20);
	EQUAL(module_users(), before);
}

/* As must_unload(), but without a pause: at the first moment at which it can be. */
static void unload_at_once(void)
{
	long long limit = milliseconds() + 5000;
	int error;

	do
		error = unload(O_NONBLOCK);
	while (error == -EAGAIN && milliseconds() < limit);
	if (error == -EAGAIN)
		SKIP("the module is in use by others");
	EXPECT(error, 0);
}

/*
 * The work that lets the module go is the module's own. Each round has a time of its
 * own: to take a module out and to put it in takes a second on a busy machine.
 */
TEST(module_is_taken_out_as_soon_as_it_can_be, .rounds = 10)
{
	struct mapped range;
	struct iovec part;
	uint8_t page[PAGE];
	int fds[2];

	need_module();
	CHECK(!pipe(fds), "pipe: %s", error_name(errno));
	range = map_some(dev_open(), 1, READ_WRITE);
	part = (struct iovec){range.at, PAGE};
	EQUAL(vmsplice(fds[1], &part, 1, 0), PAGE);
	unmap_some(&range);
	close(range.fd);
	EQUAL(read(fds[0], page, PAGE), PAGE);
	unload_at_once();
	EQUAL(granter_busy(range.refs, 1), 0);
	EXPECT(load(), 0);
	for (int i = 0; i < 100 && access("/dev/xen/gntdev", F_OK); i++)
		sleep_ms(20);
}
