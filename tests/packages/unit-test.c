// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A unit test as somebody writes it who has the package gntdev-dev and nothing else
 * of the project: gcc unit-test.c $(pkg-config --cflags --libs gntdev-machine)
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <machine.h>
#include <xen/gntdev.h>
#include <xen/gntdev_more.h>

int main(void)
{
	struct machine_config config = {.mode = MACHINE_XLAT};
	struct ioctl_gntdev_map_grant_ref map = {.count = 1};
	struct ioctl_gntdev_unmap_grant_ref unmap = {.count = 1};
	struct domain *peer;
	struct file *file;
	struct task *task;

	if (machine_start(&config))
		return 1;
	peer = domain_get(1);
	task = task_new(domain_get(0), getpid());
	if (file_open(task, "gntdev", O_RDWR, &file))
		return 2;
	map.refs[0].domid = 1;
	map.refs[0].ref = domain_grant(peer, 0, domain_page_alloc(peer), false);
	if (file_ioctl(task, file, IOCTL_GNTDEV_MAP_GRANT_REF,
		       (unsigned long)&map, false))
		return 3;
	unmap.index = map.index;
	if (file_ioctl(task, file, IOCTL_GNTDEV_UNMAP_GRANT_REF,
		       (unsigned long)&unmap, false))
		return 4;
	task_exit(task);
	file_close(NULL, file);
	/* The number of things left behind. */
	return machine_stop(stderr);
}
