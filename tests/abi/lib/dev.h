/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The device under test, request by request. */
#ifndef ABI_DEV_H
#define ABI_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <xen/gntdev.h>

#include "world.h"

#define LIMIT_PATH "/sys/module/xen_gntdev/parameters/limit"
#define HANDLES_PATH "/sys/module/xen_gntdev/parameters/handles"

/* From the hypervisor's grant table interface. */
#define GNTCOPY_source_gref 1u
#define GNTCOPY_dest_gref 2u
#define GNTST_okay 0
#define GNTST_bad_domain (-2)
#define GNTST_bad_gntref (-3)

/* References that are never granted: set aside, and beyond any table. */
#define BAD_REF 6u
#define FAR_REF 0x00fffff0u

/* Most tests want so many references at once at most. */
#define SOME 16u

/* Requests: 0 or -errno. */
int dev_insert_refs(int fd, const struct ioctl_gntdev_grant_ref *refs,
		    unsigned int count, uint64_t *index);
/* Grants of the granter's. */
int dev_insert(int fd, const uint32_t *refs, unsigned int count,
	       uint64_t *index);
int dev_remove(int fd, uint64_t index, unsigned int count);
int dev_offset(int fd, const void *address, uint64_t *index,
	       unsigned int *count);
int dev_maximum(int fd, unsigned int count);
int dev_notify(int fd, uint64_t byte, unsigned int action, unsigned int port);
int dev_copy(int fd, struct gntdev_grant_copy_segment *segments,
	     unsigned int count);

/* NULL and errno if it fails. */
void *dev_mmap(int fd, uint64_t index, unsigned int pages, int prot);
/* Just the outcome: 0 (and unmapped again) or -errno. */
int dev_try_mmap(int fd, uint64_t index, size_t length, int prot, int flags);
int dev_munmap(const void *address, size_t length);

/* These fail the test if they do not succeed. */
int dev_open(void);
uint64_t must_insert(int fd, const uint32_t *refs, unsigned int count);
void *must_mmap(int fd, uint64_t index, unsigned int pages, int prot);
void must_munmap(const void *address, unsigned int pages);

/* A range with everything that belongs to it. */
struct mapped {
	int fd;
	uint64_t index;
	unsigned int pages;
	uint8_t *at;
	uint32_t refs[SOME];
};

/*
 * Writable grants with contents of their own (see below), inserted and, unless
 * prot is PROT_NONE, mmapped.
 */
struct mapped map_some(int fd, unsigned int pages, int prot);
/* Every page has what the granter's has, and that is what it was. */
void check_whole(const struct mapped *range);
/* munmap, and remove from the table. */
void unmap_some(const struct mapped *range);

/* Contents that tell pages and bytes from each other. */
uint8_t content(unsigned int page, unsigned int offset);
void fill_page(uint8_t *page, unsigned int number);
/* The granter fills its pages: the first gets number @first. */
void granter_fill(const uint32_t *refs, unsigned int count, unsigned int first);
void check_page(const uint8_t *page, unsigned int number);
void check_granters_page(uint32_t ref, unsigned int number);

/* Nothing is mapped at these addresses. */
bool is_unmapped(const void *address, unsigned int pages);

/* How often the module is in use; -1 where there are no modules. */
int module_users(void);
/* It is in use once more than before, and so it cannot be unloaded. */
void check_module_stays(int before);

#endif
