// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A record of /dev/kmsg is "priority,sequence,time,flags;text" with lines of
 * details behind. Priorities up to 7 are the kernel's own; programs that write
 * to the log get higher ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_log.h"
#include "tap.h"

#define KERN_WARNING 4
/* The first lines say it; the rest is in the log. */
#define MAX_SHOWN 4

/*
 * Of an emulated machine whose host is slow, not of the device; and that there
 * are no more grant references or handles, where a test uses them all.
 */
static const char *const harmless[] = {
	"clocksource: ",
	"hrtimer: interrupt took ",
	"perf: interrupt took too long ",
	"xen:grant_table: xen/grant-table: max_grant_frames reached ",
	"xen:grant_table: maptrack limit reached, ",
	"xen-gntdev: the hypervisor has no handle left for a grant: ",
};

static int log_fd = -1;

static bool is_harmless(const char *text)
{
	/* Of lines that were fewer than there were reasons for them. */
	if (strstr(text, " callbacks suppressed"))
		return true;
	/* That line of this driver begins with how many. */
	if (strstr(text, " grant references are wanted and cannot be had: "))
		return true;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++) {
		if (!strncmp(text, harmless[i], strlen(harmless[i])))
			return true;
	}
	return false;
}

void kernel_log_begin(void)
{
	if (log_fd < 0)
		log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd >= 0)
		lseek(log_fd, 0, SEEK_END);
}

unsigned int kernel_log_complaints(void)
{
	unsigned int complaints = 0;
	char record[8192];
	ssize_t length;

	if (log_fd < 0)
		return 0;
	for (;;) {
		char *text;

		length = read(log_fd, record, sizeof(record) - 1);
		/* Records were overwritten before they were read: go on. */
		if (length < 0 && (errno == EPIPE || errno == EINVAL))
			continue;
		if (length <= 0)
			return complaints;
		record[length] = '\0';
		if (strtoul(record, NULL, 10) > KERN_WARNING)
			continue;
		text = strchr(record, ';');
		text = text ? text + 1 : record;
		text[strcspn(text, "\n")] = '\0';
		if (is_harmless(text))
			continue;
		if (complaints++ < MAX_SHOWN)
			tap_note("kernel: %s", text);
	}
}

int kernel_log_watch(void)
{
	int watch = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	CHECK(watch >= 0, "/dev/kmsg: %s", error_name(errno));
	lseek(watch, 0, SEEK_END);
	return watch;
}

bool kernel_log_said(int watch, const char *text)
{
	char record[8192];
	ssize_t length;

	for (;;) {
		length = read(watch, record, sizeof(record) - 1);
		if (length < 0 && (errno == EPIPE || errno == EINVAL))
			continue;
		if (length <= 0)
			return false;
		record[length] = '\0';
		if (strstr(record, text))
			return true;
	}
}
