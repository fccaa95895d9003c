// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Operations on unmap notifications. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"

#define CLEAR 1u
#define EVENT 2u

/* The slot for a page's notification; one page has one. */
static struct notify *notify_slot(struct range *r, u32 page)
{
	struct notify *n, *spare = NULL;

	for (n = r->notify; n < r->notify + NOTIFIES; n++) {
		if (n->action && n->page == page)
			return n;
		if (!n->action)
			spare = n;
	}
	return spare;
}

static long set_notify(struct ctx *c, struct range *r, u32 page, u32 offset,
		       u32 action, u32 port)
{
	return device_notify(c, c->instance[r->instance].fd,
			     r->index + (u64)page * PAGE + offset, action,
			     port);
}

static bool arm(struct ctx *c, struct range *r, u32 action)
{
	u32 page = rnd(c, r->count);
	u32 offset = TAG_BYTES + rnd(c, PAGE - TAG_BYTES);
	struct notify *n = notify_slot(r, page);

	if (!n)
		return false;
	if (!EXPECT(c,
		    set_notify(c, r, page, offset, action,
			       action & EVENT ? c->near_port : rnd(c, 4096)),
		    "SET_UNMAP_NOTIFY", 0))
		return false;
	n->page = page;
	n->offset = offset;
	n->action = action;
	return true;
}

bool op_notify(struct ctx *c)
{
	struct range *r = range_want(c, WANT_WRITABLE);
	u32 action = 1 + rnd(c, c->near_port ? 3 : 1);

	if (!r || r->instance == NO_INSTANCE || !arm(c, r, action))
		return false;
	/* Sooner or later it is unmapped anyhow; often here. */
	return chance(c, 50) || range_munmap(c, r);
}

bool op_notify_cancel(struct ctx *c)
{
	struct range *r = range_want(c, WANT_WRITABLE);
	struct notify *n;

	if (!r || r->instance == NO_INSTANCE)
		return false;
	if (!range_armed(r, 3) &&
	    !arm(c, r, CLEAR | (c->near_port ? EVENT : 0)))
		return false;
	for (n = r->notify; n < r->notify + NOTIFIES; n++) {
		if (!n->action)
			continue;
		if (!EXPECT(c, set_notify(c, r, n->page, 0, 0, ~0u),
			    "SET_UNMAP_NOTIFY 0", 0))
			return false;
		n->action = 0;
	}
	return range_munmap(c, r);
}

bool op_notify_bad(struct ctx *c)
{
	struct range *r = range_want(c, WANT_WRITABLE);
	u64 end;
	long rc;

	if (!r || r->instance == NO_INSTANCE)
		return false;
	end = (u64)r->count * PAGE;
	switch (rnd(c, 4)) {
	case 0:
		rc = set_notify(c, r, 0, 100, 4u << rnd(c, 30), 0);
		return EXPECT(c, rc, "SET_UNMAP_NOTIFY with unknown actions",
			      EINVAL);
	case 1:
		rc = set_notify(c, r, 0, 100, EVENT, ~0u >> rnd(c, 12));
		return EXPECT(c, rc, "SET_UNMAP_NOTIFY with no such port",
			      EINVAL);
	case 2:
		rc = set_notify(c, r, 0, 100, EVENT, 0);
		return EXPECT(c, rc, "SET_UNMAP_NOTIFY with port 0", EINVAL);
	default:
		end += 1ull << (50 + rnd(c, 8));
		rc = device_notify(c, c->instance[r->instance].fd,
				   r->index + end, CLEAR, 0);
		return EXPECT(c, rc, "SET_UNMAP_NOTIFY outside of all ranges",
			      ENOENT);
	}
}

/* Whether that thread's process has ended, or another one has its place. */
static bool has_gone(const struct thread_slot *slot, u32 generation)
{
	return kill((pid_t)slot->pid, 0) ||
	       generation !=
		       __atomic_load_n(&slot->generation, __ATOMIC_SEQ_CST);
}

/*
 * A port of another process, which has to live on for the answer to count: what
 * it had may be this process's now. It ends some time before that is seen.
 */
