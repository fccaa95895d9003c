// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Addresses. A program may take an area, give a part of it back, and go on as
 * if nobody but itself could have put anything there; what it maps over the
 * area then, or that it unmaps all of it, must not hit what is ours.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "client.h"

/* On either side of a window: what runs over its own end does not get there. */
#define GUARD (16 * PAGE)

static struct {
	char *page, *rooms, *ranges;
	char *windows[WINDOWS]; /* with the guards; NULL: none, or given up */
	bool taken[WINDOWS];
	pthread_mutex_t lock;
} reserved = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char *reserve(size_t size, int prot)
{
	void *at = (void *)raw(SYS_mmap, NULL, size, prot,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			       0);

	return at == MAP_FAILED ? NULL : at;
}

void reserve_begin(void)
{
	reserved.page = reserve(PAGE, PROT_NONE);
	reserved.ranges = reserve(RANGES_BYTES, PROT_READ | PROT_WRITE);
	reserved.rooms = reserve(LINES * ROOM_BYTES, PROT_READ | PROT_WRITE);
	for (int i = 0; reserved.rooms && i < WINDOWS; i++)
		reserved.windows[i] =
			reserve(WINDOW_BYTES + 2 * GUARD, PROT_NONE);
}

void *reserve_page(void)
{
	return reserved.page;
}

void *reserve_ranges(void)
{
	return reserved.ranges;
}

void *reserve_room(int line)
{
	return reserved.rooms ? reserved.rooms + line * ROOM_BYTES : NULL;
}

static void lock(sigset_t *mask)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, mask);
	pthread_mutex_lock(&reserved.lock);
}

static void unlock(const sigset_t *mask)
{
	pthread_mutex_unlock(&reserved.lock);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

void *reserve_window(int window)
{
	char *at;
	sigset_t mask;

	lock(&mask);
	at = reserved.windows[window];
	reserved.taken[window] = at;
	unlock(&mask);

	return at ? at + GUARD : NULL;
}

void reserve_give_up(void)
{
	sigset_t mask;

	if (!channel_on())
		return;
	lock(&mask);
	for (int i = 0; i < WINDOWS; i++) {
		if (!reserved.windows[i] || reserved.taken[i])
			continue;
		raw(SYS_munmap, reserved.windows[i], WINDOW_BYTES + 2 * GUARD);
		reserved.windows[i] = NULL;
	}
	unlock(&mask);
}

void reserve_after_fork(void)
{
	pthread_mutex_init(&reserved.lock, NULL);
}
