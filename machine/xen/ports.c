// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Event channels: ports, who is at their other end, who is told. */
#include <stdlib.h>

#include "xen.h"

/* As many as a domain with FIFO event channels may have. */
#define MAX_PORTS 131072U

enum port_state {
	PORT_FREE,
	PORT_UNBOUND, /* waits for @remote to bind to it */
	PORT_INTERDOMAIN,
	PORT_VIRQ,
};

struct port {
	enum port_state state;
	struct domain *domain;
	unsigned int remote; /* domain */
	u32 remote_port;
	unsigned int virq;
	struct port_user *user; /* who bound it through /dev/xen/evtchn */
	bool forgotten; /* the domain was restored since it was bound */
	int irq;
	int refs; /* 0: a kernel's own port, which has none */
	unsigned long events; /* delivered to a kernel's own port */
	void (*on_event)(void *arg); /* of such a port; or NULL */
	void *on_event_arg;
};

/* Under the hypervisor's lock. Port 0 is none. */
static struct {
	struct port *ports;
	u32 size;
	int next_irq;
} table;

/* ---- who is told ---- */

void port_user_init(struct port_user *user,
		    void (*deliver)(struct port_user *user, u32 port),
		    void *file)
{
	user->deliver = deliver;
	user->file = file;
	user->deliveries = 0;
	pthread_cond_init(&user->idle, NULL);
}

void port_user_end(struct port_user *user)
{
	hypervisor_lock();
	while (user->deliveries)
		hypervisor_wait(&user->idle);
	hypervisor_unlock();
	pthread_cond_destroy(&user->idle);
}

void port_user_put(struct port_user *user)
{
	hypervisor_lock();
	if (--user->deliveries == 0)
		pthread_cond_broadcast(&user->idle);
	hypervisor_unlock();
}

/* ---- ports ---- */

void ports_start(void)
{
	free(table.ports);
	table.ports = NULL;
	table.size = 0;
}

static struct port *port_at(u32 port)
{
	if (!port || port >= table.size || table.ports[port].state == PORT_FREE)
		return NULL;
	return &table.ports[port];
}

static struct port *port_of(struct domain *d, u32 port)
{
	struct port *p = port_at(port);

	return p && p->domain == d ? p : NULL;
}

/* The lowest free one, so that a closed one is soon another's. */
static long port_new(struct domain *d, struct port_user *user)
{
	struct port *more;
	u32 i, size;

	for (i = 1; i < table.size; i++) {
		if (table.ports[i].state == PORT_FREE)
			break;
	}
	if (i >= MAX_PORTS)
		return -ENOSPC;
	if (i >= table.size) {
		size = table.size ? 2 * table.size : 64;
		more = realloc(table.ports, size * sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + table.size, 0,
		       (size - table.size) * sizeof(*more));
		i = table.size ?: 1;
		table.ports = more;
		table.size = size;
	}
	table.ports[i] = (struct port){
		.domain = d,
		.user = user,
		.refs = user ? 1 : 0,
		.irq = table.next_irq++,
	};

	return i;
}

/* Tells a port's owner; the lock is held, and not while a program is told. */
static void deliver(u32 port)
{
	struct port *p = port_at(port);
	struct port_user *user = p->user;

	if (!user) {
		p->events++;
		if (p->on_event)
			p->on_event(p->on_event_arg);
		return;
	}
	user->deliveries++;
	hypervisor_unlock();
	user->deliver(user, port);
	port_user_put(user);
	hypervisor_lock();
}

static void port_close(u32 port)
{
	struct port *p = port_at(port), *other;

	if (p->state == PORT_INTERDOMAIN) {
		other = port_at(p->remote_port);
		other->state = PORT_UNBOUND;
		other->remote = p->domain->id;
	}
	p->state = PORT_FREE;
}

