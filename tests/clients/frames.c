// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Maps another domain's memory by its frames' numbers, as backends in domain 0 do
 * that are given a guest's memory and no grants: through /dev/xen/privcmd. It prints
 * what it is answered, the same on Xen and on a machine.
 *
 * usage: frames DOMID GOOD BAD	GOOD: a frame that the domain has, BAD: it has not
 *        frames DOMID GOOD	by a domain without the right
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define NO_DOMAIN 12345

/* What /dev/xen/privcmd takes: requests 'P' 2 to 'P' 7. */
struct entry {
	uint64_t at, frame, pages;
};

struct map {
	int count;
	uint16_t domid;
	struct entry *entries;
};

struct batch {
	int count;
	uint16_t domid;
	uint64_t at;
	uint64_t *frames;
};

struct batch_v2 {
	unsigned int count;
	uint16_t domid;
	uint64_t at;
	const uint64_t *frames;
	int *errors;
};

struct resource {
	uint16_t domid;
	uint32_t type, id, first;
	uint64_t count, at;
};

#define MMAP _IOC(_IOC_NONE, 'P', 2, sizeof(struct map))
#define MMAPBATCH _IOC(_IOC_NONE, 'P', 3, sizeof(struct batch))
#define MMAPBATCH_V2 _IOC(_IOC_NONE, 'P', 4, sizeof(struct batch_v2))
#define RESTRICT _IOC(_IOC_NONE, 'P', 6, sizeof(uint16_t))
#define MMAP_RESOURCE _IOC(_IOC_NONE, 'P', 7, sizeof(struct resource))
#define GRANT_TABLE 1
#define UNTOUCHED 77

static int device;
static unsigned int domid;
static uint64_t good, bad;

static const char *result(int error)
{
	return error < 0 ? strerrorname_np(errno) : "done";
}

static void *map(unsigned int pages, int prot, int flags)
{
	void *at = mmap(NULL, pages * PAGE, prot, flags, device, 0);

	if (at == MAP_FAILED) {
		printf("mmap: %s\n", strerrorname_np(errno));
		exit(1);
	}
	return at;
}

/* What is said of each frame, behind what is said of all. */
static void batch(const char *what, unsigned int of, void *at,
		  const uint64_t *frames, unsigned int count)
{
	int errors[8];
	struct batch_v2 request = {count, of, (uintptr_t)at, frames, errors};
	int error;

	for (int i = 0; i < 8; i++)
		errors[i] = UNTOUCHED;
	error = ioctl(device, MMAPBATCH_V2, &request);
	printf("%s: %s;", what, result(error));
	for (unsigned int i = 0; i < count && i < 8; i++)
		printf(" %s", errors[i] == UNTOUCHED ? "untouched"
			      : errors[i] ? strerrorname_np(-errors[i])
					  : "good");
	printf("\n");
}

static void ended(const char *what, pid_t child)
{
	int status;

	waitpid(child, &status, 0);
	printf("%s: %s\n", what,
	       WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "seen");
}

/* How an access ends: in a child that has its parent's memory. */
static void access_page(const char *what, volatile char *at, bool write)
{
	pid_t child = vfork();

	if (!child) {
		char byte = *at;

		if (write)
			*at = byte;
		_exit(0);
	}
	ended(what, child);
}

static void in_child(const char *what, volatile char *at)
{
	pid_t child = fork();

	if (!child) {
		(void)*at;
		_exit(0);
	}
	ended(what, child);
}

/* One frame at two places. */
static void twice(volatile char *one, volatile char *other)
{
	*one = 'a';
	*other = 'b';
	printf("the same twice: %s\n", *one == 'b' ? "is" : "differs");
}

