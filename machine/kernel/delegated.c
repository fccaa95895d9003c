// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Delegated copies: what a call leaves to its caller, and when that is done. */
#include "context.h"
#include "delegated.h"
#include "maps.h"
#include "vm.h"
#include "../xen/xen.h"

/* What takes longer to copy than the caller takes to be told, in bytes. */
#define WORTH_TELLING (256u << 10)

static struct delegated_copies *delegated_of(const struct task *task)
{
	struct context *c = context();

	return c->task == task ? c->delegated : NULL;
}

/* The piece that has all of it, or NULL. */
static struct delegated_piece *piece_with(struct delegated_copies *delegated,
					  u64 addr, size_t size)
{
	struct delegated_piece *piece = delegated->pieces;

	for (; piece < delegated->pieces + DELEGATED_PIECES; piece++) {
		if (addr >= piece->addr && size <= piece->size &&
		    addr - piece->addr <= piece->size - size)
			return piece;
	}

	return NULL;
}

static bool meets_a_piece(const struct delegated_copies *delegated, u64 addr,
			  size_t size)
{
	const struct delegated_piece *piece = delegated->pieces;

	for (; piece < delegated->pieces + DELEGATED_PIECES; piece++) {
		if (piece->size && addr < piece->addr + piece->size &&
		    piece->addr < addr + size)
			return true;
	}

	return false;
}

bool delegated_read(struct task *task, void *to, u64 from, size_t size)
{
	struct delegated_copies *delegated = delegated_of(task);
	struct delegated_piece *piece;

	if (!delegated)
		return false;
	piece = piece_with(delegated, from, size);
	if (!piece)
		return false;
	memcpy(to, piece->bytes + (from - piece->addr), size);

	return true;
}

/* It will be possible to write there: as much as a pin would find out. */
static bool is_writable(struct task *task, struct delegated_piece *piece)
{
	const struct stretch *s;

	if (!piece->writable) {
		s = maps_find(task, piece->addr);
		piece->writable =
			s && s->write && s->plain &&
					s->end - piece->addr >= piece->size &&
					vm_is_plain(task->mm, piece->addr,
						    piece->size)
				? 1
				: -1;
	}

	return piece->writable > 0;
}

bool delegated_put(struct task *task, u64 to, const void *value, size_t size)
{
	struct delegated_copies *delegated = delegated_of(task);
	struct delegated_piece *piece;
	size_t at;

	if (!delegated)
		return false;
	piece = piece_with(delegated, to, size);
	if (!piece || !is_writable(task, piece))
		return false;
	at = to - piece->addr;
	memcpy(piece->bytes + at, value, size);
	if (piece->first == piece->last) {
		piece->first = at;
		piece->last = at + size;
	}
	piece->first = min(piece->first, at);
	piece->last = max(piece->last, at + size);

	return true;
}

static bool has_work(const struct delegated_copies *delegated)
{
	const struct delegated_piece *piece = delegated->pieces;

	for (; piece < delegated->pieces + DELEGATED_PIECES; piece++) {
		if (piece->first < piece->last)
			return true;
	}

	return delegated->count || delegated->begun;
}

/* The hypervisor's lock is held here, but while the caller is at work. */
static void run(struct delegated_copies *delegated)
{
	struct delegated_piece *piece;

	if (!has_work(delegated))
		return;
	hypervisor_unlock();
	delegated->run(delegated);
	hypervisor_lock();
	delegated->count = 0;
	delegated->size = 0;
	delegated->begun = false;
	for (piece = delegated->pieces;
	     piece < delegated->pieces + DELEGATED_PIECES; piece++)
		piece->first = piece->last = 0;
	uses_release(&delegated->uses);
}

/* One copy that goes on where the last one ended. */
static bool continues(const struct delegated_copy *last,
		      const struct delegated_order *order)
{
	return last->domid == domain_id(order->granter) &&
	       last->in == order->in &&
	       order->addr == last->addr + last->size &&
	       order->offset == last->offset + last->size;
}

bool delegate_copy(const struct delegated_order *order)
{
	struct delegated_copies *delegated = delegated_of(order->task);
	struct delegated_copy *last;

	/* What was sent along is from before the copy. */
	if (!delegated ||
	    !delegated->reaches(delegated, domain_id(order->granter),
				!order->in) ||
	    meets_a_piece(delegated, order->addr, order->size))
		return false;

	if (delegated->uses.count == DELEGATED_COPIES)
		run(delegated);
	last = delegated->count ? &delegated->copies[delegated->count - 1]
				: NULL;
	if (last && continues(last, order))
		last->size += order->size;
	else
		delegated->copies[delegated->count++] = (struct delegated_copy){
			.addr = order->addr,
			.offset = order->offset,
			.size = order->size,
			.domid = domain_id(order->granter),
			.in = order->in,
		};
	delegated->size += order->size;
	uses_add(&delegated->uses, order->granter, order->ref, order->in);

	return true;
}

/* The grants stay in use until all of the call is done. */
void delegated_begin(void)
{
	struct delegated_copies *delegated = context()->delegated;

	if (!delegated || delegated->size < WORTH_TELLING)
		return;
	hypervisor_unlock();
	delegated->begin(delegated);
	hypervisor_lock();
	delegated->count = 0;
	delegated->size = 0;
	delegated->begun = true;
}

void delegated_stop_locked(void)
{
	struct context *c = context();
	struct delegated_copies *delegated = c->delegated;

	c->delegated = NULL;
	if (delegated)
		run(delegated);
}

void delegated_stop(void)
{
	if (!context()->delegated)
		return;
	hypervisor_lock();
	delegated_stop_locked();
	hypervisor_unlock();
}

static bool is_over(struct grant_uses *uses)
{
	struct delegated_copies *delegated =
		container_of(uses, struct delegated_copies, uses);

	return delegated->is_done(delegated);
}

void delegated_leave(void)
{
	struct delegated_copies *delegated = context()->delegated;

	context()->delegated = NULL;
	if (!delegated || !delegated->uses.count)
		return;
	delegated->uses.is_over = is_over;
	hypervisor_lock();
	uses_leave(&delegated->uses);
	hypervisor_unlock();
}

void delegated_end(struct delegated_copies *delegated)
{
	if (!__atomic_load_n(&delegated->uses.count, __ATOMIC_ACQUIRE))
		return;
	hypervisor_lock();
	uses_end(&delegated->uses);
	hypervisor_unlock();
}
