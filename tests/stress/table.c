// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The table of operations, and how one is picked. */
#include <string.h>

#include "stress.h"

#define OP(name, weight) {#name, weight, op_##name}

const struct operation operations[] = {
	OP(map, 20),
	OP(mmap, 40),
	OP(munmap, 30),
	OP(unmap, 15),
	OP(unmap_busy, 5),
	OP(unmap_wrong, 8),
	OP(mmap_wrong, 8),
	OP(mmap_private, 3),
	OP(mmap_twice, 5),
	OP(mmap_over, 4),
	OP(munmap_part, 6),
	OP(get_offset, 5),
	OP(get_offset_wrong, 5),
	OP(set_max, 5),
	OP(access, 40),
	OP(close_mapped, 4),
	OP(dup, 2),
	OP(pass_fd, 2),
	OP(bulk, 1),
	OP(many, 1),

	OP(notify, 15),
	OP(notify_cancel, 3),
	OP(notify_bad, 4),
	OP(notify_foreign_port, 2),
	OP(notify_read_only, 3),
	OP(notify_then_read_only, 3),
	OP(notify_unmapped, 3),
	OP(notify_evtchn_closed, 2),

	OP(copy, 20),
	OP(copy_many, 2),
	OP(copy_refused, 4),
	OP(copy_bad_pointer, 4),
	OP(copy_bad_ref, 5),
	OP(copy_in_grant, 4),
	OP(copy_nothing, 1),

	OP(mprotect, 5),
	OP(mprotect_read_only, 4),
	OP(mprotect_part, 3),
	OP(madvise, 8),
	OP(mremap, 5),
	OP(mremap_size, 4),
	OP(remap_pages, 2),
	OP(page_walk, 4),
	OP(soft_dirty, 3),
	OP(clear_refs, 2),
	OP(mlock, 3),
	OP(mbind, 3),
	OP(futex, 2),
	OP(fork, 3),
	OP(fork_dofork, 1),
	OP(exec, 1),

	OP(direct_write, 5),
	OP(direct_read, 5),
	OP(direct_in_flight, 5),
	OP(vmsplice_in_flight, 8),
	OP(pipe_copy, 4),
	OP(process_vm, 5),
	OP(proc_mem, 3),

	OP(bad_ref, 8),
	OP(ref_zero, 2),
	OP(big_domid, 1),
	OP(bad_count, 2),
	OP(bad_pointer, 4),
	OP(read_only_request, 3),
	OP(request_in_grant, 3),
	OP(wild_ioctl, 3),
	OP(revoke, 6),
	OP(revoke_mapped, 2),
	OP(signal, 10),
	OP(first_mmap, 3),

	OP(lend, 8),
	OP(lend_wrong, 2),
	OP(restrict, 2),
	OP(map_status, 4),

	OP(common_map, 15),
	OP(common_mmap, 15),
	OP(common_unmap, 8),
	OP(common_notify, 6),
	OP(common_set_max, 1),
	OP(common_copy, 5),
	OP(common_reopen, 1),
	OP(window_mmap, 12),
	OP(window_munmap, 6),
	OP(window_access, 8),
	OP(window_protect, 4),
	OP(window_advise, 4),
	OP(window_mremap, 4),
	OP(window_offset, 4),
	OP(window_peek, 3),

	OP(area, 8),
	OP(area_common, 20),

	/* Not operations of their own, but ways in which others are done. */
	{"fault_in_request", 0, NULL},
	{"index_never_again", 0, NULL},
	{"mmap_again", 0, NULL},
	{"kill", 0, NULL},
	{"compact_memory", 0, NULL},
};

const u32 operation_count = sizeof(operations) / sizeof(operations[0]);

_Static_assert(sizeof(operations) / sizeof(operations[0]) <= OPERATIONS_MAX,
	       "more operations than the shared counters have room for");

int operation_find(const char *name)
{
	u32 i;

	for (i = 0; i < operation_count; i++)
		if (!strcmp(operations[i].name, name))
			return (int)i;
	return -1;
}

static bool may_run(u32 n)
{
	return shm->enabled[n] && operations[n].weight;
}

/* What this run has no means for; each was said at the start. */
static bool cannot_be_done(const char *name)
{
	return (!shm->has_disk && !strncmp(name, "direct", 6)) ||
	       (shm->workers == 1 && !strcmp(name, "notify_foreign_port")) ||
	       (shm->threads == 1 && !strcmp(name, "signal")) ||
	       (shm->remote && !shm->paravirtual &&
		!strncmp(name, "revoke", 6));
}

/* It could be done and never was. */
bool operation_lacks(u32 n)
{
	return may_run(n) && !shm->done[n] &&
	       !cannot_be_done(operations[n].name);
}

/* When the time is over: one that was never done, or else operation_count. */
static u32 pick_lacking(struct ctx *c)
{
	u32 first = rnd(c, operation_count), i;

	for (i = 0; i < operation_count; i++)
		if (operation_lacks((first + i) % operation_count))
			return (first + i) % operation_count;
	return operation_count;
}

/*
 * By weight; but one time in eight the least done of a few, so that a short
 * run does all that the table has. With nothing enabled there is nothing to
 * pick: main has seen to it that there is something.
 */
u32 operation_pick(struct ctx *c)
{
	u32 total = 0, at, best = operation_count, n, i;

	/* It may need what another one makes. */
	if (shm->overtime && rnd(c, 4) == 0) {
		n = pick_lacking(c);
		if (n < operation_count)
			return n;
	}
	for (i = 0; i < 6 && rnd(c, 8) == 0; i++) {
		n = rnd(c, operation_count);
		if (may_run(n) &&
		    (best == operation_count || shm->done[n] < shm->done[best]))
			best = n;
	}
	if (best < operation_count)
		return best;
	for (n = 0; n < operation_count; n++)
		total += may_run(n) ? operations[n].weight : 0;
	at = rnd(c, total);
	for (n = 0; n < operation_count; n++) {
		if (!may_run(n))
			continue;
		if (at < operations[n].weight)
			return n;
		at -= operations[n].weight;
	}
	return 0;
}

void operation_run(struct ctx *c, u32 n)
{
	u64 start = now_ns(), took;
	bool done;

	c->operation = n;
	c->slot->reported = 0;
	__atomic_store_n(&c->slot->since_ns, start, __ATOMIC_SEQ_CST);
	__atomic_store_n(&c->slot->operation, n + 1, __ATOMIC_SEQ_CST);
	done = operations[n].run(c);
	if (c->trouble)
		abandon(c);
	__atomic_store_n(&c->slot->operation, 0, __ATOMIC_SEQ_CST);
	took = now_ns() - start;
	c->slot->done++;
	if (took > shm->longest_ns[n])
		shm->longest_ns[n] = took;
	if (done)
		__atomic_fetch_add(&shm->done[n], 1, __ATOMIC_RELAXED);
}
