// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Requests while somebody traces them: what was asked, of which domain's grants,
 * with which result, and how long it took. Nothing of this file is called else.
 */
#include "gntdev.h"
#include "trace.h"

/* Of a domain and a reference that are not known. */
#define NOBODY U32_MAX

/* Where a request's own structure names a grant, or a range by its index. */
struct place {
	u8 number;
	s8 index, domid, ref; /* bytes from its beginning; -1: nowhere */
	bool out; /* @ref is the request's answer */
};

static const struct place places[] = {
	{0, -1, 16, 20, false}, /* MAP_GRANT_REF */
	{1, 0, -1, -1, false}, /* UNMAP_GRANT_REF */
	{2, 8, -1, -1, false}, /* GET_OFFSET_FOR_VADDR */
	{7, 0, -1, -1, false}, /* SET_UNMAP_NOTIFY */
	{9, -1, 12, 16, false}, /* DMABUF_EXP_FROM_REFS */
	{11, -1, 8, 16, true}, /* DMABUF_IMP_TO_REFS */
	{13, -1, 16, 20, false}, /* DMABUF_EXP_FROM_REFS_V2 */
	{14, -1, 8, 20, true}, /* DMABUF_IMP_TO_REFS_V2 */
	{32, -1, 0, -1, false}, /* RESTRICT */
	{33, 0, -1, -1, false}, /* MAP_STATUS */
	{35, 0, -1, -1, false}, /* UNGRANT_MEMORY */
};

#define COPY 8
#define GRANT_MEMORY 34
#define AREA_MAP 37
#define AREA_UNMAP 38

/* The request's structure, and the first thing that it points to. */
struct argument {
	u32 size;
	u32 beyond; /* where that begins; 0: it is not there */
	u8 bytes[64];
};

static u32 u32_at(const struct argument *a, u32 at)
{
	u32 value = NOBODY;

	if (at + sizeof(value) <= a->size)
		memcpy(&value, a->bytes + at, sizeof(value));

	return value;
}

static u32 u16_at(const struct argument *a, u32 at)
{
	u16 value;

	if (at + sizeof(value) > a->size)
		return NOBODY;
	memcpy(&value, a->bytes + at, sizeof(value));

	return value;
}

static u64 u64_at(const struct argument *a, u32 at)
{
	u64 value = U64_MAX;

	if (at + sizeof(value) <= a->size)
		memcpy(&value, a->bytes + at, sizeof(value));

	return value;
}

/* Puts the first of a row of structures behind the request's own. */
static void read_beyond(struct argument *a, u64 user, u32 size)
{
	if (a->size + size > sizeof(a->bytes) ||
	    copy_from_user(a->bytes + a->size,
			   (const void __user *)(unsigned long)user, size))
		return;
	a->beyond = a->size;
	a->size += size;
}

static void read_argument(struct argument *a, unsigned int cmd,
			  const void __user *user)
{
	u32 size = min_t(u32, _IOC_SIZE(cmd), sizeof(a->bytes));

	a->size = 0;
	a->beyond = 0;
	if (copy_from_user(a->bytes, user, size))
		return;
	a->size = size;

	/* A pointer to segments is behind their count, to operations too. */
	if (_IOC_NR(cmd) == COPY && size == 8 && u32_at(a, 0))
		read_beyond(a, u32_at(a, 4),
			    sizeof(struct gntdev_grant_copy_segment));
	else if (_IOC_NR(cmd) == COPY && u32_at(a, 0))
		read_beyond(a, u64_at(a, 8),
			    sizeof(struct gntdev_grant_copy_segment));
	else if ((_IOC_NR(cmd) == AREA_MAP || _IOC_NR(cmd) == AREA_UNMAP) &&
		 u32_at(a, 16))
		read_beyond(a, u64_at(a, 8), sizeof(struct gntdev_area_op));
}

