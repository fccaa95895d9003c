// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "rows.h"

struct machine_event events[MAX_EVENTS];
size_t seen;

static void record(const struct machine_event *event, void *arg)
{
	if (event->kind != MACHINE_EVENT_USER && seen < MAX_EVENTS)
		events[seen++] = *event;
}

void watch(void)
{
	seen = 0;
	machine_watch(record, NULL);
}
