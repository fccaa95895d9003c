// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /dev/xen/gntalloc: pages that a program of a domain grants to another one. A
 * page that the peer still maps when its program lets go of it stays granted;
 * the kernel looks each second whether it can be given back.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <linux/ioctl.h>

#include "devices.h"
#include "../kernel/context.h"
#include "../kernel/traced.h"
#include "../kernel/user.h"
#include "../kernel/waiting.h"
#include "../xen/xen.h"

#include <xen/gntalloc.h>

struct gref {
	struct list_head node; /* of all, in order of making */
	struct list_head in_file; /* of its file, in order of index */
	struct domain *domain;
	unsigned int users; /* its file, and VMAs */
	u64 index;
	u32 ref;
	unsigned long pfn;
	u8 action;
	u16 byte;
	u32 port;
};

struct opener {
	struct list_head grefs;
	u64 next;
};

/* What a VMA shows, for as long as it lives, forks of it too. */
struct shown {
	unsigned int vmas;
	size_t count;
	struct gref *grefs[];
};

static struct {
	pthread_mutex_t lock; /* of everything here */
	struct list_head all;
	unsigned int limit;
	struct delayed_work look; /* while a page waits for its peer */
} gntalloc = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the life of a page ---- */

/* Gives the page back if nobody maps it any more; the lock is held. */
static bool gref_free(struct gref *g)
{
	if (domain_ungrant(g->domain, g->ref)) {
		waiting_later(&gntalloc.look, HZ);
		return false;
	}
	domain_page_free(g->domain, g->pfn);
	list_del(&g->node);
	free(g);
	return true;
}

/* The last user on this side is gone: tells the peer, once. */
static void gref_drop(struct gref *g)
{
	if (--g->users)
		return;
	if (g->action & UNMAP_NOTIFY_CLEAR_BYTE)
		g->domain->memory[(g->pfn << PAGE_SHIFT) + g->byte] = 0;
	if (g->action & UNMAP_NOTIFY_SEND_EVENT) {
		port_send(g->domain, g->port);
		port_put(g->port, NULL);
	}
	g->action = 0;
	gref_free(g);
}

static void collect(void)
{
	struct gref *g, *next;

	list_for_each_entry_safe(g, next, &gntalloc.all, node) {
		if (!g->users)
			gref_free(g);
	}
}

static void look(struct work_struct *work)
{
	(void)work;
	pthread_mutex_lock(&gntalloc.lock);
	collect();
	pthread_mutex_unlock(&gntalloc.lock);
}

static unsigned int pages_of(const struct domain *d)
{
	unsigned int n = 0;
	struct gref *g;

	list_for_each_entry(g, &gntalloc.all, node)
		n += g->domain == d;
	return n;
}

static struct gref *gref_new(struct domain *d, struct opener *o, u16 domid,
			     bool readonly)
{
	struct gref *g = calloc(1, sizeof(*g));
	long pfn, ref;

	if (!g)
		return NULL;
	pfn = domain_page_alloc(d);
	if (pfn < 0) {
		free(g);
		return NULL;
	}
	ref = domain_grant(d, domid, pfn, readonly);
	if (ref < 0) {
		domain_page_free(d, pfn);
		free(g);
		return NULL;
	}
	g->domain = d;
	g->users = 1;
	g->index = o->next;
	g->ref = ref;
	g->pfn = pfn;
	o->next += PAGE_SIZE;
	list_add_tail(&g->node, &gntalloc.all);
	list_add_tail(&g->in_file, &o->grefs);

	return g;
}

static struct gref *next_in_file(const struct gref *g)
{
	return list_entry(g->in_file.next, struct gref, in_file);
}

/* The grefs from @index on are @count in a row: the first, or NULL. */
static struct gref *find(struct opener *o, u64 index, u32 count)
{
	struct gref *g, *first = NULL;

	list_for_each_entry(g, &o->grefs, in_file) {
		if (!first && g->index == index)
			first = g;
		if (first && g->index != index)
			return NULL;
		if (first) {
			if (!--count)
				return first;
			index += PAGE_SIZE;
		}
	}

	return NULL;
}

/* ---- requests ---- */

static void take_back(struct opener *o, u64 from)
{
	struct gref *g, *next;

	list_for_each_entry_safe(g, next, &o->grefs, in_file) {
		if (g->index < from)
			continue;
		list_del(&g->in_file);
		gref_drop(g);
	}
	o->next = from;
}

static long alloc_locked(struct file *file,
			 struct ioctl_gntalloc_alloc_gref *op, u32 *refs)
{
	struct opener *o = file->private_data;
	struct gref *g;
	u32 i;

	collect();
	if (pages_of(file->domain) + op->count > gntalloc_limit())
		return -ENOSPC;
	op->index = o->next;
	for (i = 0; i < op->count; i++) {
		g = gref_new(file->domain, o, op->domid,
			     !(op->flags & GNTALLOC_FLAG_WRITABLE));
		if (!g) {
			take_back(o, op->index);
			return -ENOSPC;
		}
		refs[i] = g->ref;
	}

	return 0;
}