static void requests(void)
{
	uint64_t frames[4] = {good, bad, good, good};
	char *at = map(3, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE);

	access_page("before", at, false);
	batch("no frame", domid, at, frames, 0);
	batch("a part", domid, at, frames, 2);
	batch("more than that", domid, at, frames, 4);
	batch("elsewhere", domid, frames, frames, 3);
	batch("frames that are nowhere", domid, at, (void *)8, 3);
	batch("no such domain", NO_DOMAIN, at, frames, 3);
	batch("all, again", domid, at, frames, 3);
	munmap(at, 3 * PAGE);

	at = map(3, PROT_READ | PROT_WRITE, MAP_SHARED);
	batch("good, bad, good", domid, at, frames, 3);
	access_page("the first", at, true);
	access_page("the second", at + PAGE, false);
	access_page("the third", at + 2 * PAGE, true);
	twice(at, at + 2 * PAGE);
	batch("one that is there", domid, at, frames, 1);
	batch("one that is not", domid, at + PAGE, frames, 1);
	batch("no more", domid, at + PAGE, frames, 1);
	access_page("the second", at + PAGE, true);
	in_child("a child's", at);
	printf("unmap a part: %s\n", result(munmap(at + PAGE, PAGE)));
	printf("protect a part: %s\n", result(mprotect(at, PAGE, PROT_READ)));
	munmap(at, 3 * PAGE);
}

static void first_version(void)
{
	uint64_t frames[3] = {good, bad, good};
	char *at = map(3, PROT_READ, MAP_SHARED);
	struct batch request = {3, domid, (uintptr_t)at, frames};
	int error = ioctl(device, MMAPBATCH, &request);

	printf("the first version: %s; %#llx %#llx %#llx\n", result(error),
	       (unsigned long long)(frames[0] ^ good),
	       (unsigned long long)(frames[1] ^ bad),
	       (unsigned long long)(frames[2] ^ good));
	access_page("the first", at, false);
	access_page("the second", at + PAGE, false);
	munmap(at, 3 * PAGE);
}

static void restriction(void)
{
	uint16_t other = domid + 1;
	char *at = map(1, PROT_READ, MAP_SHARED);
	int error = ioctl(device, RESTRICT, &other);

	printf("restriction: %s\n", result(error));
	batch("restricted to another", domid, at, &good, 1);
	munmap(at, PAGE);
	close(device);
	device = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	other = domid;
	at = map(1, PROT_READ, MAP_SHARED);
	error = ioctl(device, RESTRICT, &other);
	printf("restriction: %s\n", result(error));
	batch("restricted to this", domid, at, &good, 1);
	munmap(at, PAGE);
}

static void resource(void)
{
	char *at = map(1, PROT_READ, MAP_SHARED);
	struct resource request = {
		.domid = domid,
		.type = GRANT_TABLE,
		.count = 1,
		.at = (uintptr_t)at,
	};
	int error = ioctl(device, MMAP_RESOURCE, &request);

	printf("a resource: %s\n", result(error));
	munmap(at, PAGE);
}

/* What somebody is told who may not. */
static void refusals(void)
{
	char *at = map(1, PROT_READ, MAP_SHARED);
	uint64_t frame = good;
	struct batch first = {1, domid, (uintptr_t)at, &frame};
	struct entry entry = {(uintptr_t)at, good, 1};
	struct map one = {1, domid, &entry};
	int error;

	batch("a batch", domid, at, &good, 1);
	access_page("an access", at, false);
	error = ioctl(device, MMAPBATCH, &first);
	printf("the first version: %s; %#llx\n", result(error),
	       (unsigned long long)(frame ^ good));
	error = ioctl(device, MMAP, &one);
	printf("by entries: %s\n", result(error));
	munmap(at, PAGE);
	resource();
}

int main(int argc, char **argv)
{
	setbuf(stdout, NULL);
	if (argc < 3) {
		fprintf(stderr, "usage: frames DOMID GOOD [BAD]\n");
		return 2;
	}
	domid = strtoul(argv[1], NULL, 0);
	good = strtoull(argv[2], NULL, 0);
	bad = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	device = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (device < 0) {
		perror("/dev/xen/privcmd");
		return 1;
	}
	if (argc < 4) {
		refusals();
		return 0;
	}
	requests();
	first_version();
	restriction();

	return 0;
}
