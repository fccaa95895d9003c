/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Exporters of dma-bufs that know nothing of Xen: a kernel may have any. */
#ifndef ABI_EXPORTER_H
#define ABI_EXPORTER_H

#include <stdint.h>

struct exporter {
	const char *name;
	/* Makes a dma-buf; -errno. Skips the test where the exporter is not. */
	int (*make)(unsigned int pages);
};

/* Pages of a memfd, in the order in which they are in it. */
extern const struct exporter udmabuf;
/* The system's heap of dma-bufs: memory in pieces as large as there are. */
extern const struct exporter heap;
/* What a display that QEMU emulates shows: a dumb buffer of its driver. */
extern const struct exporter display;
extern const struct exporter vgem;

/* Makes it, or fails the test. */
int export_of(const struct exporter *exporter, unsigned int pages);

/* A dma-buf of the file's pages from @first on. */
int udmabuf_of(int file, unsigned int first, unsigned int pages);
/* A file that may be the memory behind one. */
int udmabuf_file(unsigned int pages);

#endif