static long alloc_request(struct file *file, u64 arg)
{
	struct ioctl_gntalloc_alloc_gref op;
	u64 refs_at = arg + offsetof(typeof(op), gref_ids);
	u32 *refs;
	long err;

	if (!user_read(current, &op, arg, offsetof(typeof(op), gref_ids)))
		return -EFAULT;
	if (op.count > gntalloc_limit())
		return -ENOSPC;
	refs = calloc(op.count ?: 1, sizeof(*refs));
	if (!refs)
		return -ENOMEM;

	pthread_mutex_lock(&gntalloc.lock);
	err = alloc_locked(file, &op, refs);
	pthread_mutex_unlock(&gntalloc.lock);
	if (!err &&
	    (!user_write(current, arg, &op, offsetof(typeof(op), gref_ids)) ||
	     !user_write(current, refs_at, refs, op.count * sizeof(*refs)))) {
		pthread_mutex_lock(&gntalloc.lock);
		take_back(file->private_data, op.index);
		pthread_mutex_unlock(&gntalloc.lock);
		err = -EFAULT;
	}
	free(refs);

	return err;
}

static long dealloc_request(struct file *file, u64 arg)
{
	struct ioctl_gntalloc_dealloc_gref op;
	struct gref *g, *next;
	long err = -EINVAL;
	u32 i;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	pthread_mutex_lock(&gntalloc.lock);
	g = find(file->private_data, op.index, op.count);
	if (g) {
		for (i = 0; i < op.count; i++, g = next) {
			next = next_in_file(g);
			list_del(&g->in_file);
			gref_drop(g);
		}
		err = 0;
	}
	collect();
	pthread_mutex_unlock(&gntalloc.lock);

	return err;
}

static long notify_locked(struct file *file,
			  const struct ioctl_gntalloc_unmap_notify *op)
{
	struct gref *g = find(file->private_data, op->index & PAGE_MASK, 1);

	if (!g)
		return -ENOENT;
	if (op->action & ~(UNMAP_NOTIFY_SEND_EVENT | UNMAP_NOTIFY_CLEAR_BYTE))
		return -EINVAL;
	if (op->action & UNMAP_NOTIFY_SEND_EVENT &&
	    port_get(g->domain, op->event_channel_port))
		return -EINVAL;
	if (g->action & UNMAP_NOTIFY_SEND_EVENT)
		port_put(g->port, NULL);
	g->action = op->action;
	g->byte = op->index & ~PAGE_MASK;
	g->port = op->event_channel_port;

	return 0;
}

static long set_notify(struct file *file, u64 arg)
{
	struct ioctl_gntalloc_unmap_notify op;
	long err;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	pthread_mutex_lock(&gntalloc.lock);
	err = notify_locked(file, &op);
	pthread_mutex_unlock(&gntalloc.lock);

	return err;
}

static long gntalloc_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	switch (cmd) {
	case IOCTL_GNTALLOC_ALLOC_GREF:
		return alloc_request(file, arg);
	case IOCTL_GNTALLOC_DEALLOC_GREF:
		return dealloc_request(file, arg);
	case IOCTL_GNTALLOC_SET_UNMAP_NOTIFY:
		return set_notify(file, arg);
	default:
		return -ENOTTY;
	}
}

/* ---- files and mappings ---- */

static int gntalloc_open(struct inode *inode, struct file *file)
{
	struct opener *o = calloc(1, sizeof(*o));

	(void)inode;
	if (!o)
		return -ENOMEM;
	INIT_LIST_HEAD(&o->grefs);
	file->private_data = o;

	return 0;
}

static int gntalloc_release(struct inode *inode, struct file *file)
{
	(void)inode;
	pthread_mutex_lock(&gntalloc.lock);
	take_back(file->private_data, 0);
	collect();
	pthread_mutex_unlock(&gntalloc.lock);
	free(file->private_data);

	return 0;
}

static void shown_open(struct vm_area_struct *vma)
{
	struct shown *s = vma->vm_private_data;

	pthread_mutex_lock(&gntalloc.lock);
	s->vmas++;
	pthread_mutex_unlock(&gntalloc.lock);
}

static void shown_close(struct vm_area_struct *vma)
{
	struct shown *s = vma->vm_private_data;
	size_t i;

	pthread_mutex_lock(&gntalloc.lock);
	if (--s->vmas == 0) {
		for (i = 0; i < s->count; i++)
			gref_drop(s->grefs[i]);
		free(s);
	}
	pthread_mutex_unlock(&gntalloc.lock);
}

static const struct vm_operations_struct shown_ops = {
	.open = shown_open,
	.close = shown_close,
};

static int mmap_locked(struct file *file, struct vm_area_struct *vma,
		       struct shown *s)
{
	u64 index = (u64)vma->vm_pgoff << PAGE_SHIFT;
	struct gref *g = find(file->private_data, index, s->count);
	size_t i;

	if (!g)
		return -ENOENT;
	/* They are in a row: find() has seen that. */
	for (i = 0; i < s->count; i++, g = next_in_file(g)) {
		g->users++;
		s->grefs[i] = g;
		vma_set_frame(vma, i, g->domain, g->pfn);
	}

