// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Programs that share a domain's connection to xenstored. Their requests are
 * numbered anew, and the tokens of their watches get a prefix, so that answers
 * and events find back. With a program go its watches and its transactions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus.h"

/* How long an answer to the server itself may take. */
#define PATIENCE_S 10

static void note_pending(struct bus_user *user, struct wire_message *message,
			 bool wanted)
{
	struct pending *pending = must_alloc(sizeof(*pending));

	pending->request = ++user->bus->requests;
	pending->theirs = message->header.request;
	pending->type = message->header.type;
	pending->user = wanted ? user : NULL;
	message->header.request = pending->request;
	TAILQ_INSERT_TAIL(&user->bus->pendings, pending, entry);
}

/* Path, token, maybe more: the token gets its user's number before it. */
static void mark_token(const struct bus_user *user,
		       struct wire_message *message)
{
	char *path = message->payload, *token, prefix[16];
	size_t length = message->header.length, more;

	token = memchr(path, '\0', length);
	more = snprintf(prefix, sizeof(prefix), "%u:", user->number);
	if (!token || length + more > WIRE_PAYLOAD)
		return;
	token++;
	memmove(token + more, token, length - (token - path));
	memcpy(token, prefix, more);
	message->header.length += more;
}

static void keep(struct bus_user *user, const struct wire_message *message)
{
	struct belonging *belonging = must_alloc(sizeof(*belonging));

	if (message->header.type == WIRE_WATCH) {
		belonging->length = message->header.length;
		belonging->watch = must_alloc(belonging->length);
		memcpy(belonging->watch, message->payload, belonging->length);
	} else {
		belonging->transaction = strtoul(message->payload, NULL, 10);
	}
	TAILQ_INSERT_TAIL(&user->belongings, belonging, entry);
}

static void drop(struct bus_user *user, struct belonging *belonging)
{
	TAILQ_REMOVE(&user->belongings, belonging, entry);
	free(belonging->watch);
	free(belonging);
}

static void drop_watch(struct bus_user *user,
		       const struct wire_message *message)
{
	struct belonging *belonging;

	TAILQ_FOREACH(belonging, &user->belongings, entry)
	{
		if (belonging->watch &&
		    belonging->length == message->header.length &&
		    !memcmp(belonging->watch, message->payload,
			    belonging->length)) {
			drop(user, belonging);
			return;
		}
	}
}

static void drop_transaction(struct bus_user *user, uint32_t transaction)
{
	struct belonging *belonging;

	TAILQ_FOREACH(belonging, &user->belongings, entry)
	{
		if (!belonging->watch &&
		    belonging->transaction == transaction) {
			drop(user, belonging);
			return;
		}
	}
}

static void pass_on(struct bus_user *user, struct wire_message *message)
{
	if (message->header.type == WIRE_WATCH ||
	    message->header.type == WIRE_UNWATCH)
		mark_token(user, message);
	if (message->header.type == WIRE_WATCH)
		keep(user, message);
	if (message->header.type == WIRE_UNWATCH)
		drop_watch(user, message);
	if (message->header.type == WIRE_TRANSACTION_END)
		drop_transaction(user, message->header.transaction);
	note_pending(user, message, true);
	bus_send(user->bus, message);
}

/*
 * xenstored drops permissions for domains that it has not been told of. On a
 * machine a domain is there when its first program starts, but the program of
 * its peer may come before that and name it. Then it is there from that moment:
 * returns the first such domain of a request, or 0.
 */
static unsigned int names_unknown(const struct wire_message *message)
{
	const char *text = message->payload;
	const char *end = text + message->header.length;
	unsigned int domid;

	if (message->header.type != WIRE_SET_PERMS)
		return 0;
	/* The path comes first. */
	for (text += strlen(text) + 1; text < end; text += strlen(text) + 1) {
		domid = *text ? strtoul(text + 1, NULL, 10) : 0;
		if (domid && !xenstore_knows(domid))
			return domid;
	}

	return 0;
}