long port_unbound(struct domain *d, unsigned int remote, struct port_user *user)
{
	long port;

	if (remote != DOMID_SELF && remote >= DOMID_FIRST_RESERVED)
		return -ESRCH;

	hypervisor_lock();
	port = port_new(d, user);
	if (port > 0) {
		table.ports[port].state = PORT_UNBOUND;
		table.ports[port].remote = remote == DOMID_SELF ? d->id
								: remote;
	}
	hypervisor_unlock();

	return port;
}

long port_interdomain(struct domain *d, unsigned int remote, u32 remote_port,
		      struct port_user *user)
{
	struct domain *other = remote == DOMID_SELF ? d : domain_find(remote);
	struct port *p, *q;
	long port = -EINVAL;

	if (!other)
		return -ESRCH;

	hypervisor_lock();
	q = port_of(other, remote_port);
	if (q && q->state == PORT_UNBOUND && q->remote == d->id)
		port = port_new(d, user);
	if (port > 0) {
		/* The table may have moved. */
		q = port_at(remote_port);
		q->state = PORT_INTERDOMAIN;
		q->remote_port = port;
		p = &table.ports[port];
		p->state = PORT_INTERDOMAIN;
		p->remote = other->id;
		p->remote_port = remote_port;
		/* Events may have been sent before: one is always seen. */
		deliver(port);
	}
	hypervisor_unlock();

	return port;
}

/* Each is bound once: a device's driver binds those of a processor to the first. */
static bool virq_is_bound(const struct domain *d, unsigned int virq)
{
	for (u32 i = 1; i < table.size; i++) {
		if (table.ports[i].state == PORT_VIRQ &&
		    table.ports[i].domain == d && table.ports[i].virq == virq)
			return true;
	}

	return false;
}

long port_virq(struct domain *d, unsigned int virq, struct port_user *user)
{
	long port;

	if (virq >= NR_VIRQS)
		return -EINVAL;
	hypervisor_lock();
	port = virq_is_bound(d, virq) ? -EEXIST : port_new(d, user);
	if (port > 0) {
		table.ports[port].state = PORT_VIRQ;
		table.ports[port].virq = virq;
	}
	hypervisor_unlock();

	return port;
}

int port_send(struct domain *d, u32 port)
{
	struct machine_event event = {
		.kind = MACHINE_EVENT_SEND,
		.port = port,
	};
	struct port *p;
	int err = 0;

	hypervisor_lock();
	p = d ? port_of(d, port) : port_at(port);
	if (p && p->forgotten)
		machine_fatal(
			"an event is sent on port %u, which went when the domain was saved",
			port);
	if (p)
		event.domain = p->domain->id;
	if (!p)
		err = -EINVAL;
	else if (p->state == PORT_INTERDOMAIN)
		deliver(p->remote_port);
	hypervisor_unlock();
	event.status = err;
	event_emit(&event);

	return err;
}

int port_get(struct domain *d, u32 port)
{
	struct port *p;
	int err = -EINVAL;

	hypervisor_lock();
	p = port_of(d, port);
	if (p && p->refs > 0) {
		p->refs++;
		err = 0;
	}
	hypervisor_unlock();

	return err;
}

void port_put(u32 port, struct port_user *user)
{
	struct port *p;

	hypervisor_lock();
	p = port_at(port);
	if (!p || p->refs <= 0)
		machine_fatal("evtchn_put of port %u, which nobody holds",
			      port);
	if (p->forgotten && !user)
		machine_fatal(
			"evtchn_put of port %u, which went when the domain was saved",
			port);
	if (user)
		p->user = NULL;
	if (--p->refs == 0)
		port_close(port);
	hypervisor_unlock();
}

int port_status(struct domain *d, u32 port, struct port_status *status)
{
	static const u32 states[] = {
		[PORT_FREE] = PORT_STATUS_CLOSED,
		[PORT_UNBOUND] = PORT_STATUS_UNBOUND,
		[PORT_INTERDOMAIN] = PORT_STATUS_INTERDOMAIN,
		[PORT_VIRQ] = PORT_STATUS_VIRQ,
	};
	const struct port *p;

	if (port >= MAX_PORTS)
		return -EINVAL;
	memset(status, 0, sizeof(*status));
	hypervisor_lock();
	p = port_of(d, port);
	if (p) {
		status->state = states[p->state];
		status->remote = p->remote;
		status->remote_port = p->remote_port;
	}
	hypervisor_unlock();

	return 0;
}

