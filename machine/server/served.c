// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Files of the kernel and the hypervisor that are just text, or a page. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* The length, or a negative errno. */
static int text_of(const struct process *process, enum served_file kind,
		   char *text, size_t size)
{
	bool is_dom0 = !domain_id(task_domain(process->task));
	struct machine_counters counters;
	int port;

	machine_counters(&counters);
	switch (kind) {
	case FILE_CAPABILITIES:
		return snprintf(text, size, "%s", is_dom0 ? "control_d\n" : "");
	case FILE_HYPERVISOR_TYPE:
		return snprintf(text, size, "xen\n");
	case FILE_GUEST_TYPE:
		/* On arm64 it is HVM that the kernel says. */
		return snprintf(text, size, "%s\n",
				server.mode == MACHINE_PV    ? "PV"
				: server.mode == MACHINE_PVH ? "PVH"
							     : "HVM");
	case FILE_FEATURES:
		return snprintf(text, size, "%08x\n", features(process));
	case FILE_XSD_PORT:
		port = xenstore_port();
		return is_dom0 && port > 0 ? snprintf(text, size, "%d", port)
					   : -ENOENT;
	case FILE_LIMIT:
		return snprintf(text, size, "%u\n", machine_driver_limit());
	case FILE_HANDLES:
		return snprintf(text, size, "%u\n", machine_driver_handles());
	case FILE_GNTALLOC_LIMIT:
		return snprintf(text, size, "%u\n", machine_gntalloc_limit());
	case FILE_MAPPED:
		return snprintf(text, size, "%ld\n", counters.mapped);
	case FILE_DEFERRED:
		return snprintf(text, size, "%ld\n", counters.deferred);
	case FILE_KEPT:
		return snprintf(text, size, "%ld\n", counters.kept);
	case FILE_DEPARTED:
		return snprintf(text, size, "%ld\n", counters.departed);
	case FILE_LEAKED:
		return snprintf(text, size, "%ld\n", counters.leaked);
	default:
		return -ENOENT;
	}
}

int served_open(struct process *process, enum served_file kind)
{
	char text[128];
	int fd, length;

	if (kind == FILE_XSD_KVA)
		return xenstore_page();
	if (kind == FILE_KMSG)
		return kmsg_open();

	length = text_of(process, kind, text, sizeof(text));
	if (length < 0)
		return length;
	fd = memfd_create("gntdev", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, length) != length) {
		close(fd);
		return -EIO;
	}
	lseek(fd, 0, SEEK_SET);

	return fd;
}
