// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Processes end, fork and become others as on the real device. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "behave.h"

extern char **environ;

static bool is_pv(void)
{
	char text[16] = "";
	FILE *file = fopen("/sys/hypervisor/properties/features", "r");

	CHECK(file && fgets(text, sizeof(text), file), "features: %s",
	      strerror(errno));
	fclose(file);
	/* XENFEAT_auto_translated_physmap */
	return !(strtoul(text, NULL, 16) >> 2 & 1);
}

/* Only the child has the grant mapped. */
static pid_t mapping_child(struct pair *pair, int ready)
{
	pid_t child = fork();

	if (!child) {
		uint64_t index;

		pair->dev = open_or_die("/dev/xen/gntdev", O_RDWR);
		pair_map(pair, &index, PROT_READ | PROT_WRITE);
		CHECK(write(ready, "", 1) == 1, "write");
		pause();
	}
	return child;
}

/* A pair of which nothing is mapped. */
static struct pair unmapped(void)
{
	struct pair pair = pair_make(1);

	CHECK(is_busy(pair.refs[0]), "a mapped grant is not in use");
	munmap(pair.mapped, PAGE);
	CHECK(!is_busy(pair.refs[0]), "an unmapped grant is in use");
	return pair;
}

static void killed(void)
{
	struct pair pair = unmapped();
	int ready[2];
	pid_t child;
	char byte;

	CHECK(!pipe(ready), "pipe");
	child = mapping_child(&pair, ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1, "read");
	CHECK(is_busy(pair.refs[0]), "not in use by the child");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(!is_busy(pair.refs[0]), "still in use after the child's end");
}

static void exits(void)
{
	struct pair pair = unmapped();
	pid_t child = fork();

	if (!child) {
		uint64_t index;

		pair_map(&pair, &index, PROT_READ);
		_exit(0);
	}
	must_pass(child);
	CHECK(!is_busy(pair.refs[0]), "still in use after the child's end");
}

static void inherits_mappings(void)
{
	struct pair pair = pair_make(1);
	pid_t child = fork();

	if (!child) {
		int number = read_signal(pair.mapped);

		if (is_pv())
			CHECK(number == SIGSEGV,
			      "a PV child's access: signal %d", number);
		else
			CHECK(!number && pair.mapped[0] == 1,
			      "an auto-translated child's access: signal %d",
			      number);
		CHECK(pair.granted[0] == 1, "gntalloc's pages");
		_exit(0);
	}
	must_pass(child);
	CHECK(pair.mapped[0] == 1, "the parent's mapping is gone");
	pair_end(&pair);
}

/* The parent unmaps; a child that inherited keeps the grant in use. */
static void inherited_outlives(void)
{
	struct pair pair = pair_make(1);
	int gate[2];
	pid_t child;
	char byte;

	CHECK(!pipe(gate), "pipe");
	child = fork();
	if (!child) {
		close(gate[1]);
		_exit(read(gate[0], &byte, 1) != 0);
	}
	munmap(pair.mapped, PAGE);
	CHECK(is_busy(pair.refs[0]) == !is_pv(),
	      "in use after the parent's munmap: %d", is_busy(pair.refs[0]));
	close(gate[1]);
	must_pass(child);
	CHECK(!is_busy(pair.refs[0]), "still in use after the child's end");
}

static void told_to_fork(void)
{
	struct pair pair = pair_make(1);
	pid_t child;

	CHECK(!madvise(pair.mapped, PAGE, MADV_DOFORK), "MADV_DOFORK: %s",
	      strerror(errno));
	child = fork();
	if (!child) {
		int number = read_signal(pair.mapped);

		CHECK(number == (is_pv() ? SIGBUS : 0), "signal %d", number);
		_exit(0);
	}
	must_pass(child);
	pair_end(&pair);
}

static void become(const char *word, int fd, uint32_t ref)
{
	char numbers[2][16];

	snprintf(numbers[0], 16, "%d", fd);
	snprintf(numbers[1], 16, "%u", ref);
	execl("/proc/self/exe", "behave", word, numbers[0], numbers[1], NULL);
	CHECK(false, "exec: %s", strerror(errno));
}

