// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GNTTABOP_copy. Copies between a grant and a program's pinned memory are
 * gathered: a system call for each would cost more than the copying. If the
 * calling process can, it does them itself, which costs the least.
 */
#include "xen.h"
#include "../kernel/errand.h"
#include "../kernel/faults.h"
#include "../kernel/pages.h"
#include "../kernel/user.h"

#define MOST USER_PIECES

/* One end of a copy. */
struct side {
	struct domain *granter; /* NULL: the caller's own page */
	u32 ref;
	bool readonly;
	unsigned char *memory; /* NULL: user memory */
	struct task *task;
	unsigned long addr;
	struct page *page;
};

/* The hypervisor's lock is held in all of this but while bytes are copied. */

/* What a hypercall's operations have in common. */
struct batch {
	struct domain *caller;
	struct domain *granter; /* the last one */
};

/* Copies that wait to be done together, in one direction, for one task. */
struct gather {
	unsigned int count;
	bool write;
	struct task *task;
	struct iovec local[MOST], user[MOST];
	struct side sides[MOST]; /* grants to be released */
};

static void side_release(const struct side *side)
{
	if (side->granter)
		grant_release(side->granter, side->ref, side->readonly);
}

static void gather_flush(struct gather *g)
{
	const struct side *side;

	if (!g->count)
		return;
	hypervisor_unlock();
	user_copyv(g->task, g->local, g->user, g->count, g->write);
	hypervisor_lock();
	for (side = g->sides; side < g->sides + g->count; side++)
		side_release(side);
	g->count = 0;
}

/* A page of the caller's own that an operation names by its frame. */
static s16 claim_local(struct domain *caller, const struct gnttab_copy_ptr *ptr,
		       struct side *side)
{
	struct page *page = page_of_gfn(ptr->u.gmfn);

	if (!page)
		return GNTST_bad_page;
	side->page = page;
	switch (page->kind) {
	case PAGE_USER:
		side->task = page->task;
		side->addr = page->addr + ptr->offset;
		return GNTST_okay;
	case PAGE_FRAME:
		side->memory = page->owner->memory + (page->pfn << PAGE_SHIFT) +
			       ptr->offset;
		return GNTST_okay;
	case PAGE_PLAIN:
		side->memory =
			(unsigned char *)page_address(page) + ptr->offset;
		return GNTST_okay;
	case PAGE_GRANT:
	case PAGE_DMA:
		if (!page->mapped)
			machine_fatal(
				"a copy from or to a page with nothing behind it");
		/* Another domain's page cannot be named by its frame. */
		if (page->owner != caller ||
		    (!side->readonly && page->readonly))
			return GNTST_bad_page;
		side->memory = page->owner->memory + (page->pfn << PAGE_SHIFT) +
			       ptr->offset;
		return GNTST_okay;
	default:
		machine_fatal("a copy from or to a page that is not pinned");
	}
}

/* Most operations of a batch are for the same granter; none ever goes. */
static struct domain *find_granter(struct batch *batch, domid_t domid)
{
	if (domid == DOMID_SELF)
		return batch->caller;
	if (!batch->granter || batch->granter->id != domid)
		batch->granter = domain_find(domid);

	return batch->granter;
}

static s16 claim(struct batch *batch, const struct gnttab_copy_ptr *ptr,
		 bool is_grant, struct side *side)
{
	struct domain *granter;
	unsigned long pfn;
	s16 status;

	if (!is_grant)
		return claim_local(batch->caller, ptr, side);

	granter = find_granter(batch, ptr->domid);
	if (!granter)
		return GNTST_bad_domain;
	status = grant_acquire(batch->caller, granter, ptr->u.ref,
			       side->readonly, &pfn);
	if (status)
		return status;
	side->granter = granter;
	side->ref = ptr->u.ref;
	side->memory = granter->memory + (pfn << PAGE_SHIFT) + ptr->offset;

	return GNTST_okay;
}

