// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "context.h"
#include "errand.h"
#include "maps.h"
#include "vm.h"
#include "../xen/xen.h"

/* What takes longer to copy than the caller takes to be told, in bytes. */
#define WORTH_TELLING (256u << 10)

static struct errand *errand_of(const struct task *task)
{
	struct context *c = context();

	return c->task == task ? c->errand : NULL;
}

/* The piece that has all of it, or NULL. */
static struct errand_piece *piece_with(struct errand *errand, u64 addr,
				       size_t size)
{
	struct errand_piece *piece = errand->pieces;

	for (; piece < errand->pieces + ERRAND_PIECES; piece++) {
		if (addr >= piece->addr && size <= piece->size &&
		    addr - piece->addr <= piece->size - size)
			return piece;
	}

	return NULL;
}

static bool meets_a_piece(const struct errand *errand, u64 addr, size_t size)
{
	const struct errand_piece *piece = errand->pieces;

	for (; piece < errand->pieces + ERRAND_PIECES; piece++) {
		if (piece->size && addr < piece->addr + piece->size &&
		    piece->addr < addr + size)
			return true;
	}

	return false;
}

bool errand_read(struct task *task, void *to, u64 from, size_t size)
{
	struct errand *errand = errand_of(task);
	struct errand_piece *piece;

	if (!errand)
		return false;
	piece = piece_with(errand, from, size);
	if (!piece)
		return false;
	memcpy(to, piece->bytes + (from - piece->addr), size);

	return true;
}

/* It will be possible to write there: as much as a pin would find out. */
static bool is_writable(struct task *task, struct errand_piece *piece)
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

bool errand_put(struct task *task, u64 to, const void *value, size_t size)
{
	struct errand *errand = errand_of(task);
	struct errand_piece *piece;
	size_t at;

	if (!errand)
		return false;
	piece = piece_with(errand, to, size);
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

static bool has_work(const struct errand *errand)
{
	const struct errand_piece *piece = errand->pieces;

	for (; piece < errand->pieces + ERRAND_PIECES; piece++) {
		if (piece->first < piece->last)
			return true;
	}

	return errand->count || errand->begun;
}

/* The hypervisor's lock is held here, but while the caller is at work. */
static void run(struct errand *errand)
{
	struct errand_piece *piece;

	if (!has_work(errand))
		return;
	hypervisor_unlock();
	errand->run(errand);
	hypervisor_lock();
	errand->count = 0;
	errand->size = 0;
	errand->begun = false;
	for (piece = errand->pieces; piece < errand->pieces + ERRAND_PIECES;
	     piece++)
		piece->first = piece->last = 0;
	uses_release(&errand->uses);
}

/* One copy that goes on where the last one ended. */
static bool continues(const struct errand_copy *last,
		      const struct errand_order *order)
{
	return last->domid == domain_id(order->granter) &&
	       last->in == order->in &&
	       order->addr == last->addr + last->size &&
	       order->offset == last->offset + last->size;
}

bool errand_take(const struct errand_order *order)
{
	struct errand *errand = errand_of(order->task);
	struct errand_copy *last;

	/* What was sent along is from before the copy. */
	if (!errand ||
	    !errand->reaches(errand, domain_id(order->granter), !order->in) ||
	    meets_a_piece(errand, order->addr, order->size))
		return false;

	if (errand->uses.count == ERRAND_COPIES)
		run(errand);
	last = errand->count ? &errand->copies[errand->count - 1] : NULL;
	if (last && continues(last, order))
		last->size += order->size;
	else
		errand->copies[errand->count++] = (struct errand_copy){
			.addr = order->addr,
			.offset = order->offset,
			.size = order->size,
			.domid = domain_id(order->granter),
			.in = order->in,
		};
	errand->size += order->size;
	uses_add(&errand->uses, order->granter, order->ref, order->in);

	return true;
}

/* The grants stay in use until all of the call is done. */
void errand_begin(void)
{
	struct errand *errand = context()->errand;

	if (!errand || errand->size < WORTH_TELLING)
		return;
	hypervisor_unlock();
	errand->begin(errand);
	hypervisor_lock();
	errand->count = 0;
	errand->size = 0;
	errand->begun = true;
}

void errand_stop_locked(void)
{
	struct context *c = context();
	struct errand *errand = c->errand;

	c->errand = NULL;
	if (errand)
		run(errand);
}

void errand_stop(void)
{
	if (!context()->errand)
		return;
	hypervisor_lock();
	errand_stop_locked();
	hypervisor_unlock();
}

static bool is_over(struct grant_uses *uses)
{
	struct errand *errand = container_of(uses, struct errand, uses);

	return errand->is_done(errand);
}

void errand_leave(void)
{
	struct errand *errand = context()->errand;

	context()->errand = NULL;
	if (!errand || !errand->uses.count)
		return;
	errand->uses.is_over = is_over;
	hypervisor_lock();
	uses_leave(&errand->uses);
	hypervisor_unlock();
}

void errand_end(struct errand *errand)
{
	if (!__atomic_load_n(&errand->uses.count, __ATOMIC_ACQUIRE))
		return;
	hypervisor_lock();
	uses_end(&errand->uses);
	hypervisor_unlock();
}
