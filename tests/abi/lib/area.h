/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Areas: the device's requests for them, and what most tests do with one. */
#ifndef ABI_AREA_H
#define ABI_AREA_H

#include <stdint.h>
#include <xen/gntdev_more.h>

/* Requests: 0 or -errno. */
int dev_area_create(int fd, unsigned int slots, unsigned int flags,
		    uint64_t *index);
int dev_area_map(int fd, uint64_t index, struct gntdev_area_op *ops,
		 unsigned int count, uint32_t *done);
int dev_area_unmap(int fd, uint64_t index, struct gntdev_area_op *ops,
		   unsigned int count, uint32_t *done);

struct area {
	int fd;
	uint64_t index;
	unsigned int slots;
	uint8_t *at;
};

/* These fail the test if they do not succeed, whole. */
struct area area_make(int fd, unsigned int slots, int prot);
void area_must_map(const struct area *area, struct gntdev_area_op *ops,
		   unsigned int count);
void area_must_unmap(const struct area *area, struct gntdev_area_op *ops,
		     unsigned int count);
/* munmap, and remove from the table. */
void area_end(const struct area *area);

/* A writable grant of the granter's. */
struct gntdev_area_op area_op(unsigned int slot, uint32_t ref);
/* Writable grants; the first has contents number 0. */
void grants_with_contents(uint32_t *refs, unsigned int count);

#endif