/* Until xenstored knows the domains that the requests in wait name. */
static void *introduce(void *arg)
{
	struct device *device = arg;
	struct bus_user *user = device->user;
	struct bus *bus = user->bus;
	unsigned int domid;
	struct held *held;

	pthread_mutex_lock(&bus->lock);
	while ((held = TAILQ_FIRST(&user->helds))) {
		domid = bus->broken ? 0 : names_unknown(&held->message);
		if (domid) {
			pthread_mutex_unlock(&bus->lock);
			xenstore_introduce(domid);
			pthread_mutex_lock(&bus->lock);
			continue;
		}
		TAILQ_REMOVE(&user->helds, held, entry);
		if (!bus->broken)
			pass_on(user, &held->message);
		free(held);
	}
	pthread_mutex_unlock(&bus->lock);
	device_put(device);
	server_thread_done();

	return NULL;
}

/* A whole request of a program. */
static void take(struct bus_user *user)
{
	bool waits = !TAILQ_EMPTY(&user->helds);
	struct held *held;

	user->in.payload[user->in.header.length] = '\0';
	if (!waits && !names_unknown(&user->in)) {
		pass_on(user, &user->in);
		return;
	}

	held = must_alloc(sizeof(*held));
	held->message = user->in;
	TAILQ_INSERT_TAIL(&user->helds, held, entry);
	if (waits)
		return;
	device_get(user->device);
	if (!server_thread(introduce, user->device))
		return;
	/* This program's xenstore ends with that, and nothing else. */
	TAILQ_REMOVE(&user->helds, held, entry);
	free(held);
	device_put(user->device);
	device_hang_up(user->device);
}

void bus_user_write(struct bus_user *user, const char *bytes, size_t size)
{
	struct wire_message *in = &user->in;
	size_t header = sizeof(in->header), need, part;
	struct bus *bus = user->bus;

	pthread_mutex_lock(&bus->lock);
	while (size && !bus->broken) {
		need = header;
		if (user->got >= header)
			need += in->header.length;
		part = need - user->got < size ? need - user->got : size;
		memcpy((char *)in + user->got, bytes, part);
		user->got += part;
		bytes += part;
		size -= part;

		if (user->got == header && in->header.length > WIRE_PAYLOAD) {
			/* The kernel would refuse the write. */
			device_hang_up(user->device);
			break;
		}
		if (user->got >= header &&
		    user->got == header + in->header.length) {
			user->got = 0;
			take(user);
		}
	}
	pthread_mutex_unlock(&bus->lock);
}

static void give(struct bus_user *user, const struct wire_message *message)
{
	if (user->device)
		device_write(user->device, message,
			     sizeof(message->header) + message->header.length);
}

/* An event's token says whose it is. */
static void route_event(struct bus *bus, struct wire_message *message)
{
	char *path = message->payload, *token, *rest;
	size_t length = message->header.length;
	struct bus_user *user;
	uint32_t number;

	token = memchr(path, '\0', length);
	if (!token)
		return;
	number = strtoul(++token, &rest, 10);
	if (*rest++ != ':')
		return;

	TAILQ_FOREACH(user, &bus->users, entry)
	{
		if (user->number != number)
			continue;
		memmove(token, rest, path + length - rest);
		message->header.length -= rest - token;
		give(user, message);
		return;
	}
}

static int error_of(const struct wire_message *message)
{
	if (message->header.type != WIRE_ERROR)
		return 0;
	if (!strcmp(message->payload, "EEXIST"))
		return -EEXIST;
	server_log("xenstored refuses a request of the machine's own: %s",
		   message->payload);

	return -EIO;
}

