// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The kernel's mappings of granted pages: made, and given back. */
#include "gntdev.h"

/**
 * grants_status_errno() - what a map operation's status is to a program
 * @status: GNTST_*, or 1 for an operation that the hypervisor did not reach
 *
 * Return: 0 or a negative errno. Never -EAGAIN: libxengnttab would try mmap
 * again for ever.
 */
int grants_status_errno(s16 status)
{
	switch (status) {
	case GNTST_okay:
		return 0;
	case GNTST_no_device_space:
	case GNTST_no_space:
		return -ENOMEM;
	case 1:
		return -EIO;
	default:
		return -EINVAL;
	}
}

static phys_addr_t page_addr(struct page *page)
{
	return (unsigned long)page_address(page);
}

static int map_batch(struct mapping *m, u32 first, u32 n)
{
	const struct ioctl_gntdev_grant_ref *grants = m->grants + first;
	struct gnttab_map_grant_ref *ops = m->ops.map;
	u32 flags = GNTMAP_host_map | (m->writable ? 0 : GNTMAP_readonly);
	int err = 0;
	u32 i, done = 0;

	for (i = 0; i < n; i++)
		gnttab_set_map_op(&ops[i], page_addr(m->pages[first + i]),
				  flags, grants[i].ref, grants[i].domid);

	/*
	 * Each status tells what was done; the sum of it is of no use. What
	 * the hypervisor mapped has to be known, whatever failed around it.
	 */
	(void)gnttab_map_refs(ops, NULL, m->pages + first, n);

	for (i = 0; i < n; i++) {
		if (ops[i].status == GNTST_okay) {
			m->handles[first + i] = ops[i].handle;
			done++;
			continue;
		}
		ClearPageForeign(m->pages[first + i]);
		if (!err)
			err = grants_status_errno(ops[i].status);
	}
	m->held += done;
	atomic_long_add(done, &counters.mapped);

	return err;
}

/**
 * grants_map() - map all grants of a mapping into the kernel
 * @m: a new mapping, with pages
 *
 * Return: 0, -EINVAL, -ENOMEM, -EIO or, if a fatal signal is pending, -EINTR.
 * What was mapped until a failure is found in @m and is grants_unmap()'s.
 */
int grants_map(struct mapping *m)
{
	u32 first, n;
	int err;

	for (first = 0; first < m->count; first += n) {
		n = min(m->count - first, GNTDEV_BATCH);
		err = map_batch(m, first, n);
		if (err)
			return err;
		if (first + n < m->count && fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}

	return 0;
}

/*
 * A page that the hypervisor did not unmap is still the granter's, so it must
 * never be anybody else's. It is dropped and counted.
 */
static void leak(struct mapping *m, u32 i)
{
	m->pages[i] = NULL;
	m->handles[i] = INVALID_GRANT_HANDLE;
	m->leaky = true;
	m->held--;
	atomic_long_dec(&counters.mapped);
	atomic_long_inc(&counters.leaked);
	/* Nobody comes by here again, and the other side waits for it. */
	if (m->notify)
		notify_send(m->notify + i, 1);
}

/* Tells the people who run the host of an unmapping that failed. */
void grants_warn(const struct gnttab_unmap_grant_ref *op)
{
	pr_warn_ratelimited(
		"unmapping grant handle %u: hypervisor status %d, expected 0; its page is kept out of use\n",
		op->handle, op->status);
}

/* Pages are unmapped; of leaked ones among them, nothing is left. */
static void let_go(struct mapping *m, u32 first, u32 n)
{
	u32 i, gone = 0;

	for (i = first; i < first + n; i++) {
		if (m->handles[i] == INVALID_GRANT_HANDLE)
			continue;
		m->handles[i] = INVALID_GRANT_HANDLE;
		gone++;
	}
	m->held -= gone;
	atomic_long_sub(gone, &counters.mapped);
}

/* Unmaps pages first to first + n - 1: mapped, and no one else's. */
static void unmap_batch(struct mapping *m, u32 first, u32 n)
{
	struct gnttab_unmap_grant_ref *ops = m->ops.unmap;
	int err;
	u32 i;

	for (i = 0; i < n; i++) {
		gnttab_set_unmap_op(&ops[i], page_addr(m->pages[first + i]),
				    GNTMAP_host_map, m->handles[first + i]);
		ops[i].status = 1;
	}

	/*
	 * After a failure as a whole, frames may still be behind the pages.
	 * -EINVAL only says that one had none, after a map that failed so.
	 */
	err = gnttab_unmap_refs(ops, NULL, m->pages + first, n);

	for (i = 0; i < n; i++) {
		if ((!err || err == -EINVAL) && ops[i].status == GNTST_okay)
			continue;
		grants_warn(&ops[i]);
		leak(m, first + i);
	}
	let_go(m, first, n);

	if (m->notify)
		notify_send(m->notify + first, n);
}

/* The page is there to be unmapped: mapped, and only this driver has it. */
static inline bool page_is_idle(const struct mapping *m, u32 i)
{
	return m->handles[i] != INVALID_GRANT_HANDLE &&
	       m->handles[i] != LOST_HANDLE && page_count(m->pages[i]) == 1;
}

/**
 * grants_unmap() - unmap the pages of a mapping that nobody uses any more
 * @m: a mapping that no program sees
 *
 * I/O that was begun before munmap holds a reference on its page; such a page
 * stays as it is. The others are the mapping's until they are freed.
 *
 * Return: how many pages are still held.
 */
u32 grants_unmap(struct mapping *m)
{
	u32 i, n;

	for (i = 0; i < m->count && m->held; i += max(n, 1U)) {
		n = 0;
		while (i + n < m->count && n < GNTDEV_BATCH &&
		       page_is_idle(m, i + n))
			n++;
		if (n) {
			unmap_batch(m, i, n);
			cond_resched();
		} else if (m->handles[i] == LOST_HANDLE) {
			leak(m, i);
		}
	}

	return m->held;
}

/* Pages given back in one go; thousands take a while. */
#define FREE_BATCH 1024U

/**
 * grants_free_pages() - give the pages of a mapping back to where they are from
 * @m: the mapping; pages that are still mapped are left alone
 */
void grants_free_pages(struct mapping *m)
{
	u32 i, n;

	for (i = 0; i < m->count; i += max(n, 1U)) {
		n = 0;
		while (i + n < m->count && n < FREE_BATCH && m->pages[i + n] &&
		       m->handles[i + n] == INVALID_GRANT_HANDLE)
			n++;
		if (!n)
			continue;
		if (m->memory)
			dma_memory_put_pages(m, i, n);
		else
			gnttab_free_pages(n, m->pages + i);
		memset(m->pages + i, 0, n * sizeof(m->pages[0]));
		cond_resched();
	}
}
