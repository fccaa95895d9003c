// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What people who run the host see: fdinfo and tracepoints. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "dmabuf.h"
#include "granter.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define TRACING "/sys/kernel/tracing/"
/* fdinfo tells so many ranges. */
#define SHOWN 32

static char text[1 << 16];

static bool read_text(const char *path)
{
	size_t length = 0;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	while (length < sizeof(text) - 1 &&
	       (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += n;
	text[length] = 0;
	close(fd);
	return true;
}

static void read_fdinfo(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(read_text(path), "%s: %s", path, error_name(errno));
}

static void must_say(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static void must_say(const char *format, ...)
{
	char wanted[256];
	va_list args;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	CHECK(strstr(text, wanted), "there is no '%s' in:\n%s", wanted, text);
}

static unsigned int lines(const char *prefix)
{
	unsigned int n = 0;

	for (const char *at = text; (at = strstr(at, prefix)); at++)
		n += at == text || at[-1] == '\n';
	return n;
}

TEST(fdinfo_names_each_ranges_domain_and_reference)
{
	struct mapped first = map_some(dev_open(), 3, READ_WRITE);
	struct mapped second = map_some(first.fd, 1, PROT_NONE);

	read_fdinfo(first.fd);
	must_say("grants:\t4\n");
	must_say("ranges:\t2\n");
	must_say("range:\tindex=%llu count=3 domain=%u reference=%u mmapped=1\n",
		 (unsigned long long)first.index, granter_domid(),
		 first.refs[0]);
	must_say("range:\tindex=%llu count=1 domain=%u reference=%u mmapped=0\n",
		 (unsigned long long)second.index, granter_domid(),
		 second.refs[0]);
	unmap_some(&first);
	read_fdinfo(first.fd);
	EQUAL(lines("range:"), 1);
}

TEST(fdinfo_stays_short)
{
	int fd = dev_open();
	uint32_t ref;

	granter_alloc(&ref, 1, true);
	for (int i = 0; i < SHOWN + 8; i++)
		must_insert(fd, &ref, 1);
	read_fdinfo(fd);
	must_say("ranges:\t%d\n", SHOWN + 8);
	EQUAL(lines("range:"), SHOWN);
}

TEST(fdinfo_names_the_domain_and_reference_behind_a_buffer)
{
	struct buffer buffer = export_some(2, 0);

	read_fdinfo(buffer.device);
	must_say("exported-grants:\t2\n");
	must_say("export:\tfd=%d count=2 domain=%u reference=%u\n", buffer.fd,
		 granter_domid(), buffer.refs[0]);
	close(buffer.fd);
	for (int i = 0; i < 100 && lines("export:"); i++) {
		sleep_ms(20);
		read_fdinfo(buffer.device);
	}
	EQUAL(lines("export:"), 0);
}

TEST(fdinfo_names_whom_a_buffer_is_granted_to)
{
	int drm = drm_open(), fd = dev_open();
	int buffer = drm_export(drm, 2);
	uint32_t refs[2];

	EXPECT(dmabuf_import(fd, buffer, granter_domid(), refs, 2), 0);
	read_fdinfo(fd);
	must_say("import:\tfd=%d count=2 domain=%u reference=%u\n", buffer,
		 granter_domid(), refs[0]);
	EXPECT(dmabuf_release(fd, buffer), 0);
	read_fdinfo(fd);
	EQUAL(lines("import:"), 0);
}

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, value, strlen(value)) > 0, "%s: %s", path,
	      error_name(errno));
	close(fd);
}

TEST(tracepoints_name_domain_and_reference)
{
	struct mapped range;
	int fd = dev_open();
	unsigned int peer = granter_domid();

	if (access(TRACING "events/gntdev", F_OK))
		SKIP("there are no tracepoints of this driver");
	set(TRACING "trace", "\n");
	set(TRACING "events/gntdev/enable", "1");
	range = map_some(fd, 2, READ_WRITE);
	unmap_some(&range);
	map_some(fd, 1, PROT_NONE);
	close(fd);
	set(TRACING "events/gntdev/enable", "0");
	CHECK(read_text(TRACING "trace"), "cannot be read");

	must_say("gntdev_insert: index=0 count=2 domid=%u ref=%u told=1\n",
		 peer, range.refs[0]);
	must_say("gntdev_mmap: index=0 count=2 domid=%u ref=%u writable=1 err=0 ns=",
		 peer, range.refs[0]);
	must_say("gntdev_munmap: index=0 count=2 domid=%u ref=%u\n", peer,
		 range.refs[0]);
	must_say("gntdev_remove: index=0 count=2 domid=%u ref=%u\n", peer,
		 range.refs[0]);
	/* By the close. */
	must_say("gntdev_remove: index=8192 count=1 domid=%u ", peer);
}
