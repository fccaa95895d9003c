// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The rings between a domain and xenstored, in the domain's own page. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"

#define RING 1024

/* xenstore's grant in every domain. */
#define RESERVED_REF 1

/* The shared page: a fact of the hypervisor's public headers. */
struct rings {
	char requests[RING];
	char answers[RING];
	_Atomic uint32_t requests_cons, requests_prod;
	_Atomic uint32_t answers_cons, answers_prod;
};

/* On whatever thread sends the event, with locks of the library held. */
static void on_event(void *arg)
{
	struct bus *bus = arg;

	sem_post(&bus->work);
}

static struct bus *make(struct domain *domain)
{
	struct bus *bus = must_alloc(sizeof(*bus));

	bus->refs = 1;
	bus->domain = domain;
	bus->pfn = -1;
	sem_init(&bus->work, 0, 0);
	pthread_mutex_init(&bus->lock, NULL);
	pthread_cond_init(&bus->answered, NULL);
	TAILQ_INIT(&bus->pendings);
	TAILQ_INIT(&bus->users);

	return bus;
}

int bus_make_at(struct domain *domain, void *page, struct bus **made)
{
	struct bus *bus = make(domain);

	bus->rings = page;
	bus->port = domain_port_unbound(domain, 0);
	if (bus->port < 0) {
		int error = bus->port;

		bus_put(bus);
		return error;
	}
	domain_port_on_event(domain, bus->port, on_event, bus);
	*made = bus;

	return 0;
}

int bus_make(struct domain *domain, struct bus **made)
{
	long pfn = domain_page_alloc(domain);
	void *page;
	int error;

	if (pfn < 0)
		return pfn;
	page = domain_memory(domain) + pfn * MACHINE_PAGE;
	memset(page, 0, MACHINE_PAGE);
	error = domain_grant_at(domain, RESERVED_REF, 0, pfn, false);
	if (!error)
		error = bus_make_at(domain, page, made);
	if (error)
		domain_page_free(domain, pfn);
	else
		(*made)->pfn = pfn;

	return error;
}

/* As many bytes as there are and fit; the indexes run through 32 bits. */
static size_t put(struct bus *bus)
{
	struct rings *rings = bus->rings;
	uint32_t prod = rings->requests_prod;
	uint32_t room = RING - (prod - rings->requests_cons);
	size_t done = 0;

	if (room > RING)
		return 0;
	for (; done < room && bus->out_sent < bus->out_size; done++)
		rings->requests[prod++ % RING] = bus->out[bus->out_sent++];
	rings->requests_prod = prod;

	return done;
}

static size_t wanted(const struct bus *bus)
{
	size_t header = sizeof(bus->in.header);

	if (bus->in_got < header)
		return header - bus->in_got;

	return header + bus->in.header.length - bus->in_got;
}

static size_t get(struct bus *bus)
{
	struct rings *rings = bus->rings;
	uint32_t cons = rings->answers_cons;
	uint32_t there = rings->answers_prod - cons;
	char *to = (char *)&bus->in + bus->in_got;
	size_t done = 0, want = wanted(bus);

	if (there > RING)
		return 0;
	for (; done < there && done < want; done++)
		to[done] = rings->answers[cons++ % RING];
	rings->answers_cons = cons;
	bus->in_got += done;

	return done;
}

/* A whole message may be there now. */
static void deliver(struct bus *bus)
{
	if (bus->in_got < sizeof(bus->in.header) ||
	    bus->in.header.length > WIRE_PAYLOAD || wanted(bus))
		return;
	bus->in_got = 0;
	bus->in.payload[bus->in.header.length] = '\0';
	bus_user_message(bus, &bus->in);
}

/* Moves what can be moved; whether the other end has to be told. */
static bool move(struct bus *bus)
{
	bool moved = false;
	size_t done;

	do {
		done = put(bus) + get(bus);
		if (done)
			deliver(bus);
		moved |= done;
	} while (done);

	if (bus->out_sent == bus->out_size)
		bus->out_size = bus->out_sent = 0;

	return moved;
}

static void *thread(void *arg)
{
	struct bus *bus = arg;
	bool moved, broken;

	do {
		pthread_mutex_lock(&bus->lock);
		broken = bus->broken;
		moved = !broken && move(bus);
		pthread_mutex_unlock(&bus->lock);

		if (moved)
			domain_port_send(bus->domain, bus->port);
		else if (!broken)
			sem_wait(&bus->work);
	} while (!broken);

	pthread_mutex_lock(&bus->lock);
	bus->up = false;
	pthread_cond_broadcast(&bus->answered);
	pthread_mutex_unlock(&bus->lock);

	return NULL;
}

int bus_start(struct bus *bus)
{
	pthread_t thread_id;
	int error;

	bus->up = true;
	error = pthread_create(&thread_id, NULL, thread, bus);
	if (error) {
		bus->up = false;
		return -error;
	}
	pthread_detach(thread_id);

	return 0;
}

void bus_send(struct bus *bus, const struct wire_message *message)
{
	size_t size = sizeof(message->header) + message->header.length;
	char *more = realloc(bus->out, bus->out_size + size);

	if (!more)
		server_fail("no memory for a request to xenstored");
	memcpy(more + bus->out_size, message, size);
	bus->out = more;
	bus->out_size += size;
	sem_post(&bus->work);
}

void bus_break(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	bus->broken = true;
	bus_user_forget_all(bus);
	sem_post(&bus->work);
	/* The thread does not touch it any more after that. */
	while (bus->up)
		pthread_cond_wait(&bus->answered, &bus->lock);
	pthread_mutex_unlock(&bus->lock);
}

void bus_put(struct bus *bus)
{
	bool last;

	pthread_mutex_lock(&state);
	last = --bus->refs == 0;
	pthread_mutex_unlock(&state);
	if (!last)
		return;

	if (bus->port > 0) {
		domain_port_on_event(bus->domain, bus->port, NULL, NULL);
		domain_port_close(bus->domain, bus->port);
	}
	if (bus->pfn >= 0) {
		domain_ungrant(bus->domain, RESERVED_REF);
		domain_page_free(bus->domain, bus->pfn);
	}
	sem_destroy(&bus->work);
	pthread_cond_destroy(&bus->answered);
	pthread_mutex_destroy(&bus->lock);
	free(bus->out);
	free(bus);
}
