// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GRANT_COPY, most of which the library does in this process: nobody is to see
 * that. The first copies go through the server, later ones do not.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "behave.h"

/* From the hypervisor's public headers. */
#define GNTCOPY_source_gref 1
#define GNTCOPY_dest_gref 2

#define RW (PROT_READ | PROT_WRITE)
#define BAD_REF 30000
/* As many segments as the driver takes at once. */
#define CHUNK 128u

typedef struct gntdev_grant_copy_segment segment_t;

static uint8_t *pages_of(unsigned int count)
{
	uint8_t *at = mmap(NULL, count * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	CHECK(at != MAP_FAILED, "mmap: %s", strerror(errno));
	return at;
}

static segment_t from_grant(uint32_t ref, unsigned int offset, void *to,
			    unsigned int size)
{
	segment_t s = {.flags = GNTCOPY_source_gref, .len = size, .status = 99};

	s.source.foreign.ref = ref;
	s.source.foreign.offset = offset;
	s.dest.virt = to;
	return s;
}

static segment_t to_grant(uint32_t ref, unsigned int offset, void *from,
			  unsigned int size)
{
	segment_t s = {.flags = GNTCOPY_dest_gref, .len = size, .status = 99};

	s.dest.foreign.ref = ref;
	s.dest.foreign.offset = offset;
	s.source.virt = from;
	return s;
}

static int copy(const struct pair *pair, segment_t *segments,
		unsigned int count)
{
	struct ioctl_gntdev_grant_copy op = {.count = count,
					     .segments = segments};

	return ioctl(pair->dev, IOCTL_GNTDEV_GRANT_COPY, &op) ? errno : 0;
}

/* So that copies in both directions are this process's from now on. */
static struct pair warm(unsigned int pages)
{
	struct pair pair = pair_make(pages);
	uint8_t *at = pages_of(1);

	for (int i = 0; i < 4; i++) {
		segment_t s[2] = {from_grant(pair.refs[0], 0, at, 8),
				  to_grant(pair.refs[0], 8, at, 8)};

		CHECK(!copy(&pair, s, 1) && !copy(&pair, s + 1, 1), "copy");
	}
	munmap(at, PAGE);
	return pair;
}

static void both_ways(void)
{
	struct pair pair = pair_make(8);
	uint8_t *at = pages_of(10);
	segment_t *s = (segment_t *)pages_of(8);
	enum {
		N = 1000
	};

	/* From the first, through the server, to those that are not. */
	for (unsigned int round = 0; round < 6; round++) {
		for (unsigned int i = 0; i < 8 * PAGE; i++)
			pair.granted[i] = (i + round) * 7;
		for (unsigned int i = 0; i < N; i++)
			s[i] = from_grant(pair.refs[i % 8], i, at + 33 * i, 33);
		CHECK(!copy(&pair, s, N), "copy: %s", strerror(errno));
		for (unsigned int i = 0; i < N; i++)
			CHECK(!s[i].status &&
				      !memcmp(at + 33 * i,
					      pair.granted + i % 8 * PAGE + i,
					      33),
			      "round %u, segment %u: status %d", round, i,
			      s[i].status);
		for (unsigned int i = 0; i < 10 * PAGE; i++)
			at[i] = (i + round) * 11;
		for (unsigned int i = 0; i < N; i++)
			s[i] = to_grant(pair.refs[i % 8], i / 8 * 32,
					at + 37 * i, 32);
		CHECK(!copy(&pair, s, N), "copy: %s", strerror(errno));
		for (unsigned int i = 0; i < N; i++)
			CHECK(!s[i].status &&
				      !memcmp(at + 37 * i,
					      pair.granted + i % 8 * PAGE +
						      i / 8 * 32,
					      32),
			      "back, round %u, segment %u: status %d", round, i,
			      s[i].status);
	}
	pair_end(&pair);
}

static void in_order(void)
{
	struct pair pair = warm(2);
	uint8_t *at = pages_of(2);
	segment_t s[4];

	/* Through one grant into the other: that one is the server's to do. */
	memset(at, 'x', PAGE);
	s[0] = to_grant(pair.refs[0], 0, at, PAGE);
	s[1] = s[0];
	s[1].flags |= GNTCOPY_source_gref;
	s[1].source.foreign.ref = pair.refs[0];
	s[1].source.foreign.offset = 0;
	s[1].source.foreign.domid = 0;
	s[1].dest.foreign.ref = pair.refs[1];
	s[2] = from_grant(pair.refs[1], 0, at + PAGE, PAGE);
	/* What has just come goes on. */
	s[3] = to_grant(pair.refs[0], 7, at + PAGE, 1);
	CHECK(!copy(&pair, s, 4), "copy: %s", strerror(errno));
	for (int i = 0; i < 4; i++)
		CHECK(!s[i].status, "status %d of segment %d", s[i].status, i);
	CHECK(!memcmp(at, at + PAGE, PAGE), "not what was sent");
	CHECK(pair.granted[7] == 'x', "not in order");
	pair_end(&pair);
}

/* The segments that come are read when those before them are done. */
static void over_itself(void)
{
	struct pair pair = warm(1);
	segment_t *s = (segment_t *)pages_of(1);
	uint8_t *at = pages_of(1);

	for (unsigned int i = 0; i < CHUNK + 8; i++)
		s[i] = from_grant(pair.refs[0], 0, at + i, 1);
	memcpy(pair.granted + 64, &(uint32_t){BAD_REF}, 4);
	s[0] = from_grant(pair.refs[0], 64, &s[CHUNK + 4].source.foreign.ref,
			  4);
	CHECK(!copy(&pair, s, CHUNK + 8), "copy: %s", strerror(errno));
	for (unsigned int i = 0; i < CHUNK + 8; i++)
		CHECK(i == CHUNK + 4 ? s[i].status < 0 : !s[i].status,
		      "status %d of segment %u", s[i].status, i);
	pair_end(&pair);
}

static void statuses(void)
{
	struct pair pair = warm(1);
	uint8_t *at = pages_of(1);
	segment_t *s = (segment_t *)pages_of(1);

	for (int i = 0; i < 3; i++)
		s[i] = from_grant(pair.refs[0], 0, at + i, 1);
	s[1].source.foreign.ref = BAD_REF;
	CHECK(!copy(&pair, s, 3), "copy: %s", strerror(errno));
	CHECK(!s[0].status && s[1].status < 0 && !s[2].status,
	      "statuses %d, %d, %d", s[0].status, s[1].status, s[2].status);
	CHECK(at[0] && !at[1] && at[2], "wrong bytes");
	CHECK(!is_busy(pair.refs[0] + 1), "there is such a grant");

	CHECK(!mprotect(s, PAGE, PROT_READ), "mprotect");
	CHECK(copy(&pair, s, 1) == EFAULT, "no EFAULT for a status");
	CHECK(copy(&pair, (segment_t *)(uintptr_t)PAGE, 1) == EFAULT,
	      "no EFAULT for segments");
	CHECK(ioctl(pair.dev, IOCTL_GNTDEV_GRANT_COPY, NULL) == -1 &&
		      errno == EFAULT,
	      "no EFAULT for the request");
	pair_end(&pair);
}

static void out_of_reach(void)
{
	struct pair pair = warm(1);
	uint8_t *at = pages_of(2);
	segment_t s = from_grant(pair.refs[0], 0, at + PAGE - 4, 8);

	mprotect(at + PAGE, PAGE, PROT_READ);
	CHECK(copy(&pair, &s, 1) == EFAULT, "written to what is read-only");
	s = to_grant(pair.refs[0], 0, at + PAGE - 4, 8);
	CHECK(!copy(&pair, &s, 1) && !s.status, "copy");
	munmap(at + PAGE, PAGE);
	CHECK(copy(&pair, &s, 1) == EFAULT, "read from where nothing is");
	pair_end(&pair);
}

static void in_use(void)
{
	struct pair pair = warm(1);
	uint8_t *at = pages_of(1);

	munmap(pair.mapped, PAGE);
	CHECK(!ioctl(pair.dev, IOCTL_GNTDEV_UNMAP_GRANT_REF,
		     &(struct ioctl_gntdev_unmap_grant_ref){.index = pair.index,
							    .count = 1}),
	      "UNMAP_GRANT_REF");
	for (int i = 0; i < 10; i++) {
		segment_t s = from_grant(pair.refs[0], 0, at, PAGE);
		pid_t child;

		/* Asked by another process: this one says nothing more. */
		CHECK(!copy(&pair, &s, 1) && !s.status, "copy");
		child = fork();
		if (!child) {
			CHECK(!is_busy(pair.refs[0]), "in use after the copy");
			_exit(0);
		}
		must_pass(child);
	}
}

/* ---- memory that goes while it is being copied to ---- */

static atomic_bool over;
static uint8_t *volatile ground;

static void *take_away(void *unused)
{
	while (!over) {
		mprotect(ground, 16 * PAGE, PROT_NONE);
		munmap(ground + PAGE, 14 * PAGE);
		mmap(ground, 16 * PAGE, RW,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	return unused;
}

static void taken_away(void)
{
	struct pair pair = warm(16);
	segment_t *s = (segment_t *)pages_of(1);
	unsigned int good = 0, bad = 0;
	pthread_t thread;
	sigset_t all;
	int error;

	ground = pages_of(16);
	/* Where a fault would be deadly if nothing was done about it. */
	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	CHECK(!pthread_create(&thread, NULL, take_away, NULL), "thread");
	for (int i = 0; i < 100000 && (i < 2000 || !good || !bad); i++) {
		for (int j = 0; j < 16; j++)
			s[j] = i & 1 ? from_grant(pair.refs[j], 0,
						  ground + j * PAGE, PAGE)
				     : to_grant(pair.refs[j], 0,
						ground + j * PAGE, PAGE);
		error = copy(&pair, s, 16);
		CHECK(!error || error == EFAULT, "%s", strerror(error));
		good += !error;
		bad += !!error;
	}
	over = true;
	pthread_join(thread, NULL);
	CHECK(good && bad, "%u went well, %u did not", good, bad);
	pair_end(&pair);
}

/* ---- signals are the program's ---- */

static volatile sig_atomic_t caught;

static void catch (int number, siginfo_t *info, void *context)
{
	(void)context;
	caught = info->si_code > 0 ? number : -number;
	mprotect(ground, PAGE, RW);
}

static void own_handlers(void)
{
	struct sigaction action = {.sa_sigaction = catch,
				   .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction now;
	struct pair pair = warm(1);

	CHECK(!sigaction(SIGSEGV, NULL, &now), "sigaction");
	CHECK(now.sa_handler == SIG_DFL, "there is a handler");
	sigaddset(&action.sa_mask, SIGUSR1);
	CHECK(!sigaction(SIGSEGV, &action, &now), "sigaction");
	CHECK(now.sa_handler == SIG_DFL, "there was a handler");
	ground = pages_of(1);
	mprotect(ground, PAGE, PROT_NONE);
	*(volatile uint8_t *)ground = 1;
	CHECK(caught == SIGSEGV, "not called");
	raise(SIGSEGV);
	CHECK(caught == -SIGSEGV, "not called when sent");
	CHECK(!sigaction(SIGSEGV, NULL, &now), "sigaction");
	CHECK(now.sa_sigaction == catch && now.sa_flags & SA_SIGINFO &&
		      sigismember(&now.sa_mask, SIGUSR1),
	      "another handler than was set");
	CHECK(signal(SIGSEGV, SIG_IGN) == (void (*)(int))(uintptr_t)catch,
	      "signal");
	raise(SIGSEGV);
	CHECK(signal(SIGSEGV, SIG_DFL) == SIG_IGN, "signal again");
	mprotect(ground, PAGE, PROT_NONE);
	CHECK(read_signal(ground) == SIGSEGV, "no signal");
	pair_end(&pair);
}

static void own_death(void)
{
	volatile uint8_t *nothing =
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pair pair = warm(1);
	pid_t child;
	int status;

	for (int sent = 0; sent < 2; sent++) {
		child = fork();
		if (!child) {
			if (sent)
				raise(SIGBUS);
			*nothing = 1;
			_exit(0);
		}
		waitpid(child, &status, 0);
		CHECK(WIFSIGNALED(status) &&
			      WTERMSIG(status) == (sent ? SIGBUS : SIGSEGV),
		      "status %#x", status);
	}
	pair_end(&pair);
}

static void child_copies(void)
{
	struct pair pair = warm(1);
	uint8_t *at = pages_of(1);
	pid_t child = fork();

	if (!child) {
		for (int i = 0; i < 50; i++) {
			segment_t s = to_grant(pair.refs[0], i, at, 1);

			*at = i + 100;
			CHECK(!copy(&pair, &s, 1) && !s.status, "copy");
		}
		_exit(0);
	}
	must_pass(child);
	for (int i = 0; i < 50; i++)
		CHECK(pair.granted[i] == i + 100, "byte %d", i);
	pair_end(&pair);
}

const struct behaviour copy_behaviours[] = {
	{"copies of many segments are exact, both ways", both_ways},
	{"segments are copied in order, grant to grant too", in_order},
	{"a copy may change the segments that follow", over_itself},
	{"each segment of a copy has its status", statuses},
	{"a copy out of what is reachable is EFAULT", out_of_reach},
	{"a grant is not in use after its copy", in_use},
	{"memory may go while it is copied to or from", taken_away},
	{"handlers of SIGSEGV are the program's, copies or not", own_handlers},
	{"so is death by it", own_death},
	{"a child copies as its parent does", child_copies},
	{NULL, NULL},
};