static void route_answer(struct bus *bus, struct wire_message *message)
{
	struct pending *pending;
	struct bus_user *user;

	TAILQ_FOREACH(pending, &bus->pendings, entry)
	{
		if (pending->request == message->header.request)
			break;
	}
	if (!pending)
		return;

	user = pending->user;
	message->header.request = pending->theirs;
	TAILQ_REMOVE(&bus->pendings, pending, entry);
	if (user && pending->type == WIRE_TRANSACTION_START &&
	    message->header.type == WIRE_TRANSACTION_START)
		keep(user, message);
	free(pending);
	if (!user)
		return;

	give(user, message);
	if (!user->device) {
		user->answered = true;
		user->result = error_of(message);
		pthread_cond_broadcast(&bus->answered);
	}
}

void bus_user_message(struct bus *bus, struct wire_message *message)
{
	if (message->header.type == WIRE_WATCH_EVENT)
		route_event(bus, message);
	else
		route_answer(bus, message);
}

struct bus_user *bus_user_make(struct bus *bus, struct device *device)
{
	struct bus_user *user = must_alloc(sizeof(*user));

	user->bus = bus;
	user->device = device;
	TAILQ_INIT(&user->belongings);
	TAILQ_INIT(&user->helds);
	pthread_mutex_lock(&state);
	bus->refs++;
	pthread_mutex_unlock(&state);
	pthread_mutex_lock(&bus->lock);
	user->number = ++bus->numbers;
	TAILQ_INSERT_TAIL(&bus->users, user, entry);
	pthread_mutex_unlock(&bus->lock);

	return user;
}

/* Ends a watch or a transaction whose user is gone. */
static void give_up(struct bus_user *user, const struct belonging *belonging)
{
	struct wire_message *message = &user->in;

	memset(&message->header, 0, sizeof(message->header));
	if (belonging->watch) {
		message->header.type = WIRE_UNWATCH;
		message->header.length = belonging->length;
		memcpy(message->payload, belonging->watch, belonging->length);
	} else {
		message->header.type = WIRE_TRANSACTION_END;
		message->header.transaction = belonging->transaction;
		message->header.length = 2;
		memcpy(message->payload, "F", 2);
	}
	note_pending(user, message, false);
	bus_send(user->bus, message);
}

void bus_user_end(struct bus_user *user)
{
	struct bus *bus = user->bus;
	struct belonging *belonging;
	struct pending *pending;

	pthread_mutex_lock(&bus->lock);
	TAILQ_REMOVE(&bus->users, user, entry);
	TAILQ_FOREACH(pending, &bus->pendings, entry)
	{
		if (pending->user == user)
			pending->user = NULL;
	}
	while ((belonging = TAILQ_FIRST(&user->belongings))) {
		if (!bus->broken)
			give_up(user, belonging);
		drop(user, belonging);
	}
	pthread_mutex_unlock(&bus->lock);
	bus_put(bus);
	free(user);
}

/* The lock is held. Users stay until their programs close them. */
void bus_user_forget_all(struct bus *bus)
{
	struct pending *pending;
	struct bus_user *user;

	while ((pending = TAILQ_FIRST(&bus->pendings))) {
		TAILQ_REMOVE(&bus->pendings, pending, entry);
		free(pending);
	}
	TAILQ_FOREACH(user, &bus->users, entry)
	{
		if (user->device)
			device_hang_up(user->device);
	}
}

int bus_user_ask(struct bus_user *user, enum wire_type type,
		 const char *payload, size_t length)
{
	struct bus *bus = user->bus;
	struct timespec limit;
	int result;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += PATIENCE_S;

	pthread_mutex_lock(&bus->lock);
	user->answered = false;
	user->result = -ETIMEDOUT;
	user->in.header = (struct wire_header){
		.type = type,
		.length = length,
	};
	memcpy(user->in.payload, payload, length);
	pass_on(user, &user->in);
	while (!user->answered && !bus->broken &&
	       !pthread_cond_timedwait(&bus->answered, &bus->lock, &limit))
		;
	result = user->result;
	pthread_mutex_unlock(&bus->lock);

	return result;
}
