// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The fault sweep. For each scenario: the Nth fallible call fails, for N = 1, 2
 * and so on until none did, in each of its ways, once and from there on. After
 * each run nothing may have leaked, the driver and the hypervisor agree, and
 * the instance, if it is still open, does its work.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios.h"

#define RW (PROT_READ | PROT_WRITE)
#define GRANTS 131

/* What is failing just now: for the message of a hard failure. */
static struct {
	const char *scenario;
	uint64_t nth;
	unsigned int variant;
	bool persistent;
} now;

static void say_where(FILE *out)
{
	fprintf(out, "# in %s, site %llu (%s), variant %u, %s\n", now.scenario,
		(unsigned long long)now.nth,
		machine_failed_name() ? machine_failed_name() : "none",
		now.variant, now.persistent ? "and all after it" : "once");
}

static void fatal(const char *message)
{
	fprintf(stderr, "hard failure: %s\n", message);
	say_where(stderr);
	exit(1);
}

static void at_exit(void)
{
	if (now.nth)
		say_where(stderr);
}

/* The driver counts the pages that the hypervisor has mapped, no more. */
static void check_agreement(void)
{
	struct machine_mappings m;
	struct machine_counters n;

	machine_counters(&n);
	machine_mappings(&m);
	CHECK(n.mapped >= 0 && n.deferred >= 0 && n.leaked >= 0);
	CHECK_EQ(n.deferred, 0);
	CHECK_EQ(n.departed, 0);
	CHECK(n.mapped + n.leaked >= m.kernel);
	if (!m.refused) {
		/* In a PV domain by the kernel, by a program, or by both. */
		CHECK(n.mapped >= m.kernel && n.mapped >= m.user);
		CHECK(n.mapped <= m.kernel + m.user);
		/* Row 59: what the hypervisor had no memory for is lost. */
		CHECK_EQ(n.leaked, m.unpopulated);
	}
}

/* A range of the last grant can be inserted, mapped, used and removed. */
static void check_instance(void)
{
	uint64_t index;

	if (!world.task || !world.file)
		return;
	CHECK_EQ(req_max(world.file, ~0U), 0);
	CHECK_EQ(req_map(world.file, GRANTS - 1, 1, &index), 0);
	CHECK_EQ(map_index(AT(9), index, 1, RW), 0);
	CHECK_EQ(peek(AT(9)), granted(GRANTS - 1)[0]);
	CHECK_EQ(poke(AT(9) + 1, 'k'), 0);
	CHECK_EQ(granted(GRANTS - 1)[1], 'k');
	CHECK_EQ(req_unmap(world.file, index, 1), -16);
	CHECK_EQ(task_munmap(world.task, AT(9), PAGE), 0);
	CHECK_EQ(req_unmap(world.file, index, 1), 0);
}

/* One run; whether a site failed in it. */
static bool sweep_once(const struct scenario *s, uint64_t nth,
		       unsigned int variant, bool persistent,
		       unsigned int *variants)
{
	bool failed;

	now.nth = nth;
	now.variant = variant;
	now.persistent = persistent;
	world_prepare();
	world.config.fatal = fatal;
	world.config.domain_pages = 256;
	world.config.grant_entries = 256;
	world_start();
	grant(GRANTS, false);

	machine_fail_nth(nth, variant, persistent);
	s->run();
	failed = machine_failed();
	*variants = machine_failed_variants();
	machine_fail_none();
	/* Names it still, should a check below fail. */
	machine_advance(2000);
	check_agreement();
	check_instance();
	world_stop();
	now.nth = 0;

	return failed;
}

static uint64_t runs, sites;

static void sweep(const struct scenario *s, bool persistent)
{
	unsigned int variant, variants, ignored;
	uint64_t nth;

	for (nth = 1; sweep_once(s, nth, 0, persistent, &variants); nth++) {
		runs++;
		sites += !persistent;
		/* With all failing from here on, the first variant is known. */
		for (variant = 1; variant < variants && !s->is_long;
		     variant++) {
			sweep_once(s, nth, variant, persistent, &ignored);
			runs++;
		}
	}
}

/* The load itself: the world does not come up, or does. */
static void sweep_load(void)
{
	struct machine_config config = {.mode = test_mode,
					.clock = MACHINE_TEST_TIME};
	uint64_t nth;
	int err;

	for (nth = 1;; nth++) {
		machine_fail_nth(nth, 0, false);
		err = machine_start(&config);
		if (!err && !machine_failed())
			break;
		/* Without its list of holdings it loads all the same. */
		if (!err) {
			CHECK(strstr(machine_log(), "there is no /proc/"));
			machine_fail_none();
			CHECK_EQ(machine_stop(stderr), 0);
			runs++;
			sites++;
			continue;
		}
		/* -ENOMEM, or of a device -EIO. */
		CHECK(err == -12 || err == -5);
		machine_fail_none();
		runs++;
		sites++;
	}
	CHECK_EQ(machine_failed(), 0);
	CHECK_EQ(machine_stop(stderr), 0);
}

static const struct scenario *chosen;

static void run_chosen(void)
{
	atexit(at_exit);
	now.scenario = chosen->name;
	sweep(chosen, false);
	sweep(chosen, true);
	fprintf(stderr, "%s: %llu sites failed, %llu runs\n", chosen->name,
		(unsigned long long)sites, (unsigned long long)runs);
}

static void load_and_unload(void)
{
	sweep_load();
	fprintf(stderr, "load_and_unload: %llu sites failed, %llu runs\n",
		(unsigned long long)sites, (unsigned long long)runs);
}

static const struct scenario *scenario(size_t i)
{
	if (i < nscenarios)
		return &scenarios[i];
	i -= nscenarios;
	if (i < nscenarios_dmabuf)
		return &scenarios_dmabuf[i];

	return &scenarios_area[i - nscenarios_dmabuf];
}

/* The table of tests is that of scenarios; each runs in a child. */
int main(int argc, char **argv)
{
	static struct test tests[64];
	const struct scenario *s;
	size_t i, count = nscenarios + nscenarios_dmabuf + nscenarios_area;

	tests[0] = (struct test)TEST(load_and_unload);
	for (i = 0; i < count; i++) {
		s = scenario(i);
		tests[i + 1] = (struct test){.name = s->name,
					     .run = run_chosen,
					     .modes = s->modes,
					     .arg = s};
	}
	tap_arg = (const void **)&chosen;

	return tap_main(argc, argv, tests, count + 1);
}