/* The first grant of the range that an index lies in. */
static void name_range(struct instance *inst, u64 index,
		       struct ioctl_gntdev_grant_ref *first)
{
	const struct grant_range *range;
	u32 slot;

	mutex_lock(&inst->lock);
	range = gntdev_range_find(inst, index);
	if (range && range->area) {
		slot = (index - range->index) >> PAGE_SHIFT;
		first->domid = gntdev_area_slot_domain(range, slot);
		if (first->domid != NOBODY)
			first->ref = range->grants[slot].ref;
	} else if (range) {
		first->domid = range->grants[0].domid;
		first->ref = range->grants[0].ref;
	}
	mutex_unlock(&inst->lock);
}

/* The grant of a copy's first segment; its source, if both are. */
static void name_segment(const struct argument *a,
			 struct ioctl_gntdev_grant_ref *first)
{
	struct gntdev_grant_copy_segment seg;

	if (!a->beyond)
		return;
	memcpy(&seg, a->bytes + a->beyond, sizeof(seg));
	if (seg.flags & GNTCOPY_source_gref) {
		first->domid = seg.source.foreign.domid;
		first->ref = seg.source.foreign.ref;
	} else if (seg.flags & GNTCOPY_dest_gref) {
		first->domid = seg.dest.foreign.domid;
		first->ref = seg.dest.foreign.ref;
	}
}

static void name_place(struct instance *inst, const struct place *place,
		       const struct argument *a, bool done,
		       struct ioctl_gntdev_grant_ref *first)
{
	if (place->index >= 0)
		name_range(inst, u64_at(a, place->index), first);
	if (place->domid >= 0)
		first->domid = u32_at(a, place->domid);
	if (place->ref >= 0 && (done || !place->out))
		first->ref = u32_at(a, place->ref);
}

/* Which grant a request is about, as far as that is known by now. */
static void name_first(struct instance *inst, unsigned int cmd,
		       const struct argument *a, bool done,
		       struct ioctl_gntdev_grant_ref *first)
{
	u32 nr = _IOC_NR(cmd), i;

	if (nr == COPY) {
		name_segment(a, first);
	} else if (nr == GRANT_MEMORY) {
		first->domid = u16_at(a, 12);
		if (done)
			first->ref = u32_at(a, 24);
	} else if (nr == AREA_MAP && a->beyond) {
		first->domid = u32_at(a, a->beyond + 4);
		first->ref = u32_at(a, a->beyond + 8);
	}
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (places[i].number == nr)
			name_place(inst, &places[i], a, done, first);
	}
}

/**
 * gntdev_traced_request() - serve a request, and tell of it
 * @inst: the instance
 * @cmd: its number
 * @arg: its argument
 * @serve: who serves it
 *
 * Return: what @serve returned.
 */
long gntdev_traced_request(struct instance *inst, unsigned int cmd,
			   void __user *arg,
			   long (*serve)(struct instance *inst,
					 unsigned int cmd, void __user *arg))
{
	struct ioctl_gntdev_grant_ref first = {NOBODY, NOBODY};
	struct argument a;
	u64 begun, ns;
	long result;

	/* What it removes is not to be found after it; its outputs are. */
	read_argument(&a, cmd, arg);
	name_first(inst, cmd, &a, false, &first);
	begun = ktime_get_ns();
	result = serve(inst, cmd, arg);
	ns = ktime_get_ns() - begun;
	read_argument(&a, cmd, arg);
	if (!result)
		name_first(inst, cmd, &a, true, &first);

	trace_gntdev_request(cmd, &first, result, ns, a.bytes, a.size);

	return result;
}

/* The same for mmap, when it has been done. */
void gntdev_traced_mmap(struct instance *inst, u64 index, u32 count,
			bool writable, int err, u64 ns)
{
	struct ioctl_gntdev_grant_ref first = {NOBODY, NOBODY};

	name_range(inst, index, &first);
	trace_gntdev_mmap(index, count, &first, writable, err, ns);
}