int port_irq(u32 port)
{
	struct port *p;
	int irq;

	hypervisor_lock();
	p = port_at(port);
	irq = p ? p->irq : -1;
	hypervisor_unlock();

	return irq;
}

/*
 * Of the references, those of /dev/xen/evtchn are left to be put. Some numbers
 * are somebody else's at once.
 */
void machine_resume(void)
{
	struct port *p;

	hypervisor_lock();
	for (p = table.ports; p < table.ports + table.size; p++) {
		if (p->state == PORT_FREE || !p->refs)
			continue;
		p->forgotten = true;
		p->refs = p->user ? 1 : 0;
		p->irq = p->irq % 2 ? -1 : table.next_irq++;
	}
	hypervisor_unlock();
}

struct port_user *port_user_get(u32 port)
{
	struct port_user *user = NULL;
	struct port *p;

	hypervisor_lock();
	p = port_at(port);
	if (p)
		user = p->user;
	if (user)
		user->deliveries++;
	hypervisor_unlock();

	return user;
}

bool port_is_of(u32 port, const struct port_user *user)
{
	struct port *p;
	bool is;

	hypervisor_lock();
	p = port_at(port);
	is = p && p->user == user;
	hypervisor_unlock();

	return is;
}

unsigned int ports_leaks(FILE *out)
{
	unsigned int count = 0;
	u32 i;

	for (i = 1; i < table.size; i++) {
		if (table.ports[i].state == PORT_FREE || !table.ports[i].refs)
			continue;
		count++;
		if (out)
			fprintf(out,
				"machine: port %u of domain %u still has %d references\n",
				i, table.ports[i].domain->id,
				table.ports[i].refs);
	}

	return count;
}

void ports_list(struct domain *d, FILE *out)
{
	static const char *const names[] = {"free", "unbound", "interdomain",
					    "virq"};
	struct port *p;
	u32 i;

	hypervisor_lock();
	for (i = 1; i < table.size; i++) {
		p = port_of(d, i);
		if (!p)
			continue;
		fprintf(out, "  port %u: %s", i, names[p->state]);
		if (p->state == PORT_UNBOUND)
			fprintf(out, ", for domain %u", p->remote);
		if (p->state == PORT_INTERDOMAIN)
			fprintf(out, ", with port %u of domain %u",
				p->remote_port, p->remote);
		fprintf(out, ", %d references\n", p->refs);
	}
	hypervisor_unlock();
}

/* ---- a kernel's own ports ---- */

long domain_port_unbound(struct domain *d, unsigned int remote)
{
	return port_unbound(d, remote, NULL);
}

long domain_port_bind(struct domain *d, unsigned int remote, uint32_t port)
{
	return port_interdomain(d, remote, port, NULL);
}

int domain_port_close(struct domain *d, uint32_t port)
{
	struct port *p;
	int err = -EINVAL;

	hypervisor_lock();
	p = port_of(d, port);
	if (p && !p->refs) {
		port_close(port);
		err = 0;
	}
	hypervisor_unlock();

	return err;
}

int domain_port_send(struct domain *d, uint32_t port)
{
	return port_send(d, port);
}

unsigned long domain_port_events(const struct domain *d, uint32_t port)
{
	unsigned long events = 0;
	struct port *p;

	hypervisor_lock();
	p = port_at(port);
	if (p && p->domain == d)
		events = p->events;
	hypervisor_unlock();

	return events;
}

void domain_port_on_event(struct domain *d, uint32_t port,
			  void (*on_event)(void *arg), void *arg)
{
	struct port *p;

	hypervisor_lock();
	p = port_of(d, port);
	if (!p || p->refs)
		machine_fatal("port %u is no kernel's of domain %u", port,
			      d->id);
	p->on_event = on_event;
	p->on_event_arg = arg;
	hypervisor_unlock();
}
