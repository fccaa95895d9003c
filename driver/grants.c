// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The kernel's mappings of granted pages: made, and given back. */
#include "gntdev.h"
#include "backoff.h"
#include "trace.h"

/**
 * gntdev_grants_status_errno() - what a map operation's status is to a program
 * @status: GNTST_*, or 1 for an operation that the hypervisor did not reach
 *
 * Return: 0 or a negative errno. Never -EAGAIN: libxengnttab would try mmap
 * again for ever.
 */
int gntdev_grants_status_errno(s16 status)
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

/* Of more than the mapping has room for; what the kernel has at once. */
static noinline void *room_get_more(const struct mapping *m, size_t size,
				    u32 *n)
{
	void *room = kmalloc_array(*n, size, GFP_NOWAIT | __GFP_NOWARN);

	if (room)
		return room;
	*n = m->room;
	return m->ops.map;
}

/*
 * Room for *n operations of a hypercall. If there is none, they are fewer, and more
 * hypercalls are made: to unmap must not fail.
 */
static __always_inline void *room_get(const struct mapping *m, size_t size,
				      u32 *n)
{
	return *n <= m->room ? m->ops.map : room_get_more(m, size, n);
}

static __always_inline void room_put(const struct mapping *m, void *room)
{
	if (room != m->ops.map)
		kfree(room);
}

/**
 * gntdev_grants_note() - tell the people who run the host of a grant that is not mapped
 * @grant: the grant
 * @status: the hypervisor's
 *
 * A program only gets an errno, which is the same for most of them.
 */
void gntdev_grants_note(const struct ioctl_gntdev_grant_ref *grant, s16 status)
{
	static const char *const meanings[] = GNTTABOP_error_msgs;
	const char *meaning = "unknown";

	if (status == 1)
		meaning = "not tried";
	else if (status <= 0 && -status < (int)ARRAY_SIZE(meanings))
		meaning = meanings[-status];

	trace_gntdev_refused(grant, status);
	if (gntdev_grants_status_errno(status) == -ENOMEM)
		gntdev_limits_warn_handles();
	pr_notice_ratelimited(
		"mapping reference %u of domain %u: hypervisor status %d (%s), expected 0\n",
		grant->ref, grant->domid, status, meaning);
}

static phys_addr_t page_addr(struct page *page)
{
	return (unsigned long)page_address(page);
}

/* Maps pages first to first + n - 1, of which none is. */
static int map_batch(struct mapping *m, struct gnttab_map_grant_ref *ops,
		     u32 first, u32 n)
{
	const struct ioctl_gntdev_grant_ref *grants = m->grants + first;
	u32 i, flags, mapped = 0;
	int err = 0;

	for (i = 0; i < n; i++) {
		flags = GNTMAP_host_map;
		if (!m->writable || grants[i].domid & GRANT_READONLY)
			flags |= GNTMAP_readonly;
		gnttab_set_map_op(&ops[i], page_addr(m->pages[first + i]),
				  flags, grants[i].ref, domid_of(&grants[i]));
	}

	/*
	 * Each status tells what was done; the sum of it is of no use. What
	 * the hypervisor mapped has to be known, whatever failed around it.
	 */
	(void)gnttab_map_refs(ops, NULL, m->pages + first, n);

	for (i = 0; i < n; i++) {
		if (ops[i].status == GNTST_okay) {
			m->handles[first + i] = ops[i].handle;
			mapped++;
			continue;
		}
		ClearPageForeign(m->pages[first + i]);
		if (!err)
			err = gntdev_grants_status_errno(ops[i].status);
	}
	atomic_long_add(mapped, &gntdev_counters.handles);

	return err;
}

static bool may_all_be_mapped(const struct mapping *m)
{
	u32 i;

	for (i = 0; i < m->count; i++) {
		if (gntdev_xlat_refuses(m->grants[i].domid))
			return false;
	}

	return true;
}

/* Tells of the first failure among operations. */
static void note_failure(const struct mapping *m,
			 const struct gnttab_map_grant_ref *ops, u32 first,
			 u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (ops[i].status == GNTST_okay)
			continue;
		gntdev_grants_note(&m->grants[first + i], ops[i].status);
		return;
	}
}