static s16 check_domids(const struct gnttab_copy *op)
{
	if (!(op->flags & GNTCOPY_source_gref) &&
	    op->source.domid != DOMID_SELF)
		return GNTST_permission_denied;
	if (!(op->flags & GNTCOPY_dest_gref) && op->dest.domid != DOMID_SELF)
		return GNTST_permission_denied;
	return GNTST_okay;
}

/* Both ends of an operation, in use; or a status, and neither is. */
static s16 claim_both(struct batch *batch, const struct gnttab_copy *op,
		      struct side *source, struct side *dest)
{
	s16 status = check_domids(op);

	if (status)
		return status;
	status = claim(batch, &op->source, op->flags & GNTCOPY_source_gref,
		       source);
	if (!status)
		status = claim(batch, &op->dest, op->flags & GNTCOPY_dest_gref,
			       dest);
	if (!status && (op->source.offset + op->len > (int)PAGE_SIZE ||
			op->dest.offset + op->len > (int)PAGE_SIZE))
		status = GNTST_bad_copy_arg;
	if (status) {
		side_release(source);
		side_release(dest);
	}

	return status;
}

static void gather_add(struct gather *g, struct task *task, bool write,
		       unsigned char *memory, unsigned long addr, u16 len,
		       const struct side *grant)
{
	if (g->count == MOST ||
	    (g->count && (g->task != task || g->write != write)))
		gather_flush(g);
	g->task = task;
	g->write = write;
	g->local[g->count] = (struct iovec){memory, len};
	g->user[g->count] = (struct iovec){(void *)addr, len};
	g->sides[g->count] = *grant;
	g->count++;
}

/* The caller does it, if it can. */
static bool left_to_caller(const struct side *user, const struct side *grant,
			   u16 len, bool in)
{
	struct errand_order order = {
		.task = user->task,
		.addr = user->addr,
		.size = len,
		.in = in,
		.granter = grant->granter,
		.ref = grant->ref,
	};

	if (!user->task || !grant->granter)
		return false;
	order.offset = grant->memory - grant->granter->memory;
	/* Nor does its window show pages that programs have granted. */
	if (domain_page_is_lent(grant->granter, order.offset >> PAGE_SHIFT))
		return false;

	return errand_take(&order);
}

static void emit_copy(const struct gnttab_copy *op)
{
	bool to_grant = op->flags & GNTCOPY_dest_gref;

	event_emit(&(struct machine_event){
		.kind = MACHINE_EVENT_COPY,
		.status = op->status,
		.domain = to_grant ? op->dest.domid : op->source.domid,
		.ref = to_grant ? op->dest.u.ref : op->source.u.ref,
	});
}

static void copy_one(struct batch *batch, struct gnttab_copy *op,
		     struct gather *g)
{
	struct side source = {.readonly = true}, dest = {.readonly = false};

	if (!fault_op(MACHINE_OP_COPY, false, &op->status))
		op->status = claim_both(batch, op, &source, &dest);
	if (event_wanted())
		emit_copy(op);
	if (op->status)
		return;

	if (dest.page && !page_is_for_grants(dest.page))
		dest.page->written = true;
	if (left_to_caller(&dest, &source, op->len, true) ||
	    left_to_caller(&source, &dest, op->len, false))
		return;
	/* Those that it has taken come first. */
	errand_stop_locked();
	if (dest.task) {
		gather_add(g, dest.task, true, source.memory, dest.addr,
			   op->len, &source);
	} else if (source.task) {
		gather_add(g, source.task, false, dest.memory, source.addr,
			   op->len, &dest);
	} else {
		gather_flush(g);
		hypervisor_unlock();
		memory_copy(dest.memory, source.memory, op->len);
		hypervisor_lock();
		side_release(&source);
		side_release(&dest);
	}
}

void grant_copies(struct domain *caller, struct gnttab_copy *ops, u32 count)
{
	struct batch batch = {.caller = caller};
	struct gather g;
	u32 i;

	g.count = 0;
	hypervisor_lock();
	for (i = 0; i < count; i++)
		copy_one(&batch, &ops[i], &g);
	gather_flush(&g);
	errand_begin();
	hypervisor_unlock();
}
