// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Options, preparation, and the verdict in TAP. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "stress.h"

struct shared *shm;
int shm_fd = -1;

static struct {
	u32 seconds;
	u32 kill_ms;
	const char *program;
	bool grants_counted;
	long mapped_before;
	long leaked_before;
} opt = {.seconds = 20, .kill_ms = 4000};

static const char usage[] =
	"Usage: stress [OPTION]...\n"
	"Runs random operations on /dev/xen/gntdev in many processes and kills\n"
	"these at random. Prints TAP; exits with 0 if nothing was found.\n"
	"\n"
	"Grants come from /dev/xen/gntalloc, to this domain (its number from\n"
	"LAB_DOMID, else 0); with GNTDEV_GRANTER=peer from the first domain, with\n"
	"peer:N from domain N, where \"granter --peer DOMID\" of tests/abi runs\n"
	"meanwhile.\n"
	"\n"
	"  --seconds N   how long (20)\n"
	"  --seed N      of all random numbers (a new one)\n"
	"  --procs N     worker processes (4)\n"
	"  --threads N   threads of each (4)\n"
	"  --kill-ms N   mean life of a worker in ms, 0: none is killed (4000)\n"
	"  --disk PATH   disk of 16 MiB to overwrite, for direct I/O\n"
	"  --other-program PATH  every second worker runs this build (32-bit)\n"
	"  --avoid A,B   leave these operations out\n"
	"  --only A,B    do these operations alone\n"
	"  --list        names of all operations\n";

static void bail_out(const char *what, int e)
{
	printf("Bail out! %s%s%s\n", what, e ? ": " : "", e ? strerror(e) : "");
	exit(2);
}

static void switch_operations(char *list, u8 to)
{
	char *name, *rest;
	int n;

	for (name = strtok_r(list, ",", &rest); name;
	     name = strtok_r(NULL, ",", &rest)) {
		n = operation_find(name);
		if (n < 0) {
			fprintf(stderr,
				"stress: no operation is called %s; --list shows all\n",
				name);
			exit(2);
		}
		shm->enabled[n] = to;
	}
}

static void only(char *list)
{
	u32 i;

	for (i = 0; i < operation_count; i++)
		if (operations[i].weight)
			shm->enabled[i] = 0;
	switch_operations(list, 1);
}

static u64 number(const char *text, u64 min, u64 max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || *end || end == text || n < min || n > max) {
		fprintf(stderr, "stress: %s is no number from %llu to %llu\n",
			text, (unsigned long long)min, (unsigned long long)max);
		exit(2);
	}
	return n;
}

static void list_operations(void)
{
	u32 i;

	for (i = 0; i < operation_count; i++)
		puts(operations[i].name);
	exit(0);
}

static void take_option(int o, char *arg)
{
	switch (o) {
	case 's':
		opt.seconds = (u32)number(arg, 1, 1000000);
		break;
	case 'r':
		shm->seed = number(arg, 0, ~0ull);
		break;
	case 'p':
		shm->workers = (u32)number(arg, 1, WORKERS_MAX);
		break;
	case 't':
		shm->threads = (u32)number(arg, 1, THREADS_MAX);
		break;
	case 'k':
		opt.kill_ms = (u32)number(arg, 0, 1000000);
		break;
	case 'd':
		shm->has_disk = 1;
		snprintf(shm->disk, sizeof(shm->disk), "%s", arg);
		break;
	case 'w':
		opt.program = arg;
		break;
	case 'a':
		switch_operations(arg, 0);
		break;
	case 'o':
		only(arg);
		break;
	case 'l':
		list_operations();
		break;
	default:
		fputs(usage, o == 'h' ? stdout : stderr);
		exit(o == 'h' ? 0 : 2);
	}
}

