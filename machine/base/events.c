// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Events go to one watcher, on the thread where they happen. */
#include "events.h"

static void (*watcher)(const struct machine_event *event, void *arg);
static void *watcher_arg;

void machine_watch(void (*watch)(const struct machine_event *, void *arg),
		   void *arg)
{
	watcher = watch;
	watcher_arg = arg;
}

bool event_wanted(void)
{
	return watcher;
}

void event_emit(const struct machine_event *event)
{
	if (watcher)
		watcher(event, watcher_arg);
}
