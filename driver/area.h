/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Areas: ranges whose slots are mapped and unmapped one by one, while the VMA
 * stays. A slot has a state; who changes what is in a slot has claimed it by
 * that, and holds no lock meanwhile.
 */
#ifndef GNTDEV_AREA_H
#define GNTDEV_AREA_H

#include "gntdev.h"

/*
 * Life of a slot:
 *
 *   FREE --> BUSY --> MAPPED <--> FAULTING (PV) or --> SEEN (auto-translated)
 *    ^  ^----+          |                               |
 *    +---- LEAVING <----+-------------------------------+
 *             +--> LOST
 */
enum slot_state {
	SLOT_FREE,
	SLOT_BUSY, /* AREA_MAP fills it */
	SLOT_MAPPED,
	SLOT_SEEN, /* mapped, and a program's entry may be there */
	SLOT_FAULTING, /* mapped, and a fault makes the program's entry */
	SLOT_LEAVING, /* AREA_UNMAP empties it */
	SLOT_LOST, /* the hypervisor did not end the program's entry */
};

/* A batch of operations, with what they need until they are done. */
struct area_batch {
	u32 n; /* the first operations, whose slots are claimed */
	unsigned long access; /* the area's, when they were claimed */
	bool by_kernel; /* map without entries: the program may see nothing */
	bool looked_at; /* the area, when they were claimed */
	struct gntdev_area_op ops[GNTDEV_BATCH];
	u8 claimed[GNTDEV_BATCH]; /* the state it was in, or FREE for none */
	u8 which[GNTDEV_BATCH]; /* operations of a hypercall, or of @part */
	u64 ptes[GNTDEV_BATCH];
	struct page *pages[GNTDEV_BATCH];
	grant_handle_t handles[GNTDEV_BATCH];
	struct notify notify[GNTDEV_BATCH]; /* by operation */
	struct notify sent[GNTDEV_BATCH]; /* of @part */
	bool notifies;
	struct mapping part; /* of those pages that the kernel maps */
	union {
		struct gnttab_map_grant_ref map[GNTDEV_BATCH];
		struct gnttab_unmap_grant_ref unmap[GNTDEV_BATCH];
	};
};

/* What an area keeps for operations to come: one for each that is under way. */
#define AREA_SPARES 4U

struct area {
	refcount_t refs; /* the range's, and one of each request's */
	spinlock_t lock; /* within page tables' locks; short */
	wait_queue_head_t wait;
	u32 waiters; /* guarded by lock, as is what follows */
	struct mapping *mapping; /* NULL while it is not mmapped */
	u32 users; /* requests with claimed slots: munmap waits for them */
	/*
	 * PV: of these and of faults, who may be changing entries: the MMU
	 * notifier waits for them, so they allocate nothing. None begins
	 * unless the notifier has been silent since @valid was set, with
	 * mmap_lock, in sight of the VMA.
	 */
	u32 in_flight;
	bool valid;
	unsigned long access; /* PV: VM_READ and so on, when @valid was set */
	bool looked_at; /* PV: somebody has come for a page by its entry */
	struct area_batch *spares[AREA_SPARES]; /* by xchg() */
	u32 count;
	u8 states[];
};

#define entry_is_readonly(op) ((op)->flags & GNTDEV_AREA_READONLY)

static inline bool slot_is_mapped(u8 state)
{
	return state == SLOT_MAPPED || state == SLOT_SEEN;
}

void gntdev_area_wait(struct area *area, const u32 *until_none);
void gntdev_area_wake(struct area *area);

/* area_slots.c, area_unmap.c */
int gntdev_area_enter(struct area *area, struct area_batch *b, u32 n, bool map,
		      struct mapping **m);
int gntdev_area_wait_slot(struct area *area, u32 slot);
void gntdev_area_land(struct area *area);
int gntdev_area_map_some(struct area *area, struct area_batch *b, u32 n);
int gntdev_area_unmap_some(struct area *area, struct area_batch *b, u32 n);

/* area_pv.c, area_pv_end.c */
extern const struct vm_operations_struct gntdev_area_pv_vm_ops;
int gntdev_area_pv_attach(struct window *w, struct vm_area_struct *vma);
int gntdev_area_pv_look_up(struct area *area, struct area_batch *b, u32 n);
bool gntdev_area_pv_knows(const struct mapping *m, u32 slot);
void gntdev_area_pv_map(struct area *area, struct mapping *m,
			struct area_batch *b);
void gntdev_area_pv_unmap(struct area *area, struct mapping *m,
			  struct area_batch *b);

/* area_xlat.c */
extern const struct vm_operations_struct gntdev_area_xlat_vm_ops;
int gntdev_area_xlat_attach(struct window *w, struct vm_area_struct *vma);
void gntdev_area_xlat_unmap(struct mapping *m, struct area_batch *b);

#endif /* GNTDEV_AREA_H */