static void take_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 's'},
		{"seed", required_argument, NULL, 'r'},
		{"procs", required_argument, NULL, 'p'},
		{"threads", required_argument, NULL, 't'},
		{"kill-ms", required_argument, NULL, 'k'},
		{"disk", required_argument, NULL, 'd'},
		{"other-program", required_argument, NULL, 'w'},
		{"avoid", required_argument, NULL, 'a'},
		{"only", required_argument, NULL, 'o'},
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	u32 i, on = 0;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(o, optarg);
	for (i = 0; i < operation_count; i++)
		on += shm->enabled[i] && operations[i].weight;
	if (!on)
		bail_out("no operation is left to do", 0);
	shm->pages = COMMON_PAGES + shm->workers * shm->threads * 2 * OWN_PAGES;
	if (shm->pages > POOL_MAX)
		bail_out("more threads than there are pages for", 0);
}

static void make_shared(void)
{
	char *domid = getenv("LAB_DOMID"), *granter = getenv("GNTDEV_GRANTER");

	shm_fd = memfd_create("stress", MFD_CLOEXEC);
	if (shm_fd < 0 || ftruncate(shm_fd, sizeof(*shm)))
		bail_out("shared memory", errno);
	shm = mmap(NULL, sizeof(*shm), PROT_READ | PROT_WRITE, MAP_SHARED,
		   shm_fd, 0);
	if (shm == MAP_FAILED)
		bail_out("shared memory", errno);
	shm->size = sizeof(*shm);
	shm->operations = operation_count;
	shm->workers = 4;
	shm->threads = 4;
	shm->own_domid = domid ? (u32)number(domid, 0, 0x7fef) : 0;
	shm->domid = shm->own_domid;
	shm->remote = granter && !strncmp(granter, "peer", 4);
	memset(shm->enabled, 1, operation_count);
	if (getrandom(&shm->seed, sizeof(shm->seed), 0) != sizeof(shm->seed))
		shm->seed = now_ns();
}

static bool file_says(const char *path, char *to, int room)
{
	FILE *f = fopen(path, "r");
	bool ok = f && fgets(to, room, f);

	if (f)
		fclose(f);
	return ok;
}

/* One of the driver's own counters, or -1 where it has none. */
static long counter(const char *name)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/sys/class/misc/xen!gntdev/%s", name);
	return file_says(path, text, sizeof(text)) ? atol(text) : -1;
}

static void look_around(void)
{
	char text[32];

	shm->limit = 65536;
	if (file_says("/sys/module/xen_gntdev/parameters/limit", text,
		      sizeof(text)))
		shm->limit = (u32)strtoul(text, NULL, 10);
	shm->paravirtual =
		file_says("/sys/hypervisor/guest_type", text, sizeof(text)) &&
		!strcmp(text, "PV\n");
	opt.mapped_before = counter("mapped");
	opt.leaked_before = counter("leaked");
	opt.grants_counted = opt.mapped_before >= 0;
	if (!opt.grants_counted)
		say("# this driver has no counters of its own");
	if (!shm->has_disk)
		say("# no --disk: direct I/O is left out");
	if (shm->remote && !shm->paravirtual)
		say("# the granter is another domain: nothing is revoked");
}

/* What is given back late is given back within seconds. */
static void check_counters(void)
{
	int i;

	for (i = 0; i < 40; i++) {
		if (counter("mapped") <= opt.mapped_before &&
		    counter("deferred") <= 0)
			break;
		pause_ms(500);
	}
	if (!opt.grants_counted)
		return;
	say("# the driver counts %ld mapped, %ld deferred, %ld leaked",
	    counter("mapped"), counter("deferred"), counter("leaked"));
	if (counter("mapped") != opt.mapped_before || counter("deferred"))
		controller_finding(
			FOUND_GRANT,
			"the driver counts %ld grants as mapped (%ld before), %ld as deferred",
			counter("mapped"), opt.mapped_before,
			counter("deferred"));
	if (counter("leaked") != opt.leaked_before)
		controller_finding(FOUND_GRANT,
				   "the driver counts %ld leaked pages",
				   counter("leaked"));
}

