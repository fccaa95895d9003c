/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Defects that drivers of this kind have had and that only a forced failure
 * shows: one test each, named after the number of its row in the project's list
 * of them.
 */
#ifndef FAULT_ROWS_H
#define FAULT_ROWS_H

#include "../unit/world.h"

#define RW (PROT_READ | PROT_WRITE)
#define CLEAR UNMAP_NOTIFY_CLEAR_BYTE
#define SEND UNMAP_NOTIFY_SEND_EVENT

/* The named call fails, the @nth time from now, and no other. */
static inline void fail_call(const char *name, uint64_t nth,
			     unsigned int variant, bool persistent)
{
	machine_fail_nth(nth, variant, persistent);
	machine_fail_only(name);
}

static inline bool in_use(unsigned int i)
{
	/* GTF_reading, GTF_writing */
	return domain_grant_flags(world.granter, world.refs[i]) & 0x18;
}

static inline struct machine_counters counters(void)
{
	struct machine_counters n;

	machine_counters(&n);
	return n;
}

/* What happened, in order. */
#define MAX_EVENTS 1024
extern struct machine_event events[MAX_EVENTS];
extern size_t seen;
void watch(void);

#endif /* FAULT_ROWS_H */