/* Called by main before anything else: what a program becomes. */
static __attribute__((constructor)) void after_exec(int argc, char **argv)
{
	uint32_t count = 7;
	int fd;

	if (argc != 4 || strcmp(argv[1], "after-exec"))
		return;
	fd = atoi(argv[2]);
	CHECK(!ioctl(fd, IOCTL_GNTDEV_SET_MAX_GRANTS, &count),
	      "the inherited device: %s", strerror(errno));
	CHECK(!is_busy(atoi(argv[3])), "the mapping has survived exec");
	_exit(0);
}

static void execs(void)
{
	struct pair pair = unmapped();
	pid_t child = fork();

	if (!child) {
		uint64_t index;

		pair_map(&pair, &index, PROT_READ);
		fcntl(pair.dev, F_SETFD, 0);
		become("after-exec", pair.dev, pair.refs[0]);
	}
	must_pass(child);
}

static void spawns(void)
{
	struct pair pair = pair_make(1);
	char *const words[] = {"true", NULL};
	pid_t child;

	CHECK(!posix_spawnp(&child, "true", NULL, NULL, words, environ),
	      "posix_spawnp: %s", strerror(errno));
	must_pass(child);
	CHECK(!system("true"), "system: %s", strerror(errno));
	child = vfork();
	if (!child) {
		execvp("true", words);
		_exit(1);
	}
	must_pass(child);
	CHECK(pair.mapped[0] == 1, "the mapping is gone");
	pair_end(&pair);
}

/* What no handler is told of. */
static void raw_fork(void)
{
	struct pair pair = pair_make(1), other;
	pid_t child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!child) {
		other = pair_make(1);
		pair_end(&other);
		_exit(0);
	}
	must_pass(child);
	pair_end(&pair);
}

static void *thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		struct pair pair = pair_make(2);

		CHECK(pair.mapped[PAGE] == 2, "wrong data");
		pair_end(&pair);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t all[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&all[i], NULL, thread, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(all[i], NULL);
}

static void *shared(void *arg)
{
	struct pair *pair = arg;

	for (int i = 0; i < 100; i++) {
		uint64_t index;
		uint8_t *at = pair_map(pair, &index, PROT_READ);

		CHECK(at[0] == 1, "wrong data");
		munmap(at, PAGE);
	}
	return NULL;
}

static void shared_device(void)
{
	struct pair pair = pair_make(1);
	pthread_t all[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&all[i], NULL, shared, &pair);
	/* Forks between the threads' calls, too. */
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		must_pass(child);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(all[i], NULL);
	pair_end(&pair);
}

static volatile int ticks;

static void tick(int number)
{
	struct pair pair;

	(void)number;
	/* A handler is a program, too. */
	if (ticks++ % 16 == 0) {
		pair = pair_make(1);
		pair_end(&pair);
	}
}

static void signals(void)
{
	struct itimerval often = {{0, 300}, {0, 300}};
	struct itimerval never = {0};
	struct pair pair;

	signal(SIGALRM, tick);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 300; i++) {
		pair = pair_make(1);
		pair_end(&pair);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	CHECK(ticks > 10, "%d signals came", ticks);
}

const struct behaviour process_behaviours[] = {
	{"what a killed process had mapped is given back", killed},
	{"what a process that exits had mapped is given back", exits},
	{"a child inherits mappings only where the kernel lets it",
	 inherits_mappings},
	{"an inherited mapping outlives the parent's", inherited_outlives},
	{"MADV_DOFORK gives a child what the driver gives it", told_to_fork},
	{"exec ends mappings and keeps descriptors", execs},
	{"posix_spawn, system and vfork leave all as it was", spawns},
	{"the child of a raw clone is a process of the machine", raw_fork},
	{"threads map and unmap at once", threads},
	{"threads share a device while the process forks", shared_device},
	{"signals and their handlers disturb no call", signals},
	{NULL, NULL},
};
