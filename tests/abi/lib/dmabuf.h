/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The device's requests for dma-bufs, and what any program does with one. */
#ifndef ABI_DMABUF_H
#define ABI_DMABUF_H

#include <stdint.h>

#include "dev.h"

/* Requests: 0 or -errno; an export returns the descriptor. */
int dmabuf_export_from(int fd, unsigned int domid, uint32_t flags,
		       const uint32_t *refs, unsigned int count);
int dmabuf_wait(int fd, int dmabuf, unsigned int ms);
int dmabuf_import(int fd, int dmabuf, unsigned int domid, uint32_t *refs,
		  unsigned int count);
int dmabuf_release(int fd, int dmabuf);

/* A dma-buf of writable grants with contents of their own. */
struct buffer {
	/* The instance, and the dma-buf. */
	int device;
	int fd;
	unsigned int pages;
	uint32_t refs[SOME];
};

struct buffer export_some(unsigned int pages, uint32_t flags);
/* -errno if it cannot be mapped so. */
int buffer_try_mmap(int fd, unsigned int first, unsigned int pages, int prot,
		    int flags);
uint8_t *buffer_mmap(int fd, unsigned int pages, int prot);
/* Every page has what the granter's has, and that is what it was. */
void check_buffer(const struct buffer *buffer, const uint8_t *at);
/* None of its grants is in use, now or soon. */
void check_given_back(const struct buffer *buffer);
/* How many descriptors this process has. */
unsigned int descriptors(void);

/* What the other side makes of references that it was granted. */
bool is_granted(uint32_t ref);
int must_map(const uint32_t *refs, unsigned int count);
void check_as_peer(int peer, unsigned int place, unsigned int number);

/* A device with buffers of its own: vgem. Skips the test where there is none. */
int drm_open(void);
/* The same, of the display that QEMU emulates. */
int drm_open_display(void);
/* A dma-buf of so many pages; -errno. */
int drm_try_export(int drm, unsigned int pages, uint32_t *handle);
int drm_export(int drm, unsigned int pages);
/* Attach a dma-buf to the device, which maps it; and let go of it again. */
uint32_t drm_import(int drm, int dmabuf);
void drm_close(int drm, uint32_t handle);
/* Map a buffer of the device's own. */
uint8_t *drm_mmap(int drm, uint32_t handle, unsigned int pages);

#endif
