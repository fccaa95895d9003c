/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Requests for dma-bufs, and a device that has some of its own. */
#ifndef UNIT_BUFFERS_H
#define UNIT_BUFFERS_H

#include "world.h"

/* Grants first to first + count - 1 as a dma-buf: its number, or -errno. */
long req_export(struct file *file, uint32_t flags, unsigned int first,
		unsigned int count);
/* The same, of data that begin within the first page. */
long req_export_late(struct file *file, unsigned int first, unsigned int count,
		     unsigned int data_ofs);
long req_wait(struct file *file, uint32_t fd, uint32_t ms);
/* For domain 1. */
long req_import(struct file *file, uint32_t fd, uint32_t count, uint32_t *refs);
long req_release(struct file *file, uint32_t fd);
long req_sync(struct file *dmabuf, uint64_t flags);

/* The file of a number of the task's; the test fails if there is none. */
struct file *buffer(long fd);
int map_buffer(unsigned long addr, long fd, unsigned int count, int prot);
/* Closes it, if it is a number. */
void close_buffer(long fd);

/* A dma-buf of vgem's, with pages of the task's domain: its number, -errno. */
long foreign_export(unsigned int pages);
/* vgem attaches to a dma-buf, for as long as the file is open. */
struct file *foreign_import(long fd, long *err);

/* What domain 1 sees of imported pages, with an instance of its own. */
struct peer {
	struct task *task;
	struct file *file;
};
void peer_open(struct peer *peer);
void peer_close(struct peer *peer);
int peer_map(struct peer *peer, unsigned long addr, const uint32_t *refs,
	     unsigned int count);

/* A world with an export of so many new grants: its descriptor. */
long start_export(unsigned int count, uint32_t flags);

#endif /* UNIT_BUFFERS_H */