/* Maps pages from @first on; lowers *n to how many, if there is room for fewer. */
static int map_some(struct mapping *m, u32 first, u32 *n,
		    struct backoff *backoff)
{
	struct gnttab_map_grant_ref *ops = room_get(m, sizeof(*ops), n);
	int err = 0;

	if (granters_page_out())
		err = gntdev_backoff_await(m->grants + first, *n, backoff);
	if (err)
		goto put;

	down_read(&gntdev_handle_lock);
	err = map_batch(m, ops, first, *n);
	up_read(&gntdev_handle_lock);
	if (err) {
		note_failure(m, ops, first, *n);
		gntdev_status_note(m, first, ops, *n);
	}
put:
	room_put(m, ops);
	return err;
}

/**
 * gntdev_grants_map() - map all grants of a mapping into the kernel
 * @m: a new mapping, with pages
 *
 * Return: 0, -EINVAL, -ENOMEM, -EIO or, if a fatal signal is pending, -EINTR.
 * What was mapped until a failure is found in @m and is gntdev_grants_unmap()'s.
 */
int gntdev_grants_map(struct mapping *m)
{
	struct backoff backoff;
	u32 first, n;
	int err;

	if (!may_all_be_mapped(m))
		return -EINVAL;

	gntdev_backoff_begin(&backoff);
	for (first = 0; first < m->count; first += n) {
		n = min(m->count - first, GNTDEV_BATCH);
		err = map_some(m, first, &n, &backoff);
		if (err)
			return err;
		if (first + n < m->count && fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}

	return 0;
}

/* Maps one page, which is not mapped; the hypervisor has just let go of it. */
int gntdev_grants_map_one(struct mapping *m, u32 i)
{
	struct gnttab_map_grant_ref op;

	return map_batch(m, &op, i, 1);
}

/*
 * Maps again what was ended for a suspending that then did not come to pass. The
 * caller holds gntdev_handle_lock, and nobody else has the pages.
 */
void gntdev_grants_map_missing(struct mapping *m)
{
	int err;
	u32 i;

	for (i = 0; i < m->count; i++) {
		if (!m->pages[i] || m->handles[i] != INVALID_GRANT_HANDLE ||
		    (m->range && !gntdev_area_shows(m->range, i)))
			continue;
		err = gntdev_grants_map_one(m, i);
		if (err)
			pr_warn_ratelimited(
				"reference %u of domain %u is not mapped any more: error %d after a suspending\n",
				m->grants[i].ref, domid_of(&m->grants[i]), err);
		cond_resched();
	}
}

/* Maps what is not, of a few entries that are there. */
static int ensure_batch(struct window *w, u32 first, u32 last)
{
	struct gnttab_map_grant_ref ops[GNTDEV_ATOMIC_BATCH];
	struct mapping *m = w->mapping;
	int err = 0;
	u32 i, n;

	lockdep_assert_held(&m->lock);

	for (i = first; i < last; i++) {
		if (!handle_is_good(w->handles[i]))
			return -ENOENT;
		if (m->handles[w->first + i] == VOID_HANDLE)
			return -EIO;
	}

	for (i = first; i < last && !err; i += max(n, 1U)) {
		n = 0;
		while (i + n < last &&
		       m->handles[w->first + i + n] == INVALID_GRANT_HANDLE)
			n++;
		if (n)
			err = map_batch(m, ops, w->first + i, n);
	}

	return err;
}

/**
 * gntdev_grants_ensure() - have the kernel map what a program's entries map
 * @w: a window of a PV domain
 * @first: the first of its entries, of which all are to be there
 * @n: how many
 *
 * For those who want the pages themselves, and so that a grant stays mapped when
 * a program's entry goes for a time. Pages that the kernel has mapped are left
 * alone. Does not sleep: gnttab_map_refs() waits for nothing but a granter's
 * page that is paged out, and none is that is mapped. No entry goes meanwhile.
 *
 * Return: 0; -ENOENT if an entry is not there; -ENOMEM if the hypervisor has no
 * handle left; or another negative errno. Some may be mapped then.
 */
int gntdev_grants_ensure(struct window *w, u32 first, u32 n)
{
	u32 end, last = first + n;
	int err = 0;

	for (; first < last && !err; first = end) {
		end = min(first + GNTDEV_ATOMIC_BATCH, last);
		spin_lock(&w->mapping->lock);
		err = ensure_batch(w, first, end);
		spin_unlock(&w->mapping->lock);
	}

	return err;
}

/*
 * A page that the hypervisor did not unmap is still the granter's, so it must
 * never be anybody else's. It is dropped and counted.
 */
static void leak(struct mapping *m, u32 i)
{
	m->pages[i] = NULL;
	m->handles[i] = INVALID_GRANT_HANDLE;
	m->missing++;
	m->held--;
	atomic_long_dec(&gntdev_counters.mapped);
	atomic_long_inc(&gntdev_counters.leaked);
	/* Nobody comes by here again, and the other side waits for it. */
	if (m->notify)
		gntdev_notify_send(m->notify + i, 1);
}

/* Tells the people who run the host of an unmapping that failed. */
void gntdev_grants_warn(const struct gnttab_unmap_grant_ref *op)
{
	pr_warn_ratelimited(
		"unmapping grant handle %u: hypervisor status %d, expected 0; its page is kept out of use\n",
		op->handle, op->status);
}

/* Pages are not mapped any more; of leaked ones among them, nothing is left. */
static void let_go(struct mapping *m, u32 first, u32 n)
{
	u32 i, gone = 0;

	for (i = first; i < first + n; i++) {
		if (!m->pages[i])
			continue;
		m->handles[i] = INVALID_GRANT_HANDLE;
		gone++;
	}
	m->held -= gone;
	atomic_long_sub(gone, &gntdev_counters.mapped);

	if (m->notify)
		gntdev_notify_send(m->notify + first, n);
}

/* Unmaps pages first to first + n - 1: mapped, and no one else's. */
static void unmap_batch(struct mapping *m, struct gnttab_unmap_grant_ref *ops,
			u32 first, u32 n)
{
	u32 i, unmapped = 0;
	int err;

	for (i = 0; i < n; i++) {
		gnttab_set_unmap_op(&ops[i], page_addr(m->pages[first + i]),
				    GNTMAP_host_map, m->handles[first + i]);
		ops[i].status = 1;
		/* Nobody has the page any more, so nobody can store to it. */
		if (m->notify)
			notify_clear(&m->notify[first + i],
				     m->pages[first + i]);
	}
	/* Before any unmapping, and so before any event. */
	wmb();

	/*
	 * After a failure as a whole, frames may still be behind the pages.
	 * -EINVAL only says that one had none, after a map that failed so.
	 */
	err = gnttab_unmap_refs(ops, NULL, m->pages + first, n);

	for (i = 0; i < n; i++) {
		if ((!err || err == -EINVAL) && ops[i].status == GNTST_okay) {
			unmapped++;
			continue;
		}
		gntdev_grants_warn(&ops[i]);
		leak(m, first + i);
	}
	atomic_long_sub(unmapped, &gntdev_counters.handles);
	let_go(m, first, n);
}

/* The same of up to n pages from @first on; returns how many. */
static u32 unmap_some(struct mapping *m, u32 first, u32 n)
{
	struct gnttab_unmap_grant_ref *ops = room_get(m, sizeof(*ops), &n);

	unmap_batch(m, ops, first, n);
	room_put(m, ops);

	return n;
}

/*
 * Unmaps one page that only this driver has, while a program's entry maps it too
 * or is about to; under the mapping's lock, so it does not sleep.
 */
void gntdev_grants_unmap_one(struct mapping *m, u32 i)
{
	struct gnttab_unmap_grant_ref op;

	lockdep_assert_held(&m->lock);

	gnttab_set_unmap_op(&op, page_addr(m->pages[i]), GNTMAP_host_map,
			    m->handles[i]);
	op.status = 1;
	if (!gnttab_unmap_refs(&op, NULL, m->pages + i, 1) &&
	    op.status == GNTST_okay) {
		m->handles[i] = INVALID_GRANT_HANDLE;
		atomic_long_dec(&gntdev_counters.handles);
		return;
	}

	gntdev_grants_warn(&op);
	m->handles[i] = LOST_HANDLE;
}

/* The page is there to be unmapped: mapped, and only this driver has it. */
static inline bool page_is_idle(const struct mapping *m, u32 i)
{
	return handle_is_good(m->handles[i]) && page_count(m->pages[i]) == 1;
}

/* The same, and the kernel knows of it, as it does but after a failed call. */
static bool page_is_known(const struct mapping *m, u32 i)
{
	return page_is_idle(m, i) && PageForeign(m->pages[i]);
}

static bool page_is_stray(const struct mapping *m, u32 i)
{
	return page_is_idle(m, i) && !PageForeign(m->pages[i]);
}

/* What was behind it went with the domain as it was, and now its last user. */
static bool page_is_void(const struct mapping *m, u32 i)
{
	return m->handles[i] == VOID_HANDLE && page_count(m->pages[i]) == 1;
}

/* The kernel has nothing mapped there, so nobody can have the page. */
static bool page_is_bare(const struct mapping *m, u32 i)
{
	return m->pages[i] && m->handles[i] == INVALID_GRANT_HANDLE;
}

/*
 * For how many pages from @first on the same is true, up to a batch. Each call is a
 * loop of its own, without a call for each page.
 */
static __always_inline u32 run_of(const struct mapping *m, u32 first,
				  bool (*is)(const struct mapping *m, u32 i))
{
	u32 most = min(m->count - first, GNTDEV_BATCH), n = 0;

	while (n < most && is(m, first + n))
		n++;

	return n;
}

/**
 * gntdev_grants_forget() - give up the handles of a domain that was restored
 * @m: a mapping of before
 *
 * The hypervisor knows none of them, or knows others by these numbers. Where they
 * were, nothing is mapped; the pages are the driver's still, and empty.
 */
void gntdev_grants_forget(struct mapping *m)
{
	u32 i;

	for (i = 0; i < m->count; i++) {
		if (handle_is_good(m->handles[i]))
			m->handles[i] = VOID_HANDLE;
	}
	m->restores = gntdev_restores;
}

/* Pages that are empty since the domain was restored, and nobody else's. */
static void let_go_of_void(struct mapping *m, u32 first, u32 n)
{
	u32 i;

	for (i = first; i < first + n; i++)
		ClearPageForeign(m->pages[i]);
	let_go(m, first, n);
}

/**
 * gntdev_grants_unmap() - unmap the pages of a mapping that nobody uses any more
 * @m: a mapping that no program sees
 *
 * I/O that was begun before munmap holds a reference on its page; such a page
 * stays as it is. The others are the mapping's until they are freed, which is
 * to be before this is called again. Their notifications are sent.
 *
 * Return: how many pages are still held.
 */
u32 gntdev_grants_unmap(struct mapping *m)
{
	u32 i, n;

	if (m->restores != gntdev_restores)
		gntdev_grants_forget(m);

	for (i = 0; i < m->count && m->held; i += max(n, 1U)) {
		n = run_of(m, i, page_is_void);
		if (n) {
			let_go_of_void(m, i, n);
			continue;
		}
		n = run_of(m, i, page_is_bare);
		if (n) {
			let_go(m, i, n);
			continue;
		}
		/* Not together: the first stray page hides the others from it. */
		n = run_of(m, i, page_is_known) ?: run_of(m, i, page_is_stray);
		if (n) {
			n = unmap_some(m, i, n);
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
 * gntdev_grants_free_pages() - give the pages of a mapping back to where they are from
 * @m: the mapping; pages that are still mapped are left alone
 */
void gntdev_grants_free_pages(struct mapping *m)
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
			gntdev_dma_memory_put_pages(m, i, n);
		else
			gnttab_free_pages(n, m->pages + i);
		memset(m->pages + i, 0, n * sizeof(m->pages[0]));
		cond_resched();
	}
}
