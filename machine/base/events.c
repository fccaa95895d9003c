// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Events go to one watcher, on the thread where they happen. */
#include "events.h"

static void (*watcher)(const struct machine_event *event, void *arg);
static void *watcher_arg;

void machine_watch(void (*watch)(const struct machine_event *, void *arg),
		   void *arg)
{
	watcher_arg = arg;
	__atomic_store_n(&watcher, watch, __ATOMIC_RELEASE);
}

bool event_wanted(void)
{
	return __atomic_load_n(&watcher, __ATOMIC_ACQUIRE);
}

void event_emit(const struct machine_event *event)
{
	/* It may end just now. */
	void (*watch)(const struct machine_event *, void *) =
		__atomic_load_n(&watcher, __ATOMIC_ACQUIRE);

	if (watch)
		watch(event, watcher_arg);
}
