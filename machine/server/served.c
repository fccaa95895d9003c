// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Files of the kernel and the hypervisor that are just text, or a page. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../include/gntdev_version.h"
#include "server.h"

/* From the hypervisor's features.h. */
#define XENFEAT_AUTO_TRANSLATED 2
#define XENFEAT_MAP_AVAIL_BITS 7
#define XENFEAT_DOM0 11

static unsigned int features(const struct process *process)
{
	unsigned int bits = 0;

	if (server.mode != MACHINE_PV)
		bits |= 1u << XENFEAT_AUTO_TRANSLATED;
	else
		bits |= 1u << XENFEAT_MAP_AVAIL_BITS;
	if (!domain_id(task_domain(process->task)))
		bits |= 1u << XENFEAT_DOM0;

	return bits;
}

/* What the driver counts; -1: it is none of these. */
static long count_of(const struct process *process, enum served_file kind)
{
	struct machine_counters counters;

	machine_counters(&counters);
	switch (kind) {
	case FILE_MAPPED:
		return counters.mapped;
	case FILE_DEFERRED:
		return counters.deferred;
	case FILE_KEPT:
		return counters.kept;
	case FILE_DEPARTED:
		return counters.departed;
	case FILE_LEAKED:
		return counters.leaked;
	case FILE_HANDLES_USED:
		return counters.handles;
	case FILE_FRAMES:
	case FILE_MAX_FRAMES:
		return machine_grant_frames(task_domain(process->task),
					    kind == FILE_MAX_FRAMES);
	case FILE_LIMIT:
		return machine_driver_limit();
	case FILE_HANDLES:
		return machine_driver_handles();
	case FILE_GNTALLOC_LIMIT:
		return machine_gntalloc_limit();
	default:
		return -1;
	}
}

static int write_text(const struct process *process, enum served_file kind,
		      FILE *out)
{
	bool is_dom0 = !domain_id(task_domain(process->task));
	long count;
	int port;

	switch (kind) {
	case FILE_CAPABILITIES:
		fputs(is_dom0 ? "control_d\n" : "", out);
		return 0;
	case FILE_HYPERVISOR_TYPE:
		fputs("xen\n", out);
		return 0;
	case FILE_GUEST_TYPE:
		/* On arm64 it is HVM that the kernel says. */
		fprintf(out, "%s\n",
			server.mode == MACHINE_PV    ? "PV"
			: server.mode == MACHINE_PVH ? "PVH"
						     : "HVM");
		return 0;
	case FILE_FEATURES:
		fprintf(out, "%08x\n", features(process));
		return 0;
	case FILE_VERSION:
		fputs(GNTDEV_VERSION "\n", out);
		return 0;
	case FILE_HOLDINGS:
		machine_holdings(out);
		return 0;
	case FILE_XSD_PORT:
		port = xenstore_port();
		if (!is_dom0 || port <= 0)
			return -ENOENT;
		fprintf(out, "%d", port);
		return 0;
	default:
		count = count_of(process, kind);
		if (count < 0)
			return -ENOENT;
		fprintf(out, "%ld\n", count);
		return 0;
	}
}

bool served_is_setting(enum served_file kind)
{
	return kind == FILE_LIMIT || kind == FILE_HANDLES ||
	       kind == FILE_GNTALLOC_LIMIT;
}

/* As the kernel takes it: a whole number, and at most one new line behind it. */
static bool parse_setting(const char *text, unsigned int *value)
{
	unsigned long number;
	char *end;

	text += *text == '+';
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoul(text, &end, 0);
	*value = number;

	return !errno && number <= UINT_MAX && (!*end || !strcmp(end, "\n"));
}

void served_set(enum served_file kind, const char *text)
{
	unsigned int value;

	if (!parse_setting(text, &value)) {
		server_log(
			"a parameter of a module is to be %.40s: expected a number; it stays as it is",
			text);
		return;
	}
	if (kind == FILE_LIMIT)
		machine_set_driver_limit(value);
	else if (kind == FILE_HANDLES)
		machine_set_driver_handles(value);
	else
		machine_set_gntalloc_limit(value);
}

int served_open(const struct process *process, enum served_file kind, int flags)
{
	char path[64];
	int fd, error;
	FILE *out;

	/* Which a xenstored maps for writing. */
	if (kind == FILE_XSD_KVA)
		return xenstore_page();
	if (kind == FILE_KMSG)
		return kmsg_open();
	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;

	fd = memfd_create("gntdev", MFD_CLOEXEC);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	error = write_text(process, kind, out);
	if (!error && (fflush(out) || ferror(out)))
		error = -EIO;
	/* Read from the beginning, and not written to. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!error) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		error = fd < 0 ? -errno : fd;
	}
	fclose(out);

	return error;
}
