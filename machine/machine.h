/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The machine: domains, their grant tables and event channels, and the kernel
 * calls that the grant driver makes, as a library. The driver itself is linked
 * in, unchanged. Nothing here talks to another process: a server, a unit test
 * or a fuzzer puts the calls below around it.
 *
 * One machine a process. Calls may come from any thread once machine_start()
 * has returned and until machine_stop() is called; a call with a task runs "in
 * the kernel" on the calling thread, as that task.
 *
 * Functions that return int or long return 0 (or a positive result) or a
 * negative errno. A misuse of the kernel or of the hypervisor by the driver is
 * never an errno: it ends the process with a message that names it (see
 * machine_config.fatal).
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/api.h"
#include "kernel/api.h"
#include "xen/api.h"

/* ---- start and stop ---- */

enum machine_clock {
	/* Deferred work runs in a thread of its own, when it is due. */
	MACHINE_REAL_TIME,
	/*
	 * Time passes only where the driver sleeps or machine_advance() says
	 * so; deferred work runs in the thread in which it passes.
	 */
	MACHINE_TEST_TIME,
};

/* Zeroes are good: PV, real time, and the defaults named below. */
struct machine_config {
	enum machine_mode mode;
	enum machine_clock clock;
	unsigned int domain_pages; /* memory of each domain; 16384 */
	unsigned int grant_entries; /* of each domain; 32768 */
	unsigned int maptrack; /* mappings a domain may have; 262144 */
	unsigned int gntalloc_limit; /* pages of each domain; 16384 */
	unsigned int driver_limit; /* the driver's parameter; its default */
	unsigned int driver_handles; /* the same */
	uint64_t seed; /* of failures by probability */
	/* Threads wait a little, at random, where they may sleep: races show. */
	bool jitter;
	/* The driver asks for pages before it maps them: they may be paged out. */
	bool paging;
	/* The driver is loaded in domain 0, and may take grants of its own. */
	bool own_grants;
	/* What the driver does not load on: no Xen at all, an old one. */
	bool no_xen, no_avail_bits;
	/*
	 * Whether a task holds a descriptor of @file. Without it: the task
	 * that opened the file and those that forked from it do.
	 */
	bool (*holds)(struct task *task, struct file *file);
	/*
	 * Descriptors of tasks by number, where programs have real ones. Without
	 * it: a table in the machine, see task_descriptor().
	 */
	const struct machine_descriptors *descriptors;
	/* Told the message of a hard failure; must not return. abort(). */
	void (*fatal)(const char *message);
};

/* Starts the machine and loads the driver; what the driver's load returns. */
int machine_start(const struct machine_config *config);

/*
 * Unloads the driver and ends the machine. All tasks must have exited and all
 * files be closed. Prints each thing that is left (memory, pages, grants,
 * event channels, references) on @out and returns their number.
 */
unsigned int machine_stop(FILE *out);

/*
 * What machine_stop() would count if every task exited: nothing is changed.
 * Grants still mapped, by domain, process and range, on @out; their number.
 */
unsigned int machine_report(FILE *out);
/* What one task has mapped, which is about to exit: a line each. */
unsigned int task_report(struct task *task, FILE *out);
/*
 * What is left in an open file: ranges and imports, pages that are granted,
 * ports that are bound: a line each.
 */
unsigned int file_report(struct file *file, FILE *out);
/* Of evtchn: whether its ring has overflown. */
bool file_overflown(struct file *file);

/* The live state: domains, instances, ranges, notifications, mappings. */
void machine_list(FILE *out);

/* What the driver says of all that is held: /proc/driver/xen-gntdev. */
void machine_holdings(FILE *out);

/* The driver's counters. */
struct machine_counters {
	long mapped, deferred, kept, departed, leaked, handles;
};
void machine_counters(struct machine_counters *counters);
/* What it says of a domain's grant table; for a thread without a context. */
long machine_grant_frames(struct domain *domain, bool most);
/* The parameters of the driver and of gntalloc. */
unsigned int machine_driver_limit(void);
void machine_set_driver_limit(unsigned int limit);
unsigned int machine_driver_handles(void);
void machine_set_driver_handles(unsigned int handles);
unsigned int machine_gntalloc_limit(void);
void machine_set_gntalloc_limit(unsigned int limit);

/* What is mapped now. */
void machine_mappings(struct machine_mappings *mappings);

#endif /* MACHINE_H */
