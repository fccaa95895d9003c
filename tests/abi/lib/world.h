/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Where the tests run: which domain, which kind, which driver. */
#ifndef ABI_WORLD_H
#define ABI_WORLD_H

#include <stdbool.h>
#include <stddef.h>

/* Grants are of Xen's pages, whatever the kernel's are. */
#define PAGE 4096u

struct world {
	/* This domain's id: LAB_DOMID, 0 if that is not set. */
	unsigned int domid;
	/* Auto-translated, as opposed to PV. */
	bool auto_translated;
	/* The hypervisor takes the page of an own grant that is mapped. */
	bool own_grants_vanish;
	/* LAB_DRIVER says that the driver under test is the distribution's. */
	bool distribution;
	/* Or that it was built without dma-bufs. */
	bool without_dmabufs;
	/* Under `gntdev run`: the driver in a process, not a kernel. */
	bool machine;
};

extern struct world world;

void world_init(void);

/* The first line of a file, without its end; false if there is none. */
bool read_line(const char *path, char *line, size_t size);
/* Returns 0 or -errno. */
int write_line(const char *path, const char *line);

#endif
