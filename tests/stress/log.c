// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The kernel's log since the start, searched for what must not be there. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

static int kmsg = -1;

static const char *const bad[] = {
	"WARNING:",
	"BUG:",
	"BUG at",
	"Bad page",
	"Bad rss-counter",
	"Oops",
	"general protection",
	"unable to handle",
	"Call Trace",
	"Call trace",
	"INFO: task",
	"soft lockup",
	"hard LOCKUP",
	"detected stalls",
	"self-detected stall",
	"possible circular locking",
	"possible recursive locking",
	"inconsistent lock state",
	"suspicious RCU usage",
	"sleeping function called",
	"scheduling while atomic",
	"refcount_t:",
	"corruption",
	"UBSAN",
	"KASAN",
	"KCSAN",
	"kmemleak",
	"use-after-free",
	"leaking g.e.",
	"still pending",
	"m2p_remove_override",
};

long log_open(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		return -errno;
	lseek(kmsg, 0, SEEK_END);
	return 0;
}

/* A record is "priority,number,time,flags;text". */
static void judge(const char *record)
{
	const char *text = strchr(record, ';');
	int level = atoi(record) & 7;
	char line[200];
	size_t i;

	if (!text)
		return;
	text++;
	for (i = 0; i + 1 < sizeof(line) && text[i] && text[i] != '\n'; i++)
		line[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	line[i] = '\0';
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (strstr(line, bad[i]))
			break;
	/*
	 * What the driver itself warns of is a finding as well; not that it had
	 * more to tell of grants that failed than goes into the log.
	 */
	if (i < sizeof(bad) / sizeof(bad[0]) ||
	    (level <= 4 && strstr(line, "gntdev") &&
	     !strstr(line, " callbacks suppressed")))
		controller_finding(FOUND_LOG, "kernel log: %s", line);
}

void log_scan(void)
{
	char record[8192];
	ssize_t n;

	while (kmsg >= 0) {
		n = read(kmsg, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE) {
			/* So many that some were lost: a flood. */
			controller_finding(FOUND_LOG, "the kernel log overran");
			continue;
		}
		if (n <= 0)
			return;
		record[n] = '\0';
		judge(record);
	}
}
