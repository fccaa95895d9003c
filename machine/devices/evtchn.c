// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /dev/xen/evtchn. An event on a bound port makes the port readable, once,
 * until the program writes the port back. The ring of such ports overflows only
 * when it is made to fail, see fault_overflow().
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include <linux/ioctl.h>

#include "devices.h"
#include "../kernel/context.h"
#include "../kernel/traced.h"
#include "../kernel/faults.h"
#include "../kernel/user.h"
#include "../xen/xen.h"

#include <xen/evtchn.h>

#define UNRESTRICTED ((domid_t)~0U)

struct bound {
	struct rb_node node;
	u32 port;
	bool masked; /* told, and not written back yet */
	bool pending; /* came while masked */
};

struct evtchn_user {
	struct port_user told; /* of events */
	pthread_mutex_t lock;
	struct file *file;
	struct domain *domain;
	domid_t restricted;
	struct rb_root bound; /* by port */
	u32 *ring; /* told ports; as long as it needs to be */
	size_t first, count, size;
	bool may_overflow, overflown;
};

static struct bound *find(struct evtchn_user *u, u32 port)
{
	struct rb_node *node = u->bound.rb_node;
	struct bound *b;

	while (node) {
		b = rb_entry(node, struct bound, node);
		if (port == b->port)
			return b;
		node = port < b->port ? node->rb_left : node->rb_right;
	}

	return NULL;
}

static void insert(struct evtchn_user *u, struct bound *b)
{
	struct rb_node **link = &u->bound.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = b->port < rb_entry(parent, struct bound, node)->port
			       ? &parent->rb_left
			       : &parent->rb_right;
	}
	rb_link_node(&b->node, parent, link);
	rb_insert_color(&b->node, &u->bound);
}

/* What the ring has no room for is told all the same: it wakes who waits. */
static void push(struct evtchn_user *u, u32 port)
{
	u32 *more;
	size_t i, size;

	if (u->count == u->size) {
		size = u->size ? 2 * u->size : 16;
		more = malloc(size * sizeof(*more));
		if (!more)
			machine_fatal("no memory for events");
		for (i = 0; i < u->count; i++)
			more[i] = u->ring[(u->first + i) % u->size];
		free(u->ring);
		u->ring = more;
		u->size = size;
		u->first = 0;
	}
	u->ring[(u->first + u->count++) % u->size] = port;
	u->overflown |= u->may_overflow && fault_overflow();
}

/* ---- delivery ---- */

static void tell(struct evtchn_user *u)
{
	void (*readable)(struct file *, void *) =
		__atomic_load_n(&u->file->readable, __ATOMIC_ACQUIRE);

	if (readable)
		readable(u->file, u->file->readable_arg);
}

static void deliver(struct port_user *told, u32 port)
{
	struct evtchn_user *u = container_of(told, struct evtchn_user, told);
	struct bound *b;
	bool is_new = false;

	pthread_mutex_lock(&u->lock);
	b = find(u, port);
	if (b && b->masked) {
		b->pending = true;
	} else if (b) {
		b->masked = true;
		push(u, port);
		is_new = true;
	}
	pthread_mutex_unlock(&u->lock);
	if (is_new)
		tell(u);
}

/* ---- requests ---- */

static int evtchn_open(struct inode *inode, struct file *file)
{
	struct evtchn_user *u = calloc(1, sizeof(*u));

	(void)inode;
	if (!u)
		return -ENOMEM;
	pthread_mutex_init(&u->lock, NULL);
	port_user_init(&u->told, deliver, file);
	u->file = file;
	u->domain = file->domain;
	u->restricted = UNRESTRICTED;
	u->may_overflow = machine_may_overflow();
	file->private_data = u;

	return 0;
}

static int evtchn_release(struct inode *inode, struct file *file)
{
	struct evtchn_user *u = file->private_data;
	struct bound *b;

	(void)inode;
	while (!RB_EMPTY_ROOT(&u->bound)) {
		b = rb_entry(u->bound.rb_node, struct bound, node);
		pthread_mutex_lock(&u->lock);
		rb_erase(&b->node, &u->bound);
		pthread_mutex_unlock(&u->lock);
		port_put(b->port, &u->told);
		free(b);
	}
	/* Events that are being told at this moment. */
	port_user_end(&u->told);
	pthread_mutex_destroy(&u->lock);
	free(u->ring);
	free(u);

	return 0;
}

/*
 * Makes a port known to the program; it must be so before its first event.
 * @port is what the hypervisor gave, or its error.
 */
static long bind(struct evtchn_user *u, long port, bool pending)
{
	struct bound *b;

	if (port < 0)
		return port;
	b = calloc(1, sizeof(*b));
	if (!b)
		machine_fatal("no memory for a port");
	b->port = port;
	pthread_mutex_lock(&u->lock);
	insert(u, b);
	pthread_mutex_unlock(&u->lock);
	if (pending)
		deliver(&u->told, port);

	return port;
}

static long bind_interdomain(struct evtchn_user *u, u64 arg)
{
	struct ioctl_evtchn_bind_interdomain op;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	if (u->restricted != UNRESTRICTED && u->restricted != op.remote_domain)
		return -EACCES;
	/* The event that comes with it finds the port unknown: told here. */
	return bind(u,
		    port_interdomain(u->domain, op.remote_domain,
				     op.remote_port, &u->told),
		    true);
}

static long bind_unbound(struct evtchn_user *u, u64 arg)
{
	struct ioctl_evtchn_bind_unbound_port op;

	if (u->restricted != UNRESTRICTED)
		return -EACCES;
	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	return bind(u, port_unbound(u->domain, op.remote_domain, &u->told),
		    false);
}

