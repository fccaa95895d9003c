// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The machine as a whole: start, stop, what it tells of itself. */
#include <pthread.h>
#include <stdlib.h>

#include "machine.h"
#include "devices/devices.h"
#include "inspect.h"
#include "kernel/alloc.h"
#include "kernel/calls.h"
#include "kernel/descriptors.h"
#include "kernel/dma.h"
#include "kernel/faults.h"
#include "kernel/files.h"
#include "kernel/lent_pages.h"
#include "kernel/pages.h"
#include "kernel/vmap.h"
#include "kernel/waiting.h"
#include "kernel/xen_calls.h"
#include "xen/xen.h"

/* The driver's parameter. */
extern unsigned int gntdev_limit, gntdev_handles;

static struct {
	struct machine_config config;
	bool running;
	unsigned int default_limit, default_handles;
} machine;

/* ---- start and stop ---- */

static int load(void)
{
	struct context c;
	int err;

	context_enter(&c, NULL,
		      machine.config.own_grants ? domain_get(0) : NULL);
	err = machine_module_load();
	context_leave(&c);

	return err;
}

int machine_start(const struct machine_config *config)
{
	int err;

	if (machine.running)
		machine_fatal("machine_start: it is running");
	machine.config = *config;
	machine_fatal_to(config->fatal);
	if (!machine.default_limit) {
		machine.default_limit = gntdev_limit;
		machine.default_handles = gntdev_handles;
	}
	gntdev_limit = config->driver_limit ?: machine.default_limit;
	gntdev_handles = config->driver_handles ?: machine.default_handles;

	machine_log_clear();
	locks_start(config->jitter);
	context_start();
	/* What a failed load may need was asked for before. */
	pages_start();
	ports_start();
	tracks_start(config->maptrack);
	grant_places_start();
	domains_start(&(struct xen_config){
		.mode = config->mode,
		.pages = config->domain_pages,
		.entries = config->grant_entries,
		.is_absent = config->no_xen,
		.has_no_avail_bits = config->no_avail_bits,
	});
	gntalloc_start(config->gntalloc_limit);
	files_start(config->holds);
	devices_start();
	descriptors_start(config->descriptors);
	xen_calls_start(config->paging);
	dma_start();
	waiting_start(config->clock == MACHINE_TEST_TIME);
	driver_reset();
	faults_seed(config->seed);
	err = load();
	machine.running = !err;
	machine_driver.loaded = !err;
	if (err && waiting_stop(stderr) + devices_leaks(stderr) +
			   proc_leaks(stderr) + dma_leaks(stderr) +
			   alloc_leaks(stderr))
		machine_fatal("the driver did not load, and left things behind");

	return err;
}

unsigned int machine_stop(FILE *out)
{
	struct machine_counters counters;
	unsigned int count = 0;
	struct context c;

	if (!machine.running)
		machine_fatal("machine_stop: it is not running");
	machine_fail_none();
	count += tasks_leaks(out);
	count += files_leaks(out, false);

	context_enter(&c, NULL, NULL);
	/* In the kernel an unload is refused as long as this is so. */
	if (!waiting_for_none(&machine_driver.users)) {
		count += files_leaks(out, true);
		if (!waiting_for_none(&machine_driver.users))
			machine_fatal(
				"the driver cannot be unloaded: does I/O hold pages?");
	}
	machine_counters(&counters);
	machine_module_unload();
	context_leave(&c);

	count += files_leaks(out, true);
	count += devices_leaks(out);
	count += proc_leaks(out);
	count += dma_leaks(out);
	gntalloc_stop_looking();
	count += waiting_stop(out);
	count += gntalloc_stop(out);
	count += foreign_leaks(out);
	count += vmap_leaks(out);
	count += pages_leaks(out, counters.leaked);
	count += tracks_leaks(out);
	count += ports_leaks(out);
	count += alloc_leaks(out);
	domains_stop();
	lent_files_stop();
	machine.running = false;
	machine_driver.loaded = false;

	return count;
}

void machine_counters(struct machine_counters *counters)
{
	counters->mapped = device_attribute("mapped");
	counters->deferred = device_attribute("deferred");
	counters->kept = device_attribute("kept");
	counters->departed = device_attribute("departed");
	counters->leaked = device_attribute("leaked");
	counters->handles = device_attribute("handles");
}

long machine_grant_frames(struct domain *domain, bool most)
{
	struct context c;
	long frames;

	context_enter(&c, NULL, domain);
	frames = device_attribute(most ? "max_grant_frames" : "grant_frames");
	context_leave(&c);

	return frames;
}

void machine_mappings(struct machine_mappings *m)
{
	memset(m, 0, sizeof(*m));
	m->unpopulated = pages_refused();
	tracks_count(m);
}

void machine_holdings(FILE *out)
{
	proc_read(out);
}

unsigned int machine_driver_limit(void)
{
	return READ_ONCE(gntdev_limit);
}

void machine_set_driver_limit(unsigned int value)
{
	WRITE_ONCE(gntdev_limit, value);
}

unsigned int machine_driver_handles(void)
{
	return READ_ONCE(gntdev_handles);
}

void machine_set_driver_handles(unsigned int value)
{
	WRITE_ONCE(gntdev_handles, value);
}

unsigned int machine_driver_users(void)
{
	return __atomic_load_n(&machine_driver.users, __ATOMIC_SEQ_CST);
}

unsigned int machine_gntalloc_limit(void)
{
	return gntalloc_limit();
}

void machine_set_gntalloc_limit(unsigned int value)
{
	gntalloc_set_limit(value);
}
