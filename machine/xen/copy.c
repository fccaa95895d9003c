// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* GNTTABOP_copy: who may copy from where to where. */
#include "xen.h"

/* The lock is held in all of this but while bytes are copied. */

/* What a hypercall's operations have in common. */
struct batch {
	struct domain *caller;
	struct copier *copier;
	struct domain *granter; /* the last one */
};

void copy_end_release(const struct copy_end *end)
{
	if (end->granter)
		grant_release(end->granter, end->ref, end->readonly);
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
		 bool is_grant, struct copy_end *end)
{
	struct domain *granter;
	unsigned long pfn;
	s16 status;

	if (!is_grant)
		return batch->copier->find(batch->caller, ptr, end);

	granter = find_granter(batch, ptr->domid);
	if (!granter)
		return GNTST_bad_domain;
	status = grant_acquire(batch->caller, granter, ptr->u.ref,
			       end->readonly, &pfn);
	if (status)
		return status;
	end->granter = granter;
	end->ref = ptr->u.ref;
	end->memory = granter->memory + (pfn << PAGE_SHIFT) + ptr->offset;

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
		      struct copy_end *source, struct copy_end *dest)
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
		copy_end_release(source);
		copy_end_release(dest);
	}

	return status;
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

static void copy_one(struct batch *batch, struct gnttab_copy *op)
{
	struct copy_end source = {.readonly = true}, dest = {.readonly = false};

	if (!op->status)
		op->status = claim_both(batch, op, &source, &dest);
	if (event_wanted())
		emit_copy(op);
	if (op->status ||
	    batch->copier->take(batch->copier, &source, &dest, op->len))
		return;
	hypervisor_unlock();
	memory_copy(dest.memory, source.memory, op->len);
	hypervisor_lock();
	copy_end_release(&source);
	copy_end_release(&dest);
}

void grant_copies(struct domain *caller, struct gnttab_copy *ops, u32 count,
		  struct copier *copier)
{
	struct batch batch = {.caller = caller, .copier = copier};
	u32 i;

	hypervisor_lock();
	for (i = 0; i < count; i++)
		copy_one(&batch, &ops[i]);
	copier->finish(copier);
	hypervisor_unlock();
}