	return 0;
}

static int gntalloc_mmap(struct file *file, struct vm_area_struct *vma)
{
	size_t count = vma_pages(vma);
	struct shown *s;
	int err;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	s = calloc(1, sizeof(*s) + count * sizeof(s->grefs[0]));
	if (!s)
		return -ENOMEM;
	s->vmas = 1;
	s->count = count;

	pthread_mutex_lock(&gntalloc.lock);
	err = mmap_locked(file, vma, s);
	pthread_mutex_unlock(&gntalloc.lock);
	if (err) {
		free(s);
		return err;
	}
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_MIXEDMAP);
	vma->vm_private_data = s;
	vma->vm_ops = &shown_ops;

	return 0;
}

static const struct file_operations gntalloc_fops = {
	.open = gntalloc_open,
	.release = gntalloc_release,
	.mmap = gntalloc_mmap,
	.unlocked_ioctl = gntalloc_ioctl,
	.compat_ioctl = gntalloc_ioctl,
};

static const struct trace_symbol requests[] = {
	{5, "ALLOC_GREF"},
	{6, "DEALLOC_GREF"},
	{7, "SET_UNMAP_NOTIFY"},
	{0, NULL},
};

const struct device_kind gntalloc_device = {
	.name = "gntalloc",
	.fops = &gntalloc_fops,
	.requests = requests,
	.grants = true,
};

/* ---- start and stop ---- */

void gntalloc_start(unsigned int limit)
{
	gntalloc.limit = limit ?: 16384;
	INIT_LIST_HEAD(&gntalloc.all);
	INIT_DELAYED_WORK(&gntalloc.look, look);
}

void gntalloc_stop_looking(void)
{
	waiting_cancel(&gntalloc.look);
}

unsigned int gntalloc_stop(FILE *out)
{
	unsigned int count = 0;
	struct gref *g, *next;

	list_for_each_entry_safe(g, next, &gntalloc.all, node) {
		/* Who maps it is told elsewhere. */
		if (g->users) {
			count++;
			if (out)
				fprintf(out,
					"machine: grant %u of domain %u has %u users left\n",
					g->ref, g->domain->id, g->users);
		}
		if (!g->users && !domain_ungrant(g->domain, g->ref))
			domain_page_free(g->domain, g->pfn);
		list_del(&g->node);
		free(g);
	}

	return count;
}

void gntalloc_list(struct domain *d, FILE *out)
{
	struct gref *g;

	pthread_mutex_lock(&gntalloc.lock);
	list_for_each_entry(g, &gntalloc.all, node) {
		if (g->domain != d)
			continue;
		fprintf(out,
			"  grant %u: frame %lu for domain %u, %u users, flags %#x",
			g->ref, g->pfn, d->table[g->ref].domid, g->users,
			domain_grant_flags(d, g->ref));
		if (g->action & UNMAP_NOTIFY_CLEAR_BYTE)
			fprintf(out, ", clears byte %u", g->byte);
		if (g->action & UNMAP_NOTIFY_SEND_EVENT)
			fprintf(out, ", sends on port %u", g->port);
		fputc('\n', out);
	}
	pthread_mutex_unlock(&gntalloc.lock);
}

unsigned int gntalloc_limit(void)
{
	return READ_ONCE(gntalloc.limit);
}

void gntalloc_set_limit(unsigned int limit)
{
	WRITE_ONCE(gntalloc.limit, limit);
}

/* The last of a run of pages with neighbouring references for one domain. */
static struct gref *end_of_run(const struct opener *o, struct gref *last)
{
	const struct grant_entry *table = last->domain->table;
	struct gref *g = next_in_file(last);

	while (&g->in_file != &o->grefs && g->ref == last->ref + 1 &&
	       table[g->ref].domid == table[last->ref].domid) {
		last = g;
		g = next_in_file(g);
	}

	return last;
}

unsigned int gntalloc_report(struct file *file, FILE *out)
{
	const struct opener *o = file->private_data;
	struct gref *first, *last;
	unsigned int count = 0;

	pthread_mutex_lock(&gntalloc.lock);
	first = list_entry(o->grefs.next, struct gref, in_file);
	for (; &first->in_file != &o->grefs; first = next_in_file(last)) {
		last = end_of_run(o, first);
		count++;
		fprintf(out,
			"gntalloc: %u pages granted to domain %u, references %u to %u\n",
			last->ref - first->ref + 1,
			first->domain->table[first->ref].domid, first->ref,
			last->ref);
	}
	pthread_mutex_unlock(&gntalloc.lock);

	return count;
}

void gntalloc_describe(const struct vm_area_struct *vma, FILE *out)
{
	const struct shown *s = vma->vm_private_data;
	const struct gref *first;

	if (!s || !s->count)
		return;
	pthread_mutex_lock(&gntalloc.lock);
	first = s->grefs[0];
	fprintf(out, ", granted to domain %u from reference %u on",
		first->domain->table[first->ref].domid, first->ref);
	pthread_mutex_unlock(&gntalloc.lock);
}
