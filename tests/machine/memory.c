// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mapped grants are memory, within the driver's rules. */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>

#include "behave.h"

static void is_shared(void)
{
	struct pair pair = pair_make(3);

	pair.mapped[PAGE + 5] = 77;
	CHECK(pair.granted[PAGE + 5] == 77, "not seen by the granter");
	pair.granted[2 * PAGE + 6] = 78;
	CHECK(pair.mapped[2 * PAGE + 6] == 78, "not seen by the mapper");
	pair_end(&pair);
}

static void parts(void)
{
	struct pair pair = pair_make(3);

	CHECK(munmap(pair.mapped, PAGE) == -1 && errno == EINVAL,
	      "munmap of a part: %s", strerror(errno));
	CHECK(munmap(pair.mapped + PAGE, PAGE) == -1 && errno == EINVAL,
	      "munmap of the middle: %s", strerror(errno));
	for (int i = 0; i < 3; i++)
		CHECK(pair.mapped[i * PAGE] == i + 1, "page %d", i);
	pair_end(&pair);
}

static void read_only(void)
{
	struct pair pair = pair_make(1);
	uint64_t index;
	uint8_t *at = pair_map(&pair, &index, PROT_READ);

	CHECK(mprotect(at, PAGE, PROT_READ | PROT_WRITE) == -1 &&
		      errno == EACCES,
	      "mprotect: %s", strerror(errno));
	CHECK(syscall(10, at, PAGE, PROT_READ | PROT_WRITE) == -1,
	      "mprotect by number");
	CHECK(*at == 1, "wrong data");
	munmap(at, PAGE);
	pair_end(&pair);
}

static void private(void)
{
	struct pair pair = pair_make(1);

	munmap(pair.mapped, PAGE);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pair.dev, pair.index) ==
			      MAP_FAILED &&
		      errno == EINVAL,
	      "a private mapping: %s", strerror(errno));
	CHECK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, pair.dev,
		   pair.index) == MAP_FAILED &&
		      errno == EINVAL,
	      "a longer one: %s", strerror(errno));
	/* More than there are addresses. */
	CHECK(mmap(NULL, -1UL, PROT_READ, MAP_SHARED, pair.dev, 0) ==
			      MAP_FAILED &&
		      errno == ENOMEM,
	      "mmap of all: %s", strerror(errno));
}