static u32 never_done(void)
{
	u32 i, n = 0;

	for (i = 0; i < operation_count; i++) {
		if (!operation_lacks(i))
			continue;
		say("# never done: %s", operations[i].name);
		n++;
	}
	return n;
}

static void summary(void)
{
	u32 i, worst = 0;

	for (i = 0; i < operation_count; i++)
		if (shm->longest_ns[i] > shm->longest_ns[worst])
			worst = i;
	say("# longest: %s, %llu ms; %llu calls out of memory",
	    operations[worst].name,
	    (unsigned long long)shm->longest_ns[worst] / 1000000u,
	    (unsigned long long)shm->no_memory);
}

static int verdict(bool complete)
{
	static const char *const point[FOUND_CLASSES] = {
		[FOUND_CONTRACT] =
			"every answer is one that the contract allows",
		[FOUND_DATA] = "the data of every page is whole",
		[FOUND_STUCK] = "no worker is stuck or dies by itself",
		[FOUND_GRANT] = "every grant is free again at the end",
		[FOUND_LOG] = "the kernel log is clean",
	};
	int failed = 0;
	u32 i, missed = never_done();

	summary();
	say("1..%d", FOUND_CLASSES + 1);
	for (i = 0; i < FOUND_CLASSES; i++) {
		failed += shm->findings[i] > 0;
		say("%sok %u - %s", shm->findings[i] ? "not " : "", i + 1,
		    point[i]);
	}
	failed += missed > 0 || !complete;
	say("%sok %d - every operation of the table was done",
	    missed || !complete ? "not " : "", FOUND_CLASSES + 1);
	if (failed)
		say("# seed 0x%llx", (unsigned long long)shm->seed);
	return failed ? 1 : 0;
}

/* Started by the controller of another build: all comes by descriptors. */
static int be_worker(char **argv)
{
	u32 i;

	shm = mmap(NULL, sizeof(*shm), PROT_READ | PROT_WRITE, MAP_SHARED,
		   WORKER_FD, 0);
	if (shm == MAP_FAILED || shm->size != sizeof(*shm) ||
	    shm->operations != operation_count) {
		say("# --other-program is of another version than this program");
		return 75;
	}
	pool_fd = WORKER_FD + 1;
	for (i = 0; i < BOARDS - 1; i++)
		common_fd[i] = WORKER_FD + 2 + (int)i;
	for (i = 0; i < 4; i++)
		fcntl(WORKER_FD + (int)i, F_SETFD, FD_CLOEXEC);
	if (!shm->remote && !granter_attach())
		return 76;
	return worker_main((u32)number(argv[2], 0, WORKERS_MAX - 1),
			   (u32)number(argv[3], 0, ~0u));
}

int main(int argc, char **argv)
{
	bool complete;
	long rc;

	if (argc == 4 && !strcmp(argv[1], "--worker"))
		return be_worker(argv);
	if (argc == 2 && !strcmp(argv[1], "--version"))
		return 0; /* what the operation exec runs */
	make_shared();
	take_options(argc, argv);
	say("TAP version 13");
	say("# seed 0x%llx, %u workers of %u threads, %u s",
	    (unsigned long long)shm->seed, shm->workers, shm->threads,
	    opt.seconds);
	look_around();
	rc = shm->remote ? remote_create() : pool_create();
	if (rc)
		bail_out("no grants", (int)-rc);
	if (!granter_tag_pages())
		bail_out("the granted pages cannot be written", 0);
	rc = device_open();
	if (rc < 0)
		bail_out("/dev/xen/gntdev", (int)-rc);
	close((int)rc);
	rc = log_open();
	if (rc)
		bail_out("/dev/kmsg", (int)-rc);
	complete = !controller_run(opt.seconds, opt.kill_ms, opt.program);
	if (complete) {
		check_counters();
		if (shm->remote)
			remote_prove_free();
		else
			pool_prove_free();
	} else {
		controller_finding(FOUND_GRANT,
				   "a worker holds its grants for ever");
	}
	log_scan();
	return verdict(complete);
}