bool op_notify_foreign_port(struct ctx *c)
{
	struct range *r = range_want(c, WANT_WRITABLE);
	u32 w = rnd(c, shm->workers), t = rnd(c, shm->threads), port, was, ms;
	struct thread_slot *slot = &shm->slot[w][t];
	long rc;

	if (!r || r->instance == NO_INSTANCE || w == c->worker)
		return false;
	was = __atomic_load_n(&slot->generation, __ATOMIC_SEQ_CST);
	port = __atomic_load_n(&slot->port, __ATOMIC_SEQ_CST);
	if (!port)
		return false;
	rc = set_notify(c, r, 0, 100, EVENT, port);
	for (ms = 0; !rc && ms < 10000 && !has_gone(slot, was); ms += 10)
		pause_ms(10);
	if (has_gone(slot, was)) {
		if (!rc)
			set_notify(c, r, 0, 0, 0, 0);
		return false;
	}
	return EXPECT(c, rc, "SET_UNMAP_NOTIFY with another process's port",
		      EINVAL);
}

/* A page that is mapped read-only has no byte to clear. */
bool op_notify_read_only(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_INSERTED);

	if (!r || range_armed(r, 3) || !range_map(c, r, PROT_READ))
		return false;
	if (!EXPECT(c, set_notify(c, r, rnd(c, r->count), 200, CLEAR, 0),
		    "SET_UNMAP_NOTIFY CLEAR_BYTE on a read-only mapping",
		    EINVAL))
		return false;
	return chance(c, 50) || range_munmap(c, r);
}

/* The other order: armed first. The machine must survive this one. */
bool op_notify_then_read_only(struct ctx *c)
{
	struct range *r = range_want_own(c, WANT_INSERTED);

	if (!r || (!range_armed(r, CLEAR) && !arm(c, r, CLEAR)))
		return false;
	if (range_map(c, r, PROT_READ) || c->trouble)
		return false;
	if (chance(c, 50))
		return range_remove(c, r);
	return range_map(c, r, PROT_READ | PROT_WRITE) && range_munmap(c, r);
}

/* Never mapped: no byte is written, the event is sent on removal. */
bool op_notify_unmapped(struct ctx *c)
{
	struct range *r = range_insert(c, 1 + rnd(c, 4), true, false);
	u32 i;

	if (!r || !c->near_port || !arm(c, r, CLEAR | EVENT))
		return false;
	if (chance(c, 30)) {
		i = r->instance;
		instance_close(c, i);
		return !c->trouble && instance_open(c, i);
	}
	if (!range_remove(c, r))
		return false;
	for (i = 0; i < r->count; i++)
		if (memcmp(granter_view(c, r->page[i]),
			   shadow_of(c, r->page[i]), PAGE))
			finding(c, FOUND_CONTRACT,
				"a page that was never mapped was written");
	return !c->trouble;
}

/* The program closes its event channel device first; the event comes still. */
bool op_notify_evtchn_closed(struct ctx *c)
{
	struct range *r = range_want(c, WANT_WRITABLE);
	u32 near_port, far_port, page;
	struct notify *n;
	int fd;

	if (!c->near_port || !r || r->instance == NO_INSTANCE)
		return false;
	page = rnd(c, r->count);
	n = notify_slot(r, page);
	if (!n || n->action)
		return false;
	fd = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (evtchn_pair(fd, c->evtchn, &near_port, &far_port)) {
		close(fd);
		return false;
	}
	EXPECT(c, set_notify(c, r, page, 0, EVENT, near_port),
	       "SET_UNMAP_NOTIFY", 0);
	close(fd);
	evtchn_drain(c->evtchn);
	if (!c->trouble)
		EXPECT(c, device_munmap(r->addr, r->count), "munmap", 0);
	if (!c->trouble && !evtchn_wait(c->evtchn, far_port, 10000))
		finding(c, FOUND_CONTRACT,
			"no event came by a port whose owner closed evtchn");
	evtchn_unbind(c->evtchn, far_port);
	if (c->trouble)
		return false;
	r->prot = 0;
	memset(r->notify, 0, sizeof(r->notify));
	family_quiet(family_epoch() - 1);
	own_pages_reset(c); /* a byte may have been cleared as well */
	return true;
}