static long bind_virq(struct evtchn_user *u, u64 arg)
{
	struct ioctl_evtchn_bind_virq op;

	if (u->restricted != UNRESTRICTED)
		return -EACCES;
	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	return bind(u, port_virq(u->domain, op.virq, &u->told), false);
}

static long restrict_domid(struct evtchn_user *u, u64 arg)
{
	struct ioctl_evtchn_restrict_domid op;

	if (u->restricted != UNRESTRICTED)
		return -EACCES;
	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	if (op.domid == 0 || op.domid >= DOMID_FIRST_RESERVED)
		return -EACCES;
	u->restricted = op.domid;

	return 0;
}

/* Requests that name a port of the program's. */
static long on_port(struct evtchn_user *u, unsigned int cmd, u64 arg)
{
	struct ioctl_evtchn_notify op;
	struct bound *b;

	if (!user_read(current, &op, arg, sizeof(op)))
		return -EFAULT;
	pthread_mutex_lock(&u->lock);
	b = find(u, op.port);
	if (b && cmd == IOCTL_EVTCHN_UNBIND)
		rb_erase(&b->node, &u->bound);
	pthread_mutex_unlock(&u->lock);
	if (!b)
		return -ENOTCONN;
	if (cmd == IOCTL_EVTCHN_UNBIND) {
		port_put(op.port, &u->told);
		free(b);
	} else {
		port_send(u->domain, op.port);
	}

	return 0;
}

static long evtchn_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct evtchn_user *u = file->private_data;

	switch (cmd) {
	case IOCTL_EVTCHN_BIND_VIRQ:
		return bind_virq(u, arg);
	case IOCTL_EVTCHN_BIND_INTERDOMAIN:
		return bind_interdomain(u, arg);
	case IOCTL_EVTCHN_BIND_UNBOUND_PORT:
		return bind_unbound(u, arg);
	case IOCTL_EVTCHN_UNBIND:
	case IOCTL_EVTCHN_NOTIFY:
		return on_port(u, cmd, arg);
	case IOCTL_EVTCHN_RESET:
		pthread_mutex_lock(&u->lock);
		u->count = 0;
		u->overflown = false;
		pthread_mutex_unlock(&u->lock);
		return 0;
	case IOCTL_EVTCHN_RESTRICT_DOMID:
		return restrict_domid(u, arg);
	default:
		return -ENOSYS;
	}
}

/* ---- reading and writing ---- */

static ssize_t evtchn_read(struct file *file, void *buf, size_t size)
{
	struct evtchn_user *u = file->private_data;
	size_t n = size / sizeof(u32), i;

	if (!n)
		return 0;
	pthread_mutex_lock(&u->lock);
	n = min(n, u->count);
	for (i = 0; i < n; i++)
		((u32 *)buf)[i] = u->ring[(u->first + i) % u->size];
	if (n)
		u->first = (u->first + n) % u->size;
	u->count -= n;
	pthread_mutex_unlock(&u->lock);

	return n ? (ssize_t)(n * sizeof(u32)) : -EAGAIN;
}

static ssize_t evtchn_write(struct file *file, const void *buf, size_t size)
{
	struct evtchn_user *u = file->private_data;
	size_t n = size / sizeof(u32), i;
	bool told = false;
	struct bound *b;
	u32 port;

	pthread_mutex_lock(&u->lock);
	for (i = 0; i < n; i++) {
		memcpy(&port, (const char *)buf + i * sizeof(port),
		       sizeof(port));
		b = find(u, port);
		if (!b || !b->masked)
			continue;
		b->masked = b->pending;
		if (b->pending) {
			push(u, port);
			told = true;
		}
		b->pending = false;
	}
	pthread_mutex_unlock(&u->lock);
	if (told)
		tell(u);

	return n * sizeof(u32);
}

static short evtchn_poll(struct file *file)
{
	struct evtchn_user *u = file->private_data;
	short events = POLLOUT;

	pthread_mutex_lock(&u->lock);
	if (u->count)
		events |= POLLIN;
	if (u->overflown)
		events = POLLERR;
	pthread_mutex_unlock(&u->lock);

	return events;
}

bool evtchn_overflown(struct file *file)
{
	struct evtchn_user *u = file->private_data;
	bool overflown;

	pthread_mutex_lock(&u->lock);
	overflown = u->overflown;
	pthread_mutex_unlock(&u->lock);

	return overflown;
}

unsigned int evtchn_report(struct file *file, FILE *out)
{
	struct evtchn_user *u = file->private_data;
	unsigned int count = 0;
	struct rb_node *node;

	pthread_mutex_lock(&u->lock);
	for (node = rb_first(&u->bound); node; node = rb_next(node), count++)
		fprintf(out, "evtchn: port %u bound and not unbound\n",
			rb_entry(node, struct bound, node)->port);
	pthread_mutex_unlock(&u->lock);

	return count;
}

static const struct file_operations evtchn_fops = {
	.open = evtchn_open,
	.release = evtchn_release,
	.unlocked_ioctl = evtchn_ioctl,
	.compat_ioctl = evtchn_ioctl,
};

static const struct trace_symbol requests[] = {
	{0, "BIND_VIRQ"},
	{1, "BIND_INTERDOMAIN"},
	{2, "BIND_UNBOUND_PORT"},
	{3, "UNBIND"},
	{4, "NOTIFY"},
	{5, "RESET"},
	{6, "RESTRICT_DOMID"},
	{0, NULL},
};

const struct device_kind evtchn_device = {
	.name = "evtchn",
	.fops = &evtchn_fops,
	.read = evtchn_read,
	.write = evtchn_write,
	.poll = evtchn_poll,
	.requests = requests,
};
