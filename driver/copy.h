/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* GRANT_COPY: what its two ways to reach a program's memory share. */
#ifndef GNTDEV_COPY_H
#define GNTDEV_COPY_H

#include "gntdev.h"

#define CHUNK 128U
/* A segment lies in one foreign page, so its local side in at most two. */
#define CHUNK_OPS (2 * CHUNK)

/* Pages of a batch that stand in for a program's: see bounce.c. */
#define SLOT_PAGES 16U

/* Neighbouring pages of local buffers, with the same access to them. */
struct run {
	unsigned long start;
	u32 first; /* place of its first page */
	u16 count;
	bool write;
};

struct copy_batch {
	u32 ops_used;
	u32 pages_used;
	u32 runs_used;
	u32 slot_pages;
	u32 slots_used; /* bytes */
	bool failed; /* one of the chunk's operations, perhaps only at first */
	u32 copied; /* segments of this call that succeeded */
	u64 bytes; /* of these */
	struct gntdev_grant_copy_segment segments[CHUNK];
	struct gnttab_copy ops[CHUNK_OPS];
	u16 end[CHUNK]; /* of each segment's operations */
	struct page *pages[CHUNK_OPS];
	struct run runs[CHUNK_OPS];
	unsigned long frames[MOST_FRAMES];
	struct page *slots[SLOT_PAGES]; /* the first slot_pages are there */
	u32 slot[CHUNK]; /* byte in them where a segment's slot starts */
};

static inline bool crosses(u16 offset, u16 len)
{
	return (u32)offset + len > XEN_PAGE_SIZE;
}

static inline unsigned long local_address(const void __user *virt, bool compat)
{
	unsigned long address = (unsigned long)virt;

	return compat ? (u32)address : address;
}

/* The program's side of a segment, which comes from a grant or goes to one. */
static __always_inline unsigned long
local_of(const struct gntdev_grant_copy_segment *seg, bool compat, bool comes)
{
	return local_address(comes ? seg->dest.virt : seg->source.virt, compat);
}

static inline void set_foreign(struct gnttab_copy_ptr *side, u32 ref,
			       u16 offset, domid_t domid)
{
	side->u.ref = ref;
	side->domid = domid;
	side->offset = offset;
}

/* copy.c */
int gntdev_copy_execute(struct copy_batch *batch, u32 first);
int gntdev_copy_otherwise(struct copy_batch *batch, u32 n, bool compat);
s16 gntdev_copy_status(const struct copy_batch *batch, u32 i);

/* direct.c */
int gntdev_direct(struct copy_batch *batch, u32 n, bool compat);

/* bounce.c */
bool gntdev_bounce_suits(struct copy_batch *batch, u32 n);
int gntdev_bounce(struct copy_batch *batch, u32 n, bool compat);
void gntdev_bounce_free(struct copy_batch *batch);

#endif /* GNTDEV_COPY_H */
