/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What happened, for who watches (machine_watch). */
#ifndef MACHINE_BASE_EVENTS_H
#define MACHINE_BASE_EVENTS_H

#include "api.h"

/* Whether somebody watches: what is not wanted need not be made. */
bool event_wanted(void);
void event_emit(const struct machine_event *event);

#endif /* MACHINE_BASE_EVENTS_H */
