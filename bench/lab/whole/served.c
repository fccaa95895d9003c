// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * In domain 0, of one processor, where a nanosecond is an instruction: what the
 * domain ran, by the hypervisor's own account, between what a guest says: for each
 * of so many requests of a disk that a backend here serves. Of every second round
 * how much of it the backend was in calls of the grant device; it runs with asked.so.
 *
 *	served DOMAIN PROGRAM
 *	served --spent		what the domain ran until now
 *	served --asked on|off PROGRAM
 *	served --told PROGRAM	what it asked for while that was on: kind, size, how
 *				often, the median
 *
 * Prints a line for each kind of round: name, size, what it cost, and by how many
 * per cent of that its quartiles differ. The first is of rounds of nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/sys/privcmd.h>
#include <xen/vcpu.h>

#include "asked.h"
#include "store.h"

#define PAGE 4096
#define MOST_SAMPLES 64u

struct samples {
	char name[32];
	unsigned int size, count;
	uint64_t seen[MOST_SAMPLES];
};

static struct asked *asked;

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "served: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Nanoseconds that this domain's processor was running the domain. */
static uint64_t spent(void)
{
	static struct vcpu_runstate_info *info;
	static int privcmd = -1;
	privcmd_hypercall_t call = {.op = __HYPERVISOR_vcpu_op,
				    .arg = {VCPUOP_get_runstate_info, 0}};

	if (!info) {
		int buffers = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);

		privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
		info = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    buffers, 0);
		if (privcmd < 0 || info == MAP_FAILED)
			fail("/dev/xen/privcmd or hypercall");
	}
	call.arg[2] = (uintptr_t)info;
	if (ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call))
		fail("VCPUOP_get_runstate_info");
	return info->time[RUNSTATE_running];
}

static void open_asked(const char *program)
{
	char name[128];
	int fd;

	snprintf(name, sizeof(name), ASKED_FILE "%s", program);
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(name);
	asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE, MAP_SHARED,
		     fd, 0);
	if (asked == MAP_FAILED)
		fail(name);
}

static int compare(const void *left, const void *right)
{
	uint64_t l = *(const uint64_t *)left, r = *(const uint64_t *)right;

	return l < r ? -1 : l > r;
}

static void add(struct samples *all, const char *name, unsigned int size,
		uint64_t value)
{
	while (all->name[0] &&
	       (strcmp(all->name, name) != 0 || all->size != size))
		all++;
	if (!all->name[0])
		snprintf(all->name, sizeof(all->name), "%s", name);
	all->size = size;
	if (all->count < MOST_SAMPLES)
		all->seen[all->count++] = value;
}

static uint64_t median(struct samples *s)
{
	qsort(s->seen, s->count, sizeof(s->seen[0]), compare);
	return s->seen[s->count / 2];
}

static void print(struct samples *s)
{
	uint64_t middle = median(s);
	uint64_t range = s->seen[3 * s->count / 4] - s->seen[s->count / 4];

	printf("%s\t%u\t%llu\t%.2f\n", s->name, s->size,
	       (unsigned long long)middle, middle ? 100.0 * range / middle : 0);
}

/* Calls of one kind and size; a median has none in which another domain ran. */
struct kind {
	uint32_t kind, size, count;
	uint64_t middle;
};

static unsigned int kinds_of_calls(struct kind *kinds, unsigned int most)
{
	static uint64_t spent_in[ASKED_MOST];
	unsigned int number = 0, all = asked->count;

	if (all > ASKED_MOST)
		all = ASKED_MOST;
	for (unsigned int i = 0; i < all; i++) {
		struct asked_call *call = &asked->calls[i];
		unsigned int k = 0, n = 0;

		while (k < number && (kinds[k].kind != call->kind ||
				      kinds[k].size != call->size))
			k++;
		if (k < number || number == most)
			continue;
		for (unsigned int j = i; j < all; j++)
			if (asked->calls[j].kind == call->kind &&
			    asked->calls[j].size == call->size)
				spent_in[n++] = asked->calls[j].spent;
		qsort(spent_in, n, sizeof(spent_in[0]), compare);
		kinds[number++] = (struct kind){call->kind, call->size, n,
						spent_in[n / 2]};
	}
	return number;
}

static uint64_t spent_in_calls(void)
{
	struct kind kinds[32];
	unsigned int count = kinds_of_calls(kinds, 32);
	uint64_t sum = 0;

	for (unsigned int k = 0; k < count; k++)
		sum += kinds[k].middle * kinds[k].count;
	return sum;
}

static void turn(bool on)
{
	asked->count = 0;
	__atomic_store_n(&asked->on, on, __ATOMIC_SEQ_CST);
}

/* A round has ended: "qdisk-read 4096 400". */
static void take(struct samples *all, const char *words, uint64_t took,
		 bool counted)
{
	unsigned int size, times;
	char name[24], part[32];

	if (sscanf(words, "%23s %u %u", name, &size, &times) != 3)
		return;
	if (!times) {
		add(all, "nothing", 0, took);
		return;
	}
	if (!counted) {
		uint64_t nothing = median(&all[0]);

		add(all, name, size,
		    (took > nothing ? took - nothing : 0) / times);
		return;
	}
	snprintf(part, sizeof(part), "device:%s", name);
	add(all, part, size, spent_in_calls() / times);
	snprintf(part, sizeof(part), "calls:%s", name);
	add(all, part, size, asked->count / times);
}

static void serve(unsigned int domain)
{
	static struct samples all[64];
	struct xs_handle *xs = xs_open(0);
	unsigned int step = 0, heard;
	uint64_t begun = 0, ended;
	bool counted = false;
	char node[64], *words;
	int at;

	snprintf(node, sizeof(node), SAID_BY_GUEST, domain);
	if (!xs || !xs_watch(xs, node, "guest"))
		fail("xenstore");
	for (;;) {
		words = store_hear(xs, node);
		ended = spent();
		if (words && sscanf(words, "%u %n", &heard, &at) == 1 &&
		    heard != step) {
			char answer[16];

			step = heard;
			if (!strncmp(words + at, "end ", 4)) {
				take(all, words + at + 4, ended - begun,
				     counted);
				turn(false);
			} else if (!strncmp(words + at, "begin ", 6)) {
				counted = !strcmp(words + at + 6, "asked");
				turn(counted);
			}
			snprintf(answer, sizeof(answer), "%u", step);
			begun = spent();
			store_say(xs, SAID_BY_HOST, answer);
			if (!strcmp(words + at, "done"))
				break;
		}
		free(words);
	}
	for (struct samples *s = all; s->name[0]; s++)
		print(s);
}

static void tell(void)
{
	struct kind kinds[64];
	unsigned int count = kinds_of_calls(kinds, 64);

	for (unsigned int k = 0; k < count; k++)
		printf("%u %u %u %llu\n", kinds[k].kind, kinds[k].size,
		       kinds[k].count, (unsigned long long)kinds[k].middle);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--spent")) {
		printf("%llu\n", (unsigned long long)spent());
	} else if (argc == 4 && !strcmp(argv[1], "--asked")) {
		open_asked(argv[3]);
		turn(!strcmp(argv[2], "on"));
	} else if (argc == 3 && !strcmp(argv[1], "--told")) {
		open_asked(argv[2]);
		tell();
	} else if (argc == 3) {
		open_asked(argv[2]);
		serve(atoi(argv[1]));
	} else {
		fprintf(stderr, "usage: served DOMAIN PROGRAM\n");
		return 1;
	}
	return 0;
}
