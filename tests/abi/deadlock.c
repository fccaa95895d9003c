// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Requests whose structures are on pages that are not there: the kernel takes
 * the address space's lock to get them. mmap and munmap hold that lock when
 * they come to the driver. Whoever holds a lock of the driver's meanwhile waits
 * for the other for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* How long without progress is for ever. */
#define STUCK_MS 6000

struct race {
	/* One request, from a structure that is not there. */
	void (*ask)(struct race *race);
	int fd;
	uint32_t refs[4];
	/* Mapped all the time. */
	struct mapped steady;
	/* Two pages of a file, and a private mapping of them. */
	int file;
	uint8_t *pages;
	volatile bool over;
	volatile unsigned int asked;
	volatile unsigned int mapped;
};

/*
 * The structure in the mapped file, across two pages, none of which is in the
 * page tables: reading faults, and writing faults again.
 */
static void *absent(struct race *race, const void *structure, size_t size)
{
	size_t at = PAGE - size / 2 / 4 * 4;

	CHECK(pwrite(race->file, structure, size, at) == (ssize_t)size,
	      "write to a file: %s", error_name(errno));
	madvise(race->pages, 2 * PAGE, MADV_DONTNEED);
	return race->pages + at;
}

static void request(struct race *race, unsigned long number, void *structure)
{
	EXPECT(ioctl(race->fd, number, structure) < 0 ? -errno : 0, 0);
}

static void ask_map(struct race *race)
{
	/* The request's structure with four references. */
	struct {
		uint32_t count, pad;
		uint64_t index;
		struct ioctl_gntdev_grant_ref refs[4];
	} map = {.count = 4}, *at;

	for (unsigned int i = 0; i < 4; i++)
		map.refs[i] = (struct ioctl_gntdev_grant_ref){
			.domid = granter_domid(),
			.ref = race->refs[i],
		};
	at = absent(race, &map, sizeof(map));
	request(race, IOCTL_GNTDEV_MAP_GRANT_REF, at);
	EXPECT(dev_remove(race->fd, at->index, 4), 0);
}

static void ask_unmap(struct race *race)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = {
		.index = must_insert(race->fd, race->refs, 4),
		.count = 4,
	};

	request(race, IOCTL_GNTDEV_UNMAP_GRANT_REF,
		absent(race, &unmap, sizeof(unmap)));
}

static void ask_offset(struct race *race)
{
	struct ioctl_gntdev_get_offset_for_vaddr get = {
		.vaddr = (uintptr_t)race->steady.at,
	};

	request(race, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
		absent(race, &get, sizeof(get)));
}

static void ask_maximum(struct race *race)
{
	struct ioctl_gntdev_set_max_grants set = {.count = 1000};

	request(race, IOCTL_GNTDEV_SET_MAX_GRANTS,
		absent(race, &set, sizeof(set)));
}

static void ask_notify(struct race *race)
{
	struct ioctl_gntdev_unmap_notify notify = {
		.index = race->steady.index,
		.action = UNMAP_NOTIFY_CLEAR_BYTE,
	};

	request(race, IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
		absent(race, &notify, sizeof(notify)));
}

/* The segment across two pages, and the local buffer on the second. */
static void ask_copy(struct race *race)
{
	struct gntdev_grant_copy_segment segment = {
		.source.foreign = {race->refs[0], 0, granter_domid()},
		.dest.virt = race->pages + PAGE + 1000,
		.len = 1000,
		.flags = GNTCOPY_source_gref,
	};
	struct ioctl_gntdev_grant_copy copy = {
		.count = 1,
		.segments = absent(race, &segment, sizeof(segment)),
	};

	request(race, IOCTL_GNTDEV_GRANT_COPY, &copy);
}

static void *ask_all_the_time(void *argument)
{
	struct race *race = argument;

	for (; !race->over; race->asked++)
		race->ask(race);
	return NULL;
}

static void *map_all_the_time(void *argument)
{
	struct race *race = argument;

	for (; !race->over; race->mapped++) {
		uint64_t index = must_insert(race->fd, race->refs, 2);

		must_munmap(must_mmap(race->fd, index, 2, READ_WRITE), 2);
		EXPECT(dev_remove(race->fd, index, 2), 0);
	}
	return NULL;
}

/* Both make progress, or one of them waits for ever. */
static void watch(struct race *race, unsigned int duration)
{
	long long end = milliseconds() + duration, moved = milliseconds();
	unsigned int asked = 0, mapped = 0;

	while (milliseconds() < end) {
		sleep_ms(50);
		if (race->asked != asked && race->mapped != mapped) {
			asked = race->asked;
			mapped = race->mapped;
			moved = milliseconds();
		}
		if (milliseconds() - moved > 500)
			end = moved + STUCK_MS + 100;
		CHECK(milliseconds() - moved < STUCK_MS,
		      "stuck after %u requests and %u mmaps", asked, mapped);
	}
	CHECK(asked && mapped, "nothing was done");
}

static void race_with_mmap(void (*ask)(struct race *), unsigned int duration)
{
	struct race race = {.ask = ask, .fd = dev_open()};
	pthread_t asker, mapper;

	race.file = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	CHECK(race.file >= 0, "/tmp: %s", error_name(errno));
	CHECK(!ftruncate(race.file, 2 * PAGE), "ftruncate: %s",
	      error_name(errno));
	race.pages =
		mmap(NULL, 2 * PAGE, READ_WRITE, MAP_PRIVATE, race.file, 0);
	CHECK(race.pages != MAP_FAILED, "mmap: %s", error_name(errno));
	race.steady = map_some(race.fd, 1, READ_WRITE);
	granter_alloc(race.refs, 4, true);

	EQUAL(pthread_create(&asker, NULL, ask_all_the_time, &race), 0);
	EQUAL(pthread_create(&mapper, NULL, map_all_the_time, &race), 0);
	watch(&race, duration);
	race.over = true;
	pthread_join(asker, NULL);
	pthread_join(mapper, NULL);
}

TEST(map_from_an_absent_page_against_mmap)
{
	race_with_mmap(ask_map, 3000);
}

TEST(unmap_from_an_absent_page_against_mmap)
{
	race_with_mmap(ask_unmap, 700);
}

TEST(offset_from_an_absent_page_against_mmap)
{
	race_with_mmap(ask_offset, 700);
}

TEST(maximum_from_an_absent_page_against_mmap)
{
	race_with_mmap(ask_maximum, 700);
}

TEST(notify_from_an_absent_page_against_mmap)
{
	race_with_mmap(ask_notify, 700);
}

TEST(copy_from_and_to_absent_pages_against_mmap)
{
	race_with_mmap(ask_copy, 700);
}
