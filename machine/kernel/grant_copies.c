// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Copies between grants and frames of the caller's. Those between a grant and a
 * program's pinned memory are gathered: a system call for each would cost more than
 * the copying. If the calling process can, it does them itself, which costs the
 * least.
 */
#include "context.h"
#include "delegated.h"
#include "faults.h"
#include "pages.h"
#include "user.h"
#include "xen_calls.h"
#include "../xen/xen.h"

#define MOST USER_PIECES

/* The hypervisor's lock is held in all of this but while bytes are copied. */

/* Copies that wait to be done together, in one direction, for one task. */
struct gather {
	struct copier copier;
	unsigned int count;
	bool write;
	struct task *task;
	struct iovec local[MOST], user[MOST];
	struct copy_end grants[MOST]; /* to be released */
};

static void gather_flush(struct gather *g)
{
	const struct copy_end *grant;

	if (!g->count)
		return;
	hypervisor_unlock();
	user_copyv(g->task, g->local, g->user, g->count, g->write);
	hypervisor_lock();
	for (grant = g->grants; grant < g->grants + g->count; grant++)
		copy_end_release(grant);
	g->count = 0;
}

/* A page of the caller's own that an operation names by its frame. */
static s16 find_frame(struct domain *caller, const struct gnttab_copy_ptr *ptr,
		      struct copy_end *end)
{
	struct page *page = page_of_gfn(ptr->u.gmfn);

	if (!page)
		return GNTST_bad_page;
	end->frame = page;
	switch (page->kind) {
	case PAGE_USER:
		end->addr = page->addr + ptr->offset;
		return GNTST_okay;
	case PAGE_FRAME:
		end->memory = page->owner->memory + (page->pfn << PAGE_SHIFT) +
			      ptr->offset;
		return GNTST_okay;
	case PAGE_PLAIN:
		end->memory = (unsigned char *)page_address(page) + ptr->offset;
		return GNTST_okay;
	case PAGE_GRANT:
	case PAGE_DMA:
		if (!page->mapped)
			machine_fatal(
				"a copy from or to a page with nothing behind it");
		/* Another domain's page cannot be named by its frame. */
		if (page->owner != caller || (!end->readonly && page->readonly))
			return GNTST_bad_page;
		end->memory = page->owner->memory + (page->pfn << PAGE_SHIFT) +
			      ptr->offset;
		return GNTST_okay;
	default:
		machine_fatal("a copy from or to a page that is not pinned");
	}
}

static struct task *task_of(const struct copy_end *end)
{
	const struct page *page = end->frame;

	return page && page->kind == PAGE_USER ? page->task : NULL;
}

static void gather_add(struct gather *g, bool write,
		       const struct copy_end *user,
		       const struct copy_end *grant, u16 len)
{
	struct task *task = task_of(user);

	if (g->count == MOST ||
	    (g->count && (g->task != task || g->write != write)))
		gather_flush(g);
	g->task = task;
	g->write = write;
	g->local[g->count] = (struct iovec){grant->memory, len};
	g->user[g->count] = (struct iovec){(void *)user->addr, len};
	g->grants[g->count] = *grant;
	g->count++;
}

/* The caller does it, if it can. */
static bool left_to_caller(const struct copy_end *user,
			   const struct copy_end *grant, u16 len, bool in)
{
	struct delegated_order order = {
		.task = task_of(user),
		.addr = user->addr,
		.size = len,
		.in = in,
		.granter = grant->granter,
		.ref = grant->ref,
	};

	if (!order.task || !grant->granter)
		return false;
	order.offset = grant->memory - grant->granter->memory;
	/* Nor does its window show pages that programs have granted. */
	if (domain_page_is_lent(grant->granter, order.offset >> PAGE_SHIFT))
		return false;

	return delegate_copy(&order);
}

static bool take(struct copier *copier, const struct copy_end *source,
		 const struct copy_end *dest, u16 len)
{
	struct gather *g = container_of(copier, struct gather, copier);
	struct page *page = dest->frame;

	if (page && !page_is_for_grants(page))
		page->written = true;
	if (left_to_caller(dest, source, len, true) ||
	    left_to_caller(source, dest, len, false))
		return true;
	/* Those that it has taken come first. */
	delegated_stop_locked();
	if (task_of(dest))
		gather_add(g, true, dest, source, len);
	else if (task_of(source))
		gather_add(g, false, source, dest, len);
	else
		gather_flush(g);

	return task_of(dest) || task_of(source);
}

static void finish(struct copier *copier)
{
	gather_flush(container_of(copier, struct gather, copier));
	delegated_begin();
}

void copy_all(struct gnttab_copy *ops, unsigned int count)
{
	struct domain *d = context()->domain;
	struct gather g;
	unsigned int i;

	if (!d)
		machine_fatal("a thread of the kernel's own copies");
	for (i = 0; i < count; i++) {
		if (!fault_op(MACHINE_OP_COPY, false, &ops[i].status))
			ops[i].status = GNTST_okay;
	}
	g.copier = (struct copier){find_frame, take, finish};
	g.count = 0;
	grant_copies(d, ops, count, &g.copier);
}

void with_frames(unsigned long *frame, u32 n, bool write,
		 void (*use)(void *data), void *data)
{
	struct page *pages[MOST_FRAMES];
	unsigned int variant;
	u32 got = 0;

	/* The table's lock is another thread's. */
	if (fault(SITE_FRAMES, &variant))
		return;
	while (got < n && pin_plain(context()->task, frame[got], 1, write,
				    &pages[got]) == 1) {
		frame[got] = xen_page_to_gfn(pages[got]);
		got++;
	}
	if (got == n)
		use(data);
	if (got)
		unpin_user_pages_dirty_lock(pages, got, write);
}