static void moved(void)
{
	struct pair pair = pair_make(2);
	uint8_t *to = mmap(NULL, 2 * PAGE, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(mremap(pair.mapped, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE) ==
		      MAP_FAILED,
	      "it has grown");
	CHECK(mremap(pair.mapped, 2 * PAGE, 2 * PAGE,
		     MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED,
	      "it has moved");
	CHECK(mremap(pair.mapped, 2 * PAGE, PAGE, 0) == MAP_FAILED,
	      "it has shrunk");
	CHECK(pair.mapped[PAGE] == 2, "the data is gone");
	pair_end(&pair);
}

static void covered(void)
{
	struct pair pair = pair_make(2);

	CHECK(mmap(pair.mapped + PAGE, PAGE, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == MAP_FAILED &&
		      errno == EINVAL,
	      "something else over a part: %s", strerror(errno));
	CHECK(pair.mapped[PAGE] == 2, "the data is gone");
	CHECK(mmap(pair.mapped, 2 * PAGE, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == pair.mapped,
	      "something else in its place: %s", strerror(errno));
	CHECK(pair.mapped[PAGE] == 0, "the data is still there");
	CHECK(!is_busy(pair.refs[0]), "still in use");
	CHECK(mmap(pair.mapped, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED,
		   pair.dev, pair.index) == pair.mapped,
	      "back in its place: %s", strerror(errno));
	CHECK(pair.mapped[PAGE] == 2, "wrong data");
	pair_end(&pair);
}

static void advised(void)
{
	static const int advice[] = {MADV_DONTNEED, MADV_WILLNEED,
				     MADV_DONTFORK, MADV_REMOVE,
				     MADV_FREE,	    MADV_COLD,
				     MADV_DOFORK};
	struct pair pair = pair_make(2);

	for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++) {
		madvise(pair.mapped, 2 * PAGE, advice[i]);
		CHECK(pair.mapped[0] == 1 && pair.mapped[PAGE] == 2,
		      "the data is gone after advice %d", advice[i]);
		CHECK(pair.granted[0] == 1 && pair.granted[PAGE] == 2,
		      "the granter's is gone after advice %d", advice[i]);
	}
	pair_end(&pair);
}

static void protected(void)
{
	struct pair pair = pair_make(1);

	CHECK(!mprotect(pair.mapped, PAGE, PROT_NONE), "mprotect: %s",
	      strerror(errno));
	CHECK(read_signal(pair.mapped) == SIGSEGV, "it can be read");
	CHECK(!mprotect(pair.mapped, PAGE, PROT_READ), "mprotect: %s",
	      strerror(errno));
	CHECK(read_signal(pair.mapped) == 0 && pair.mapped[0] == 1,
	      "it cannot be read");
	CHECK(!mprotect(pair.mapped, PAGE, PROT_READ | PROT_WRITE),
	      "mprotect: %s", strerror(errno));
	pair.mapped[0] = 9;
	CHECK(pair.granted[0] == 9, "not seen by the granter");
	pair_end(&pair);
}

static void neighbours(void)
{
	struct pair pair = pair_make(1);
	uint8_t *area = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(pair.mapped, PAGE);
	area[0] = area[2 * PAGE] = 50;
	pair.mapped = mmap(area + PAGE, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, pair.dev, pair.index);
	CHECK(pair.mapped == area + PAGE, "mmap: %s", strerror(errno));
	CHECK(area[0] == 50 && area[PAGE] == 1 && area[2 * PAGE] == 50,
	      "wrong data");
	CHECK(!mprotect(area, 3 * PAGE, PROT_READ), "mprotect over all: %s",
	      strerror(errno));
	CHECK(area[0] == 50 && area[PAGE] == 1, "wrong data");
	CHECK(!munmap(area, PAGE), "munmap before it: %s", strerror(errno));
	CHECK(area[PAGE] == 1, "wrong data");
	CHECK(!munmap(area + PAGE, 2 * PAGE), "munmap over both: %s",
	      strerror(errno));
	CHECK(!is_busy(pair.refs[0]), "still in use");
}

static void outlives_close(void)
{
	struct pair pair = pair_make(1);

	close(pair.dev);
	close(pair.alloc);
	pair.mapped[3] = 33;
	CHECK(pair.granted[3] == 33, "not shared any more");
	CHECK(is_busy(pair.refs[0]), "not in use");
	munmap(pair.mapped, PAGE);
	CHECK(!is_busy(pair.refs[0]), "still in use");
}

static void bad_pointers(void)
{
	int fd = open_or_die("/dev/xen/gntdev", O_RDWR);
	struct ioctl_gntdev_map_grant_ref *request;

	CHECK(ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, 8) == -1 && errno == EFAULT,
	      "a bad pointer: %s", strerror(errno));
	request = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	request->count = 1;
	mprotect(request, PAGE, PROT_READ);
	CHECK(ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, request) == -1 &&
		      errno == EFAULT,
	      "a read-only structure: %s", strerror(errno));
}

/* The hypervisor lets a grant be mapped some hundred times. */
static void many(void)
{
	struct pair pairs[12];
	static uint8_t *at[600];
	uint64_t index;

	for (int i = 0; i < 12; i++)
		pairs[i] = pair_make(1);
	for (int i = 0; i < 600; i++)
		at[i] = pair_map(&pairs[i % 12], &index, PROT_READ);
	for (int i = 0; i < 12; i++)
		pairs[i].mapped[0] = 200;
	for (int i = 0; i < 600; i += 2)
		CHECK(*at[i] == 200 && !munmap(at[i], PAGE), "mapping %d", i);
	for (int i = 1; i < 600; i += 2)
		CHECK(*at[i] == 200 && !munmap(at[i], PAGE), "mapping %d", i);
	for (int i = 0; i < 12; i++)
		pair_end(&pairs[i]);
}

static void system_calls(void)
{
	struct pair pair = pair_make(1);
	int ends[2];

	CHECK(!pipe(ends), "pipe");
	strcpy((char *)pair.mapped, "through a pipe");
	CHECK(write(ends[1], pair.mapped, 15) == 15, "write: %s",
	      strerror(errno));
	CHECK(read(ends[0], pair.mapped + 100, 15) == 15, "read: %s",
	      strerror(errno));
	CHECK(!strcmp((char *)pair.granted + 100, "through a pipe"),
	      "wrong data");
	pair_end(&pair);
}

/* Wherever a program has it mapped, and whatever else it unmaps with it. */
static void ends_where_it_is(void)
{
	struct pair pair = pair_make(1);
	uint8_t *at = mmap(NULL, 3 * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(!munmap(pair.mapped, PAGE) && !is_busy(pair.refs[0]),
	      "busy before");
	pair.mapped = mmap(at + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED,
			   pair.dev, pair.index);
	CHECK(pair.mapped == at + PAGE && *pair.mapped == 1, "not mapped");
	CHECK(is_busy(pair.refs[0]), "not in use");
	CHECK(!munmap(at, 3 * PAGE), "munmap: %s", strerror(errno));
	CHECK(!is_busy(pair.refs[0]), "still in use");
}

static int error_of(int fd, uint64_t index, int flags)
{
	void *at = mmap(NULL, PAGE, PROT_READ, flags, fd, index);

	if (at == MAP_FAILED)
		return errno;
	munmap(at, PAGE);

	return 0;
}

/* What no file but others' has. */
static void odd_flags(void)
{
	struct pair pair = pair_make(1);
	int valid = MAP_SHARED_VALIDATE;

	CHECK(!munmap(pair.mapped, PAGE), "munmap");
	CHECK(error_of(pair.dev, pair.index, valid | MAP_SYNC) == EOPNOTSUPP,
	      "MAP_SYNC");
	CHECK(error_of(pair.dev, pair.index, MAP_SHARED | MAP_HUGETLB) ==
		      EINVAL,
	      "MAP_HUGETLB");
	CHECK(error_of(pair.dev, pair.index, MAP_SHARED | MAP_GROWSDOWN) ==
		      EINVAL,
	      "MAP_GROWSDOWN");
	pair.mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, valid, pair.dev,
			   pair.index);
	CHECK(pair.mapped != MAP_FAILED, "mmap: %s", strerror(errno));
	CHECK(mprotect(pair.mapped, PAGE, 0x100) < 0 && errno == EINVAL,
	      "mprotect: %s", strerror(errno));
	CHECK(mprotect(pair.mapped, PAGE, PROT_READ | PROT_GROWSDOWN) < 0 &&
		      errno == EINVAL,
	      "mprotect to grow: %s", strerror(errno));
	CHECK(*pair.mapped == 1, "wrong data");
	pair_end(&pair);
}

const struct behaviour memory_behaviours[] = {
	{"what one side writes the other reads", is_shared},
	{"munmap of a part is refused and leaves the whole", parts},
	{"a read-only mapping stays read-only", read_only},
	{"private and longer mappings are refused", private},
	{"mremap neither moves nor resizes", moved},
	{"MAP_FIXED replaces a whole mapping only", covered},
	{"a mapping at a chosen place ends with what is about it",
	 ends_where_it_is},
	{"advice leaves the data whole", advised},
	{"mprotect takes access away and gives it back", protected},
	{"ordinary memory beside a mapping is ordinary", neighbours},
	{"a mapping outlives its descriptor", outlives_close},
	{"a bad pointer is EFAULT", bad_pointers},
	{"flags that no device knows are refused", odd_flags},
	{"six hundred mappings at once", many},
	{"system calls take mapped grants as buffers", system_calls},
	{NULL, NULL},
};
