// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Descriptors that are waited for. An event carries a number, not a pointer: a
 * thread that drains may have done with a watch whose event another thread has
 * just been given.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server.h"

#define EVENTS 64

static int epoll = -1;
static pthread_t main_thread;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
/* A place's number is in the low half of an id, how often used in the high. */
static struct place {
	struct watch *watch;
	uint32_t used;
	uint32_t next; /* of the free ones */
} *places;
static uint32_t place_count;
static uint32_t first_free; /* place_count: none */

/* Recursive: what is done with something that ended may end something else. */
pthread_mutex_t ending;

void watch_init(void)
{
	pthread_mutexattr_t recursive;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&ending, &recursive);
	pthread_mutexattr_destroy(&recursive);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	main_thread = pthread_self();
}

static int more_places(void)
{
	struct place *more;
	uint32_t i, count = place_count + EVENTS;

	more = realloc(places, count * sizeof(*places));
	if (!more)
		return -ENOMEM;
	places = more;
	for (i = place_count; i < count; i++)
		places[i] = (struct place){.next = i + 1};
	place_count = count;

	return 0;
}

int watch_add(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events};
	struct place *place;
	int error = 0;

	pthread_mutex_lock(&table_lock);
	if (first_free == place_count)
		error = more_places();
	if (!error) {
		place = &places[first_free];
		event.data.u64 = (uint64_t)++place->used << 32 | first_free;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0)
			error = -errno;
	}
	if (!error) {
		watch->id = event.data.u64;
		place->watch = watch;
		first_free = place->next;
	}
	pthread_mutex_unlock(&table_lock);

	return error;
}

void watch_change(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = watch->id,
	};

	epoll_ctl(epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void watch_stop(struct watch *watch)
{
	uint32_t i;

	pthread_mutex_lock(&table_lock);
	if (watch->id) {
		/* Copies of the descriptor may be elsewhere: it has to be said. */
		epoll_ctl(epoll, EPOLL_CTL_DEL, watch->fd, NULL);
		i = watch->id;
		places[i].watch = NULL;
		places[i].next = first_free;
		first_free = i;
		watch->id = 0;
	}
	pthread_mutex_unlock(&table_lock);
}

void watch_close(struct watch *watch)
{
	watch_stop(watch);
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
}

static struct watch *watch_of(uint64_t id)
{
	struct watch *watch = NULL;
	uint32_t i = id;

	pthread_mutex_lock(&table_lock);
	if (i < place_count && places[i].watch && places[i].watch->id == id)
		watch = places[i].watch;
	pthread_mutex_unlock(&table_lock);

	return watch;
}

static void do_with(const struct epoll_event *events, int count)
{
	struct watch *watch;

	for (int i = 0; i < count; i++) {
		watch = watch_of(events[i].data.u64);
		if (watch)
			watch->ready(watch, events[i].events);
	}
}

void watch_wait(int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int count;

	/* What is ready is asked for again with the lock held. */
	count = epoll_wait(epoll, events, 1, timeout_ms);
	if (count > 0)
		watch_drain();
}

/* The lock is taken even if nothing is ready: something may be in work. */
void watch_drain(void)
{
	struct epoll_event events[EVENTS];
	bool some = false;
	int count;

	pthread_mutex_lock(&ending);
	do {
		count = epoll_wait(epoll, events, EVENTS, 0);
		do_with(events, count);
		some |= count > 0;
	} while (count == EVENTS);
	pthread_mutex_unlock(&ending);

	/* It may have been the last thing that the main thread waits for. */
	if (some && !watch_is_main())
		server_wake();
}

bool watch_is_main(void)
{
	return pthread_equal(pthread_self(), main_thread);
}
